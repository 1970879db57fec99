"""The vector index: Chroma, holding ids and vectors, never text. One process opens it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.ports import Vectors
from rag.errors import ReadingRoomError

BATCH = 5000
"""chromadb 1.5.9 takes at most 5,461 rows at once."""


class VectorIndex:
    """Nearest neighbours by cosine. One Chroma collection for each of ours and each embedder.

    It is derived from the catalog: deleting its folder loses nothing that `rebuild` can't bring back. Its owner holds
    the lock on the home folder: two processes with the same folder open lost up to a third of the vectors.
    """

    def __init__(self, folder: Path, embedder: str) -> None:
        self._folder = folder
        self._embedder = embedder
        self._client: Any = None
        self._collections: dict[str, Any] = {}

    def add(self, collection: str, ids: Sequence[str], vectors: Vectors) -> None:
        """Add or replace vectors; `vectors` has shape (ids, dimension)."""
        target = self._collection(collection)
        for at in range(0, len(ids), BATCH):
            target.upsert(ids=list(ids[at : at + BATCH]), embeddings=vectors[at : at + BATCH])

    def remove(self, collection: str, ids: Sequence[str]) -> None:
        """Remove vectors; ids that aren't there are fine."""
        target = self._collection(collection)
        for at in range(0, len(ids), BATCH):
            target.delete(ids=list(ids[at : at + BATCH]))

    def nearest(self, collection: str, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """Return (id, cosine similarity) of the nearest vectors, best first; `vector` has shape (dimension,)."""
        target = self._collection(collection)
        limit = min(limit, target.count())
        if limit == 0:
            return []
        found = target.query(query_embeddings=[vector], n_results=limit, include=["distances"])
        return [
            (key, 1.0 - float(distance)) for key, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]

    def count(self, collection: str) -> int:
        """Return the number of vectors of a collection."""
        return int(self._collection(collection).count())

    def clear(self) -> None:
        """Remove all vectors and the folder that holds them."""
        self.close()
        try:
            shutil.rmtree(self._folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ReadingRoomError(
                f"The vector folder {self._folder} can't be removed: {error.strerror}.", "Check its permissions."
            ) from error

    def close(self) -> None:
        """Let go of Chroma's files."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._collections = {}

    def _collection(self, name: str) -> Any:
        if name not in self._collections:
            # Chroma allows few characters in a name, and the embedder is part of ours
            key = "c" + hashlib.sha256(f"{name}\0{self._embedder}".encode()).hexdigest()[:40]
            self._collections[name] = self._open().get_or_create_collection(
                key, configuration={"hnsw": {"space": "cosine", "ef_search": 200}}, embedding_function=None
            )
        return self._collections[name]

    def _open(self) -> Any:
        if self._client is None:
            import chromadb  # takes a second; the command line only needs it where no server runs
            from chromadb.config import Settings

            try:
                self._client = chromadb.PersistentClient(
                    str(self._folder), Settings(anonymized_telemetry=False, allow_reset=False)
                )
            except Exception as error:
                raise ReadingRoomError(
                    f"The vector index {self._folder} can't be opened: {error}", "Run `readingroom rebuild`."
                ) from error
        return self._client
