"""Answers a question: evidence gate, model, checked quote; or the best supporting sentences, or "not found"."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.ports import Embedder
from rag.answer_type import asks_analysis
from rag.catalog import Catalog
from rag.cite import cited, looked_through
from rag.disagree import ASK, asked_back, conflict, disagreement, former_sides
from rag.draft import FIGURE, Draft, Quoted, checked
from rag.errors import ModelBusy, ModelError, PromptTooLong, ReadingRoomError
from rag.evidence import Asked, Support
from rag.excerpts import Spot, excerpt, in_place, shown, sources, support
from rag.extract import agrees
from rag.figures import FIGURE_FOUND, LOOKED_AT, Figures
from rag.filters import Filter
from rag.former import AsOf
from rag.gate import DEFAULT, Gate, signs
from rag.hits import hit
from rag.join import also_found
from rag.llm import Completion, LanguageModel, Message, ModelCard
from rag.model_record import on_record
from rag.prompt import SCHEMA, AnswerStream, Reply, messages, read_reply
from rag.question import Labels
from rag.quotable import may_be_quoted
from rag.replay import SEED, generation
from rag.reply_language import other_language
from rag.retrieve import Clock, Found, Retriever
from rag.routing import Candidate as Model
from rag.routing import in_turn
from rag.shapes import Answer, Candidate, Disagreement, Generation, Hit, Searched, Tokens
from rag.span_reader import SpanReader
from rag.statements import Checker
from rag.unknown_names import about_others
from rag.words import numbers

WEIGHED = 8
"""Passages whose sentences are weighed; those that go to the model are chosen among them."""

PICTURES = 3
"""Descriptions of pictures that an answer "not found" names, behind the nearest passages."""

ORDERS = "A passage holds instructions to whoever answers; they were not followed, and nothing was quoted from them."

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
    hidden_text: bool = False
    leave_out: bool = False
    """Whether statements without support are left out instead of shown as such."""
    figures_alone: bool = False
    """Whether no model is asked where a table row has the very figure that is asked for."""
    guarded: bool = True
    """Whether instructions in passages are kept out; False is for measuring what that does."""


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers from one catalog. `choose` returns the model to ask, or None for extractive answers; `route` the models to ask
    one after the other until one's answer holds; `labels` says what table rows call the figures that are asked for;
    `reader` marks the words that answer."""

    retriever: Retriever
    catalog: Catalog
    embedder: Embedder
    choose: Callable[[], LanguageModel | None]
    limits: Limits
    route: Callable[[str, Sequence[Support]], Iterator[Model]] | None = None
    gate: Gate = DEFAULT
    labels: Labels = field(default_factory=dict)
    reader: SpanReader | None = None

    def stream(
        self,
        question: str,
        collections: Sequence[str],
        wanted: Filter | None = None,
        as_of: AsOf | None = None,
        may_clarify: bool = True,
        before: Sequence[Spot] = (),
    ) -> Iterator[Event]:
        """Yield the events of one answer; store nothing. `before` is what the model was sent the turn before."""
        clock = Clock()
        ranked, laps = self.retriever.find(question, collections, LOOKED_AT, wanted, as_of, self.limits.hidden_text)
        found = ranked[:WEIGHED]
        clock.lap("retrieve")
        if "rerank" in laps:  # a part of it
            clock.laps["rerank"] = laps["rerank"]
        found, described = sources(found, self.catalog)
        asked = Asked.of(question, self.catalog, found)
        supports, left_out = support(
            question, asked, found, self.catalog, self.embedder, self.reader, self.limits.guarded
        )
        figures = Figures(self.catalog, self.embedder, self.labels, self.limits.hidden_text, self.limits.guarded)
        supports = figures.first(question, asked, supports, ranked, collections, whole=not (wanted or as_of))
        clock.lap("weigh")
        limits = self.limits
        sent = shown(supports, self.catalog, self.embedder, limits.passages, limits.passage_tokens, before)
        passages = also_found(sent, found, self.catalog.paged([item.passage.document_id for item in found]))
        yield "passages", passages
        evidence = self.gate.chance(signs(question, supports)) if supports else 0.0
        if supports and supports[0].figure:
            evidence = max(evidence, FIGURE_FOUND)
        if as_of is None and (why := about_others(question, self.catalog, [one.passage for one in found], collections)):
            draft = Draft(note=why)
        elif evidence < self.limits.min_evidence or not supports:
            draft = Draft(note="No passage says enough about what is asked; the nearest ones are listed.")
        elif may_clarify and (offered := self._open(question, supports, evidence)):
            draft = Draft(ASK, "clarify", candidates=offered, note="The documents answer this differently.")
        else:
            alone = evidence >= self.limits.min_evidence_alone and may_be_quoted(question, asked, supports)
            quoted = Quoted(question, asked, supports, alone)
            at_once = self.limits.figures_alone and supports[0].figure and not asks_analysis(question)
            if alone and at_once:
                draft = quoted.draft(FIGURE)
            else:
                in_line = self.route(question, supports) if self.route else iter(())
                asking = lambda choose: replace(self, choose=choose)._ask(quoted, in_place(sent, before))  # noqa: E731
                draft = yield from in_turn(asking, in_line, self.choose)
            draft.disagreements = self._disagreements(draft, supports, former=as_of is None)
        if left_out:
            draft.note = f"{draft.note} {ORDERS}".strip()
        clock.lap("generate")
        if draft.outcome == "not_found" and described:  # a picture may show it: a person has to look
            at = len(passages) + 1
            passages += [
                hit(self.catalog, one, rank, one.passage.start, one.passage.end)
                for rank, one in enumerate(described[:PICTURES], start=at)
            ]
        if draft.outcome == "not_found" or draft.model.backend == "extractive":
            yield "token", draft.text
        searched = (
            looked_through(self.catalog, collections, wanted, as_of, question) if draft.outcome == "not_found" else None
        )
        yield "answer", self._finish(question, draft, passages, clock, evidence, searched)

    def _open(self, question: str, supports: Sequence[Support], evidence: float) -> list[Candidate]:
        """Return what a question may mean that several documents answer well, each for another organisation or period."""
        if evidence < self.limits.min_evidence_alone:
            return []
        return asked_back(question, supports, self.catalog)

    def _disagreements(self, draft: Draft, supports: Sequence[Support], former: bool) -> list[Disagreement]:
        """Return what other documents, and former versions of its own, say otherwise than the sentence it rests on."""
        cited = {(found.passage.chunk_id, start) for found, start, _ in draft.supports[:1]}
        first = next((item for item in supports if (item.found.passage.chunk_id, item.start) in cited), None)
        if first is None:
            return []
        found = conflict(first, supports, self.catalog, one_name=True)
        earlier = former_sides(first, self.catalog) if former else []
        if found is None and not earlier:
            return []
        sides = found.supports if found else (first,)
        facets = found.facets if found else self.catalog.facets([first.found.passage.document_id])
        return [disagreement(sides, facets, earlier)]

    def _ask(self, quoted: Quoted, sent: Sequence[tuple[Found, Hit]]) -> Generator[Event, None, Draft]:
        """Ask the model; fall back to quoted sentences where it can't answer or its draft has no support."""
        question, asked, supports = quoted.question, quoted.asked, quoted.supports
        best = max(item.score for item in supports)
        try:
            model = self.choose()
            if model is None:
                return quoted.draft("No language model is configured.")
            fitting = list(sent)
            reply, completion, made = yield from self._generate(model, question, fitting)
        except ModelBusy:  # to be asked again later, not to be answered by less
            raise
        except ModelError as error:
            return quoted.draft(f"The language model could not answer: {error}")
        unsent = [pair for pair in sent if pair not in fitting]
        used = on_record(model.card, completion, self.limits.max_tokens)
        tokens = Tokens(
            sent=completion.sent,
            evaluated=completion.evaluated,
            cached=completion.cached,
            generated=completion.generated,
        )
        name = model.card.name
        if reply is None:
            draft = quoted.draft(f"The reply of the model {name} was cut off or malformed.")
        elif reply.refused:
            note = "The model found no statement of what is asked in the passages."
            return Draft(model=used, tokens=tokens, note=note, generation=made).without(unsent, model.card)
        elif strayed := other_language(question, reply.quote, reply.answer):
            draft = quoted.draft(f"The model {name} answered in another language ({strayed}) than the question.")
        else:
            said = Checker(question, asked, fitting, best, self.embedder, self.limits.guarded).check(reply)
            agreed = agrees(question, asked, supports[0], reply.answer)
            if said and agreed:
                draft = checked(said, self.limits.leave_out)
                draft.model = used
            elif agreed or not numbers(reply.answer):
                draft = quoted.draft(f"The draft of the model {name} had no support in the passages.")
            else:
                draft = quoted.draft(
                    f"The draft of the model {name} has another figure than the table's row and column that are asked for."
                )
        draft.tokens, draft.generation = tokens, made
        return draft.without(unsent, model.card)

    def _generate(
        self, model: LanguageModel, question: str, fitting: list[tuple[Found, Hit]]
    ) -> Generator[Event, None, tuple[Reply | None, Completion, Generation]]:
        """Ask with as many passages as fit, by our count and by the server's; others, of the last ranks, leave the list."""
        while True:
            prompt = messages([excerpt(*pair, guarded=self.limits.guarded) for pair in fitting], question)
            if model.count(prompt) + self.limits.max_tokens <= model.card.window:
                with suppress(PromptTooLong):  # its server has loaded it with a smaller window since, or counts more
                    return (yield from self._written(model, prompt, [item.rank for _, item in fitting]))
            if len(fitting) <= 1:
                raise PromptTooLong(
                    f"The question, one passage and {self.limits.max_tokens} tokens for the answer do not fit into the window of "
                    f"{model.card.name}, which has {model.card.window} tokens.",
                    "Ask a shorter question, raise `answer.window`, or choose a model with a larger window.",
                )
            fitting.remove(max(fitting, key=lambda pair: pair[1].rank))

    def _written(
        self, model: LanguageModel, prompt: Sequence[Message], passages: list[int]
    ) -> Generator[Event, None, tuple[Reply | None, Completion, Generation]]:
        answer = AnswerStream()
        for piece in model.stream(prompt, max_tokens=self.limits.max_tokens, schema=SCHEMA, seed=SEED):
            if isinstance(piece, Completion):
                _compare(model.card, piece)
                made = generation(model.card, prompt, passages, SEED, self.limits.max_tokens, piece.text)
                return read_reply(piece.text), piece, made
            if fresh := answer.feed(piece):
                yield "token", fresh
        raise ModelError("The model stopped without finishing its answer.", "Ask again.")

    def _finish(
        self,
        question: str,
        draft: Draft,
        sent: list[Hit],
        clock: Clock,
        evidence: float,
        searched: Searched | None,
    ) -> Answer:
        citations = cited(draft.supports, self.catalog)
        clock.lap("cite")
        model = draft.model
        if self.reader is not None and model.backend == "extractive":
            model = model.model_copy(update={"digest": self.reader.digest})
        return Answer(
            id=uuid.uuid4().hex,
            question=question,
            outcome=draft.outcome,
            answer=draft.text,
            statements=draft.statements,
            citations=citations,
            passages=sent,
            model=model,
            tokens=draft.tokens,
            timings_ms=clock.laps,
            evidence=round(evidence, 4),
            searched=searched,
            note=draft.note,
            standalone_question=question,
            generation=draft.generation,
            candidates=draft.candidates,
            disagreements=draft.disagreements,
            dropped=draft.dropped,
        )


def _compare(card: ModelCard, completion: Completion) -> None:
    """Raise ModelError when the server evaluated less than was sent: it dropped part of the prompt. Ollama has no tokenizer
    to count with before sending; its adapter compares with a bound of its own."""
    if card.backend == "embedded" and completion.evaluated < completion.sent:
        raise ModelError(
            f"The model's server read {completion.evaluated} of {completion.sent} prompt tokens.",
            "Raise its context window.",
        )
