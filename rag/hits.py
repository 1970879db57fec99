"""Turns joined passages into hits: their text, and the boxes that it stands in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.catalog import Catalog
from rag.join import Joined, place_of
from rag.passages import Passage
from rag.places import boxes, boxes_of
from rag.retrieve import Found
from rag.shapes import Box, Hit


def joined_hits(catalog: Catalog, joined: Sequence[Joined]) -> list[Hit]:
    """Return joined passages in the shape of the API, boxes included."""
    leads = [
        replace(item.lead, passage=replace(item.lead.passage, text=item.text, start=item.start, end=item.end))
        for item in joined
    ]
    spans = [_trimmed(found.passage, found.passage.start, found.passage.end) for found in leads]
    places = boxes_of(catalog, [(found.passage, *span) for found, span in zip(leads, spans, strict=True)])
    return [
        _hit(lead, rank, span, where, item.also)
        for rank, (item, lead, span, where) in enumerate(zip(joined, leads, spans, places, strict=True), start=1)
    ]


def hit(catalog: Catalog, item: Found, rank: int, start: int, end: int) -> Hit:
    """Return the characters [start, end) of a passage as a hit, white space at its ends left out."""
    span = _trimmed(item.passage, start, end)
    return _hit(item, rank, span, boxes(catalog, item.passage, *span))


def _trimmed(passage: Passage, start: int, end: int) -> tuple[int, int]:
    body = passage.text[start - passage.start : end - passage.start]
    start += len(body) - len(body.lstrip())
    return start, start + len(body.strip())


def _hit(item: Found, rank: int, span: tuple[int, int], where: list[Box], also: Sequence[Passage] = ()) -> Hit:
    passage, (start, end) = item.passage, span
    return Hit(
        rank=rank,
        score=round(item.score, 6),
        reranked=item.reranked,
        collection=passage.collection,
        document_id=passage.document_id,
        version=passage.version,
        path=passage.path,
        page=passage.page,
        heading=passage.heading,
        text=passage.text[start - passage.start : end - passage.start],
        start=start,
        end=end,
        boxes=where,
        found_by=list(item.found_by),
        hidden=passage.hidden,
        made_by=passage.made_by,
        also=[place_of(other) for other in also],
    )
