"""Prepares Word files for python-docx, which overlooks some of their text, and reads their notes and comments."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.ooxml import main_part, parse, targets

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_NOTES = {"word/footnotes.xml": "Footnote", "word/endnotes.xml": "Endnote", "word/comments.xml": "Comment"}
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(officeDocument|wordprocessingml|drawingml)")
_OVERLOOKED = re.compile(
    rb"<w:(?:ins|del|moveTo|moveFrom|sdt|txbxContent|altChunk|customXml|smartTag|fldSimple|sym|ruby|bdo|dir)[ >/]"
    rb"|AlternateContent|<m:oMath"
)
_EDGES = re.compile(r"word/(?:header|footer)\d*\.xml")
_NAMESPACES = re.compile(rb"""xmlns:(\w+)=["']([^"']+)["']""")
_GONE = {f"{_W}del", f"{_W}moveFrom"}
_WRAPPERS = {f"{_W}ins", f"{_W}moveTo", f"{_W}customXml", f"{_W}smartTag", f"{_W}fldSimple", f"{_W}bdo", f"{_W}dir"}
_FORMULAS = {f"{_M}oMath", f"{_M}oMathPara"}
_SYMBOLS = dict(zip("abgdezhqiklmnxoprstufcywDSW", "αβγδεζηθικλμνξοπρστυφχψωΔΣΩ", strict=True))
_DINGBATS = {0xFC: "✓", 0xFB: "✗", 0xFE: "☑", 0xFD: "☒", 0xA8: "☐", 0x6F: "☐"}
"""Signs of the fonts Symbol and Wingdings, which have codes of their own."""


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
        edges = [archive.read(name) for name in archive.namelist() if _EDGES.match(name)]
        if not strict and not any(map(_OVERLOOKED.search, [part, *edges])):
            return data
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as copy:
            for member in archive.infolist():
                content = archive.read(member)
                if strict and member.filename.endswith((".xml", ".rels")):
                    content = _STRICT.sub(_transitional, content)
                if member.filename == main or (_EDGES.match(member.filename) and _OVERLOOKED.search(content)):
                    content = _plainer(content, archive, member.filename)
                copy.writestr(member.filename, content)
    return written.getvalue()


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
    imported = {i: t for i, (kind, t) in targets(archive, main).items() if kind.endswith("/aFChunk")}
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
            elif child.tag in _FORMULAS:
                parent[at : at + 1] = [_run("".join(t.text or "" for t in child.iter(f"{_M}t")))]
            elif child.tag in (f"{_W}sym", f"{_W}ruby"):
                parent[at : at + 1] = list(_run(_symbol(child) if child.tag == f"{_W}sym" else _ruby(child)))
            elif child.tag == f"{_W}altChunk":
                parent[at : at + 1] = _imported(archive, imported.get(child.get(f"{_R}id", ""), ""))
            else:
                waiting.append(child)
                at += 1


def _run(text: str) -> Node:
    """Return a run of text."""
    from xml.etree.ElementTree import Element, SubElement

    run = Element(f"{_W}r")
    SubElement(run, f"{_W}t").text = text
    return run


def _symbol(node: Node) -> str:
    """Return the sign that a symbol shows, nothing when its font is not known."""
    code, font = int(node.get(f"{_W}char", "0"), 16) & 0xFFFF, node.get(f"{_W}font", "")
    if not 0xE000 <= code <= 0xF8FF and code > 0xFF:
        return chr(code)
    return _SYMBOLS.get(chr(code & 0xFF), "") if font == "Symbol" else _DINGBATS.get(code & 0xFF, "")


def _ruby(node: Node) -> str:
    """Return the text under a reading aid."""
    return "".join(t.text or "" for base in node.iter(f"{_W}rubyBase") for t in base.iter(f"{_W}t"))


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
