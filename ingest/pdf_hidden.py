"""Finds text that a PDF page holds but does not show, and takes it out of a copy of the file."""

from __future__ import annotations

import ctypes
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.elements import Box
from ingest.pdf_scene import Bounds, Scene, bounds_of, holds, overlaps, scene_of, times
from ingest.pdfium import box_on_page, opened

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

_INVISIBLE = 3
_TINY = 2.0
_LIGHT = 200
_SCALE = 2.0
_DIFFERS = 24
"""Grey values by which a pixel has to differ without the text, for the text to be seen."""
_INK = 48
_BAND, _BANDS = 12.0, 2000
_FEWEST_LETTERS = 3


@dataclass(frozen=True, slots=True)
class HiddenText:
    """A passage that a page does not show: how it is hidden, and where its pieces stand: (start, end, box) in its text."""

    text: str
    how: str
    spots: tuple[tuple[int, int, Box], ...]


@dataclass(frozen=True, slots=True)
class Concealed:
    """The hidden text of a file by page, and the file without it; `source` is None where there is none."""

    source: bytes | None
    pages: dict[int, list[HiddenText]]


@dataclass(slots=True)
class _Piece:
    """A text object that may be hidden; `sure` needs no look at the page."""

    item: Any
    form: Any
    bounds: Bounds
    how: str
    sure: bool


def conceal(path: Path, password: str | None) -> Concealed:
    """Return what a PDF hides. UnreadableFile when PDFium can't open it.

    Hidden is text in invisible ink unless a picture with ink lies behind it (a scan's OCR layer), text below two points,
    text off the page, and text that makes no difference to the page: in the colour of what lies behind it, covered, transparent.
    """
    from pypdfium2 import PdfiumError, raw

    found: dict[int, list[HiddenText]] = {}
    with opened(path, password) as document:
        for number in range(1, len(document) + 1):
            try:
                page = document[number - 1]
            except PdfiumError:
                continue  # `ingest.pdf` names pages that can't be loaded
            try:
                if hidden := _take(raw, page, number):
                    found[number] = hidden
            finally:
                page.close()
        return Concealed(_copy(raw, document) if found else None, found)


def _copy(raw: Any, document: PdfDocument) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer, flags=raw.FPDF_REMOVE_SECURITY)
    return buffer.getvalue()


def _take(raw: Any, page: PdfPage, number: int) -> list[HiddenText]:
    """Return a page's hidden text, and take it out of the page."""
    scene = scene_of(raw, page)
    pieces = list(_suspects(raw, page, scene))
    if not pieces:
        return []
    unsure = [piece for piece in pieces if not piece.sure]
    shown = {id(piece) for piece in _seen(raw, page, unsure)} if unsure else set()
    pieces = [piece for piece in pieces if id(piece) not in shown]
    text = page.get_textpage()
    try:
        passages = [(group, _passage(raw, page, text, group, number)) for group in _groups(pieces)]
    finally:
        text.close()
    kept = [(group, passage) for group, passage in passages if passage is not None]
    for group, _ in kept:
        for piece in group:
            if piece.form is None:
                raw.FPDFPageObj_SetIsActive(piece.item, False)
            else:
                raw.FPDFFormObj_RemoveObject(piece.form, piece.item)
    if kept:
        raw.FPDFPage_GenerateContent(page.raw)
    return [passage for _, passage in kept]


