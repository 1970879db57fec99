"""Reads OpenDocument files (ODT, ODS, ODP), zipped or as one XML text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.alt_text import described
from ingest.archive import BROKEN
from ingest.elements import Kind, Page, Reading, Writer
from ingest.errors import NoText, UnreadableFile, is_ours
from ingest.formats import unopened
from ingest.merged import Span, filled
from ingest.ooxml import ENTITIES
from ingest.opendocument_parts import load
from ingest.sheets import Sheet, place
from ingest.tables import add_table

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_O = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_T = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TAB = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_D = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_P = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"
_S = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_SVG = "{urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0}"
_META = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}"
_REMEDY = "Open it in the program it comes from, save it again, and ingest that."
_DAMAGED = "The OpenDocument file is damaged."
_SKIP = {f"{_T}tracked-changes", f"{_O}forms", f"{_T}sequence-decls", f"{_T}variable-decls", f"{_T}user-field-decls",
         f"{_T}alphabetical-index-source", f"{_T}table-of-content-source"}  # fmt: skip
_MAX_CELLS = 2_000_000
_MAX_DEPTH = 100


def read_odf(path: Path) -> Reading:
    """Read a text, spreadsheet or presentation; encrypted ones are unreadable."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException

    try:
        parts = load(path)
    except (FileNotFoundError, PermissionError) as error:
        raise unopened(error) from error
    except DefusedXmlException as error:
        raise ENTITIES from error
    except (*BROKEN, ParseError) as error:
        if is_ours(error):
            raise
        raise UnreadableFile(_DAMAGED, _REMEDY) from error
    content = parts.content
    body = content.find(f"{_O}body")
    kind = body[0].tag.removeprefix(_O) if body is not None and len(body) else ""
    if body is None or kind not in ("text", "spreadsheet", "presentation", "drawing"):
        raise UnreadableFile("The OpenDocument file holds no text, sheets or slides.", "Save it as PDF.")
    metadata = _properties(parts.meta if parts.meta is not None else content)
    if kind == "spreadsheet":
        from ingest.office import read_sheets

        return read_sheets(list(_sheets(body[0], _hidden_styles(content))), metadata)
    writer = Writer()
    notes: list[str] = []
    pages = 1
    if kind == "text":
        _edge(writer, parts.headers, notes)
        _blocks(writer, body[0], notes, 1, 0)
        _edge(writer, parts.footers, notes)
    else:
        for pages, slide in enumerate(body[0].iter(f"{_D}page"), start=1):
            _slide(writer, slide, notes, pages)
    for note in notes:
        writer.add("paragraph", note, page=pages, hidden="in a comment" if note.startswith("Comment ") else "")
    if not writer.elements:
        raise NoText("The file has no text.", "If it shows text as pictures, export it as a searchable PDF.")
    return writer.reading([Page(number) for number in range(1, pages + 1)], metadata.pop("title", None), (), metadata)


def _properties(root: Node) -> dict[str, str]:
    """Return title, author and dates, those that the file has."""
    tags = {
        "title": f"{_DC}title",
        "author": f"{_DC}creator",
        "created": f"{_META}creation-date",
        "modified": f"{_DC}date",
    }
    meta = next(root.iter(f"{_O}meta"), root)
    found = {name: " ".join((meta.findtext(tag) or "").split()) for name, tag in tags.items()}
    return {name: value for name, value in found.items() if value}


