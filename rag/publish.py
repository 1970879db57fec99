"""Publishes finished work from the catalog into the vector index."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from sqlalchemy import and_, delete, exists, or_, select, update

from rag.schema import chunks, documents, embeddings, job_files, jobs, retired
from rag.store import Store
from rag.vectors import VectorIndex

DOCUMENTS_AT_ONCE = 50


class Publisher:
    """The only writer of the vector index. Every step can be repeated: killed in between, the next run finishes it."""

    def __init__(self, store: Store, index: VectorIndex, embedder: str) -> None:
        self._store = store
        self._index = index
        self._embedder = embedder
        self._turn = threading.Lock()
        self._log_holds_removed = False

    def run(self) -> bool:
        """Remove what was retired, add what is embedded, close jobs that are complete; return whether there was work."""
        with self._turn:
            worked = self._remove_retired()
            while self._add_embedded():
                worked = True
            worked = self._close_jobs() or worked
            if self._log_holds_removed and self._store.empty_log():
                self._log_holds_removed = False
            return worked

    def rebuild(self) -> int:
        """Fill an emptied index from the catalog's vectors; return the number of vectors."""
        with self._turn:
            with self._store.write() as connection:  # first: killed after it, the next start publishes all again
                connection.execute(update(documents).where(documents.c.state == "ready").values(state="embedded"))
            self._index.clear()
            with self._store.write() as connection:
                connection.execute(delete(retired))
        self.run()
        with self._store.read() as connection:
            names = connection.scalars(select(documents.c.collection).distinct()).all()
        return sum(self._index.count(name) for name in names)

    def _remove_retired(self) -> bool:
        with self._store.read() as connection:
            live = exists().where(chunks.c.chunk_id == retired.c.chunk_id)
            rows = connection.execute(select(retired, live.label("live"))).all()
        by_collection: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            if not row.live:  # the same version may have come back, with the same ids
                by_collection[row.collection].append(row.chunk_id)
        for collection, ids in by_collection.items():
            self._index.remove(collection, ids)
        if rows:
            with self._store.write() as connection:
                for at in range(0, len(rows), 500):
                    done = [row.chunk_id for row in rows[at : at + 500]]
                    connection.execute(delete(retired).where(retired.c.chunk_id.in_(done)))
        return bool(rows)

    def _add_embedded(self) -> bool:
        with self._store.read() as connection:
            finished = connection.execute(
                select(documents.c.document_id, documents.c.version)
                .where(documents.c.state == "embedded")
                .limit(DOCUMENTS_AT_ONCE)
            ).all()
            rows = connection.execute(
                select(chunks.c.collection, chunks.c.chunk_id, embeddings.c.vector)
                .join(
                    embeddings,
                    and_(embeddings.c.text_hash == chunks.c.text_hash, embeddings.c.embedder == self._embedder),
                )
                .where(chunks.c.document_id.in_([row.document_id for row in finished]))
            ).all()
        by_collection: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        for row in rows:
            by_collection[row.collection].append((row.chunk_id, row.vector))
        if rows:
            import numpy as np  # not for jobs that change nothing
        for collection, pairs in by_collection.items():
            vectors = np.stack([np.frombuffer(vector, dtype="<f4") for _, vector in pairs])
            self._index.add(collection, [key for key, _ in pairs], vectors)
        if finished:
            with self._store.write() as connection:
                for (
                    document
                ) in finished:  # only the version that was published: the document may have changed meanwhile
                    connection.execute(
                        update(documents)
                        .where(
                            documents.c.document_id == document.document_id,
                            documents.c.version == document.version,
                            documents.c.state == "embedded",
                        )
                        .values(state="ready")
                    )
        return bool(finished)

    def _close_jobs(self) -> bool:
        waiting = exists().where(
            and_(
                job_files.c.job_id == jobs.c.job_id,
                job_files.c.document_id == documents.c.document_id,
                documents.c.state == "embedded",  # one that is `searchable` now is another job's
            )
        )
        with self._store.read() as connection:
            complete = connection.scalars(select(jobs.c.job_id).where(jobs.c.stage == "publishing", ~waiting)).all()
            replaced = job_files.c.outcome.in_(["updated", "moved"])
            removed = or_(jobs.c.removed > 0, exists().where(job_files.c.job_id == jobs.c.job_id, replaced))
            some = select(jobs.c.job_id).where(jobs.c.job_id.in_(complete), removed).limit(1)
            self._log_holds_removed = self._log_holds_removed or connection.scalar(some) is not None
        if complete:
            with self._store.write() as connection:
                connection.execute(
                    update(jobs)
                    .where(jobs.c.job_id.in_(complete), jobs.c.stage == "publishing")
                    .values(stage="done", finished=time.time())
                )
        return bool(complete)
