"""Reads workbooks that are one XML text, as Excel 2003 and many programs write them (SpreadsheetML)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.cell_format import shown
from ingest.elements import Reading
from ingest.sheets import MAX_CELLS, Sheet, place

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_S = "{urn:schemas-microsoft-com:office:spreadsheet}"
_X = "{urn:schemas-microsoft-com:office:excel}"
_O = "{urn:schemas-microsoft-com:office:office}"
_NAMED = {
    "general number": "General", "general date": "mm-dd-yy", "short date": "mm-dd-yy", "medium date": "dd-mmm-yy",
    "long date": "[$-F800]dddd", "short time": "hh:mm", "medium time": "h:mm AM/PM", "long time": "h:mm:ss AM/PM",
    "currency": "$#,##0.00", "euro currency": "€#,##0.00", "fixed": "0.00", "standard": "#,##0.00", "percent": "0.00%",
    "scientific": "0.00E+00",
}  # fmt: skip
"""Names that such a file may give in place of a number format."""
_FARTHEST = 20_000


def read_workbook_2003(path: Path) -> Reading:
    """Read every sheet, hidden ones too, as a page, with numbers and dates as they are shown."""
    from ingest.data import tree
    from ingest.office import read_sheets

    root = tree(path)
    formats = {
        style.get(f"{_S}ID", ""): number.get(f"{_S}Format", "")
        for style in root.iter(f"{_S}Style")
        if (number := style.find(f"{_S}NumberFormat")) is not None
    }
    tags = {"title": "Title", "author": "Author", "created": "Created", "modified": "LastSaved"}
    found = {name: " ".join((root.findtext(f".//{_O}{tag}") or "").split()) for name, tag in tags.items()}
    metadata = {name: value for name, value in found.items() if value}
    return read_sheets(list(_sheets(root, formats)), metadata)


def _sheets(root: Node, formats: dict[str, str]) -> Iterator[Sheet]:
    """Yield the sheets of a workbook."""
    left = MAX_CELLS
    for number, sheet in enumerate(root.iter(f"{_S}Worksheet"), start=1):
        rows: list[list[str | None]] = []
        merged: list[tuple[int, int, int, int]] = []
        notes: list[str] = []
        for row in sheet.iter(f"{_S}Row"):
            at = _number(row.get(f"{_S}Index"), len(rows) + 1)
            rows += [[] for _ in range(min(_FARTHEST, at - 1 - len(rows)))]
            rows.append(_row(row, len(rows), formats, merged, notes))
            left -= len(rows[-1])
            if left < 0:
                break
        state = sheet.findtext(f"{_X}WorksheetOptions/{_X}Visible") or ""
        name = sheet.get(f"{_S}Name") or f"Sheet{number}"
        yield Sheet(
            name, state.startswith("SheetHidden") or "VeryHidden" in state, rows, merged, left < 0, tuple(notes)
        )
        left = max(0, left)


def _row(
    row: Node, number: int, formats: dict[str, str], merged: list[tuple[int, int, int, int]], notes: list[str]
) -> list[str | None]:
    """Return the shown texts of a row; what its cells cover and their comments are appended."""
    values: list[str | None] = []
    for cell in row.iterfind(f"{_S}Cell"):
        at = min(_FARTHEST, _number(cell.get(f"{_S}Index"), len(values) + 1)) - 1
        values += [None] * (at - len(values))
        wide, high = (_number(cell.get(f"{_S}Merge{way}"), 0) for way in ("Across", "Down"))
        if wide or high:
            merged.append((number, number + high, len(values), len(values) + wide))
        held = cell.find(f"{_S}Data")
        look = formats.get(cell.get(f"{_S}StyleID") or row.get(f"{_S}StyleID") or "Default", "")
        note = cell.find(f"{_S}Comment")
        if note is not None and (words := " ".join("".join(note.itertext()).split())):
            notes.append(f"Comment on {place(number, len(values))}: {words}")
        values.append(_shown(held, _NAMED.get(look.lower(), look or "General")) if held is not None else None)
        values += [None] * min(wide, _FARTHEST)
    return values


def _shown(data: Node, look: str) -> str | None:
    """Return what a cell shows; a value that is not of its type stands as it is written."""
    text = "".join(data.itertext())
    kind = data.get(f"{_S}Type", "String")
    try:
        if kind == "Number":
            value = float(text)
            return shown(int(value) if value.is_integer() and abs(value) < 1e15 else value, look)
        if kind == "DateTime":
            return shown(dt.datetime.fromisoformat(text.strip()), look)
        if kind == "Boolean":
            return shown(text.strip() == "1", look)
    except (ValueError, OverflowError):  # programs write what they like: the cell's text is shown then
        return shown(text, "General")
    return shown(text, "General")


def _number(value: str | None, usual: int) -> int:
    return int(value) if value and value.isdigit() and len(value) < 8 else usual
