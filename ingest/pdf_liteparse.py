"""Runs liteparse (the only file that imports it): the words and blocks of PDF pages, which pages are in doubt, pictures.

Its native classes are asked directly. The package's own Python layer makes an object for every field of every word, half of
which we don't need: a sixth of the time of reading.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest.elements import Box
from ingest.errors import UnreadableFile
from ingest.layout import Word
from ingest.pdf_words import Turn, words_of
from ingest.ruled import Rule

if TYPE_CHECKING:
    from liteparse._liteparse import LiteParse

DAMAGED = "Open it in a PDF viewer, print or save it as a new PDF, and ingest that."
BATCH_ABOVE = 300
"""A document with more pages is read in batches."""
BATCH = 150
_MAX_PAGES = 10_000_000
_STRUCTURE = {
    "output_format": "markdown",
    "extract_blocks": True,
    "emit_word_boxes": True,
    "extract_links": False,
    "extract_annotations": True,
    "extract_form_fields": True,
    "continue_on_page_error": True,
    "extract_vector_graphics": True,
}


class BlockCell(NamedTuple):
    """A cell of a table: its text, and where it stands."""

    text: str
    area: Box | None


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, list item, table or piece of code that liteparse sees on a page."""

    kind: str
    text: str | None
    level: int | None
    marker: str | None
    lines: list[str] | None
    header: list[BlockCell] | None
    rows: list[list[BlockCell]]
    area: Box | None


class Note(NamedTuple):
    """A comment, link or other annotation of a page."""

    subtype: str
    contents: str | None


class Entry(NamedTuple):
    """A field of a form, and what is entered in it."""

    type: str
    name: str | None
    alternate_name: str | None
    value: str | None
    checked: bool | None


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """A page as liteparse reads it; `letters` counts its characters by the angle that they are turned by."""

    page_num: int
    width: float
    height: float
    text: str
    page_label: str | None
    words: Sequence[Word]
    letters: Mapping[int, int]
    blocks: Sequence[Block]
    annotations: Sequence[Note]
    form_fields: Sequence[Entry]
    rules: Sequence[Rule] = ()
    """Level and upright lines, of pages where liteparse sees a table."""


class Parsed(NamedTuple):
    """Pages that were read together, and the numbers of those that failed."""

    pages: list[ParsedPage]
    failed: set[int]


def parse(source: Path | bytes, password: str | None, pages: int) -> Iterator[Parsed]:
    """Yield what liteparse reads: all at once, or of a long document a batch of pages at a time, which bounds the memory.

    It recognises running headers over the pages that it parses together. UnreadableFile: it can't open the file.
    """
    parser = _liteparse(password, **_STRUCTURE)
    try:
        if pages <= BATCH_ABOVE:
            yield _parsed(parser.parse_bytes(source) if isinstance(source, bytes) else parser.parse(_there(source)))
            return
        session = (
            parser.open_batch_session_bytes(source, BATCH)
            if isinstance(source, bytes)
            else parser.open_batch_session(_there(source), BATCH)
        )
        while (batch := session.next_batch()) is not None:
            found = _parsed(batch.result)
            del batch
            yield found
            del found
    except RuntimeError as error:
        raise _refusal(str(error), password) from error


def upright(
    source: Path | bytes, password: str | None, pages: list[ParsedPage], turns: Mapping[int, Turn]
) -> list[ParsedPage]:
    """Return pages with those that are turned parsed again, upright: liteparse sets turned text letter by letter."""
    if not turns:
        return pages
    corrections = [(number, turn.angle) for number, turn in turns.items()]
    parser = _liteparse(password, page_orientation_corrections=corrections, target_pages=_listed(turns), **_STRUCTURE)
    try:
        native = parser.parse_bytes(source) if isinstance(source, bytes) else parser.parse(_there(source))
    except RuntimeError as error:
        raise _refusal(str(error), password) from error
    again = {page.page_num: page for page in _parsed(native).pages}
    return [again.get(page.page_num, page) for page in pages]


