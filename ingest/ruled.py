"""Finds tables that are drawn with rules: full grids of lines, each cell the words between its lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.layout import Area, Word, lines
from ingest.tables import Cell, clean, join

_NEAR = 2.0
"""Points within which two ends of lines meet, and two lines are one."""
_WHOLE = 0.95
"""Share of a grid's width or height that each of its lines must cover: where cells are merged the grid isn't full."""
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


@dataclass(frozen=True, slots=True)
class RuledGrid:
    """Where the lines of a full grid stand, from left to right and from top to bottom."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]

    @property
    def area(self) -> Area:
        """Return the area within the outer lines."""
        return Area(self.xs[0], self.ys[0], self.xs[-1], self.ys[-1])

    def rows(self, words: Sequence[Word]) -> list[list[Cell]] | None:
        """Return the cells with their words, or None when a word stands across an upright line, or a row holds several rows that
        no line parts: each of its cells has many lines."""
        held: dict[tuple[int, int], list[Word]] = {}
        for word in words:
            box = word.box
            if any(box.x0 + _NEAR < x < box.x1 - _NEAR for x in self.xs):
                return None
            column = sum(x <= (box.x0 + box.x1) / 2 for x in self.xs[1:-1])
            row = sum(y <= (box.y0 + box.y1) / 2 for y in self.ys[1:-1])
            held.setdefault((row, column), []).append(word)
        numbers = range(len(self.ys) - 1), range(len(self.xs) - 1)
        for row in numbers[0]:
            filled = [held[row, column] for column in numbers[1] if (row, column) in held]
            if len(filled) > 1 and min(len(lines(words)) for words in filled) >= _ROWS_IN_ONE:
                return None
        return [[_cell(held.get((row, column), ())) for column in numbers[1]] for row in numbers[0]]


def grids(rules: Sequence[Rule]) -> list[RuledGrid]:
    """Return the full grids that some lines make, with two rows and two columns at least, from top to bottom."""
    if len(rules) > MOST_LINES:
        return []
    found = []
    for level, upright in _joined([rule for rule in rules if rule.level], [rule for rule in rules if not rule.level]):
        xs, ys = _places(rule.x0 for rule in upright), _places(rule.y0 for rule in level)
        if len(xs) < 3 or len(ys) < 3:
            continue
        width, height = xs[-1] - xs[0], ys[-1] - ys[0]
        full = all(_covered([(r.x0, r.x1) for r in level if abs(r.y0 - y) <= _NEAR]) >= _WHOLE * width for y in ys)
        if full and all(
            _covered([(r.y0, r.y1) for r in upright if abs(r.x0 - x) <= _NEAR]) >= _WHOLE * height for x in xs
        ):
            found.append(RuledGrid(xs, ys))
    return sorted(found, key=lambda grid: grid.ys[0])


def overlap(one: Area, other: Area) -> bool:
    """Return whether two areas have at least half of the second in common."""
    wide, high = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
    return wide > 0 and high > 0 and 2 * wide * high >= (other.x1 - other.x0) * (other.y1 - other.y0)


def _joined(level: Sequence[Rule], upright: Sequence[Rule]) -> list[tuple[list[Rule], list[Rule]]]:
    """Return the lines in groups of those that touch each other."""
    groups: list[tuple[list[Rule], list[Rule]]] = []
    for post in upright:
        beams = [beam for beam in level if _touch(beam, post)]
        mine = [group for group in groups if any(beam in group[0] for beam in beams)]
        joined = ([beam for group in mine for beam in group[0]], [post for group in mine for post in group[1]])
        groups = [group for group in groups if group not in mine]
        groups.append(([*dict.fromkeys([*joined[0], *beams])], [*joined[1], post]))
    return groups


def _touch(beam: Rule, post: Rule) -> bool:
    across = beam.x0 - _NEAR <= post.x0 <= beam.x1 + _NEAR
    return across and post.y0 - _NEAR <= beam.y0 <= post.y1 + _NEAR


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
