"""Splits a model's reply into statements and finds the place that each rests on: a statement without one is not supported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingest.ports import Embedder, Vectors
from rag.claim import adds, holds, places, states
from rag.evidence import Asked, chance
from rag.excerpts import orders
from rag.figure_asked import lacks_figure
from rag.other_cell import is_of_other
from rag.prompt import Reply
from rag.quantities import IS_YEAR, with_units
from rag.retrieve import Found
from rag.rows import header_row
from rag.shapes import Hit, Statement
from rag.words import STOP_WORDS, content_words, sentences, stems, tokens

CLAIM_SHARE = 0.8
"""A quoted sentence must have this share of the best sentence's chance to answer, or the claim is not believed."""

_MARK = re.compile(r"\s*(?:\[\d+(?:\s*[,;–-]\s*\d+)*\]|【[^】]*】)")
"""Numbers of citations as models invent them; ours are set by what is found."""

_INITIAL = re.compile(r"\b[A-ZÀ-Þ][^\W\d_]+ [A-ZÀ-Þ]\.$")
Stand = tuple[Found, int, int]
"""A passage and the characters [start, end) of its version that a statement rests on."""


@dataclass(frozen=True, slots=True)
class Said:
    """A statement of a reply and the place that it rests on, or None."""

    text: str
    stands: Stand | None


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks replies to one question against the passages that were sent, each with the hit that was shown of it."""

    question: str
    asked: Asked
    sent: Sequence[tuple[Found, Hit]]
    best: float
    embedder: Embedder
    guarded: bool

    def check(self, reply: Reply) -> list[Said] | None:
        """Return the statements of a reply, or None when none of them rests on what the reply quotes.

        One without a figure answers no question for one. One statement must stand where the reply's quote stands and say nearly
        as much about what is asked as the best sentence does. Every other one needs a place of its own that says it.
        """
        if lacks_figure(self.question, reply.answer):
            return None
        texts = statements(reply.answer)
        vector = self.embedder.embed_question(self.question)
        for at, text in enumerate(texts):
            if lead := self._quoted(replace(reply, answer=text), vector):
                return [
                    Said(_with_its_units(other, lead), lead) if number == at else Said(other, self._found(other, lead))
                    for number, other in enumerate(texts)
                ]
        return None

    def _quoted(self, reply: Reply, vector: Vectors) -> Stand | None:
        """Return where the reply's claim stands, or None when it does not hold.

        The quote must stand in a passage, word for word; or, since models put the quote of a table together from its cells,
        the answer rests on a row that has all of its numbers. Every number of the answer must stand in that sentence or row,
        in the table's caption or header, or in the question, and every unit in the passage. And the sentence must say nearly
        as much about what is asked as the best sentence does, say what the answer adds to the question, and be about no
        other of its kind: a small model gladly quotes a true sentence about something else.
        """
        order = sorted(
            range(len(self.sent)), key=lambda index: index != reply.passage - 1
        )  # the passage it named first
        stands = [(found, *place) for index in order for found, place in places(reply, *self.sent[index])]
        held = [
            (self._chance(vector, *stand), stand)
            for stand in self._allowed(stands)
            if states(reply.answer, self.question, stand[0], stand[1:])
            and adds(reply.answer, self.question, stand[0], stand[1:])
            and not self.asked.is_another(*stand)
            and not is_of_other(reply.answer, self.question, self.asked, stand[0].passage, *stand[1:])
        ]
        held = [claim for claim in held if claim[0] >= CLAIM_SHARE * self.best]
        return max(held, key=lambda claim: claim[0])[1] if held else None

    def _found(self, text: str, lead: Stand) -> Stand | None:
        """Return the sentence or row of a sent passage that says a statement, with the most of its words; where the quote
        stands first."""
        words = stems(" ".join(content_words(text)))
        stands = [lead] + [
            (found, item.start + start, item.start + end)
            for found, item in self.sent
            for start, end in sentences(item.text)
        ]
        held = [stand for stand in self._allowed(stands) if holds(text, self.question, stand[0], stand[1:])]
        return max(held, key=lambda stand: len(words & stems(_text(*stand))), default=None)

    def _allowed(self, stands: Sequence[Stand]) -> list[Stand]:
        """Return the places that hold no instructions."""
        return [stand for stand in stands if not self.guarded or not orders(stand[0].passage, *stand[1:])]

    def _chance(self, vector: Vectors, found: Found, start: int, end: int) -> float:
        quoted = f"{header_row(found.passage, start)} {_text(found, start, end)}"
        likeness = self.embedder.likeness(float(self.embedder.embed([quoted])[0] @ vector))
        return chance(self.asked.features(found, start, end, likeness))


def statements(answer: str) -> list[str]:
    """Return the statements of an answer: its sentences, without the numbers of citations that a model invents. The initial in a
    person's name ends none: "Ada M. Holm"."""
    plain = _MARK.sub("", answer)
    found: list[tuple[int, int]] = []
    for start, end in sentences(plain):
        first = tokens(plain[start:end])[:1]
        named = bool(first) and first[0][0].isupper() and first[0].lower() not in STOP_WORDS
        goes_on = bool(found) and named and bool(_INITIAL.search(plain[slice(*found[-1])]))
        found.append((found.pop()[0] if goes_on else start, end))
    return [plain[start:end] for start, end in found] or [plain]


def told(said: Sequence[Said], leave_out: bool = False, between: str = " ") -> tuple[str, list[Stand], list[Statement]]:
    """Return the text of an answer with marks of its citations, their places in the order of the marks, and its statements.

    Statements without support have no mark; with `leave_out` they are left out.
    """
    stands: dict[tuple[str, int, int], Stand] = {}
    shown: list[Statement] = []
    for one in said:
        if one.stands is not None:
            place = one.stands[0].passage.chunk_id, *one.stands[1:]
            stands.setdefault(place, one.stands)
            number = list(stands).index(place) + 1
            shown.append(Statement(text=one.text, supported=True, citations=[number]))
        elif not leave_out:
            shown.append(Statement(text=one.text, supported=False, citations=[]))
    marked = (" ".join([item.text, *(f"[{number}]" for number in item.citations)]) for item in shown)
    return between.join(marked), list(stands.values()), shown


def _with_its_units(text: str, stand: Stand) -> str:
    """Return a statement that is a mere number with the units that stand at it in the sentence that it rests on: "353 million."
    of "a fee of $353 million" is "$353 million."; any other, and a year, as it is."""
    said, quoted = text.rstrip(" ."), _text(*stand)
    if not said or quoted.startswith("|") or IS_YEAR.fullmatch(said):
        return text
    spots = (match.span() for match in re.finditer(rf"(?<![\w.,]){re.escape(said)}(?!\w|[.,]\d)", quoted))
    wholes = {quoted[slice(*with_units(quoted, *spot))] for spot in spots}
    return wholes.pop() + text[len(said) :] if len(wholes) == 1 else text


def _text(found: Found, start: int, end: int) -> str:
    return found.passage.text[start - found.passage.start : end - found.passage.start]
