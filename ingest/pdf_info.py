"""Asks pdfium (the only file that imports pypdfium2) what a PDF says about itself: encryption, title, dates, labels."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ingest.errors import UnreadableFile
from ingest.formats import unopened

_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-])(\d\d)'?(\d\d)?)?")
_COUNT = re.compile(rb"/Count\s+(\d{7,20})(?!\d)")
_START = re.compile(rb"startxref\s+(\d{1,15})")
_TABLE = re.compile(rb"\s*(?:xref|\d+\s+\d+\s+obj)")
_DEEP = 100
_LABELLED = 100_000
"""Page labels are read up to here: a damaged file may claim any number of pages."""


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
    outline_ends: bool = True
    """False when its bookmarks lead back to themselves or nest absurdly: liteparse follows them until it crashes."""


class PdfInfoMissing(Exception):
    """Raised when pdfium can't make sense of a file; another reader may still be able to read its text."""


def inspect(path: Path, password: str | None = None) -> PdfInfo:
    """Return what a PDF says about itself, without reading its pages: some milliseconds for a thousand of them.

    UnreadableFile: it is encrypted and the password is missing or wrong, or the file can't be opened at all.
    PdfInfoMissing: its structure is too damaged.
    """
    # A native library that only processes which read PDFs need. pypdf, in Python, took 18 % of all reading.
    from pypdfium2 import PdfDocument, PdfiumError, raw

    try:
        repaired = _look_at_bytes(path)  # pdfium does not say why it can't open a file; this does
        for word in (None, password) if password else (None,):
            try:
                document = PdfDocument(path, password=word)
            except PdfiumError as error:
                if error.err_code != raw.FPDF_ERR_PASSWORD:
                    raise PdfInfoMissing(type(error).__name__) from error
                continue
            try:
                info = _info(document, encrypted=raw.FPDF_GetSecurityHandlerRevision(document) != -1)
                return replace(info, repaired=repaired)
            finally:
                document.close()
    except OSError as error:
        raise unopened(error) from error
    except ValueError as error:  # metadata that is no text
        raise PdfInfoMissing(type(error).__name__) from error
    wrong = "and the password given is wrong" if password else "and needs a password"
    raise UnreadableFile(f"The PDF is encrypted {wrong}.", "Give its password, or save a copy without one.")


def _look_at_bytes(path: Path) -> bool:
    """Say whether a PDF's cross-reference table is elsewhere than it says; UnreadableFile for absurd page counts."""
    with open(path, "rb") as file:
        if not file.read(1):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
            for count in _COUNT.finditer(held):
                if int(count[1]) > len(held):
                    raise UnreadableFile(
                        "The PDF is damaged: it claims more pages than it has bytes.", "Get a good copy."
                    )
            begun = max(0, held.find(b"%PDF-", 0, 1024))
            told = _START.findall(held[-2048:])
            at = begun + int(told[-1]) if told else len(held)
            return not _TABLE.match(held[at : at + 64]) if at < len(held) else True


def _info(document: Any, encrypted: bool) -> PdfInfo:
    """Return the metadata of an open PDF."""
    pages = len(document)
    labels = tuple(document.get_page_label(number) for number in range(min(pages, _LABELLED)))
    return PdfInfo(
        pages=pages,
        encrypted=encrypted,
        title=_clean(document.get_metadata_value("Title")),
        author=_clean(document.get_metadata_value("Author")),
        created=_moment(document.get_metadata_value("CreationDate")),
        labels=labels if any(labels) else (),
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
