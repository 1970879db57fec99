"""Says what is drawn on a PDF page, in which order, where and in which colour."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

_DEEPEST = 4
_MOST_OBJECTS = 20_000
_RULE = 4.0
"""Points: a filled shape no wider than this is a line, which no text stands on or under."""

Bounds = tuple[float, float, float, float]
Matrix = tuple[float, float, float, float, float, float]
_SAME: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_NO_COLOUR = -1
_BLACK = (0, 0, 0, 255)


class Area(NamedTuple):
    """A picture or a filled shape: its place in the order of drawing, its rectangle, its colour (-1: a picture)."""

    order: int
    bounds: Bounds
    colour: int


@dataclass(frozen=True, slots=True)
class Texts:
    """The text objects of a page in the order of drawing, a row each.

    `matrix` is the place on the page; `colour` is red, green, blue, opacity; `form` says which of the scene's forms holds it.
    """

    item: NDArray[np.uint64]
    order: NDArray[np.int64]
    mode: NDArray[np.int64]
    size: NDArray[np.float32]
    matrix: NDArray[np.float64]
    colour: NDArray[np.uint32]
    form: NDArray[np.int64]

    def dye(self) -> NDArray[np.int64]:
        """Return each colour as one number, as areas have it."""
        red, green, blue, _ = self.colour.astype(np.int64).T
        dye: NDArray[np.int64] = red << 16 | green << 8 | blue
        return dye


@dataclass(slots=True)
class Scene:
    """What is drawn on a page: text, and areas that lie over or under text. `forms` are (form, place), the first one the page."""

    texts: Texts
    areas: list[Area]
    images: list[Bounds]
    forms: list[tuple[int | None, Matrix]]


class _Calls(NamedTuple):
    """PDFium's functions with plain addresses as arguments, so that `map` can call them for all objects of a page: a page may
    have one for every letter, and pypdfium2's own wrappers take five times as long."""

    on_page: Any
    in_form: Any
    mode: Any
    size: Any
    matrix: Any
    colour: Any
    bounds: Any
    drawn: Any
    kind: Any


@lru_cache(maxsize=1)
def _calls() -> _Calls:
    from pypdfium2 import raw

    address, number = ctypes.c_void_p, ctypes.c_int

    def plain(function: Any, *arguments: Any, result: Any = number) -> Any:
        return ctypes.PYFUNCTYPE(result, *arguments)(ctypes.cast(function, address).value or 0)

    return _Calls(
        on_page=plain(raw.FPDFPage_GetObject, address, number, result=address),
        in_form=plain(raw.FPDFFormObj_GetObject, address, ctypes.c_ulong, result=address),
        mode=plain(raw.FPDFTextObj_GetTextRenderMode, address),
        size=plain(raw.FPDFTextObj_GetFontSize, address, address),
        matrix=plain(raw.FPDFPageObj_GetMatrix, address, address),
        colour=plain(raw.FPDFPageObj_GetFillColor, *[address] * 5),
        bounds=plain(raw.FPDFPageObj_GetBounds, *[address] * 5),
        drawn=plain(raw.FPDFPath_GetDrawMode, address, address, address),
        kind=plain(raw.FPDFPageObj_GetType, address),
    )


@dataclass(slots=True)
class _Gathered:
    """What was found so far: text by the holder that it stands in, areas, forms."""

    texts: list[Texts] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    forms: list[tuple[int | None, Matrix]] = field(default_factory=list)


def scene_of(raw: Any, page: PdfPage) -> Scene:
    """Return what is drawn on a page, up to a limit; forms are looked into."""
    found = _Gathered(forms=[(None, _SAME)])
    _look_into(raw, found, ctypes.cast(page.raw, ctypes.c_void_p).value or 0, 0, 0, 0)
    columns = [np.concatenate([getattr(texts, name) for texts in found.texts]) for name in Texts.__slots__]
    drawn = np.argsort(columns[1], kind="stable")
    texts = Texts(*(column[drawn] for column in columns))
    areas = sorted((area for area in found.areas), key=lambda area: area.order)
    return Scene(texts, areas, [area.bounds for area in areas if area.colour == _NO_COLOUR], found.forms)


