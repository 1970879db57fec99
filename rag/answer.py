"""Answers a question: evidence gate, model, checked quote; or the best supporting sentences, or "not found"."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ingest.ports import Embedder, Vectors
from rag.catalog import Catalog
from rag.disagree import ASK, candidates, conflict, disagreement
from rag.errors import ModelBusy, ModelError, PromptTooLong, ReadingRoomError
from rag.evidence import Asked, Support, chance, weigh
from rag.filters import Filter
from rag.former import AsOf
from rag.join import also_found
from rag.llm import Completion, LanguageModel, ModelCard
from rag.passages import Passage
from rag.places import boxes
from rag.prompt import SCHEMA, AnswerStream, Excerpt, Reply, messages, read_reply
from rag.quote import locate
from rag.replay import SEED, generation
from rag.retrieve import Clock, Found, Retriever, hit
from rag.rows import caption, header_row
from rag.shapes import Answer, Candidate, Citation, Disagreement, Generation, Hit, ModelUsed, Tokens
from rag.words import numbers, sentences, units

NOTHING = "Not found in these documents."
EXTRACTIVE = ModelUsed(backend="extractive", name="best-sentences", digest="")
WEIGHED = 8
"""Passages whose sentences are weighed; those that go to the model are chosen among them."""

CLAIM_SHARE = 0.8
"""A quoted sentence must have this share of the best sentence's chance to answer, or the claim is not believed."""

Event = tuple[str, list[Hit] | str | Answer]
"""("passages", hits), then ("token", text) as the answer is written, then ("answer", Answer), last."""


