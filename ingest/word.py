"""Prepares Word files for python-docx, which overlooks some of their text, and reads their notes and comments."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.alt_text import described, is_decorative
from ingest.hidden_word import Styles, hiding_styles, may_hide, take_hidden
from ingest.ooxml import keep_prefixes, main_part, parse, relations, replace_below, targets, written
from ingest.package import mended

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_V = "{urn:schemas-microsoft-com:vml}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_NOTES = {"footnotes": "Footnote", "endnotes": "Endnote", "comments": "Comment"}
_PROSE = re.compile(r"word/(?:header|footer|footnotes|endnotes)\d*\.xml")
_OVERLOOKED = re.compile(
    rb"<w:(?:ins|del|cellDel|moveTo|moveFrom|sdt|txbxContent|altChunk|customXml|smartTag|fldSimple|sym|ruby|bdo|dir)[ >/]"
    rb"|AlternateContent|<m:oMath|<w:ddList|:textpath|\sdescr=|<v:shape\b[^>]*\salt="
)
_TABLE_EDGE = re.compile(rb"<w:tbl[ >]|</w:tbl>")
_EDGES = re.compile(r"word/(?:header|footer)\d*\.xml")
_GONE = {f"{_W}del", f"{_W}moveFrom"}
_WRAPPERS = {f"{_W}ins", f"{_W}moveTo", f"{_W}customXml", f"{_W}smartTag", f"{_W}fldSimple", f"{_W}bdo", f"{_W}dir"}
_FORMULAS = {f"{_M}oMath", f"{_M}oMathPara"}
_SYMBOLS = dict(zip("abgdezhqiklmnxoprstufcywDSW", "αβγδεζηθικλμνξοπρστυφχψωΔΣΩ", strict=True))
_SYMBOL_SIGNS = dict(zip(
    (0x22, 0x24, 0x27, 0x2D, 0x40, 0xA3, 0xA5, 0xAC, 0xAE, 0xB0, 0xB1, 0xB3, 0xB4, 0xB7, 0xB8, 0xB9, 0xBA, 0xBB, 0xBC,
     0xC6, 0xC7, 0xC8, 0xCC, 0xCE, 0xD0, 0xD1, 0xD6, 0xD7, 0xDE, 0xE5, 0xF2),
    "∀∃∋−≅≤∞←→°±≥×•÷≠≡≈…∅∩∪⊂∈∠∇√⋅⇒∑∫", strict=True))  # fmt: skip
_DINGBATS = {0xFC: "✓", 0xFB: "✗", 0xFE: "☑", 0xFD: "☒", 0xA8: "☐", 0x6F: "☐"}
"""Signs of the fonts Symbol and Wingdings, which have codes of their own."""


def load_docx(path: Path, hidden: list[tuple[str, str]]) -> bytes:
    """Return a Word file's bytes, changed where python-docx would lose text.

    Tracked changes are accepted, content controls are
    replaced by their content, text boxes and imported parts (altChunk) become paragraphs after their place. Hidden text is
    taken out and appended to `hidden` as (how, text).
    """
    data = mended(path.read_bytes(), "docx")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        main = main_part(archive, "word/document.xml")
        styles = _hiding(archive)
        parts = {name: archive.read(name) for name in archive.namelist() if name == main or _PROSE.fullmatch(name)}
        hiding = {name for name, content in parts.items() if _may_hide(content, styles)}
        plainer = {n for n, part in parts.items() if _is_overlooked(part) and (n == main or _EDGES.match(n))}
        if not hiding and not plainer:
            return data
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as copy:
            for member in archive.infolist():
                content = archive.read(member)
                if member.filename == main or member.filename in plainer:
                    content = _plainer(content, archive, member.filename, styles, hidden)
                elif member.filename in hiding:
                    keep_prefixes(content)
                    root = parse(content)
                    hidden += take_hidden(root, styles)
                    content = written(root)
                copy.writestr(member.filename, content)
    return buffer.getvalue()


def _hiding(archive: zipfile.ZipFile) -> Styles:
    """Return the file's styles whose text is hidden."""
    if "word/styles.xml" not in archive.namelist():
        return {}
    part = archive.read("word/styles.xml")
    return hiding_styles(parse(part)) if may_hide(part) else {}


