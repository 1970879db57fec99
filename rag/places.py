"""Finds where a span of text stands on its pages."""

from __future__ import annotations

from rag.catalog import Catalog
from rag.passages import Passage
from rag.shapes import Box


def boxes(catalog: Catalog, passage: Passage, start: int, end: int) -> list[Box]:
    """Return one box for each line of the characters [start, end), top to bottom; empty for formats without pages."""
    found: list[Box] = []
    for page in catalog.runs(passage.document_id, passage.version, [passage.page]):
        line: tuple[float, float, float, float] | None = None
        for run_start, run_end, x0, y0, x1, y1 in page.runs:
            if run_start >= end or run_end <= start:
                continue
            if line and _same_line(line, y0, y1):
                line = (min(line[0], x0), min(line[1], y0), max(line[2], x1), max(line[3], y1))
                continue
            if line:
                found.append(_box(page.number, line))
            line = (x0, y0, x1, y1)
        if line:
            found.append(_box(page.number, line))
    return found


def _same_line(line: tuple[float, float, float, float], y0: float, y1: float) -> bool:
    overlap = min(line[3], y1) - max(line[1], y0)
    return overlap > 0.5 * min(line[3] - line[1], y1 - y0)


def _box(page: int, line: tuple[float, float, float, float]) -> Box:
    x0, y0, x1, y1 = (round(value, 1) for value in line)
    return Box(page=page, x0=x0, y0=y0, x1=x1, y1=y1)
