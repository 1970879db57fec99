"""Takes the pictures out of a file that a model may describe: scanned pages, figures, image files, media of Office files."""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.elements import Box
from ingest.errors import UnreadableFile

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST = 1120
"""Pixels of a picture's longer side: vision models read tiles of a few hundred, more is only slower."""
SMALLEST = 96
"""Pixels of the shorter side below which a picture is an icon or a rule."""
LARGEST_PART = 50_000_000
"""Bytes of a picture inside an Office file."""
SCAN = 0.6
"""Share of a page under images from which the whole page is one picture."""
INCH = 72.0
"""Points: a figure on a page is at least this wide and high."""
FIGURES = 4
"""Figures of one page, the largest ones."""
DPI = 150

_HEAD = struct.Struct(">Q")
_MEDIA = {"docx": "word/media/", "pptx": "ppt/media/", "xlsx": "xl/media/"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as PNG, the page it stands on with its size in points (0 when unknown), and its place there; a box without
    area where nobody knows it."""

    page: int
    size: tuple[float, float]
    box: Box
    png: bytes

    @property
    def sha256(self) -> str:
        """Return the hash of its pixels' file, by which it is known again."""
        return hashlib.sha256(self.png).hexdigest()


@dataclass(frozen=True, slots=True)
class Pictures:
    """The first pictures of a file, each once, and how many more there are."""

    form: str
    items: tuple[Picture, ...]
    left_out: int


def pictures(path: Path, form: str, most: int, password: str | None = None) -> Pictures:
    """Return at most so many pictures of a file; none of a format whose pictures are not looked for."""
    if form == "pdf":
        found = _of_pdf(path, password)
    elif form == "image":
        found = _of_image(path)
    elif form in _MEDIA:
        found = _of_office(path, form)
    else:
        return Pictures(form, (), 0)
    kept: dict[str, Picture] = {}
    left_out: set[str] = set()
    for picture in found:
        if len(kept) < most:
            kept.setdefault(picture.sha256, picture)
        elif picture.sha256 not in kept:
            left_out.add(picture.sha256)
            if len(left_out) >= 10 * most:
                break  # many more: nobody needs the exact number
    return Pictures(form, tuple(kept.values()), len(left_out))


def pack(found: Pictures) -> bytes:
    """Return pictures as bytes, the way they travel from the parser child."""
    items = [[p.page, *p.size, *p.box, len(p.png)] for p in found.items]
    head = json.dumps({"form": found.form, "items": items, "left_out": found.left_out}).encode("ascii")
    return b"".join([_HEAD.pack(len(head)), head, *(p.png for p in found.items)])


def unpack(data: bytes | bytearray) -> Pictures:
    """Return the pictures in bytes that `pack` made; ValueError, KeyError or TypeError for other bytes."""
    if len(data) < _HEAD.size:
        raise ValueError("too short")
    at = _HEAD.size + _HEAD.unpack_from(data)[0]
    head = json.loads(bytes(data[_HEAD.size : at]))
    items = []
    for page, width, height, _, x0, y0, x1, y1, length in head["items"]:
        png = bytes(data[at : at + length])
        if len(png) != length or not png.startswith(b"\x89PNG"):
            raise ValueError("not a picture")
        at += length
        box = Box(int(page), float(x0), float(y0), float(x1), float(y1))
        items.append(Picture(int(page), (float(width), float(height)), box, png))
    return Pictures(str(head["form"]), tuple(items), int(head["left_out"]))


def _of_pdf(path: Path, password: str | None) -> Iterator[Picture]:
    """Yield pages that are scans as a whole, of other pages the figures that are images."""
    from ingest.pdfium import figures, image_of, opened, sizes

    with opened(path, password) as document:
        for number, size in enumerate(sizes(document), start=1):
            width, height = size
            boxes = [box for box in figures(document, number) if min(box.x1 - box.x0, box.y1 - box.y0) >= INCH]
            boxes.sort(key=lambda box: -(box.x1 - box.x0) * (box.y1 - box.y0))
            if not boxes or not width or (drawn := image_of(document, number, DPI)) is None:
                continue
            covered = sum((box.x1 - box.x0) * (box.y1 - box.y0) for box in boxes) / (width * height)
            whole = Box(number, 0.0, 0.0, width, height)
            for box in [whole] if covered >= SCAN else boxes[:FIGURES]:
                edges = (box.x0 / drawn[1], box.y0 / drawn[1], box.x1 / drawn[1], box.y1 / drawn[1])
                yield Picture(number, size, box, _png(drawn[0].crop(edges)))


def _of_image(path: Path) -> Iterator[Picture]:
    from ingest.image_file import frames

    for number, (frame, scale) in enumerate(frames(path), start=1):
        if min(frame.size) >= SMALLEST:
            size = round(frame.width * scale, 2), round(frame.height * scale, 2)
            yield Picture(number, size, Box(number, 0.0, 0.0, *size), _png(frame))


def _of_office(path: Path, form: str) -> Iterator[Picture]:
    """Yield the pictures among a file's media, of a presentation slide by slide; drawings and charts are not pictures."""
    try:
        with zipfile.ZipFile(path) as archive:
            for page, name in _parts(archive, form):
                info = archive.getinfo(name)
                if info.file_size > LARGEST_PART:
                    continue
                if (image := _decoded(archive.read(info))) is not None and min(image.size) >= SMALLEST:
                    yield Picture(page, (0.0, 0.0), Box(page, 0.0, 0.0, 0.0, 0.0), _png(image))
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        raise UnreadableFile("The pictures inside the Office file are damaged.", "Save it again.") from error


def _parts(archive: zipfile.ZipFile, form: str) -> Iterator[tuple[int, str]]:
    """Yield the page and the name of each picture's part; formats without pages have one."""
    from ingest.ooxml import relations, slide_parts

    names = set(archive.namelist())
    if form == "pptx":
        for page, slide in enumerate(slide_parts(archive), start=1):
            for kind, part in relations(archive, slide):
                if posixpath.basename(kind) == "image" and part in names:
                    yield page, part
    else:
        yield from ((1, name) for name in sorted(names) if name.startswith(_MEDIA[form]))


def _decoded(data: bytes) -> Image | None:
    """Return a picture, or None for what is none that can be decoded (a metafile, a damaged one)."""
    from ingest.image_file import frames

    try:
        return next((image for image, _ in frames(io.BytesIO(data))), None)
    except UnreadableFile:
        return None


def _png(image: Image) -> bytes:
    """Return an image as PNG, made smaller where it is larger than a model reads."""
    image.thumbnail((LONGEST, LONGEST))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
