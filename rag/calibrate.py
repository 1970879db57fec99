"""Fits the evidence gate to questions about a home's own documents, and keeps the operating point in the catalog."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rag.answer import WEIGHED
from rag.errors import ReadingRoomError, UsageError
from rag.evidence import Asked
from rag.excerpts import sources, support
from rag.gate import DEFAULT, SIGNS, Gate, Signs, signs, values
from rag.logistic import auc, errors, fit, threshold
from rag.marking import wilson
from rag.store import Store

if TYPE_CHECKING:
    from rag.evaluate_answers import Known
    from rag.library import Library

FACT = "calibration"
LEAST = 10
"""Answerable, and unanswerable, questions that a fit needs."""
FOLDS = 5
PULL = 2.0
"""How strongly the weights are held to the defaults: some dozens of questions move them a little, hundreds decide."""
BEFORE_MODEL = 0.3
"""Of the false refusals allowed, the share that the gate may spend before a model is asked: the model refuses too."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A question's signs, None where nothing was found, and whether the documents answer it."""

    key: str
    signs: Signs | None
    answerable: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted, on how many questions, and what it costs: each share with its 95 % interval, on questions that the
    fit did not see (`FOLDS` parts in turn)."""

    made: str
    questions: int
    weights: dict[str, float]
    bias: float
    before_model: float
    alone: float
    auc: float
    auc_default: float
    false_refusals: tuple[float, float, float]
    false_answers: tuple[float, float, float]
    false_answers_default: tuple[float, float, float]


def look(library: Library, questions: Sequence[Known], progress: Callable[[str], None]) -> list[Judged]:
    """Return the signs of each question among a home's documents."""
    judged = []
    for number, known in enumerate(questions, start=1):
        found = library.found(known.question, [], WEIGHED, library.settings.answer.hidden_text)
        passages = sources(found, library.catalog)[0]
        asked = Asked.of(known.question, library.catalog, passages)
        reader = library.live.answerer.reader
        supports, _ = support(known.question, asked, passages, library.catalog, library.embedder, reader)
        seen = signs(known.question, supports) if supports else None
        judged.append(Judged(known.question, seen, known.answerable))
        if number % 50 == 0:
            progress(f"{number} of {len(questions)} questions looked at")
    return judged


def calibrate(judged: Sequence[Judged], refusals: float) -> Calibration:
    """Fit the gate; its thresholds refuse at most so large a share of the answerable questions."""
    yes = sum(item.answerable for item in judged)
    if yes < LEAST or len(judged) - yes < LEAST:
        raise UsageError(
            f"There are {yes} answerable and {len(judged) - yes} unanswerable questions; each kind needs {LEAST}.",
            "Add questions with `answer`, and with `unanswerable: true`, to the file.",
        )
    unseen = [0.0] * len(judged)
    for fold in range(FOLDS):
        gate = _fit([item for item in judged if _fold(item) != fold])
        for at, item in enumerate(judged):
            if _fold(item) == fold:
                unseen[at] = _chance(item, gate)
    labels = [item.answerable for item in judged]
    before = [_chance(item, DEFAULT) for item in judged]
    gate = _fit(judged)
    least = threshold(unseen, labels, refusals)
    refused, of_yes, passed, of_no = errors(unseen, labels, least)
    default_passed = errors(before, labels, threshold(before, labels, refusals))[2]
    return Calibration(
        made=time.strftime("%Y-%m-%d %H:%M"),
        questions=len(judged),
        weights=dict(zip(SIGNS, gate.weights, strict=True)),
        bias=gate.bias,
        before_model=threshold(unseen, labels, BEFORE_MODEL * refusals),
        alone=least,
        auc=auc(unseen, labels),
        auc_default=auc(before, labels),
        false_refusals=_share(refused, of_yes),
        false_answers=_share(passed, of_no),
        false_answers_default=_share(default_passed, of_no),
    )


def _fold(item: Judged) -> int:
    return hashlib.sha256(item.key.encode()).digest()[0] % FOLDS


def _fit(judged: Sequence[Judged]) -> Gate:
    seen = [(item.signs, item.answerable) for item in judged if item.signs is not None]
    rows = [values(found) for found, _ in seen]
    *weights, bias = fit(rows, [label for _, label in seen], [*DEFAULT.weights, DEFAULT.bias], PULL)
    return Gate(tuple(weights), bias)


def _chance(item: Judged, gate: Gate) -> float:
    return gate.chance(item.signs) if item.signs is not None else 0.0


def _share(hits: int, of: int) -> tuple[float, float, float]:
    return (hits / of, *wilson(hits, of))


def keep(store: Store, found: Calibration) -> None:
    """Store an operating point in the catalog; it holds from the next opening of the home on."""
    store.set_fact(FACT, json.dumps(asdict(found)))


def reset(store: Store) -> None:
    """Go back to the defaults."""
    store.set_fact(FACT, None)


def kept(store: Store) -> Calibration | None:
    """Return the stored operating point, or None; raise ReadingRoomError for one that this version can't use."""
    text = store.fact(FACT)
    if text is None:
        return None
    try:
        value: dict[str, Any] = json.loads(text)
        shares = {name: tuple(item) for name, item in value.items() if isinstance(item, list)}
        found = Calibration(**{**value, **shares})
    except (ValueError, TypeError) as error:
        raise ReadingRoomError(f"The stored calibration can't be read: {error}.", _AGAIN) from error
    if set(found.weights) != set(SIGNS):
        raise ReadingRoomError("The stored calibration was made by another version of Reading Room.", _AGAIN)
    return found


_AGAIN = "Run `readingroom calibrate` again, or `readingroom calibrate --reset`."


def gate_of(store: Store) -> tuple[Gate, tuple[float, float] | None]:
    """Return the gate to use, and its thresholds (before a model, alone) where the home has its own."""
    found = kept(store)
    if found is None:
        return DEFAULT, None
    # one that was fitted before the span reader was there has no weight for it
    weights = [found.weights.get(name, 0.0) for name in SIGNS]
    return Gate(tuple(weights), found.bias), (found.before_model, found.alone)