def in_doubt(source: Path | bytes, password: str | None, numbers: Sequence[int]) -> set[int]:
    """Return those of some pages whose text may be missing or wrong: little text, large pictures, codes instead of letters."""
    if not numbers:
        return set()
    parser = _liteparse(password, target_pages=_listed(numbers))
    try:
        native = parser.is_complex_bytes(source) if isinstance(source, bytes) else parser.is_complex(_there(source))
    except RuntimeError:  # what can't be weighed is looked at
        return set(numbers)
    sound = {
        page.page_number
        for page in native
        if not (page.needs_ocr or page.full_page_image or page.image_coverage > 0.5 or page.is_garbled)
    }
    return set(numbers) - sound


def picture(path: Path, number: int, dpi: float, password: str | None) -> bytes:
    """Return one page as PNG; only that page is rendered. UnreadableFile when there is none."""
    try:
        shots = _liteparse(password, dpi=float(dpi)).screenshot(_there(path), [number])
    except RuntimeError as error:
        if "out of range" in str(error):
            raise UnreadableFile(f"The PDF has no page {number}.", "Give a page number that it has.") from error
        raise _refusal(str(error), password) from error
    return bytes(shots[0].image_bytes)


def _liteparse(password: str | None, **options: Any) -> LiteParse:
    """Return liteparse with everything off that isn't needed.

    Its OCR must stay off: it downloads Tesseract's data at first use. One worker: the child has one task at a time.
    """
    from liteparse._liteparse import LiteParse

    if password is not None:
        options["password"] = password
    # Without max_pages it stops after 1,000 pages and says nothing.
    return LiteParse(ocr_enabled=False, image_mode="off", quiet=True, num_workers=1, max_pages=_MAX_PAGES, **options)


def _there(path: Path) -> str:
    if not path.exists():
        raise UnreadableFile("The file does not exist any more.", "Restore it, or forget the document.", gone=True)
    return str(path.absolute())


def _listed(numbers: Mapping[int, Any] | Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def _parsed(native: Any) -> Parsed:
    """Return a native result in our own shapes; each field of it is copied when it is asked for, so it is asked for once."""
    return Parsed(
        [_page(page) for page in native.pages], {error.page_num for error in native.page_errors if error.page_num}
    )


def _page(native: Any) -> ParsedPage:
    number, items = native.page_num, native.text_items
    letters: dict[int, int] = defaultdict(int)
    for item in items:
        letters[round(item.rotation / 90) % 4 * 90] += len(item.text)
    blocks = [_block(number, block) for block in native.blocks or ()]
    return ParsedPage(
        number,
        native.width,
        native.height,
        native.text,
        native.page_label,
        words_of(number, items),
        letters,
        blocks,
        [Note(note.subtype, note.contents) for note in native.annotations or ()],
        [
            Entry(entry.field_type, entry.name, entry.alternate_name, entry.value, entry.checked)
            for entry in native.form_fields or ()
        ],
        _rules(native) if any(block.kind == "table" for block in blocks) else (),
    )


def _rules(native: Any) -> list[Rule]:
    """Return the level and upright lines of a page."""
    drawn = [(line.x1, line.y1, line.x2, line.y2) for line in native.vector_graphics.lines]
    straight = [ends for ends in drawn if abs(ends[0] - ends[2]) <= 1.0 or abs(ends[1] - ends[3]) <= 1.0]
    return [Rule(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in straight]


def _block(number: int, native: Any) -> Block:
    rows, header, lines = native.rows, native.header, native.lines
    return Block(
        native.kind,
        native.text,
        native.level,
        native.marker,
        list(lines) if lines is not None else None,
        [_cell(number, cell) for cell in header] if header is not None else None,
        [[_cell(number, cell) for cell in row] for row in rows or ()],
        _box(number, native.bbox),
    )


def _cell(number: int, native: Any) -> BlockCell:
    return BlockCell(native.text, _box(number, native.bbox))


def _box(number: int, native: Any) -> Box | None:
    if native is None:
        return None
    x, y = native.x, native.y
    return Box(number, x, y, x + native.width, y + native.height)


def _refusal(message: str, password: str | None) -> UnreadableFile:
    """Return liteparse's error in our words; its own text may hold the file's path."""
    if "password" in message.lower() or "encrypt" in message.lower():
        wrong = "and the password given is wrong" if password else "and needs a password"
        return UnreadableFile(f"The PDF is encrypted {wrong}.", "Give its password, or save a copy without one.")
    return UnreadableFile("The PDF is damaged: it can't be opened.", DAMAGED)
