"""Turns lines of a page that only say where they stand into elements: columns, paragraphs, tables of figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from ingest.elements import Box, Writer
from ingest.layout import Word, hull
from ingest.regrid import Phrase, phrases, regrid
from ingest.tables import Spot, add_table, is_amount, tidy

_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef\u3000-\u303f]")
_HYPHEN = re.compile(r"[^\W\d_][-\u00ad\u2010]")


@dataclass(frozen=True, slots=True)
class Line:
    """Words that stand in one line. `words` have their boxes on the page as shown.

    `places` are the words' boxes on the page turned so that it can be read; `upright` says that the line runs from top
    to bottom there, `slope` how it leans (rise over run).
    """

    words: tuple[Word, ...]
    places: tuple[Box, ...]
    upright: bool = False
    slope: float = 0.0


@dataclass(slots=True)
class _Piece:
    """A line where it would stand on a straight page."""

    words: tuple[Word, ...]
    places: tuple[Box, ...]
    box: Box = field(init=False)

    def __post_init__(self) -> None:
        self.box = hull(self.places)

    @property
    def height(self) -> float:
        return self.box.y1 - self.box.y0

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


_Row = list[_Piece]


def write_lines(writer: Writer, lines: Sequence[Line], page: int) -> None:
    """Append a page's lines in reading order: upright columns from right to left, all else as columns and rows."""
    level = [line for line in lines if not line.upright and line.words]
    upright = [line for line in lines if line.upright and line.words]
    pieces = _straight(level)
    if len(upright) > len(level):
        columns = sorted(upright, key=lambda line: -hull(line.places).x1)
        _paragraph(writer, [[_Piece(column.words, column.places)] for column in columns], page)
        upright = []
    if pieces:
        usual = median(piece.height for piece in pieces)
        for block in _blocks(_rows(pieces)):
            _write_block(writer, block, page, usual)
    for line in upright:
        _paragraph(writer, [[_Piece(line.words, line.places)]], page)


def _straight(lines: Sequence[Line]) -> list[_Piece]:
    """Return lines as they would stand were the page not scanned at a slant; each keeps its own height."""
    slopes = [line.slope for line in lines if len(line.words) > 2]
    lean = median(slopes) if slopes else 0.0
    lean = lean if abs(lean) < 0.2 else 0.0
    pieces = []
    for line in lines:
        own = line.slope if abs(line.slope) < 0.2 else 0.0
        x = line.places[0].x0
        places = []
        for box in line.places:
            # the box around a leaning word is higher than the word
            middle = (box.y0 + box.y1) / 2 - lean * (box.x0 + box.x1) / 2
            half = max(1.0, (box.y1 - box.y0 - abs(own) * (box.x1 - box.x0)) / 2)
            places.append(Box(box.page, box.x0, middle - half, box.x1, middle + half))
        pieces.append(_Piece(line.words, tuple(places)))
        assert x <= pieces[-1].box.x1
    return pieces


def _rows(pieces: Sequence[_Piece]) -> list[_Row]:
    """Return pieces as rows from top to bottom, each from left to right."""
    rows: list[_Row] = []
    middle = height = 0.0
    for piece in sorted(pieces, key=lambda p: (p.box.y0 + p.box.y1) / 2):
        centre = (piece.box.y0 + piece.box.y1) / 2
        if not rows or centre - middle > min(height, piece.height) / 2:
            rows.append([])
            middle, height = centre, piece.height
        rows[-1].append(piece)
    for row in rows:
        row.sort(key=lambda p: p.box.x0)
    return rows


def _blocks(rows: list[_Row]) -> list[list[_Row]]:
    """Return rows in reading order, as blocks of one column each: the longest run with a gutter is cut along it."""
    found = _columns(rows)
    if found is None:
        return [rows] if rows else []
    first, last, gutter = found
    pieces = [piece for row in rows[first:last] for piece in row]
    left = _rows([piece for piece in pieces if piece.box.x1 <= gutter])
    right = _rows([piece for piece in pieces if piece.box.x1 > gutter])
    return [*_blocks(rows[:first]), *_blocks(left), *_blocks(right), *_blocks(rows[last:])]


def _columns(rows: Sequence[_Row]) -> tuple[int, int, float] | None:
    """Return the longest run of rows [first, last) that a gutter cuts into columns of text, with the gutter's place."""
    best: tuple[int, int, float] | None = None
    for first in range(len(rows)):
        if best is not None and len(rows) - first <= best[1] - best[0]:
            break
        taken: list[tuple[float, float]] = []
        for last in range(first + 1, len(rows) + 1):
            taken = _merged(taken, [(p.box.x0, p.box.x1) for p in rows[last - 1]])
            if len(taken) < 2 and last - first > 1:
                break
            if last - first < 4 or (best is not None and last - first <= best[1] - best[0]):
                continue
            for (_, a), (b, _) in pairwise(taken):
                if _cuts_text(rows[first:last], (a + b) / 2, b - a):
                    best = (first, last, (a + b) / 2)
                    break
    return best


