"""The embedder: the same vectors as the published model, alone and in a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rag.build import build_embedder, model_store
from rag.embed import OnnxEmbedder
from rag.settings import load_settings

TEXTS = [
    "The tenant may end the lease with notice of three months.",
    "Total net sales were 82,959 million dollars in the quarter.",
    "潮汐",
    "a",
    "word " * 400,
    "What notice must the tenant give?",
]


@pytest.fixture(scope="module")
def embedder() -> OnnxEmbedder:
    """The embedder of the default settings."""
    made = build_embedder(load_settings({}))
    assert isinstance(made, OnnxEmbedder)
    return made


def test_vectors_are_unit_and_alike_alone_and_in_a_batch(embedder: OnnxEmbedder) -> None:
    """Each vector has length 1, and a text's vector hardly depends on its batch (int8 rounds by the batch's range)."""
    together = embedder.embed(TEXTS)
    alone = np.stack([embedder.embed([text])[0] for text in TEXTS])
    assert together.shape == (len(TEXTS), 384) and together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert (together * alone).sum(axis=1).min() > 0.98


def test_related_texts_are_nearer(embedder: OnnxEmbedder) -> None:
    """A question is nearer to its answer than to another sentence."""
    vectors = embedder.embed(TEXTS)
    assert vectors[5] @ vectors[0] > vectors[5] @ vectors[1] + 0.3


def test_tokens_are_counted_without_truncation(embedder: OnnxEmbedder) -> None:
    """A text longer than the window counts in full, special tokens not counted."""
    assert embedder.count(["word " * 400, "", "tenant"]) == [400, 0, 1]


def test_agrees_with_sentence_transformers(embedder: OnnxEmbedder) -> None:
    """The int8 model's vectors are those of all-MiniLM-L6-v2 run by sentence-transformers, cosine above 0.99."""
    from rag.embed_st import SentenceTransformersEmbedder

    store = model_store(load_settings({}))
    folder: Path = store.pull("all-minilm-l6-v2")
    named = {
        "READINGROOM_EMBEDDING__BACKEND": "sentence-transformers",
        "READINGROOM_EMBEDDING__MODEL": "all-minilm-l6-v2",
    }
    reference = build_embedder(load_settings(named))
    assert isinstance(reference, SentenceTransformersEmbedder) and folder.is_dir()
    assert reference.dimension == embedder.dimension
    assert reference.fingerprint != embedder.fingerprint
    assert reference.count(TEXTS[:4]) == embedder.count(TEXTS[:4])
    likeness = (reference.embed(TEXTS) * np.stack([embedder.embed([text])[0] for text in TEXTS])).sum(axis=1)
    assert likeness.min() > 0.99
