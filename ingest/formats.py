"""Says which reader reads a file: by what it really holds; its name decides only between kinds of text."""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

from ingest.archive import BROKEN
from ingest.elements import Reading
from ingest.errors import UnreadableFile, is_ours
from ingest.flat_office import flat_kind, open_document
from ingest.signatures import (
    beginning,
    has_headers,
    is_fragment,
    is_rows,
    is_text,
    marked,
    refused,
    resembles,
    signature,
)

_NAMES = {
    "pdf": "pdf",
    "docx": "docx docm dotx dotm",
    "pptx": "pptx pptm ppsx ppsm potx",
    "xlsx": "xlsx xlsm xltx xltm",
    "doc": "doc dot",
    "ppt": "ppt pps pot",
    "xls": "xls xlt",
    "rtf": "rtf",
    "odt": "odt ott fodt",
    "ods": "ods ots fods",
    "odp": "odp otp fodp odg otg fodg",
    "html": "html htm xhtml",
    "mhtml": "mhtml mht",
    "eml": "eml",
    "msg": "msg",
    "mbox": "mbox",
    "epub": "epub",
    "markdown": "md markdown mdown",
    "rst": "rst",
    "csv": "csv tsv",
    "json": "json geojson ipynb",
    "jsonl": "jsonl ndjson",
    "xml": "xml xsd xsl xslt rss atom",
    "svg": "svg",
    "text": "txt text log asc nfo srt vtt ics vcf",
    "code": "yaml yml toml ini cfg conf properties env py pyi js mjs ts jsx tsx java kt kts c h cc cpp cxx hpp cs go rs rb "
    "php pl pm sh bash zsh ps1 bat cmd sql r jl lua swift scala m mm dart vue css scss less tex bib sty gradle groovy tf "
    "proto graphql dockerfile makefile cmake vb bas f f90 for pas asm clj ex exs erl hs ml nim patch diff",
    "image": "png jpg jpeg tif tiff webp bmp gif",
    "zip": "zip",
    "tar": "tar tgz tbz2 txz",
    "gz": "gz",
    "bz2": "bz2",
    "xz": "xz",
    "zst": "zst zstd tzst",
    "7z": "7z",
}
_FORMATS = {f".{suffix}": form for form, suffixes in _NAMES.items() for suffix in suffixes.split()}

FORMATS: frozenset[str] = frozenset(_NAMES)
"""The names of the formats, as documents carry them."""
SUFFIXES: frozenset[str] = frozenset(_FORMATS)
"""The suffixes of the formats that can be ingested, in lower case; other files are read when their content can be."""

CONTAINERS = frozenset("pdf docx pptx xlsx odt ods odp eml msg mbox zip tar gz bz2 xz zst 7z".split())
"""The formats that may hold files inside."""

_TEXTUAL = frozenset("html mhtml eml mbox markdown rst csv json jsonl xml svg text code".split())
_KEEP = frozenset({"code", "markdown", "rst"})
"""Kinds of text in which pages, mails and XML are quoted: their content is not taken for one."""
_OLD = frozenset({"doc", "xls", "ppt", "rtf"})
_SHEETS = frozenset({"xlsx", "xls", "ods"})
_OFFICE_NAMES = _SHEETS | {"docx", "doc", "odt", "rtf"}
"""Suffixes that programs give to pages and to rows of text, so that an Office program opens them."""
_ZIPS = frozenset("zip docx pptx xlsx odt ods odp epub".split())
_HEAD = 65536
_PDF_OBJECT = re.compile(rb"(?:^|[\r\n])\d{1,8} \d{1,5} obj\b.{0,300}?<<", re.S)
_MAX_MEMBERS = 20_000
_MAX_UNPACKED = 1_000_000_000
_MAX_RATIO = 400
_WORDS = 20


