"""Embeds text with a model of an Ollama or OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ingest.ports import Vectors
from rag.embed_prefixes import prefixes_of
from rag.errors import ModelError
from rag.likeness import Scale
from rag.ollama_server import OllamaServer
from rag.openai_connection import OpenAIConnection
from rag.openai_server import look
from rag.token_estimate import estimate_tokens

MOST_TOKENS = 254
"""Tokens of a text at most: what chunks are made for (docs/decisions/0002-chunks.md), by an estimate from above."""
BATCH = 16
PROBE = "The tenant pays the rent."

Ask = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""Returns a vector a text, in order, as the server gives them."""


class ServerEmbedder:
    """An embedding model behind a server; vectors are brought to length 1 here, prefixes put before texts by the
    model's name (`rag/embed_prefixes.yaml`).

    Opening asks the server for the model and one vector, so it raises ModelError when it is not there or can't embed.
    `fingerprint` names the weights where the server says their digest.
    """

    def __init__(self, name: str, backend: str, digest: str, ask: Ask) -> None:
        self._name, self._backend, self._ask = name, backend, ask
        self._prefixes = prefixes_of(name)
        self.max_tokens = MOST_TOKENS
        self.languages: frozenset[str] = frozenset()
        self.dimension = len(ask([PROBE])[0])
        weights = digest.removeprefix("sha256:")[:12] or "unknown"
        self.fingerprint = f"{name}/{weights}/{backend}/server/unit/{self.dimension}{self._prefixes.mark}"
        self._scale = Scale(self.embed_question, self.embed)

    def __str__(self) -> str:
        """Return what its vectors are made with, for the record."""
        made = f"pooling of its server ({self._backend}), {self._prefixes}, length 1, {self.dimension} dimensions"
        return f"{self.fingerprint}: {made}"

    def count(self, texts: Sequence[str]) -> list[int]:
        """Estimate the number of tokens of each text, rather too high than too low."""
        return [estimate_tokens(text) for text in texts]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of shape (texts, dimension), float32, in order; raise ModelError for an answer that is none."""
        return self._embed([self._prefixes.passage + text for text in texts])

    def embed_question(self, question: str) -> Vectors:
        """Return the vector of a question, shape (dimension,), with what the model wants in front of it."""
        vector: Vectors = self._embed([self._prefixes.question + question])[0]
        return vector

    def _embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np  # as in rag/embed.py

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            made = self._ask(batch)
            if len(made) != len(batch) or any(len(vector) != self.dimension for vector in made):
                raise ModelError(
                    f"The embedding model {self._name} gave {len(made)} vectors for {len(batch)} texts, "
                    f"or vectors that have not {self.dimension} numbers.",
                    "Its server may have another model now: correct `embedding`, or use a new home.",
                )
            vectors[start : start + len(batch)] = np.asarray(made, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all():
            raise ModelError(
                f"The embedding model {self._name} gave numbers that are none.", "Look at its server's log."
            )
        normed: Vectors = vectors / np.maximum(lengths, 1e-12)
        return normed

    def likeness(self, cosine: float) -> float:
        """Return a cosine on the scale of the default embedder."""
        return self._scale.likeness(cosine)

    def reads(self, text: str) -> bool:
        """Return True: what a model of the user's choice was trained on is the user's to know."""
        return True


def ollama_embedder(server: OllamaServer, name: str) -> ServerEmbedder:
    """Return an embedding model of an Ollama server."""
    digest = str(server.model(name).get("digest", ""))
    return ServerEmbedder(name, "ollama", digest, lambda texts: server.embed(name, texts))


def openai_embedder(connection: OpenAIConnection, name: str) -> ServerEmbedder:
    """Return an embedding model of an OpenAI-compatible server."""
    with connection.translated(name):
        found = look(connection.ask, name, connection.host, embeds=True)
    return ServerEmbedder(found.name, "openai", found.digest, lambda texts: connection.embed(found.id, texts))
