"""Finds text that a PDF page holds but does not show, and takes it out of a copy of the file."""

from __future__ import annotations

import ctypes
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.elements import Box
from ingest.pdf_scene import Bounds, Scene, bounds_of, holds, overlaps, scene_of
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
_NO_GROUND = -2
_FEWEST_LETTERS = 3


@dataclass(frozen=True, slots=True)
class HiddenText:
    """A passage that a page does not show: how it is hidden, and where its pieces stand: (start, end, box) in its text."""

    text: str
    how: str
    spots: tuple[tuple[int, int, Box], ...]


class Glance(NamedTuple):
    """What a page that could be looked at has beside plain text."""

    invisible: bool
    pictures: bool


@dataclass(frozen=True, slots=True)
class Concealed:
    """The hidden text of a file by page, and the file without it; `source` is None where there is none. `seen` are the pages
    that could be looked at."""

    source: bytes | None
    pages: dict[int, list[HiddenText]]
    seen: dict[int, Glance]


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
    seen: dict[int, Glance] = {}
    with opened(path, password) as document:
        for number in range(1, len(document) + 1):
            try:
                page = document[number - 1]
            except PdfiumError:
                continue  # `ingest.pdf` names pages that can't be loaded
            try:
                scene = scene_of(raw, page)
                seen[number] = Glance(bool((scene.texts.mode == _INVISIBLE).any()), bool(scene.images))
                if hidden := _take(raw, page, scene, number):
                    found[number] = hidden
            finally:
                page.close()
        return Concealed(_copy(raw, document) if found else None, found, seen)


def _copy(raw: Any, document: PdfDocument) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer, flags=raw.FPDF_REMOVE_SECURITY)
    return buffer.getvalue()


def _take(raw: Any, page: PdfPage, scene: Scene, number: int) -> list[HiddenText]:
    """Return a page's hidden text, and take it out of the page."""
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

    A page may have one for every letter, so all are looked at together, and only those one by one that may be hidden.
    """
    texts, paper = scene.texts, page.get_bbox()
    place, alpha = texts.matrix, texts.colour[:, 3]
    x, y = place[:, 4], place[:, 5]
    turn = np.abs(place[:, 0] * place[:, 3] - place[:, 1] * place[:, 2])
    small = texts.size.astype(np.float64) * np.sqrt(turn) < _TINY
    ground, covered = _grounds(scene)
    pale = (texts.colour[:, :3].min(axis=1) >= _LIGHT) | (ground == texts.dye())
    inside = (paper[0] <= x) & (x <= paper[2]) & (paper[1] <= y) & (y <= paper[3])
    shown = inside & ~((texts.mode == _INVISIBLE) | small | covered | pale | (alpha == 0))
    for at in np.flatnonzero(~shown).tolist():
        form, around = scene.forms[texts.form[at]]
        item = ctypes.cast(int(texts.item[at]), raw.FPDF_PAGEOBJECT)
        held = ctypes.cast(form, raw.FPDF_PAGEOBJECT) if form is not None else None
        bounds = bounds_of(raw, item, around)
        if texts.mode[at] == _INVISIBLE:
            behind = any(overlaps(image, bounds) for image in scene.images)
            yield _Piece(item, held, bounds, "in invisible ink", sure=not behind)
        elif not overlaps(paper, bounds):
            yield _Piece(item, held, bounds, "off the page", sure=True)
        elif small[at] and min(bounds[3] - bounds[1], bounds[2] - bounds[0]) < _TINY:
            yield _Piece(item, held, bounds, "tiny", sure=True)
        elif covered[at] and _is_covered(scene, int(texts.order[at]), (x[at], y[at]), bounds):
            yield _Piece(item, held, bounds, "covered", sure=False)
        elif pale[at] or not alpha[at]:
            how = "in the colour of its background" if alpha[at] else "transparent"
            yield _Piece(item, held, bounds, how, sure=False)


def _grounds(scene: Scene) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the colour of the area that was drawn last under the beginning of each text, and whether one is drawn over it."""
    texts = scene.texts
    x, y = texts.matrix[:, 4], texts.matrix[:, 5]
    ground, covered = np.full(len(x), _NO_GROUND), np.zeros(len(x), bool)
    upwards = np.argsort(y)
    edges = np.array([area.bounds for area in scene.areas]).reshape(-1, 4)
    lowest = np.searchsorted(y[upwards], edges[:, 1] - 1).tolist()
    highest = np.searchsorted(y[upwards], edges[:, 3] + 1, "right").tolist()
    for area, low, high in zip(scene.areas, lowest, highest, strict=True):
        if low == high:
            continue
        here = upwards[low:high]
        here = here[(x[here] >= area.bounds[0] - 1) & (x[here] <= area.bounds[2] + 1)]
        before = texts.order[here] < area.order
        covered[here[before]] = True
        ground[here[~before]] = area.colour
    return ground, covered


