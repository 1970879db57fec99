"""Asks pypdf (the only file that imports it) what a PDF says about itself: encryption, title, dates, page labels."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.errors import UnreadableFile
from ingest.formats import unopened

if TYPE_CHECKING:
    from pypdf.generic import DictionaryObject


@dataclass(frozen=True, slots=True)
class PdfInfo:
    """What a PDF says about itself; `labels` are the printed page numbers, empty when it defines none."""

    pages: int
    encrypted: bool
    title: str | None = None
    author: str | None = None
    created: str | None = None
    labels: tuple[str, ...] = ()


class PdfInfoMissing(Exception):
    """Raised when pypdf can't make sense of a file; another reader may still be able to read its text."""


def inspect(path: Path, password: str | None = None) -> PdfInfo:
    """Return what a PDF says about itself.

    UnreadableFile: it is encrypted and the password is missing or wrong, or the file can't be opened at all.
    PdfInfoMissing: its structure is too damaged for pypdf, which says little about other readers.
    """
    from pypdf import PdfReader, overwrite_configuration
    from pypdf.errors import PyPdfError

    # pypdf logs a warning for every oddity it repairs, with fragments of the file in it.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        # The default limits refuse large but sound files; the child's memory limit protects against hostile ones.
        overwrite_configuration(array_maximum_element_count=5_000_000)
        reader = PdfReader(path, strict=False)
        encrypted = reader.is_encrypted
        if encrypted and not _opens(reader, password):
            wrong = "and the password given is wrong" if password else "and needs a password"
            raise UnreadableFile(f"The PDF is encrypted {wrong}.", "Give its password, or save a copy without one.")
        return _info(reader, encrypted)
    except UnreadableFile:
        raise
    except OSError as error:
        if error.errno is not None:
            raise unopened(error) from error
        raise PdfInfoMissing(type(error).__name__) from error
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, AssertionError,
            NotImplementedError, OverflowError, ArithmeticError, LookupError) as error:  # fmt: skip
        # pypdf raises plain Python errors of many kinds for damaged files.
        raise PdfInfoMissing(type(error).__name__) from error


def _opens(reader: object, password: str | None) -> bool:
    """Say whether the PDF opens with the password, or with the empty one that many "protected" files have."""
    from pypdf import PasswordType, PdfReader

    assert isinstance(reader, PdfReader)
    return any(reader.decrypt(word) != PasswordType.NOT_DECRYPTED for word in ("", password) if word is not None)


def _info(reader: object, encrypted: bool) -> PdfInfo:
    """Return the metadata of an open PDF."""
    from pypdf import PdfReader

    assert isinstance(reader, PdfReader)
    meta = reader.metadata
    created = meta.creation_date if meta else None
    return PdfInfo(
        pages=len(reader.pages),
        encrypted=encrypted,
        title=_clean(meta.title) if meta else None,
        author=_clean(meta.author) if meta else None,
        created=created.isoformat() if created else None,
        labels=tuple(reader.page_labels) if "/PageLabels" in reader.root_object else (),
    )


def _clean(value: object) -> str | None:
    """Return metadata text on one line, None when there is none."""
    text = " ".join(str(value).replace("\x00", "").split()) if value else ""
    return text or None


def attachments(path: Path, password: str | None = None) -> Iterator[tuple[str, list[bytes] | UnreadableFile]]:
    """Yield (name, content) of the files attached to a PDF or bound together in it; nothing for damaged PDFs."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError
    from pypdf.generic import DictionaryObject

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not _opens(reader, password):
            return
        for number, spec in enumerate(_filespecs(reader), start=1):
            name = _clean(spec.get("/UF") or spec.get("/F")) or f"attachment-{number}"
            held = spec.get("/EF")
            stream = held.get_object() if held is not None else None
            found = (stream.get("/UF") or stream.get("/F")) if isinstance(stream, DictionaryObject) else None
            if found is None:
                continue
            try:
                content: list[bytes] | UnreadableFile = [found.get_object().get_data()]
            except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError):
                content = UnreadableFile("The attachment of the PDF is damaged.", "Get a good copy of the PDF.")
            yield name, content
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, AssertionError,
            NotImplementedError, OverflowError, ArithmeticError, LookupError, OSError):  # fmt: skip
        return  # what else is wrong with the file is said where its text is read


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
