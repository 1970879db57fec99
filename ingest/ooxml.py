"""Reads from zipped Office files what unstructured leaves out: properties, notes, charts, the Strict variant."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_TERMS = "{http://purl.org/dc/terms/}"
_NOTES = {"word/footnotes.xml": "Footnote", "word/endnotes.xml": "Endnote", "word/comments.xml": "Comment"}
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(officeDocument|wordprocessingml|drawingml)")
_TRACKED = re.compile(rb"<w:(?:ins|del|moveTo|moveFrom) ")


def parse(data: bytes) -> Node:
    """Parse XML; entity declarations and external references are refused (defusedxml)."""
    from defusedxml.ElementTree import fromstring

    root: Node = fromstring(data)
    return root


def load_docx(path: Path) -> bytes:
    """Return a Word file's bytes, changed where python-docx would lose text.

    ISO Strict files, which it can't open, get the usual namespaces. Tracked changes are accepted: it overlooks
    inserted text. Parts are otherwise as they were.
    """
    data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        main = archive.read("word/document.xml")
        if not _STRICT.search(main[:20_000]) and not _TRACKED.search(main):
            return data
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as copy:
            for member in archive.infolist():
                part = archive.read(member)
                if member.filename.endswith((".xml", ".rels")):
                    part = _STRICT.sub(_transitional, part)
                if member.filename == "word/document.xml":
                    part = _accepted(part)
                copy.writestr(member.filename, part)
    return written.getvalue()


def _transitional(match: re.Match[bytes]) -> bytes:
    """Return the usual namespace for one of ISO Strict: the same name with a year in it."""
    return b"http://schemas.openxmlformats.org/" + match[1] + b"/2006"


def _accepted(part: bytes) -> bytes:
    """Return a document part with insertions kept as plain text and deletions gone."""
    from xml.etree.ElementTree import tostring

    root = parse(part)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_W}del", f"{_W}moveFrom"):
                parent.remove(child)
            elif child.tag in (f"{_W}ins", f"{_W}moveTo"):
                at = list(parent).index(child)
                parent[at : at + 1] = list(child)
    return bytes(tostring(root, encoding="UTF-8", xml_declaration=True))


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


def notes(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield ("Footnote 1", text) for each footnote, endnote and comment of a Word file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name, label in _NOTES.items():
            if name not in archive.namelist():
                continue
            number = 0
            for note in parse(archive.read(name)):
                text = " ".join(filter(None, (_paragraph(p) for p in note.iter(f"{_W}p"))))
                if note.get(f"{_W}type") in (None, "normal") and text:
                    number += 1
                    yield f"{label} {number}", text


def _paragraph(node: Node) -> str:
    """Return the text of one Word paragraph."""
    return "".join(t.text or "" for t in node.iter(f"{_W}t")).strip()


def charts(data: bytes) -> dict[int, list[list[list[str]]]]:
    """Return the charts of each slide as rows: title and series names first, then one row a category."""
    found: dict[int, list[list[list[str]]]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        for number, slide in enumerate(_slides(archive), start=1):
            for kind, target in _relations(archive, slide):
                if kind.endswith("/chart") and target in names:
                    rows = _chart(parse(archive.read(target)))
                    if len(rows) > 1:
                        found.setdefault(number, []).append(rows)
    return found


def _slides(archive: zipfile.ZipFile) -> list[str]:
    """Return the parts of the slides in the order in which they are shown."""
    main = "ppt/presentation.xml"
    root = parse(archive.read(main))
    r = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
    targets = {}
    rels = "ppt/_rels/presentation.xml.rels"
    for rel in parse(archive.read(rels)):
        targets[rel.get("Id")] = posixpath.normpath(posixpath.join("ppt", rel.get("Target", "")))
    ids = [node.get(r) for node in root.iter() if node.tag.endswith("}sldId")]
    return [targets[i].lstrip("/") for i in ids if i in targets]


def _relations(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[str, str]]:
    """Yield (type, part) of everything inside the file that a part refers to."""
    folder, name = posixpath.split(part)
    rels = f"{folder}/_rels/{name}.rels"
    if rels in archive.namelist():
        for rel in parse(archive.read(rels)):
            if rel.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join(folder, rel.get("Target", "")))
                yield rel.get("Type", ""), target.lstrip("/")


def _chart(root: Node) -> list[list[str]]:
    """Return one chart's rows."""
    heading = root.find(f"{_C}chart/{_C}title")
    title = "".join(t.text or "" for t in heading.iter(f"{_A}t")) if heading is not None else ""
    series = list(root.iter(f"{_C}ser"))
    names = [_values(s.find(f"{_C}tx")) for s in series]
    categories: list[str] = max((_values(s.find(f"{_C}cat")) for s in series), key=len, default=[])
    columns = [_values(s.find(f"{_C}val")) for s in series]
    rows = [[title, *(name[0] if name else "" for name in names)]]
    for i, category in enumerate(categories):
        rows.append([category, *(column[i] if i < len(column) else "" for column in columns)])
    return rows


def _values(node: Node | None) -> list[str]:
    """Return the cached values of a chart's reference, in order."""
    return [(v.text or "").strip() for v in node.iter(f"{_C}v")] if node is not None else []
