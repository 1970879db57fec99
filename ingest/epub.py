"""Reads EPUB books: each chapter of the spine, in order, as a page."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from ingest.archive import BROKEN
from ingest.elements import Page, Reading, Writer
from ingest.errors import UnreadableFile, is_ours
from ingest.ooxml import ENTITIES, parse
from ingest.web import add_html

_REMEDY = "Get a good copy of the book, without copy protection."
_DAMAGED = "The EPUB file is damaged: its list of chapters can't be read."
_DC = "{http://purl.org/dc/elements/1.1/}"
_OPF = "{http://www.idpf.org/2007/opf}"


def read_epub(path: Path) -> Reading:
    """Read an EPUB: chapters in spine order, numbered as pages; encrypted (copy-protected) books are unreadable."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException

    try:
        with zipfile.ZipFile(path) as book:
            return _read(book)
    except DefusedXmlException as error:
        raise ENTITIES from error
    except (*BROKEN, ParseError) as error:
        if is_ours(error):
            raise
        raise UnreadableFile(_DAMAGED, _REMEDY) from error


def _read(book: zipfile.ZipFile) -> Reading:
    """Return the reading of an open book."""
    container = parse(book.read("META-INF/container.xml"))
    package = next((node.get("full-path", "") for node in container.iter() if node.tag.endswith("}rootfile")), "")
    root = parse(book.read(package))
    names, locked = set(book.namelist()), _encrypted(book)
    writer, missing, pages = Writer(), 0, 0
    for pages, chapter in enumerate(_chapters(root, posixpath.dirname(package)), start=1):
        if chapter not in names or chapter in locked:
            missing += 1
            continue
        try:
            content = book.read(chapter)
        except BROKEN:
            missing += 1
            continue
        if chapter.lower().endswith(".svg"):
            _add_drawing(writer, content, pages)
        else:
            add_html(writer, content, page=pages, article=False)
    if not writer.elements:
        reason = "is copy-protected" if locked else "has no text"
        raise UnreadableFile(f"The EPUB {reason}.", _REMEDY)
    problems = (
        [f"{missing} of the {pages} chapters could not be read (missing, damaged or copy-protected)."]
        if missing
        else []
    )
    title, author = (" ".join((root.findtext(f".//{_DC}{tag}") or "").split()) for tag in ("title", "creator"))
    return writer.reading(
        [Page(number) for number in range(1, pages + 1)], title or None, problems, {"author": author} if author else {}
    )


def _add_drawing(writer: Writer, content: bytes, page: int) -> None:
    """Append the texts of a page that is one drawing."""
    for node in parse(content).iter():
        if str(node.tag).endswith(("}title", "}desc", "}text")):
            writer.add("paragraph", " ".join(" ".join(node.itertext()).split()), page=page)


def _chapters(root: object, folder: str) -> Iterator[str]:
    """Yield the names of the chapters' files in reading order."""
    from xml.etree.ElementTree import Element

    assert isinstance(root, Element)
    manifest = {item.get("id"): item for item in root.iter(f"{_OPF}item")}
    for reference in root.iter(f"{_OPF}itemref"):
        item = manifest.get(reference.get("idref"))
        if item is None:
            yield f"(nothing is called {reference.get('idref')})"
        elif "html" in item.get("media-type", "") or "svg" in item.get("media-type", ""):
            yield posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))


def _encrypted(book: zipfile.ZipFile) -> set[str]:
    """Return the names of the encrypted parts; fonts are often among them in unprotected books."""
    if "META-INF/encryption.xml" not in book.namelist():
        return set()
    root = parse(book.read("META-INF/encryption.xml"))
    return {unquote(node.get("URI", "")) for node in root.iter() if node.tag.endswith("}CipherReference")}
