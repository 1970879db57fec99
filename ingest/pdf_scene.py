"""Says what is drawn on a PDF page, in which order, where and in which colour."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

_DEEPEST = 4
_MOST_OBJECTS = 20_000
_RULE = 4.0
"""Points: a filled shape no wider than this is a line, which no text stands on or under."""

Bounds = tuple[float, float, float, float]
Matrix = tuple[float, float, float, float, float, float]
_SAME: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(slots=True)
class Scene:
    """What is drawn on a page, with its place in the order of drawing: text (object, form around it, place of the form), and
    areas that lie over or under text: pictures, and filled shapes with their colour."""

    texts: list[tuple[int, Any, Any, Matrix]] = field(default_factory=list)
    areas: list[tuple[int, Bounds, tuple[int, ...] | None]] = field(default_factory=list)
    images: list[Bounds] = field(default_factory=list)


def scene_of(raw: Any, page: PdfPage) -> Scene:
    """Return what is drawn on a page, up to a limit; forms are looked into."""
    scene = Scene()
    left, order = _MOST_OBJECTS, 0
    waiting: list[Iterator[tuple[Any, Any, Matrix]]] = [_children(raw, page.raw, None, _SAME)]
    while waiting and left:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
            continue
        item, form, around = entry
        left, order = left - 1, order + 1
        kind = raw.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_TEXT:
            scene.texts.append((order, item, form, around))
        elif kind == raw.FPDF_PAGEOBJ_FORM:
            if len(waiting) <= _DEEPEST:
                waiting.append(_children(raw, None, item, times(matrix(raw, item), around)))
        elif kind == raw.FPDF_PAGEOBJ_IMAGE:
            scene.images.append(bounds_of(raw, item, around))
            scene.areas.append((order, scene.images[-1], None))
        elif kind == raw.FPDF_PAGEOBJ_PATH and _is_filled(raw, item):
            box = bounds_of(raw, item, around)
            if min(box[2] - box[0], box[3] - box[1]) > _RULE:
                scene.areas.append((order, box, colour(raw, item)[:3]))
    return scene


def _children(raw: Any, page: Any, form: Any, around: Matrix) -> Iterator[tuple[Any, Any, Matrix]]:
    """Yield what a page or a form holds, with the form and its place."""
    if form is None:
        for index in range(max(0, raw.FPDFPage_CountObjects(page))):
            yield raw.FPDFPage_GetObject(page, index), None, around
    else:
        for index in range(max(0, raw.FPDFFormObj_CountObjects(form))):
            yield raw.FPDFFormObj_GetObject(form, index), form, around


def _is_filled(raw: Any, item: Any) -> bool:
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    return bool(raw.FPDFPath_GetDrawMode(item, mode, stroke)) and mode.value != 0


def colour(raw: Any, item: Any) -> tuple[int, int, int, int]:
    """Return an object's fill colour and opacity; opaque black when PDFium can't say."""
    values = [ctypes.c_uint() for _ in range(4)]
    if not raw.FPDFPageObj_GetFillColor(item, *values):
        return 0, 0, 0, 255
    red, green, blue, alpha = (value.value for value in values)
    return red, green, blue, alpha


def matrix(raw: Any, item: Any) -> Matrix:
    """Return where an object's own space lies in the one around it."""
    found = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(item, found):
        return _SAME
    return found.a, found.b, found.c, found.d, found.e, found.f


def times(inner: Matrix, outer: Matrix) -> Matrix:
    """Return two places, one within the other, as one."""
    a, b, c, d, e, f = inner
    g, h, i, j, k, m = outer
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def bounds_of(raw: Any, item: Any, around: Matrix) -> Bounds:
    """Return an object's rectangle (left, bottom, right, top) in the page's own space."""
    edges = [ctypes.c_float() for _ in range(4)]
    if not raw.FPDFPageObj_GetBounds(item, *edges):
        return 0.0, 0.0, 0.0, 0.0
    left, bottom, right, top = (edge.value for edge in edges)
    a, b, c, d, e, f = around
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (left, right) for y in (bottom, top)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def holds(outer: Sequence[float], inner: Sequence[float]) -> bool:
    """Say whether a rectangle lies in another, but for a point."""
    return (
        outer[0] - 1 <= inner[0] and outer[1] - 1 <= inner[1] and outer[2] + 1 >= inner[2] and outer[3] + 1 >= inner[3]
    )


def overlaps(one: Sequence[float], two: Sequence[float]) -> bool:
    """Say whether two rectangles have a part in common."""
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]
