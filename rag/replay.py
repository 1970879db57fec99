"""Says what differs between a kept answer and the same question asked again, and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from ingest.ports import Embedder
from rag.excerpts import place
from rag.filters import Filter
from rag.llm import Message, ModelCard
from rag.settings import Settings
from rag.shapes import Answer, Difference, Generation, Hit, Record, Replay, Side, StoredAnswer

_SECTIONS = {"answer", "embedding", "routing", "search"}
"""Of the settings, those that an answer depends on."""
_NOT_INPUT = {"ollama_host", "ollama_key", "openai_host", "openai_key", "idle_minutes", "threads", "slots", "memory_mb"}
SEED = 0
"""The same question with the same passages gets the same answer; adapters ask at temperature 0."""
PROGRAM = f"readingroom {version('readingroom')}"
_SHOWN = 160
_ALWAYS_KNOWN = ("model", "digest", "runtime")
_SAID_LATER = ("backend", "quantisation", "template", "window")
"""What answers of earlier versions don't say of their model; it is compared where both do."""

Fate = Callable[[Hit | Side], str]
"""Says why a passage that was read then is not read now, or the other way round."""


def generation(
    card: ModelCard, prompt: Sequence[Message], passages: list[int], seed: int, max_tokens: int, output: str
) -> Generation:
    """Return how a model was asked, with passages of these ranks, and what it wrote; adapters ask at temperature 0."""
    said = json.dumps([asdict(message) for message in prompt])
    return Generation(
        model=card.name,
        digest=card.digest,
        prompt_sha256=hashlib.sha256(said.encode()).hexdigest(),
        runtime=card.runtime,
        temperature=0.0,
        seed=seed,
        max_tokens=max_tokens,
        output=output,
        backend=card.backend,
        quantisation=card.quantisation,
        template=card.template,
        window=card.window,
        passages=passages,
    )


def record_of(
    settings: Settings,
    embedder: Embedder,
    fitted: Mapping[str, Any],
    collections: list[str],
    wanted: Filter | None,
    may_clarify: bool,
) -> Record:
    """Return with what an answer is made now; `fitted` is what a calibration of the home has put in place of settings."""
    chosen = settings.model_dump(mode="json", include=_SECTIONS)
    return Record(
        collections=collections,
        filter={} if wanted is None else wanted.model_dump(mode="json", exclude_defaults=True),
        settings={
            f"{section}.{key}": value
            for section, values in chosen.items()
            for key, value in values.items()
            if key not in _NOT_INPUT
        }
        | dict(fitted),
        embedder=embedder.fingerprint,
        embedding=str(embedder),
        program=PROGRAM,
        may_clarify=may_clarify,
    )


def compare(stored: StoredAnswer, now: Answer, record: Record, fate: Fate) -> Replay:
    """Compare a kept answer with what its question is answered now; `record` says with what that was made."""
    was = stored.answer
    inputs = [] if stored.record is None else list(_inputs(stored.record, record))
    passages = list(_passages(was, now, fate))
    model = list(_models(was, now))
    inputs += passages + model
    changed = bool(inputs)
    prompt = list(_prompts(was.generation, now.generation, changed))
    outputs = list(_outputs(was, now, changed or bool(prompt)))
    found = [*inputs, *prompt, *outputs, *_sides(was, now, fate)]
    return Replay(id=was.id, same=not found, differences=found, answer=now)


def _inputs(was: Record, now: Record) -> Iterator[Difference]:
    if was.program != now.program:
        yield _difference("program", was.program, now.program, "Another version of Reading Room answers.")
    if was.embedder != now.embedder:
        yield _difference("embedder", was.embedder, now.embedder, "Another model turns text into vectors.")
    yield from _settings(was.settings, now.settings)