def _is_covered(scene: Scene, order: int, point: tuple[float, float], bounds: Bounds) -> bool:
    return any(
        area.order > order and holds(area.bounds, bounds) and holds(area.bounds, (*point, *point))
        for area in scene.areas
    )


def _seen(raw: Any, page: PdfPage, pieces: Sequence[_Piece]) -> Iterator[_Piece]:
    """Yield the pieces that are seen: the page looks different without them, or a picture has ink where they stand.

    Only the part of the page around the pieces is drawn.
    """
    scans = [piece for piece in pieces if piece.how == "in invisible ink"]
    areas = {id(piece): _area(page, piece.bounds) for piece in pieces}
    around = _hull(areas.values())
    whole = _picture(page, around)
    blank = [piece for piece in scans if not _has_ink(_crop(whole, around, areas[id(piece)]))]
    yield from (scans if 2 * len(blank) > len(scans) else [p for p in scans if not any(p is other for other in blank)])
    others = [piece for piece in pieces if piece.how != "in invisible ink"]
    if not others:
        return
    for piece in others:
        raw.FPDFPageObj_SetIsActive(piece.item, False)
    without = _picture(page, around)
    for piece in others:
        raw.FPDFPageObj_SetIsActive(piece.item, True)
    for piece in others:
        differ = _crop(whole, around, areas[id(piece)]) - _crop(without, around, areas[id(piece)])
        if (np.abs(differ) > _DIFFERS).any():
            yield piece


_Pixels = tuple[int, int, int, int]
"""A part of the page's picture: left, top, right, bottom."""


def _size(page: PdfPage) -> tuple[int, int]:
    return math.ceil(page.get_width() * _SCALE), math.ceil(page.get_height() * _SCALE)


def _picture(page: PdfPage, part: _Pixels) -> NDArray[np.int16]:
    """Return the grey values of a part of the page, row by row."""
    width, height = _size(page)
    x0, y0, x1, y1 = part
    if x1 <= x0 or y1 <= y0:
        return np.zeros((0, 0), np.int16)
    beside = (x0 / _SCALE, (height - y1) / _SCALE, (width - x1) / _SCALE, y0 / _SCALE)
    image = page.render(scale=_SCALE, grayscale=True, crop=beside).to_pil().convert("L")
    return np.asarray(image, np.int16)


def _area(page: PdfPage, bounds: Bounds) -> _Pixels:
    box, (width, height) = box_on_page(page, bounds, 0), _size(page)
    x0, y0 = max(0, int(box.x0 * _SCALE)), max(0, int(box.y0 * _SCALE))
    x1, y1 = min(width, int(box.x1 * _SCALE) + 2), min(height, int(box.y1 * _SCALE) + 2)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else (0, 0, 0, 0)


def _hull(areas: Iterable[_Pixels]) -> _Pixels:
    x0, y0, x1, y1 = zip(*[area for area in areas if area[2]] or [(0, 0, 0, 0)], strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _crop(picture: NDArray[np.int16], around: _Pixels, area: _Pixels) -> NDArray[np.int16]:
    x0, y0, x1, y1 = area
    left, top = around[:2]
    return picture[y0 - top : y1 - top, x0 - left : x1 - left] if x1 else picture[:0, :0]


def _has_ink(grey: NDArray[np.int16]) -> bool:
    return bool(grey.size) and int(grey.max() - grey.min()) >= _INK


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
