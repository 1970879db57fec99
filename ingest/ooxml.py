"""Reads from zipped Office files what unstructured leaves out: properties, notes, charts, the Strict variant."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.errors import UnreadableFile

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_TERMS = "{http://purl.org/dc/terms/}"
_NOTES = {"word/footnotes.xml": "Footnote", "word/endnotes.xml": "Endnote", "word/comments.xml": "Comment"}
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(officeDocument|wordprocessingml|drawingml)")
_OVERLOOKED = re.compile(
    rb"<w:(?:ins|del|moveTo|moveFrom|sdt|txbxContent|altChunk|customXml|smartTag)[ >/]|AlternateContent"
)
_NAMESPACES = re.compile(rb"""xmlns:(\w+)=["']([^"']+)["']""")
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_GONE = {f"{_W}del", f"{_W}moveFrom"}
_WRAPPERS = {f"{_W}ins", f"{_W}moveTo", f"{_W}customXml", f"{_W}smartTag"}


def parse(data: bytes) -> Node:
    """Parse XML; entity declarations and external references are refused (defusedxml)."""
    from defusedxml.ElementTree import fromstring

    root: Node = fromstring(data)
    return root


def load_docx(path: Path) -> bytes:
    """Return a Word file's bytes, changed where python-docx would lose text.

    ISO Strict files, which it can't open, get the usual namespaces. Tracked changes are accepted, content controls are
    replaced by their content, text boxes and imported parts (altChunk) become paragraphs after their place.
    """
    data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        main = main_part(archive, "word/document.xml")
        part = archive.read(main)
        strict = bool(_STRICT.search(part[:20_000]))
        if not strict and not _OVERLOOKED.search(part):
            return data
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as copy:
            for member in archive.infolist():
                content = archive.read(member)
                if strict and member.filename.endswith((".xml", ".rels")):
                    content = _STRICT.sub(_transitional, content)
                if member.filename == main:
                    content = _plainer(content, archive, main)
                copy.writestr(member.filename, content)
    return written.getvalue()


def main_part(archive: zipfile.ZipFile, usual: str) -> str:
    """Return the name of the main part: the usual one, else the one that the package's relations name."""
    names = set(archive.namelist())
    if usual in names or "_rels/.rels" not in names:
        return usual
    for rel in parse(archive.read("_rels/.rels")):
        if rel.get("Type", "").endswith("/officeDocument"):
            return rel.get("Target", usual).lstrip("/")
    return usual


def _transitional(match: re.Match[bytes]) -> bytes:
    """Return the usual namespace for one of ISO Strict: the same name with a year in it."""
    return b"http://schemas.openxmlformats.org/" + match[1] + b"/2006"


def _plainer(part: bytes, archive: zipfile.ZipFile, main: str) -> bytes:
    """Return a document part in which all text stands where python-docx looks for it."""
    from xml.etree.ElementTree import register_namespace, tostring

    for prefix, uri in _NAMESPACES.findall(part[:20_000]):
        # Parts name prefixes in attributes (mc:Ignorable), so they keep theirs.
        if not re.fullmatch(rb"ns\d+", prefix):
            register_namespace(prefix.decode("ascii"), uri.decode("utf-8"))
    root = parse(part)
    root.attrib.pop(f"{_MC}Ignorable", None)
    imported = {i: t for i, (kind, t) in _targets(archive, main).items() if kind.endswith("/aFChunk")}
    _unwrap(root, archive, imported)
    _hoist(root)
    return bytes(tostring(root, encoding="UTF-8", xml_declaration=True))