def _blocks(writer: Writer, node: Node, notes: list[str], page: int, depth: int, listed: bool = False) -> None:
    """Append the blocks of an element in order."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    for child in node:
        if child.tag in _SKIP:
            continue
        if child.tag == f"{_T}h":
            level = child.get(f"{_T}outline-level", "1")
            writer.add("heading", _text(child, notes), page=page, level=min(6, int(level) if level.isdigit() else 1))
            _frames(writer, child, notes, page, depth)
        elif child.tag == f"{_T}p":
            kind: Kind = "list_item" if listed else "paragraph"
            writer.add(kind, _text(child, notes), page=page)
            _frames(writer, child, notes, page, depth)
        elif child.tag == f"{_TAB}table":
            _table(writer, child, notes, page, depth)
        elif isinstance(child.tag, str):
            inside = listed or child.tag in (f"{_T}list-item", f"{_T}list-header")
            _blocks(writer, child, notes, page, depth + 1, inside)
            if child.tag == f"{_D}frame":
                writer.add("caption", _alternative(child), page=page)


def _edge(writer: Writer, edges: tuple[Node, ...], notes: list[str]) -> None:
    """Append the headers or footers of the pages, each distinct text once, as of a Word file."""
    told: set[str] = set()
    for edge in edges:
        inner = Writer()
        _blocks(inner, edge, notes, 1, 0)
        for element in inner.elements:
            text = "".join(inner.parts)[element.start : element.end]
            if text not in told and any(map(str.isalpha, text)):
                told.add(text)
                writer.add(element.kind, text)


def _frames(writer: Writer, node: Node, notes: list[str], page: int, depth: int) -> None:
    """Append the text boxes and the shapes with text that hang on a paragraph."""
    for child in node:
        if _holds_text(child):
            _blocks(writer, child, notes, page, depth + 1)
            writer.add("caption", _alternative(child), page=page)
        elif child.tag == f"{_TAB}table":
            _table(writer, child, notes, page, depth)
        elif child.tag == f"{_D}frame":
            _frames(writer, child, notes, page, depth)
            writer.add("caption", _alternative(child), page=page)
        elif child.tag not in (f"{_T}note", f"{_O}annotation"):
            _frames(writer, child, notes, page, depth)


def _alternative(node: Node) -> str:
    """Return the alternative text of a picture that describes what it shows."""
    return described(node.findtext(f"{_SVG}desc")) or described(node.findtext(f"{_SVG}title"))


def _table(writer: Writer, table: Node, notes: list[str], page: int, depth: int) -> None:
    """Append a table; one with tables in its cells as what stands in them."""
    if any(inner is not table for inner in table.iter(f"{_TAB}table")):
        for cell in (cell for row in _own_rows(table) for cell in row if cell.tag == f"{_TAB}table-cell"):
            _blocks(writer, cell, notes, page, depth + 1)
        return
    add_table(writer, filled(list(_rows(table, notes))), page=page)


def _own_rows(node: Node) -> Iterator[Node]:
    """Yield the rows of a table, not those of tables in its cells."""
    for child in node:
        if child.tag == f"{_TAB}table-row":
            yield child
        elif child.tag in (f"{_TAB}table-header-rows", f"{_TAB}table-rows", f"{_TAB}table-row-group"):
            yield from _own_rows(child)


def _holds_text(node: Node) -> bool:
    """Say whether a node is a text box or a shape with paragraphs."""
    return str(node.tag).startswith(_D) and any(part.tag in (f"{_T}p", f"{_T}h", f"{_T}list") for part in node)


def _paragraphs(node: Node) -> str:
    """Return the paragraphs in a comment or text box on one line."""
    return " ".join(filter(None, (_text(p, []) for p in node.iter(f"{_T}p"))))


def _text(node: Node, notes: list[str]) -> str:
    """Return a paragraph's text; notes and comments in it go to `notes`."""
    return "".join(_parts(node, notes)).strip()


def _parts(node: Node, notes: list[str]) -> Iterator[str]:
    yield " ".join(re.split(r"\s+", node.text or ""))
    for child in node:
        if child.tag == f"{_T}s":
            yield " "
        elif child.tag == f"{_T}tab":
            yield "\t"
        elif child.tag == f"{_T}line-break":
            yield "\n"
        elif child.tag in (f"{_T}note", f"{_O}annotation"):
            label = (
                "Comment" if child.tag == f"{_O}annotation" else child.get(f"{_T}note-class", "footnote").capitalize()
            )
            body = child.find(f"{_T}note-body") if child.tag == f"{_T}note" else child
            inner: list[str] = []
            text = " ".join(_text(p, inner) for p in body.iter(f"{_T}p")) if body is not None else ""
            number = sum(note.startswith(f"{label} ") for note in notes) + 1
            notes.append(f"{label} {number}: {text}")
        elif child.tag == f"{_T}ruby-text":
            pass  # how the letters before it are read
        elif child.tag == f"{_D}a" or not str(child.tag).startswith(_D):
            yield from _parts(child, notes)
        yield " ".join(re.split(r"\s+", child.tail or ""))


