"""Answers a question: evidence gate, model, checked quote; or the best supporting sentences, or "not found"."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ingest.ports import Embedder
from rag.catalog import Catalog
from rag.errors import ModelError, PromptTooLong
from rag.evidence import Support, weigh
from rag.llm import Completion, LanguageModel
from rag.places import boxes
from rag.prompt import SCHEMA, AnswerStream, Excerpt, Reply, messages, read_reply
from rag.quote import locate
from rag.retrieve import Clock, Found, Retriever, hit
from rag.shapes import Answer, Citation, Hit, ModelUsed, Tokens
from rag.words import numbers, sentences

NOTHING = "Not found in these documents."
EXTRACTIVE = ModelUsed(backend="extractive", name="best-sentences", digest="")
WEIGHED = 8
"""Passages whose sentences are weighed; those that go to the model are chosen among them."""

Event = tuple[str, list[Hit] | str | Answer]
"""("passages", hits), then ("token", text) as the answer is written, then ("answer", Answer), last."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much text goes to the model (see `answer` in config.yaml)."""

    passages: int
    passage_tokens: int
    max_tokens: int
    min_evidence: float


@dataclass(slots=True)
class _Draft:
    """An answer in the making."""

    text: str = NOTHING
    outcome: str = "not_found"
    supports: list[tuple[Found, int, int]] = field(default_factory=list)
    model: ModelUsed = EXTRACTIVE
    tokens: Tokens = Tokens()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers from one catalog. `choose` returns the language model to ask, or None for extractive answers."""

    retriever: Retriever
    catalog: Catalog
    embedder: Embedder
    choose: Callable[[], LanguageModel | None]
    limits: Limits

    def stream(self, question: str, collections: Sequence[str]) -> Iterator[Event]:
        """Yield the events of one answer; store nothing."""
        clock = Clock()
        found, _ = self.retriever.find(question, collections, WEIGHED)
        clock.lap("retrieve")
        supports = weigh(question, found, self.catalog, self.embedder)
        clock.lap("weigh")
        sent = self._excerpts(found, supports)
        yield "passages", sent
        if not supports or supports[0].score < self.limits.min_evidence:
            draft = _Draft(note="No passage says enough about what is asked; the nearest ones are listed.")
        else:
            draft = yield from self._ask(question, found, supports, sent)
        clock.lap("generate")
        if draft.outcome == "not_found" or draft.model.backend == "extractive":
            yield "token", draft.text
        yield "answer", self._finish(question, draft, sent, clock)

    def _excerpts(self, found: Sequence[Found], supports: Sequence[Support]) -> list[Hit]:
        """Return the passages to send, best support first, each cut to the sentences around its best one."""
        best: dict[str, Support] = {}
        for support in supports:
            best.setdefault(support.found.passage.chunk_id, support)
        chosen = list(best.values())[: self.limits.passages]
        excerpts = []
        for rank, support in enumerate(chosen, start=1):
            start, end = self._window(support)
            excerpts.append(hit(self.catalog, support.found, rank, start, end))
        return excerpts

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
        self, question: str, found: Sequence[Found], supports: Sequence[Support], sent: Sequence[Hit]
    ) -> Iterator[Event]:  # type: ignore[type-arg]
        """Ask the model; fall back to quoted sentences where it can't answer or its draft has no support."""
        try:
            model = self.choose()
            if model is None:
                return _extract(supports, "No language model is configured.")
            reply, completion = yield from self._generate(model, question, sent)
        except ModelError as error:
            return _extract(supports, f"The language model could not answer ({error}).")
        used = ModelUsed(backend=model.card.backend, name=model.card.name, digest=model.card.digest)  # type: ignore[arg-type]
        tokens = Tokens(sent=completion.sent, evaluated=completion.evaluated, generated=completion.generated)
        if reply is None:
            draft = _extract(supports, "The model's reply was cut off or malformed, so the best sentences are quoted.")
        elif reply.refused:
            return _Draft(model=used, tokens=tokens, note="The model found no statement of what is asked in the passages.")
        elif place := _supported(reply, sent):
            number, start, end = place
            origin = next(item for item in found if _is(item, sent[number]))
            return _Draft(f"{reply.answer} [1]", "answered", [(origin, start, end)], used, tokens)
        else:
            draft = _extract(supports, "The model's draft had no support in the passages, so the best sentences are quoted.")
        draft.tokens = tokens
        return draft

    def _generate(
        self, model: LanguageModel, question: str, sent: Sequence[Hit]
    ) -> Iterator[Event]:  # type: ignore[type-arg]
        excerpts = [Excerpt(item.path, item.page, item.heading, item.text) for item in sent]
        while True:
            prompt = messages(excerpts, question)
            if model.count(prompt) + self.limits.max_tokens <= model.card.window:
                break
            if len(excerpts) <= 1:
                raise PromptTooLong("The question does not fit into the model's window.", "Ask a shorter question.")
            excerpts.pop()
        answer = AnswerStream()
        for piece in model.stream(prompt, max_tokens=self.limits.max_tokens, schema=SCHEMA):
            if isinstance(piece, Completion):
                _compare(piece)
                return read_reply(piece.text), piece
            if fresh := answer.feed(piece):
                yield "token", fresh
        raise ModelError("The model stopped without finishing its answer.", "Ask again.")

    def _finish(self, question: str, draft: _Draft, sent: list[Hit], clock: Clock) -> Answer:
        citations = []
        for number, (found, start, end) in enumerate(draft.supports, start=1):
            passage = found.passage
            citations.append(
                Citation(
                    n=number, document_id=passage.document_id, version=passage.version, path=passage.path, page=passage.page,
                    quote=passage.text[start - passage.start : end - passage.start], start=start, end=end,
                    boxes=boxes(self.catalog, passage, start, end),
                )
            )
        clock.lap("cite")
        return Answer(
            id=uuid.uuid4().hex, question=question, outcome=draft.outcome, answer=draft.text,  # type: ignore[arg-type]
            citations=citations, passages=sent, model=draft.model, tokens=draft.tokens, timings_ms=clock.laps, note=draft.note,
        )


