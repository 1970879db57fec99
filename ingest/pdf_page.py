"""Turns a page of liteparse into elements: each block gets its words, and no word of the page is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.elements import Box, Kind, Writer
from ingest.layout import MARGIN, Area, PageWords, Word, hull, in_reading_order, is_prose, lines
from ingest.ledger import Ledger, ledgers
from ingest.ocr_page import Line, write_lines
from ingest.pdf_edges import PAGE_NUMBER, Edges, Outer, at_edge, joined, note, pattern, running, squeezed
from ingest.pdf_hidden import HiddenText
from ingest.pdf_notes import notes_of
from ingest.pdf_text import hyphenated, plain, vocabulary
from ingest.pdf_words import Turn
from ingest.regrid import Phrase, figure_columns, fits_below, is_row, regrid, titles_columns
from ingest.ruled import grids, overlap
from ingest.tables import Cell, OpenTable, Spot, add_table, clean, is_amount, tidy, title_rows

_KINDS: dict[str, Kind] = {"heading": "heading", "list_item": "list_item", "paragraph": "paragraph", "code": "code"}
_MARKUP = re.compile(r"\\([*_])|\*+")
_SAME_EDGE = 4.0
_BESIDE_GRIDS = 0.4
"""Share of the words of a table of liteparse that may stand beside the grids in it."""


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
    writers = {p.page_num: _PageWriter(p, turns.get(p.page_num)) for p in pages if p.page_num not in instead}
    prepared = list(writers.values())
    gone = carried.outer.leave_out({number: (one.words, one.page) for number, one in writers.items()})
    for one in prepared:
        one.place_blocks(gone.get(one.page.page_num, set()))
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
            writers[page.page_num].write(writer, chrome, carried)
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
class _Table:
    """Stands for a block of liteparse where we have found a table."""

    kind: str = "table"


@dataclass(slots=True)
class _Placed:
    """A block with its words: text with places, or the rows of a table."""

    block: Any
    area: Box
    text: str = ""
    spots: tuple[Spot, ...] = ()
    breaks: list[int] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    header: bool | None = None


class _PageWriter:
    """Turns one page of liteparse into elements: first every block takes its words, then all is written in order."""

    def __init__(self, page: Any, turn: Turn | None) -> None:
        self.page = page
        self.turn = turn
        self.words = PageWords(in_reading_order(page.words))
        self.placed: list[_Placed] = []
        self.left: list[list[Word]] = []

    def place_blocks(self, gone: set[str]) -> None:
        """Give each block its words; tables come last, so that text inside their frame stays text. Lines that are `gone` are
        left out of tables, and so are blocks that hold nothing else."""
        for block in self.page.blocks:
            if block.kind != "table" and squeezed(_text(block)) in gone:
                continue
            placed = _Placed(block, self._area(block.area), "" if block.kind == "table" else _text(block))
            numbered = at_edge(placed.area, self.page) and PAGE_NUMBER.fullmatch(placed.text)
            if block.kind == "table" or (placed.text.strip() and not numbered):
                self.placed.append(placed)
            elif numbered:
                self.words.place(placed.text, self.words.inside(Area.of(placed.area)), placed.area)
        self._take_grids()
        for ledger in ledgers([word for at, word in enumerate(self.words.words) if at not in self.words.taken]):
            self._take_ledger(ledger)
        for placed in self.placed:
            if placed.block.kind != "table":
                among = self.words.inside(Area.of(placed.area))
                placed.spots, placed.breaks = self.words.place(placed.text, among, placed.area)
        for placed in [one for one in self.placed if one.block.kind == "table" and not one.rows]:
            among = self.words.inside(Area.of(placed.area))
            if _sound(placed.block) or not self._regrid(placed, self._with_rows_beside(among)):
                self._vendor_rows(placed, among, gone)
        self.left = self.words.left()

    def _take_grids(self) -> None:
        """Make a table of each grid of lines in a table of liteparse: it reads two with text between them as one, and a row
        into the header. What else it has in that table is left, and written as lines."""
        drawn = grids(self.page.rules) if self.turn is None else []
        for one in self._tables() if drawn else ():
            inside = set(self.words.inside(Area.of(one.area)))
            made, taken = [], set[int]()
            for grid in (grid for grid in drawn if overlap(Area.of(one.area), grid.area)):
                held = self.words.inside(grid.area)
                rows = grid.rows([self.words.words[at] for at in held])
                if held and rows is not None:
                    area = Box(self.page.page_num, grid.area.x0, grid.area.y0, grid.area.x1, grid.area.y1)
                    made.append(_Placed(_Table(), area, rows=tidy(rows)))
                    taken.update(held)
            if made and len(inside - taken) <= _BESIDE_GRIDS * len(inside):
                self.words.taken.update(taken)
                at = self.placed.index(one)
                self.placed[at : at + 1] = made
                self._give_up(taken)

    def _give_up(self, taken: set[int]) -> None:
        """Take words that a grid has from the blocks of text that have them too; liteparse makes one of a column it overlooks."""
        for one in [one for one in self.placed if one.block.kind != "table"]:
            held = self.words.inside(Area.of(one.area), free=False)
            left = [self.words.words[at] for at in held if at not in taken]
            if not left and held:
                self.placed.remove(one)
            elif 2 * len(left) < len(held):
                one.text, one.area = " ".join(word.text for word in left), hull([word.box for word in left])

    def _take_ledger(self, ledger: Ledger) -> None:
        """Make a table of figures where liteparse has none, or one without its titles; blocks that hold any of its words give
        way."""
        sound = sum(map(self._has_sound_row, ledger.rows))
        if 2 * sound > len(ledger.rows) or (not ledger.titles and all(map(self._has_row, ledger.rows))):
            return
        words = self._with_its_tables(ledger)
        top = min((word.box.y0 for line in ledger.titles for word in line), default=0.0)
        if any(word.box.y0 < top - 1 for word in words):
            return  # liteparse's table begins above these titles: they are of its lower part only
        grid = regrid(words, ledger.titles)
        if grid is None:
            return
        below = {id(word) for line in grid.below for word in line}
        inside = [word for line in ledger.titles for word in line]
        inside += [word for word in words if id(word) not in below]
        numbers = set(self.words.numbers(inside))
        gone = [one for one in self.placed if numbers.intersection(self.words.inside(Area.of(one.area)))]
        at = self.placed.index(gone[0]) if gone else len(self.placed)
        self.words.taken.update(numbers)
        for text in self._kept_above(gone, min(word.box.y0 for word in inside)):
            gone.remove(text)
            at = max(at, self.placed.index(text) + 1)
        made = _Placed(_Table(), hull([word.box for word in inside]), rows=tidy(grid.rows), header=grid.header)
        self.placed.insert(at, made)
        self.placed = [one for one in self.placed if one not in gone]

    def _kept_above(self, gone: Sequence[_Placed], top: float) -> list[_Placed]:
        """Cut blocks of text that run into a table to their words above `top`; return those that have any."""
        kept = []
        for one in gone:
            above = replace(Area.of(one.area), y1=top - MARGIN)
            held = [self.words.words[i] for i in self.words.inside(above)] if one.block.kind != "table" else []
            if held:
                one.text, one.area = " ".join(word.text for word in held), hull([word.box for word in held])
                kept.append(one)
        return kept

    def _with_its_tables(self, ledger: Ledger) -> list[Word]:
        """Return a ledger's words, and the lines around them that liteparse's tables have which hold its rows, down to the first
        line of text."""
        numbers = set(self.words.numbers(ledger.words))
        beside: set[int] = set()
        for one in self._tables():
            area = Area.of(one.area)
            if not _sound(one.block) and any(area.holds(row[-1].edge) for row in ledger.rows):
                beside.update(self.words.inside(area))
        beside -= numbers | set(self.words.numbers(word for line in ledger.titles for word in line))
        slots, last = figure_columns(ledger.words), max(word.box.y1 for word in ledger.words)
        for line in lines([self.words.words[at] for at in beside]):
            if line[0].box.y0 >= last - 1 and not fits_below(line, slots):
                break
            numbers.update(self.words.numbers(line))
        return [self.words.words[at] for at in sorted(numbers)]

    def _has_row(self, row: Sequence[Phrase]) -> bool:
        """Say whether a row lies in a table of liteparse that will be rebuilt from its words, or is one of its rows."""
        areas = [Area.of(one.area) for one in self._tables() if not _sound(one.block)]
        rebuilt = any(area.holds(row[0].edge) and area.holds(row[-1].edge) for area in areas)
        return rebuilt or any(_holds(one.block, row) for one in self._tables())

    def _has_sound_row(self, row: Sequence[Phrase]) -> bool:
        """Say whether a row is one of a table of liteparse that stays as it is."""
        return any(_sound(one.block) and _holds(one.block, row) for one in self._tables())

    def _tables(self) -> list[_Placed]:
        """Return the tables of liteparse that have no rows of ours yet."""
        return [one for one in self.placed if one.block.kind == "table" and not one.rows]

    def _regrid(self, placed: _Placed, among: list[int]) -> bool:
        """Rebuild a table of figures from its words; the blocks directly above that hold column titles go into it."""
        words = [self.words.words[i] for i in among]
        titles = self._titles(placed, words)
        above = [line for title in titles for line in lines([self.words.words[i] for i in self._taken_by(title)])]
        if not titles:  # a repeated header row may be taken for a running header, too
            above = self._beside(among, upwards=True, fits=titles_columns)
        grid = regrid(words, above)
        if grid is None:
            return False
        self.words.taken.update(self.words.numbers(word for line in above for word in line))
        below = {id(word) for line in grid.below for word in line}
        self.words.taken.update(i for i in among if id(self.words.words[i]) not in below)
        placed.rows, placed.header = tidy(grid.rows), grid.header
        self.placed = [one for one in self.placed if one not in titles]
        return True

    def _with_rows_beside(self, among: list[int]) -> list[int]:
        """Add the free lines directly above and below a table that are rows of it: liteparse takes some for headers."""
        rows = self._beside(among, True, is_row) + self._beside(among, False, is_row)
        return sorted([*among, *self.words.numbers(word for row in rows for word in row)])

    def _beside(
        self, among: list[int], upwards: bool, fits: Callable[[Sequence[Word], Sequence[tuple[float, float]]], bool]
    ) -> list[list[Word]]:
        """Return the free lines directly above (or below) some words that fit to them, from top to bottom."""
        words = [self.words.words[i] for i in among]
        if not words:
            return []
        found: list[list[Word]] = []
        edge = min(w.box.y0 for w in words) if upwards else max(w.box.y1 for w in words)
        left, right = min(w.box.x0 for w in words) - _SAME_EDGE, max(w.box.x1 for w in words) + _SAME_EDGE
        inside = set(among)
        free = [w for i, w in enumerate(self.words.words) if not (w.turned or i in inside or i in self.words.taken)]
        beyond = lines([w for w in free if (w.box.y1 <= edge + 1 if upwards else w.box.y0 >= edge - 1)])
        slots = figure_columns(words) if beyond else []
        for line in reversed(beyond) if upwards else beyond:
            top, bottom = min(w.box.y0 for w in line), max(w.box.y1 for w in line)
            away = edge - bottom if upwards else top - edge
            aside = line[0].box.x0 < left or line[-1].box.x1 > right
            if away > 1.5 * (bottom - top) or aside or not fits(line, slots):
                break
            found.insert(0, line) if upwards else found.append(line)
            edge = top if upwards else bottom
        return found

    def _titles(self, placed: _Placed, words: list[Word]) -> list[_Placed]:
        """Return the blocks directly above a table whose lines are titles of its columns, from top to bottom."""
        found: list[_Placed] = []
        slots: list[tuple[float, float]] = []
        top = min((word.box.y0 for word in words), default=placed.area.y0)
        at = self.placed.index(placed)
        for one in reversed(self.placed[max(0, at - 4) : at]):
            held = [self.words.words[i] for i in self._taken_by(one)]
            if one.block.kind not in ("heading", "paragraph") or not held:
                break
            height = max(word.box.y1 - word.box.y0 for word in held)
            if not -height <= top - max(word.box.y1 for word in held) <= 2.5 * height:
                break
            slots = slots or figure_columns(words)
            if not all(titles_columns(line, slots) for line in lines(held)):
                break
            found.insert(0, one)
            top = min(word.box.y0 for word in held)
        return found

    def _taken_by(self, placed: _Placed) -> list[int]:
        """Return the numbers of the words that a block of text has taken."""
        boxes = {id(box) for _, _, box in placed.spots}
        around = self.words.inside(Area.of(placed.area), free=False)
        return [i for i in around if id(self.words.words[i].box) in boxes]

    def _vendor_rows(self, placed: _Placed, among: list[int], gone: set[str]) -> None:
        """Take a table's rows as liteparse has them, without lines that are `gone`."""
        block = placed.block
        rows = ([block.header] if block.header else []) + list(block.rows)
        rows = [row for row in rows if squeezed(" ".join(cell.text for cell in row)) not in gone]
        rows = [row for row in rows if not self._runs_on(row)]  # its words are left, and written as lines
        parts, held = [], set(among)
        for cell in (cell for row in rows for cell in row):
            area = cell.area or placed.area
            parts.append((clean(plain(cell.text)), [i for i in self.words.inside(Area.of(area)) if i in held], area))
        spots = iter(self.words.places(parts, among))
        placed.rows = tidy([[Cell(clean(plain(cell.text)), next(spots)) for cell in row] for row in rows])
        placed.header = True if block.header else None

    def _runs_on(self, row: Sequence[Any]) -> bool:
        """Say whether a row of liteparse is running text that it has cut into columns."""
        areas = [cell.area for cell in row if cell.text.strip() and cell.area]
        inside = self.words.inside(Area.of(hull(areas))) if len(areas) > 2 else []
        return is_prose([self.words.words[at] for at in inside])

    def _area(self, box: Box | None) -> Box:
        """Return a block's area; the whole page when it has none."""
        return box or Box(self.page.page_num, 0.0, 0.0, self.page.width, self.page.height)

    def write(self, writer: Writer, chrome: set[str], carried: Carried) -> None:
        """Append the page's elements; lines that no block has come after the last block that begins above them.

        Where there is nothing else on the page, what would be a running header is its text.
        """
        after: dict[int, list[list[Word]]] = {}
        for line in self.left:
            numbered = pattern(line) in chrome or PAGE_NUMBER.fullmatch(joined(line))
            left_out = self.placed and at_edge(line[0].box, self.page) and numbered
            if left_out or not _says_something(line):
                continue
            above = [i for i, one in enumerate(self.placed) if one.area.y0 < line[0].box.y0]
            after.setdefault(above[-1] if above else -1, []).append(line)
        self._lost(writer, after.get(-1, []))
        for number, placed in enumerate(self.placed):
            block = placed.block
            if block.kind == "table":
                self._write_table(writer, placed, carried)
            else:
                level = min(6, max(1, block.level or 1)) if block.kind == "heading" else 0
                writer.add(
                    _KINDS.get(block.kind, "code"),
                    placed.text,
                    self.page.page_num,
                    level,
                    runs=self._seen(placed.spots),
                )
            self._lost(writer, after.get(number, []))

    def _write_table(self, writer: Writer, placed: _Placed, carried: Carried) -> None:
        """Append a table; the first thing on its page may go on the table that ends the page before."""
        before, rows = carried.table, placed.rows
        header, continues = placed.header, -1
        ends = writer.elements[-1] if writer.elements else None
        if before and ends and rows and (ends.start, ends.page) == (before.last, self.page.page_num - 1):
            found = before.goes_on(rows, placed.header, placed.area)
            if found is not None:
                header, continues = found, before.start
        add_table(writer, self._seen_rows(rows), self.page.page_num, header, continues)
        added = writer.elements[-1] if writer.elements else None
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
        return spots if self.turn is None else [(start, end, self.turn.back(box)) for start, end, box in spots]

    def _seen_rows(self, rows: list[list[Cell]]) -> list[list[Cell]]:
        """Return cells with places as they are on the page that a reader sees."""
        if self.turn is None:
            return rows
        return [[Cell(cell.text, tuple(self._seen(cell.spots))) for cell in row] for row in rows]

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
        writer.add("paragraph", " ".join(word.text for word in words), self.page.page_num, runs=self._seen(spots))


