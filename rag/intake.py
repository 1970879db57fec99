"""The worker's side of the catalog: jobs, new versions, vectors."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, insert, select, text, update

from ingest.ports import Job, Known, Vectors, Version
from rag.erase import drop_versions, erase_documents, merge_words, sweep
from rag.schema import chunks, documents, embeddings, job_files, jobs, pages, versions
from rag.store import Store

UNFINISHED = ("queued", "reading", "embedding")
ROWS_AT_ONCE = 1000
"""Chunks inserted together: a long document's are not all held as rows beside its text."""
_ADD_WORDS = text(
    "INSERT INTO chunk_words(rowid, title, heading, text) "
    "SELECT id, title, heading, text FROM chunks WHERE document_id = :document_id AND version = :version"
)


def document_id(collection: str, path: str) -> str:
    """Return the identity of (collection, path)."""
    return hashlib.sha256(f"{collection}\0{path}".encode()).hexdigest()[:16]


def embedded_text(context: str, body: str) -> str:
    """Return what is embedded for a chunk."""
    return f"{context}\n{body}" if context else body


class Intake:
    """Implements `ingest.ports.Catalog` on the store, for one embedder."""

    def __init__(self, store: Store, embedder: str) -> None:
        self._store = store
        self._embedder = embedder

    def next_job(self) -> Job | None:
        with self._store.read() as connection:
            row = connection.execute(
                select(jobs).where(jobs.c.stage.in_(UNFINISHED)).order_by(jobs.c.created, jobs.c.job_id).limit(1)
            ).first()
        return Job(row.job_id, row.collection, tuple(json.loads(row.paths)), row.stage) if row else None

    def list_files(self, job: Job, paths: Iterable[Path]) -> None:
        rows = [
            {"job_id": job.job_id, "path": str(path), "document_id": document_id(job.collection, str(path))}
            for path in paths
        ]
        with self._store.write() as connection:
            for at in range(0, len(rows), 500):
                batch = rows[at : at + 500]
                connection.execute(
                    insert(job_files).prefix_with("OR IGNORE"), [{**row, "outcome": "pending"} for row in batch]
                )
                connection.execute(
                    insert(documents).prefix_with("OR IGNORE"),
                    [
                        {
                            "document_id": row["document_id"],
                            "collection": job.collection,
                            "path": row["path"],
                            "state": "queued",
                            "updated": time.time(),
                        }
                        for row in batch
                    ],
                )
            connection.execute(
                update(jobs)
                .where(jobs.c.job_id == job.job_id)
                .values(stage="reading", started=func.coalesce(jobs.c.started, time.time()))
            )

    def pending_files(self, job: Job, limit: int) -> list[str]:
        with self._store.read() as connection:
            return list(
                connection.scalars(
                    select(job_files.c.path)
                    .where(job_files.c.job_id == job.job_id, job_files.c.outcome == "pending")
                    .order_by(job_files.c.path)
                    .limit(limit)
                )
            )

    def known(self, collection: str, path: str) -> Known | None:
        with self._store.read() as connection:
            row = connection.execute(
                select(documents).where(documents.c.document_id == document_id(collection, path))
            ).first()
        if row is None or row.state == "queued":
            return None
        return Known(row.document_id, row.state, row.size, row.modified_ns, row.reader, row.version)

    def keep_unchanged(self, job: Job, path: str, size: int, modified_ns: int, reader: str) -> None:
        identity = document_id(job.collection, path)
        with self._store.write() as connection:
            connection.execute(
                update(documents)
                .where(documents.c.document_id == identity)
                .values(size=size, modified_ns=modified_ns, reader=reader, reason="", remedy="")
            )
            self._note(connection, job, path, outcome="unchanged")

    def make_visible(self, job: Job, path: str, version: Version) -> None:
        with self._store.write() as connection:
            row = connection.execute(
                select(documents.c.version).where(documents.c.document_id == version.document_id)
            ).first()
            if row is None:  # forgotten while it was read: it stays forgotten
                return
            old = row.version
            drop_versions(connection, version.document_id)
            self._insert_version(connection, job, path, version)
            connection.execute(
                update(documents)
                .where(documents.c.document_id == version.document_id)
                .values(
                    state="searchable",
                    reason="",
                    remedy="",
                    version=version.version,
                    size=version.size,
                    modified_ns=version.modified_ns,
                    reader=version.reader,
                    updated=time.time(),
                )
            )
            self._note(
                connection,
                job,
                path,
                outcome="updated" if old else "added",
                pages=len(version.reading.pages),
                chunks=len(version.chunks),
            )

    def _insert_version(self, connection: Connection, job: Job, path: str, version: Version) -> None:
        reading = version.reading
        key = {"document_id": version.document_id, "version": version.version}
        connection.execute(
            insert(versions).values(
                **key,
                source_sha256=version.source_sha256,
                format=version.format,
                title=reading.title,
                text=reading.text,
                problems=json.dumps(reading.problems),
                details=json.dumps(reading.metadata),
                created=time.time(),
            )
        )
        rows: list[dict[str, Any]] = [
            {
                **key,
                "number": page.number,
                "label": page.label,
                "width": page.width,
                "height": page.height,
                "runs": page.runs,  # packed in the child, unopened here
            }
            for page in reading.pages
        ]
        if rows:
            connection.execute(insert(pages), rows)
        title = " ".join(part for part in (reading.title or "", Path(path).stem.replace("_", " ")) if part)
        rows = []
        for chunk in version.chunks:
            body = reading.text[chunk.start : chunk.end]
            rows.append(
                {
                    **key,
                    "chunk_id": f"{version.document_id}.{version.version}.{chunk.ordinal}",
                    "collection": job.collection,
                    "ordinal": chunk.ordinal,
                    "start": chunk.start,
                    "end": chunk.end,
                    "page": chunk.page,
                    "title": title,
                    "heading": chunk.heading,
                    "context": chunk.context,
                    "text": body,
                    "text_hash": hashlib.sha256(embedded_text(chunk.context, body).encode()).hexdigest(),
                }
            )
            if len(rows) == ROWS_AT_ONCE:
                connection.execute(insert(chunks), rows)
                rows = []
        if rows:
            connection.execute(insert(chunks), rows)
        connection.execute(_ADD_WORDS, key)

    def set_failed(self, job: Job, path: str, reason: str, remedy: str) -> None:
        """Note that a file can't be read. A document that was readable before keeps its last good version."""
        identity = document_id(job.collection, path)
        with self._store.write() as connection:
            connection.execute(
                update(documents)
                .where(documents.c.document_id == identity)
                .values(reason=reason, remedy=remedy, size=0, modified_ns=0, updated=time.time())
            )
            connection.execute(
                update(documents)
                .where(documents.c.document_id == identity, documents.c.version.is_(None))
                .values(state="failed")
            )
            self._note(connection, job, path, outcome="failed", reason=reason, remedy=remedy)

    def remove_missing(self, job: Job) -> None:
        folders = [path.rstrip("/") + "/" for path in job.paths if Path(path).is_dir()]
        with self._store.write() as connection:
            for folder in folders:
                listed = exists().where(
                    and_(job_files.c.job_id == job.job_id, job_files.c.document_id == documents.c.document_id)
                )
                gone = (
                    connection.execute(
                        select(documents.c.document_id).where(
                            documents.c.collection == job.collection,
                            func.substr(documents.c.path, 1, len(folder)) == folder,
                            ~listed,
                        )
                    )
                    .scalars()
                    .all()
                )
                if gone:
                    erase_documents(connection, gone)
                    connection.execute(
                        update(jobs).where(jobs.c.job_id == job.job_id).values(removed=jobs.c.removed + len(gone))
                    )

    def texts_to_embed(self, job: Job, limit: int) -> list[tuple[str, str]]:
        without = ~exists().where(
            and_(embeddings.c.text_hash == chunks.c.text_hash, embeddings.c.embedder == self._embedder)
        )
        with self._store.read() as connection:
            rows = connection.execute(
                select(chunks.c.text_hash, chunks.c.context, chunks.c.text)
                .join(job_files, job_files.c.document_id == chunks.c.document_id)
                .where(job_files.c.job_id == job.job_id, without)
                .order_by(chunks.c.id)
                .limit(limit)
            ).all()
        distinct = {row.text_hash: embedded_text(row.context, row.text) for row in rows}
        return list(distinct.items())

    def put_vectors(self, vectors: Sequence[tuple[str, Vectors]]) -> None:
        with self._store.write() as connection:
            if vectors:
                connection.execute(
                    insert(embeddings).prefix_with("OR IGNORE"),
                    [
                        {"text_hash": key, "embedder": self._embedder, "vector": vector.astype("<f4").tobytes()}
                        for key, vector in vectors
                    ],
                )
            self._mark_embedded(connection)

    def _mark_embedded(self, connection: Connection) -> None:
        """Hand documents over whose every chunk has a vector: the owner of Chroma publishes them."""
        missing = exists().where(
            and_(
                chunks.c.document_id == documents.c.document_id,
                ~exists().where(
                    and_(embeddings.c.text_hash == chunks.c.text_hash, embeddings.c.embedder == self._embedder)
                ),
            )
        )
        connection.execute(
            update(documents).where(documents.c.state == "searchable", ~missing).values(state="embedded")
        )

    def set_stage(self, job: Job, stage: str, reason: str = "") -> None:
        values: dict[str, Any] = {"stage": stage, "reason": reason}
        if stage in ("failed", "done"):
            values["finished"] = time.time()
        with self._store.write() as connection:
            connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(**values))
            if stage == "publishing":
                self._sweep_replaced(connection, job)
            if stage == "failed":  # nothing may stay queued for a job that will not come back to it
                pending = select(job_files.c.document_id).where(
                    job_files.c.job_id == job.job_id, job_files.c.outcome == "pending"
                )
                connection.execute(
                    delete(documents).where(documents.c.state == "queued", documents.c.document_id.in_(pending))
                )

    def _sweep_replaced(self, connection: Connection, job: Job) -> None:
        """Remove what replaced versions left: vectors of text that is gone, and words in segments that are not merged yet."""
        replaced = connection.scalar(
            select(func.count()).where(job_files.c.job_id == job.job_id, job_files.c.outcome == "updated")
        )
        if replaced:
            sweep(connection)
            merge_words(connection)

    def _note(self, connection: Connection, job: Job, path: str, **values: Any) -> None:
        connection.execute(
            update(job_files).where(job_files.c.job_id == job.job_id, job_files.c.path == path).values(**values)
        )
