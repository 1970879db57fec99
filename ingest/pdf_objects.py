"""Looks at a PDF's objects through pypdf (the only file that imports it): attached files, pages with broken content."""

from __future__ import annotations

import logging
import mmap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.archive import BROKEN
from ingest.errors import UnreadableFile
from ingest.pdf_info import inflates

if TYPE_CHECKING:
    from pypdf import PdfReader
    from pypdf.generic import DictionaryObject

_LOOKED_AT = 300
_MALFORMED = (ValueError, TypeError, AttributeError, RecursionError, AssertionError, NotImplementedError, ArithmeticError,
              LookupError)  # fmt: skip
"""What pypdf raises for damaged files beside its own errors, and what we meet where it finds an object of another type."""


def attachments(path: Path, password: str | None = None) -> Iterator[tuple[str, list[bytes] | UnreadableFile]]:
    """Yield (name, content) of the files attached to a PDF or bound together in it.

    Raises UnreadableFile when it may have some and they can't be listed.
    """
    if not _may_have_any(path, password):
        return
    from pypdf.errors import PyPdfError
    from pypdf.generic import DictionaryObject

    try:
        with _opened(path, password) as reader:
            if reader is None:
                raise UnreadableFile("They can't be decrypted.", "Save a copy without a password.")
            for number, spec in enumerate(_filespecs(reader), start=1):
                name = _clean(spec.get("/UF") or spec.get("/F")) or f"attachment-{number}"
                held = spec.get("/EF")
                stream = held.get_object() if held is not None else None
                found = (stream.get("/UF") or stream.get("/F")) if isinstance(stream, DictionaryObject) else None
                if found is None:
                    continue
                try:
                    content: list[bytes] | UnreadableFile = [found.get_object().get_data()]
                except (PyPdfError, *_MALFORMED, *BROKEN):
                    content = UnreadableFile("The attachment of the PDF is damaged.", "Get a good copy of the PDF.")
                yield name, content
    except (PyPdfError, *_MALFORMED, *BROKEN) as error:
        raise UnreadableFile("The PDF is damaged.", "Get a good copy of the PDF.") from error


@dataclass(frozen=True, slots=True)
class Broken:
    """What is known of damage to pages: the numbers of those whose content is damaged, and how many were not looked at.

    `listed` is False when the file is too damaged to say which pages it has.
    """

    pages: tuple[int, ...] = ()
    unchecked: int = 0
    listed: bool = True


def broken_pages(path: Path, password: str | None, numbers: Iterable[int] | None = None) -> Broken:
    """Return which pages (of `numbers`, or of all) have content that is missing or can't be followed to its end.

    Other readers show a part of them, or a blank page. Slow: for damaged files, and no more than _LOOKED_AT pages.
    """
    from pypdf.errors import PyPdfError

    try:
        with _opened(path, password) as reader:
            if reader is None:
                return Broken(listed=False)
            count = len(reader.pages)
            wanted = [number for number in numbers if number <= count] if numbers is not None else range(1, count + 1)
            found = tuple(number for number in wanted[:_LOOKED_AT] if _is_broken(reader, number))
    except (PyPdfError, *_MALFORMED):
        return Broken(listed=False)
    return Broken(found, max(0, len(wanted) - _LOOKED_AT))


def _is_broken(reader: PdfReader, number: int) -> bool:
    """Say whether a page's content, or a form that it may draw, is missing, damaged or malformed."""
    from pypdf.errors import PyPdfError
    from pypdf.generic import ArrayObject, ContentStream, NullObject

    try:
        page = reader.pages[number - 1]
        held = page.get("/Contents")
        content = held.get_object() if held is not None else None
        parts = [part.get_object() for part in content] if isinstance(content, ArrayObject) else [content]
        if held is not None and any(part is None or isinstance(part, NullObject) for part in parts):
            return True
        if any(_is_cut(part) for part in [*parts, *_forms(page)]):
            return True
        if content is not None:
            _ = ContentStream(content, reader).operations
    except (PyPdfError, *_MALFORMED):
        return True
    return False


