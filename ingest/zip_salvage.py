"""Finds the whole files in a ZIP container that is cut, and takes a document out of the folder that it was packed in."""

from __future__ import annotations

import io
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ingest.archive import BROKEN

CUT = (
    "The file is cut: its list of parts is missing. Whole parts that were found and read: {}; others may be missing. "
    "Get a good copy."
)

_MAINS = frozenset({"[Content_Types].xml", "META-INF/container.xml", "META-INF/manifest.xml"})
_MARK = b"PK\x03\x04"
_HEADER = struct.Struct("<4sHHHHHIIIHH")
_LARGEST = 300_000_000
_MOST_PARTS = 10_000
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _SIZES_LATER = 1, 8


def salvaged(path: Path) -> tuple[bytes, int] | None:
    """Return a container with the whole parts of a cut one, and their number; None when it is not cut, nothing is whole, or it is
    a document: one that lacks notes or pages nobody can name is refused."""
    if path.stat().st_size < _HEADER.size:
        return None
    with path.open("rb") as file:
        if file.read(4) != _MARK or zipfile.is_zipfile(path):
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
            buffer, count = io.BytesIO(), 0
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
                for name, content in _parts(held):
                    if name in _MAINS or name == "mimetype":
                        return None
                    copy.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
                    count += 1
            return (buffer.getvalue(), count) if count else None


def out_of_folder(path: Path) -> bytes | None:
    """Return a document whose parts someone has packed with the folder around them, without it; None for other archives."""
    with zipfile.ZipFile(path) as archive:
        names = [member.filename for member in archive.infolist() if not member.is_dir()]
        folder = names[0].partition("/")[0] + "/" if names else ""
        if not all(name.startswith(folder) for name in names) or not _MAINS & {name[len(folder) :] for name in names}:
            return None
        if sum(member.file_size for member in archive.infolist()) > _LARGEST:
            return None
        buffer = io.BytesIO()
        try:
            with zipfile.ZipFile(buffer, "w") as copy:
                for name in names:
                    copy.writestr(zipfile.ZipInfo(name[len(folder) :]), archive.read(name), zipfile.ZIP_DEFLATED)
        except BROKEN:
            return None  # its parts are read one by one, and the damaged one says so
    return buffer.getvalue()


def _parts(held: mmap.mmap) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the parts that are whole, by the headers that stand before each."""
    at, left = 0, _LARGEST
    for _ in range(_MOST_PARTS):
        at = held.find(_MARK, at)
        if at < 0 or at + _HEADER.size > len(held) or left < 0:
            return
        _, _, flags, method, _, _, check, packed, size, long_name, extra = _HEADER.unpack(held[at : at + _HEADER.size])
        begin = at + _HEADER.size + long_name + extra
        name = held[at + _HEADER.size : at + _HEADER.size + long_name]
        at = begin
        if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED) or not name or name.endswith(b"/"):
            continue
        content, end = _content(held, begin, method, None if flags & _SIZES_LATER else packed, left)
        if content is None or (not flags & _SIZES_LATER and (len(content) != size or zlib.crc32(content) != check)):
            continue
        at, left = end, left - len(content)
        yield name.decode("utf-8" if flags & 0x800 or _is_utf8(name) else "cp437"), content


def _content(held: mmap.mmap, begin: int, method: int, packed: int | None, most: int) -> tuple[bytes | None, int]:
    """Return a part's content and where it ends; None for one that is cut, damaged or too large."""
    if method == _STORED:
        if packed is None or begin + packed > len(held) or packed > most:
            return None, begin
        return held[begin : begin + packed], begin + packed
    unpacker, pieces, at, length = zlib.decompressobj(-zlib.MAX_WBITS), list[bytes](), begin, 0
    try:
        while at < len(held) and not unpacker.eof and length <= most:
            piece = held[at : at + 65_536]
            at += len(piece)
            while piece and not unpacker.eof and length <= most:
                pieces.append(unpacker.decompress(piece, 1_000_000))
                length += len(pieces[-1])
                piece = unpacker.unconsumed_tail
    except zlib.error:
        return None, begin
    if not unpacker.eof:
        return None, begin
    return b"".join(pieces), at - len(unpacker.unused_data)


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