def _settings(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for key in sorted({*was, *now}):
        if was.get(key) != now.get(key):
            yield _difference(f"setting {key}", was.get(key, ""), now.get(key, ""), "The settings were changed.")


def _passages(was: Answer, now: Answer, fate: Fate) -> Iterator[Difference]:
    before, after = {place(hit): hit for hit in was.passages}, {place(hit): hit for hit in now.passages}
    for key, hit in before.items():
        if key not in after:
            yield _difference(f"passage {hit.rank}", _where(hit), "", fate(hit))
    for key, hit in after.items():
        if key not in before:
            yield _difference(f"passage {hit.rank}", "", _where(hit), fate(hit))
    if set(before) == set(after) and list(before) != list(after):
        order = "The same passages come in another order: other documents changed how rare words are, or the scores."
        yield _difference("order of passages", list(before), list(after), order)


def _where(hit: Hit) -> str:
    return f"{hit.path}, page {hit.page}, characters {hit.start} to {hit.end}, version {hit.version[:12]}"


def _models(was: Answer, now: Answer) -> Iterator[Difference]:
    before, after = _asked(was.generation), _asked(now.generation)
    for what, why in (
        ("model", f"Another model was asked, or none. {now.note}"),
        ("digest", "The model's file is another one."),
        ("backend", "Another back end was asked for the model of this name."),
        ("quantisation", "The model is stored in another form."),
        ("template", "Its chat template, which turns messages into a prompt, is another one."),
        ("runtime", "Another version of the program ran the model."),
        ("window", "The model has a window of another size."),
    ):
        if before[what] != after[what] and (what in _ALWAYS_KNOWN or (before[what] and after[what])):
            yield _difference("model" if what == "model" else f"model's {what}", before[what], after[what], why)
            return  # the rest follows from it


def _asked(generation: Generation | None) -> dict[str, str]:
    if generation is None:
        return dict.fromkeys((*_ALWAYS_KNOWN, *_SAID_LATER), "") | {"model": "none"}
    said = {name: getattr(generation, name) for name in (*_ALWAYS_KNOWN, *_SAID_LATER)}
    return {name: str(value or "") for name, value in said.items()}


def _prompts(was: Generation | None, now: Generation | None, explained: bool) -> Iterator[Difference]:
    if was is None or now is None:
        return
    if was.prompt_sha256 != now.prompt_sha256:
        why = (
            "It follows from the differences above."
            if explained
            else "The same question and passages make another prompt: its wording changed with the program."
        )
        yield _difference("prompt", was.prompt_sha256, now.prompt_sha256, why)
    for what in ("temperature", "seed", "max_tokens"):
        if getattr(was, what) != getattr(now, what):
            yield _difference(what, getattr(was, what), getattr(now, what), "The model was asked in another way.")


def _outputs(was: Answer, now: Answer, explained: bool) -> Iterator[Difference]:
    unexplained = (
        "All inputs are equal: the model's runtime does not compute the same every time (threads, hardware, prompt cache)."
        if was.generation
        else "All inputs are equal: please report this as a bug."
    )
    why = "It follows from the differences above." if explained else unexplained
    if not explained and was.outcome != now.outcome and was.evidence != now.evidence:
        why = (
            f"The estimated chance of an answer was {was.evidence:.3f} and is {now.evidence:.3f}: other documents came, went or "
            "changed, which changes how rare words are."
        )
    raw = (was.generation.output if was.generation else "", now.generation.output if now.generation else "")
    for what, before, after in (
        ("model's output", *raw),
        ("outcome", was.outcome, now.outcome),
        ("answer", was.answer, now.answer),
        ("citations", _cited(was), _cited(now)),
    ):
        if before != after:
            yield _difference(what, before, after, why)
    meant = ([item.label for item in was.candidates], [item.label for item in now.candidates])
    if meant[0] != meant[1]:
        reason = "Other documents came, went or changed, so the question may mean something else."
        yield _difference("candidates", *meant, why if explained else reason)


def _sides(was: Answer, now: Answer, fate: Fate) -> Iterator[Difference]:
    """Yield what disagreed only then, or disagrees only now."""
    before, after = ({place(side): side for found in item.disagreements for side in found.sides} for item in (was, now))
    for key, side in before.items():
        if key not in after:
            yield _difference("disagreement", _stands(side), "", fate(side))
    for key, side in after.items():
        if key not in before:
            yield _difference("disagreement", "", _stands(side), fate(side))


def _stands(side: Side) -> str:
    return f"{side.path}, page {side.page}: {side.quote}"


def _cited(answer: Answer) -> list[tuple[str, int, int, str]]:
    return [(place.path, place.start, place.end, place.quote) for place in answer.citations]


def _difference(what: str, was: object, now: object, why: str) -> Difference:
    return Difference(what=what, was=str(was)[:_SHOWN], now=str(now)[:_SHOWN], why=why.strip())
