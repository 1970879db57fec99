"""Finds text that a PDF page holds but does not show, and takes it out of a copy of the file."""

from __future__ import annotations

import ctypes
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.elements import Box
from ingest.pdf_grey import crop, grey, has_ink, hull, pixels
from ingest.pdf_scene import Bounds, Scene, bounds_of, holds, overlaps, scene_of
from ingest.pdfium import alternatives, box_on_page, opened

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

_INVISIBLE = 3
_TINY = 2.0
_LIGHT = 200
_DIFFERS = 24
"""Grey values by which a pixel has to differ without the text, for the text to be seen."""
_NO_GROUND = -2
_FEWEST_LETTERS = 3
STILL_THERE = 0.8
"""Share of a page's words that must be among those it had, when it was written again."""
_AT_ONCE = 150
"""Pages that are looked at before the file is opened anew."""


@dataclass(frozen=True, slots=True)
class HiddenText:
    """A passage that a page does not show: how it is hidden, and where its pieces stand: (start, end, box) in its text."""

    text: str
    how: str
    spots: tuple[tuple[int, int, Box], ...]


class Glance(NamedTuple):
    """What a page that could be looked at has beside plain text; `alternatives` are what its tags say of its pictures."""

    invisible: bool
    pictures: bool
    alternatives: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Concealed:
    """The hidden text of a file by page, and the file without it; `source` is None where there is none. `seen` are the pages
    that could be looked at, `spoilt` those that can't be written without it and stand in `source` as they were."""

    source: bytes | None
    pages: dict[int, list[HiddenText]]
    seen: dict[int, Glance]
    spoilt: frozenset[int] = frozenset()


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
    from pypdfium2 import raw

    seen: dict[int, Glance] = {}
    some: list[int] = []
    last, first = 1, 1
    while first <= last:  # PDFium keeps what it has read of a document until that is closed
        with opened(path, password) as document:
            last = len(document)
            numbers = range(first, min(last, first + _AT_ONCE - 1) + 1)
            for number, page in _pages(document, numbers):
                scene = scene_of(raw, page)
                ink = bool((scene.texts.mode == _INVISIBLE).any())
                seen[number] = Glance(ink, bool(scene.images), alternatives(page))
                if _found(raw, page, scene, number):
                    some.append(number)
        first += _AT_ONCE
    if not some:
        return Concealed(None, {}, seen)
    with opened(path, password) as document:
        before = {number: _words(page) for number, page in _pages(document, some)}
        found = {number: _take(raw, page, number) for number, page in _pages(document, some)}
        copy = _copy(raw, document)
    with opened(copy, password) as document:
        spoilt = {number for number, page in _pages(document, some) if _is_spoilt(_words(page), before[number])}
    if spoilt:
        with opened(path, password) as document:
            for number, page in _pages(document, [one for one in some if one not in spoilt]):
                _take(raw, page, number)
            copy = _copy(raw, document)
    return Concealed(copy, found, seen, frozenset(spoilt))


def _words(page: PdfPage) -> Counter[str]:
    """Return the words of a page, hidden ones included."""
    with closing(page.get_textpage()) as text:
        return Counter(text.get_text_range().split())


def _is_spoilt(after: Counter[str], before: Counter[str]) -> bool:
    """Say whether a page that was written again has other words than it had: PDFium loses the letters of some fonts."""
    return (after & before).total() < STILL_THERE * after.total()


def _pages(document: PdfDocument, numbers: Iterable[int]) -> Iterator[tuple[int, PdfPage]]:
    """Yield pages one after the other; `ingest.pdf` names those that can't be loaded."""
    from pypdfium2 import PdfiumError

    for number in numbers:
        try:
            page = document[number - 1]
        except PdfiumError:
            continue
        try:
            yield number, page
        finally:
            page.close()


def _copy(raw: Any, document: PdfDocument) -> bytes:
    document.save(buffer := io.BytesIO(), flags=raw.FPDF_REMOVE_SECURITY)
    return buffer.getvalue()


def _found(raw: Any, page: PdfPage, scene: Scene, number: int) -> list[tuple[list[_Piece], HiddenText]]:
    """Return a page's hidden text, each passage with the objects that it is made of."""
    pieces = list(_suspects(raw, page, scene))
    if not pieces:
        return []
    unsure = [piece for piece in pieces if not piece.sure]
    shown = {id(piece) for piece in _seen(raw, page, unsure)} if unsure else set()
    pieces = [piece for piece in pieces if id(piece) not in shown]
    with closing(page.get_textpage()) as text:
        passages = [(group, _passage(raw, page, text, group, number)) for group in _groups(pieces)]
    return [(group, passage) for group, passage in passages if passage is not None]


def _take(raw: Any, page: PdfPage, number: int) -> list[HiddenText]:
    """Return a page's hidden text, and take it out of the page."""
    found = _found(raw, page, scene_of(raw, page), number)
    for group, _ in found:
        for piece in group:
            if piece.form is None:
                raw.FPDFPageObj_SetIsActive(piece.item, False)
            else:
                raw.FPDFFormObj_RemoveObject(piece.form, piece.item)
    if found:
        raw.FPDFPage_GenerateContent(page.raw)
    return [passage for _, passage in found]


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
    areas = {id(piece): pixels(page, piece.bounds) for piece in pieces}
    around = hull(areas.values())
    whole = grey(page, around)
    blank = [piece for piece in scans if not has_ink(crop(whole, around, areas[id(piece)]))]
    yield from (scans if 2 * len(blank) > len(scans) else [p for p in scans if not any(p is other for other in blank)])
    others = [piece for piece in pieces if piece.how != "in invisible ink"]
    if not others:
        return
    for piece in others:
        raw.FPDFPageObj_SetIsActive(piece.item, False)
    without = grey(page, around)
    for piece in others:
        raw.FPDFPageObj_SetIsActive(piece.item, True)
    for piece in others:
        differ = crop(whole, around, areas[id(piece)]) - crop(without, around, areas[id(piece)])
        if (np.abs(differ) > _DIFFERS).any():
            yield piece


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
    enough = len(re.findall(r"\w", words)) >= _FEWEST_LETTERS
    return HiddenText(words, group[0].how, tuple(spots)) if enough else None


def _touches(one: Bounds, two: Bounds) -> bool:
    """Say whether two pieces of a line stand so close that they are one word."""
    height = max(0.1, min(one[3] - one[1], two[3] - two[1]))
    return min(one[3], two[3]) - max(one[1], two[1]) > 0.3 * height and -height < two[0] - one[2] < 0.2 * height


def _text(raw: Any, item: Any, text: Any) -> str:
    length = raw.FPDFTextObj_GetText(item, text.raw, None, 0)
    buffer = ctypes.create_string_buffer(length)
    raw.FPDFTextObj_GetText(item, text.raw, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), length)
    return buffer.raw[:length].decode("utf-16-le", "replace").rstrip("\0")