def check_name(path: Path) -> str:
    """Return the format that the suffix promises, "" for unknown ones; UnreadableFile for empty, unreachable files."""
    try:
        found = path.stat()
    except OSError as error:
        raise unopened(error) from error
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableFile("This is not a regular file.", "Give the path of a file.")
    if found.st_size == 0:
        raise UnreadableFile("The file is empty.", "It has 0 bytes; check where it came from.")
    return _FORMATS.get(path.suffix.lower(), "")


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

    The content decides where it is certain (a PDF named .txt is read as a PDF). Text in a file whose suffix is unknown
    is read as text. What can't be read is refused by name with UnreadableFile.
    """
    promised = check_name(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise unopened(error) from error
    found = signature(head)
    if found == "zip":
        return _zipped(path, promised)
    if found == "ole":
        from ingest.ole import kind_of  # olefile is needed for old Office files only

        return kind_of(path)
    if found is not None:
        return found
    if promised in _ZIPS and zipfile.is_zipfile(path):
        return _zipped(path, promised)  # with a program or other bytes before it
    if promised == "pdf" and (b"%PDF-" in head or _PDF_OBJECT.search(head)):
        return "pdf"  # behind other bytes, or without its beginning
    other = refused(head)
    if other is not None:
        raise UnreadableFile(f"The file is {other[0]}, which can't be read.", other[1])
    if not is_text(head):
        if promised and promised not in _TEXTUAL:
            raise _mismatch(promised)
        raise UnreadableFile("The file holds binary data, not text.", "Export it as PDF or text and ingest that.")
    return _text_kind(beginning(head), promised)


def _text_kind(text: str, promised: str) -> str:
    """Return the kind of a text file, from its first 64 KiB and its suffix."""
    found = None if promised in _KEEP else marked(text)
    flat = flat_kind(text) if found == "xml" else None
    if flat is not None:
        return flat
    if found is not None and not (found == "xml" and promised in _TEXTUAL - {"text"}):
        kept = (promised, found) in (("mhtml", "eml"), ("eml", "mbox"), ("mbox", "eml"))
        return promised if kept else found
    if promised == "eml":
        if not has_headers(text, 1):
            raise UnreadableFile(
                "The file is no e-mail: it has no header lines.", "Rename it to .txt to read it as text."
            )
        return "eml"
    if promised in _TEXTUAL - {"mbox", "mhtml", "svg"}:
        return promised
    likely = "html" if promised in _OFFICE_NAMES and is_fragment(text) else resembles(text)
    if promised in _SHEETS and likely == "text" and is_rows(text):
        likely = "csv"
    if promised and promised not in _OLD | _TEXTUAL and likely == "text" and len(text.split()) < _WORDS:
        raise _mismatch(promised)
    return likely


_PARTS = {"docx": "word/document", "pptx": "ppt/presentation", "xlsx": "xl/workbook"}
_REFUSED_PARTS = {
    "xl/workbook.bin": ("a binary workbook (xlsb)", "Save it as xlsx."),
    "visio/document.xml": ("a Visio drawing", "Save it as PDF."),
    "Index/Document.iwa": ("a Pages, Numbers or Keynote document", "Export it as PDF or in an Office format."),
    "AndroidManifest.xml": ("an Android program", "Leave it out."),
    "FixedDocumentSequence.fdseq": ("an XPS document", "Print it to PDF."),
}
_OFFICE = ("word/", "ppt/", "xl/")
_OPEN = {"text": "odt", "spreadsheet": "ods", "presentation": "odp", "graphics": "odp"}


def _zipped(path: Path, promised: str) -> str:
    """Return the format of a ZIP container by the names inside; refuse bombs before anything is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            refuse_bomb(len(members), sum(member.file_size for member in members), path.stat().st_size)
            names = {member.filename.replace("\\", "/").lstrip("/") for member in members}
            if any(name.startswith(_OFFICE) for name in names):
                _refuse_entities(archive, members)
            kind = archive.read("mimetype")[:200].decode("ascii", "replace") if "mimetype" in names else ""
            if not kind and "content.xml" in names:
                with archive.open("content.xml") as content:
                    kind = open_document(content.read(_HEAD))
    except (FileNotFoundError, PermissionError) as error:
        raise unopened(error) from error
    except BROKEN as error:
        if is_ours(error):
            raise
        what = "ZIP archive is damaged: it" if promised in ("zip", "") else "file is damaged: its ZIP container"
        raise UnreadableFile(f"The {what} can't be opened.", "Get a good copy, or save it again.") from error
    for form, part in _PARTS.items():
        if any(name.startswith(part) and name.endswith(".xml") for name in names):
            return form
    for name, (what, remedy) in _REFUSED_PARTS.items():
        if name in names:
            raise UnreadableFile(f"The file is {what}, which can't be read.", remedy)
    opened = _OPEN.get(kind.strip().removeprefix("application/vnd.oasis.opendocument.").removesuffix("-template"))
    if opened:
        return opened
    return "epub" if "META-INF/container.xml" in names and "META-INF/MANIFEST.MF" not in names else "zip"