def last_answer(events: Iterator[Event], on_event: Callable[[str, Any], None] = lambda name, value: None) -> Answer:
    """Follow the events of an answer to its end and return the answer."""
    for name, value in events:
        if isinstance(value, Answer):
            return value
        on_event(name, value)
    raise ReadingRoomError("The question got no answer.", "Please report this as a bug.")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much text goes to the model (see `answer` in config.yaml)."""

    passages: int
    passage_tokens: int
    max_tokens: int
    min_evidence: float
    min_evidence_alone: float


@dataclass(slots=True)
class _Draft:
    """An answer in the making."""

    text: str = NOTHING
    outcome: Literal["answered", "not_found", "partial", "clarify"] = "not_found"
    supports: list[tuple[Found, int, int]] = field(default_factory=list)
    model: ModelUsed = EXTRACTIVE
    tokens: Tokens = field(default_factory=Tokens)
    note: str = ""
    generation: Generation | None = None
    candidates: list[Candidate] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers from one catalog. `choose` returns the language model to ask, or None for extractive answers."""

    retriever: Retriever
    catalog: Catalog
    embedder: Embedder
    choose: Callable[[], LanguageModel | None]
    limits: Limits

    def stream(
        self,
        question: str,
        collections: Sequence[str],
        wanted: Filter | None = None,
        as_of: AsOf | None = None,
        may_clarify: bool = True,
    ) -> Iterator[Event]:
        """Yield the events of one answer; store nothing."""
        clock = Clock()
        found, laps = self.retriever.find(question, collections, WEIGHED, wanted, as_of)
        clock.lap("retrieve")
        if "rerank" in laps:  # a part of it
            clock.laps["rerank"] = laps["rerank"]
        supports = weigh(question, found, self.catalog, self.embedder)
        clock.lap("weigh")
        sent = self._excerpts(supports)
        passages = also_found(sent, found, self.catalog.paged([item.passage.document_id for item in found]))
        yield "passages", passages
        if not supports or supports[0].score < self.limits.min_evidence:
            draft = _Draft(note="No passage says enough about what is asked; the nearest ones are listed.")
        elif may_clarify and (offered := self._open(question, supports)):
            draft = _Draft(ASK, "clarify", candidates=offered, note="The documents answer this differently.")
        else:
            draft = yield from self._ask(question, supports, sent)
            draft.disagreements = self._disagreements(draft, supports)
        clock.lap("generate")
        if draft.outcome == "not_found" or draft.model.backend == "extractive":
            yield "token", draft.text
        yield "answer", self._finish(question, draft, passages, clock)

    def _open(self, question: str, supports: Sequence[Support]) -> list[Candidate]:
        """Return what a question may mean that several documents answer well, each for another organisation or period."""
        if supports[0].score < self.limits.min_evidence_alone:
            return []
        found = conflict(supports[0], supports, self.catalog)
        return candidates(question, found, self.catalog) if found else []

    def _disagreements(self, draft: _Draft, supports: Sequence[Support]) -> list[Disagreement]:
        """Return what other documents say otherwise than the sentence that an answer rests on."""
        cited = {(found.passage.chunk_id, start) for found, start, _ in draft.supports[:1]}
        first = next((item for item in supports if (item.found.passage.chunk_id, item.start) in cited), None)
        found = conflict(first, supports, self.catalog) if first else None
        return [disagreement(found)] if found else []

    def _excerpts(self, supports: Sequence[Support]) -> list[tuple[Found, Hit]]:
        """Return the passages to send, best support first, each cut to the sentences around its best one; a text that stands
        in several documents is sent once."""
        chosen: dict[str, Support] = {}
        for support in supports:
            chosen.setdefault(support.found.passage.text, support)
        best = list(chosen.values())[: self.limits.passages]
        return [
            (support.found, hit(self.catalog, support.found, rank, *self._window(support)))
            for rank, support in enumerate(best, start=1)
        ]

    def _window(self, support: Support) -> tuple[int, int]:
        """Grow from the best sentence to its neighbours, in turn before and after, within the token limit."""
        passage = support.found.passage
        spans = [(passage.start + start, passage.start + end) for start, end in sentences(passage.text)]
        tokens = self.embedder.count([passage.text[a - passage.start : b - passage.start] for a, b in spans])
        at = spans.index((support.start, support.end))
        low, high, size = at, at, tokens[at]
        grew = True
        while grew:
            grew = False
            for step in (-1, 1):
                near = low - 1 if step < 0 else high + 1
                if 0 <= near < len(spans) and size + tokens[near] <= self.limits.passage_tokens:
                    low, high, size, grew = min(low, near), max(high, near), size + tokens[near], True
        return spans[low][0], spans[high][1]

    def _ask(
        self, question: str, supports: Sequence[Support], sent: Sequence[tuple[Found, Hit]]
    ) -> Generator[Event, None, _Draft]:
        """Ask the model; fall back to quoted sentences where it can't answer or its draft has no support."""
        try:
            model = self.choose()
            if model is None:
                return self._extract(supports, "No language model is configured; the best sentences are quoted.")
            reply, completion, made = yield from self._generate(model, question, [_excerpt(*pair) for pair in sent])
        except ModelBusy:  # to be asked again later, not to be answered by less
            raise
        except ModelError as error:
            return self._extract(supports, f"The language model could not answer: {error}")
        card = model.card
        used = ModelUsed(backend=card.backend, name=card.name, digest=card.digest)
        tokens = Tokens(sent=completion.sent, evaluated=completion.evaluated, generated=completion.generated)
        if reply is None:
            draft = self._extract(
                supports, "The model's reply was cut off or malformed; the best sentences are quoted."
            )
        elif reply.refused:
            note = "The model found no statement of what is asked in the passages."
            return _Draft(model=used, tokens=tokens, note=note, generation=made)
        elif claim := self._supported(question, reply, sent, supports[0].score):
            return _Draft(f"{reply.answer} [1]", "answered", [claim], used, tokens, generation=made)
        else:
            draft = self._extract(supports, "The model's draft had no support in the passages.")
        draft.tokens, draft.generation = tokens, made
        return draft

    def _generate(
        self, model: LanguageModel, question: str, excerpts: list[Excerpt]
    ) -> Generator[Event, None, tuple[Reply | None, Completion, Generation]]:
        while True:
            prompt = messages(excerpts, question)
            if model.count(prompt) + self.limits.max_tokens <= model.card.window:
                break
            if len(excerpts) <= 1:
                raise PromptTooLong("The question does not fit into the model's window.", "Ask a shorter question.")
            excerpts.pop()
        answer = AnswerStream()
        for piece in model.stream(prompt, max_tokens=self.limits.max_tokens, schema=SCHEMA, seed=SEED):
            if isinstance(piece, Completion):
                _compare(model.card, piece)
                made = generation(model.card, prompt, SEED, self.limits.max_tokens, piece.text)
                return read_reply(piece.text), piece, made
            if fresh := answer.feed(piece):
                yield "token", fresh
        raise ModelError("The model stopped without finishing its answer.", "Ask again.")

    def _supported(
        self, question: str, reply: Reply, sent: Sequence[tuple[Found, Hit]], best: float
    ) -> tuple[Found, int, int] | None:
        """Return where the reply's claim stands, or None when it does not hold.

        The quote must stand in a passage, word for word; or, since models put the quote of a table together from its cells,
        the answer rests on a row that has all of its numbers. Every number of the answer must stand in that sentence or row,
        in the table's caption or header, or in the question, and every unit in the passage. And the sentence must say nearly
        as much about what is asked as the best sentence does (`best`): a small model gladly quotes a true sentence about
        something else.
        """
        order = sorted(range(len(sent)), key=lambda index: index != reply.passage - 1)  # the passage it named first
        places = [(found, place) for index in order for found, place in _places(reply, *sent[index])]
        if not places:
            return None
        asked, vector = Asked.of(question, self.catalog), self.embedder.embed([question])[0]
        held = [(self._chance(asked, vector, found, *place), found, place) for found, place in places]
        held = [
            claim for claim in held if claim[0] >= CLAIM_SHARE * best and _states(reply.answer, question, *claim[1:])
        ]
        if not held:
            return None
        _, found, place = max(held, key=lambda claim: claim[0])
        return found, *place

    def _chance(self, asked: Asked, vector: Vectors, found: Found, start: int, end: int) -> float:
        passage = found.passage
        quoted = f"{header_row(passage, start)} {passage.text[start - passage.start : end - passage.start]}"
        return chance(asked.features(found, start, end, float(self.embedder.embed([quoted])[0] @ vector)))

    def _extract(self, supports: Sequence[Support], why: str) -> _Draft:
        """Return the best sentences as the answer: the best one, and a second that is nearly as good and says something else;
        "not found" when the best one is not good enough to stand without a model's word."""
        best = supports[0]
        if best.score < self.limits.min_evidence_alone:
            return _Draft(note=f"{why} No sentence says enough about what is asked to be quoted as the answer.")
        chosen = [best, *(s for s in supports[1:4] if s.score >= 0.95 * best.score and s.text != best.text)][:2]
        text = "\n".join(f"“{support.text}” [{number}]" for number, support in enumerate(chosen, start=1))
        return _Draft(text, "answered", [(support.found, support.start, support.end) for support in chosen], note=why)

    def _finish(self, question: str, draft: _Draft, sent: list[Hit], clock: Clock) -> Answer:
        citations = []
        for number, (found, start, end) in enumerate(draft.supports, start=1):
            passage = found.passage
            citations.append(
                Citation(
                    n=number,
                    document_id=passage.document_id,
                    version=passage.version,
                    path=passage.path,
                    page=passage.page,
                    quote=passage.text[start - passage.start : end - passage.start],
                    start=start,
                    end=end,
                    boxes=boxes(self.catalog, passage, start, end),
                )
            )
        clock.lap("cite")
        return Answer(
            id=uuid.uuid4().hex,
            question=question,
            outcome=draft.outcome,
            answer=draft.text,
            citations=citations,
            passages=sent,
            model=draft.model,
            tokens=draft.tokens,
            timings_ms=clock.laps,
            note=draft.note,
            standalone_question=question,
            generation=draft.generation,
            candidates=draft.candidates,
            disagreements=draft.disagreements,
        )


