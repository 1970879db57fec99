"""Fixtures for the tests of models: the small language model, as a file, embedded, and behind servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.llm_embedded import EmbeddedModel
from rag.model_store import ModelStore
from tests.local_server import serving
from tests.ollama_server import OllamaServer
from tests.openai_server import llama_server
from tests.tiny_models import tiny_chat_model

WINDOW = 1024
KEY = "a-key-for-tests"


@pytest.fixture(scope="session")
def smollm2() -> tuple[Path, str]:
    """The small language model from the models folder, fetched when it is not there yet: (path, digest)."""
    folder = os.environ.get("READINGROOM_MODELS__FOLDER") or Path(__file__).parents[2] / ".models"
    store = ModelStore(Path(folder))
    return store.pull("small"), store.digest("small")


@pytest.fixture(scope="session")
def embedded(smollm2: tuple[Path, str]) -> Iterator[EmbeddedModel]:
    model = EmbeddedModel(smollm2[0], "smollm2", smollm2[1], window=WINDOW)
    yield model
    model.close()


@pytest.fixture
def ollama_server(embedded: EmbeddedModel) -> Iterator[OllamaServer]:
    """A small Ollama server with the embedded model behind it."""
    with serving(OllamaServer(embedded, window=WINDOW)) as running:
        yield running


@pytest.fixture(scope="session")
def llama_cpp(smollm2: tuple[Path, str]) -> Iterator[str]:
    """The address of llama.cpp's own HTTP server with the small model, as a person would run it beside Reading Room."""
    with llama_server(smollm2[0], WINDOW, KEY) as host:
        yield host


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model for Transformers, built here; skipped where the extra `models` is not installed."""
    pytest.importorskip("transformers")
    pytest.importorskip("torch")
    return tiny_chat_model(tmp_path_factory.mktemp("tiny") / "tiny-model")