def _merged(taken: list[tuple[float, float]], more: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the union of extents."""
    merged: list[tuple[float, float]] = []
    for a, b in sorted([*taken, *more]):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], b))
        else:
            merged.append((a, b))
    return merged


def _cuts_text(rows: Sequence[_Row], gutter: float, width: float) -> bool:
    """Say whether a gutter divides columns of text, not the columns of a table."""
    pieces = [piece for row in rows for piece in row]
    left = [piece for piece in pieces if piece.box.x1 <= gutter]
    right = [piece for piece in pieces if piece.box.x1 > gutter]
    if min(len(left), len(right)) < 4 or width < 0.6 * median(piece.height for piece in pieces):
        return False
    both = [_is_prose(left), _is_prose(right)]
    if all(both):
        return True
    across = sum(row[0].box.x1 <= gutter < row[-1].box.x1 for row in rows)
    figures = sum(is_amount(piece.text) for piece in pieces)
    return any(both) and across < 0.6 * len(rows) and figures < 0.2 * len(pieces)


def _is_prose(pieces: Sequence[_Piece]) -> bool:
    """Say whether lines are running text: several words each, most of them as wide as the column."""
    box = hull([piece.box for piece in pieces])
    full = sum(piece.box.x1 - piece.box.x0 > 0.6 * (box.x1 - box.x0) for piece in pieces)
    letters = median(len(piece.text) * (2 if _WIDE.search(piece.text) else 1) for piece in pieces)
    return full >= 0.5 * len(pieces) and letters >= 16


def _write_block(writer: Writer, rows: list[_Row], page: int, usual: float) -> None:
    """Append one column: tables of figures as tables, other rows as paragraphs and headings."""
    at = 0
    while at < len(rows):
        until = _table_end(rows, at)
        if until and _table(writer, rows[at:until], page):
            at = until
            continue
        until = at + 1
        while until < len(rows) and not _parts(rows[until - 1], rows[until]) and not _table_end(rows, until):
            until += 1
        _paragraph(writer, rows[at:until], page, usual)
        at = until


def _parts(above: _Row, below: _Row) -> bool:
    """Say whether a new paragraph begins between two rows."""
    upper, lower = hull([p.box for p in above]), hull([p.box for p in below])
    heights = median(p.height for p in above), median(p.height for p in below)
    gap = lower.y0 - upper.y1
    return gap > 0.75 * min(heights) or max(heights) > 1.4 * min(heights)


def _phrases(row: _Row) -> list[Phrase]:
    """Return the phrases of a row."""
    return phrases([Word(w.text, place) for piece in row for w, place in zip(piece.words, piece.places, strict=True)])


def _table_end(rows: Sequence[_Row], first: int) -> int:
    """Return the end of the rows from `first` on that look like a table of figures, 0 when there are fewer than three."""
    figured, last = 0, first
    for number in range(first, len(rows)):
        found = _phrases(rows[number])
        if len(found) > 1 and any(phrase.figure for phrase in found[1:]):
            figured, last = figured + 1, number + 1
        elif len(found) < 2 and number - last >= 1:
            break
    return last if figured >= 3 else 0


def _table(writer: Writer, rows: Sequence[_Row], page: int) -> bool:
    """Append rows as a table; False when they don't form one."""
    back: dict[int, Box] = {}
    words = []
    for piece in (piece for row in rows for piece in row):
        for word, place in zip(piece.words, piece.places, strict=True):
            words.append(Word(word.text, place))
            back[id(place)] = word.box
    grid = regrid(words)
    if grid is None or grid.below:
        return False
    cells = tidy(grid.rows)
    shown = [
        [type(c)(c.text, tuple((a, b, back.get(id(box), box)) for a, b, box in c.spots)) for c in row] for row in cells
    ]
    add_table(writer, shown, page, grid.header or None)
    return True


def _paragraph(writer: Writer, rows: Sequence[_Row], page: int, usual: float = 0.0) -> None:
    """Append rows as one paragraph, or as a heading when it is one short line of larger letters."""
    text, spots = "", list[Spot]()
    for number, row in enumerate(rows):
        listed = number > 0 and max(len(row), len(rows[number - 1])) > 1  # cells or labels, not running text
        for word in (word for piece in row for word in piece.words):
            first = word is row[0].words[0]
            if text and first and not listed and _HYPHEN.fullmatch(text[-2:]) and word.text[:1].islower():
                text = text[:-1]
                a, b, box = spots[-1]
                spots[-1] = (a, b - 1, box)
            elif text and not (first and _WIDE.fullmatch(text[-1]) and _WIDE.fullmatch(word.text[0])):
                text += "\n" if first and listed else " "
            spots.append((len(text), len(text) + len(word.text), word.box))
            text += word.text
    large = len(rows) == 1 and usual and median(p.height for p in rows[0]) > 1.35 * usual and len(text) < 100
    writer.add("heading" if large else "paragraph", text, page, 1 if large else 0, runs=spots)
