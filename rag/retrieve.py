"""Finds passages: keyword and vector search, fused by reciprocal rank."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ingest.ports import Embedder
from rag.catalog import Catalog, Passage
from rag.places import boxes
from rag.shapes import Hit
from rag.vectors import VectorIndex
from rag.words import search_words

Search = Literal["keyword", "vector"]
MAX_WORDS = 64
"""Words of a question that keyword search looks for; longer questions are cut there."""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage with its fused score and the searches that found it."""

    passage: Passage
    score: float
    found_by: tuple[Search, ...]


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches one catalog and its vector index. `fusion_k` is k of reciprocal rank fusion, 1 / (k + rank)."""

    catalog: Catalog
    index: VectorIndex
    embedder: Embedder
    candidates: int
    fusion_k: int

    def find(self, question: str, collections: Sequence[str], limit: int) -> tuple[list[Found], dict[str, float]]:
        """Return the best live passages and the milliseconds each step took."""
        names = self.catalog.require_collections(collections)
        clock = Clock()
        keyword = self.catalog.keyword_search(search_words(question)[:MAX_WORDS], names, self.candidates)
        clock.lap("keyword")
        vector = self.embedder.embed([question])[0]
        clock.lap("embed")
        near = [pair for name in names for pair in self.index.nearest(name, vector, self.candidates)]
        near.sort(key=lambda pair: (-pair[1], pair[0]))
        live = self.catalog.passages([key for key, _ in near[: self.candidates]])
        by_vector = [live[key] for key, _ in near if key in live]
        clock.lap("vector")
        found = fuse([("keyword", [passage for passage, _ in keyword]), ("vector", by_vector)], self.fusion_k)
        clock.lap("fuse")
        return found[:limit], clock.laps

    def hits(self, found: Sequence[Found]) -> list[Hit]:
        """Return what was found in the shape of the API, boxes included."""
        return [
            hit(self.catalog, item, rank, item.passage.start, item.passage.end)
            for rank, item in enumerate(found, start=1)
        ]


def hit(catalog: Catalog, item: Found, rank: int, start: int, end: int) -> Hit:
    """Return the characters [start, end) of a passage as a hit, white space at its ends left out."""
    passage = item.passage
    body = passage.text[start - passage.start : end - passage.start]
    start += len(body) - len(body.lstrip())
    body = body.strip()
    return Hit(
        rank=rank,
        score=round(item.score, 6),
        collection=passage.collection,
        document_id=passage.document_id,
        version=passage.version,
        path=passage.path,
        page=passage.page,
        heading=passage.heading,
        text=body,
        start=start,
        end=start + len(body),
        boxes=boxes(catalog, passage, start, start + len(body)),
        found_by=list(item.found_by),
    )


def fuse(rankings: Sequence[tuple[Search, Sequence[Passage]]], k: int) -> list[Found]:
    """Fuse rankings by reciprocal rank (Cormack et al. 2009); ties go by the passage's identity."""
    scores: dict[str, float] = {}
    passages: dict[str, Passage] = {}
    by: dict[str, list[Search]] = {}
    for name, ranking in rankings:
        for rank, passage in enumerate(ranking, start=1):
            scores[passage.chunk_id] = scores.get(passage.chunk_id, 0.0) + 1.0 / (k + rank)
            passages[passage.chunk_id] = passage
            by.setdefault(passage.chunk_id, []).append(name)
    best = sorted(scores, key=lambda key: (-scores[key], key))
    return [Found(passages[key], scores[key], tuple(by[key])) for key in best]


class Clock:
    """Measures the steps of a question in milliseconds."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._began = self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Note the time since the last lap under `name`, and the time since the beginning as `total`."""
        now = time.perf_counter()
        self.laps[name] = round(self.laps.get(name, 0.0) + (now - self._last) * 1000, 2)
        self.laps["total"] = round((now - self._began) * 1000, 2)
        self._last = now
