"""Opens zipped Office files: their parts, relations, properties and the documents inside them."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.archive import BROKEN
from ingest.errors import UnreadableFile, is_ours

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_DC = "{http://purl.org/dc/elements/1.1/}"
BOMB = UnreadableFile("The file expands XML entities without end (an XML bomb).", "Do not open it.")
ENTITIES = UnreadableFile(
    "The file declares XML entities, which may expand without end or fetch files.", "Save it without its document type."
)
_DAMAGED = UnreadableFile("The file inside the Office file is damaged.", "Get a good copy of the Office file.")
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_NAMESPACES = re.compile(rb"""xmlns:(\w+)=["']([^"']+)["']""")
_TERMS = "{http://purl.org/dc/terms/}"


def parse(data: bytes) -> Node:
    """Parse XML; entity declarations and external references are refused (defusedxml)."""
    from defusedxml.ElementTree import fromstring

    root: Node = fromstring(data)
    return root


def main_part(archive: zipfile.ZipFile, usual: str) -> str:
    """Return the name of the main part: the usual one, else the one that the package's relations name."""
    names = set(archive.namelist())
    if usual in names or "_rels/.rels" not in names:
        return usual
    for rel in parse(archive.read("_rels/.rels")):
        if rel.get("Type", "").endswith("/officeDocument"):
            return rel.get("Target", usual).lstrip("/")
    return usual


def keep_prefixes(part: bytes) -> None:
    """Let a part that is written again keep the prefixes of its namespaces: it names them in attributes (mc:Ignorable)."""
    from xml.etree.ElementTree import register_namespace

    for prefix, uri in _NAMESPACES.findall(part[:20_000]):
        if not re.fullmatch(rb"ns\d+", prefix):
            register_namespace(prefix.decode("ascii"), uri.decode("utf-8"))


def written(root: Node) -> bytes:
    """Return a changed part as bytes."""
    from xml.etree.ElementTree import tostring

    root.attrib.pop(f"{_MC}Ignorable", None)
    return bytes(tostring(root, encoding="UTF-8", xml_declaration=True))


def slide_parts(archive: zipfile.ZipFile) -> list[str]:
    """Return the parts of the slides in the order in which they are shown."""
    main = main_part(archive, "ppt/presentation.xml")
    found = targets(archive, main)
    ids = [node.get(f"{_R}id", "") for node in parse(archive.read(main)).iter() if node.tag.endswith("}sldId")]
    return [found[i][1] for i in ids if i in found]


def properties(data: bytes) -> dict[str, str]:
    """Return title, author and dates from the file's core properties, those that it has."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if "docProps/core.xml" not in archive.namelist():
            return {}
        root = parse(archive.read("docProps/core.xml"))
    tags = {
        "title": f"{_DC}title",
        "author": f"{_DC}creator",
        "created": f"{_TERMS}created",
        "modified": f"{_TERMS}modified",
    }
    found = {name: (root.findtext(tag) or "").strip() for name, tag in tags.items()}
    return {name: value for name, value in found.items() if value}


def relations(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[str, str]]:
    """Yield (type, part) of everything inside the file that a part refers to."""
    yield from targets(archive, part).values()


def targets(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Return identifier → (type, part) of everything inside the file that a part refers to."""
    found = {}
    folder, name = posixpath.split(part)
    rels = f"{folder}/_rels/{name}.rels"
    if rels in archive.namelist():
        for rel in parse(archive.read(rels)):
            if rel.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, rel.get("Target", "")))
                found[rel.get("Id", "")] = (rel.get("Type", ""), target.lstrip("/"))
    return found


def embedded(path: Path) -> Iterator[tuple[str, list[bytes] | UnreadableFile]]:
    """Yield (name, content) of the documents inside an Office file; the data behind its charts are left out.

    UnreadableFile when the relations of its charts are malformed.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException

    try:
        yield from _embedded(path)
    except DefusedXmlException as error:
        raise ENTITIES from error
    except (*BROKEN, ParseError) as error:
        if is_ours(error):
            raise
        raise UnreadableFile("Parts of the Office file are damaged.", "Get a good copy, or save it again.") from error


def _embedded(path: Path) -> Iterator[tuple[str, list[bytes] | UnreadableFile]]:
    """Yield (name, content) of the documents inside an Office file."""
    from ingest.ole import packaged

    with zipfile.ZipFile(path) as archive:
        behind_charts = {
            target
            for name in archive.namelist()
            if "/charts/" in name and not name.endswith(".rels")
            for _, target in relations(archive, name)
        }
        for name in archive.namelist():
            if "/embeddings/" not in name or name in behind_charts or name.endswith("/"):
                continue
            try:
                data = archive.read(name)
            except BROKEN:
                yield posixpath.basename(name), _DAMAGED
                continue
            try:
                held = packaged(data) if data.startswith(b"\xd0\xcf\x11\xe0") else None
            except UnreadableFile as error:
                yield posixpath.basename(name), error
                continue
            label, content = held or (posixpath.basename(name), data)
            label = posixpath.basename(label.replace("\\", "/")) or posixpath.basename(name)
            if held and label == "embedded":
                label = posixpath.splitext(posixpath.basename(name))[0]
            if not held and name.endswith(".bin"):
                continue  # an object of a program, such as an equation, whose picture is in the text
            yield label, [content]


def replace_below(root: Node, instead: Callable[[Node], list[Node] | None]) -> None:
    """Put in the place of each node below a root what `instead` returns for it, which is looked at in turn; None leaves it, and
    goes on below it."""
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        at = 0
        while at < len(parent):
            replaced = instead(parent[at])
            if replaced is None:
                waiting.append(parent[at])
                at += 1
            else:
                parent[at : at + 1] = replaced


def packed(parts: dict[str, bytes]) -> bytes:
    """Return parts as a package, not compressed: it is read at once."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()