def _forms(page: DictionaryObject) -> Iterator[object]:
    """Yield the forms among a page's resources, which it may draw."""
    from pypdf.generic import DictionaryObject

    resources = page.get("/Resources")
    named = resources.get_object().get("/XObject") if resources is not None else None
    drawn = named.get_object() if named is not None else None
    for held in drawn.values() if isinstance(drawn, DictionaryObject) else ():
        form = held.get_object()
        if isinstance(form, DictionaryObject) and form.get("/Subtype") == "/Form":
            yield form


def _is_cut(stream: object) -> bool:
    """Say whether a stream is compressed and does not unpack to its end: pypdf takes what it gets, and says nothing."""
    from pypdf.generic import ArrayObject, StreamObject

    if not isinstance(stream, StreamObject):
        return False
    filters = stream.get("/Filter")
    first = filters[0] if isinstance(filters, ArrayObject) and filters else filters
    return first in ("/FlateDecode", "/Fl") and not inflates(stream._data)


def _may_have_any(path: Path, password: str | None) -> bool:
    """Say whether PDFium lists embedded files, or the file names one: pypdf, in Python, takes a quarter of all reading.

    A stream's dictionary is never compressed, so its type, where it is given, can be seen in the file.
    """
    from ingest.pdfium import opened

    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        if any(held.find(name) >= 0 for name in (b"EmbeddedFile", b"/EF", b"FileAttachment")):
            return True
    try:
        with opened(path, password) as document:
            return bool(document.count_attachments())
    except UnreadableFile:
        return True  # pypdf may open what PDFium can't, and says so when it can't either


def _filespecs(reader: object) -> Iterator[DictionaryObject]:
    """Yield the file specifications in a PDF's list of embedded files, then those of notes on its pages."""
    from pypdf import PdfReader
    from pypdf.generic import DictionaryObject

    assert isinstance(reader, PdfReader)
    seen: set[int] = set()
    names = reader.root_object.get("/Names")
    tree = names.get_object().get("/EmbeddedFiles") if names is not None else None
    waiting = [tree.get_object()] if tree is not None else []
    while waiting and len(seen) < 20_000:
        node = waiting.pop(0)
        if id(node) in seen or not isinstance(node, DictionaryObject):
            continue
        seen.add(id(node))
        waiting += [kid.get_object() for kid in node.get("/Kids", [])]
        for spec in node.get("/Names", [])[1::2]:
            found = spec.get_object()
            if isinstance(found, DictionaryObject):
                seen.add(id(found))
                yield found
    for page in reader.pages[:2000]:
        for note in page.get("/Annots") or []:
            shown = note.get_object()
            spec = shown.get("/FS") if isinstance(shown, DictionaryObject) else None
            found = spec.get_object() if spec is not None else None
            if (
                isinstance(found, DictionaryObject)
                and shown.get("/Subtype") == "/FileAttachment"
                and id(found) not in seen
            ):
                seen.add(id(found))
                yield found


@contextmanager
def _opened(path: Path, password: str | None) -> Iterator[PdfReader | None]:
    """Open a PDF for the length of the block, read where it is needed: given a path, pypdf would hold the whole file. It is None
    when its password is missing or wrong."""
    from pypdf import PdfReader, overwrite_configuration

    # pypdf logs a warning for every oddity it repairs, with fragments of the file in it.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    # The default limits refuse large but sound files; the child's memory limit protects against hostile ones.
    overwrite_configuration(array_maximum_element_count=5_000_000)
    with open(path, "rb") as file:
        reader = PdfReader(file)
        yield None if reader.is_encrypted and not _opens(reader, password) else reader


def _opens(reader: object, password: str | None) -> bool:
    """Say whether the PDF opens with the password, or with the empty one that many "protected" files have."""
    from pypdf import PasswordType, PdfReader

    assert isinstance(reader, PdfReader)
    return any(reader.decrypt(word) != PasswordType.NOT_DECRYPTED for word in ("", password) if word is not None)


def _clean(value: object) -> str | None:
    """Return a name on one line, None when there is none."""
    return " ".join(str(value).replace("\x00", "").split()) or None if value else None
