"""Takes the files out of a winmail.dat, in which Outlook packs a mail's attachments (TNEF)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

MARK = b"\x78\x9f\x3e\x22"
"""What a winmail.dat begins with."""

_BEGIN, _TITLE, _DATA, _BODY = 0x00069002, 0x00018010, 0x0006800F, 0x0002800C
_HEAD = struct.Struct("<BII")
_CHECKSUM = 2


def files(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the files in it, and its plain text as message.txt, up to a place where it is damaged."""
    at, name = 6, ""  # after the mark and a key of two bytes
    while at + _HEAD.size <= len(data):
        _, kind, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        content = data[at : at + size]
        at += size + _CHECKSUM
        if len(content) < size:
            return
        if kind == _BEGIN:
            name = ""
        elif kind == _TITLE:
            name = content.rstrip(b"\x00").decode("cp1252", "replace").replace("\\", "/").rpartition("/")[2]
        elif kind == _DATA and content:
            yield name or "attachment", content
        elif kind == _BODY and content.strip(b"\x00 \r\n"):
            yield "message.txt", content.rstrip(b"\x00")
