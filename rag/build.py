"""Wires everything: the one place that knows which adapter stands behind which port."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ingest.ports import Embedder
from rag.errors import ModelError, SettingsError
from rag.generations import Generations, named_in
from rag.home import Home
from rag.llm import LanguageModel
from rag.model_host import read_key
from rag.model_record import Pins
from rag.model_store import ModelStore
from rag.rerank import NoReranker, Reranker
from rag.settings import Answer, Settings
from rag.store import CACHE_MB, WORKER_CACHE_MB, Store

if TYPE_CHECKING:
    from ingest.pipeline import Recipe
    from ingest.read import Reader
    from ingest.worker import Worker
    from rag.describe import PictureDescriber
    from rag.model_choice import ModelChoice
    from rag.ollama_server import OllamaServer
    from rag.openai_connection import OpenAIConnection
    from rag.span_reader import SpanReader

READERS = 2


def command(role: str) -> list[str]:
    """Return the command line of one of our processes; it seals itself before anything else is imported."""
    return [sys.executable, "-m", "rag.process", role]


def child_command(role: str, *arguments: str) -> list[str]:
    """Return the command line of a process that ends when this one is gone."""
    return [*command(role), str(os.getpid()), *arguments]


def open_store(settings: Settings, embedder: Embedder | None = None, cache_mb: int = CACHE_MB) -> Store:
    """Open the home folder's catalog, made where it is missing, or raise HomeMismatch when another embedder is live than
    the settings'."""
    store = open_any_store(settings, cache_mb)
    Generations(store).agree((embedder or build_embedder(settings)).fingerprint, settings.embedding)
    return store


def open_any_store(settings: Settings, cache_mb: int = CACHE_MB) -> Store:
    """Open the home folder's catalog, made where it is missing, whichever embedder is live."""
    home = Home(settings.home)
    home.create()
    store = Store(home, cache_mb)
    store.create()
    return store


def live_settings(settings: Settings) -> Settings:
    """Return the settings with the embedder that is live in the home folder, as it is there."""
    home = Home(settings.home)
    if not home.catalog.exists():
        return settings
    store = Store(home)  # only read, so that it works on a full disk
    try:
        live = Generations(store).live()
    finally:
        store.close()
    return settings if live is None else with_embedder(settings, *named_in(live))


def with_embedder(settings: Settings, model: str, backend: str) -> Settings:
    """Return the settings with another embedder."""
    return settings.model_copy(
        update={"embedding": settings.embedding.model_copy(update={"model": model, "backend": backend})}
    )


