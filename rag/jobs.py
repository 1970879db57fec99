"""What people see and say of ingest jobs: queue, follow, pause, cancel, try again, report."""

from __future__ import annotations

import json
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Connection, Row, and_, delete, exists, func, insert, select, update

from rag.document_facts import document_facts, file_report
from rag.errors import NotFound, UsageError
from rag.intake import UNFINISHED
from rag.lease import LEASE_SECONDS, is_running
from rag.report_shapes import IngestReport, JobReport, JobStatus, Stage
from rag.schema import documents
from rag.schema_jobs import job_files, jobs, unread_pages
from rag.shapes import FailedFile
from rag.store import Store
from rag.unread_rows import drop_unread

JOBS_KEPT = 20
"""Finished jobs whose files are still on record; older ones go when a new one is queued."""


class Jobs:
    """The ingest jobs of one catalog."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, collection: str, paths: Sequence[str], allow_empty: bool = False) -> str:
        """Queue a job for files and folders; a worker takes it from here. Returns its id.

        With `allow_empty` the documents of a folder without any file are removed; otherwise it may be a disk that is not
        mounted, and they stay.
        """
        check_collection(collection)
        with self._store.write() as connection:
            self._drop_old(connection)
            return _insert(connection, collection, paths, "queued", allow_empty)

    def retry(self) -> list[str]:
        """Queue the files that failed to be read once more; return the jobs' ids.

        There is a job for each collection and each set of folders that the files were met in: links may lead into those.
        """
        with self._store.write() as connection:
            met = (
                select(job_files.c.document_id, jobs.c.paths)
                .join(jobs, jobs.c.job_id == job_files.c.job_id)
                .join(documents, documents.c.document_id == job_files.c.document_id)
                .where(documents.c.reason != "")
                .order_by(jobs.c.created)
            )
            folders = {row.document_id: row.paths for row in connection.execute(met)}  # of the newest job
            together: dict[tuple[str, str], list[Row[Any]]] = defaultdict(list)
            for row in connection.execute(select(documents).where(documents.c.reason != "")):
                together[row.collection, folders.get(row.document_id, "[]")].append(row)
            ids = []
            for (collection, paths), again in sorted(together.items()):
                job_id = _insert(connection, collection, json.loads(paths), "reading")
                connection.execute(
                    insert(job_files),
                    [
                        {
                            "job_id": job_id, "path": row.path, "document_id": row.document_id, "source": row.source,
                            "inside": row.inside, "sha256": row.sha256, "outcome": "pending",
                        }
                        for row in again
                    ],
                )  # fmt: skip
                ids.append(job_id)
            connection.execute(update(documents).where(documents.c.reason != "").values(tried="", size=0))
        return ids

    def unfinished(self) -> list[str]:
        """Return the ids of the jobs that wait for a worker or have one, oldest first."""
        with self._store.read() as connection:
            return list(
                connection.scalars(
                    select(jobs.c.job_id)
                    .where(jobs.c.stage.in_(UNFINISHED), jobs.c.paused.is_(False))
                    .order_by(jobs.c.created)
                )
            )

    def pause(self, job_id: str) -> JobStatus:
        """Let the worker drop a job after the file or batch it is at; `resume` goes on there."""
        with self._changing(job_id, paused=True):
            pass
        return self.status(job_id)

    def resume(self, job_id: str) -> JobStatus:
        """Let a worker go on with a paused job."""
        with self._changing(job_id, paused=False) as connection:
            unlisted = exists().where(jobs.c.job_id == job_id, jobs.c.stage == "queued")  # tries to list count anew
            connection.execute(delete(job_files).where(job_files.c.job_id == job_id, unlisted))
        return self.status(job_id)

    def cancel(self, job_id: str) -> JobStatus:
        """End a job: what was read stays, searchable; what was not read yet is as if it had not been asked for."""
        with self._changing(job_id, stage="cancelled") as connection:
            job = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).one()
            ended = {"paused": False, "owner": None, "finished": _until(job)}  # a pause before it is no time of work
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(**ended))
            drop_unread(connection, unread_pages.c.job_id == job_id)
            unread = select(job_files.c.document_id).where(
                job_files.c.job_id == job_id, job_files.c.outcome == "pending"
            )
            waited_for = (
                select(job_files.c.document_id)
                .join(jobs, jobs.c.job_id == job_files.c.job_id)
                .where(job_files.c.outcome == "pending", jobs.c.job_id != job_id, jobs.c.stage.in_(UNFINISHED))
            )
            never = and_(
                documents.c.state == "queued",
                documents.c.document_id.in_(unread),
                documents.c.document_id.not_in(waited_for),
            )
            # The files that unread members are in have to be opened again by the next job.
            opened = select(documents.c.container).where(never, documents.c.container.is_not(None))
            connection.execute(
                update(documents).where(documents.c.document_id.in_(opened)).values(tried="", size=0, modified_ns=0)
            )
            connection.execute(delete(documents).where(never))
            connection.execute(delete(job_files).where(job_files.c.job_id == job_id, job_files.c.outcome == "pending"))
        return self.status(job_id)

    @contextmanager
    def _changing(self, job_id: str, **values: Any) -> Iterator[Connection]:
        """Change an unfinished job, with what else is done in the same transaction."""
        with self._store.write() as connection:
            changed = connection.execute(
                update(jobs).where(jobs.c.job_id == job_id, jobs.c.stage.in_(UNFINISHED)).values(**values)
            )
            if changed.rowcount == 0:
                stage = self.status(job_id).stage  # raises NotFound for an unknown one
                raise UsageError(f"The job {job_id} is {stage} already.", "Only unfinished jobs can be changed.")
            yield connection

    def list(self, unfinished: bool = False) -> list[JobStatus]:
        """Return the jobs on record, or only those that are not done, paused ones too; the newest first."""
        query = select(jobs.c.job_id).order_by(jobs.c.created.desc(), jobs.c.job_id)
        with self._store.read() as connection:
            ids = connection.scalars(query.where(jobs.c.stage.in_(UNFINISHED)) if unfinished else query).all()
        return [self.status(job_id) for job_id in ids]

    def status(self, job_id: str) -> JobStatus:
        """Return how far a job is; raise NotFound."""
        mine = job_files.c.job_id == job_id
        with self._store.read() as connection:
            job = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).first()
            if job is None:
                raise NotFound(f"There is no job {job_id}.", "List them with `readingroom jobs`.")
            tally = connection.execute(
                select(
                    job_files.c.outcome,
                    func.count().label("files"),
                    func.sum(job_files.c.pages).label("pages"),
                    func.sum(job_files.c.chunks).label("chunks"),
                )
                .where(mine)
                .group_by(job_files.c.outcome)
            ).all()
            unread = connection.execute(
                select(job_files.c.path, job_files.c.outcome, job_files.c.reason, job_files.c.remedy)
                .where(mine, job_files.c.outcome.in_(["failed", "gone"]))
                .order_by(job_files.c.path)
            ).all()
            looked = connection.scalar(
                select(func.count()).where(unread_pages.c.job_id == job_id, unread_pages.c.number == 0)
            )
        files = {row.outcome: row.files for row in tally}
        report = IngestReport(
            job_id=job_id,
            added=files.get("added", 0),
            updated=files.get("updated", 0),
            moved=files.get("moved", 0),
            unchanged=files.get("unchanged", 0),
            removed=job.removed,
            failed=[
                FailedFile(path=row.path, reason=row.reason, remedy=row.remedy)
                for row in unread
                if row.outcome == "failed"
            ],
            gone=[row.path for row in unread if row.outcome == "gone"],
            pages=sum(row.pages for row in tally),
            chunks=sum(row.chunks for row in tally),
            seconds=round((job.finished or _until(job)) - (job.started or job.created), 2),
        )
        return _status(job, sum(files.values()), files.get("pending", 0), looked or 0, report)

    def report(self, job_id: str | None = None) -> JobReport:
        """Return every file that a job met and what came of it; the newest job's when none is named."""
        with self._store.read() as connection:
            newest = select(jobs.c.job_id).order_by(jobs.c.created.desc()).limit(1)
            found = job_id or connection.scalar(newest)
        if found is None:
            raise NotFound("There was no ingest job yet.", "Start one with `readingroom ingest`.")
        status = self.status(found)
        with self._store.read() as connection:
            known = {row.document_id: row for row in connection.execute(_facts_of_job(found))}
            rows = connection.execute(
                select(job_files).where(job_files.c.job_id == found).order_by(job_files.c.path)
            ).all()
        return JobReport(job=status, files=[file_report(row, known.get(row.document_id)) for row in rows])

    def _drop_old(self, connection: Connection) -> None:
        kept = (
            select(jobs.c.job_id)
            .where(jobs.c.stage.in_(["done", "cancelled"]))
            .order_by(jobs.c.created.desc())
            .limit(JOBS_KEPT)
        )
        connection.execute(delete(jobs).where(jobs.c.stage.in_(["done", "cancelled"]), jobs.c.job_id.not_in(kept)))


