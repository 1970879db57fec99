"""Reads what belongs to slides and isn't among their shapes: diagrams, charts, notes and comments."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from ingest.alt_text import told_by
from ingest.ooxml import main_part, parse, relations, slide_parts

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"

COMMENT = "Comment: "
"""What a comment on a slide begins with."""


def beside_slides(data: bytes) -> dict[int, list[str | list[list[str]]]]:
    """Return what belongs to each slide and isn't among its shapes, tables as rows.

    What its pictures show (alternative texts), diagrams (SmartArt), charts (title and series names first, then one
    row a category), notes, comments.
    """
    found: dict[int, list[str | list[list[str]]]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        for number, slide in enumerate(slide_parts(archive), start=1):
            shown = told_by(parse(archive.read(slide))) if slide in names else []
            parts: list[tuple[int, str | list[list[str]]]] = [(-1, text) for text in shown]
            for kind, target in relations(archive, slide):
                word = kind.rpartition("/")[2]
                if target in names and word in _BESIDE:
                    order = list(_BESIDE).index(word)
                    parts += [(order, part) for part in _BESIDE[word](parse(archive.read(target)))]
            found[number] = [part for _, part in sorted(parts, key=lambda pair: pair[0])]
    return found


def beside_text(data: bytes) -> list[str | list[list[str]]]:
    """Return the diagrams and charts of a Word file: texts, and charts as rows."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names, found = set(archive.namelist()), list[str | list[list[str]]]()
        for kind, target in relations(archive, main_part(archive, "word/document.xml")):
            word = kind.rpartition("/")[2]
            if target in names and word in ("diagramData", "chart"):
                found += _BESIDE[word](parse(archive.read(target)))
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
    return [f"{COMMENT}{text}" for text in texts if text]


def _is_threaded(node: Node) -> bool:
    return str(node.tag).endswith("}txBody") and "2018/8/main" in str(node.tag)


def _drawn(node: Node) -> str:
    """Return the text of one paragraph of a drawing."""
    return "".join(t.text or "" for t in node.iter(f"{_A}t")).strip()


_BESIDE = {"diagramData": _diagram, "chart": _chart_rows, "notesSlide": _notes, "comments": _comments}
"""Kind of relation → what reads its part, in the order in which the parts follow a slide."""


def _chart(root: Node) -> list[list[str]]:
    """Return one chart's rows."""
    heading = root.find(f"{_C}chart/{_C}title")
    title = "".join(t.text or "" for t in heading.iter(f"{_A}t")) if heading is not None else ""
    series = list(root.iter(f"{_C}ser"))
    names = [_values(s.find(f"{_C}tx")) for s in series]
    if any(s.find(f"{_C}xVal") is not None for s in series):
        return _points(title, series, names)
    categories: list[str] = max((_values(s.find(f"{_C}cat")) for s in series), key=len, default=[])
    columns = [_values(s.find(f"{_C}val")) for s in series]
    rows = [[title, *(name[0] if name else "" for name in names)]]
    for i, category in enumerate(categories):
        rows.append([category, *(column[i] if i < len(column) else "" for column in columns)])
    return rows


def _points(title: str, series: Sequence[Node], names: Sequence[list[str]]) -> list[list[str]]:
    """Return the rows of a chart whose series have places of their own (scatter, bubble): a row a point."""
    kinds = {"x": f"{_C}xVal", "y": f"{_C}yVal", "size": f"{_C}bubbleSize"}
    shown = {label: tag for label, tag in kinds.items() if any(s.find(tag) is not None for s in series)}
    rows = [[title, *shown]]
    for one, name in zip(series, names, strict=True):
        columns = [_values(one.find(tag)) for tag in shown.values()]
        rows += [[name[0] if name else "", *point] for point in zip_longest(*columns, fillvalue="")]
    return rows


def _values(node: Node | None) -> list[str]:
    """Return the cached values of a chart's reference, in order."""
    return [_short((v.text or "").strip()) for v in node.iter(f"{_C}v")] if node is not None else []


def _short(value: str) -> str:
    """Return a number without the digits that only floating point has."""
    if re.fullmatch(r"-?\d+[.]\d{13,}", value):
        return f"{float(value):.12g}"
    return value
