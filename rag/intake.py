"""The worker's side of the catalog: which files a job has to read, and what came of each."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, literal, select, true, update

from ingest.describer import Description
from ingest.errors import UnreadableFile
from ingest.ports import Copied, Job, JobGone, Known, Seen, Superseded, Task, Vectors, Version
from rag.copied import give_copy, is_gone
from rag.erase import drop_versions, erase_documents, tidy
from rag.former_rows import keep_former
from rag.generations import live_embedder
from rag.job_rows import (
    ATTEMPTS,
    add_files,
    add_members,
    drop_missing,
    drop_task,
    keep_as_before,
    note,
    put_aside,
    refuse_misnamed,
    shown,
    without_too_many,
)
from rag.lease import LEASE_SECONDS, is_running, this_process, without_idle
from rag.schema import descriptions, documents
from rag.schema_jobs import job_files, jobs, unread_pages
from rag.store import Store
from rag.unread_rows import drop_unread, insert_unread, looked_at
from rag.vector_rows import count_without_vector, insert_vectors, mark_embedded, texts_without_vector
from rag.version_rows import ROWS_AT_ONCE, document_id, insert_version, now_searchable

UNFINISHED = ("queued", "reading", "embedding")


class Intake:
    """Implements `ingest.ports.Catalog` on the store, for one embedder and one worker process; of the versions that a
    document had, `keep_versions` are kept."""

    def __init__(self, store: Store, embedder: str, keep_versions: int = 0) -> None:
        self._store = store
        self._embedder = embedder
        self._keep_versions = keep_versions
        self._me = this_process()

    @contextmanager
    def _working(self, job: Job) -> Iterator[Connection]:
        """Begin a transaction that renews the lease on a job; JobGone when it is no longer this worker's, or its embedder's."""
        with self._store.write() as connection:
            if live_embedder(connection) != self._embedder:
                raise JobGone(job.job_id)
            renewed = connection.execute(
                update(jobs)
                .where(
                    jobs.c.job_id == job.job_id,
                    jobs.c.owner == self._me,
                    jobs.c.paused.is_(False),
                    jobs.c.stage.in_(UNFINISHED),
                )
                .values(leased_until=time.time() + LEASE_SECONDS)
            )
            if renewed.rowcount == 0:
                raise JobGone(job.job_id)
            yield connection

    # jobs

    def next_job(self) -> Job | None:
        open_jobs = (
            select(jobs)
            .where(jobs.c.stage.in_(UNFINISHED), jobs.c.paused.is_(False))
            .order_by(jobs.c.created, jobs.c.job_id)
        )
        with self._store.read() as connection:  # asked twice a second: no write lock while there is nothing to do
            if live_embedder(connection) != self._embedder:
                raise Superseded(self._embedder)
            if connection.execute(open_jobs.limit(1)).first() is None:
                return None
        with self._store.write() as connection:
            for row in connection.execute(open_jobs):
                taken = row.owner not in (None, self._me) and row.leased_until > time.time() and is_running(row.owner)
                if not taken and not (row.stage == "queued" and put_aside(connection, row)):
                    lease = {"owner": self._me, "leased_until": time.time() + LEASE_SECONDS}
                    begun = without_idle(row.leased_until, started=row.started, embedding_since=row.embedding_since)
                    connection.execute(update(jobs).where(jobs.c.job_id == row.job_id).values(lease | begun))
                    return Job(row.job_id, row.collection, tuple(json.loads(row.paths)), row.stage)
        return None

    def list_files(self, job: Job, paths: Iterable[Path]) -> None:
        found, misnamed = list[dict[str, Any]](), list[dict[str, Any]]()
        for path in map(str, paths):
            name = shown(path)
            row = {"path": name, "document_id": document_id(job.collection, name), "source": name}
            (found if name == path else misnamed).append(row)
        with self._working(job) as connection:
            noted = and_(job_files.c.job_id == job.job_id, job_files.c.attempts > 0)  # by `_put_aside`
            connection.execute(delete(job_files).where(noted))
            add_files(connection, job, [*found, *misnamed])
            refuse_misnamed(connection, job, misnamed)
            connection.execute(
                update(jobs)
                .where(jobs.c.job_id == job.job_id)
                .values(stage="reading", started=func.coalesce(jobs.c.started, time.time()))
            )

    def pending(self, job: Job, limit: int, after: str = "") -> list[Task]:
        with self._store.read() as connection:
            rows = connection.execute(
                select(job_files)
                .where(job_files.c.job_id == job.job_id, job_files.c.outcome == "pending", job_files.c.path > after)
                .order_by(job_files.c.path)
                .limit(limit)
            ).all()
        return [Task(row.path, row.source, tuple(json.loads(row.inside)), row.sha256, row.attempts) for row in rows]

    def known(self, job: Job, paths: Sequence[str]) -> dict[str, Known]:
        found: dict[str, Known] = {}
        with self._store.read() as connection:
            for at in range(0, len(paths), ROWS_AT_ONCE):
                ids = [document_id(job.collection, path) for path in paths[at : at + ROWS_AT_ONCE]]
                rows = connection.execute(
                    select(documents).where(documents.c.document_id.in_(ids), documents.c.state != "queued")
                )
                found |= {row.path: _known(row) for row in rows}
        return found

    def has_version(self, version: str, but: str) -> bool:
        others = select(documents.c.document_id).where(documents.c.version == version, documents.c.document_id != but)
        with self._store.read() as connection:
            return connection.scalar(others.limit(1)) is not None

    def not_looked_at(self, job: Job, tasks: Sequence[Task]) -> list[Task]:
        with self._store.read() as connection:
            done = looked_at(connection, job.job_id)
        return [task for task in tasks if document_id(job.collection, task.path) not in done]

    def keep_look(self, job: Job, task: Task, pages: Sequence[str]) -> None:
        identity = document_id(job.collection, task.path)
        with self._working(job) as connection:
            if connection.scalar(select(documents.c.document_id).where(documents.c.document_id == identity)):
                insert_unread(connection, job.job_id, identity, pages)  # what was forgotten meanwhile stays forgotten

    def start_embedding(self, job: Job) -> None:
        with self._working(job) as connection:
            drop_unread(connection, unread_pages.c.job_id == job.job_id)
            mark_embedded(connection, self._embedder, true())
            texts = count_without_vector(connection, job, self._embedder)
            began = func.coalesce(jobs.c.embedding_since, time.time())
            values = {"stage": "embedding", "embedding_since": began, "texts": jobs.c.texts_embedded + texts}
            connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(values))

    def release(self, job: Job) -> None:
        """Let another worker have a job that this one only looked at."""
        with self._working(job) as connection:
            connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(owner=None, leased_until=0.0))

    def finish(self, job: Job) -> None:
        with self._working(job) as connection:
            mark_embedded(connection, self._embedder, true())
            removed = connection.scalar(select(jobs.c.removed).where(jobs.c.job_id == job.job_id))
            theirs = and_(job_files.c.job_id == job.job_id, job_files.c.outcome.in_(["updated", "moved"]))
            replaced = connection.scalar(select(func.count()).where(theirs))
            if removed or replaced:
                tidy(connection)
            connection.execute(
                update(jobs).where(jobs.c.job_id == job.job_id).values(stage="publishing", owner=None, leased_until=0.0)
            )

    # files

    def keep_unchanged(self, job: Job, files: Sequence[tuple[str, Seen]], reader: str) -> None:
        with self._working(job) as connection:
            if files:
                row = update(documents).where(documents.c.document_id == bindparam("identity"))
                connection.execute(
                    row.values(size=bindparam("bytes"), modified_ns=bindparam("time"), reader=reader),
                    [
                        {"identity": document_id(job.collection, path), "bytes": seen.size, "time": seen.modified_ns}
                        for path, seen in files
                    ],
                )
            for at in range(0, len(files), ROWS_AT_ONCE):
                ids = [document_id(job.collection, path) for path, _ in files[at : at + ROWS_AT_ONCE]]
                keep_as_before(connection, job, ids)

    def make_visible(self, job: Job, task: Task, version: Version) -> None:
        identity = version.document_id
        with self._working(job) as connection:
            old = connection.execute(select(documents.c.version).where(documents.c.document_id == identity)).first()
            if old is None:  # forgotten while it was read: it stays forgotten
                drop_task(connection, job, task)
                return
            version = without_too_many(connection, job, task, version)
            keep_former(connection, identity, version.version, self._keep_versions)
            drop_versions(connection, identity)
            insert_version(connection, job.collection, task.path, version)
            now_searchable(connection, identity, version.version, version.seen, version.reader)
            add_members(connection, job, task, version)
            gone = descriptions.c.picture.not_in(version.pictures)
            connection.execute(delete(descriptions).where(descriptions.c.document_id == identity, gone))
            outcome = "updated" if old.version else "added"
            pages, number = len(version.reading.pages), len(version.chunks)
            note(connection, job, task.path, outcome=outcome, pages=pages, chunks=number)

    def descriptions(self, document_id: str, describer: str) -> dict[str, Description]:
        mine = (descriptions.c.document_id == document_id) & (descriptions.c.describer == describer)
        with self._store.read() as connection:
            rows = connection.execute(select(descriptions).where(mine)).all()
        return {row.picture: Description(row.text, row.model, row.digest, row.problem) for row in rows}

    def keep_description(
        self, job: Job, document_id: str, describer: str, picture: str, description: Description
    ) -> None:
        said = description
        values = (document_id, picture, describer, said.model, said.digest, said.text, said.problem)
        with self._working(job) as connection:
            there = select(*map(literal, values)).where(documents.c.document_id == document_id)  # not when forgotten
            names = [column.name for column in descriptions.c]
            connection.execute(insert(descriptions).prefix_with("OR REPLACE").from_select(names, there))

    def adopt(self, job: Job, task: Task, copied: Copied, reader: str) -> bool:
        identity = document_id(job.collection, task.path)
        with self._working(job) as connection:
            donors = connection.execute(
                select(documents).where(documents.c.version == copied.version, documents.c.document_id != identity)
            ).all()
            mine = connection.execute(select(documents.c.version).where(documents.c.document_id == identity)).first()
            if mine is None:
                drop_task(connection, job, task)
            if not donors or mine is None:
                return mine is None
            gone = [row for row in donors if row.collection == job.collection and is_gone(row.source, job)]
            donor = gone[0] if gone else donors[0]
            give_copy(connection, job, task, donor, copied.seen, reader, self._keep_versions, moved=bool(gone))
            if gone:
                erase_documents(connection, [donor.document_id])
            elif mine.version:
                note(connection, job, task.path, outcome="updated")
        return True

    def set_failed(
        self, job: Job, task: Task, error: UnreadableFile, seen: Seen | None, tried: str, reader: str
    ) -> None:
        """Note that a file can't be read. A document that was readable before keeps its last good version."""
        identity = document_id(job.collection, task.path)
        mine = documents.c.document_id == identity
        with self._working(job) as connection:
            if error.gone:  # whether its document goes too is decided when the whole folder is known
                note(connection, job, task.path, outcome="gone", reason=error.reason, remedy=error.remedy)
                unread = and_(mine, documents.c.version.is_(None))
                if connection.scalar(select(documents.c.document_id).where(unread)):
                    erase_documents(connection, [identity], gone_in=job.job_id)
                return
            if error.again and task.attempts + 1 < ATTEMPTS:
                note(connection, job, task.path, attempts=task.attempts + 1)
                return
            size, modified_ns = (seen.size, seen.modified_ns) if seen and tried else (0, 0)
            connection.execute(
                update(documents)
                .where(mine)
                .values(
                    reason=error.reason, remedy=error.remedy, tried=tried, reader=reader, size=size,
                    modified_ns=modified_ns, updated=time.time(),
                )
            )  # fmt: skip
            connection.execute(update(documents).where(mine, documents.c.version.is_(None)).values(state="failed"))
            members = connection.scalars(select(documents.c.document_id).where(documents.c.container == identity)).all()
            keep_as_before(connection, job, members)
            note(connection, job, task.path, outcome="failed", reason=error.reason, remedy=error.remedy)

    def remove_missing(self, job: Job) -> None:
        with self._working(job) as connection:
            drop_missing(connection, job)

    # vectors

    def texts_to_embed(self, job: Job, limit: int) -> list[tuple[str, str]]:
        with self._store.read() as connection:
            return texts_without_vector(connection, job, self._embedder, limit)

    def put_vectors(self, job: Job, vectors: Sequence[tuple[str, Vectors]]) -> None:
        with self._working(job) as connection:
            insert_vectors(connection, self._embedder, vectors)
            done = {"texts_embedded": jobs.c.texts_embedded + len(vectors)}
            connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(done))


def _known(row: Row[Any]) -> Known:
    return Known(row.document_id, row.state, row.size, row.modified_ns, row.reader, row.version, row.tried)
