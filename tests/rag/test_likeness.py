"""Cosines of any embedder on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ingest.ports import Embedder
from rag.embed_server import ServerEmbedder
from rag.evidence import Asked, weigh
from rag.library import Library
from rag.likeness import RELATED, UNRELATED, Scale

TEXTS = [
    "The tenant may end the lease with notice of three months.",
    "Glaciers melt in summer.",
    "42",
    "",
    "Rent is due.",
]
QUESTION = "What notice must the tenant give?"


class Crowded:
    """The vectors of an embedder with as much again that all have alike: its cosines lie between 0.6 and 1."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        vectors = self._embedder.embed(list(texts)) * np.sqrt(0.3)
        return [[*vector, float(np.sqrt(0.7))] for vector in vectors.tolist()]


def server_embedder(ask: Any) -> ServerEmbedder:
    return ServerEmbedder("crowded", "openai", "", ask)


def test_the_default_embedder_is_the_scale(library: Library) -> None:
    """The two means that the scale is made of are those of the default embedder, and its cosines stay as they are."""
    embedder = library.embedder
    cosines = embedder.embed(TEXTS) @ embedder.embed_question(QUESTION)
    assert [embedder.likeness(cosine) for cosine in cosines] == list(cosines)
    scale = Scale(embedder.embed_question, embedder.embed)
    assert np.allclose([scale.likeness(cosine) for cosine in cosines], cosines, atol=0.01)
    assert UNRELATED < RELATED


def test_cosines_of_another_embedder_come_to_the_scale(library: Library) -> None:
    """Where all texts are alike for an embedder, its likenesses are those of the embedder that it was made of."""
    embedder = server_embedder(Crowded(library.embedder))
    cosines = embedder.embed(TEXTS) @ embedder.embed_question(QUESTION)
    expected = library.embedder.embed(TEXTS) @ library.embedder.embed_question(QUESTION)
    assert cosines.min() > 0.6
    assert np.allclose([embedder.likeness(cosine) for cosine in cosines], expected, atol=0.01)


def test_an_embedder_that_tells_nothing_apart_keeps_its_cosines() -> None:
    """Stretching what is no difference would make noise of it."""
    embedder = server_embedder(lambda texts: [[1.0, 0.001 * (len(text) % 7)] for text in texts])
    assert [embedder.likeness(cosine) for cosine in (0.9, 1.0)] == [0.9, 1.0]


def test_search_and_evidence_use_the_scale(library: Library) -> None:
    """Scores of passages and sentences are made of likenesses, not of bare cosines."""

    class Nothing:
        def __getattr__(self, name: str) -> Any:
            return getattr(library.embedder, name)

        def likeness(self, cosine: float) -> float:
            return 0.0

    retriever = library.retriever
    nothing: Any = Nothing()
    found = retriever.find(QUESTION, [], 10)[0]
    without = replace(retriever, embedder=nothing).find(QUESTION, [], 10)[0]
    no_vectors = replace(retriever, weights=replace(retriever.weights, keyword=1.0, foreign=1.0)).find(
        QUESTION, [], 200
    )[0]
    keyword = {item.passage.chunk_id: item.score for item in no_vectors}
    assert without[0].score < found[0].score
    for item in without:
        assert item.score <= keyword.get(item.passage.chunk_id, 0.0) + 1e-9

    asked = Asked.of(QUESTION, library.catalog, found)
    assert all(support.features.likeness == 0 for support in weigh(QUESTION, asked, found, nothing))
    assert any(support.features.likeness > 0.3 for support in weigh(QUESTION, asked, found, library.embedder))