def embedder_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables by which a process that we start gets the embedder of these settings."""
    embedding = settings.embedding
    return {"READINGROOM_EMBEDDING__BACKEND": embedding.backend, "READINGROOM_EMBEDDING__MODEL": embedding.model}


def model_store(settings: Settings) -> ModelStore:
    """Return the folder of models."""
    return ModelStore(settings.path(settings.models.folder))


def build_embedder(settings: Settings) -> Embedder:
    """Return the embedder of the settings; it loads its model at first use."""
    models = model_store(settings)
    name = settings.embedding.model
    if settings.embedding.backend == "sentence-transformers":
        from rag.embed_st import SentenceTransformersEmbedder  # extra `models`: imports torch

        return SentenceTransformersEmbedder(name, models.path(name), models.digest(name))
    if settings.embedding.backend in ("ollama", "openai"):
        return _server_embedder(settings)
    from rag.embed import OnnxEmbedder  # not needed beside another backend

    return OnnxEmbedder(
        name,
        models.path(name, "model.onnx"),
        models.path(name, "tokenizer.json"),
        models.digest(name),
        settings.embedding.threads,
    )


SPAN_READER_BASE = "all-minilm-l6-v2-int8"
"""The model whose weights the span reader changes."""


def build_span_reader(settings: Settings) -> SpanReader | None:
    """Return what marks answers in passages, or None where it is switched off or the model that it changes is not here."""
    models = model_store(settings)
    if not settings.answer.span_reader or not models.installed(SPAN_READER_BASE):
        return None
    from rag.span_reader import SpanReader  # not needed to search

    model, tokenizer = (models.path(SPAN_READER_BASE, name) for name in ("model.onnx", "tokenizer.json"))
    return SpanReader(model, tokenizer, settings.embedding.threads)


def _server_embedder(settings: Settings) -> Embedder:
    from rag.embed_server import ollama_embedder, openai_embedder  # their clients, only where they are used

    if settings.embedding.backend == "ollama":
        return ollama_embedder(_ollama_server(settings), settings.embedding.model)
    return openai_embedder(_openai_connection(settings), settings.embedding.model)


def _ollama_server(settings: Settings, seconds: float = 300.0) -> OllamaServer:
    from rag.ollama_server import OllamaServer

    answer, hosts = settings.answer, settings.network.allowed_hosts
    key = read_key(answer.ollama_key, "answer.ollama_key")
    return OllamaServer(answer.ollama_host, allowed_hosts=hosts, key=key, answer_seconds=seconds)


def _openai_connection(settings: Settings, seconds: float = 300.0) -> OpenAIConnection:
    from rag.openai_connection import OpenAIConnection

    answer, hosts = settings.answer, settings.network.allowed_hosts
    key = read_key(answer.openai_key, "answer.openai_key")
    return OpenAIConnection(answer.openai_host, allowed_hosts=hosts, key=key, answer_seconds=seconds)


def build_reranker(settings: Settings) -> Reranker:
    """Return the reranker of the settings; raise ModelError when there is none where they say. It loads at first use."""
    name = settings.search.reranker
    if not name:
        return NoReranker()
    from rag.rerank_st import CrossEncoderReranker  # only where one is configured

    listed = settings.path(settings.models.folder) / name
    return CrossEncoderReranker(listed if listed.is_dir() else settings.path(name))


def build_reader(settings: Settings) -> Reader:
    """Return a reader of files, whose child process has no network at all."""
    from ingest.read import Limits, Reader  # looks up the versions of all parsers; only who reads needs them

    ingest = settings.ingest
    memory_bytes, output_bytes = ingest.memory_mb * 1_000_000, 1_000_000_000
    limits = Limits(ingest.seconds_per_file, memory_bytes, output_bytes, pages=ingest.max_pages)
    return Reader(command("reader"), limits, Home(settings.home).make_temporary())


def build_recipe(settings: Settings) -> Recipe:
    """Return what every file is read with."""
    from ingest.pipeline import Recipe  # as above
    from ingest.read import PARSER

    ingest = settings.ingest
    most_bytes, describer = ingest.max_file_mb * 1_000_000, build_describer(settings)
    return Recipe(PARSER, build_embedder(settings), most_bytes, describer, ingest.vision_pictures)


def build_describer(settings: Settings) -> PictureDescriber | None:
    """Return what describes pictures, None when no model is to; no server is asked before the first picture."""
    backend, _, name = settings.ingest.vision_model.partition(":")
    seconds = settings.ingest.vision_seconds
    if not backend:
        return None
    from rag.describe import ollama_describer, openai_describer  # their clients, only where they are used

    if backend == "ollama":
        return ollama_describer(_ollama_server(settings, seconds), name, seconds)
    return openai_describer(_openai_connection(settings, seconds), name, seconds)


def build_worker(settings: Settings, stop: threading.Event) -> Worker:
    """Return the ingestion worker."""
    import structlog  # its import takes a while, and only workers log here

    from ingest.worker import Worker
    from rag.intake import Intake
    from rag.version_rows import document_id

    recipe = build_recipe(settings)
    store = open_store(settings, recipe.embedder, WORKER_CACHE_MB)
    return Worker(
        catalog=Intake(store, recipe.embedder.fingerprint, settings.ingest.keep_versions),
        readers=[build_reader(settings) for _ in range(READERS)],
        recipe=recipe,
        identify=document_id,
        stop=stop,
        log=structlog.get_logger().info,
        looks_first=settings.ingest.first_look,
    )


def build_choice(settings: Settings) -> ModelChoice:
    """Return who chooses the model to ask."""
    from rag.model_choice import ModelChoice  # with what weighs questions; commands that only list don't need it

    return ModelChoice(
        settings, lambda backend, name: open_model(settings, backend, name), Pins(Home(settings.home).pins)
    )


def open_model(settings: Settings, backend: str, name: str) -> LanguageModel | None:
    """Return a model by backend and name; None when no Ollama server is there, or without it, and nobody named it.

    Raises ModelError when it is missing else, or its server is not one that may be asked.
    """
    answer = settings.answer
    if backend == "openai":
        from rag.llm_openai import OpenAIModel  # imports the openai client only when it may be used

        return OpenAIModel(
            name,
            answer.openai_host,
            answer.window,
            key=read_key(answer.openai_key, "answer.openai_key"),
            allowed_hosts=settings.network.allowed_hosts,
            thinks=answer.thinking != "off",
        )
    if backend == "ollama":
        from rag import llm_ollama  # the same for ollama's

        # the default model is used where it happens to be; one that a person named has to be there
        open_ollama = llm_ollama.OllamaModel if promised(settings, name) else llm_ollama.find
        return open_ollama(
            name,
            answer.ollama_host,
            answer.window,
            key=read_key(answer.ollama_key, "answer.ollama_key"),
            allowed_hosts=settings.network.allowed_hosts,
            thinking=answer.thinking,
            keep_seconds=answer.idle_minutes * 60,
        )
    if backend == "transformers":
        from rag.llm_transformers import TransformersModel  # extra `models`: torch comes with its first question

        return TransformersModel(settings.path(name), answer.window, threads=answer.threads)
    from rag.llm_embedded import EmbeddedModel

    models = model_store(settings)
    return EmbeddedModel(
        models.path(name),
        models.path(name).stem,
        models.digest(name),
        command("model"),
        window=answer.window,
        threads=answer.threads or None,
        slots=answer.slots,
        memory=answer.memory_mb * 1_000_000,
        idle_seconds=answer.idle_minutes * 60,
    )


def promised(settings: Settings, ollama_model: str) -> bool:
    """Return whether the settings name an Ollama model or its server, rather than the defaults doing so."""
    answer, default = settings.answer, Answer()
    routed = f"ollama:{ollama_model}" in (settings.routing.small, settings.routing.large)
    return routed or (answer.ollama_host, ollama_model) != (default.ollama_host, default.ollama_model)


def check_models(settings: Settings) -> Sequence[str]:
    """Return what is missing to search and answer with the configured models, as sentences."""
    missing = []
    try:
        build_embedder(settings)
        build_reranker(settings)
        build_describer(settings)
        if settings.answer.model.startswith("transformers:"):
            open_model(settings, *settings.answer.model.split(":", 1))
        elif settings.answer.model != "none":
            model_store(settings).path(settings.answer.model)
    except (ModelError, SettingsError) as error:
        missing.append(str(error))
    return missing
