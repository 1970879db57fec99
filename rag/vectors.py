"""The vector index: Chroma, holding ids and vectors, never text. One process opens it."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from ingest.ports import Vectors
from rag.errors import ReadingRoomError
from rag.fresh_memory import fresh_memory

BATCH = 5000
"""chromadb 1.5.9 takes at most 5,461 rows at once."""
EF_SEARCH = 400
"""Vectors that the index keeps in view while it looks (docs/decisions/0003); an index keeps what it was made with."""
_SEGMENT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Neighbours(Protocol):
    """What a search needs of an index."""

    def nearest(self, collection: str, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """Return (id, cosine similarity) of the nearest vectors, best first."""
        ...

    def count(self, collection: str) -> int: ...


class _Opened:
    """Chroma as one process has it open, with the collections that were used, for all embedders."""

    def __init__(self) -> None:
        # questions come in threads; Chroma, opened by two at once, fails for both
        self.opening = threading.RLock()
        self.client: Any = None
        self.collections: dict[str, Any] = {}
        self.counts: dict[str, int] = {}

    def written(self) -> None:
        """Forget how many vectors there are. What is counted while others are written goes into the old dictionary."""
        self.counts = {}


class VectorIndex:
    """Nearest neighbours by cosine. One Chroma collection for each of ours and each embedder.

    It is derived from the catalog: deleting its folder loses nothing that `rebuild` can't bring back. Its owner holds
    the lock on the home folder: two processes with the same folder open lost up to a third of the vectors.
    """

    def __init__(self, folder: Path, embedder: str) -> None:
        self._folder = folder
        self._embedder = embedder
        self._opened = _Opened()

    def beside(self, embedder: str) -> VectorIndex:
        """Return the index of another embedder's vectors in the same folder, which is opened once for both."""
        other = VectorIndex(self._folder, embedder)
        other._opened = self._opened
        return other

    @fresh_memory
    def add(self, collection: str, ids: Sequence[str], vectors: Vectors) -> None:
        """Add or replace vectors; `vectors` has shape (ids, dimension)."""
        target = self._collection(collection)
        try:
            for at in range(0, len(ids), BATCH):
                target.upsert(ids=list(ids[at : at + BATCH]), embeddings=vectors[at : at + BATCH])
        finally:
            self._opened.written()

    @fresh_memory
    def remove(self, collection: str, ids: Sequence[str]) -> None:
        """Remove vectors; ids that aren't there are fine."""
        target = self._collection(collection)
        try:
            for at in range(0, len(ids), BATCH):
                target.delete(ids=list(ids[at : at + BATCH]))
        finally:
            self._opened.written()

    def discard(self, collection: str, ids: Sequence[str]) -> None:
        """Remove vectors where there are any of this embedder at all."""
        if self._key(collection) in self._keys():
            self.remove(collection, ids)

    @fresh_memory
    def drop(self, collection: str) -> None:
        """Remove the vectors of a collection; one that isn't there is fine."""
        key = self._key(collection)
        if key in self._keys():
            self._opened.collections.pop(key, None)
            self._open().delete_collection(key)
            self._opened.written()
            self._remove_orphans()

    def _remove_orphans(self) -> None:
        """Remove the folders of vectors that Chroma 1.5.9 leaves behind when it drops a collection."""
        with closing(sqlite3.connect(f"file:{self._folder / 'chroma.sqlite3'}?mode=ro", uri=True)) as connection:
            used = {str(row[0]) for row in connection.execute("SELECT id FROM segments")}
        for folder in self._folder.iterdir():
            if folder.is_dir() and _SEGMENT.fullmatch(folder.name) and folder.name not in used:
                shutil.rmtree(folder)

    @fresh_memory
    def ids(self, collection: str) -> set[str]:
        """Return the ids of a collection's vectors."""
        return set(self._collection(collection).get(include=[])["ids"])

    @fresh_memory
    def nearest(self, collection: str, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """Return (id, cosine similarity) of the nearest vectors, best first; `vector` has shape (dimension,)."""
        # more than there are is fine; asking first how many there are took longer than the search itself
        found = self._collection(collection).query(query_embeddings=[vector], n_results=limit, include=["distances"])
        return [
            (key, 1.0 - float(distance)) for key, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]

    def count(self, collection: str) -> int:
        """Return the number of vectors of a collection, remembered until some are written: a filter asks before each look-up."""
        key, counts = self._key(collection), self._opened.counts
        if key not in counts:
            counts[key] = int(self._collection(collection).count())
        return counts[key]

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

    @fresh_memory
    def close(self) -> None:
        """Let go of Chroma's files."""
        if self._opened.client is not None:
            self._opened.client.close()
            self._opened.client = None
        self._opened.collections = {}
        self._opened.written()

    def _key(self, name: str) -> str:
        """Return what a collection is called in Chroma, which allows few characters; the embedder is part of it."""
        return "c" + hashlib.sha256(f"{name}\0{self._embedder}".encode()).hexdigest()[:40]

    @fresh_memory
    def _keys(self) -> set[str]:
        return {found.name for found in self._open().list_collections()}

    @fresh_memory
    def _collection(self, name: str) -> Any:
        key = self._key(name)
        with self._opened.opening:
            if key not in self._opened.collections:
                self._opened.collections[key] = self._open().get_or_create_collection(
                    key, configuration={"hnsw": {"space": "cosine", "ef_search": EF_SEARCH}}, embedding_function=None
                )
            return self._opened.collections[key]

    def _open(self) -> Any:
        with self._opened.opening:
            if self._opened.client is None:
                self._opened.client = self._connected()
            return self._opened.client

    def _connected(self) -> Any:
        import chromadb  # takes a second; the command line only needs it where no server runs
        from chromadb.config import Settings

        try:
            return chromadb.PersistentClient(str(self._folder), Settings(anonymized_telemetry=False, allow_reset=False))
        except Exception as error:
            raise ReadingRoomError(
                f"The vector index {self._folder} can't be opened: {error}", "Run `readingroom rebuild`."
            ) from error
