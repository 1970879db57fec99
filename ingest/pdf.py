"""Reads PDFs: blocks with their places, tables, what they hide, page images."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ingest import ocr
from ingest.alt_text import described
from ingest.elements import Page, Reading, Writer
from ingest.errors import NO_TEXT_IN_PDF, NoText, UnreadableFile
from ingest.pdf_hidden import Concealed, conceal
from ingest.pdf_info import PdfInfo, PdfInfoMissing, inspect
from ingest.pdf_liteparse import BATCH, BATCH_ABOVE, DAMAGED, parse, picture, upright
from ingest.pdf_objects import broken_pages
from ingest.pdf_page import Carried, write_pages
from ingest.pdf_source import BarePage, Sources, choose
from ingest.pdf_words import turned
from ingest.pdfium import image_of, opened, sizes


def read_pdf(path: Path, password: str | None = None, plain: bool = False) -> Reading:
    """Read a PDF: headings, paragraphs, lists and tables in reading order, with a box for every word.

    Pages whose text layer is missing, garbled or not what the page shows are read by OCR. `plain` reads through PDFium
    alone, without structure, for files on which liteparse crashes. Text that a page does not show follows it as hidden
    paragraphs. Pages that hold no text that can be read are named in `problems`; UnreadableFile when no page has any, when
    a password is missing, or when the file is too damaged.
    """
    problems: list[str] = []
    password = _opening(path, password)
    try:
        info = inspect(path, password)
    except PdfInfoMissing:
        info = PdfInfo(pages=0, encrypted=False)
        problems.append("The PDF's title, author and page labels could not be read.")
    writer, carried, sources = Writer(), Carried(), Sources()
    pages: list[Page] = []
    blank: list[int] = []
    lost: list[int] = []
    told_once: set[str] = set()
    # Renaming the entry, at the same length, keeps every offset of the file right.
    concealed = _concealed(path, password)
    # liteparse goes by the name: a file that is called otherwise is handed over as bytes.
    source: Path | bytes = concealed.source or (path if path.suffix.lower() == ".pdf" else path.read_bytes())
    if not info.outline_ends:
        source = (concealed.source or path.read_bytes()).replace(b"/Outlines", b"/Outlinez")
    for found in _batches(source, path, password, info, plain):
        lost += [page.page_num for page in found if not page.width]
        batch = [page for page in found if page.width]
        choose(sources, source, password, batch, concealed.seen, concealed.spoilt)
        turns = turned([page for page in batch if page.page_num not in sources.lines])
        pages += [_page(page, info.labels, sources) for page in batch]
        pictured = _pictured(concealed, [page.page_num for page in batch], told_once)
        blank += write_pages(
            writer, upright(source, password, batch, turns), carried, turns, sources.lines, concealed.pages, pictured
        )
        sources.lines.clear()
        ocr.page_done()  # a long document may take longer than one file may
        del batch, found  # or the next one is parsed beside it
    if not pages:
        raise UnreadableFile("The PDF has no pages that can be read.", DAMAGED)
    damage = _damage(path, password, info, [n for n in blank if n not in sources.empty], lost)
    if not writer.elements:
        raise _nothing(sources, damaged=bool(damage or lost))
    unread = [number for number in blank if number in sources.empty]
    if info.drawn_by_program:
        problems.append(f"The PDF is a form that draws its pages itself (XFA): they were not read. {DAMAGED}")
    if unread:
        problems.append(_sentence(unread, "no text layer, and OCR found no text in the picture"))
    problems += damage
    if lost:
        problems.append(f"{_sentence(lost, 'damaged content')} {DAMAGED}")
    if plain:
        problems.append(f"Reading crashed on this PDF: headings and tables were read as plain text. {DAMAGED}")
    weak = ocr.weak_pages(pages)
    metadata = {"author": info.author, "created": info.created}
    told = [*problems, *sources.problems(), *([weak] if weak else [])]
    return writer.reading(pages, info.title, told, {k: v for k, v in metadata.items() if v})


def _concealed(path: Path, password: str | None) -> Concealed:
    """Return what a file hides; nothing is looked for where PDFium can't open what liteparse may."""
    try:
        return conceal(path, password)
    except UnreadableFile:
        return Concealed(None, {}, {})