def _suspects(raw: Any, page: PdfPage, scene: Scene) -> Iterator[_Piece]:
    """Yield the text objects that may be hidden.

    A page may have one for every letter: what is asked of each is looked up once, and areas are kept by the bands they cross.
    """
    paper = page.get_bbox()
    bands: dict[int, list[tuple[int, Bounds, tuple[int, ...] | None]]] = {}
    for area in scene.areas:
        for band in range(max(-_BANDS, int(area[1][1] // _BAND)), min(_BANDS, int(area[1][3] // _BAND) + 1)):
            bands.setdefault(band, []).append(area)
    size, place = ctypes.c_float(), raw.FS_MATRIX()
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    mode_of, size_of, colour_of, matrix_of = (
        raw.FPDFTextObj_GetTextRenderMode,
        raw.FPDFTextObj_GetFontSize,
        raw.FPDFPageObj_GetFillColor,
        raw.FPDFPageObj_GetMatrix,
    )
    for order, item, form, around in scene.texts:
        mode = mode_of(item)
        size_of(item, size)
        matrix_of(item, place)
        own = (place.a, place.b, place.c, place.d, place.e, place.f)
        if form is not None:
            own = times(own, around)
        dye = (red.value, green.value, blue.value) if colour_of(item, red, green, blue, alpha) else (0, 0, 0)
        x, y = own[4], own[5]
        small = size.value * abs(own[0] * own[3] - own[1] * own[2]) ** 0.5 < _TINY
        here = [area for area in bands.get(int(y // _BAND), ()) if holds(area[1], (x, y, x, y))]
        later = [box for at, box, _ in here if at > order]
        ground = next((under for at, _, under in reversed(here) if at < order), None)
        pale = min(dye) >= _LIGHT or ground == dye
        inside = paper[0] <= x <= paper[2] and paper[1] <= y <= paper[3]
        if inside and not (mode == _INVISIBLE or small or later or pale or not alpha.value):
            continue
        bounds = bounds_of(raw, item, around)
        if mode == _INVISIBLE:
            behind = any(overlaps(image, bounds) for image in scene.images)
            yield _Piece(item, form, bounds, "in invisible ink", sure=not behind)
        elif not overlaps(paper, bounds):
            yield _Piece(item, form, bounds, "off the page", sure=True)
        elif small and min(bounds[3] - bounds[1], bounds[2] - bounds[0]) < _TINY:
            yield _Piece(item, form, bounds, "tiny", sure=True)
        elif any(holds(box, bounds) for box in later):
            yield _Piece(item, form, bounds, "covered", sure=False)
        elif pale or not alpha.value:
            yield _Piece(
                item, form, bounds, "in the colour of its background" if alpha.value else "transparent", sure=False
            )


def _seen(raw: Any, page: PdfPage, pieces: Sequence[_Piece]) -> Iterator[_Piece]:
    """Yield the pieces that are seen: the page looks different without them, or a picture has ink where they stand."""
    scans = [piece for piece in pieces if piece.how == "in invisible ink"]
    whole = _picture(page)
    blank = [piece for piece in scans if not _has_ink(whole, page, piece.bounds)]
    yield from (scans if 2 * len(blank) > len(scans) else [p for p in scans if not any(p is other for other in blank)])
    others = [piece for piece in pieces if piece.how != "in invisible ink"]
    if not others:
        return
    for piece in others:
        raw.FPDFPageObj_SetIsActive(piece.item, False)
    without = _picture(page)
    for piece in others:
        raw.FPDFPageObj_SetIsActive(piece.item, True)
    for piece in others:
        area = _area(page, piece.bounds, whole[1:])
        pairs = zip(_crop(whole, area), _crop(without, area), strict=True)
        if any(abs(a - b) > _DIFFERS for a, b in pairs):
            yield piece


_Picture = tuple[bytes, int, int]
"""Grey values row by row, width, height."""


def _picture(page: PdfPage) -> _Picture:
    image = page.render(scale=_SCALE, grayscale=True).to_pil().convert("L")
    return image.tobytes(), image.width, image.height


def _area(page: PdfPage, bounds: Bounds, size: tuple[int, int]) -> tuple[int, int, int, int]:
    box = box_on_page(page, bounds, 0)
    x0, y0 = max(0, int(box.x0 * _SCALE)), max(0, int(box.y0 * _SCALE))
    return x0, y0, min(size[0], int(box.x1 * _SCALE) + 2), min(size[1], int(box.y1 * _SCALE) + 2)


def _crop(picture: _Picture, area: tuple[int, int, int, int]) -> bytes:
    x0, y0, x1, y1 = area
    return (
        b"".join(picture[0][row * picture[1] + x0 : row * picture[1] + x1] for row in range(y0, y1)) if x1 > x0 else b""
    )


def _has_ink(picture: _Picture, page: PdfPage, bounds: Bounds) -> bool:
    grey = _crop(picture, _area(page, bounds, picture[1:]))
    return bool(grey) and max(grey) - min(grey) >= _INK


def _groups(pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
    """Yield pieces that follow each other and are hidden in the same way."""
    group: list[_Piece] = []
    for piece in pieces:
        if group and piece.how != group[-1].how:
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _passage(raw: Any, page: PdfPage, text: Any, group: Sequence[_Piece], number: int) -> HiddenText | None:
    """Return the text of some pieces, spaces where there is room between them; None when it says nothing."""
    words, spots, before = "", [], None
    for piece in group:
        said = " ".join(_text(raw, piece.item, text).split())
        if not said:
            continue
        if before is not None and words and not _touches(before, piece.bounds):
            words += " "
        spots.append((len(words), len(words) + len(said), box_on_page(page, piece.bounds, number)))
        words, before = words + said, piece.bounds
    letters = len(re.findall(r"\w", words))
    return HiddenText(words, group[0].how, tuple(spots)) if letters >= _FEWEST_LETTERS else None


def _touches(one: Bounds, two: Bounds) -> bool:
    """Say whether two pieces of a line stand so close that they are one word."""
    height = max(0.1, min(one[3] - one[1], two[3] - two[1]))
    return min(one[3], two[3]) - max(one[1], two[1]) > 0.3 * height and -height < two[0] - one[2] < 0.2 * height


def _text(raw: Any, item: Any, text: Any) -> str:
    length = raw.FPDFTextObj_GetText(item, text.raw, None, 0)
    buffer = ctypes.create_string_buffer(length)
    raw.FPDFTextObj_GetText(item, text.raw, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), length)
    return buffer.raw[:length].decode("utf-16-le", "replace").rstrip("\0")
