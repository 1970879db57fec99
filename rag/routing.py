"""Weighs how hard a question is by a rule that a person can read, so that a small or a large model is asked, in turn."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from ingest.language import language
from rag.errors import ModelBusy, ModelError
from rag.evidence import Support
from rag.llm import LanguageModel
from rag.settings import Routing
from rag.shapes import ModelUsed, Tokens

COMPARISON = re.compile(
    r"\b(compar\w+|versus|vs|differ\w*|between|both|higher|lower|larger|smaller|longer|shorter|more|less|most|least|"
    r"vergl\w+|untersch\w+|zwischen|beide\w*|höher|niedriger|größer|kleiner|mehr|weniger)\b",
    re.IGNORECASE,
)
ARITHMETIC = re.compile(
    r"\b(sum|total|together|altogether|combined|average|mean|median|ratio|percent\w*|share|growth|grow|grew|change[ds]?|"
    r"increase[ds]?|decrease[ds]?|how much more|how many more|margin|calculate|add|subtract|"
    r"summe|gesamt\w*|zusammen|durchschnitt\w*|prozent\w*|anteil|wachstum|veränder\w+|berechne\w*)\b|%",
    re.IGNORECASE,
)
LONG_QUESTION = 25
"""Words from which a question is long."""
SEVERAL_PASSAGES = 4
"""Passages of one document that may all be needed, from which they are several."""
NEAR = 0.9
"""Documents whose best sentence is this near to the best one may all be needed."""


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How many points a question got, and for what."""

    points: int
    reasons: tuple[str, ...]
    hard: bool

    def __str__(self) -> str:
        points = "1 point" if self.points == 1 else f"{self.points} points"
        said = f" ({', '.join(self.reasons)}: {points})" if self.reasons else ""
        return f"{'hard' if self.hard else 'easy'} question{said}"

    def more(self, points: int, reason: str, rule: Routing) -> Difficulty:
        """Return it with more points for one more reason."""
        total = self.points + points
        return Difficulty(total, (*self.reasons, reason), total >= rule.hard_from)


class Draft(Protocol):
    """What this needs to know of an answer in the making; `failed` is why the model's own answer did not hold."""

    note: str
    failed: str
    tokens: Tokens
    model: ModelUsed


Event = TypeVar("Event")
Drafted = TypeVar("Drafted", bound=Draft)
Choose = Callable[[], LanguageModel | None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may answer, and why it is its turn. `again`: also when the answer before it failed its check. `took` is
    told the seconds that its answer needed."""

    model: LanguageModel
    why: str
    again: bool
    took: Callable[[float], None]


def difficulty(question: str, supports: Sequence[Support], rule: Routing) -> Difficulty:
    """Return how hard a question is: the points of `routing` in config.yaml for what is true of it."""
    best = supports[0].score if supports else 0.0
    near = {support.found.passage for support in supports if support.score >= NEAR * best}
    documents = {passage.document_id for passage in near}
    written = language(question)
    signs = {
        "comparison": (rule.comparison, bool(COMPARISON.search(question))),
        "arithmetic": (rule.arithmetic, bool(ARITHMETIC.search(question))),
        "several documents": (rule.several_documents, len(documents) > 1),
        "several passages": (rule.several_passages, len(documents) == 1 and len(near) >= SEVERAL_PASSAGES),
        "table": (rule.table, bool(supports) and supports[0].text.lstrip().startswith("|")),
        "long": (rule.long_question, len(question.split()) >= LONG_QUESTION),
        "not English": (rule.other_language, written not in (None, "en")),
    }
    counted = {name: points for name, (points, true) in signs.items() if true and points}
    points = sum(counted.values())
    return Difficulty(points, tuple(counted), points >= rule.hard_from)


def in_turn(
    ask: Callable[[Choose], Generator[Event, None, Drafted]], candidates: Iterator[Candidate], otherwise: Choose
) -> Generator[Event, None, Drafted]:
    """Ask the candidates until one answers and its answer holds; the draft's note says who was asked and why.

    An error goes on to the next candidate, a reply that did not hold only where the candidate allows it. Without candidates
    `otherwise` chooses; it also raises again what kept the first candidate from being opened. Where a model was busy and no
    other one's answer held, that is raised: the question is to be asked again, not to be answered by less.
    """
    draft: Drafted | None = None
    busy: ModelBusy | None = None
    said: list[str] = []
    before: list[str] = []
    with suppress(ModelError):  # no candidate could be opened: `otherwise` raises it again, inside `ask`
        for candidate in candidates:
            if draft is not None and draft.tokens.generated and not candidate.again:
                break  # the one before did answer
            began = time.monotonic()
            try:
                draft = yield from ask(partial(_itself, candidate.model))
            except ModelBusy as error:
                busy = error
                before += [candidate.why, error.message]
                continue
            candidate.took(time.monotonic() - began)
            said = [*before, candidate.why, draft.note]
            before += [candidate.why, draft.failed or draft.note]
            if draft.model.backend != "extractive":
                break
    if busy is not None and (draft is None or draft.model.backend == "extractive"):
        raise busy
    if draft is None:
        return (yield from ask(otherwise))
    draft.note = " ".join(dict.fromkeys(filter(None, said)))
    return draft


def _itself(model: LanguageModel) -> LanguageModel | None:
    return model