def _places(reply: Reply, found: Found, item: Hit) -> Iterator[tuple[Found, tuple[int, int]]]:
    """Yield the sentences or rows of a sent passage that a reply may rest on: where its quote stands, and the table rows that
    have all of the answer's numbers."""
    passage = found.passage
    if place := locate(reply.quote, item.text):
        yield found, _sentences_of(passage, item.start + place[0], item.start + place[1])
    wanted = numbers(reply.answer)
    for start, end in sentences(item.text):
        row = item.text[start:end]
        if wanted and row.startswith("|") and wanted <= numbers(row):
            yield found, (item.start + start, item.start + end)


def _states(answer: str, question: str, found: Found, place: tuple[int, int]) -> bool:
    """Return whether the numbers of an answer stand at a place, or above it or in the question, and its units around it."""
    passage = found.passage
    quoted = passage.text[place[0] - passage.start : place[1] - passage.start]
    above = f"{header_row(passage, place[0])} {caption(passage, place[0])} {passage.heading}"
    # a unit may stand in another row: accounts write the currency in the first row only
    around = f"{above} {passage.context} {passage.text}"
    return numbers(answer) <= numbers(f"{quoted} {above} {question}") and units(answer) <= units(f"{around} {question}")


def _excerpt(found: Found, item: Hit) -> Excerpt:
    """Return a passage for the prompt; one that begins inside a table gets the table's caption and header row in front."""
    above = (caption(found.passage, item.start), header_row(found.passage, item.start))
    return Excerpt(item.path, item.page, item.heading, "\n".join([*filter(None, above), item.text]))


def _sentences_of(passage: Passage, start: int, end: int) -> tuple[int, int]:
    """Widen a span to whole sentences or table rows, so that a quote can't leave out what follows in its sentence."""
    touched = [
        (passage.start + a, passage.start + b)
        for a, b in sentences(passage.text)
        if passage.start + a < end and passage.start + b > start
    ]
    return (min(start, touched[0][0]), max(end, touched[-1][1])) if touched else (start, end)


def _compare(card: ModelCard, completion: Completion) -> None:
    """Raise ModelError when the server evaluated less than was sent: it dropped part of the prompt. Ollama has no tokenizer
    to count with before sending; its adapter compares with a bound of its own."""
    if card.backend == "embedded" and completion.evaluated < completion.sent:
        raise ModelError(
            f"The model's server read {completion.evaluated} of {completion.sent} prompt tokens.",
            "Raise its context window.",
        )
