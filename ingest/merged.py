"""Repeats the value of a merged cell in the cells that it covers, without repeating what spans only for its looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.tables import Cell, clean, join_signs

_WIDEST = 200
_MAX_CELLS = 500_000


@dataclass(frozen=True, slots=True)
class Span:
    """A cell as its file has it: its text, how many columns and rows it covers."""

    text: str
    columns: int = 1
    rows: int = 1


@dataclass(slots=True, eq=False)
class _Place:
    """A cell laid out in the grid: its text, its first column and how many it covers."""

    text: str
    column: int
    columns: int


def filled(rows: Sequence[Sequence[Span]]) -> list[list[Cell]]:
    """Return rows of cells of equal length, as wide as the content needs.

    A column exists where some cell stands in that column alone: in filings a heading spans a sign, a figure and a gap,
    which become one column. A cell as wide as the whole table stands once; it is a title.
    """
    grid = _grid(rows)
    for number, row in enumerate(grid):
        _join_signs(row, grid[number - 1] if number else [])
    kept = _kept(grid)
    result = []
    for row in grid:
        cells = [Cell(_text(row[i] if i < len(row) else None, i, kept)) for i in kept]
        if any(cell.text for cell in cells):
            result.append(cells)
    return result


def _text(place: _Place | None, column: int, kept: Sequence[int]) -> str:
    """Return what a column shows of the cell over it."""
    if place is None:
        return ""
    covered = [i for i in kept if place.column <= i < place.column + place.columns]
    title = len(covered) == len(kept) and len(kept) > 1
    return "" if title and column != covered[0] else place.text


def _join_signs(row: list[_Place | None], above: list[_Place | None]) -> None:
    """Move lone signs ("$", "%") into the number beside them; cells that reach down from above stay as they are."""
    fresh = [p for i, p in enumerate(row) if p is not None and p.column == i and p not in above]
    for place, cell in zip(fresh, join_signs([Cell(place.text) for place in fresh]), strict=True):
        place.text = cell.text


def _grid(rows: Sequence[Sequence[Span]]) -> list[list[_Place | None]]:
    """Lay the cells out: each row's places, those that cells of earlier rows reach into included."""
    grid: list[list[_Place | None]] = []
    below: dict[int, tuple[_Place, int]] = {}
    total = 0
    for row in rows:
        line: list[_Place | None] = []
        cells = iter(row)
        while len(line) < _WIDEST:
            at = len(line)
            if at in below:
                place, left = below.pop(at)
                line.append(place)
                if left > 1:
                    below[at] = (place, left - 1)
                continue
            cell = next(cells, None)
            if cell is None:
                if any(column > at for column in below):
                    line.append(None)
                    continue
                break
            place = _Place(clean(cell.text), at, max(1, cell.columns))
            for column in range(at, min(_WIDEST, at + max(1, cell.columns))):
                line.append(place)
                if cell.rows > 1:
                    below[column] = (place, min(cell.rows, 1000) - 1)
        total += len(line)
        grid.append(line)
        if total > _MAX_CELLS:
            break
    return grid


def _kept(grid: list[list[_Place | None]]) -> list[int]:
    """Return the columns in which a cell stands alone, and the first one of every cell that would have none."""
    places = [(i, place) for row in grid for i, place in enumerate(row) if place is not None and place.text]
    kept = {i for i, place in places if place.columns == 1}
    for i, place in places:
        if place.column == i and not any(i <= column < i + place.columns for column in kept):
            kept.add(i)
    return sorted(kept)