def _pictured(concealed: Concealed, numbers: Sequence[int], told: set[str]) -> dict[int, list[str]]:
    """Return what the pictures on pages show, as the tags of the file say it, each text once; nothing where PDFium can't look."""
    found: dict[int, list[str]] = {}
    for number in numbers:
        glance = concealed.seen.get(number)
        texts = [text for text in map(described, glance.alternatives if glance else ()) if text and text not in told]
        found[number] = list(dict.fromkeys(texts))
        told.update(texts)
    return found


def _opening(path: Path, password: str | None) -> str | None:
    """Return the form of a password that PDFium opens a file with: as typed, or prepared as RFC 4013 wants.

    PDFium, and with it liteparse, does not prepare it.
    """
    prepared = unicodedata.normalize("NFKC", (password or "").replace("\u00ad", ""))
    if not password or prepared == password:
        return password
    try:
        with opened(path, password):
            return password
    except UnreadableFile:
        return prepared


def _batches(source: Path | bytes, path: Path, password: str | None, info: PdfInfo, plain: bool) -> Iterator[list[Any]]:
    """Yield the pages in order, in batches: liteparse's, bare ones where it has none; those that can't be read have no size."""
    if plain:
        yield _bare(path, password, set())
        return
    begun = 1
    for parsed in parse(source, password, info.pages):
        pages: list[Any] = parsed.pages
        failed = parsed.failed
        del parsed
        end = min(info.pages, begun + BATCH - 1) if info.pages > BATCH_ABOVE else info.pages
        missing = (set(range(begun, end + 1)) | failed) - {page.page_num for page in pages}
        if missing:
            pages = sorted([*pages, *_bare(path, password, missing)], key=lambda page: page.page_num)
        begun = end + 1
        yield pages
        del pages


def _bare(path: Path, password: str | None, numbers: set[int]) -> list[BarePage]:
    """Return pages (all when no number is given) with nothing but their sizes; 0 for those that PDFium can't load either."""
    try:
        with opened(path, password) as document:
            found = sizes(document)
    except UnreadableFile:
        return [BarePage(number, 0.0, 0.0) for number in sorted(numbers)]
    wanted = numbers or range(1, len(found) + 1)
    return [BarePage(n, *(found[n - 1] if n <= len(found) else (0.0, 0.0))) for n in sorted(wanted)]


def _nothing(sources: Sources, damaged: bool) -> UnreadableFile:
    """Return the error for a PDF without any text."""
    if damaged:
        return UnreadableFile("The PDF is damaged: no text could be read from its pages.", DAMAGED)
    if sources.empty:
        return NoText(
            NO_TEXT_IN_PDF,
            "If they hold text, scan it again at 300 dpi, upright and sharp.",
        )
    return NoText("The PDF has no text: its pages are empty.", "Check that it is the right file.")


def _page(page: Any, labels: Sequence[str], sources: Sources) -> Page:
    """Return a page's number, label, size and whether it was read by OCR."""
    number = page.page_num
    confidence = sources.confidence.get(number)
    size = round(page.width, 2), round(page.height, 2)
    return Page(number, _label(page, labels), *size, number in sources.confidence, confidence)


def _label(page: Any, labels: Sequence[str]) -> str | None:
    """Return the printed number of a page, where the file has page labels."""
    given = labels[page.page_num - 1] if page.page_num <= len(labels) else page.page_label
    return given or None


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


def _damage(path: Path, password: str | None, info: PdfInfo, blank: Sequence[int], lost: Sequence[int]) -> list[str]:
    """Return sentences on the pages whose content breaks off: any of a damaged file, else those that seem blank."""
    whole = info.repaired or info.damaged or not info.pages
    if not whole and not blank:
        return []
    found = broken_pages(path, password, None if whole else blank)
    if not found.listed:
        return [f"The PDF is damaged; text may be missing or wrong on any of its pages. {DAMAGED}"] if whole else []
    sentences = []
    broken = [number for number in found.pages if number not in lost]
    if broken:
        shown = ", ".join(map(str, broken[:10])) + (", …" if len(broken) > 10 else "")
        sentences.append(f"The PDF is damaged; text may be missing or wrong on page {shown}. {DAMAGED}")
    if found.unchecked:
        sentences.append(f"The PDF is damaged, and its last {found.unchecked} pages were not checked for it. {DAMAGED}")
    return sentences


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
    return picture(path, number, dpi, password)
