"""Says which reader reads a file: by its suffix, checked against what the file really holds."""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

from ingest.elements import Reading
from ingest.errors import UnreadableFile

_FORMATS = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".docm": "docx",
    ".pptx": "pptx",
    ".pptm": "pptx",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".eml": "eml",
    ".epub": "epub",
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "text",
    ".text": "text",
    ".log": "text",
    ".rst": "text",
}

SUFFIXES: frozenset[str] = frozenset(_FORMATS)
"""The suffixes that can be ingested, in lower case."""

_TEXTUAL = {"html", "eml", "markdown", "csv", "text"}
_INNER = {"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx"}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_HEAD = 65536
_MAX_MEMBERS = 20_000
_MAX_UNPACKED = 1_000_000_000
_MAX_RATIO = 400
_MAIL_HEADER = re.compile(r"(?:From \S+.*\r?\n)?(?:[ \t].*\r?\n)*[A-Za-z][A-Za-z0-9-]*:[ \t\r\n]")


def check_name(path: Path) -> str:
    """Return the format that the suffix promises; UnreadableFile for unknown suffixes, empty and unreachable files."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        shown = f'Files ending in "{suffix}" are' if suffix else "Files without a suffix are"
        raise UnreadableFile(f"{shown} not supported.", f"Supported are {' '.join(sorted(SUFFIXES))}.")
    try:
        found = path.stat()
    except OSError as error:
        raise unopened(error) from error
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableFile("This is not a regular file.", "Give the path of a file.")
    if found.st_size == 0:
        raise UnreadableFile("The file is empty.", "It has 0 bytes; check where it came from.")
    return _FORMATS[suffix]


def unopened(error: OSError) -> UnreadableFile:
    """Return the error for a file that can't be opened: gone, not permitted, or a failing disk."""
    if isinstance(error, FileNotFoundError):
        return UnreadableFile("The file does not exist any more.", "Restore it, or forget the document.", gone=True)
    if isinstance(error, PermissionError):
        return UnreadableFile("The file may not be read: permission denied.", "Give this program's user read access.")
    what = error.strerror or "input error"
    return UnreadableFile(f"The file could not be opened: {what}.", "Check the disk, then ingest again.")


def detect(path: Path) -> str:
    """Return the name of the file's format.

    The content decides where it is certain (a PDF named .txt is read as a PDF); where name and content contradict
    each other and the content is not certain, the file is refused with UnreadableFile.
    """
    promised = check_name(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise unopened(error) from error
    found = _certain(path, head, promised)
    if found is not None:
        return found
    if promised not in _TEXTUAL:
        raise _mismatch(promised)
    if not _is_text(head):
        raise UnreadableFile("The file holds binary data, not text.", "Give it the suffix of its real format.")
    if promised == "eml" and not _MAIL_HEADER.match(_decoded(head).lstrip()):
        raise UnreadableFile("The file is no e-mail: it has no header lines.", "Rename it to .txt to read it as text.")
    return promised


def _certain(path: Path, head: bytes, promised: str) -> str | None:
    """Return the format by the content's signature, None when the content has none."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n\x00")
    if start.startswith(b"%PDF-") or (promised == "pdf" and b"%PDF" in head[:1024]):
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return _zipped(path)
    if head.startswith(_OLE):
        raise _ole(path)
    if promised not in _TEXTUAL and re.match(rb"<!doctype html|<html", start, re.I):
        return "html"
    return None


def _zipped(path: Path) -> str:
    """Return the format of a ZIP container by the names inside; refuse bombs before anything is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            packed = max(1, sum(member.compress_size for member in members))
            bomb = unpacked > _MAX_UNPACKED or (unpacked > 50_000_000 and unpacked / packed > _MAX_RATIO)
            if len(members) > _MAX_MEMBERS or bomb:
                raise UnreadableFile(
                    "The file unpacks to far more data than it holds (a decompression bomb?).", "Do not open it."
                )
            names = {member.filename.replace("\\", "/").lstrip("/") for member in members}
            for inner, name in _INNER.items():
                if inner in names:
                    return name
            if "META-INF/container.xml" in names:
                return "epub"
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise UnreadableFile(
            "The file is damaged: its ZIP container can't be opened.", "Get a good copy, or save it again."
        ) from error
    raise UnreadableFile("The file is a ZIP archive, not a document.", "Unpack it and ingest what it contains.")


def _ole(path: Path) -> UnreadableFile:
    """Return the error for an OLE container: an encrypted modern Office file, or one of the old binary formats."""
    if "EncryptedPackage".encode("utf-16-le") in path.read_bytes():
        return UnreadableFile(
            "The Office file is encrypted and needs a password.", "Save a copy without a password and ingest that."
        )
    return UnreadableFile(
        "The file is in an old binary Office format (doc, xls, ppt or msg).", "Save it as docx, xlsx, pptx or eml."
    )


def _mismatch(promised: str) -> UnreadableFile:
    """Return the error for a file that isn't what its suffix says."""
    return UnreadableFile(
        f"The file is not what its name says: it has no {promised.upper()} content, or it is damaged.",
        "Get a good copy, or give it the suffix of its real format.",
    )


def _is_text(head: bytes) -> bool:
    """Say whether bytes may be text: a byte order mark, no NUL bytes, or NULs on one side only as in UTF-16."""
    if head.startswith(_BOMS) or b"\x00" not in head:
        return _control_share(head) < 0.05
    return utf16_without_mark(head) is not None


def _control_share(head: bytes) -> float:
    """Return the share of bytes that no text has: control characters other than white space and escape."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return 0.0
    return sum(byte < 32 and byte not in (8, 9, 10, 11, 12, 13, 27) for byte in head) / max(1, len(head))


def utf16_without_mark(data: bytes) -> str | None:
    """Return "utf-16-le" or "utf-16-be" when NULs stand in only one byte of each pair, else None."""
    sample = data[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    pairs = max(1, len(sample) // 2)
    if odd > 0.3 * pairs and even < 0.02 * pairs:
        return "utf-16-le"
    if even > 0.3 * pairs and odd < 0.02 * pairs:
        return "utf-16-be"
    return None


def _decoded(head: bytes) -> str:
    """Return the beginning of a text file, good enough to look for ASCII in it."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", errors="replace")
    return head.decode(utf16_without_mark(head) or "utf-8-sig", errors="replace")


def read_as(path: Path, form: str, password: str | None = None, depth: int = 0) -> Reading:
    """Read a file of a known format; `depth` counts how deep in attachments it is. Raises UnreadableFile."""
    # Each reader imports its vendor inside, so that a text file costs no PDF or Office import.
    if form == "pdf":
        from ingest.pdf import read_pdf

        return read_pdf(path, password)
    if form == "eml":
        from ingest.mail import read_mail

        return read_mail(path, depth, lambda inner, level: read_as(inner, detect(inner), None, level))
    return _reader(form)(path)


def _reader(form: str) -> Callable[[Path], Reading]:
    """Return the function that reads a format without further arguments."""
    from ingest import plain

    if form in ("text", "markdown", "csv"):
        return {"text": plain.read_text, "markdown": plain.read_markdown, "csv": plain.read_csv}[form]
    if form == "epub":
        from ingest.epub import read_epub

        return read_epub
    from ingest import office

    return {
        "docx": office.read_docx,
        "pptx": office.read_pptx,
        "xlsx": office.read_xlsx,
        "html": office.read_html_file,
    }[form]
