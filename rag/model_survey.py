"""Looks at every model that can be asked now, whatever runs it: lists, measures, pins, and recommends others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from rag.build import model_store, open_model
from rag.errors import ModelError, NotFound
from rag.hardware import Machine, look, resident
from rag.home import Home
from rag.llm import LanguageModel, ModelCard
from rag.llm_embedded import EmbeddedModel
from rag.llm_ollama import OllamaModel
from rag.model_bench import Measured, measure
from rag.model_host import answers_here, read_key
from rag.model_recommend import Recommendation, recommend, speed_of
from rag.model_record import Pins
from rag.ollama_server import OllamaServer
from rag.settings import Settings

MEASURED_BYTES_A_PARAMETER = 0.606
"""Of the embedded models, which are Q4_K_M or near it."""
PROMPT_TOKENS = 900
"""A prompt with the default number of passages, examples included."""


def available(settings: Settings) -> list[str]:
    """Return every language model that can be asked now, as BACKEND:NAME."""
    store = model_store(settings)
    found = [f"embedded:{item.name}" for item in store.list() if item.kind == "language" and item.installed]
    if settings.answer.model.startswith("transformers:"):
        found.append(settings.answer.model)
    if settings.answer.ollama_model:
        try:
            with ollama(settings) as server:
                found += [f"ollama:{model['name']}" for model in server.models() if answers_here(model)]
        except ModelError:
            pass  # no server there, or another program: the list is of what is there
    if settings.answer.openai_host:
        found.append(f"openai:{settings.answer.openai_model}")
    return found


def bench(settings: Settings, names: Sequence[str], before: Callable[[str], None]) -> list[Measured]:
    """Measure models one after the other, all that are available when none is named; `before` hears each name first."""
    measured = []
    for name in names or available(settings):
        before(name)
        backend, _, model = name.partition(":")
        try:
            with opened(settings, name) as language_model:
                found = _measure(language_model)
                measured.append(replace(found, model=model or found.model))  # as it can be typed back
        except ModelError as error:
            measured.append(Measured(model, backend, "", error=str(error)))
    return measured


def pin(settings: Settings, names: Sequence[str]) -> list[ModelCard]:
    """Approve models as they are now, all that are available when none is named; return what is on record of each."""
    cards = []
    for name in names or available(settings):
        with opened(settings, name) as model:
            if isinstance(model, EmbeddedModel):
                model.load()  # quantisation and template stand in the file
            cards.append(model.card)
    home = Home(settings.home)
    home.create()
    Pins(home.pins).pin(cards)
    return cards


def recommended(
    settings: Settings, window: int, measuring: bool, before: Callable[[str], None]
) -> tuple[Machine, list[Recommendation]]:
    """Return this machine, and the models that fit it at a window; speeds are estimated from installed models."""
    store = model_store(settings)
    machine = look(store.folder)
    here = sorted((item.bytes, item.name) for item in store.list() if item.kind == "language" and item.installed)
    measured = []
    for size, name in dict.fromkeys([*here[:1], *here[-1:]]) if measuring else ():
        for item in bench(settings, [f"embedded:{name}"], before):
            if not item.error:
                measured.append((item, float(size), size / MEASURED_BYTES_A_PARAMETER))
    return machine, recommend(machine, window, min(PROMPT_TOKENS, window), speed_of(measured))


@contextmanager
def opened(settings: Settings, name: str) -> Iterator[LanguageModel]:
    """Open BACKEND:NAME for the length of a block."""
    backend, _, model = name.partition(":")
    if backend not in ("embedded", "ollama", "openai", "transformers"):
        raise NotFound(f"There is no model {name!r}.", "Write BACKEND:NAME, e.g. embedded:small or ollama:qwen3:4b.")
    found = open_model(settings, backend, model)
    if found is None:
        raise ModelError(
            f"No Ollama server at {settings.answer.ollama_host} has {model}.", f"Run `ollama pull {model}`."
        )
    try:
        yield found
    finally:
        found.close()


@contextmanager
def ollama(settings: Settings, answer_seconds: float = 10.0) -> Iterator[OllamaServer]:
    """Connect to the Ollama server of the settings for the length of a block."""
    server = OllamaServer(
        settings.answer.ollama_host,
        allowed_hosts=settings.network.allowed_hosts,
        key=read_key(settings.answer.ollama_key, "answer.ollama_key"),
        answer_seconds=answer_seconds,
    )
    try:
        yield server
    finally:
        server.close()


def _measure(model: LanguageModel) -> Measured:
    if isinstance(model, EmbeddedModel):
        return measure(model, model.load, lambda: resident(model.pid or 0))
    if isinstance(model, OllamaModel):
        return measure(model, model.load, model.memory)
    return measure(model, lambda: None, lambda: 0)  # loaded already, in a process we can't see
