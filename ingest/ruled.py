"""Finds tables that are drawn with rules: grids of lines, each cell the words between its lines, merged cells repeated."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ingest.layout import Area, Word, lines
from ingest.tables import Cell, clean, join

_NEAR = 2.0
"""Points within which two ends of lines meet, and two lines are one."""
_WHOLE = 0.95
"""Share of a side of a grid, or of one of its places, that lines must cover to close it."""
_SINGLE = 0.6
"""Cells for each place of a grid that there must be: where most are merged it is a form, or the frame of a page."""
_TIGHT = 0.1
"""Share of a word's height: what stands nearer behind another belongs to it, as a full stop does."""
_ROWS_IN_ONE = 4
"""Lines that each cell of a row must have for it to be taken for several rows."""
MOST_LINES = 2000
"""A page with more lines is a drawing or a chart."""


class Rule(NamedTuple):
    """A line that is drawn on a page, level or upright, from its top or left end, in points from the page's top left corner."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def level(self) -> bool:
        return self.y1 - self.y0 <= 1.0


class Span(NamedTuple):
    """A cell of a grid: its first row and column, and how many it covers."""

    row: int
    column: int
    rows: int
    columns: int


_Cells = tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, slots=True)
class RuledGrid:
    """Where the lines of a grid stand, from left to right and from top to bottom, and which cell covers each of its places."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    cells: tuple[tuple[Span, ...], ...]

    @property
    def area(self) -> Area:
        """Return the area within the outer lines."""
        return Area(self.xs[0], self.ys[0], self.xs[-1], self.ys[-1])

    def rows(self, words: Sequence[Word]) -> list[list[Cell]] | None:
        """Return the cells with their words, or None when a word stands across a cell's side, or a row holds several rows that no
        line parts: each of its cells has many lines.

        A merged cell stands in each place that it covers; one as wide as the table is a title, and stands once.
        """
        held: dict[Span, list[Word]] = {}
        for word in words:
            box = word.box
            row = self.cells[sum(y <= (box.y0 + box.y1) / 2 for y in self.ys[1:-1])]
            crossed = [at for at, x in enumerate(self.xs[1:-1]) if box.x0 + _NEAR < x < box.x1 - _NEAR]
            outside = box.x0 + _NEAR < self.xs[0] or self.xs[-1] < box.x1 - _NEAR
            if outside or any(row[at] != row[at + 1] for at in crossed):
                return None
            held.setdefault(row[sum(x <= (box.x0 + box.x1) / 2 for x in self.xs[1:-1])], []).append(word)
        for row in self.cells:
            filled = [held[cell] for cell in dict.fromkeys(row) if cell in held]
            if len(filled) > 1 and min(len(lines(words)) for words in filled) >= _ROWS_IN_ONE:
                return None
        texts = {cell: _cell(words) for cell, words in held.items()}
        deep = self._header_rows()
        header = [[row[at] for row in self.cells[:deep]] for at in range(len(self.cells[0]))]
        titles = [_together([texts[cell] for cell in dict.fromkeys(column) if cell in texts]) for column in header]
        body = [self._shown(texts, at) for at in range(deep, len(self.cells))]
        return [titles, *body] if deep else body

    def _shown(self, texts: Mapping[Span, Cell], number: int) -> list[Cell]:
        """Return the cells of a row; a title only in its first place."""
        shown = []
        for at, cell in enumerate(self.cells[number]):
            title = cell.columns == len(self.cells[number])
            first = (cell.row, cell.column) == (number, at)
            shown.append(Cell("") if title and not first else texts.get(cell, Cell("")))
        return shown

    def _header_rows(self) -> int:
        """Return how many rows name the columns together: a cell beside one with others below it reaches over all of them."""
        first = list(dict.fromkeys(self.cells[0]))
        parted = any(1 < cell.columns < len(self.cells[0]) and cell.rows == 1 for cell in first)
        deep = max(cell.rows for cell in first) if parted else 1
        return deep if 1 < deep < len(self.cells) else 0