def _refuse_entities(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> None:
    """Raise UnreadableFile when a part of an Office file defines entities by entities, or asks for something outside."""
    for member in members[:2000]:
        if member.filename.endswith(".xml") and not member.flag_bits & 1:
            try:
                with archive.open(member) as part:
                    head = part.read(8192)
            except BROKEN:
                continue  # its reader says what is wrong with it
            grow = head.count(b"<!ENTITY") > 2 and re.search(rb"<!ENTITY[^>]*&\w+;", head)
            if grow or re.search(rb"<!ENTITY\s+(?:%\s+)?[\w:.-]+\s+(?:SYSTEM|PUBLIC)\b", head):
                from ingest.ooxml import BOMB, ENTITIES

                raise BOMB if grow else ENTITIES


def refuse_bomb(members: int, unpacked: int, packed: int) -> None:
    """Raise UnreadableFile for a file that unpacks to far more than it holds; sizes in bytes."""
    if members > _MAX_MEMBERS:
        said = f"The file holds {members:,} files, more than {_MAX_MEMBERS:,}."
        raise UnreadableFile(said, "Unpack it and ingest the folder.")
    if unpacked > max(_MAX_UNPACKED, 20 * packed) or (unpacked > 50_000_000 and unpacked / max(1, packed) > _MAX_RATIO):
        raise UnreadableFile(
            "The file unpacks to far more data than it holds (a decompression bomb?).", "Do not open it."
        )


def _mismatch(promised: str) -> UnreadableFile:
    """Return the error for a file that isn't what its suffix says."""
    return UnreadableFile(
        f"The file is not what its name says: it has no {promised.upper()} content, or it is damaged.",
        "Get a good copy, or give it the suffix of its real format.",
    )


def read_as(path: Path, form: str, password: str | None = None, plain: bool = False) -> Reading:
    """Read a file of a known format, without the files inside it; `plain` as for `read_pdf`. Raises UnreadableFile."""
    # Each reader imports its vendor inside, so that a text file costs no PDF or Office import.
    if form == "pdf":
        from ingest.pdf import read_pdf

        return read_pdf(path, password, plain)
    if form in ("zip", "tar", "gz", "bz2", "xz", "zst", "7z", "mbox"):
        return Reading("", (), ())
    return _reader(form)(path)


def _reader(form: str) -> Callable[[Path], Reading]:
    """Return the function that reads a format without further arguments."""
    import importlib

    module, name = _READERS[form]
    read: Callable[[Path], Reading] = getattr(importlib.import_module(f"ingest.{module}"), name)
    return read


_READERS = {
    "text": ("plain", "read_text"),
    "code": ("plain", "read_code"),
    "markdown": ("plain", "read_markdown"),
    "rst": ("plain", "read_rst"),
    "csv": ("csv_rows", "read_csv"),
    "json": ("data", "read_json"),
    "jsonl": ("data", "read_jsonl"),
    "xml": ("data", "read_xml"),
    "svg": ("data", "read_svg"),
    "html": ("web", "read_html"),
    "mhtml": ("mail", "read_mhtml"),
    "eml": ("mail", "read_eml"),
    "msg": ("outlook", "read_msg"),
    "epub": ("epub", "read_epub"),
    "docx": ("office", "read_docx"),
    "pptx": ("office", "read_pptx"),
    "xlsx": ("office", "read_xlsx"),
    "xls": ("xls", "read_xls"),
    "doc": ("doc", "read_doc"),
    "ppt": ("ppt", "read_ppt"),
    "rtf": ("rtf", "read_rtf"),
    "odt": ("opendocument", "read_odf"),
    "ods": ("opendocument", "read_odf"),
    "odp": ("opendocument", "read_odf"),
    "image": ("ocr", "read_image"),
}
