"""Weighs how well passages support a question, sentence by sentence, without a language model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.ports import Embedder
from rag.catalog import Catalog
from rag.retrieve import Found
from rag.words import content_words, sentences, stem, stems

SENTENCES_AT_MOST = 80
"""Sentences that are compared by vector for one question; on two cores about half a second."""


@dataclass(frozen=True, slots=True)
class Support:
    """A sentence or table row of a passage: its place in the version's text, and how well it supports the question.

    `coverage` is the share of the question's words, weighted by rarity, that stand in the sentence or around it;
    `likeness` the cosine of the two vectors; `score` puts them together, from 0 to 1.
    """

    found: Found
    start: int
    end: int
    coverage: float
    likeness: float
    score: float

    @property
    def text(self) -> str:
        passage = self.found.passage
        return passage.text[self.start - passage.start : self.end - passage.start]


def weigh(question: str, found: Sequence[Found], catalog: Catalog, embedder: Embedder) -> list[Support]:
    """Return the sentences of the passages, the best support first."""
    weights = _rarity(question, catalog)
    spans = [
        (item, item.passage.start + start, item.passage.start + end)
        for item in found
        for start, end in sentences(item.passage.text)
    ][:SENTENCES_AT_MOST]
    if not spans or not weights:
        return []
    texts = [item.passage.text[start - item.passage.start : end - item.passage.start] for item, start, end in spans]
    likeness = embedder.embed(texts) @ embedder.embed([question])[0]
    supports = []
    for (item, start, end), text, alike in zip(spans, texts, likeness, strict=True):
        coverage = _coverage(weights, text, item)
        score = 0.7 * coverage + 0.3 * max(0.0, min(1.0, float(alike)))
        supports.append(Support(item, start, end, coverage, float(alike), score))
    return sorted(supports, key=lambda support: -support.score)


def _rarity(question: str, catalog: Catalog) -> dict[str, float]:
    """Return the weight of each content word's stem: its inverse document frequency."""
    words = content_words(question)[:64]
    counts, total = catalog.document_frequency(words)
    return {stem(word): math.log(1 + (total + 1) / (counts[word] + 0.5)) for word in words}


def _coverage(weights: dict[str, float], sentence: str, item: Found) -> float:
    """Words in the sentence count whole; in its headings, table header or file name 0.8; elsewhere in the passage 0.5."""
    passage = item.passage
    own = stems(sentence)
    above = stems(f"{passage.heading} {passage.context} {Path(passage.path).stem}".replace("_", " "))
    around = stems(passage.text)
    gained = 0.0
    for word, weight in weights.items():
        gained += weight * (1.0 if word in own else 0.8 if word in above else 0.5 if word in around else 0.0)
    return gained / sum(weights.values())
