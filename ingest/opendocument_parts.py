"""Opens the parts of an OpenDocument file: content with its charts and formulas in place, headers, documents inside it."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.archive import BROKEN
from ingest.errors import UnreadableFile
from ingest.ooxml import ENTITIES, parse

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_D = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_T = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TAB = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_O = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_S = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_KIND = re.compile(rb"<office:(text|spreadsheet|presentation|drawing)\b")
_SUFFIX = {b"text": "odt", b"spreadsheet": "ods", b"presentation": "odp", b"drawing": "odg"}
_HEAD = 200_000
_DAMAGED = UnreadableFile("The file inside the OpenDocument file is damaged.", "Get a good copy of that file.")


@dataclass(frozen=True, slots=True)
class Parts:
    """The trees of content and properties, and the headers and footers of its pages."""

    content: Node
    meta: Node | None
    headers: tuple[Node, ...] = ()
    footers: tuple[Node, ...] = ()


def load(path: Path) -> Parts:
    """Return a file's trees; the data of charts and the text of formulas stand where the file shows them."""
    if not zipfile.is_zipfile(path):
        root = parse(path.read_bytes())
        return Parts(root, None, *_edges(root))
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        manifest = archive.read("META-INF/manifest.xml") if "META-INF/manifest.xml" in names else b""
        if b"encryption-data" in manifest:
            raise UnreadableFile("The file is encrypted and needs a password.", "Save a copy without a password.")
        content = parse(archive.read("content.xml"))
        _show_objects(content, archive, set(names))
        edges = _edges(parse(archive.read("styles.xml"))) if "styles.xml" in names else ((), ())
        return Parts(content, parse(archive.read("meta.xml")) if "meta.xml" in names else None, *edges)


def _edges(root: Node) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Return the headers and the footers of the page styles."""
    found = []
    for kind in ("header", "footer"):
        tags = {f"{_S}{kind}", f"{_S}{kind}-first", f"{_S}{kind}-left"}
        shown = (n for n in root.iter() if n.tag in tags and n.get(f"{_S}display") != "false")
        found.append(tuple(shown))
    return found[0], found[1]


def _show_objects(content: Node, archive: zipfile.ZipFile, names: set[str]) -> None:
    """Put the tables of charts and the text of formulas in the place of the objects that show them."""
    for frame in content.iter(f"{_D}frame"):
        for shown in frame.findall(f"{_D}object"):
            part = posixpath.normpath(f"{shown.get(_LINK, '')}/content.xml")
            if part not in names:
                continue
            root = parse(archive.read(part))
            if root.tag.endswith("}math"):
                noted = next((n for n in root.iter() if str(n.tag).endswith("}annotation")), None)
                words = " ".join((noted.text or "").split()) if noted is not None else "".join(root.itertext()).strip()
                for child in list(frame):
                    frame.remove(child)
                frame.tag, frame.text = f"{_T}span", f" {words} "
            elif (chart := root.find(f"{_O}body/{_O}chart")) is not None:
                _show_chart(shown, chart)


def _show_chart(shown: Node, chart: Node) -> None:
    """Put a chart's titles and its table into the object that shows it."""
    tables = [*chart.iter(f"{_TAB}table")]
    inside = {id(node) for table in tables for node in table.iter()}
    shown.extend([node for node in chart.iter(f"{_T}p") if id(node) not in inside])
    shown.extend(tables)


def embedded(path: Path) -> Iterator[tuple[str, list[bytes] | UnreadableFile]]:
    """Yield (name, content) of the documents inside an OpenDocument file; its charts and formulas are in its text."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException

    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield from _embedded(archive)
    except DefusedXmlException as error:
        raise ENTITIES from error
    except (*BROKEN, ParseError) as error:
        raise UnreadableFile("Parts of the file are damaged.", "Get a good copy, or save it again.") from error


def _embedded(archive: zipfile.ZipFile) -> Iterator[tuple[str, list[bytes] | UnreadableFile]]:
    """Yield (name, content) of the objects that content.xml shows."""
    from ingest.ole import packaged

    names = set(archive.namelist())
    if "content.xml" not in names:
        return
    root = parse(archive.read("content.xml"))
    links = [node.get(_LINK, "") for node in root.iter() if node.tag in (f"{_D}object", f"{_D}object-ole")]
    for name in dict.fromkeys(posixpath.normpath(link) for link in links if link and "://" not in link):
        try:
            if f"{name}/content.xml" in names:
                kind = _KIND.search(archive.read(f"{name}/content.xml")[:_HEAD])
                if kind:
                    form = _SUFFIX[kind[1]]
                    yield f"{posixpath.basename(name)}.{form}", [_document(archive, name, kind[1])]
            elif name in names:
                data = archive.read(name)
                held = packaged(data) if data.startswith(b"\xd0\xcf\x11\xe0") else (f"{posixpath.basename(name)}", data)
                if held:
                    label = posixpath.basename(held[0].replace("\\", "/"))
                    yield label.replace("embedded", posixpath.basename(name), 1), [held[1]]
        except UnreadableFile as error:
            yield posixpath.basename(name), error
        except BROKEN:
            yield posixpath.basename(name), _DAMAGED


def _document(archive: zipfile.ZipFile, name: str, kind: bytes) -> bytes:
    """Return a folder of an OpenDocument file as a file of its own."""
    made = "graphics" if kind == b"drawing" else kind.decode("ascii")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as copy:
        copy.writestr("mimetype", f"application/vnd.oasis.opendocument.{made}")
        for member in archive.namelist():
            if member.startswith(f"{name}/") and not member.endswith("/") and member != f"{name}/mimetype":
                copy.writestr(zipfile.ZipInfo(member[len(name) + 1 :]), archive.read(member))
    return buffer.getvalue()
