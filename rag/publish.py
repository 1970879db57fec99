"""Publishes finished work from the catalog into the vector index."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from sqlalchemy import and_, delete, exists, or_, select, update

from rag.schema import chunks, documents, embeddings, generations, retired
from rag.schema_jobs import job_files, jobs
from rag.store import Store
from rag.vectors import VectorIndex

DOCUMENTS_AT_ONCE = 50
CHUNKS_AT_ONCE = 500


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
        return sum(self._index.count(name) for name in self._collections())

    def fill(self, index: VectorIndex, embedder: str) -> None:
        """Make an index hold what is published, in the vectors of an embedder that is not live (yet)."""
        for collection in self._collections():
            with self._store.read() as connection:
                here = and_(documents.c.document_id == chunks.c.document_id, documents.c.version == chunks.c.version)
                rows = connection.execute(
                    select(chunks.c.chunk_id, chunks.c.text_hash)
                    .join(documents, here)
                    .where(chunks.c.collection == collection, documents.c.state.in_(["ready", "embedded"]))
                ).all()
            wanted, there = {row.chunk_id: row.text_hash for row in rows}, index.ids(collection)
            if gone := sorted(there - wanted.keys()):
                index.remove(collection, gone)
            lacking = [key for key in wanted if key not in there]
            for at in range(0, len(lacking), CHUNKS_AT_ONCE):
                some = lacking[at : at + CHUNKS_AT_ONCE]
                with self._store.read() as connection:
                    mine = embeddings.c.text_hash.in_([wanted[key] for key in some])
                    found: dict[str, bytes] = dict(
                        connection.execute(
                            select(embeddings.c.text_hash, embeddings.c.vector).where(
                                mine, embeddings.c.embedder == embedder
                            )
                        ).all()
                    )
                _add(index, collection, [(key, found[wanted[key]]) for key in some if wanted[key] in found])

    def hand_over(self, index: VectorIndex, embedder: str, commit: Callable[[], bool]) -> bool:
        """Fill another embedder's index and publish into it from now on when `commit` returns True; nothing is published
        in between."""
        with self._turn:
            self.fill(index, embedder)
            if not commit():
                return False
            self._index, self._embedder = index, embedder
            return True

    def drop(self, index: VectorIndex) -> None:
        """Remove an index that is not published into."""
        with self._turn:
            for collection in self._collections():
                index.drop(collection)

    def _collections(self) -> Sequence[str]:
        with self._store.read() as connection:
            return connection.scalars(select(documents.c.collection).distinct()).all()

    def _remove_retired(self) -> bool:
        with self._store.read() as connection:
            others = connection.scalars(
                select(generations.c.embedder).where(generations.c.embedder != self._embedder)
            ).all()
            live = exists().where(chunks.c.chunk_id == retired.c.chunk_id)
            rows = connection.execute(select(retired, live.label("live"))).all()
        by_collection: dict[str, list[str]] = defaultdict(list)
        everything: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            everything[row.collection].append(row.chunk_id)
            if not row.live:  # the same version may have come back, with the same ids
                by_collection[row.collection].append(row.chunk_id)
        for collection, ids in by_collection.items():
            self._index.remove(collection, ids)
        for other in others:  # those are filled again when they are to answer
            for collection, ids in everything.items():
                self._index.beside(other).discard(collection, ids)
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
        for collection, pairs in by_collection.items():
            _add(self._index, collection, pairs)
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


def _add(index: VectorIndex, collection: str, pairs: Sequence[tuple[str, bytes]]) -> None:
    """Add vectors as the catalog keeps them."""
    if pairs:
        import numpy as np  # not for jobs that change nothing

        vectors = np.stack([np.frombuffer(vector, dtype="<f4") for _, vector in pairs])
        index.add(collection, [key for key, _ in pairs], vectors)
