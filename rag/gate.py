"""The evidence gate: the estimated chance that what was found answers a question at all, from many weak signs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from rag.answer_type import candidates, kind_asked
from rag.evidence import Asked, Support
from rag.words import content_words, stem, stems, tokens

MARGIN = 5.0
"""Largest difference of two log-odds that counts."""
LOOKED_AT = 3
"""Words between two neighbouring words of the question, at most, for them to stand together in a sentence."""

_NEGATION = re.compile(
    r"\b(?:not|never|no|none|nor|neither|without|cannot|lack\w*|fail\w*|refus\w*|except|(?:is|was|did|does|do|are|were)n)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
_OPPOSITES = (
    "first last|before after|increase decrease|rise fall|more less|most least|high low|highest lowest|large small|"
    "largest smallest|big small|early late|earliest latest|north south|east west|northern southern|eastern western|win lose|"
    "begin end|start stop|open close|accept reject|allow forbid|include exclude|maximum minimum|major minor|male female|"
    "positive negative|inside outside|internal external|buy sell|enter leave|arrive depart|support oppose|agree disagree|"
    "old new|young old|public private|above below|strong weak|fast slow|long short|success failure|succeed fail|gain loss|"
    "import export|cause prevent|top bottom|upper lower|ancient modern|attack defend|rich poor|hot cold|similar different|"
    "simple complex|easy difficult|hard soft|deep shallow|wide narrow|employer employee|tenant landlord|buyer seller|"
    "supplier customer|lender borrower"
)


def _opposites() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for pair in _OPPOSITES.split("|"):
        one, other = (stem(word) for word in pair.split())
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {word: frozenset(others) for word, others in found.items()}


OPPOSITES = _opposites()
"""Stem → stems that say the opposite."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for or against an answer, each about 0 to 1.

    Of the best sentence: `own`, `passage`, `likeness`, `names`, `figures`, `focus`, `kind`, `states` as in `Features`.
    `retrieved`: the score of the passage found first; `ahead`: how far it is before the second; `clear`: how far the best
    sentence is before the best one of another passage; `first`: 1 when its passage was found first; `likest`: 1 when no other
    sentence is more like the question; `rare_missing`: rarity of the rarest word of the question that the passage lacks, as a
    share of the rarest; `missing`: rarity of all such words, in all, up to a limit; `order`: share of neighbouring words of
    the question that stand close together in the sentence, in order; `literal`: share of the question's pairs of words,
    function words included, in the passage; `typed`: 0 when the sentence holds nothing of the kind that is asked for;
    `negated`: 1 when only one of question and sentence denies; `opposed`: 1 when the sentence says the opposite of a word of
    the question.
    """

    own: float
    passage: float
    likeness: float
    names: float
    figures: float
    focus: float
    kind: float
    states: float
    retrieved: float
    ahead: float
    clear: float
    first: float
    likest: float
    rare_missing: float
    missing: float
    order: float
    literal: float
    typed: float
    negated: float
    opposed: float


SIGNS = tuple(item.name for item in fields(Signs))


def signs(question: str, asked: Asked, supports: Sequence[Support]) -> Signs:
    """Return the signs of an answer among supports, the best first; there must be one."""
    best = supports[0]
    features, passage, sentence = best.features, best.found.passage, best.text
    ranked = sorted({item.found.score for item in supports}, reverse=True)
    others = [
        item.score for item in supports if item.found.passage.chunk_id != passage.chunk_id and item.text != sentence
    ]
    own = stems(sentence)
    around = own | stems(passage.text) | stems(f"{passage.heading}\n{passage.context}")
    missing = [weight for word, weight in asked.weights.items() if word not in around]
    rarest = max(asked.weights.values(), default=1.0)
    words = [stem(word) for word in content_words(question)]
    kind = kind_asked(question)
    return Signs(
        own=features.own,
        passage=features.passage,
        likeness=features.likeness,
        names=features.names,
        figures=features.figures,
        focus=features.focus,
        kind=features.kind,
        states=features.states,
        retrieved=ranked[0],
        ahead=min(1.0, 2 * (ranked[0] - ranked[1])) if len(ranked) > 1 else 1.0,
        clear=min(MARGIN, _odds(best.score) - _odds(others[0])) / MARGIN if others else 1.0,
        first=float(best.found.score == ranked[0]),
        likest=float(all(item.features.likeness <= features.likeness for item in supports)),
        rare_missing=max(missing, default=0.0) / rarest,
        missing=min(1.0, sum(missing) / 20),
        order=_order(words, sentence, asked),
        literal=_literal(question, passage.text),
        typed=float(kind == "words" or any(True for _ in candidates(kind, sentence, question))),
        negated=float(bool(_NEGATION.search(question)) != bool(_NEGATION.search(sentence))),
        opposed=float(any(word not in own and OPPOSITES.get(word, frozenset()) & own for word in words)),
    )


def _odds(chance: float) -> float:
    chance = min(max(chance, 1e-6), 1 - 1e-6)
    return math.log(chance / (1 - chance))


def _order(words: Sequence[str], sentence: str, asked: Asked) -> float:
    words = [word for word in words if word in asked.weights]
    pairs = list(pairwise(words))
    if not pairs:
        return 0.5
    places: dict[str, list[int]] = {}
    for at, word in enumerate(tokens(sentence)):
        places.setdefault(stem(word), []).append(at)
    near = sum(
        any(0 < b - a <= LOOKED_AT for a in places.get(one, ()) for b in places.get(other, ())) for one, other in pairs
    )
    return near / len(pairs)


def _literal(question: str, text: str) -> float:
    def pairs(of: str) -> list[tuple[str, str]]:
        words = [word.lower() for word in tokens(of)]
        return list(pairwise(words))

    asked, there = pairs(question), set(pairs(text))
    return sum(pair in there for pair in asked) / len(asked) if asked else 0.0


@dataclass(frozen=True, slots=True)
class Gate:
    """Weights of the signs, in their order, and a constant."""

    weights: tuple[float, ...]
    bias: float

    def chance(self, found: Signs) -> float:
        """Return the estimated chance that the documents answer the question (logistic regression)."""
        total = self.bias + sum(weight * getattr(found, name) for name, weight in zip(SIGNS, self.weights, strict=True))
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


DEFAULT = Gate(tuple(0.0 for _ in SIGNS), 0.0)
"""Fitted on halves of public sets: docs/decisions/0004-evidence-gate.md, tests/benchmarks/gate.py."""
