"""Reads what belongs to sheets and isn't in their cells: comments, text boxes, what pictures show, titles of charts."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.alt_text import told_by
from ingest.ooxml import parse, relations

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

NOTE = "Comment on "
"""What the text of a comment begins with."""

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"


def beside_cells(path: Path, part: str) -> list[str]:
    """Return the texts that hang on one sheet of a workbook, given as the name of its part: each is a paragraph."""
    comments: dict[str, str] = {}
    threads: dict[str, str] = {}
    drawn: list[str] = []
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        for kind, target in relations(archive, part.lstrip("/")):
            word = kind.rpartition("/")[2]
            if target not in names or word not in ("comments", "threadedComment", "drawing"):
                continue
            root = parse(archive.read(target))
            if word == "drawing":
                charts = [
                    name for kind, name in relations(archive, target) if kind.endswith("/chart") and name in names
                ]
                drawn += (
                    told_by(root)
                    + _boxes(root)
                    + [title for name in charts if (title := _title(parse(archive.read(name))))]
                )
            else:
                _gather(root, comments if word == "comments" else threads)
    # Old programs are shown a thread as a comment that says that they can't show it.
    found = {**comments, **threads}
    return [f"{NOTE}{place}: {text}" for place, text in found.items() if text] + drawn


def _gather(root: Node, found: dict[str, str]) -> None:
    """Add a part's comments, by the cell that they stand at."""
    for node in root.iter():
        if str(node.tag).endswith(("}comment", "}threadedComment")):
            text = " ".join("".join(t.text or "" for t in node.iter() if str(t.tag).endswith(("}t", "}text"))).split())
            place = node.get("ref", "")
            found[place] = f"{found[place]} / {text}" if place in found else text


def _boxes(root: Node) -> list[str]:
    """Return the paragraphs of the text boxes and shapes of a drawing."""
    bodies = [node for node in root.iter() if str(node.tag).endswith("}txBody")]
    texts = ("".join(t.text or "" for t in p.iter(f"{_A}t")).strip() for body in bodies for p in body.iter(f"{_A}p"))
    return [text for text in texts if text]


def _title(root: Node) -> str:
    """Return the titles of a chart and of its axes; its figures are in the cells."""
    titles = ("".join(t.text or "" for t in title.iter(f"{_A}t")).strip() for title in root.iter(f"{_C}title"))
    return " / ".join(filter(None, titles))
