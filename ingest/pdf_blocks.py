"""Gives each block of a page of liteparse its words, and builds the tables that it overlooks or merges anew from words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.elements import Box
from ingest.layout import MARGIN, Area, PageWords, Word, hull, in_reading_order, is_prose, lines
from ingest.ledger import Ledger, ledgers
from ingest.pdf_edges import PAGE_NUMBER, at_edge, squeezed
from ingest.pdf_text import plain
from ingest.pdf_words import Turn
from ingest.regrid import Phrase, figure_columns, fits_below, is_row, regrid, titles_columns
from ingest.ruled import grids, overlap
from ingest.tables import Cell, Spot, clean, is_amount, tidy

_MARKUP = re.compile(r"\\([*_])|\*+")
_SAME_EDGE = 4.0
_BESIDE_GRIDS = 0.4
"""Share of the words of a table of liteparse that may stand beside the grids in it."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Stands for a block of liteparse where we have found a table."""

    kind: str = "table"


@dataclass(slots=True)
class Placed:
    """A block with its words: text with places, or the rows of a table."""

    block: Any
    area: Box
    text: str = ""
    spots: tuple[Spot, ...] = ()
    breaks: list[int] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    header: bool | None = None


class PageBlocks:
    """The blocks of one page of liteparse with the words that each takes, and the lines that are `left` over."""

    def __init__(self, page: Any, turn: Turn | None) -> None:
        self.page = page
        self.turn = turn
        self.words = PageWords(in_reading_order(page.words))
        self.placed: list[Placed] = []
        self.left: list[list[Word]] = []

    def place(self, gone: set[str]) -> None:
        """Give each block its words; tables come last, so that text inside their frame stays text. Lines that are `gone` are
        left out of tables, and so are blocks that hold nothing else."""
        for block in self.page.blocks:
            if block.kind != "table" and squeezed(_text(block)) in gone:
                continue
            placed = Placed(block, self._area(block.area), "" if block.kind == "table" else _text(block))
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
                    made.append(Placed(_Table(), area, rows=tidy(rows)))
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
        made = Placed(_Table(), hull([word.box for word in inside]), rows=tidy(grid.rows), header=grid.header)
        self.placed.insert(at, made)
        self.placed = [one for one in self.placed if one not in gone]

    def _kept_above(self, gone: Sequence[Placed], top: float) -> list[Placed]:
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

    def _tables(self) -> list[Placed]:
        """Return the tables of liteparse that have no rows of ours yet."""
        return [one for one in self.placed if one.block.kind == "table" and not one.rows]

    def _regrid(self, placed: Placed, among: list[int]) -> bool:
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

    def _titles(self, placed: Placed, words: list[Word]) -> list[Placed]:
        """Return the blocks directly above a table whose lines are titles of its columns, from top to bottom."""
        found: list[Placed] = []
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

    def _taken_by(self, placed: Placed) -> list[int]:
        """Return the numbers of the words that a block of text has taken."""
        boxes = {id(box) for _, _, box in placed.spots}
        around = self.words.inside(Area.of(placed.area), free=False)
        return [i for i in around if id(self.words.words[i].box) in boxes]

    def _vendor_rows(self, placed: Placed, among: list[int], gone: set[str]) -> None:
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


def _text(block: Any) -> str:
    """Return a block's text without the Markdown marks that liteparse writes into it."""
    if block.lines is not None:
        return "\n".join(plain(line).rstrip() for line in block.lines).strip("\n")
    text = plain(_MARKUP.sub(lambda m: m[1] or "", block.text or "")).strip()
    if block.kind == "list_item" and block.marker and not text.startswith(block.marker):
        return f"{block.marker} {text}"
    return text
