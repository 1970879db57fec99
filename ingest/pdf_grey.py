"""Draws a part of a PDF page in grey values, to see whether there is ink."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ingest.pdf_scene import Bounds
from ingest.pdfium import box_on_page

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

_SCALE = 2.0
_INK = 48

Pixels = tuple[int, int, int, int]
"""A part of the page's picture: left, top, right, bottom."""


def _size(page: PdfPage) -> tuple[int, int]:
    return math.ceil(page.get_width() * _SCALE), math.ceil(page.get_height() * _SCALE)


def grey(page: PdfPage, part: Pixels) -> NDArray[np.int16]:
    """Return the grey values of a part of the page, row by row."""
    width, height = _size(page)
    x0, y0, x1, y1 = part
    if x1 <= x0 or y1 <= y0:
        return np.zeros((0, 0), np.int16)
    beside = (x0 / _SCALE, (height - y1) / _SCALE, (width - x1) / _SCALE, y0 / _SCALE)
    image = page.render(scale=_SCALE, grayscale=True, crop=beside).to_pil().convert("L")
    return np.asarray(image, np.int16)


def pixels(page: PdfPage, bounds: Bounds) -> Pixels:
    """Return the part of the picture that a rectangle of the page covers; (0, 0, 0, 0) when it lies beside the page."""
    box, (width, height) = box_on_page(page, bounds, 0), _size(page)
    x0, y0 = max(0, int(box.x0 * _SCALE)), max(0, int(box.y0 * _SCALE))
    x1, y1 = min(width, int(box.x1 * _SCALE) + 2), min(height, int(box.y1 * _SCALE) + 2)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else (0, 0, 0, 0)


def hull(areas: Iterable[Pixels]) -> Pixels:
    """Return the smallest part that holds some others."""
    x0, y0, x1, y1 = zip(*[area for area in areas if area[2]] or [(0, 0, 0, 0)], strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def crop(picture: NDArray[np.int16], around: Pixels, area: Pixels) -> NDArray[np.int16]:
    """Return one area out of the picture of the part `around` it."""
    x0, y0, x1, y1 = area
    left, top = around[:2]
    return picture[y0 - top : y1 - top, x0 - left : x1 - left] if x1 else picture[:0, :0]


def has_ink(grey: NDArray[np.int16]) -> bool:
    """Say whether there is more than an even ground."""
    return bool(grey.size) and int(grey.max() - grey.min()) >= _INK
