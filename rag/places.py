"""Finds where a span of text stands on its pages."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.runs import Place as RunPlace
from ingest.runs import places_of
from rag.catalog import Catalog
from rag.passages import Passage
from rag.shapes import Box
from rag.version_texts import packed_runs


def boxes(catalog: Catalog, passage: Passage, start: int, end: int) -> list[Box]:
    """Return one box for each line of the characters [start, end), top to bottom; empty for formats without pages."""
    return boxes_of(catalog, [(passage, start, end)])[0]


def boxes_of(catalog: Catalog, spans: Sequence[tuple[Passage, int, int]]) -> list[list[Box]]:
    """Return the boxes of several spans, each on its passage's page."""
    pages = [(passage.document_id, passage.version, passage.page) for passage, _, _ in spans]
    packed = packed_runs(catalog.store, pages)
    return [
        _lines(page[2], places_of(packed.get(page, b""), start, end))
        for page, (_, start, end) in zip(pages, spans, strict=True)
    ]


def _lines(page: int, runs: Sequence[RunPlace]) -> list[Box]:
    """Return the boxes of the lines that runs stand in: a run begins a new one unless it overlaps with half of the height of
    the last one, or of itself."""
    found: list[Box] = []
    if not runs:
        return found
    _, _, left, top, right, bottom = runs[0]
    for _, _, x0, y0, x1, y1 in runs[1:]:
        overlap = (bottom if bottom < y1 else y1) - (top if top > y0 else y0)
        height, own = bottom - top, y1 - y0
        if overlap > 0 and overlap > 0.5 * (height if height < own else own):
            # min() and max() took most of the time of a search's boxes
            left = x0 if x0 < left else left
            top = y0 if y0 < top else top
            right = x1 if x1 > right else right
            bottom = y1 if y1 > bottom else bottom
        else:
            found.append(_box(page, (left, top, right, bottom)))
            left, top, right, bottom = x0, y0, x1, y1
    found.append(_box(page, (left, top, right, bottom)))
    return found


def _box(page: int, line: tuple[float, float, float, float]) -> Box:
    x0, y0, x1, y1 = (round(value, 1) for value in line)
    return Box(page=page, x0=x0, y0=y0, x1=x1, y1=y1)