def _is_overlooked(part: bytes) -> bool:
    """Say whether python-docx would overlook text of a part, or tear it apart: tables in tables."""
    if _OVERLOOKED.search(part):
        return True
    depth = 0
    for match in _TABLE_EDGE.finditer(part):
        depth += -1 if match[0].startswith(b"</") else 1
        if depth > 1:
            return True
    return False


def _may_hide(part: bytes, styles: Styles) -> bool:
    return may_hide(part) or any(f'"{name}"'.encode() in part for name in styles)


def _plainer(part: bytes, archive: zipfile.ZipFile, main: str, styles: Styles, hidden: list[tuple[str, str]]) -> bytes:
    """Return a document part in which all text stands where python-docx looks for it, without what is hidden."""
    keep_prefixes(part)
    root = parse(part)
    imported = {i: t for i, (kind, t) in targets(archive, main).items() if kind.endswith("/aFChunk")}
    _unwrap(root, archive, imported)
    _lay_flat(root)
    hidden += take_hidden(root, styles)  # before text boxes are moved: they have colours of their own
    _hoist(root, pictured=not _EDGES.match(main))  # a logo in each header is decoration
    return written(root)


def _unwrap(root: Node, archive: zipfile.ZipFile, imported: dict[str, str]) -> None:
    """Accept tracked changes, and replace wrappers by what they hold."""

    def instead(child: Node) -> list[Node] | None:
        held: list[Node] | None = None
        if child.tag in _GONE or _is_deleted_row(child):
            held = []
        elif child.tag in _WRAPPERS:
            held = list(child)
        elif child.tag == f"{_W}sdt":
            content = child.find(f"{_W}sdtContent")
            held = list(content) if content is not None else []
        elif child.tag == f"{_MC}AlternateContent":
            chosen = child.find(f"{_MC}Choice")
            chosen = chosen if chosen is not None else child.find(f"{_MC}Fallback")
            held = list(chosen) if chosen is not None else []
        elif child.tag in _FORMULAS:
            held = [_run("".join(t.text or "" for t in child.iter(f"{_M}t")))]
        elif child.tag in (f"{_W}sym", f"{_W}ruby"):
            held = list(_run(_symbol(child) if child.tag == f"{_W}sym" else _ruby(child)))
        elif child.tag == f"{_W}altChunk":
            held = _imported(archive, imported.get(child.get(f"{_R}id", ""), ""))
        return held

    replace_below(root, instead)


def _is_deleted_row(node: Node) -> bool:
    """Say whether a node is a table row, or a cell of one, that a tracked change takes out."""
    looks = node.find({f"{_W}tr": f"{_W}trPr", f"{_W}tc": f"{_W}tcPr"}.get(node.tag, ""))
    return looks is not None and any(looks.find(f"{_W}{mark}") is not None for mark in ("del", "cellDel"))


def _lay_flat(root: Node) -> None:
    """Replace tables with tables in a quarter of their cells by what stands in them, in order: they only lay out the page."""

    def instead(child: Node) -> list[Node] | None:
        if child.tag != f"{_W}tbl":
            return None
        cells = [cell for row in child.iterfind(f"{_W}tr") for cell in row.iterfind(f"{_W}tc")]
        inside = sum(next(cell.iter(f"{_W}tbl"), None) is not None for cell in cells)
        if not inside or 4 * inside < len(cells):
            return None
        return [block for cell in cells for block in cell if block.tag != f"{_W}tcPr"]

    replace_below(root, instead)


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
    sign = chr(code & 0xFF)
    if font == "Symbol":
        plain = sign if sign.isascii() and not sign.isalpha() else ""
        return _SYMBOLS.get(sign) or _SYMBOL_SIGNS.get(code & 0xFF) or plain
    return _DINGBATS.get(code & 0xFF, "")


