"""Compares two embedders on one home: what they find, how well, how fast, and how much room they take."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Sequence
from pathlib import Path

from ingest.ports import Embedder, Vectors
from rag.build import build_embedder, build_reranker, live_settings
from rag.catalog import Catalog
from rag.errors import ModelError, UsageError
from rag.eval_report import compare, run_questions
from rag.generation_shapes import GenerationStatus, Parity, ParitySide
from rag.generations import Generation, Generations
from rag.live import Live
from rag.passages import all_vectors
from rag.questions_file import Wanted, make_questions, read_questions
from rag.settings import Settings
from rag.store import Store

QUESTIONS = 50
"""Questions that are made where no file is given."""
TIMED = 64
"""Texts that both embed for texts a second."""
TOP = 10


class FromCatalog:
    """Neighbours by comparing with every vector that the catalog has: no index is needed, and both sides are alike."""

    def __init__(self, store: Store, embedder: str) -> None:
        self._store, self._embedder = store, embedder
        self._kept: dict[str, tuple[list[str], Vectors]] = {}

    def nearest(self, collection: str, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        ids, vectors = self._of(collection)
        if not ids:
            return []
        pairs = zip(ids, (vectors @ vector).tolist(), strict=True)
        return heapq.nsmallest(limit, pairs, key=lambda pair: (-pair[1], pair[0]))

    def count(self, collection: str) -> int:
        return len(self._of(collection)[0])

    def _of(self, collection: str) -> tuple[list[str], Vectors]:
        if collection not in self._kept:
            with self._store.read() as connection:
                self._kept[collection] = all_vectors(connection, collection, self._embedder)
        return self._kept[collection]


def compare_with_live(settings: Settings, store: Store, new: Embedder, questions: Path | None) -> None:
    """Compare a generation that is built with the live one, and keep the report, or why there is none."""
    kept = Generations(store)
    try:
        live = build_embedder(live_settings(settings))
        if live.fingerprint != kept.live():
            raise ModelError(f"The model of the live embedder `{kept.live()}` is not here any more.")
        report: dict[str, object] = {"parity": parity(settings, store, live, new, questions).model_dump()}
    except (ModelError, UsageError) as error:
        report = {"problem": str(error)}
    kept.report(new.fingerprint, json.dumps(report))


def status(item: Generation) -> GenerationStatus:
    """Return a generation in the shape of the API, with the report that was kept."""
    kept = json.loads(item.report or "{}")
    return GenerationStatus(
        embedder=item.embedder,
        model=item.model,
        backend=item.backend,
        state=item.state,
        vectors=item.vectors,
        bytes=item.bytes,
        missing=item.missing,
        beyond=item.beyond,
        texts_per_second=round(item.texts / item.seconds, 1) if item.seconds else None,
        parity=Parity.model_validate(kept["parity"]) if "parity" in kept else None,
        problem=kept.get("problem", ""),
    )


def parity(settings: Settings, store: Store, live: Embedder, new: Embedder, questions: Path | None) -> Parity:
    """Ask questions with both embedders' vectors out of the catalog; raise UsageError when there are none to ask.

    Without a file they are made by rule out of the documents' own sentences, which is easier than what people ask.
    """
    catalog = Catalog(store)
    reranker = build_reranker(settings)
    one, other = (
        Live(settings, catalog, each, FromCatalog(store, each.fingerprint), lambda: reranker) for each in (live, new)
    )
    asked = read_questions(questions) if questions else make_questions(one, [], QUESTIONS)
    if not asked:
        raise UsageError(
            "The documents hold no sentence that a question could be made of.", "Give a file with --questions."
        )
    for side in (one, other):  # loads the models and the vectors, which is not a search's time
        side.search(asked[0].question)
    before, after = run_questions(one, asked, []), run_questions(other, asked, [])
    texts = [text for _, text in Generations(store).texts(TIMED)]
    return Parity(
        questions=len(asked),
        made_by_rule=questions is None,
        overlap_vectors=_overlap(asked, one, other, vectors=True),
        overlap_found=_overlap(asked, one, other, vectors=False),
        live=_side(store, live, before["means"], before["p50_ms"], texts),
        new=_side(store, new, after["means"], after["p50_ms"], texts),
        difference=compare(before, after),
    )


def _overlap(asked: Sequence[Wanted], one: Live, other: Live, *, vectors: bool) -> float:
    """Return the share of the first ten that both have, on average over the questions."""
    shares = []
    for item in asked:
        first, second = (_first(side, item.question, vectors=vectors) for side in (one, other))
        shares.append(len(first & second) / max(1, len(first), len(second)))
    return round(sum(shares) / len(shares), 4)


def _first(side: Live, question: str, *, vectors: bool) -> set[str]:
    if not vectors:
        return {item.passage.chunk_id for item in side.retriever.find(question, [], TOP)[0]}
    vector = side.embedder.embed_question(question)
    near = [pair for name in side.catalog.require_collections([]) for pair in side.index.nearest(name, vector, TOP)]
    return {key for key, _ in heapq.nsmallest(TOP, near, key=lambda pair: (-pair[1], pair[0]))}


def _side(store: Store, embedder: Embedder, quality: dict[str, float], ms: float, texts: Sequence[str]) -> ParitySide:
    began = time.perf_counter()
    embedder.embed(texts)
    seconds = time.perf_counter() - began
    kept = Generations(store).get(embedder.fingerprint)
    return ParitySide(
        embedder=embedder.fingerprint,
        quality=quality,
        vectors=kept.vectors,
        bytes=kept.bytes,
        texts_per_second=round(len(texts) / seconds, 1) if texts else 0.0,
        search_ms=ms,
    )
