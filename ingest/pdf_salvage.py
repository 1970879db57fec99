"""Gives a PDF whose beginning or end is missing what readers need to open it, so that what is left can be read."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from ingest.errors import UnreadableFile
from ingest.formats import unopened

CUT = (
    "The PDF is cut or damaged: the list of its pages is missing. What could be found was read; pages may be missing or in "
    "another order. Get a good copy."
)

_LARGEST = 300_000_000
_UNPACKED = 200_000_000
_OBJECT = re.compile(rb"(?<![\d.])(\d{1,8})\s+(\d{1,5})\s+obj\b")
_BEGIN = re.compile(rb"stream\r?\n")
_PACKED = re.compile(rb"/Type\s*/ObjStm\b")
_NUMBER = {name: re.compile(rb"/%s\s+(\d{1,9})" % name) for name in (b"N", b"First")}
_CATALOG = re.compile(rb"/Type\s*/Catalog\b")
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_PAGES = re.compile(rb"/Type\s*/Pages\b")
_ROOT = re.compile(rb"/Pages\s+(\d{1,8})\s+\d{1,5}\s+R")
_KIDS = re.compile(rb"/Kids\s*\[(.*?)\]", re.S)
_REFERENCE = re.compile(rb"(\d{1,8})\s+\d{1,5}\s+R")
_DICTIONARY = 100_000


def salvaged(path: Path) -> tuple[bytes, tuple[str, ...]] | None:
    """Return a PDF that PDFium can't open as one that it can, and what is to be said of it.

    None when it needs nothing, is encrypted, or has no pages. Nothing is said of bytes that stand before it.
    """
    if _opens(path):
        return None
    try:
        if path.stat().st_size > _LARGEST:
            return None
        data = path.read_bytes()
    except OSError as error:
        raise unopened(error) from error
    begun = data.find(b"%PDF-")
    if begun > 0 and _opens(data[begun:]):
        return data[begun:], ()
    if b"/Encrypt" in data:
        return None
    found = _with_end(data[begun:] if begun >= 0 else b"%PDF-1.7\n" + data)
    return (found, (CUT,)) if found is not None else None


def _opens(source: Path | bytes) -> bool:
    """Say whether PDFium opens a file."""
    from ingest.pdfium import opened

    try:
        with opened(source, None):
            return True
    except UnreadableFile:
        return False


def _with_end(data: bytes) -> bytes | None:
    """Return a PDF with the objects that are packed in it written out, and with a trailer; None when it has no pages."""
    objects, written, left = dict[int, bytes](), list[bytes](), _UNPACKED
    for match in _OBJECT.finditer(data):
        number, body = int(match[1]), data[match.end() : match.end() + _DICTIONARY]
        body = body[: max(0, body.find(b"endobj")) or len(body)]
        objects[number] = body.partition(b"stream")[0]
        if _PACKED.search(objects[number]) and left > 0:
            found = _unpacked(data, match.end(), objects[number], left)
            left -= sum(map(len, found.values()))
            objects |= found
            written += [b"%d 0 obj\n%s\nendobj\n" % (inner, content) for inner, content in found.items()]
    pages = [number for number, content in objects.items() if _PAGE.search(content)]
    if not pages:
        return None
    root = _catalog(objects)
    if root is None:
        top = max(objects) + 1
        root = top + 1
        kids = b" ".join(b"%d 0 R" % number for number in pages)
        written.append(b"%d 0 obj\n<< /Type /Pages /Count %d /Kids [%s] >>\nendobj\n" % (top, len(pages), kids))
        written.append(b"%d 0 obj\n<< /Type /Catalog /Pages %d 0 R >>\nendobj\n" % (root, top))
    end = b"\nendstream\nendobj\n" if data.rfind(b"stream") > data.rfind(b"endobj") else b"\nendobj\n"
    trailer = b"trailer\n<< /Root %d 0 R /Size %d >>\nstartxref\n0\n%%%%EOF\n" % (root, max(objects, default=0) + 3)
    return b"".join([data, end, *written, trailer])


def _unpacked(data: bytes, at: int, dictionary: bytes, most: int) -> dict[int, bytes]:
    """Return the objects in a stream of objects, as many as can be unpacked."""
    begin = _BEGIN.search(data, at)
    counts = [found[1] if (found := pattern.search(dictionary)) else b"0" for pattern in _NUMBER.values()]
    if begin is None or b"FlateDecode" not in dictionary:
        return {}
    end = data.find(b"endstream", begin.end())
    unpacker = zlib.decompressobj()
    text = b""
    try:
        text = unpacker.decompress(data[begin.end() : end if end >= 0 else len(data)], most)
    except zlib.error:
        return {}
    count, first = map(int, counts)
    numbers = [int(word) for word in text[:first].split()[: 2 * count] if word.isdigit()]
    places = list(zip(numbers[::2], numbers[1::2], strict=False))
    ends = [place for _, place in places[1:]] + [len(text)]
    return {
        number: text[first + place : first + (stop if stop > place else len(text))].strip()
        for (number, place), stop in zip(places, ends, strict=True)
        if first + place < len(text)
    }


def _catalog(objects: dict[int, bytes]) -> int | None:
    """Return the number of the catalog when all branches of its tree of pages are there."""
    for number, content in reversed(objects.items()):
        top = _ROOT.search(content) if _CATALOG.search(content) else None
        if top is None or int(top[1]) not in objects:
            continue
        waiting, seen = [int(top[1])], set[int]()
        while waiting:
            node = waiting.pop()
            if node in seen or node not in objects:
                return None
            seen.add(node)
            kids = _KIDS.search(objects[node]) if _PAGES.search(objects[node]) else None
            waiting += [int(kid) for kid in _REFERENCE.findall(kids[1])] if kids else []
        return number
    return None