def grids(rules: Sequence[Rule]) -> list[RuledGrid]:
    """Return the grids that some lines make, with two rows and two columns at least, from top to bottom."""
    if len(rules) > MOST_LINES:
        return []
    found = []
    for level, upright in _joined([rule for rule in rules if rule.level], [rule for rule in rules if not rule.level]):
        xs, ys = _places(rule.x0 for rule in upright), _places(rule.y0 for rule in level)
        if len(xs) < 3 or len(ys) < 3:
            continue
        posts = [_walls([(r.y0, r.y1) for r in upright if abs(r.x0 - x) <= _NEAR], ys) for x in xs]
        beams = [_walls([(r.x0, r.x1) for r in level if abs(r.y0 - y) <= _NEAR], xs) for y in ys]
        cells = _cells(posts, beams)
        if cells and len({cell for row in cells for cell in row}) >= _SINGLE * len(cells) * len(cells[0]):
            found.append(RuledGrid(xs, ys, cells))
    return sorted(found, key=lambda grid: grid.ys[0])


def _walls(spans: Sequence[tuple[float, float]], places: Sequence[float]) -> list[bool | None]:
    """Return for each place between two others whether a line closes it; None where it does so only in part."""
    walls: list[bool | None] = []
    for low, high in pairwise(places):
        part = _covered([(max(a, low), min(b, high)) for a, b in spans if b > low and a < high])
        closed = high - low - part <= max(_NEAR, (1 - _WHOLE) * (high - low)) and part > (high - low) / 2
        walls.append(True if closed else False if part <= _NEAR else None)
    return walls


def _cells(posts: Sequence[Sequence[bool | None]], beams: Sequence[Sequence[bool | None]]) -> _Cells | None:
    """Return which cell covers each place between upright and level lines; None when the outer ones don't close, or what no
    line parts is no rectangle."""
    high, wide = len(beams) - 1, len(posts) - 1
    if not all([*posts[0], *posts[-1], *beams[0], *beams[-1]]):
        return None
    found: dict[tuple[int, int], Span] = {}
    for row in range(high):
        for column in range(wide):
            if (row, column) in found:
                continue
            right, below = column, row
            while not posts[right + 1][row]:
                right += 1
            while not beams[below + 1][column]:
                below += 1
            cell = Span(row, column, below - row + 1, right - column + 1)
            for r in range(row, below + 1):
                for c in range(column, right + 1):
                    walls = posts[c + 1][r] is (c == right), beams[r + 1][c] is (r == below)
                    if (r, c) in found or not all(walls):
                        return None
                    found[r, c] = cell
    return tuple(tuple(found[row, column] for column in range(wide)) for row in range(high))


def overlap(one: Area, other: Area) -> bool:
    """Return whether two areas have at least half of the second in common."""
    wide, high = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
    return wide > 0 and high > 0 and 2 * wide * high >= (other.x1 - other.x0) * (other.y1 - other.y0)


def _joined(level: Sequence[Rule], upright: Sequence[Rule]) -> list[tuple[list[Rule], list[Rule]]]:
    """Return the lines in groups of those that touch each other."""
    groups: list[tuple[list[Rule], list[Rule]]] = []
    level = sorted(level, key=lambda beam: beam.y0)
    heights = [beam.y0 for beam in level]
    for post in upright:
        among = level[bisect_left(heights, post.y0 - _NEAR) : bisect_right(heights, post.y1 + _NEAR)]
        beams = [beam for beam in among if beam.x0 - _NEAR <= post.x0 <= beam.x1 + _NEAR]
        mine = [group for group in groups if any(beam in group[0] for beam in beams)]
        joined = ([beam for group in mine for beam in group[0]], [post for group in mine for post in group[1]])
        groups = [group for group in groups if group not in mine]
        groups.append(([*dict.fromkeys([*joined[0], *beams])], [*joined[1], post]))
    return groups


def _places(values: Iterable[float]) -> tuple[float, ...]:
    """Return values in order, those that are nearly the same once."""
    found: list[float] = []
    for value in sorted(values):
        if not found or value - found[-1] > _NEAR:
            found.append(value)
    return tuple(found)


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return the length that spans cover together."""
    total, end = 0.0, float("-inf")
    for low, high in sorted(spans):
        total += max(0.0, high - max(low, end))
        end = max(end, high)
    return total


def _cell(words: Sequence[Word]) -> Cell:
    cell = Cell("")
    for line in lines(words):
        end = None
        for word in line:
            text, box = clean(word.text), word.box
            tight = not cell.text or (end is not None and box.x0 - end < _TIGHT * (box.y1 - box.y0))
            cell, end = join(cell, Cell(text, ((0, len(text), box),)), "" if tight else " "), box.x1
    return cell


def _together(cells: Sequence[Cell]) -> Cell:
    """Return one cell with the texts of some, one behind the other."""
    whole = Cell("")
    for cell in cells:
        whole = join(whole, cell, " " if whole.text else "")
    return whole