def _sound(block: Any) -> bool:
    """Say whether liteparse's own cells can be trusted: it saw a header row (the table has rules) that names columns, and no cell
    holds two figures, as cells of rows that it has merged do."""
    cells = [cell.text.split() for row in block.rows for cell in row]
    titles = [cell.text for cell in block.header or () if cell.text.strip()]
    named = len(titles) > 1 or (bool(titles) and len(block.header) == 1)
    return named and not any(sum(is_amount(word) for word in words) > 1 for words in cells)


def _holds(block: Any, row: Sequence[Phrase]) -> bool:
    """Say whether a table of liteparse has a row with the first word and the amounts of `row`."""
    wanted = {row[0].words[0].text, *(word.text for p in row if p.figure for word in p.words if is_amount(word.text))}
    rows = [block.header or [], *block.rows]
    return any(wanted <= {word for cell in cells for word in cell.text.split()} for cells in rows)


def _says_something(line: Sequence[Word]) -> bool:
    """Say whether a line has a letter or digit: rulers and lone bullets are no text."""
    return any(c.isalnum() for word in line for c in word.text)


def _text(block: Any) -> str:
    """Return a block's text without the Markdown marks that liteparse writes into it."""
    if block.lines is not None:
        return "\n".join(plain(line).rstrip() for line in block.lines).strip("\n")
    text = plain(_MARKUP.sub(lambda m: m[1] or "", block.text or "")).strip()
    if block.kind == "list_item" and block.marker and not text.startswith(block.marker):
        return f"{block.marker} {text}"
    return text
