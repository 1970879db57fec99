"""Examines the models of the settings: files, servers, pins, what a server might send away, the length of prompts."""

from __future__ import annotations

from collections.abc import Iterator

from rag.build import (
    SPAN_READER_BASE,
    build_describer,
    build_embedder,
    build_reranker,
    build_span_reader,
    model_store,
    open_model,
    promised,
)
from rag.errors import ReadingRoomError
from rag.home import Home
from rag.model_profiles import profile_of
from rag.model_record import Pins
from rag.ollama_server import full_name
from rag.report_shapes import Finding
from rag.settings import Settings

EXAMPLE_TOKENS = 540
"""Of a prompt beside its passages: rules, examples and question."""


def of_models(settings: Settings) -> Iterator[Finding]:
    """Yield what is found about the models of the settings and their servers."""
    store = model_store(settings)
    wanted = {settings.embedding.model} if settings.embedding.backend not in ("ollama", "openai") else set()
    wanted |= _answering(settings, "embedded")
    for name in sorted(wanted):
        try:
            store.path(name)
            yield Finding(severity="ok", subject=f"model: {name}", message=f"installed, {store.digest(name)}")
        except ReadingRoomError as error:
            yield Finding(severity="error", subject=f"model: {name}", message=error.message, remedy=error.remedy)
    for folder in sorted(_answering(settings, "transformers")):
        yield _folder(settings, folder)
    yield from _embedder(settings)
    yield _span_reader(settings)
    yield from _reranker(settings)
    yield from _describer(settings)
    if settings.answer.model != "none":
        yield from _prompt_size(settings)
        yield from _ollama(settings)
        yield from _servers(settings)


def _answering(settings: Settings, backend: str) -> set[str]:
    """Return the models of a back end of this machine that the settings let answer, routed to or not."""
    if settings.answer.model == "none":
        return set()
    model = settings.answer.model
    named = {model if ":" in model else f"embedded:{model}", settings.routing.small, settings.routing.large}
    return {name.partition(":")[2] for name in named if name.startswith(f"{backend}:")}


def _folder(settings: Settings, folder: str) -> Finding:
    """Say whether a folder holds a model for Transformers; it is loaded with the first question, not here."""
    subject = f"model: transformers:{folder}"
    try:
        open_model(settings, "transformers", folder)
    except ReadingRoomError as error:
        return Finding(severity="error", subject=subject, message=error.message, remedy=error.remedy)
    return Finding(severity="ok", subject=subject, message="there; loaded with the first question")


def _prompt_size(settings: Settings) -> Iterator[Finding]:
    """Compare the length of prompts by the settings with what each model's family reads reliably."""
    answer, routing = settings.answer, settings.routing
    named = [answer.model, answer.openai_model, *(name.partition(":")[2] for name in (routing.small, routing.large))]
    named += [answer.ollama_model] if promised(settings, answer.ollama_model) else []
    tokens = EXAMPLE_TOKENS + answer.passages * answer.passage_tokens
    manifest = model_store(settings).manifest
    for name in dict.fromkeys(name.removeprefix("transformers:") for name in named if name):
        known = manifest.get(name)
        profile = profile_of(known.name if known else name)
        if tokens > profile.good_prompt:
            yield Finding(
                severity="warning",
                subject=f"prompt: {name}",
                message=f"prompts of about {tokens} tokens; models of its family ({profile.family}) stay reliable up to about "
                f"{profile.good_prompt}",
                remedy="Lower `answer.passages` or `answer.passage_tokens`, or choose another model.",
            )


def _embedder(settings: Settings) -> Iterator[Finding]:
    """Look whether what turns text into vectors is there: a server is asked for one."""
    try:
        yield Finding(severity="ok", subject="embedding", message=str(build_embedder(settings)))
    except ReadingRoomError as error:
        yield Finding(severity="error", subject="embedding", message=error.message, remedy=error.remedy)


def _span_reader(settings: Settings) -> Finding:
    """Say whether the words that answer are marked: without it short answers come from rules."""
    reader = build_span_reader(settings)
    if reader is not None:
        return Finding(
            severity="ok", subject="span reader", message=f"marks answers in English, sha256:{reader.digest[:12]}"
        )
    if not settings.answer.span_reader:
        return Finding(severity="ok", subject="span reader", message="off (`answer.span_reader`)")
    return Finding(
        severity="warning",
        subject="span reader",
        message=f"the model {SPAN_READER_BASE}, whose weights it changes, is not here; short answers come from rules",
        remedy=f"Run `readingroom models pull {SPAN_READER_BASE}`, or set `answer.span_reader: false`.",
    )