def _ruby(node: Node) -> str:
    """Return the text under a reading aid."""
    return "".join(t.text or "" for base in node.iter(f"{_W}rubyBase") for t in base.iter(f"{_W}t"))


def _hoist(root: Node, pictured: bool) -> None:
    """Move the blocks of text boxes behind the paragraph that they hang on, and put what pictures show there."""
    told: set[str] = set()
    for body in [node for node in root.iter() if node.tag in (f"{_W}body", f"{_W}tc")]:
        at = 0
        while at < len(body):
            child = body[at]
            if child.tag == f"{_W}p":
                _choose(child)
                titles = [node.get("string", "") for node in child.iter(f"{_V}textpath")]  # WordArt
                if pictured:
                    alternatives = [text for text in _alternatives(child) if text not in told]
                    titles += dict.fromkeys(alternatives)
                    told.update(alternatives)
                body[at + 1 : at + 1] = [_block(title) for title in titles if title.strip()]
                boxes = [box for box in child.iter(f"{_W}txbxContent")]
                blocks = [block for box in boxes for block in list(box)]
                for box in boxes:
                    for block in list(box):
                        box.remove(block)
                body[at + 1 : at + 1] = blocks
            at += 1


def _alternatives(paragraph: Node) -> Iterator[str]:
    """Yield the alternative texts of a paragraph's pictures, charts and shapes that describe what they show."""
    for node in paragraph.iter():
        if node.tag == f"{_WP}docPr" and not is_decorative(node):
            yield described(node.get("descr"))
        elif node.tag == f"{_V}shape":
            yield described(node.get("alt"))


def _choose(paragraph: Node) -> None:
    """Show the chosen entry of each list to choose from, as Word does."""
    from xml.etree.ElementTree import SubElement

    for run in paragraph.iter(f"{_W}r"):
        for choice in run.iter(f"{_W}ddList"):
            entries = [entry.get(f"{_W}val", "") for entry in choice.iter(f"{_W}listEntry")]
            picked = choice.find(f"{_W}result")
            number = picked.get(f"{_W}val", "0") if picked is not None else "0"
            if number.isdigit() and int(number) < len(entries):
                SubElement(run, f"{_W}t").text = entries[int(number)]


def _block(text: str) -> Node:
    """Return a paragraph of one text."""
    from xml.etree.ElementTree import Element, SubElement

    block = Element(f"{_W}p")
    SubElement(SubElement(block, f"{_W}r"), f"{_W}t").text = text
    return block


def _imported(archive: zipfile.ZipFile, part: str) -> list[Node]:
    """Return the text of an imported part (HTML, plain text or RTF) as paragraphs."""
    from ingest.elements import Writer
    from ingest.encodings import decode
    from ingest.plain import add_paragraphs
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
    return [_block(text) for text in writer.parts[::2]]


def notes(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield ("Footnote 1", text) for each footnote, endnote and comment of a Word file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        main = main_part(archive, "word/document.xml")
        named = {kind.rpartition("/")[2]: part for kind, part in relations(archive, main)}
        for kind, label in _NOTES.items():
            name = named.get(kind, f"word/{kind}.xml")
            if name not in archive.namelist():
                continue
            number = 0
            for note in parse(archive.read(name)):
                text = " ".join(filter(None, (paragraph(p) for p in note.iter(f"{_W}p"))))
                if note.get(f"{_W}type") in (None, "normal") and text:
                    number += 1
                    yield f"{label} {number}", text


def paragraph(node: Node) -> str:
    """Return the text of one Word paragraph."""
    signs = {f"{_W}tab": " ", f"{_W}br": " ", f"{_W}noBreakHyphen": "-"}
    return "".join((t.text or "") if t.tag == f"{_W}t" else signs.get(t.tag, "") for t in node.iter()).strip()
