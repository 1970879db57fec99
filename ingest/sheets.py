"""Rewrites a workbook so that every cell holds the text that a spreadsheet program shows for it."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.cell_format import shown
from ingest.errors import is_ours
from ingest.package import mended, plainer_workbook
from ingest.sheet_notes import beside_cells

MAX_CELLS = 2_000_000
_MAX_ROWS = 1_100_000
_MAX_MERGED = 100_000
_MAX_REGION = 20_000
_MAX_COVERED = 200_000
_MERGE = re.compile(rb"""<(?:\w+:)?mergeCell\s[^>]*?ref=["']([A-Z]+\d+:[A-Z]+\d+)["']""")
_UNKNOWN = re.compile(
    rb"""<c\b(?![^<>]*\bt=["']str)[^<>]*>\s*<f\b[^<>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>"""
)
"""A formula without a value; one that is marked as text has an empty text for its value."""
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


AS_TEXT = "\ue0ff"
"""Follows each text of a cell that goes through pandas, which would take "N/A" for nothing, "007" and "1e5" for numbers."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: rows of shown text, and merged regions as (first row, last row, first column, last column) from 0.

    `notes` are texts that hang on it: comments, text boxes, titles of charts. `cut` says that rows are missing;
    `unknown` counts formulas without a value.
    `hiding` is (how, text) of rows and cells that the sheet holds and does not show; `rows` are without them.
    """

    name: str
    hidden: bool
    rows: list[list[str | None]]
    merged: list[tuple[int, int, int, int]]
    cut: bool = False
    notes: tuple[str, ...] = ()
    unknown: int = 0
    hiding: tuple[tuple[str, str], ...] = ()


def place(row: int, column: int) -> str:
    """Return the name of a cell, as B3; row and column count from 0."""
    letters, column = "", column + 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row + 1}"


def as_shown(path: Path) -> list[Sheet]:
    """Return the sheets of a workbook with numbers and dates as text in their own format; formulas give the last value.

    pandas, which unstructured reads with, knows no number formats: 5 % would be read as 0.05 and a date with its hour.
    """
    data = path.read_bytes()
    better = mended(data, "xlsx")
    try:
        return _sheets(path, better if better is not data else None)
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        SyntaxError,
    ) as error:  # what openpyxl raises for odd styles
        if is_ours(error) or "EntitiesForbidden" in type(error).__name__:
            raise
        return _sheets(path, plainer_workbook(better))


def _sheets(path: Path, changed: bytes | None) -> list[Sheet]:
    """Return the sheets of a workbook, or of its changed form."""
    if changed is None:
        return _read_sheets(path)
    with tempfile.NamedTemporaryFile(suffix=".xlsx") as copy:
        copy.write(changed)
        copy.flush()
        return _read_sheets(Path(copy.name))


def _read_sheets(path: Path) -> list[Sheet]:
    """Return the sheets of a workbook as openpyxl reads them."""
    from openpyxl import load_workbook

    from ingest.hidden_cells import Hides

    # read_only streams the rows: drawings and external links are never loaded.
    # As an open file: given a path, openpyxl refuses suffixes that it doesn't know.
    file = path.open("rb")
    sheets, left = [], MAX_CELLS
    try:
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            # Many programs write a wrong extent; without one openpyxl finds it from the rows.
            sheet.reset_dimensions()
            rows: list[list[str | None]] = []
            cells = 0
            hides = Hides(path, sheet._worksheet_path)
            for row in sheet.iter_rows():
                texts = [None if c.value is None else shown(c.value, _format(c)) for c in row]
                rows.append(hides.shown(len(rows), row, texts))
                cells += sum(value is not None for value in rows[-1])
                if cells > left or len(rows) > _MAX_ROWS:
                    break
            left -= cells
            merged, unknown = _merged(path, sheet._worksheet_path)
            notes, hiding = tuple(beside_cells(path, sheet._worksheet_path)), tuple(hides.found)
            hidden = sheet.sheet_state != "visible"
            sheets.append(Sheet(sheet.title, hidden, rows, merged, left < 0, notes, unknown, hiding))
            left = max(0, left)
    finally:
        file.close()
    return sheets


def _format(cell: Any) -> str:
    """Return a cell's number format; a style that the workbook doesn't have is none."""
    try:
        return cell.number_format or "General"
    except IndexError:
        return "General"


def _merged(path: Path, part: str) -> tuple[list[tuple[int, int, int, int]], int]:
    """Return the merged regions of a sheet, and how many formulas have no value; openpyxl says neither when it streams."""
    from openpyxl.utils import range_boundaries

    found: list[tuple[int, int, int, int]] = []
    unknown = 0
    with zipfile.ZipFile(path) as archive, archive.open(part.lstrip("/")) as stream:
        rest = b""
        while piece := stream.read(1 << 20):
            text = rest + piece
            unknown += len(_UNKNOWN.findall(text))
            for match in _MERGE.finditer(text):
                left, top, right, bottom = range_boundaries(match[1].decode("ascii"))
                found.append((top - 1, bottom - 1, left - 1, right - 1))
            rest = text[max(text.rfind(b"<"), len(text) - 200) :] if len(found) < _MAX_MERGED else b""
    return found, unknown


def filled(sheet: Sheet) -> Iterator[list[str | None]]:
    """Yield a sheet's rows with the value of each merged cell in all cells that it covers.

    A title that lies over several columns with nothing beside it stands once. Several empty rows in succession are
    yielded as one.
    """
    budget = _MAX_COVERED
    for top, last, left, right in sheet.merged:
        bottom = min(last, len(sheet.rows) - 1)
        value = sheet.rows[top][left] if top <= bottom and left < len(sheet.rows[top]) else None
        area = (bottom - top + 1) * (right - left + 1)
        if not value or area > _MAX_REGION or area > budget:
            continue
        row = sheet.rows[top]
        beside = any(row[i] for i in range(len(row)) if not left <= i <= right)
        columns = [left] if not beside and right > left else range(left, right + 1)
        budget -= area
        for number in range(top, bottom + 1):
            target = sheet.rows[number]
            target.extend([None] * (columns[-1] + 1 - len(target)))
            for column in columns:
                target[column] = target[column] or value
    gap = 0
    for row in sheet.rows:
        values = list(row)
        while values and not values[-1]:
            values.pop()
        gap = 0 if values else gap + 1
        if gap <= 1:
            yield values


def grid(sheet: Sheet) -> list[list[str | None]]:
    """Return a sheet's rows as they are read: merged cells filled, several empty columns in succession as one."""
    rows = list(filled(sheet))
    used = {column for row in rows for column, value in enumerate(row) if value}
    kept = [column for column in range(max(used, default=-1) + 1) if column in used or column - 1 in used]
    return [[row[column] if column < len(row) else None for column in kept] for row in rows]


def workbook(rows: list[list[str | None]]) -> bytes:
    """Return a workbook that holds rows as text, each text followed by AS_TEXT."""
    from openpyxl import Workbook

    written = Workbook(write_only=True)
    target = written.create_sheet("Sheet")
    for row in rows:
        target.append([_ILLEGAL.sub(" ", value) + AS_TEXT if value else value for value in row])
    data = io.BytesIO()
    written.save(data)
    return data.getvalue()
