"""Reads PDFs through liteparse (the only file that imports it): blocks with their places, tables, page images."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.elements import Page, Reading, Writer
from ingest.errors import UnreadableFile
from ingest.ocr import weak_pages
from ingest.pdf_info import PdfInfo, PdfInfoMissing, inspect
from ingest.pdf_page import write_pages
from ingest.pdf_source import BarePage, Sources, sources_of
from ingest.pdfium import image_of, opened, sizes

if TYPE_CHECKING:
    from liteparse import LiteParse
    from liteparse.types import ParsedPage

_DAMAGED = "Open it in a PDF viewer, print or save it as a new PDF, and ingest that."
_BATCH_ABOVE = 300
_BATCH = 150


def read_pdf(path: Path, password: str | None = None, plain: bool = False) -> Reading:
    """Read a PDF: headings, paragraphs, lists and tables in reading order, with a box for every word.

    Pages whose text layer is missing, garbled or not what the page shows are read by OCR. `plain` reads through PDFium
    alone, without structure, for files on which liteparse crashes. Pages that hold no text that can be read are named
    in `problems`; UnreadableFile when no page has any, when a password is missing, or when the file is too damaged.
    """
    problems: list[str] = []
    try:
        info = inspect(path, password)
    except PdfInfoMissing:
        info = PdfInfo(pages=0, encrypted=False)
        problems.append("The PDF's title, author and page labels could not be read.")
    password = _opening(path, password)
    pages, failed = _pages(path, password, info, plain)
    if not pages:
        raise UnreadableFile("The PDF has no pages that can be read.", _DAMAGED)
    sources = sources_of(path, password, pages)
    writer = Writer()
    blank = write_pages(writer, pages, sources.lines)
    if not writer.elements:
        raise _nothing(sources)
    unread = [number for number in blank if number in sources.empty]
    if unread:
        problems.append(_sentence(unread, "no text layer, and OCR found no text in the picture"))
    if failed:
        problems.append(_sentence(failed, "damaged content"))
    return _finish(writer, pages, info, [*problems, *sources.problems()], sources)


def _opening(path: Path, password: str | None) -> str | None:
    """Return the form of a password that PDFium opens a file with: as typed, or prepared as RFC 4013 wants.

    pypdf prepares it by itself; PDFium, and with it liteparse, does not.
    """
    prepared = unicodedata.normalize("NFKC", (password or "").replace("\u00ad", ""))
    if not password or prepared == password:
        return password
    try:
        with opened(path, password):
            return password
    except UnreadableFile:
        return prepared


def _pages(path: Path, password: str | None, info: PdfInfo, plain: bool) -> tuple[list[Any], list[int]]:
    """Return the pages, liteparse's where it has them, and the numbers of those that nobody can read."""
    if plain:
        parsed: list[Any] = []
        with opened(path, password) as document:
            found = sizes(document)
    else:
        parsed, failed = _parse(path, password, info.pages)
        if not failed:
            return parsed, []
        try:
            with opened(path, password) as document:
                found = sizes(document)
        except UnreadableFile:
            return parsed, failed
    known = {page.page_num for page in parsed}
    bare = [BarePage(n, w, h) for n, (w, h) in enumerate(found, start=1) if n not in known and w and h]
    lost = [n for n, (w, _) in enumerate(found, start=1) if n not in known and not w]
    return sorted([*parsed, *bare], key=lambda page: page.page_num), lost


def _nothing(sources: Sources) -> UnreadableFile:
    """Return the error for a PDF without any text."""
    if sources.empty:
        return UnreadableFile(
            "The PDF has no text layer, and OCR found no text in its pictures.",
            "If they hold text, scan it again at 300 dpi, upright and sharp.",
        )
    return UnreadableFile("The PDF has no text: its pages are empty.", "Check that it is the right file.")


def _finish(writer: Writer, pages: list[Any], info: PdfInfo, problems: list[str], sources: Sources) -> Reading:
    """Return the reading with page sizes, labels and metadata."""
    labelled = [
        Page(
            page.page_num,
            _label(page, info.labels),
            round(page.width, 2),
            round(page.height, 2),
            page.page_num in sources.confidence,
            sources.confidence.get(page.page_num),
        )
        for page in pages
    ]
    weak = weak_pages(labelled)
    metadata = {"author": info.author, "created": info.created}
    told = [*problems, *([weak] if weak else [])]
    return writer.reading(labelled, info.title, told, {k: v for k, v in metadata.items() if v})


def _label(page: Any, labels: Sequence[str]) -> str | None:
    """Return the printed number of a page, where the file has page labels."""
    given = labels[page.page_num - 1] if page.page_num <= len(labels) else page.page_label
    return given or None


def _liteparse(password: str | None, **options: Any) -> LiteParse:
    """Return liteparse with everything off that isn't needed.

    Its OCR must stay off: it downloads Tesseract's data at first use. One worker: the child has one task at a time.
    """
    from liteparse import LiteParse

    return LiteParse(ocr_enabled=False, image_mode="off", quiet=True, num_workers=1, password=password, **options)


def _parse(path: Path, password: str | None, pages: int) -> tuple[list[ParsedPage], list[int]]:
    """Return liteparse's pages, and the numbers of the pages that it failed on.

    Running headers are recognised over all pages that are parsed together, so a document is parsed as a whole up to
    300 pages; longer ones go in batches, which bounds the memory.
    """
    from liteparse.types import ParseError

    parser = _liteparse(
        password,
        output_format="markdown",
        extract_blocks=True,
        emit_word_boxes=True,
        extract_links=False,
        continue_on_page_error=True,
    )
    try:
        in_batches = pages > _BATCH_ABOVE
        results = [b.result for b in parser.parse_batches(path, _BATCH)] if in_batches else [parser.parse(path)]
    except ParseError as error:
        raise _refusal(str(error), password) from error
    except FileNotFoundError as error:
        raise UnreadableFile("The file does not exist any more.", "Restore it, or forget the document.") from error
    failed = sorted({e.page_num for result in results for e in result.page_errors if e.page_num})
    return [page for result in results for page in result.pages], failed


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


def render_page(path: Path, number: int, dpi: float, password: str | None = None, plain: bool = False) -> bytes:
    """Return one page as PNG, `dpi` pixels an inch; only that page is rendered. UnreadableFile when there is none.

    `plain` renders with PDFium alone, for files on which liteparse crashes.
    """
    password = _opening(path, password)
    if plain:
        with opened(path, password) as document:
            found = image_of(document, number, dpi)
        if found is None:
            raise UnreadableFile(f"The PDF has no page {number}.", "Give a page number that it has.")
        buffer = io.BytesIO()
        found[0].save(buffer, "PNG")
        return buffer.getvalue()
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