def _unwrap(root: Node, archive: zipfile.ZipFile, imported: dict[str, str]) -> None:
    """Accept tracked changes, and replace wrappers by what they hold."""
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        at = 0
        while at < len(parent):
            child = parent[at]
            if child.tag in _GONE:
                parent.remove(child)
            elif child.tag in _WRAPPERS:
                parent[at : at + 1] = list(child)
            elif child.tag == f"{_W}sdt":
                content = child.find(f"{_W}sdtContent")
                parent[at : at + 1] = list(content) if content is not None else []
            elif child.tag == f"{_MC}AlternateContent":
                chosen = child.find(f"{_MC}Choice")
                chosen = chosen if chosen is not None else child.find(f"{_MC}Fallback")
                parent[at : at + 1] = list(chosen) if chosen is not None else []
            elif child.tag == f"{_W}altChunk":
                parent[at : at + 1] = _imported(archive, imported.get(child.get(f"{_R}id", ""), ""))
            else:
                waiting.append(child)
                at += 1


def _hoist(root: Node) -> None:
    """Move the blocks of text boxes behind the paragraph that they hang on."""
    for body in [node for node in root.iter() if node.tag in (f"{_W}body", f"{_W}tc")]:
        at = 0
        while at < len(body):
            child = body[at]
            if child.tag == f"{_W}p":
                boxes = [box for box in child.iter(f"{_W}txbxContent")]
                blocks = [block for box in boxes for block in list(box)]
                for box in boxes:
                    for block in list(box):
                        box.remove(block)
                body[at + 1 : at + 1] = blocks
            at += 1


def _imported(archive: zipfile.ZipFile, part: str) -> list[Node]:
    """Return the text of an imported part (HTML, plain text or RTF) as paragraphs."""
    from xml.etree.ElementTree import Element, SubElement

    from ingest.elements import Writer
    from ingest.plain import add_paragraphs, decode
    from ingest.web import add_html

    if part not in archive.namelist():
        return []
    data, writer = archive.read(part), Writer()
    if data.startswith(b"{\\rtf"):
        from ingest.rtf import text_of

        add_paragraphs(writer, text_of(data).replace("\n", "\n\n"))
    elif data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as inner:
            for node in parse(inner.read(main_part(inner, "word/document.xml"))).iter(f"{_W}p"):
                writer.add("paragraph", paragraph(node))
    elif b"<" in data[:1000]:
        inner_writer = Writer()
        title = add_html(inner_writer, data, article=False)
        if title and title not in "".join(inner_writer.parts):
            writer.add("paragraph", title)
        for text in inner_writer.parts[::2]:
            writer.add("paragraph", text)
    else:
        add_paragraphs(writer, decode(data)[0])
    found = []
    for text in writer.parts[::2]:
        block = Element(f"{_W}p")
        SubElement(SubElement(block, f"{_W}r"), f"{_W}t").text = text
        found.append(block)
    return found


def embedded(path: Path) -> Iterator[tuple[str, list[bytes] | UnreadableFile]]:
    """Yield (name, content) of the documents inside an Office file; the data behind its charts are left out."""
    from ingest.ole import packaged

    with zipfile.ZipFile(path) as archive:
        behind_charts = {
            target
            for name in archive.namelist()
            if "/charts/" in name and not name.endswith(".rels")
            for _, target in _relations(archive, name)
        }
        for name in archive.namelist():
            if "/embeddings/" not in name or name in behind_charts or name.endswith("/"):
                continue
            data = archive.read(name)
            held = packaged(data) if data.startswith(b"\xd0\xcf\x11\xe0") else None
            label, content = held or (posixpath.basename(name), data)
            label = posixpath.basename(label.replace("\\", "/")) or posixpath.basename(name)
            if held and label == "embedded":
                label = posixpath.splitext(posixpath.basename(name))[0]
            if not held and name.endswith(".bin"):
                continue  # an object of a program, such as an equation, whose picture is in the text
            yield label, [content]


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
            for note in parse(_STRICT.sub(_transitional, archive.read(name))):
                text = " ".join(filter(None, (paragraph(p) for p in note.iter(f"{_W}p"))))
                if note.get(f"{_W}type") in (None, "normal") and text:
                    number += 1
                    yield f"{label} {number}", text


def paragraph(node: Node) -> str:
    """Return the text of one Word paragraph."""
    signs = {f"{_W}tab": " ", f"{_W}br": " ", f"{_W}noBreakHyphen": "-"}
    return "".join((t.text or "") if t.tag == f"{_W}t" else signs.get(t.tag, "") for t in node.iter()).strip()


