"""Rewrites a workbook so that every cell holds the text that a spreadsheet program shows for it."""

from __future__ import annotations

import datetime as dt
import io
import math
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.sheet_notes import beside_cells

_MAX_CELLS = 2_000_000
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
_DECIMALS = re.compile(r"\.(0+)")
_CURRENCY = re.compile(r'(?:\[\$([^\]-]*)[^\]]*\]|"([$€£¥])"|\\?([$€£¥]))')
_EPOCH = dt.time(0, 0)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: rows of shown text, and merged regions as (first row, last row, first column, last column) from 0.

    `notes` are texts that hang on it: comments, text boxes, titles of charts. `cut` says that rows are missing;
    `unknown` counts formulas without a value.
    """

    name: str
    hidden: bool
    rows: list[list[str | None]]
    merged: list[tuple[int, int, int, int]]
    cut: bool = False
    notes: tuple[str, ...] = ()
    unknown: int = 0


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
    from openpyxl import load_workbook

    # read_only streams the rows: drawings and external links are never loaded.
    # As an open file: given a path, openpyxl refuses suffixes that it doesn't know.
    file = path.open("rb")
    sheets, left = [], _MAX_CELLS
    try:
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            # Many programs write a wrong extent; without one openpyxl finds it from the rows.
            sheet.reset_dimensions()
            rows, cells = [], 0
            for row in sheet.iter_rows():
                rows.append([None if c.value is None else shown(c.value, c.number_format or "General") for c in row])
                cells += sum(value is not None for value in rows[-1])
                if cells > left or len(rows) > _MAX_ROWS:
                    break
            left -= cells
            merged, unknown = _merged(path, sheet._worksheet_path)
            notes = tuple(beside_cells(path, sheet._worksheet_path))
            sheets.append(Sheet(sheet.title, sheet.sheet_state != "visible", rows, merged, left < 0, notes, unknown))
            left = max(0, left)
    finally:
        file.close()
    return sheets


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


def workbook(sheet: Sheet) -> tuple[int, bytes]:
    """Return a sheet's number of filled cells and a workbook that holds it alone, as text."""
    from openpyxl import Workbook

    written = Workbook(write_only=True)
    target = written.create_sheet("Sheet")
    cells = 0
    for row in filled(sheet):
        target.append([_ILLEGAL.sub(" ", value) if value else value for value in row])
        cells += sum(value is not None for value in row)
    data = io.BytesIO()
    written.save(data)
    return cells, data.getvalue()


def shown(value: object, number_format: str) -> str | None:
    """Return a cell's value as a spreadsheet program shows it, for the common formats; None for an empty text."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, dt.datetime):
        return _date(value, number_format)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, (int, float)):
        return _number(value, number_format.partition(";")[0])
    text = " ".join(str(value).split())
    # openpyxl would take a text that begins with "=" for a formula when it is written again.
    return (" " + text if text.startswith("=") else text) or None


def _date(value: dt.datetime, number_format: str) -> str:
    """Return a date in ISO form, with the time only when the cell shows one."""
    lowered = number_format.lower()
    if value.time() != _EPOCH or "h" in lowered:
        return value.strftime("%Y-%m-%d %H:%M" + (":%S" if value.second else ""))
    return value.strftime("%Y-%m-%d")


def _number(value: int | float, number_format: str) -> str:
    """Return a number with the decimals, separators, per cent sign and currency that its format asks for."""
    if not math.isfinite(value):
        return str(value)
    bare = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", number_format)
    if bare.strip() in ("General", "@", "") or "E+" in bare or "?/" in bare:
        return _general(value)
    found = _DECIMALS.search(bare)
    decimals = len(found[1]) if found else 0
    scaled = value * 100 if "%" in bare else value
    grouping = "," if re.search(r"[#0],[#0]", bare) else ""
    text = f"{scaled:{grouping}.{decimals}f}"
    if re.fullmatch(r"0{2,}", bare.strip()) and isinstance(value, int):
        text = f"{value:0{len(bare.strip())}d}"
    currency = _CURRENCY.search(number_format)
    sign = next(filter(None, currency.groups()), "") if currency else ""
    if sign:
        text = f"-{sign}{text[1:]}" if text.startswith("-") else f"{sign}{text}"
    return text + "%" * ("%" in bare)


def _general(value: int | float) -> str:
    """Return a number without a format: no more than 12 significant digits, no ".0"."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.12g}"
    return text if "e" in text else text.removesuffix(".0")