def _rows(table: Node, notes: list[str]) -> Iterator[list[Span]]:
    """Yield a text table's rows."""
    for row in table.iter(f"{_TAB}table-row"):
        yield [
            Span(
                " ".join(_text(p, notes) for p in cell.iter() if p.tag in (f"{_T}p", f"{_T}h")),
                _number(cell.get(f"{_TAB}number-columns-spanned")),
                _number(cell.get(f"{_TAB}number-rows-spanned")),
            )
            for cell in row
            if cell.tag == f"{_TAB}table-cell"
        ]


def _number(value: str | None, most: int = 1000) -> int:
    return min(most, max(1, int(value))) if value and value.isdigit() else 1


def _slide(writer: Writer, slide: Node, notes: list[str], page: int) -> None:
    """Append a slide: its title as a heading, shapes in order, then its notes."""
    for shape in slide:
        if shape.get(f"{_P}class") == "title":
            inner = [_text(p, notes) for p in shape.iter(f"{_T}p")]
            writer.add("heading", " ".join(filter(None, inner)), page=page, level=1)
        elif shape.tag != f"{_P}notes":
            _blocks(writer, shape, notes, page, 0)
    for note in slide.iter(f"{_P}notes"):
        _blocks(writer, note, notes, page, 0)


def _value(cell: Node) -> str | None:
    """Return the value of a cell that does not say what it shows, as some programs write them."""
    for name in ("string-value", "date-value", "value", "boolean-value", "time-value"):
        if value := cell.get(f"{_O}{name}"):
            return value
    return None


def _hidden_styles(content: Node) -> set[str]:
    """Return the names of the styles of hidden sheets."""
    return {
        style.get(f"{_S}name", "")
        for style in content.iter(f"{_S}style")
        for looks in style.iter(f"{_S}table-properties")
        if looks.get(f"{_TAB}display") == "false"
    }


def _sheets(body: Node, hidden: set[str]) -> Iterator[Sheet]:
    """Yield a spreadsheet's sheets; each cell holds the text that it shows."""
    left = _MAX_CELLS
    for table in body.iterfind(f"{_TAB}table"):
        rows: list[list[str | None]] = []
        merged: list[tuple[int, int, int, int]] = []
        notes: list[str] = []
        for row in table.iter(f"{_TAB}table-row"):
            values: list[str | None] = []
            for cell in row:
                repeat = _number(cell.get(f"{_TAB}number-columns-repeated"), 20_000)
                text = "\n".join("".join(_parts(p, [])) for p in cell.iterfind(f"{_T}p")).strip() or _value(cell)
                wide, high = (_number(cell.get(f"{_TAB}number-{what}-spanned")) for what in ("columns", "rows"))
                for note in cell.iterfind(f"{_O}annotation"):
                    notes.append(f"Comment on {place(len(rows), len(values))}: {_paragraphs(note)}")
                if wide * high > 1:
                    merged.append((len(rows), len(rows) + high - 1, len(values), len(values) + wide - 1))
                values += [text] * (repeat if text is None or repeat < 200 else 1)
            while values and values[-1] is None:
                values.pop()
            again = _number(row.get(f"{_TAB}number-rows-repeated"), 1_000_000)
            count = again if values and again < 200 else 1
            rows += [list(values) for _ in range(count)]
            left -= count * len(values)
            if left < 0:
                break
        notes += filter(None, (_paragraphs(shape) for shape in table.iter() if _holds_text(shape)))
        is_hidden = table.get(f"{_TAB}style-name") in hidden
        yield Sheet(table.get(f"{_TAB}name", ""), is_hidden, rows, merged, left < 0, tuple(notes))
        left = max(0, left)
