"""A home folder that is worked on in this process: the real catalog, embedder and index, files read without a child."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chromadb
from chromadb.config import Settings as ChromaSettings

from ingest import container, first_look
from ingest.describer import Describer
from ingest.elements import Reading
from ingest.pictures import Pictures, pictures
from ingest.pipeline import Recipe
from ingest.ports import Embedder
from ingest.worker import Worker
from rag.build import build_embedder, open_store
from rag.catalog import Catalog
from rag.intake import Intake
from rag.jobs import Jobs
from rag.publish import Publisher
from rag.settings import Settings
from rag.vectors import VectorIndex
from rag.version_rows import document_id
from tests.processes import rows


class DirectReader:
    """Reads files in this process; counts how many it read."""

    def __init__(self) -> None:
        self.files = 0

    def read(self, path: Path, inside: Sequence[str] = ()) -> Reading:
        self.files += 1
        return container.read(path, inside)

    def look(self, path: Path) -> list[str]:
        return first_look.pages_of(path)

    def render(self, path: Path, page: int, dpi: float, inside: Sequence[str] = ()) -> bytes:
        raise NotImplementedError

    def pictures(self, path: Path, most: int, inside: Sequence[str] = ()) -> Pictures:
        with container.member(path, inside) as opened:
            return pictures(opened.file, opened.form, most)

    def interrupt(self) -> None:
        """Nothing runs beside this."""

    def close(self) -> None:
        """Nothing is open."""


class Room:
    """An open home folder; `ingest` works until nothing is left to do. `reader` and `embedded` count the work done."""

    def __init__(self, settings: Settings, embedder: Embedder | None = None) -> None:
        self.settings = settings
        self.store = open_store(settings)
        self.embedder = embedder or build_embedder(settings)
        self.catalog, self.jobs = Catalog(self.store), Jobs(self.store)
        self.index = VectorIndex(settings.home / "chroma", self.embedder.fingerprint)
        self.publisher = Publisher(self.store, self.index, self.embedder.fingerprint)
        self.reader = DirectReader()
        self.describer: Describer | None = None

    def ingest(self, folder: Path, collection: str = "documents", allow_empty: bool = True) -> Any:
        """Ingest a folder; return the job's report."""
        job_id = self.jobs.add(collection, [str(folder)], allow_empty)
        self.work()
        return self.jobs.status(job_id).report

    def work(self) -> None:
        """Do all that is queued."""
        self.worker().run(until_idle=True)
        self.publisher.run()

    def worker(self) -> Worker:
        """Return a worker on this home."""
        return Worker(
            catalog=Intake(self.store, self.embedder.fingerprint),
            readers=[self.reader],
            recipe=Recipe("tests", self.embedder, 50_000_000, self.describer, 20),
            identify=document_id,
            stop=threading.Event(),
            log=lambda *_, **__: None,
        )

    def close(self) -> None:
        """Let go of the home folder's files."""
        self.index.close()
        self.store.close()

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


CONTENTS = {
    "documents": "SELECT document_id, collection, path, state, version, reason, source, inside, container"
    " FROM documents ORDER BY 1",
    "versions": "SELECT document_id, version, source_sha256, text FROM versions ORDER BY 1, 2",
    "pages": "SELECT document_id, version, number, runs FROM pages ORDER BY 1, 2, 3",
    "chunks": "SELECT chunk_id, start, end, page, title, context, text, text_hash FROM chunks ORDER BY 1",
    "hashes": "SELECT text_hash, embedder, length(vector) FROM embeddings WHERE text_hash IN (SELECT text_hash FROM chunks)"
    " OR text_hash NOT IN (SELECT text_hash FROM former_chunks) ORDER BY 1",
    "words": "SELECT count(*) FROM chunk_words WHERE chunk_words MATCH 'the'",
    "unread": "SELECT count(*), (SELECT count(*) FROM unread_words_docsize) FROM unread_pages",
    "retired": "SELECT count(*) FROM retired",
}
"""What has to be alike in two homes with the same documents."""


def contents(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return what a home folder holds, checked to be sound; nobody may have it open. Chroma's ids are its chunks'."""
    found = {name: rows(home, query) for name, query in CONTENTS.items()}
    assert rows(home, "PRAGMA integrity_check") == [("ok",)]
    assert rows(home, "PRAGMA foreign_key_check") == []
    client = chromadb.PersistentClient(str(home / "chroma"), ChromaSettings(anonymized_telemetry=False))
    ids = sorted(name for one in client.list_collections() for name in one.get(include=[])["ids"])
    client.close()
    assert ids == [row[0] for row in found["chunks"]]
    return found
