"""Reads Excel's old binary workbooks (XLS) through xlrd (the only file that imports it), as XLSX is read."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.cell_format import shown
from ingest.elements import Reading
from ingest.errors import UnreadableFile, is_ours
from ingest.ole import opened, properties
from ingest.sheets import Sheet, place

_REMEDY = "Save it as xlsx and ingest that."


def read_xls(path: Path) -> Reading:
    """Read every sheet, hidden ones too, as a page, with numbers and dates as they are shown; also of Excel 2003's XML."""
    from ingest.office import read_sheets
    from ingest.workbook_2003 import read_workbook_2003

    if is_xml(path):
        return read_workbook_2003(path)
    with opened(path) as container:
        metadata = properties(container)
    return read_sheets(list(_sheets(path)), metadata)


def is_xml(path: Path) -> bool:
    """Say whether a workbook is one XML text."""
    with path.open("rb") as file:
        return not file.read(8).startswith(b"\xd0\xcf\x11\xe0")


def _sheets(path: Path) -> Iterator[Sheet]:
    """Yield the workbook's sheets."""
    import xlrd
    from xlrd.compdoc import CompDocError

    try:
        # Merged regions and number formats are known only with formatting_info.
        with (
            open("/dev/null", "w", encoding="utf-8") as nowhere,
            xlrd.open_workbook(str(path), formatting_info=True, on_demand=True, logfile=nowhere) as book,
        ):
            for number in range(book.nsheets):
                sheet = book.sheet_by_index(number)
                notes = tuple(
                    f"Comment on {place(row, column)}: {' '.join(note.text.split())}"
                    for (row, column), note in sorted(sheet.cell_note_map.items())
                )
                rows = list(_rows(book, sheet))
                yield Sheet(sheet.name, sheet.visibility != 0, rows, _merged(sheet), notes=notes)
                book.unload_sheet(number)
    except (xlrd.XLRDError, CompDocError) as error:
        if "encrypt" in str(error).lower() or "password" in str(error).lower():
            raise UnreadableFile(
                "The workbook is encrypted and needs a password.", "Save a copy without it."
            ) from error
        raise UnreadableFile("The workbook is damaged or too old.", _REMEDY) from error
    except (
        struct.error,
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        AssertionError,
        OverflowError,
    ) as error:
        if is_ours(error):  # xlrd raises plain Python errors of many kinds for damaged files, we don't
            raise
        raise UnreadableFile("The workbook is damaged.", _REMEDY) from error


def _merged(sheet: Any) -> list[tuple[int, int, int, int]]:
    """Return the merged regions as (first row, last row, first column, last column), counted from 0, inclusive."""
    return [(a, b - 1, c, d - 1) for a, b, c, d in sheet.merged_cells]


def _rows(book: Any, sheet: Any) -> Iterator[list[str | None]]:
    """Yield the rows of a sheet as shown text."""
    import xlrd
    from xlrd.xldate import XLDateError, xldate_as_datetime

    for number in range(sheet.nrows):
        values: list[str | None] = []
        for cell in sheet.row(number):
            value: object = cell.value
            if cell.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
                values.append(None)
                continue
            look = book.format_map.get(book.xf_list[cell.xf_index].format_key) if cell.xf_index is not None else None
            if cell.ctype == xlrd.XL_CELL_DATE:
                try:
                    value = xldate_as_datetime(cell.value, book.datemode)
                except (XLDateError, ValueError, OverflowError):  # no date that exists: the number is shown
                    value = cell.value
            elif cell.ctype == xlrd.XL_CELL_BOOLEAN:
                value = bool(cell.value)
            elif cell.ctype == xlrd.XL_CELL_ERROR:
                value = xlrd.error_text_from_code.get(cell.value, "#ERROR")
            elif cell.ctype == xlrd.XL_CELL_NUMBER and float(cell.value).is_integer():
                value = int(cell.value)
            values.append(shown(value, look.format_str if look else "General"))
        yield values
