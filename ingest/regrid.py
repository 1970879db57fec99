"""Rebuilds a table of figures from the places of its words: one row a line, one column for figures above each other.

liteparse sets rows that stand close together into one row, and leaves column titles above a table outside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.elements import Box
from ingest.layout import Word, hull, lines
from ingest.tables import Cell, clean, is_amount, join

_SIGNS = re.compile(r"(?:US)?[$€£¥(]+")
_TAIL = re.compile(r"[)%]+")
_DASH = re.compile(r"[-–—−]+")
_YEAR = re.compile(r"\(?(19|20)\d\d\)?")
_DAY = re.compile(r"[A-Z][a-z]+\.? \d{1,2},?")
_DATE = re.compile(r"[A-Z][a-z]+\.? \d{1,2}, (19|20)\d\d")
_GAP = 0.8
_NEAR = 8.0


@dataclass(slots=True)
class Phrase:
    """Words of one line that stand close together; `edge` is the place of its figure, without currency sign."""

    words: list[Word]
    edge: Box = field(init=False)
    figure: bool = field(init=False)

    def __post_init__(self) -> None:
        self.edge = hull([word.box for word in self.words])
        text = self.text
        self.figure = not text[-1].isalpha() and (is_amount(text) or _DASH.fullmatch(text) is not None)

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    def cell(self) -> Cell:
        """Return the phrase as a cell; signs stand directly before their figure."""
        cell = Cell("")
        for word in self.words:
            text = clean(word.text)
            one = Cell(text, ((0, len(text), word.box),))
            tight = self.figure and (not cell.text or _SIGNS.fullmatch(cell.text) or _TAIL.fullmatch(text))
            cell = join(cell, one, "" if tight or not cell.text else " ")
        return cell


@dataclass(frozen=True, slots=True)
class Grid:
    """A rebuilt table: rows of cells, whether the first is a header, and the lines below it that are no part of it."""

    rows: list[list[Cell]]
    header: bool
    below: list[list[Word]]


def phrases(line: Sequence[Word]) -> list[Phrase]:
    """Return the phrases of one line; a lone currency sign or bracket belongs to the figure beside it."""
    height = max([y1 - y0 for _, (_, _, y0, _, y1), _ in line])
    groups: list[list[Word]] = []
    for word in line:
        if groups and _belongs(groups[-1], word, height):
            groups[-1].append(word)
        else:
            groups.append([word])
    found = [Phrase(group) for group in groups]
    for phrase in found:
        if phrase.figure and len(phrase.words) > 1:
            figures = [w.box for w in phrase.words if not _SIGNS.fullmatch(w.text) and not _TAIL.fullmatch(w.text)]
            phrase.edge = hull(figures) if figures else phrase.edge
    return found


def _belongs(group: list[Word], word: Word, height: float) -> bool:
    """Say whether a word goes on the phrase before it."""
    gap = word.box.x0 - group[-1].box.x1
    if word.text[0].isalpha() and word.text[:2] != "US":  # no figure and no sign: most words
        return gap < _GAP * height
    text = " ".join(w.text for w in group)
    if _SIGNS.fullmatch(text) and (is_amount(word.text) or _DASH.fullmatch(word.text)):
        return True
    if _TAIL.fullmatch(word.text) and (is_amount(text) or _DASH.fullmatch(text)):
        return gap < 3 * height
    # "$ 8,311 $ 9,734": a sign begins the next figure however close it stands; two figures are never one.
    if is_amount(text) and (_SIGNS.fullmatch(word.text) or is_amount(word.text)):
        return False
    return gap < _GAP * height


def columns(rows: Sequence[Sequence[Phrase]]) -> list[tuple[float, float]]:
    """Return the horizontal extents of the columns of figures: figures above each other overlap."""
    merged: list[tuple[float, float]] = []
    for x0, x1 in sorted((p.edge.x0, p.edge.x1) for row in rows for p in row if p.figure):
        if merged and x0 <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], x1))
        else:
            merged.append((x0, x1))
    return merged


def regrid(words: Sequence[Word], above: Sequence[Sequence[Word]] = ()) -> Grid | None:
    """Return the table that the words form, with the lines `above` as column titles; None when it holds no figures.

    None also when two figures of a line fall into one column: then this way of reading does not fit the table.
    """
    rows = [phrases(line) for line in lines(words)]
    _mark_labels(rows)
    figured = [row for row in rows if _has_figures(row)]
    if len(figured) < 2:
        return None
    slots = columns(figured)
    if not slots or len(slots) > 40 or any(_collides(row, slots) for row in figured):
        return None
    below: list[list[Word]] = []
    while rows and not _has_figures(rows[-1]) and _crosses(rows[-1], slots):
        below.insert(0, [word for phrase in rows.pop() for word in phrase.words])
    titles = 0
    while titles < len(rows) and _is_title(rows[titles], slots):
        titles += 1
    heads = [phrases(line) for line in above] + rows[:titles]
    body = _unwrapped([_row(row, slots) for row in rows[titles:]])
    if not body:
        return None
    return Grid([_header(heads, slots)] * bool(heads) + body, bool(heads), below)


def in_brackets(line: Sequence[Phrase]) -> bool:
    """Say whether a line is one phrase in brackets: "(In millions)" is said of the table, not of a column."""
    return len(line) == 1 and line[0].words[0].text[0] == "(" and line[0].words[-1].text[-1] == ")"


def fits_below(line: Sequence[Word], slots: Sequence[tuple[float, float]]) -> bool:
    """Say whether a line below rows may be one of their table: it does not run across the labels and the figures."""
    return not _crosses(phrases(line), slots)


def _mark_labels(rows: Sequence[Sequence[Phrase]]) -> None:
    """Take figures that begin a line below labels for labels: the end of a wrapped one ("net of tax of / $136"), or a year."""
    ends = [row[0].edge.x1 for row in rows if not row[0].figure and any(p.figure for p in row)]
    for row in rows:
        if ends and len(row) > 1 and row[0].figure and row[0].edge.x0 < min(ends):
            row[0].figure = False


def _has_figures(row: Sequence[Phrase]) -> bool:
    """Say whether a line holds a figure that is no year."""
    return any(p.figure and not _YEAR.fullmatch(p.text) for p in row)


def _collides(row: Sequence[Phrase], slots: Sequence[tuple[float, float]]) -> bool:
    """Say whether two figures of a line fall into one column."""
    taken = [_slot(p, slots) for p in row if p.figure]
    return len(taken) != len(set(taken))


def _crosses(row: Sequence[Phrase], slots: Sequence[tuple[float, float]]) -> bool:
    """Say whether a line runs across the label column and the figures, as text below a table does."""
    return any(p.edge.x0 < slots[0][0] - _NEAR and p.edge.x1 > slots[0][0] for p in row) or len(slots) == 0


def figure_columns(words: Sequence[Word]) -> list[tuple[float, float]]:
    """Return the horizontal extents of the columns of figures that words form."""
    return columns([row for row in map(phrases, lines(words)) if _has_figures(row)])


def titles_columns(line: Sequence[Word], slots: Sequence[tuple[float, float]]) -> bool:
    """Say whether a line above a table holds titles of the table's columns."""
    return bool(slots) and _is_title(phrases(line), slots) and len(line) <= 12 * max(2, len(slots))


