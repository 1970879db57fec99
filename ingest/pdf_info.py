"""Asks pdfium (the only file that imports pypdfium2) what a PDF says about itself: encryption, title, dates, labels."""

from __future__ import annotations

import mmap
import re
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ingest.errors import UnreadableFile, too_many_pages
from ingest.formats import unopened

_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-])(\d\d)'?(\d\d)?)?")
_COUNT = re.compile(rb"/Count\s+(\d{7,20})(?!\d)")
_START = re.compile(rb"startxref\s+(\d{1,15})")
_TABLE = re.compile(rb"\s*(?:xref|\d+\s+\d+\s+obj)")
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_FLATE = re.compile(rb"/Filter\s*\[?\s*/(?:FlateDecode|Fl)\b")
_NO_TEXT = re.compile(rb"/Image\b|/Length1\b|/FontFile|/ICC|/N \d")
_DICTIONARY = 1000
_PIECE = 65_536
_MOST_INFLATED = 400_000_000
_DEEP = 100
_LABELLED = 100_000
"""Page labels are read up to here: a damaged file may claim any number of pages."""


most_pages = 0
"""Pages that a PDF may have, 0: any number. The process that reads sets it, so that a longer one is refused before it is read."""


@dataclass(frozen=True, slots=True)
class PdfInfo:
    """What a PDF says about itself; `labels` are the printed page numbers, empty when it defines none."""

    pages: int
    encrypted: bool
    title: str | None = None
    author: str | None = None
    created: str | None = None
    labels: tuple[str, ...] = ()
    repaired: bool = False
    """True when its cross-reference table is not where the file says: readers find the objects by searching."""
    damaged: bool = False
    """True when something in it that is compressed does not unpack, pictures and fonts aside."""
    drawn_by_program: bool = False
    """True when its pages are drawn by a program inside it (dynamic XFA), which readers here don't run."""
    outline_ends: bool = True
    """False when its bookmarks lead back to themselves or nest absurdly: liteparse follows them until it crashes."""


class PdfInfoMissing(Exception):
    """Raised when pdfium can't make sense of a file; another reader may still be able to read its text."""


def inspect(path: Path, password: str | None = None) -> PdfInfo:
    """Return what a PDF says about itself, without reading its pages: some milliseconds for a thousand of them.

    UnreadableFile: it is encrypted and its password is missing or wrong, it has more than `most_pages`, or can't be opened.
    PdfInfoMissing: its structure is too damaged.
    """
    # A native library that only processes which read PDFs need. pypdf, in Python, took 18 % of all reading.
    from pypdfium2 import PdfDocument, PdfiumError, raw

    try:
        repaired, damaged, locked = _look_at_bytes(path)  # pdfium does not say why it can't open a file; this does
        for word in (None, password) if password else (None,):
            try:
                document = PdfDocument(path, password=word)
            except PdfiumError as error:
                # It keeps the number of an earlier file's error where it gives none for this one.
                if error.err_code != raw.FPDF_ERR_PASSWORD or not locked:
                    raise PdfInfoMissing(type(error).__name__) from error
                continue
            try:
                info = _info(document, encrypted=raw.FPDF_GetSecurityHandlerRevision(document) != -1)
                if most_pages and info.pages > most_pages:
                    raise too_many_pages(info.pages, most_pages)
                return replace(info, repaired=repaired, damaged=damaged)
            finally:
                document.close()
    except OSError as error:
        raise unopened(error) from error
    except UnicodeError as error:  # metadata that is no text
        raise PdfInfoMissing(type(error).__name__) from error
    wrong = "and the password given is wrong" if password else "and needs a password"
    raise UnreadableFile(f"The PDF is encrypted {wrong}.", "Give its password, or save a copy without one.")


def _look_at_bytes(path: Path) -> tuple[bool, bool, bool]:
    """Say whether a PDF's cross-reference table is elsewhere than it says, something does not unpack, it is encrypted.

    UnreadableFile for absurd page counts.
    """
    with open(path, "rb") as file:
        if not file.read(1):
            return False, False, False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
            for count in _COUNT.finditer(held):
                if int(count[1]) > len(held):
                    raise UnreadableFile(
                        "The PDF is damaged: it claims more pages than it has bytes.", "Get a good copy."
                    )
            begun = max(0, held.find(b"%PDF-", 0, 1024))
            told = _START.findall(held[-2048:])
            at = begun + int(told[-1]) if told else len(held)
            repaired = not _TABLE.match(held[at : at + 64]) if at < len(held) else True
            locked = held.find(b"/Encrypt") >= 0
            return repaired, not locked and _is_damaged(held), locked