def _extract(supports: Sequence[Support], why: str) -> _Draft:
    """Return the best sentences as the answer: the best one, and a second that is nearly as good and says something else."""
    chosen = [supports[0]]
    for support in supports[1:4]:
        if support.score >= 0.92 * supports[0].score and support.text != supports[0].text:
            chosen.append(support)
            break
    text = "\n".join(f"“{support.text}” [{number}]" for number, support in enumerate(chosen, start=1))
    places = [(support.found, support.start, support.end) for support in chosen]
    return _Draft(text, "answered", places, note=why)


def _supported(reply: Reply, sent: Sequence[Hit]) -> tuple[int, int, int] | None:
    """Return (index of the passage, start, end) of the reply's quote, or None: the quote must stand in a passage, and every
    number of the answer in that quote, the passage or its heading."""
    order = sorted(range(len(sent)), key=lambda index: index != reply.passage - 1)  # the passage it named first
    for index in order:
        place = locate(reply.quote, sent[index].text)
        if place is None:
            continue
        said = numbers(f"{sent[index].text} {sent[index].heading}")
        if numbers(reply.answer) <= said:
            return index, sent[index].start + place[0], sent[index].start + place[1]
    return None


def _is(found: Found, item: Hit) -> bool:
    passage = found.passage
    return passage.document_id == item.document_id and passage.start <= item.start and item.end <= passage.end


def _compare(completion: Completion) -> None:
    """Raise ModelError when the server evaluated much less than was sent: it dropped part of the prompt."""
    if completion.evaluated and completion.evaluated < 0.9 * completion.sent - 16:
        raise ModelError(
            f"The model's server read {completion.evaluated} of {completion.sent} prompt tokens.", "Raise its context window."
        )
