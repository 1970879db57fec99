"""Recognises Office documents that are one XML text, and turns those of Word into zipped ones (flat OPC, Word 2003)."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.errors import UnreadableFile
from ingest.ooxml import packed, replace_below

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_HEAD = 8000
_BODY = re.compile(rb"<office:body\b[^>]*>\s*<office:(text|spreadsheet|presentation|drawing)\b")
_OPEN = (("odt", "text"), ("ods", "spreadsheet"), ("odp", "presentation"), ("odp", "graphics"))
_PACKAGE = "http://schemas.microsoft.com/office/2006/xmlPackage"
_WORD_2003 = "http://schemas.microsoft.com/office/word/2003/wordml"
_EXCEL_2003 = "urn:schemas-microsoft-com:office:spreadsheet"
_FOLDERS = {"/word/": "docx", "/ppt/": "pptx", "/xl/": "xlsx"}
_MAINS = ("word/document.xml", "ppt/presentation.xml", "xl/workbook.xml")
_P = f"{{{_PACKAGE}}}"
_O = f"{{{_WORD_2003}}}"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_AML = "{http://schemas.microsoft.com/aml/2001/core}"
_WX = "{http://schemas.microsoft.com/office/word/2003/auxHint}"
_DAMAGED = UnreadableFile(
    "The Office file in XML form is damaged.", "Open it in Word, save it as docx, and ingest that."
)
_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
    'ContentType="application/xml"/>{}</Types>'
)
_RELS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
_REL = (
    '<Relationship Id="r{0}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{0}" '
    'Target="{1}"/>'
)
_OVERRIDE = (
    '<Override PartName="/word/{0}.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.{1}+xml"/>'
)


def flat_kind(text: str) -> str | None:
    """Return the format of an Office document that is one XML text, None for other XML."""
    head = text[:_HEAD]
    for form, name in _OPEN:
        if f"application/vnd.oasis.opendocument.{name}" in head:
            return form
    if _WORD_2003 in head and "wordDocument" in head:
        return "docx"
    if _EXCEL_2003 in head and re.search(r"<(?:\w+:)?Workbook\b", head):
        return "xls"
    if _PACKAGE in head:
        places = {form: text.find(f'name="{folder}') for folder, form in _FOLDERS.items()}
        found = {form: place for form, place in places.items() if place >= 0}
        return min(found, key=lambda form: found[form]) if found else None
    return None


def open_document(content: bytes) -> str:
    """Return the type of an OpenDocument file that does not say it, by its content: "" for other XML."""
    found = _BODY.search(content) if b"opendocument" in content else None
    return {"drawing": "graphics"}.get(kind := found[1].decode("ascii"), kind) if found else ""


def zipped(path: Path) -> bytes:
    """Return an Office document that is one XML text as a zipped one. Raises UnreadableFile."""
    from ingest.data import tree

    root = tree(path)
    if root.tag == f"{_P}package":
        return packed(_parts(root))
    if root.tag == f"{_O}wordDocument":
        return packed(_word(root))
    raise _DAMAGED


def _parts(root: Node) -> dict[str, bytes]:
    """Return the parts of a flat package; its list of types is made anew."""
    from xml.etree.ElementTree import tostring

    found: dict[str, bytes] = {}
    types = []
    for part in root.iter(f"{_P}part"):
        name, kind = part.get(f"{_P}name", "").lstrip("/"), part.get(f"{_P}contentType", "")
        tree, packed = part.find(f"{_P}xmlData"), part.find(f"{_P}binaryData")
        if tree is not None and len(tree):
            found[name] = bytes(tostring(tree[0], encoding="UTF-8", xml_declaration=True))
        elif packed is not None:
            try:
                found[name] = base64.b64decode("".join((packed.text or "").split()))
            except (binascii.Error, ValueError):
                continue  # a picture that is damaged costs only itself
        safe = kind.replace('"', "").replace("<", "").replace("&", "")
        if safe and not name.endswith(".rels") and re.fullmatch(r"[^\"<&]+", name):
            types.append(f'<Override PartName="/{name}" ContentType="{safe}"/>')
    main = next((name for name in found if name in _MAINS), None)
    if main and "_rels/.rels" not in found:
        found["_rels/.rels"] = _RELS.format(_REL.format("officeDocument", main)).encode()
    found["[Content_Types].xml"] = _TYPES.format("".join(types)).encode()
    return found


def _word(root: Node) -> dict[str, bytes]:
    """Return the parts of a Word 2003 document as those of a Word document: body, styles, notes, comments."""
    from xml.etree.ElementTree import Element, tostring

    for node in root.iter():
        if str(node.tag).startswith(_O):
            node.tag = f"{_W}{node.tag.removeprefix(_O)}"
        for key in [key for key in node.attrib if key.startswith(_O)]:
            node.set(f"{_W}{key.removeprefix(_O)}", node.attrib.pop(key))
    body = root.find(f"{_W}body")
    if body is None:
        raise _DAMAGED
    notes: dict[str, list[Node]] = {"footnotes": [], "endnotes": [], "comments": []}
    _unwrap(body, notes)
    document = Element(f"{_W}document")
    document.append(body)
    trees = {"document": document}
    styles = root.find(f"{_W}styles")
    if styles is not None:
        trees["styles"] = styles
    for kind, found in notes.items():
        if found:
            trees[kind] = Element(f"{_W}{kind}")
            trees[kind].extend(found)
    types = {"document": "document.main"}
    parts = {f"word/{name}.xml": bytes(tostring(tree, encoding="UTF-8")) for name, tree in trees.items()}
    parts["_rels/.rels"] = _RELS.format(_REL.format("officeDocument", "word/document.xml")).encode()
    others = [name for name in trees if name != "document"]
    parts["word/_rels/document.xml.rels"] = _RELS.format("".join(_REL.format(n, f"{n}.xml") for n in others)).encode()
    listed = "".join(_OVERRIDE.format(name, types.get(name, name)) for name in trees)
    return {"[Content_Types].xml": _TYPES.format(listed).encode(), **parts}


def _unwrap(root: Node, notes: dict[str, list[Node]]) -> None:
    """Replace wrappers by what they hold; move notes and comments out of the text, and leave out what was deleted."""

    def instead(child: Node) -> list[Node] | None:
        kind = child.get(f"{_W}type", "")
        if child.tag == f"{_AML}annotation" and kind == "Word.Deletion":
            return []
        if child.tag == f"{_AML}annotation" and kind == "Word.Comment":
            notes["comments"].append(_note("comment", [block for held in child for block in held]))
            return []
        if child.tag in (f"{_AML}annotation", f"{_AML}content") or str(child.tag).startswith(_WX):
            return list(child)
        if child.tag in (f"{_W}footnote", f"{_W}endnote") and len(child):
            name = child.tag.removeprefix(_W)
            notes[f"{name}s"].append(_note(name, list(child)))
            return []
        return None

    replace_below(root, instead)


def _note(name: str, blocks: list[Node]) -> Node:
    """Return a note or comment that holds blocks."""
    from xml.etree.ElementTree import Element

    note = Element(f"{_W}{name}")
    note.extend(blocks)
    return note
