"""Rewrites a workbook so that every cell holds the text that a spreadsheet program shows for it."""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MAX_CELLS = 2_000_000
_DECIMALS = re.compile(r"\.(0+)")
_CURRENCY = re.compile(r'(?:\[\$([^\]-]*)[^\]]*\]|"([$€£¥])"|\\?([$€£¥]))')
_EPOCH = dt.time(0, 0)


@dataclass(frozen=True, slots=True)
class Shown:
    """A workbook's sheets as (name, number of filled cells, one-sheet workbook), and what is missing."""

    sheets: tuple[tuple[str, int, bytes], ...]
    problems: tuple[str, ...]


def as_shown(path: Path) -> Shown:
    """Return the sheets of a workbook with numbers and dates as text in their own format; formulas give the last value.

    pandas, which unstructured reads with, knows no number formats: 5 % would be read as 0.05 and a date with its hour.
    """
    from openpyxl import load_workbook

    # read_only streams the rows: merged regions, drawings and external links are never loaded.
    book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    sheets, problems, total = [], [], 0
    try:
        for sheet in book.worksheets:
            # Many programs write a wrong extent; without one openpyxl finds it from the rows.
            sheet.reset_dimensions()
            name, cells, data, cut = _rewrite(sheet, _MAX_CELLS - total)
            total += cells
            sheets.append((name, cells, data))
            if cut:
                problems.append(f'The sheet "{name}" was read in part: there are more than {_MAX_CELLS:,} cells.')
    finally:
        book.close()
    return Shown(tuple(sheets), tuple(problems))


def _rewrite(sheet: Any, allowed: int) -> tuple[str, int, bytes, bool]:
    """Return a sheet's name, its number of filled cells, a workbook with its shown text, and whether it was cut."""
    from openpyxl import Workbook

    written = Workbook(write_only=True)
    target = written.create_sheet("Sheet")
    cells, cut = 0, False
    for row in _rows(sheet):
        target.append(row)
        cells += sum(value is not None for value in row)
        if cells > allowed:
            cut = True
            break
    data = io.BytesIO()
    written.save(data)
    return sheet.title, cells, data.getvalue(), cut


def _rows(sheet: Any) -> Iterator[list[str | None]]:
    """Yield the rows of a sheet as shown text; more than one empty row in succession is yielded as one."""
    gap = 0
    for row in sheet.iter_rows():
        values = [None if cell.value is None else shown(cell.value, cell.number_format or "General") for cell in row]
        while values and not values[-1]:
            values.pop()
        gap = 0 if values else gap + 1
        if gap <= 1:
            yield values


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