def _is_damaged(held: mmap.mmap) -> bool:
    """Say whether a compressed stream of an unencrypted PDF does not unpack: PDFium shows what comes before, or nothing.

    Pictures and fonts are left out, and what comes after _MOST_INFLATED bytes: a hundredth of the time of reading a file.
    """
    left = _MOST_INFLATED
    for match in _STREAM.finditer(held):
        dictionary = held[max(0, match.start() - _DICTIONARY) : match.start()]
        dictionary = dictionary[dictionary.rfind(b" obj") + 1 :]
        if not _FLATE.search(dictionary) or _NO_TEXT.search(dictionary):
            continue
        end = held.find(b"endstream", match.end())
        data = held[match.end() : end if end >= 0 else len(held)]
        if not inflates(data):
            return True
        left -= 8 * len(data)
        if left < 0:
            break
    return False


def inflates(data: bytes) -> bool:
    """Say whether zlib's data unpack to their end; a check sum that is left out is no damage, a wrong one is."""
    if not data.strip():
        return True
    try:
        whole = zlib.decompressobj()
        return _to_end(whole, data) or _to_end(zlib.decompressobj(-zlib.MAX_WBITS), data[2:])
    except zlib.error:
        return False


def _to_end(unpacker: Any, data: bytes) -> bool:
    """Unpack data piece by piece, which is thrown away; say whether the end was reached. zlib.error when damaged."""
    for at in range(0, len(data), _PIECE):
        piece = data[at : at + _PIECE]
        while piece and not unpacker.eof:
            unpacker.decompress(piece, 16 * _PIECE)
            piece = unpacker.unconsumed_tail
        if unpacker.eof:
            return True
    return bool(unpacker.eof)


def _info(document: Any, encrypted: bool) -> PdfInfo:
    """Return the metadata of an open PDF."""
    from pypdfium2 import raw

    pages = len(document)
    labels = tuple(document.get_page_label(number) for number in range(min(pages, _LABELLED)))
    return PdfInfo(
        pages=pages,
        encrypted=encrypted,
        title=_clean(document.get_metadata_value("Title")),
        author=_clean(document.get_metadata_value("Author")),
        created=_moment(document.get_metadata_value("CreationDate")),
        labels=labels if any(labels) else (),
        drawn_by_program=document.get_formtype() == raw.FORMTYPE_XFA_FULL,
        outline_ends=_outline_ends(document),
    )


def _outline_ends(document: Any) -> bool:
    """Say whether following the bookmarks comes to an end, no deeper than _DEEP."""
    from ctypes import addressof

    from pypdfium2 import raw

    seen: set[int] = set()
    waiting = [(raw.FPDFBookmark_GetFirstChild(document, None), 0)]
    while waiting:
        bookmark, depth = waiting.pop()
        while bookmark:
            if addressof(bookmark.contents) in seen or depth > _DEEP:
                return False
            seen.add(addressof(bookmark.contents))
            waiting.append((raw.FPDFBookmark_GetFirstChild(document, bookmark), depth + 1))
            bookmark = raw.FPDFBookmark_GetNextSibling(document, bookmark)
    return True


def _moment(value: str) -> str | None:
    """Return a PDF's date ("D:20220729060321-04'00'") in ISO 8601, None when it is none."""
    found = _DATE.match(value.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) if part else None for part in found.groups()[:6])
    zone = None
    if found[7]:
        zone = UTC
    elif found[8]:
        away = timedelta(hours=int(found[9]), minutes=int(found[10] or 0))
        zone = timezone(away if found[8] == "+" else -away) if away < timedelta(hours=24) else None
    try:
        return datetime(year or 1, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=zone).isoformat()
    except ValueError:  # e.g. a 32nd of May: the text is read all the same
        return None


def _clean(value: str) -> str | None:
    """Return metadata text on one line, None when there is none."""
    return " ".join(value.replace("\x00", "").split()) or None
