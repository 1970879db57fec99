"""Turns rows of cells into a tidy Markdown table whose cells keep their places on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.elements import Box, Writer, table_markdown

Spot = tuple[int, int, Box]
"""The characters [start, end) of a text, and where they stand."""

_OPENERS = {"$", "€", "£", "¥", "(", "$(", "€(", "£(", "US$"}
_CLOSERS = {")", "%", ")%", "%)"}
_AMOUNT = re.compile(r"(?:US\$|[($€£¥+−–\s-])*(?:\d+(?:[.,']\d+)*(?: \d{3})*(?:[.,]\d+)?|\.\d+)[\s)%€£¥]*")
_DASH = re.compile(r"[-–—−]+")
_YEAR = re.compile(r"(19|20)\d\d")
_PERIOD = re.compile(r"\b(19|20)\d\d\b")
_SAME_EDGE = 4.0
_MOST_TITLES = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text (no pipes, single spaces) and the places of its characters."""

    text: str
    spots: tuple[Spot, ...] = ()


def clean(text: str) -> str:
    """Return a cell's text as `table_markdown` writes it, so that places found in it stay right."""
    return " ".join(text.replace("|", "/").split())


def join(left: Cell, right: Cell, between: str = "") -> Cell:
    """Return one cell with both texts, `between` in the middle."""
    shift = len(left.text) + len(between)
    moved = tuple((a + shift, b + shift, box) for a, b, box in right.spots)
    return Cell(left.text + between + right.text, left.spots + moved)


def tidy(rows: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
    """Return rows of equal length: lone signs joined to their number, empty rows and columns gone."""
    width = max((len(row) for row in rows), default=0)
    padded = [join_signs(list(row) + [Cell("")] * (width - len(row))) for row in rows]
    filled = [row for row in padded if any(cell.text for cell in row)]
    used = [i for i in range(width) if any(row[i].text for row in filled)]
    return [[row[i] for i in used] for row in filled]


def join_signs(row: list[Cell]) -> list[Cell]:
    """Move "$" and "(" into the amount to their right, ")" and "%" into the amount to their left."""
    for i in range(len(row) - 1):
        if row[i].text in _OPENERS:
            target = i + 1
        elif row[i].text and row[i].text.split()[-1] in _OPENERS and not is_amount(row[i].text):
            row = _split_opener(row, i)
            continue
        else:
            continue
        if is_amount(row[target].text) or _DASH.fullmatch(row[target].text):
            row[target], row[i] = join(row[i], row[target]), Cell("")
    for i in range(len(row) - 1, 0, -1):
        if row[i].text in _CLOSERS and (is_amount(row[i - 1].text) or _DASH.fullmatch(row[i - 1].text)):
            row[i - 1], row[i] = join(row[i - 1], row[i]), Cell("")
    return row


def _split_opener(row: list[Cell], i: int) -> list[Cell]:
    """Move the "$" that ends a label ("Net product sales $") into the amount in the next cell."""
    cell, following = row[i], row[i + 1]
    if not is_amount(following.text):
        return row
    sign = cell.text.split()[-1]
    at = len(cell.text) - len(sign)
    label = cell.text[:at].rstrip()
    row[i] = Cell(label, tuple(spot for spot in cell.spots if spot[1] <= len(label)))
    opener = Cell(sign, tuple((a - at, b - at, box) for a, b, box in cell.spots if a >= at))
    row[i + 1] = join(opener, following)
    return row


def is_amount(text: str) -> bool:
    """Say whether a cell holds one number, with or without sign, currency, brackets or per cent."""
    return _AMOUNT.fullmatch(text) is not None


def is_header(row: Sequence[Cell]) -> bool:
    """Say whether a table's first row names its columns: no cell but the first is an amount; years are names."""
    named = [cell.text for cell in row[1:] if cell.text]
    if len(row) == 1:
        return bool(row[0].text) and not is_amount(row[0].text)
    return bool(named) and all(_YEAR.fullmatch(t) or not (is_amount(t) or _DASH.fullmatch(t)) for t in named)


def title_rows(rows: Sequence[Sequence[Cell]]) -> int:
    """Return how many rows at a table's top are its title: one filled cell each, above a row that names every column."""
    count = next((at for at, row in enumerate(rows) if sum(bool(cell.text) for cell in row) != 1), 0)
    if not 0 < count <= _MOST_TITLES or len(rows) < count + 2:
        return 0
    names = rows[count]
    full = len(names) > 2 and all(cell.text for cell in names[1:])
    return count if full and is_header(names) and not any(is_amount(row[0].text) for row in rows[:count]) else 0


@dataclass(frozen=True, slots=True)
class OpenTable:
    """The table written last: where it starts and where its last part does, its header row, the area of that part."""

    start: int
    last: int
    header: list[str]
    area: Box

    def goes_on(self, rows: list[list[Cell]], header: bool | None, area: Box) -> bool | None:
        """Say whether rows at the top of the next page go on this table: True with the header again, False without.

        None when they are another table. Tables with rules have a "first row" on each page; there it goes on when
        its edges are the same and that row names no periods.
        """
        first = [cell.text for cell in rows[0]]
        if len(first) != len(self.header):
            return None
        if first == self.header:
            return True
        if header is False or (header is None and not is_header(rows[0])):
            return False
        same = abs(area.x0 - self.area.x0) < _SAME_EDGE and abs(area.x1 - self.area.x1) < _SAME_EDGE
        return False if same and not any(_PERIOD.search(text) for text in first) else None


def add_table(
    writer: Writer, rows: Sequence[Sequence[Cell]], page: int = 1, header: bool | None = None, continues: int = -1
) -> None:
    """Append rows as one table element, its title rows above it as captions; `header` says whether the first row below them is
    one, None decides by its cells.

    `continues` is the start of the element that the table goes on, on the page before.
    """
    if not rows or not any(cell.text for row in rows for cell in row):
        return
    above = title_rows(rows) if continues < 0 else 0
    for row in rows[:above]:
        cell = next(cell for cell in row if cell.text)
        writer.add("caption", cell.text, page=page, runs=cell.spots)
    rows = rows[above:]
    text = table_markdown([[cell.text for cell in row] for row in rows])
    named = is_header(rows[0]) and len(rows) > 1 if header is None or above else header
    writer.add("table", text, page=page, header_rows=int(named), runs=_spots(rows), continues=continues)


def _spots(rows: Sequence[Sequence[Cell]]) -> Iterator[Spot]:
    """Yield the places of all cells as offsets in the text that `table_markdown` makes of them."""
    width = max(len(row) for row in rows)
    line = 0
    for number, row in enumerate(rows):
        if number == 1:
            line += len("|" + " --- |" * width) + 1
        at = line + len("| ")
        for cell in row:
            for a, b, box in cell.spots:
                yield at + a, at + b, box
            at += len(cell.text) + len(" | ")
        line = at + (width - len(row)) * len(" | ") - len(" | ") + len(" |") + 1
