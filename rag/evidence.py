"""Weighs how well passages support a question, sentence by sentence, without a language model."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ingest.ports import Embedder
from rag.catalog import Catalog
from rag.retrieve import Found
from rag.words import STOP_WORDS, content_words, numbers, sentences, stem, stems, tokens

SENTENCES_AT_MOST = 80
"""Sentences that are compared by vector for one question; on two cores about half a second."""

_ASKS_NUMBER = re.compile(
    r"\b(how (much|many|long|old|far|often|high|large|big|tall|deep|fast|wide|soon)|when|what (year|date|day|time|percentage|"
    r"percent|share|amount|number|price|rate|sum|size)|which year|in what year|until when|by when)\b",
    re.IGNORECASE,
)
_NUMBER_WORDS = stems(
    "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty hundred thousand million "
    "billion half once twice daily weekly monthly yearly annually first second third january february march april may june "
    "july august september october november december monday tuesday wednesday thursday friday saturday sunday century"
)


@dataclass(frozen=True, slots=True)
class Features:
    """What speaks for a sentence, each from 0 to 1. Shares of words are weighted by rarity in the catalog.

    `own`: words of the question in the sentence; `near`: in the sentence, or (for less) in the headings, the file name or
    the rest of the passage; `passage`: anywhere there; `likeness`: cosine of the two vectors; `names` and `figures`: shares
    of the question's capitalised names and of its numbers that stand in the passage; `kind`: 0 when the question asks for a
    number or a date and the sentence adds none.
    """

    own: float
    near: float
    passage: float
    likeness: float
    names: float
    figures: float
    kind: float


WEIGHTS = Features(own=2.0, near=3.0, passage=2.0, likeness=3.0, names=1.0, figures=1.0, kind=1.5)
BIAS = -8.5


@dataclass(frozen=True, slots=True)
class Support:
    """A sentence or table row of a passage, its place in the version's text, and the estimated chance that it answers."""

    found: Found
    start: int
    end: int
    features: Features
    score: float

    @property
    def text(self) -> str:
        passage = self.found.passage
        return passage.text[self.start - passage.start : self.end - passage.start]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks for: its stems with their rarity, its names and numbers, and whether it wants a number."""

    weights: dict[str, float]
    names: frozenset[str]
    numbers: frozenset[str]
    wants_number: bool

    @classmethod
    def of(cls, question: str, catalog: Catalog) -> Asked:
        words = content_words(question)[:64]
        counts, total = catalog.document_frequency(words)
        weights = {stem(word): math.log(1 + (total + 1) / (counts[word] + 0.5)) for word in words}
        first = next(iter(tokens(question)), "")
        names = {
            stem(word)
            for word in words
            if word[0].isupper() and word.lower() not in STOP_WORDS and not (word == first and word.istitle())
        }
        return cls(weights, frozenset(names), frozenset(numbers(question)), bool(_ASKS_NUMBER.search(question)))

    def features(self, sentence: str, around: str, likeness: float) -> Features:
        """Compare with a sentence; `around` is its passage with headings, table header and file name."""
        own, passage = stems(sentence), stems(around)
        total = sum(self.weights.values()) or 1.0
        held = sum(weight for word, weight in self.weights.items() if word in own) / total
        there = sum(weight for word, weight in self.weights.items() if word in own | passage) / total
        named = len(self.names & (own | passage)) / len(self.names) if self.names else 1.0
        said = numbers(f"{sentence} {around}")
        counted = len(self.numbers & said) / len(self.numbers) if self.numbers else 1.0
        adds = bool(numbers(sentence) - self.numbers) or bool(own & _NUMBER_WORDS - set(self.weights))
        kind = 1.0 if adds or not self.wants_number else 0.0
        return Features(held, (held + there) / 2, there, max(0.0, min(1.0, likeness)), named, counted, kind)


def weigh(question: str, found: Sequence[Found], catalog: Catalog, embedder: Embedder) -> list[Support]:
    """Return the sentences of the passages, the best support first."""
    asked = Asked.of(question, catalog)
    spans = [
        (item, item.passage.start + start, item.passage.start + end)
        for item in found
        for start, end in sentences(item.passage.text)
    ][:SENTENCES_AT_MOST]
    if not spans:
        return []
    texts = [item.passage.text[start - item.passage.start : end - item.passage.start] for item, start, end in spans]
    likeness = embedder.embed(texts) @ embedder.embed([question])[0]
    supports = []
    for (item, start, end), text, alike in zip(spans, texts, likeness, strict=True):
        features = asked.features(text, surroundings(item), float(alike))
        supports.append(Support(item, start, end, features, chance(features)))
    return sorted(supports, key=lambda support: -support.score)


def surroundings(item: Found) -> str:
    """Return a passage with its headings, table header and file name."""
    passage = item.passage
    name = Path(passage.path).stem.replace("_", " ")
    return f"{passage.heading}\n{passage.context}\n{name}\n{passage.text}"


def chance(features: Features) -> float:
    """Return the estimated chance that a sentence with these features answers the question (logistic regression)."""
    total = BIAS + sum(getattr(WEIGHTS, item.name) * getattr(features, item.name) for item in fields(Features))
    return 1 / (1 + math.exp(-total))