def _look_into(raw: Any, found: _Gathered, holder: int, form: int, depth: int, before: int) -> int:
    """Add what a page or a form holds, drawn after the first `before` objects; return how many objects it and its forms are."""
    calls = _calls()
    if depth:
        count = raw.FPDFFormObj_CountObjects(ctypes.cast(holder, raw.FPDF_PAGEOBJECT))
        get = calls.in_form
    else:
        count = raw.FPDFPage_CountObjects(ctypes.cast(holder, raw.FPDF_PAGE))
        get = calls.on_page
    count = max(0, min(count, _MOST_OBJECTS - before))
    around = found.forms[form][1]
    items = np.fromiter(map(get, repeat(holder, count), range(count)), np.uint64, count)
    mode = np.fromiter(map(calls.mode, items.tolist()), np.int64, count)
    order = np.arange(before + 1, before + 1 + count)
    paths: list[int] = []
    inside = 0
    for at in np.flatnonzero(mode == raw.FPDF_TEXTRENDERMODE_UNKNOWN).tolist():
        if order[at] > _MOST_OBJECTS:
            break
        item = int(items[at])
        kind = calls.kind(item)
        if kind == raw.FPDF_PAGEOBJ_PATH:
            paths.append(at)
        elif kind == raw.FPDF_PAGEOBJ_IMAGE:
            bounds = _on_page(_numbers(calls.bounds, [item], np.float32, 4)[0].tolist(), around)
            found.areas.append(Area(int(order[at]), bounds, _NO_COLOUR))
        elif kind == raw.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
            place = times(matrix(raw, ctypes.cast(item, raw.FPDF_PAGEOBJECT)), around)
            found.forms.append((item, place))
            held = _look_into(raw, found, item, len(found.forms) - 1, depth + 1, int(order[at]))
            order[at + 1 :] += held
            inside += held
    within = order <= _MOST_OBJECTS
    _add_paths(found, items[paths], order[paths], around)
    _add_texts(found, items, mode, order, form, (mode != raw.FPDF_TEXTRENDERMODE_UNKNOWN) & within)
    return int(count) + inside


def _add_texts(
    found: _Gathered,
    items: NDArray[np.uint64],
    mode: NDArray[np.int64],
    order: NDArray[np.int64],
    form: int,
    which: NDArray[np.bool_],
) -> None:
    calls = _calls()
    texts = items[which].tolist()
    size = _numbers(calls.size, texts, np.float32, 1)[:, 0]
    own = _numbers(calls.matrix, texts, np.float32, 6, whole=True).astype(np.float64)
    if form:
        own = np.stack(times(tuple(own.T), found.forms[form][1]), axis=1)
    colour = _numbers(calls.colour, texts, np.uint32, 4, instead=_BLACK)
    held = np.full(len(texts), form)
    found.texts.append(Texts(items[which], order[which], mode[which], size, own, colour, held))


def _add_paths(found: _Gathered, items: NDArray[np.uint64], order: NDArray[np.int64], around: Matrix) -> None:
    """Add the filled shapes among some paths that are more than a line."""
    calls = _calls()
    modes = _numbers(calls.drawn, items.tolist(), np.int32, 2)[:, 0]
    items, order = items[modes != 0], order[modes != 0]
    bounds = _numbers(calls.bounds, items.tolist(), np.float32, 4).tolist()
    boxes = [box if around == _SAME else _on_page(box, around) for box in bounds]
    wide = [at for at, box in enumerate(boxes) if min(box[2] - box[0], box[3] - box[1]) > _RULE]
    colours = _numbers(calls.colour, items[wide].tolist(), np.uint32, 4, instead=_BLACK).tolist()
    for at, (red, green, blue, _) in zip(wide, colours, strict=True):
        left, bottom, right, top = boxes[at]
        found.areas.append(Area(int(order[at]), (left, bottom, right, top), red << 16 | green << 8 | blue))


def _numbers(
    call: Callable[..., int],
    items: list[int],
    kind: Any,
    columns: int,
    whole: bool = False,
    instead: Sequence[int] | None = None,
) -> NDArray[Any]:
    """Return what a function of PDFium says of each of some objects, a row each.

    It is given the address of each number, or with `whole` of the row. Rows of objects that it fails for are 0, or `instead`.
    """
    found = np.zeros((len(items), columns), kind)
    if not items:
        return found
    start, row, cell = found.ctypes.data, found.strides[0], found.strides[1]
    firsts = [start] if whole else [start + cell * column for column in range(columns)]
    addresses = (range(first, first + row * len(items), row) for first in firsts)
    worked = list(map(call, items, *addresses))
    if instead is not None and not all(worked):
        found[[not done for done in worked]] = instead
    return found


def matrix(raw: Any, item: Any) -> Matrix:
    """Return where an object's own space lies in the one around it."""
    found = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(item, found):
        return _SAME
    return found.a, found.b, found.c, found.d, found.e, found.f


def times(inner: Any, outer: Matrix) -> Any:
    """Return two places, one within the other, as one; numbers, or columns of numbers."""
    a, b, c, d, e, f = inner
    g, h, i, j, k, m = outer
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def bounds_of(raw: Any, item: Any, around: Matrix) -> Bounds:
    """Return an object's rectangle (left, bottom, right, top) in the page's own space."""
    edges = [ctypes.c_float() for _ in range(4)]
    if not raw.FPDFPageObj_GetBounds(item, *edges):
        return 0.0, 0.0, 0.0, 0.0
    return _on_page([edge.value for edge in edges], around)


def _on_page(edges: Sequence[float], around: Matrix) -> Bounds:
    left, bottom, right, top = edges
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
