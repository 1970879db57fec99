"""Turns pages of liteparse into elements: what stands on a page is written in order, and no word of it is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.elements import Kind, Writer
from ingest.layout import Word
from ingest.ocr_page import Line, write_lines
from ingest.pdf_blocks import PageBlocks, Placed
from ingest.pdf_edges import PAGE_NUMBER, Edges, Outer, at_edge, joined, note, pattern, running
from ingest.pdf_hidden import HiddenText
from ingest.pdf_notes import notes_of
from ingest.pdf_text import hyphenated, vocabulary
from ingest.pdf_words import Turn
from ingest.tables import Cell, OpenTable, Spot, add_table, title_rows

_KINDS: dict[str, Kind] = {"heading": "heading", "list_item": "list_item", "paragraph": "paragraph", "code": "code"}


@dataclass(slots=True)
class Carried:
    """What is known of the pages before: the lines at their edges, and the table written last."""

    edges: Edges = field(default_factory=dict)
    outer: Outer = field(default_factory=Outer)
    table: OpenTable | None = None


def write_pages(
    writer: Writer,
    pages: Sequence[Any],
    carried: Carried,
    turns: Mapping[int, Turn],
    instead: Mapping[int, Sequence[Line]],
    hidden: Mapping[int, Sequence[HiddenText]],
    pictured: Mapping[int, Sequence[str]],
) -> list[int]:
    """Append liteparse's pages, or the lines given `instead` for a page; return the numbers of those without text.

    A long document comes in batches, and `carried` goes with it from batch to batch. Lines at the pages' edges that come
    back on three pages or more are running headers and footers; liteparse leaves them out of its blocks on purpose.
    `turns` says how pages are turned that liteparse set upright. A page's `hidden` text follows it, after what is
    `pictured` on it.
    """
    blank = []
    placed_on = {p.page_num: PageBlocks(p, turns.get(p.page_num)) for p in pages if p.page_num not in instead}
    prepared = list(placed_on.values())
    gone = carried.outer.leave_out({number: (one.words, one.page) for number, one in placed_on.items()})
    for one in prepared:
        one.place(gone.get(one.page.page_num, set()))
        note(carried.edges, one.left, one.page)
    chrome = running(carried.edges)
    if any(placed.breaks for one in prepared for placed in one.placed):
        known = vocabulary(word.text for one in prepared for word in one.words.words)
        for placed in (placed for one in prepared for placed in one.placed if placed.breaks):
            placed.text, placed.spots = hyphenated(placed.text, placed.spots, placed.breaks, known)
    for page in pages:
        before, written = len(writer.elements), len(writer.parts)
        if page.page_num in instead:
            write_lines(writer, instead[page.page_num], page.page_num)
            carried.table = None
        else:
            _PageWriter(writer, placed_on[page.page_num]).write(chrome, carried)
            if len(writer.elements) == before and not page.text.strip():
                blank.append(page.page_num)
        for text in pictured.get(page.page_num, ()):
            writer.add("caption", text, page.page_num)
        for how, text in list(notes_of(page, "".join(writer.parts[written:]))):
            writer.add("paragraph", text, page.page_num, hidden=how)
        for passage in hidden.get(page.page_num, ()):
            writer.add("paragraph", passage.text, page.page_num, runs=passage.spots, hidden=passage.how)
    return blank


@dataclass(frozen=True, slots=True)
class _PageWriter:
    """Writes what stands `on` one page."""

    writer: Writer
    on: PageBlocks

    def write(self, chrome: set[str], carried: Carried) -> None:
        """Append the page's elements; lines that no block has come after the last block that begins above them.

        Where there is nothing else on the page, what would be a running header is its text.
        """
        after: dict[int, list[list[Word]]] = {}
        for line in self.on.left:
            numbered = pattern(line) in chrome or PAGE_NUMBER.fullmatch(joined(line))
            left_out = self.on.placed and at_edge(line[0].box, self.on.page) and numbered
            if left_out or not _says_something(line):
                continue
            above = [i for i, one in enumerate(self.on.placed) if one.area.y0 < line[0].box.y0]
            after.setdefault(above[-1] if above else -1, []).append(line)
        self._lost(after.get(-1, []))
        for number, placed in enumerate(self.on.placed):
            block = placed.block
            if block.kind == "table":
                self._write_table(placed, carried)
            else:
                level = min(6, max(1, block.level or 1)) if block.kind == "heading" else 0
                self.writer.add(
                    _KINDS.get(block.kind, "code"),
                    placed.text,
                    self.on.page.page_num,
                    level,
                    runs=self._seen(placed.spots),
                )
            self._lost(after.get(number, []))

    def _write_table(self, placed: Placed, carried: Carried) -> None:
        """Append a table; the first thing on its page may go on the table that ends the page before."""
        before, rows = carried.table, placed.rows
        header, continues = placed.header, -1
        ends = self.writer.elements[-1] if self.writer.elements else None
        if before and ends and rows and (ends.start, ends.page) == (before.last, self.on.page.page_num - 1):
            found = before.goes_on(rows, placed.header, placed.area)
            if found is not None:
                header, continues = found, before.start
        add_table(self.writer, self._seen_rows(rows), self.on.page.page_num, header, continues)
        added = self.writer.elements[-1] if self.writer.elements else None
        if added is None or added is ends:
            return
        if continues >= 0 and before is not None:
            carried.table = OpenTable(before.start, added.start, before.header, placed.area)
        elif added.header_rows:
            carried.table = OpenTable(
                added.start, added.start, [cell.text for cell in rows[title_rows(rows)]], placed.area
            )

    def _seen(self, spots: Sequence[Spot]) -> Sequence[Spot]:
        """Return places as they are on the page that a reader sees."""
        return spots if self.on.turn is None else [(start, end, self.on.turn.back(box)) for start, end, box in spots]

    def _seen_rows(self, rows: list[list[Cell]]) -> list[list[Cell]]:
        """Return cells with places as they are on the page that a reader sees."""
        if self.on.turn is None:
            return rows
        return [[Cell(cell.text, tuple(self._seen(cell.spots))) for cell in row] for row in rows]

    def _lost(self, found: list[list[Word]]) -> None:
        """Append lines that liteparse has in no block; lines that follow each other closely are one paragraph."""
        paragraph: list[Word] = []
        for line in found:
            if paragraph and line[0].box.y0 - paragraph[-1].box.y1 > 0.8 * (line[0].box.y1 - line[0].box.y0):
                self._add_words(paragraph)
                paragraph = []
            paragraph = paragraph + line
        self._add_words(paragraph)

    def _add_words(self, words: Sequence[Word]) -> None:
        """Append words as a paragraph."""
        spots, at = [], 0
        for word in words:
            spots.append((at, at + len(word.text), word.box))
            at += len(word.text) + 1
        self.writer.add(
            "paragraph", " ".join(word.text for word in words), self.on.page.page_num, runs=self._seen(spots)
        )


def _says_something(line: Sequence[Word]) -> bool:
    """Say whether a line has a letter or digit: rulers and lone bullets are no text."""
    return any(c.isalnum() for word in line for c in word.text)
