"""The embedder: the same vectors as the published model, alone and in a batch."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag.build import build_embedder, model_store
from rag.embed import OnnxEmbedder
from rag.embed_prefixes import prefixes_of
from rag.generations import named_in
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
    """Each vector has length 1, and a text's vector does not depend on the texts embedded with it."""
    together = embedder.embed(TEXTS)
    alone = np.stack([embedder.embed([text])[0] for text in TEXTS])
    assert together.shape == (len(TEXTS), 384) and together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert (together * alone).sum(axis=1).min() > 0.99999


def test_threads_may_embed_at_the_same_time(embedder: OnnxEmbedder) -> None:
    """Questions asked by several threads at once each get their own vectors."""
    expected = embedder.embed(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda at: embedder.embed([TEXTS[at]])[0], [*range(len(TEXTS))] * 4))
    assert ((np.stack(found) * np.concatenate([expected] * 4)).sum(axis=1) > 0.99999).all()


def test_texts_of_every_length_are_embedded(embedder: OnnxEmbedder) -> None:
    """No length falls between two sizes of the model's input, and no text is lost or taken for another."""
    texts = ["", *(" ".join(f"tide{n}" for n in range(count)) for count in range(1, 90, 7))]
    vectors = embedder.embed(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (embedder.embed(texts[::-1])[::-1] * vectors).sum(axis=1).min() > 0.99999


def test_related_texts_are_nearer(embedder: OnnxEmbedder) -> None:
    """A question is nearer to its answer than to another sentence."""
    vectors = embedder.embed(TEXTS)
    assert vectors[5] @ vectors[0] > vectors[5] @ vectors[1] + 0.3


def test_tokens_are_counted_without_truncation(embedder: OnnxEmbedder) -> None:
    """A text longer than the window counts in full, special tokens not counted."""
    assert embedder.count(["word " * 400, "", "tenant"]) == [400, 0, 1]


def test_agrees_with_sentence_transformers(embedder: OnnxEmbedder) -> None:
    """The vectors are those of all-MiniLM-L6-v2 run by sentence-transformers, cosine above 0.995."""
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
    made = "mean pooling, no prefixes, length 1, 384 dimensions, on this machine"
    assert [str(each) for each in (embedder, reference)] == [
        f"{each.fingerprint}: {made}" for each in (embedder, reference)
    ]
    assert reference.count(TEXTS[:4]) == embedder.count(TEXTS[:4])
    likeness = (reference.embed(TEXTS) * np.stack([embedder.embed([text])[0] for text in TEXTS])).sum(axis=1)
    assert likeness.min() > 0.995


def test_what_a_model_wants_in_front_of_texts(tmp_path: Path) -> None:
    """Questions and passages get the prefixes that the model's folder says, else those of its family by name; the fingerprint
    tells apart what was embedded with others, and the window is shorter by them."""
    from rag.embed_st import SentenceTransformersEmbedder

    plain_folder: Path = model_store(load_settings({})).pull("all-minilm-l6-v2")
    for name, config in (
        ("own", {"prompts": {"query": "query: ", "document": "passage: "}, "default_prompt_name": None}),
        ("multilingual-e5-small", {"prompts": {}, "default_prompt_name": None}),
    ):
        shutil.copytree(plain_folder, tmp_path / name)
        (tmp_path / name / "config_sentence_transformers.json").write_text(json.dumps(config), encoding="utf-8")
    plain = SentenceTransformersEmbedder("plain", plain_folder, "sha256:0")
    for name in ("own", "multilingual-e5-small"):
        made = SentenceTransformersEmbedder(name, tmp_path / name, "sha256:0")
        assert np.allclose(made.embed(["A ship"]), plain.embed(["passage: A ship"]), atol=1e-5)
        assert np.allclose(made.embed_question("A ship"), plain.embed(["query: A ship"])[0], atol=1e-5)
        assert "/prefixes-" in made.fingerprint and "'query: ' before questions" in str(made)
        assert named_in(made.fingerprint) == (name, "sentence-transformers")
        assert made.max_tokens == plain.max_tokens - plain.count(["passage: "])[0]
    assert np.array_equal(plain.embed_question("A ship"), plain.embed(["A ship"])[0])
    assert "prefixes-" not in plain.fingerprint


@pytest.mark.parametrize(
    ("name", "question", "passage"),
    [
        ("nomic-embed-text:latest", "search_query: ", "search_document: "),
        ("intfloat/multilingual-e5-large-instruct", "Instruct: Given", ""),
        ("intfloat_e5_base_v2", "query: ", "passage: "),
        ("snowflake-arctic-embed2:568m", "query: ", ""),
        ("snowflake-arctic-embed:22m", "Represent this sentence", ""),
        ("bge-m3", "", ""),
        ("all-minilm", "", ""),
    ],
)
def test_prefixes_of_families(name: str, question: str, passage: str) -> None:
    """A model's family is known by its name; one that nobody knows gets nothing in front."""
    found = prefixes_of(name)
    assert found.question.startswith(question) and bool(found.question) is bool(question) and found.passage == passage
