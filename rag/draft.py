"""An answer in the making: what the documents themselves say, or the statements of a model that held; not cited yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rag.answer_type import asks_analysis
from rag.evidence import Asked, Support
from rag.extract import extract
from rag.llm import ModelCard
from rag.retrieve import Found
from rag.shapes import Candidate, Disagreement, Generation, Hit, ModelUsed, Statement, Tokens
from rag.statements import Said, Stand, told

NOTHING = "Not found in these documents."
EXTRACTIVE = ModelUsed(backend="extractive", name="best-sentences", digest="")
FIGURE = "A table has the figure that is asked for; no language model was asked."
ANALYSIS = "The question asks for a comparison or an analysis; these are statements it can rest on, not its result."


@dataclass(slots=True)
class Draft:
    """An answer in the making; `failed` is why the words of the model that was asked did not hold."""

    text: str = NOTHING
    outcome: Literal["answered", "not_found", "partial", "clarify"] = "not_found"
    supports: list[Stand] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    model: ModelUsed = EXTRACTIVE
    tokens: Tokens = field(default_factory=Tokens)
    note: str = ""
    failed: str = ""
    generation: Generation | None = None
    candidates: list[Candidate] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)

    def without(self, unsent: Sequence[tuple[Found, Hit]], card: ModelCard) -> Draft:
        """Report the passages that a model with this card could not be sent."""
        self.dropped = sorted(hit.rank for _, hit in unsent)
        if unsent:
            said = "Passage {} was" if len(unsent) == 1 else "Passages {} were"
            which = " and ".join(map(str, self.dropped))
            why = f"not sent to the model: its window of {card.window:,} tokens was full."
            self.note = f"{self.note} {said.format(which)} {why}".strip()
        return self


@dataclass(frozen=True, slots=True)
class Quoted:
    """What the documents themselves can answer with: their best sentences, if the evidence is good enough to stand `alone`."""

    question: str
    asked: Asked
    supports: Sequence[Support]
    alone: bool

    def draft(self, why: str) -> Draft:
        """Return the answer in the documents' own words, noting why no model's words are used."""
        if not self.alone:
            said = f"{why} The passages don't say enough about what is asked to be quoted as the answer."
            return Draft(note=said, failed=why)
        text, stands, shown = told(extract(self.question, self.asked, self.supports), between="\n")
        if asks_analysis(self.question):
            return Draft(text, "partial", stands, shown, note=f"{why} {ANALYSIS}", failed=why)
        return Draft(text, "answered", stands, shown, note=why, failed=why)


def checked(said: Sequence[Said], leave_out: bool) -> Draft:
    """Return the answer that a checked reply makes: "partial" when a statement has no support."""
    text, stands, shown = told(said, leave_out)
    unsupported = sum(one.stands is None for one in said)
    if not unsupported:
        return Draft(text, "answered", stands, shown)
    done = "left out" if leave_out else "shown without a citation"
    number = "One statement of the model is" if unsupported == 1 else f"{unsupported} statements of the model are"
    return Draft(text, "partial", stands, shown, note=f"{number} said by no passage and {done}.")