def is_row(line: Sequence[Word], slots: Sequence[tuple[float, float]]) -> bool:
    """Say whether a line beside a table is a row of it: a label, and figures in half of its columns, each in its own."""
    row = phrases(line)
    figures = [p for p in row if p.figure]
    inside = all(any(p.edge.x0 < b and a < p.edge.x1 for a, b in slots) for p in figures)
    labelled = not row[0].figure and bool(slots) and row[0].edge.x1 < slots[0][0]
    return (
        inside
        and labelled
        and len(row) == len(figures) + 1
        and 2 * len(figures) >= len(slots)
        and not _collides(row, slots)
    )


def _is_title(row: Sequence[Phrase], slots: Sequence[tuple[float, float]]) -> bool:
    """Say whether each phrase stands over the labels or over the figures, and at least one over the figures; one over each
    column may begin further left: "October 30," is longer than "$ 0.27"."""
    over = _over(row, slots)
    if any(len(p.words) > 12 for p in over) or _has_figures(row):
        return False
    if len(over) == len(slots) > 1:
        own = all(p.edge.x0 < b and a < p.edge.x1 for p, (a, b) in zip(over, slots, strict=True))
        if own or all(_YEAR.fullmatch(p.text) for p in row):
            return True
    right = slots[-1][1] + 3 * _NEAR
    wide = slots[0][0] - max(4 * _NEAR, (slots[0][1] - slots[0][0]))
    return bool(over) and all(p.edge.x0 >= wide and p.edge.x1 <= right for p in over)