def beside_slides(data: bytes) -> dict[int, list[str | list[list[str]]]]:
    """Return what belongs to each slide and isn't among its shapes, tables as rows.

    Diagrams (SmartArt), charts (title and series names first, then one row a category), notes, comments.
    """
    found: dict[int, list[str | list[list[str]]]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        for number, slide in enumerate(_slides(archive), start=1):
            parts: list[tuple[int, str | list[list[str]]]] = []
            for kind, target in _relations(archive, slide):
                word = kind.rpartition("/")[2]
                if target in names and word in _BESIDE:
                    order = list(_BESIDE).index(word)
                    parts += [(order, part) for part in _BESIDE[word](parse(archive.read(target)))]
            found[number] = [part for _, part in sorted(parts, key=lambda pair: pair[0])]
    return found


def _chart_rows(root: Node) -> list[str | list[list[str]]]:
    rows = _chart(root)
    return [rows] if len(rows) > 1 else []


def _diagram(root: Node) -> list[str | list[list[str]]]:
    """Return the texts of a SmartArt diagram, node by node."""
    points = (" ".join(filter(None, map(_drawn, point.iter(f"{_A}p")))) for point in root.iter(f"{_DGM}pt"))
    return [text for text in points if text]


def _notes(root: Node) -> list[str | list[list[str]]]:
    """Return the notes of a slide: paragraphs and tables; its number, picture, header and footer left out."""
    found: list[str | list[list[str]]] = []
    for shape in root.iter():
        if shape.tag == f"{_P}sp":
            place = next(shape.iter(f"{_P}ph"), None)
            if place is None or place.get("type", "body") == "body":
                found += filter(None, map(_drawn, shape.iter(f"{_A}p")))
        elif shape.tag == f"{_A}tbl":
            rows = [
                [" ".join(filter(None, map(_drawn, cell.iter(f"{_A}p")))) for cell in row.iterfind(f"{_A}tc")]
                for row in shape.iterfind(f"{_A}tr")
            ]
            found.append(rows)
    return found


def _comments(root: Node) -> list[str | list[list[str]]]:
    """Return the comments on a slide, in the old form and the threaded one."""
    texts = ["".join(node.itertext()).strip() for node in root.iter() if node.tag in (f"{_P}text",)]
    texts += [" ".join(filter(None, map(_drawn, node.iter(f"{_A}p")))) for node in root.iter() if _is_threaded(node)]
    return [f"Comment: {text}" for text in texts if text]


def _is_threaded(node: Node) -> bool:
    return str(node.tag).endswith("}txBody") and "2018/8/main" in str(node.tag)


def _drawn(node: Node) -> str:
    """Return the text of one paragraph of a drawing."""
    return "".join(t.text or "" for t in node.iter(f"{_A}t")).strip()


_BESIDE = {"diagramData": _diagram, "chart": _chart_rows, "notesSlide": _notes, "comments": _comments}
"""Kind of relation → what reads its part, in the order in which the parts follow a slide."""


def _slides(archive: zipfile.ZipFile) -> list[str]:
    """Return the parts of the slides in the order in which they are shown."""
    main = main_part(archive, "ppt/presentation.xml")
    targets = _targets(archive, main)
    ids = [node.get(f"{_R}id", "") for node in parse(archive.read(main)).iter() if node.tag.endswith("}sldId")]
    return [targets[i][1] for i in ids if i in targets]


def _relations(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[str, str]]:
    """Yield (type, part) of everything inside the file that a part refers to."""
    yield from _targets(archive, part).values()


def _targets(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
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
    return [_short((v.text or "").strip()) for v in node.iter(f"{_C}v")] if node is not None else []


def _short(value: str) -> str:
    """Return a number without the digits that only floating point has."""
    if re.fullmatch(r"-?\d+[.]\d{13,}", value):
        return f"{float(value):.12g}"
    return value
