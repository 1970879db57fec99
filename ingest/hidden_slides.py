"""Takes out of a presentation what is not shown: shapes off the slide or switched off, tiny text; names hidden slides."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.ooxml import keep_prefixes, main_part, parse, slide_parts, written

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_TINY = 200
"""Hundredths of a point."""


@dataclass(frozen=True, slots=True)
class Slides:
    """A presentation without hidden text; (how, text) of what was taken out by slide; the slides that are not shown at all."""

    data: bytes
    taken: dict[int, list[tuple[str, str]]]
    skipped: frozenset[int]


def conceal_slides(data: bytes) -> Slides:
    """Return a presentation without what its slides do not show. Shapes in groups are taken as shown where the group is."""
    changed: dict[str, bytes] = {}
    taken: dict[int, list[tuple[str, str]]] = {}
    skipped: set[int] = set()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = next(parse(archive.read(main_part(archive, "ppt/presentation.xml"))).iter(f"{_P}sldSz"), None)
        across, down = (int(size.get("cx", 0)), int(size.get("cy", 0))) if size is not None else (0, 0)
        for number, part in enumerate(slide_parts(archive), start=1):
            content = archive.read(part)
            root = parse(content)
            if root.get("show") in ("0", "false"):
                skipped.add(number)
            if found := [*_shapes(root, across, down), *_tiny(root)]:
                keep_prefixes(content)
                changed[part], taken[number] = written(root), found
        if not changed:
            return Slides(data, taken, frozenset(skipped))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as copy:
            for member in archive.infolist():
                copy.writestr(member.filename, changed.get(member.filename) or archive.read(member))
    return Slides(buffer.getvalue(), taken, frozenset(skipped))


def _shapes(root: Node, across: int, down: int) -> Iterator[tuple[str, str]]:
    """Take shapes out that are switched off or lie beside the slide; yield (how, text) of those with text."""
    for tree in root.iter(f"{_P}spTree"):
        for shape in list(tree):
            named = next(shape.iter(f"{_P}cNvPr"), None)
            off = named is not None and named.get("hidden") in ("1", "true")
            if not off and not _beside(shape, across, down):
                continue
            text = _words(shape)
            if text:
                tree.remove(shape)
                yield ("switched off" if off else "off the slide"), text


def _beside(shape: Node, across: int, down: int) -> bool:
    place = next((n for n in shape.iter() if n.tag in (f"{_A}xfrm", f"{_P}xfrm")), None)
    if place is None or not across:
        return False
    at, size = place.find(f"{_A}off"), place.find(f"{_A}ext")
    if at is None or size is None:
        return False
    x, y, cx, cy = (int(node.get(key, 0)) for node, key in ((at, "x"), (at, "y"), (size, "cx"), (size, "cy")))
    return x >= across or y >= down or x + cx <= 0 or y + cy <= 0


def _tiny(root: Node) -> Iterator[tuple[str, str]]:
    for paragraph in root.iter(f"{_A}p"):
        words = ""
        for run in paragraph.findall(f"{_A}r"):
            size = run.find(f"{_A}rPr")
            if size is not None and size.get("sz", "").isdigit() and int(size.get("sz", "")) < _TINY:
                words += "".join(t.text or "" for t in run.iter(f"{_A}t"))
                paragraph.remove(run)
        if words.strip():
            yield "tiny", " ".join(words.split())


def _words(node: Node) -> str:
    paragraphs = ("".join(t.text or "" for t in p.iter(f"{_A}t")).strip() for p in node.iter(f"{_A}p"))
    return " ".join(filter(None, paragraphs))
