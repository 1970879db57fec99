"""Finds tables of figures in the words of a page that liteparse has set as text, or torn apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.layout import Word, hull, lines
from ingest.regrid import Phrase, columns, in_brackets, phrases, titles_columns

_ROWS = 4
"""A table has at least so many rows with a label and two figures."""
_TITLED_ROWS = 2
"""The same where titles stand above its columns."""
_BETWEEN = 8
"""Lines without figures between two rows: headings of a group, wrapped labels."""
_ENDS = ")%-–—−"
_TITLES = 8
"""Lines above the first row among which its columns' titles are looked for."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """A table of figures: all its words, and the lines of it that have a label and two figures or more."""

    words: list[Word]
    titles: list[list[Word]]
    rows: list[list[Phrase]]


def ledgers(words: Sequence[Word]) -> list[Ledger]:
    """Return the tables of figures on a page, from top to bottom."""
    found: list[Ledger] = []
    level = lines([word for word in words if not word.turned])
    if sum(map(_may_be_row, level)) < _TITLED_ROWS:
        return []
    page = [phrases(line) for line in level]
    first: int | None = None
    last = -1
    for at, line in enumerate(page):
        if not _is_row(line):
            continue
        if first is not None and not _follows(page, last, at):
            found += _ledger(page, first, last)
            first = None
        first, last = at if first is None else first, at
    return found + (_ledger(page, first, last) if first is not None else [])


def _may_be_row(line: Sequence[Word]) -> bool:
    """Say whether a line is no prose, at a glance: it ends with what may be a figure and has room before it."""
    if len(line) < 3 or not (line[-1].text[-1].isdigit() or line[-1].text[-1] in _ENDS):
        return False
    return sum(word.text[-1].isdigit() or word.text[-1] in _ENDS for word in line) > 1


def _is_row(line: Sequence[Phrase]) -> bool:
    """Say whether a line is a label with figures behind it, to its end."""
    figures = [phrase.figure for phrase in line]
    return not figures[0] and sum(figures) >= 2 and all(figures[figures.index(True) :])


def _follows(page: Sequence[Sequence[Phrase]], last: int, at: int) -> bool:
    """Say whether a row belongs to the same table as the one before: near it, with no prose between."""
    height = page[last][0].edge.y1 - page[last][0].edge.y0
    right = max(phrase.edge.x0 for phrase in page[last])
    previous = last
    for between in range(last + 1, at + 1):
        if page[between][0].edge.y0 - page[previous][0].edge.y1 > 3 * max(height, 1.0):
            return False
        if between < at and not any(p.figure for p in page[between]) and page[between][-1].edge.x1 > right:
            return False
        previous = between
    return at - last <= _BETWEEN + 1 or all(any(p.figure for p in page[line]) for line in range(last + 1, at))


def _ledger(page: Sequence[Sequence[Phrase]], first: int, last: int) -> list[Ledger]:
    """Return the table of some lines with the titles above it, or nothing when its figures are in no columns."""
    rows = [list(line) for line in page[first : last + 1] if _is_row(line)]
    if len(rows) < _TITLED_ROWS or len(columns(rows)) > max(len(row) for row in rows) + 2:
        return []
    words = [word for line in page[first : last + 1] for phrase in line for word in phrase.words]
    slots = columns(rows)
    left = slots[0][0]
    titles: list[list[Word]] = []
    named = False  # whether one of them is more than the unit of all figures
    groups: list[Word] = []  # between titles and first row stand headings of the first group
    top = hull([word.box for word in words]).y0
    for line in reversed(page[max(0, first - _TITLES) : first]):
        title = [word for phrase in line for word in phrase.words]
        edge = hull([word.box for word in title])
        if top - edge.y1 > 2.5 * (edge.y1 - edge.y0):
            break
        if in_brackets(line) or titles_columns(title, slots):
            titles.insert(0, title)
            named = named or not in_brackets(line)
        elif not named and edge.x1 < left and not any(phrase.figure for phrase in line):
            groups = title + groups
        else:
            break
        top = edge.y0
    if len(rows) < _ROWS and not named:
        return []
    return [Ledger(groups + words, titles, rows) if named else Ledger(words, [], rows)]