def _describer(settings: Settings) -> Iterator[Finding]:
    named = settings.ingest.vision_model
    if not named:
        yield Finding(severity="ok", subject="pictures", message="not described (`ingest.vision_model`)")
        return
    try:
        describer = build_describer(settings)
        digest = describer.look() if describer else ""
        message = f"described by {named}, {digest or 'whose server says no digest'}"
        yield Finding(severity="ok", subject="pictures", message=message)
    except ReadingRoomError as error:  # files are read all the same
        yield Finding(severity="warning", subject="pictures", message=error.message, remedy=error.remedy)


def _reranker(settings: Settings) -> Iterator[Finding]:
    if not settings.search.reranker:
        yield Finding(
            severity="ok", subject="reranker", message="none (`search.reranker`); hits stay in the order of search"
        )
        return
    try:
        name = build_reranker(settings).name
    except ReadingRoomError as error:
        yield Finding(severity="error", subject="reranker", message=error.message, remedy=error.remedy)
        return
    read = settings.search.rerank
    yield Finding(
        severity="ok", subject="reranker", message=f"{name} puts the {read} best passages of a question in order"
    )


def _ollama(settings: Settings) -> Iterator[Finding]:
    answer = settings.answer
    routed = [name.partition(":")[2] for name in (settings.routing.small, settings.routing.large) if "ollama:" in name]
    names = [name for name in dict.fromkeys([answer.ollama_model, *routed]) if name]
    # no model of it answers, but its server embeds or sees
    others = settings.embedding.backend == "ollama" or settings.ingest.vision_model.startswith("ollama:")
    if not names and not others:
        return
    from rag.model_survey import ollama

    subject = f"model: Ollama at {answer.ollama_host}"
    try:
        with ollama(settings, answer_seconds=2.0) as server:
            there = {str(model["name"]) for model in server.models()}
            cloud_off = server.cloud_disabled()
            for name in names:
                if full_name(name) in there or promised(settings, name):
                    yield _ollama_model(settings, subject, name)
                else:
                    said = f"without {name}; the embedded model answers"
                    yield Finding(severity="ok", subject=subject, message=said)
    except ReadingRoomError as error:
        absent = error.message.startswith("No Ollama server")
        said = "not there; the embedded model answers" if absent else error.message
        if absent and (others or any(promised(settings, name) for name in names)):
            yield Finding(severity="warning", subject=subject, message=said, remedy=error.remedy)
            return
        remedy = "" if absent else error.remedy
        yield Finding(severity="ok" if absent else "error", subject=subject, message=said, remedy=remedy)
        return
    if not cloud_off:
        yield Finding(
            severity="warning",
            subject=subject,
            message="its cloud models are not switched off: it forwards their prompts to its vendor",
            remedy="Start it with OLLAMA_NO_CLOUD=1. Reading Room refuses such models, other programs may not.",
        )


def _ollama_model(settings: Settings, subject: str, name: str) -> Finding:
    """Open a model as an answer would, to see whether it is there, stays here, can answer, and is the pinned one."""
    from rag.model_survey import opened  # as in _ollama

    try:
        with opened(settings, f"ollama:{name}") as model:
            if changed := Pins(Home(settings.home).pins).changed(model.card):
                remedy = "Run `readingroom models pin` if you want this one."
                return Finding(severity="warning", subject=subject, message=changed, remedy=remedy)
            said = f"answers with {name}, window {model.card.window}, {model.card.runtime}"
            return Finding(severity="ok", subject=subject, message=said)
    except ReadingRoomError as error:
        return Finding(severity="error", subject=subject, message=error.message, remedy=error.remedy)


def _servers(settings: Settings) -> Iterator[Finding]:
    """Look at the OpenAI-compatible server, and whether its model is the pinned one."""
    if not settings.answer.openai_host:
        return
    from rag.model_survey import opened

    subject = f"model: server at {settings.answer.openai_host}"
    try:
        with opened(settings, f"openai:{settings.answer.openai_model}") as model:
            changed = Pins(Home(settings.home).pins).changed(model.card)
            said = (
                f"answers with {model.card.name}, window {model.card.window}, {model.card.runtime or 'unknown server'}"
            )
    except ReadingRoomError as error:
        yield Finding(severity="error", subject=subject, message=error.message, remedy=error.remedy)
        return
    yield Finding(severity="ok", subject=subject, message=said)
    if changed:
        yield Finding(severity="warning", subject=subject, message=changed, remedy="Run `readingroom models pin`.")
