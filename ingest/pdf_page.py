"""Turns a page of liteparse into elements: each block gets its words, and no word of the page is lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.elements import Box, Kind, Writer
from ingest.layout import Area, PageWords, Word, in_reading_order, lines
from ingest.regrid import regrid, titles_columns
from ingest.tables import Cell, Spot, add_table, clean, is_amount, tidy

_KINDS: dict[str, Kind] = {"heading": "heading", "list_item": "list_item", "paragraph": "paragraph", "code": "code"}
_MARKUP = re.compile(r"\\([*_])|\*+")
_BAND = 0.12


def write_pages(writer: Writer, pages: Sequence[Any], edges: Counter[str]) -> list[int]:
    """Append liteparse's pages; return the numbers of those without text.

    A long document comes in batches: `edges` counts over all of them how often a line stood at a page's edge, and lines
    that come back on three pages or more are running headers and footers. liteparse leaves them out of its blocks on
    purpose; page numbers in them are compared as "#".
    """
    blank = []
    prepared = [_PageWriter(page) for page in pages]
    for one in prepared:
        one.place_blocks()
        edges.update({_pattern(line) for line in one.left if _at_edge(line, one.page)})
    chrome = {pattern for pattern, count in edges.items() if count >= 3}
    for one in prepared:
        before = len(writer.elements)
        one.write(writer, chrome)
        if len(writer.elements) == before and not one.page.text.strip():
            blank.append(one.page.page_num)
    return blank


def _pattern(line: Sequence[Word]) -> str:
    """Return a line's text with its digits made alike."""
    return re.sub(r"\d+", "#", " ".join(word.text for word in line))


def _at_edge(line: Sequence[Word], page: Any) -> bool:
    """Say whether a line stands in the top or bottom eighth of its page."""
    y = line[0].box.y0
    return bool(y < page.height * _BAND or y > page.height * (1 - _BAND))


@dataclass(slots=True)
class _Placed:
    """A block with its words: text with places, or the rows of a table."""

    block: Any
    area: Box
    text: str = ""
    spots: tuple[Spot, ...] = ()
    rows: list[list[Cell]] = field(default_factory=list)
    header: bool | None = None


class _PageWriter:
    """Turns one page of liteparse into elements: first every block takes its words, then all is written in order."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.words = PageWords(in_reading_order(_words(page)))
        self.placed: list[_Placed] = []
        self.left: list[list[Word]] = []

    def place_blocks(self) -> None:
        """Give each block its words; tables come last, so that text inside their frame stays text."""
        for block in self.page.blocks or []:
            placed = _Placed(block, self._area(block.bbox), "" if block.kind == "table" else _text(block))
            if block.kind == "table" or placed.text.strip():
                self.placed.append(placed)
        for placed in self.placed:
            if placed.block.kind != "table":
                placed.spots = self.words.place(placed.text, self.words.inside(Area.of(placed.area)), placed.area)
        for placed in [one for one in self.placed if one.block.kind == "table"]:
            among = self.words.inside(Area.of(placed.area))
            if _sound(placed.block) or not self._regrid(placed, among):
                self._vendor_rows(placed, among)
        self.left = self.words.left()

    def _regrid(self, placed: _Placed, among: list[int]) -> bool:
        """Rebuild a table of figures from its words; the blocks directly above that hold column titles go into it."""
        words = [self.words.words[i] for i in among]
        titles = self._titles(placed, words)
        above = [line for title in titles for line in lines([self.words.words[i] for i in self._taken_by(title)])]
        grid = regrid(words, above)
        if grid is None:
            return False
        below = {id(word) for line in grid.below for word in line}
        self.words.taken.update(i for i in among if id(self.words.words[i]) not in below)
        placed.rows, placed.header = tidy(grid.rows), grid.header
        self.placed = [one for one in self.placed if one not in titles]
        return True

    def _titles(self, placed: _Placed, words: list[Word]) -> list[_Placed]:
        """Return the blocks directly above a table whose lines are titles of its columns, from top to bottom."""
        found: list[_Placed] = []
        top = min((word.box.y0 for word in words), default=placed.area.y0)
        at = self.placed.index(placed)
        for one in reversed(self.placed[max(0, at - 4) : at]):
            held = [self.words.words[i] for i in self._taken_by(one)]
            if one.block.kind not in ("heading", "paragraph") or not held:
                break
            height = max(word.box.y1 - word.box.y0 for word in held)
            if not -height <= top - max(word.box.y1 for word in held) <= 2.5 * height:
                break
            if not all(titles_columns(line, words) for line in lines(held)):
                break
            found.insert(0, one)
            top = min(word.box.y0 for word in held)
        return found

    def _taken_by(self, placed: _Placed) -> list[int]:
        """Return the numbers of the words that a block of text has taken."""
        boxes = {id(box) for _, _, box in placed.spots}
        around = self.words.inside(Area.of(placed.area), free=False)
        return [i for i in around if id(self.words.words[i].box) in boxes]

    def _vendor_rows(self, placed: _Placed, among: list[int]) -> None:
        """Take a table's rows as liteparse has them."""
        block = placed.block
        rows = ([block.header] if block.header else []) + list(block.rows or [])
        parts = []
        for cell in (cell for row in rows for cell in row):
            area = self._area(cell.bbox) if cell.bbox is not None else placed.area
            edge = Area.of(area)
            parts.append((clean(cell.text), [i for i in among if edge.holds(self.words.words[i].box)], area))
        spots = iter(self.words.places(parts, among))
        placed.rows = tidy([[Cell(clean(cell.text), next(spots)) for cell in row] for row in rows])
        placed.header = True if block.header else None

    def _area(self, box: Any) -> Box:
        """Return a vendor's rectangle as a box; the whole page when it has none."""
        if box is None:
            return Box(self.page.page_num, 0.0, 0.0, self.page.width, self.page.height)
        return Box(self.page.page_num, box.x, box.y, box.x + box.width, box.y + box.height)

    def write(self, writer: Writer, chrome: set[str]) -> None:
        """Append the page's elements; lines that no block has come after the last block that begins above them."""
        after: dict[int, list[list[Word]]] = {}
        for line in self.left:
            if (_at_edge(line, self.page) and _pattern(line) in chrome) or not _says_something(line):
                continue
            above = [i for i, one in enumerate(self.placed) if one.area.y0 < line[0].box.y0]
            after.setdefault(above[-1] if above else -1, []).append(line)
        self._lost(writer, after.get(-1, []))
        for number, placed in enumerate(self.placed):
            block = placed.block
            if block.kind == "table":
                add_table(writer, placed.rows, self.page.page_num, placed.header)
            else:
                level = min(6, max(1, block.level or 1)) if block.kind == "heading" else 0
                writer.add(_KINDS.get(block.kind, "code"), placed.text, self.page.page_num, level, runs=placed.spots)
            self._lost(writer, after.get(number, []))

    def _lost(self, writer: Writer, found: list[list[Word]]) -> None:
        """Append lines that liteparse has in no block; lines that follow each other closely are one paragraph."""
        paragraph: list[Word] = []
        for line in found:
            if paragraph and line[0].box.y0 - paragraph[-1].box.y1 > 0.8 * (line[0].box.y1 - line[0].box.y0):
                self._add_words(writer, paragraph)
                paragraph = []
            paragraph = paragraph + line
        self._add_words(writer, paragraph)

    def _add_words(self, writer: Writer, words: Sequence[Word]) -> None:
        """Append words as a paragraph."""
        spots, at = [], 0
        for word in words:
            spots.append((at, at + len(word.text), word.box))
            at += len(word.text) + 1
        writer.add("paragraph", " ".join(word.text for word in words), self.page.page_num, runs=spots)


