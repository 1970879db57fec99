"""Embedding models behind servers: vectors of length 1 in order, a fingerprint, and refusals in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rag.build import build_embedder
from rag.embed_server import ServerEmbedder, ollama_embedder, openai_embedder
from rag.errors import HomeMismatch, ModelError
from rag.library import Library
from rag.llm_embedded import EmbeddedModel
from rag.ollama_server import OllamaServer as Connection
from rag.openai_connection import OpenAIConnection
from rag.settings import load_settings
from tests.local_server import serving
from tests.ollama_server import DIGEST, OllamaServer
from tests.openai_server import OpenAIServer
from tests.processes import environment

TEXTS = ["The tenant pays the rent.", "A ship", "The tenant pays the rent.", *(f"word {'x' * n}" for n in range(30))]


def check(embedder: ServerEmbedder) -> None:
    """Assert what holds for every embedder: order, length 1, equal texts equal, alone as in a batch."""
    made = embedder.embed(TEXTS)
    assert made.shape == (len(TEXTS), embedder.dimension) and made.dtype == np.float32
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-6)
    assert np.array_equal(made[0], made[2]) and not np.allclose(made[0], made[1])
    assert np.allclose(embedder.embed(TEXTS[1:2])[0], made[1], atol=1e-6)
    assert embedder.embed([]).shape == (0, embedder.dimension)
    assert embedder.count(["The tenant pays.", ""])[1] == 0


def test_ollama_embeds(ollama_server: OllamaServer) -> None:
    """An embedding model of Ollama gives vectors, and its fingerprint holds digest and dimension."""
    ollama_server.capabilities = ["embedding"]
    embedder = ollama_embedder(Connection(ollama_server.host), "smollm2:135m")
    check(embedder)
    assert embedder.fingerprint == f"smollm2:135m/{DIGEST[:12]}/ollama/server/unit/8"
    made = "pooling of its server (ollama), no prefixes, length 1, 8 dimensions"
    assert str(embedder) == f"{embedder.fingerprint}: {made}"
    asked = [body for path, body in ollama_server.requests if path == "/api/embed"]
    assert all(body["truncate"] is False for body in asked)


def test_a_chat_model_that_cannot_embed_is_refused(ollama_server: OllamaServer) -> None:
    """The recorded refusal of a model that can't embed becomes an error with a remedy."""
    with pytest.raises(ModelError, match=r"can't embed.*nomic"):
        ollama_embedder(Connection(ollama_server.host), "smollm2:135m")


def test_prefixes_go_before_the_texts_that_a_server_embeds() -> None:
    """A model of a known family gets its prefixes, other ones for a question than for passages."""
    with serving(OpenAIServer(models=["nomic-embed-text-v1.5"])) as server:
        embedder = openai_embedder(OpenAIConnection(server.host), "nomic-embed-text-v1.5")
        embedder.embed(["The tenant pays."])
        embedder.embed_question("Who pays?")
        sent = [body["input"] for path, body, _ in server.requests if path == "/v1/embeddings"]
    assert sent[-2:] == [["search_document: The tenant pays."], ["search_query: Who pays?"]]
    assert "/prefixes-" in embedder.fingerprint and "'search_query: ' before questions" in str(embedder)


def test_an_openai_compatible_server_embeds() -> None:
    """Vectors come back in the order of the texts, however the server sorts them; too few of them are an error."""
    with serving(OpenAIServer(models=["nomic-embed"])) as server:
        embedder = openai_embedder(OpenAIConnection(server.host), "nomic-embed")
        check(embedder)
        assert embedder.fingerprint == "nomic-embed/unknown/openai/server/unit/8"
        server.failing = "few"
        with pytest.raises(ModelError, match="gave 1 vectors for 2 texts"):
            embedder.embed(TEXTS[:2])


def test_a_home_keeps_to_its_embedder(ollama_server: OllamaServer, embedded: EmbeddedModel, home: Path) -> None:
    """A home made with one model of a server is not opened with other weights of the same name."""
    ollama_server.capabilities = ["embedding"]
    names = {
        "READINGROOM_EMBEDDING__BACKEND": "ollama",
        "READINGROOM_EMBEDDING__MODEL": "smollm2:135m",
        "READINGROOM_ANSWER__OLLAMA_HOST": ollama_server.host,
    }
    settings = load_settings(environment(home, **names))
    Library(settings, "tests").close()
    assert build_embedder(settings).fingerprint.startswith("smollm2:135m/")
    ollama_server.digest = "cd" * 32
    with pytest.raises(HomeMismatch):
        Library(settings, "tests")
