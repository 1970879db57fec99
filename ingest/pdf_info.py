"""Asks pypdf (the only file that imports it) what a PDF says about itself: encryption, title, dates, page labels."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import UnreadableFile
from ingest.formats import unopened


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
