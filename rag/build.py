"""Wires everything: the one place that knows which adapter stands behind which port."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ingest.ports import Embedder
from rag.errors import ModelError, SettingsError
from rag.home import Home
from rag.llm import LanguageModel
from rag.model_store import ModelStore
from rag.rerank import NoReranker, Reranker
from rag.settings import Settings
from rag.store import Store

if TYPE_CHECKING:
    from ingest.pipeline import Recipe
    from ingest.read import Reader
    from ingest.worker import Worker

EMBEDDER_FACT = "embedder"
READERS = 2
OLLAMA_SECONDS = 30.0
"""How long the answer to "is there an Ollama server with the model" is believed."""


def command(role: str) -> list[str]:
    """Return the command line of one of our processes; it seals itself before anything else is imported."""
    return [sys.executable, "-m", "rag.process", role]


def child_command(role: str, *arguments: str) -> list[str]:
    """Return the command line of a process that ends when this one is gone."""
    return [*command(role), str(os.getpid()), *arguments]


def open_store(settings: Settings) -> Store:
    """Open the home folder's catalog, made where it is missing, or raise HomeMismatch for another embedder's."""
    home = Home(settings.home)
    home.create()
    store = Store(home)
    store.create()
    store.require(
        EMBEDDER_FACT,
        build_embedder(settings).fingerprint,
        "Set `embedding` in config.yaml back, or ingest into a new home folder (READINGROOM_HOME).",
    )
    return store


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
    from rag.embed import OnnxEmbedder  # not needed beside another backend

    return OnnxEmbedder(
        name,
        models.path(name, "model.onnx"),
        models.path(name, "tokenizer.json"),
        models.digest(name),
        settings.embedding.threads,
    )


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

    limits = Limits(
        seconds=settings.ingest.seconds_per_file,
        memory_bytes=settings.ingest.memory_mb * 1_000_000,
        output_bytes=1_000_000_000,
    )
    return Reader(command("reader"), limits, Home(settings.home).make_temporary())


def build_recipe(settings: Settings) -> Recipe:
    """Return what every file is read with."""
    from ingest.pipeline import Recipe  # as above
    from ingest.read import PARSER

    return Recipe(PARSER, build_embedder(settings), settings.ingest.max_file_mb * 1_000_000)


def build_worker(settings: Settings, stop: threading.Event) -> Worker:
    """Return the ingestion worker."""
    import structlog  # its import takes a while, and only workers log here

    from ingest.worker import Worker
    from rag.intake import Intake
    from rag.version_rows import document_id

    recipe = build_recipe(settings)
    return Worker(
        catalog=Intake(open_store(settings), recipe.embedder.fingerprint, settings.ingest.keep_versions),
        readers=[build_reader(settings) for _ in range(READERS)],
        recipe=recipe,
        identify=document_id,
        stop=stop,
        log=structlog.get_logger().info,
    )


class ModelChoice:
    """Chooses who answers: Ollama when it is there with the configured model, else the embedded model, else nobody."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._embedded: LanguageModel | None = None
        self._ollama: LanguageModel | None = None
        self._asked_ollama = -OLLAMA_SECONDS
        self._turn = threading.Lock()

    def __call__(self) -> LanguageModel | None:
        """Return the model to ask now, or None when `answer.model` is `none`; raise ModelError when it is missing."""
        name = self._settings.answer.model
        if name == "none":
            return None
        with self._turn:
            return self._find_ollama() or self._find_embedded(name)

    def _find_ollama(self) -> LanguageModel | None:
        answer = self._settings.answer
        if not answer.ollama_model:
            return None
        if time.monotonic() - self._asked_ollama > OLLAMA_SECONDS:
            from rag import llm_ollama  # imports the ollama client only when it may be used

            self._asked_ollama = time.monotonic()
            self._ollama = llm_ollama.find(
                answer.ollama_model,
                answer.ollama_host,
                answer.window,
                timeout=1.0,
                allowed_hosts=self._settings.network.allowed_hosts,
            )
        return self._ollama

    def _find_embedded(self, name: str) -> LanguageModel:
        if self._embedded is None:
            from rag.llm_embedded import EmbeddedModel

            models = model_store(self._settings)
            self._embedded = EmbeddedModel(
                models.path(name),
                models.path(name).stem,
                models.digest(name),
                command("model"),
                window=self._settings.answer.window,
                threads=self._settings.answer.threads or None,
                idle_seconds=self._settings.answer.idle_minutes * 60,
            )
        return self._embedded

    def close(self) -> None:
        """End the embedded model's process."""
        for model in (self._embedded, self._ollama):
            if model is not None:
                model.close()


def check_models(settings: Settings) -> Sequence[str]:
    """Return what is missing to search and answer with the configured models, as sentences."""
    missing = []
    try:
        build_embedder(settings)
        build_reranker(settings)
        if settings.answer.model != "none":
            model_store(settings).path(settings.answer.model)
    except (ModelError, SettingsError) as error:
        missing.append(str(error))
    return missing
