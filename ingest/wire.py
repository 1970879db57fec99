"""Writes a Reading as compact JSON bytes, the way it travels from the parser child to its parent."""

from __future__ import annotations

import json
from dataclasses import astuple

from ingest.elements import Box, Element, Member, Page, Reading, Run


def pack(reading: Reading) -> bytes:
    """Return a reading as JSON: runs as one flat list of numbers, coordinates to a tenth of a point."""
    flat: list[float] = []
    for run in reading.runs:
        box = run.box
        flat += (run.start, run.end, box.page)
        flat += (round(box.x0, 1), round(box.y0, 1), round(box.x1, 1), round(box.y1, 1))
    message = {
        "text": reading.text,
        "elements": [astuple(element) for element in reading.elements],
        "pages": [astuple(page) for page in reading.pages],
        "runs": flat,
        "title": reading.title,
        "problems": reading.problems,
        "metadata": reading.metadata,
        "members": [astuple(member) for member in reading.members],
    }
    # Text extracted from damaged files may hold lone surrogates, which can't be stored as UTF-8; ASCII escapes keep
    # the message valid and `unpack` replaces them.
    return json.dumps(message, separators=(",", ":")).encode("ascii")


def unpack(data: bytes) -> Reading:
    """Return the reading that `pack` wrote, verified; ValueError, KeyError or TypeError for other bytes."""
    message = json.loads(data)
    flat = message["runs"]
    runs = tuple(
        Run(int(flat[i]), int(flat[i + 1]), Box(int(flat[i + 2]), *flat[i + 3 : i + 7])) for i in range(0, len(flat), 7)
    )
    reading = Reading(
        text=_storable(message["text"]),
        elements=tuple(Element(*fields) for fields in message["elements"]),
        pages=tuple(Page(*fields) for fields in message["pages"]),
        runs=runs,
        title=_storable(message["title"]) if message["title"] else None,
        problems=tuple(message["problems"]),
        metadata={key: _storable(value) for key, value in message["metadata"].items()},
        members=tuple(Member(_storable(name), size, sha256) for name, size, sha256 in message["members"]),
    )
    reading.verify()
    return reading


def _storable(text: str) -> str:
    """Return text without lone surrogates and NULs, of the same length."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", " ")
