"""The evidence gate: the estimated chance that what was found answers a question at all, from some weak signs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from rag.evidence import Support
from rag.words import content_words, denies, stem, stems

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

    Of the best sentence: `own`, `likeness`, `names`, `figures`, `kind`, `states` as in `Features`. `retrieved`: the score of the
    passage found first; `ahead`: how far it is before the second; `negated`: 1 when only one of question and sentence denies (a
    table row denies nothing as a whole: "No depth reading" describes a fault);
    `opposed`: 1 when the sentence says the opposite of a word of the question. `read`: how sure the reader is of the best words
    that it marked, None where it read nothing.
    """

    own: float
    likeness: float
    names: float
    figures: float
    kind: float
    states: float
    retrieved: float
    ahead: float
    negated: float
    opposed: float
    read: float | None = None


UNDECIDED = 0.5
READ_UNIT = 3.0
"""What the reader's score is divided by before it becomes a share of 1."""

SIGNS = tuple(item.name for item in fields(Signs))


def signs(question: str, supports: Sequence[Support]) -> Signs:
    """Return the signs of an answer among supports, the best first; there must be one."""
    best = supports[0]
    read = max((item.read for item in supports if item.read is not None), default=None)
    features, sentence = best.features, best.text
    ranked = sorted({item.found.score for item in supports}, reverse=True)
    own = stems(sentence)
    denied = denies(sentence) and not sentence.startswith("|")
    return Signs(
        own=features.own,
        likeness=features.likeness,
        names=features.names,
        figures=features.figures,
        kind=features.kind,
        states=features.states,
        retrieved=ranked[0],
        ahead=min(1.0, 2 * (ranked[0] - ranked[1])) if len(ranked) > 1 else 1.0,
        negated=float(denies(question) != denied),
        opposed=float(
            any(
                word not in own and OPPOSITES.get(word, frozenset()) & own
                for word in map(stem, content_words(question))
            )
        ),
        read=None if read is None else 1 / (1 + math.exp(-read / READ_UNIT)),
    )


def values(found: Signs) -> list[float]:
    """Return the signs in their order; what the reader did not read is undecided."""
    return [UNDECIDED if (value := getattr(found, name)) is None else value for name in SIGNS]


@dataclass(frozen=True, slots=True)
class Gate:
    """Weights of the signs, in their order, and a constant. Where the reader read nothing, `unread` is used instead; without one
    it counts as undecided."""

    weights: tuple[float, ...]
    bias: float
    unread: Gate | None = None

    def chance(self, found: Signs) -> float:
        """Return the estimated chance that the documents answer the question (logistic regression)."""
        if found.read is None and self.unread is not None:
            return self.unread.chance(found)
        total = self.bias + sum(weight * value for weight, value in zip(self.weights, values(found), strict=True))
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


UNREAD = Gate((1.272, 3.076, 0.623, 0.525, 0.45, 1.753, 3.064, 0.696, -0.505, -0.959, 0.0), -7.51)
"""Fitted without the reader: for languages that it was not trained on, and homes where it is off; moved so that the thresholds
of the other one fit."""
DEFAULT = Gate((-0.077, 1.996, 0.684, 0.563, 0.168, 1.599, 4.165, 0.446, -0.173, -0.535, 1.706), -7.381, UNREAD)
"""Fitted on parts of public sets: docs/decisions/0004-evidence-gate.md, tests/benchmarks/gate.py."""
