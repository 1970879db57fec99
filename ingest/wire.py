"""Writes a Reading as compact bytes, the way it travels from the parser child to its parent.

Four bytes with the length of a JSON header, the header, the text in UTF-8, the packed places of each page unopened.
"""

from __future__ import annotations

import json
import re
import struct

from ingest.elements import Element, Member, Page, Reading

_LENGTH = struct.Struct(">I")
_SURROGATE = re.compile("[\ud800-\udfff\x00]")


def pack(reading: Reading) -> bytes:
    """Return a reading as bytes."""
    text = reading.text.encode("utf-8", "surrogatepass")  # damaged files give lone surrogates; `unpack` replaces them
    header = {
        "text": len(text),
        "elements": [
            (e.kind, e.start, e.end, e.page, e.level, e.header_rows, e.continues, e.hidden) for e in reading.elements
        ],
        "pages": [(p.number, p.label, p.width, p.height, p.ocr, p.confidence, len(p.runs)) for p in reading.pages],
        "title": reading.title,
        "problems": reading.problems,
        "metadata": reading.metadata,
        "members": [(m.name, m.size, m.sha256) for m in reading.members],
    }
    head = json.dumps(header, separators=(",", ":")).encode("ascii")
    return b"".join([_LENGTH.pack(len(head)), head, text, *(page.runs for page in reading.pages)])


def unpack(data: bytes | bytearray) -> Reading:
    """Return the reading that `pack` wrote, verified; ValueError, KeyError or TypeError for other bytes."""
    if len(data) < _LENGTH.size:
        raise ValueError("a message is too short")
    at = _LENGTH.size + _LENGTH.unpack_from(data)[0]
    header = json.loads(data[_LENGTH.size : at])
    text = str(memoryview(data)[at : at + header["text"]], "utf-8", "surrogatepass")
    at += header["text"]
    pages, view = [], memoryview(data)
    for number, label, width, height, ocr, confidence, length in header["pages"]:
        pages.append(Page(number, label, width, height, ocr, confidence, bytes(view[at : at + length])))
        at += length
    if at != len(data):
        raise ValueError("a message has another length than its header says")
    reading = Reading(
        text=_storable(text),
        elements=tuple(Element(*fields) for fields in header["elements"]),
        pages=tuple(pages),
        title=_storable(header["title"]) if header["title"] else None,
        problems=tuple(header["problems"]),
        metadata={key: _storable(value) for key, value in header["metadata"].items()},
        members=tuple(Member(_storable(name), size, sha256) for name, size, sha256 in header["members"]),
    )
    reading.verify()
    return reading


def _storable(text: str) -> str:
    """Return text without lone surrogates and NULs, of the same length."""
    return _SURROGATE.sub(lambda found: " " if found[0] == "\x00" else "\ufffd", text)