def check_collection(name: str) -> None:
    """Raise UsageError for a name that no collection may have."""
    if not name.strip() or len(name) > 100 or any(ord(letter) < 32 for letter in name):
        raise UsageError("A collection's name has 1 to 100 printable characters.", "Choose another name.")


def _insert(
    connection: Connection, collection: str, paths: Sequence[str], stage: str, allow_empty: bool = False
) -> str:
    job_id = uuid.uuid4().hex
    connection.execute(
        insert(jobs).values(
            job_id=job_id,
            collection=collection,
            paths=json.dumps(list(paths)),
            stage=stage,
            created=time.time(),
            allow_empty=allow_empty,
        )
    )
    return job_id


def _facts_of_job(job_id: str) -> Any:
    return document_facts().where(
        documents.c.document_id.in_(select(job_files.c.document_id).where(job_files.c.job_id == job_id))
    )


def _status(job: Row[Any], files: int, pending: int, looked: int, report: IngestReport) -> JobStatus:
    now = _until(job)
    done = files - pending
    reading_until = job.embedding_since or now
    file_rate = _rate(done, reading_until - (job.started or now))
    text_rate = _rate(job.texts_embedded, (job.finished or now) - job.embedding_since) if job.embedding_since else None
    left = None
    if job.stage == "embedding" and text_rate:
        left = (job.texts - job.texts_embedded) / text_rate
    elif job.stage == "reading" and file_rate:
        left = pending / file_rate
    stage = "paused" if job.paused and job.stage in UNFINISHED else job.stage
    return JobStatus(
        job_id=job.job_id,
        collection=job.collection,
        stage=cast(Stage, stage),
        created=job.created,
        files=files,
        files_done=done,
        files_looked_at=looked,
        texts=job.texts,
        texts_embedded=job.texts_embedded,
        files_per_second=file_rate,
        texts_per_second=text_rate,
        seconds_left=None if left is None else round(left, 1),
        report=report,
    )


def _until(job: Row[Any]) -> float:
    """Return the time up to which a job was worked on: now, or when the worker that is gone or was told to pause last wrote."""
    working = not job.paused and job.owner is not None and is_running(job.owner)
    return time.time() if working or not job.leased_until else min(time.time(), job.leased_until - LEASE_SECONDS)


def _rate(number: int, seconds: float) -> float | None:
    return round(number / seconds, 2) if number and seconds > 0.5 else None