def _over(row: Sequence[Phrase], slots: Sequence[tuple[float, float]]) -> list[Phrase]:
    """Return the phrases of a line that stand over the figures: all where it is a year for each column."""
    if len(row) == len(slots) and all(_YEAR.fullmatch(p.text) for p in row):
        return list(row)
    return [p for p in row if p.edge.x1 > slots[0][0] - _NEAR]


def _slot(phrase: Phrase, slots: Sequence[tuple[float, float]]) -> int:
    """Return the number of the column that a phrase overlaps most, or else is nearest to."""
    x0, x1 = phrase.edge.x0, phrase.edge.x1
    middle = (x0 + x1) / 2
    shared = [max(0.0, min(x1, b) - max(x0, a)) for a, b in slots]
    away = [abs((a + b) / 2 - middle) for a, b in slots]
    return max(range(len(slots)), key=lambda i: (shared[i], -away[i]))


def _row(row: Sequence[Phrase], slots: Sequence[tuple[float, float]]) -> list[Cell]:
    """Return one line as cells: the label first, then one for each column."""
    cells = [Cell("")] * (len(slots) + 1)
    for phrase in row:
        left = phrase.edge.x0 < slots[0][0] - _NEAR and (phrase is row[0] or phrase.edge.x1 <= slots[0][0])
        label = left and not phrase.figure
        at = 0 if label else _slot(phrase, slots) + 1
        cells[at] = join(cells[at], phrase.cell(), " " if cells[at].text else "")
    return cells


def _header(heads: Sequence[Sequence[Phrase]], slots: Sequence[tuple[float, float]]) -> list[Cell]:
    """Return one header row: each column gets all titles above it, from top to bottom; one that has a whole date gets no day of
    a year beside it."""
    spread = [(phrase, at) for row in heads for phrase, at in _titles(row, slots)]
    whole = {at[0] for phrase, at in spread if len(at) == 1 and _DATE.fullmatch(phrase.text)}
    cells = [Cell("")] * (len(slots) + 1)
    for phrase, columns_below in spread:
        for at in columns_below:
            if at not in whole or not _DAY.fullmatch(phrase.text):
                cells[at] = join(cells[at], phrase.cell(), " " if cells[at].text else "")
    return cells


def _titles(row: Sequence[Phrase], slots: Sequence[tuple[float, float]]) -> list[tuple[Phrase, list[int]]]:
    """Return the titles of a line with the columns that each stands over; those left of the figures are of the label column."""
    over = [] if in_brackets(row) else _over(row, slots)
    return [(phrase, _covered(phrase, over, slots) if phrase in over else [0]) for phrase in row]


def _covered(phrase: Phrase, over: Sequence[Phrase], slots: Sequence[tuple[float, float]]) -> list[int]:
    """Return the columns that a title stands over: those whose middle is nearer to it than to the line's other titles.

    With as many titles as columns each has its own.
    """
    if len(over) == len(slots):
        return [over.index(phrase) + 1]
    if len(over) > len(slots):
        return [_slot(phrase, slots) + 1]
    found = []
    for at, (x0, x1) in enumerate(slots, start=1):
        middle = (x0 + x1) / 2
        nearest = min(over, key=lambda p: max(p.edge.x0 - middle, middle - p.edge.x1, 0.0))
        if nearest is phrase:
            found.append(at)
    return found or [_slot(phrase, slots) + 1]


def _unwrapped(rows: list[list[Cell]]) -> list[list[Cell]]:
    """Return rows with wrapped labels joined: a lone label goes on where the next begins in lower case."""
    found: list[list[Cell]] = []
    for row in rows:
        lone = found and not any(cell.text for cell in found[-1][1:])
        ended = found and found[-1][0].text.endswith((":", ".", ";"))
        goes_on = bool(row[0].text) and (row[0].text[0].islower() or row[0].text[0] in "$&")
        if found and goes_on and not ended and (lone or not any(cell.text for cell in row[1:])):
            label = join(found[-1][0], row[0], " ")
            values = row[1:] if lone else found[-1][1:]
            found[-1] = [label, *values]
        else:
            found.append(row)
    return found