def _sound(block: Any) -> bool:
    """Say whether liteparse's own cells can be trusted: it saw a header row (the table has rules), and no cell holds two figures,
    as cells of rows that it has merged do."""
    cells = [cell.text.split() for row in block.rows or [] for cell in row]
    return bool(block.header) and not any(sum(is_amount(word) for word in words) > 1 for words in cells)


def _says_something(line: Sequence[Word]) -> bool:
    """Say whether a line has a letter or digit: rulers and lone bullets are no text."""
    return any(c.isalnum() for word in line for c in word.text)


def _text(block: Any) -> str:
    """Return a block's text without the Markdown marks that liteparse writes into it."""
    if block.lines is not None:
        return "\n".join(line.rstrip() for line in block.lines).strip("\n")
    text = _MARKUP.sub(lambda m: m[1] or "", block.text or "").strip()
    if block.kind == "list_item" and block.marker and not text.startswith(block.marker):
        return f"{block.marker} {text}"
    return text


def _words(page: Any) -> list[Word]:
    """Return the page's words; a text item without word boxes is one word."""
    found: list[Word] = []
    for number, item in enumerate(page.text_items, start=1):
        # In text turned by 90 or 270 degrees liteparse's "words" are single letters.
        if 45 < item.rotation % 180 < 135:
            found += _turned(page.page_num, number, item)
            continue
        for piece in item.words or [item]:
            text = "".join(piece.text.split()) if item.words else piece.text.strip()
            if text:
                box = Box(page.page_num, piece.x, piece.y, piece.x + piece.width, piece.y + piece.height)
                found.append(Word(text, box))
    return found


def _turned(page: int, number: int, item: Any) -> list[Word]:
    """Return the words of an item that runs down or up the page; each gets its share of the item's height."""
    found = []
    length = max(1, len(item.text))
    for match in re.finditer(r"\S+", item.text):
        first, last = match.start() / length, match.end() / length
        if item.rotation % 360 > 180:  # runs upwards
            first, last = 1 - last, 1 - first
        top, bottom = item.y + first * item.height, item.y + last * item.height
        found.append(Word(match[0], Box(page, item.x, top, item.x + item.width, bottom), number))
    return found
