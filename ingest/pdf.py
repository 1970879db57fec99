"""Reads PDFs through liteparse (the only file that imports it): blocks with their places, tables, page images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.elements import Page, Reading, Writer
from ingest.errors import UnreadableFile
from ingest.pdf_info import PdfInfo, PdfInfoMissing, inspect
from ingest.pdf_page import Carried, write_pages
from ingest.pdf_words import Turn, turned

if TYPE_CHECKING:
    from liteparse import LiteParse
    from liteparse.types import ParsedPage, ParseResult

_DAMAGED = "Open it in a PDF viewer, print or save it as a new PDF, and ingest that."
_BATCH_ABOVE = 300
_BATCH = 150
_MAX_PAGES = 10_000_000
_STRUCTURE = {
    "output_format": "markdown",
    "extract_blocks": True,
    "emit_word_boxes": True,
    "extract_links": False,
    "continue_on_page_error": True,
}


def read_pdf(path: Path, password: str | None = None) -> Reading:
    """Read a PDF: headings, paragraphs, lists and tables in reading order, with a box for every word.

    Pages without text are named in `problems`; UnreadableFile when no page has any, when a password is missing, or
    when the file is too damaged.
    """
    problems: list[str] = []
    try:
        info = inspect(path, password)
    except PdfInfoMissing:
        info = PdfInfo(pages=0, encrypted=False)
        problems.append("The PDF's title, author and page labels could not be read.")
    writer, carried = Writer(), Carried()
    pages: list[Page] = []
    blank: list[int] = []
    failed: list[int] = []
    # Renaming the entry, at the same length, keeps every offset of the file right.
    source = path if info.outline_ends else path.read_bytes().replace(b"/Outlines", b"/Outlinez")
    for result in _parse(source, password, info.pages):
        failed += [error.page_num for error in result.page_errors if error.page_num]
        pages += [Page(p.page_num, _label(p, info.labels), round(p.width, 2), round(p.height, 2)) for p in result.pages]
        turns = turned(result.pages)
        blank += write_pages(writer, _upright(source, password, result.pages, turns), carried, turns)
        del result  # or the next batch is parsed beside it
    if not pages:
        raise UnreadableFile("The PDF has no pages that can be read.", _DAMAGED)
    if not writer.elements:
        raise UnreadableFile(
            "The PDF has no text layer: its pages are images.",
            "Make it searchable with an OCR program and ingest it again.",
        )
    if blank:
        problems.append(_sentence(blank, "no text layer (scanned?)"))
    if failed:
        problems.append(_sentence(sorted(set(failed)), "damaged content"))
    metadata = {"author": info.author, "created": info.created}
    return writer.reading(pages, info.title, problems, {k: v for k, v in metadata.items() if v})


def _label(page: ParsedPage, labels: Sequence[str]) -> str | None:
    """Return the printed number of a page, where the file has page labels."""
    given = labels[page.page_num - 1] if page.page_num <= len(labels) else page.page_label
    return given or None


def _liteparse(password: str | None, **options: Any) -> LiteParse:
    """Return liteparse with everything off that isn't needed.

    Its OCR must stay off: it downloads Tesseract's data at first use. One worker: the child has one task at a time.
    """
    from liteparse import LiteParse

    # Without max_pages it stops after 1,000 pages and says nothing.
    return LiteParse(
        ocr_enabled=False,
        image_mode="off",
        quiet=True,
        num_workers=1,
        max_pages=_MAX_PAGES,
        password=password,
        **options,
    )


def _parse(source: Path | bytes, password: str | None, pages: int) -> Iterator[ParseResult]:
    """Yield liteparse's results: one, or for a long document one for each batch of pages, which bounds the memory.

    liteparse recognises running headers over the pages that it parses together.
    """
    from liteparse.types import ParseError

    parser = _liteparse(password, **_STRUCTURE)
    try:
        if pages <= _BATCH_ABOVE:
            yield parser.parse(source)
        else:
            for batch in parser.parse_batches(source, _BATCH):
                yield batch.result
                del batch
    except ParseError as error:
        raise _refusal(str(error), password) from error
    except FileNotFoundError as error:
        raise UnreadableFile("The file does not exist any more.", "Restore it, or forget the document.") from error


def _upright(
    source: Path | bytes, password: str | None, pages: list[ParsedPage], turns: Mapping[int, Turn]
) -> list[ParsedPage]:
    """Return pages with those that are turned parsed again, upright: liteparse sets turned text letter by letter."""
    if not turns:
        return pages
    corrections = [(number, turn.angle) for number, turn in turns.items()]
    numbers = ",".join(map(str, turns))
    parser = _liteparse(password, page_orientation_corrections=corrections, target_pages=numbers, **_STRUCTURE)
    upright = {page.page_num: page for page in parser.parse(source).pages}
    return [upright.get(page.page_num, page) for page in pages]


def _refusal(message: str, password: str | None) -> UnreadableFile:
    """Return liteparse's error in our words; its own text may hold the file's path."""
    if "password" in message.lower() or "encrypt" in message.lower():
        wrong = "and the password given is wrong" if password else "and needs a password"
        return UnreadableFile(f"The PDF is encrypted {wrong}.", "Give its password, or save a copy without one.")
    return UnreadableFile("The PDF is damaged: it can't be opened.", _DAMAGED)


def _sentence(numbers: Sequence[int], what: str) -> str:
    """Return "Pages 3, 5-7 have no text layer; they were not read."."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
    if len(numbers) == 1:
        return f"Page {shown} has {what}; it was not read."
    return f"Pages {shown} have {what}; they were not read."


def render_page(path: Path, number: int, dpi: float, password: str | None = None) -> bytes:
    """Return one page as PNG, `dpi` pixels an inch; only that page is rendered. UnreadableFile when there is none."""
    from liteparse.types import ParseError

    try:
        shots = _liteparse(password, dpi=float(dpi)).screenshot(path, page_numbers=[number])
    except ParseError as error:
        if "out of range" in str(error):
            raise UnreadableFile(f"The PDF has no page {number}.", "Give a page number that it has.") from error
        raise _refusal(str(error), password) from error
    except FileNotFoundError as error:
        raise UnreadableFile("The file does not exist any more.", "Restore it, or forget the document.") from error
    return bytes(shots[0].image_bytes)
