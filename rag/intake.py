"""The worker's side of the catalog: which files a job has to read, and what came of each."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, exists, func, insert, literal, select, true, update

from ingest.elements import INSIDE
from ingest.errors import UnreadableFile
from ingest.pipeline import UNLISTED, embedded_text
from ingest.ports import Copied, Description, Job, JobGone, Known, Seen, Superseded, Task, Vectors, Version
from rag.erase import drop_versions, erase_documents, repoint_answers, tidy
from rag.former_rows import keep_former, repoint_former
from rag.generations import live_embedder
from rag.lease import LEASE_SECONDS, is_running, this_process
from rag.schema import chunks, descriptions, documents, embeddings, job_files, jobs, versions
from rag.store import Store
from rag.version_rows import below, copy_version, document_id, insert_version

UNFINISHED = ("queued", "reading", "embedding")
ATTEMPTS = 3
"""A file whose reader was killed or crashed is tried this often before it is put aside."""
_ROWS = 500
_MISNAMED = "The file's name is not valid UTF-8."
_UNLISTABLE = f"The worker crashed {ATTEMPTS} times while it listed the files of this folder."
_SMALLER = (
    "Nothing was changed. Ingest the folders in it one by one to find the one that it crashes over, and report it."
)
_RENAME = "Rename it, and ingest its folder again."


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
                if not taken and not (row.stage == "queued" and _put_aside(connection, row)):
                    connection.execute(
                        update(jobs)
                        .where(jobs.c.job_id == row.job_id)
                        .values(owner=self._me, leased_until=time.time() + LEASE_SECONDS)
                    )
                    return Job(row.job_id, row.collection, tuple(json.loads(row.paths)), row.stage)
        return None

    def list_files(self, job: Job, paths: Iterable[Path]) -> None:
        found: list[dict[str, Any]] = []
        misnamed: list[dict[str, Any]] = []
        for path in map(str, paths):
            shown = _shown(path)
            row = {"path": shown, "document_id": document_id(job.collection, shown), "source": shown}
            (found if shown == path else misnamed).append(row)
        with self._working(job) as connection:
            noted = and_(job_files.c.job_id == job.job_id, job_files.c.attempts > 0)  # by `_put_aside`
            connection.execute(delete(job_files).where(noted))
            _add_files(connection, job, [*found, *misnamed])
            for row in misnamed:
                connection.execute(
                    update(documents)
                    .where(documents.c.document_id == row["document_id"])
                    .values(state="failed", reason=_MISNAMED, remedy=_RENAME)
                )
                _note(connection, job, row["path"], outcome="failed", reason=_MISNAMED, remedy=_RENAME)
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
            for at in range(0, len(paths), _ROWS):
                ids = [document_id(job.collection, path) for path in paths[at : at + _ROWS]]
                rows = connection.execute(
                    select(documents).where(documents.c.document_id.in_(ids), documents.c.state != "queued")
                )
                found |= {row.path: _known(row) for row in rows}
        return found

    def has_version(self, version: str, but: str) -> bool:
        others = select(documents.c.document_id).where(documents.c.version == version, documents.c.document_id != but)
        with self._store.read() as connection:
            return connection.scalar(others.limit(1)) is not None

    def start_embedding(self, job: Job) -> None:
        with self._working(job) as connection:
            self._mark_embedded(connection, true())
            texts = connection.scalar(
                select(func.count(chunks.c.text_hash.distinct()))
                .join(job_files, job_files.c.document_id == chunks.c.document_id)
                .where(job_files.c.job_id == job.job_id, self._without_vector())
            )
            connection.execute(
                update(jobs)
                .where(jobs.c.job_id == job.job_id)
                .values(
                    stage="embedding",
                    embedding_since=func.coalesce(jobs.c.embedding_since, time.time()),
                    texts=jobs.c.texts_embedded + texts,
                )
            )

    def release(self, job: Job) -> None:
        """Let another worker have a job that this one only looked at."""
        with self._working(job) as connection:
            connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(owner=None, leased_until=0.0))

    def finish(self, job: Job) -> None:
        with self._working(job) as connection:
            self._mark_embedded(connection, true())
            removed = connection.scalar(select(jobs.c.removed).where(jobs.c.job_id == job.job_id))
            replaced = connection.scalar(
                select(func.count()).where(
                    job_files.c.job_id == job.job_id, job_files.c.outcome.in_(["updated", "moved"])
                )
            )
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
            for at in range(0, len(files), _ROWS):
                ids = [document_id(job.collection, path) for path, _ in files[at : at + _ROWS]]
                self._keep(connection, job, ids)

    def _keep(self, connection: Connection, job: Job, ids: Sequence[str]) -> None:
        """Note documents and all members inside them as they are: unchanged, or failed as before."""
        while ids:
            rows = connection.execute(select(documents).where(documents.c.document_id.in_(ids))).all()
            connection.execute(
                insert(job_files).prefix_with("OR REPLACE"),
                [
                    {
                        "job_id": job.job_id, "path": row.path, "document_id": row.document_id, "source": row.source,
                        "inside": row.inside, "sha256": row.sha256, "outcome": _as_before(row),
                        "reason": row.reason, "remedy": row.remedy,
                    }
                    for row in rows
                ],
            )  # fmt: skip
            ids = connection.scalars(select(documents.c.document_id).where(documents.c.container.in_(ids))).all()

    def make_visible(self, job: Job, task: Task, version: Version) -> None:
        identity = version.document_id
        with self._working(job) as connection:
            old = connection.execute(select(documents.c.version).where(documents.c.document_id == identity)).first()
            if old is None:  # forgotten while it was read: it stays forgotten
                _drop_task(connection, job, task)
                return
            keep_former(connection, identity, version.version, self._keep_versions)
            drop_versions(connection, identity)
            insert_version(connection, job.collection, task.path, version)
            self._now_searchable(connection, identity, version.version, version.seen, version.reader)
            self._add_members(connection, job, task, version)
            gone = descriptions.c.picture.not_in(version.pictures)
            connection.execute(delete(descriptions).where(descriptions.c.document_id == identity, gone))
            outcome = "updated" if old.version else "added"
            pages, number = len(version.reading.pages), len(version.chunks)
            _note(connection, job, task.path, outcome=outcome, pages=pages, chunks=number)

    def _add_members(self, connection: Connection, job: Job, task: Task, version: Version) -> None:
        """Note the members of a container as to be read; documents of former members go."""
        found = []
        for member in version.reading.members:
            path = task.path + INSIDE + member.name.replace(INSIDE, " › ")
            inside = json.dumps([*task.inside, member.name])
            row = {"path": path, "document_id": document_id(job.collection, path), "source": task.source}
            found.append({**row, "inside": inside, "sha256": member.sha256})
        _add_files(connection, job, found, version.document_id)
        _drop_former(connection, job, version.document_id, {row["document_id"] for row in found})

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
                _drop_task(connection, job, task)
            if not donors or mine is None:
                return mine is None
            gone = [row for row in donors if row.collection == job.collection and _is_gone(row.source, job)]
            donor = gone[0] if gone else donors[0]
            self._copy(connection, job, task, donor, copied.seen, reader, moved=bool(gone))
            if gone:
                erase_documents(connection, [donor.document_id])
            elif mine.version:
                _note(connection, job, task.path, outcome="updated")
        return True

    def _copy(
        self, connection: Connection, job: Job, task: Task, donor: Row[Any], seen: Seen, reader: str, *, moved: bool
    ) -> None:
        """Give a file's document the donor's version, and so on for the files inside; those without one are read."""
        identity = document_id(job.collection, task.path)
        keep_former(connection, identity, donor.version, self._keep_versions)
        before = connection.scalar(select(documents.c.known_since).where(documents.c.document_id == identity))
        drop_versions(connection, identity)
        pages, number = copy_version(connection, donor, identity, job.collection, task.path)
        self._now_searchable(connection, identity, donor.version, seen, reader)
        if moved and before is None:  # the file's past comes with it
            repoint_former(connection, donor.document_id, identity)
            past = update(documents).where(documents.c.document_id == identity)
            connection.execute(past.values(known_since=donor.known_since))
        else:
            live = update(versions).where(versions.c.document_id == identity)
            connection.execute(live.values(created=time.time()))
        outcome = "moved" if moved else "added"
        _note(connection, job, task.path, outcome=outcome, pages=pages, chunks=number)
        if moved:
            repoint_answers(connection, donor.document_id, identity, task.path)
        members = connection.execute(select(documents).where(documents.c.container == donor.document_id)).all()
        renamed = {task.path + row.path[len(donor.path) :]: row for row in members}
        _drop_former(connection, job, identity, {document_id(job.collection, path) for path in renamed})
        for path, row in renamed.items():
            inside = (*task.inside, json.loads(row.inside)[-1])
            entry = {"path": path, "document_id": document_id(job.collection, path), "source": task.source}
            _add_files(connection, job, [{**entry, "inside": json.dumps(inside), "sha256": row.sha256}], identity)
            if row.version:
                self._copy(connection, job, Task(path, task.source, inside, row.sha256), row, seen, reader, moved=moved)

    def _now_searchable(self, connection: Connection, identity: str, version: str, seen: Seen, reader: str) -> None:
        connection.execute(
            update(documents)
            .where(documents.c.document_id == identity)
            .values(
                state="searchable", reason="", remedy="", version=version, tried=version, size=seen.size,
                modified_ns=seen.modified_ns, reader=reader, updated=time.time(),
                known_since=func.coalesce(documents.c.known_since, time.time()),
            )
        )  # fmt: skip

    def set_failed(
        self, job: Job, task: Task, error: UnreadableFile, seen: Seen | None, tried: str, reader: str
    ) -> None:
        """Note that a file can't be read. A document that was readable before keeps its last good version."""
        identity = document_id(job.collection, task.path)
        mine = documents.c.document_id == identity
        with self._working(job) as connection:
            if error.gone:  # whether its document goes too is decided when the whole folder is known
                _drop_task(connection, job, task)
                unread = and_(mine, documents.c.version.is_(None))
                if connection.scalar(select(documents.c.document_id).where(unread)):
                    erase_documents(connection, [identity])
                return
            if error.again and task.attempts + 1 < ATTEMPTS:
                _note(connection, job, task.path, attempts=task.attempts + 1)
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
            self._keep(connection, job, members)
            _note(connection, job, task.path, outcome="failed", reason=error.reason, remedy=error.remedy)

    def remove_missing(self, job: Job) -> None:
        listed = exists().where(job_files.c.job_id == job.job_id, job_files.c.document_id == documents.c.document_id)
        with self._working(job) as connection:
            # What can't be listed may still be there: documents below a folder that failed are kept.
            shields = connection.scalars(
                select(job_files.c.path).where(
                    job_files.c.job_id == job.job_id,
                    job_files.c.outcome == "failed",
                    job_files.c.reason == UNLISTED,
                )
            ).all()
            its = select(jobs.c.allow_empty, jobs.c.started).where(jobs.c.job_id == job.job_id)
            believed, listed_at = connection.execute(its).one()
            for path in job.paths if listed_at else ():  # a job of files to try again has listed no folder
                there = select(job_files.c.path).where(
                    job_files.c.job_id == job.job_id, below(path, job_files.c.source), job_files.c.source != path
                )
                # A folder that is gone or empty may be a disk that is not mounted.
                if not os.path.isdir(path) or not (believed or connection.scalar(there.limit(1))):
                    continue
                gone = connection.execute(
                    select(documents.c.document_id, documents.c.source).where(
                        documents.c.collection == job.collection, below(path), ~listed
                    )
                ).all()
                ids = [row.document_id for row in gone if not any(row.source.startswith(s + "/") for s in shields)]
                if ids:
                    erase_documents(connection, ids)
                    _count_removed(connection, job, len(ids))

    # vectors

    def _without_vector(self) -> Any:
        return ~exists().where(
            and_(embeddings.c.text_hash == chunks.c.text_hash, embeddings.c.embedder == self._embedder)
        )

    def texts_to_embed(self, job: Job, limit: int) -> list[tuple[str, str]]:
        with self._store.read() as connection:
            rows = connection.execute(
                select(chunks.c.text_hash, chunks.c.context, chunks.c.text)
                .join(job_files, job_files.c.document_id == chunks.c.document_id)
                .where(job_files.c.job_id == job.job_id, self._without_vector())
                .order_by(chunks.c.id)
                .limit(limit)
            ).all()
        distinct = {row.text_hash: embedded_text(row.context, row.text) for row in rows}
        return list(distinct.items())

    def put_vectors(self, job: Job, vectors: Sequence[tuple[str, Vectors]]) -> None:
        with self._working(job) as connection:
            keys = [key for key, _ in vectors]
            live = set(connection.scalars(select(chunks.c.text_hash).where(chunks.c.text_hash.in_(keys))))
            rows = [
                {"text_hash": key, "embedder": self._embedder, "vector": vector.astype("<f4").tobytes()}
                for key, vector in vectors
                if key in live  # a text that was forgotten meanwhile leaves no vector
            ]
            if rows:
                connection.execute(insert(embeddings).prefix_with("OR IGNORE"), rows)
            connection.execute(
                update(jobs)
                .where(jobs.c.job_id == job.job_id)
                .values(texts_embedded=jobs.c.texts_embedded + len(vectors))
            )
            of_these = select(chunks.c.document_id).where(chunks.c.text_hash.in_([key for key, _ in vectors]))
            self._mark_embedded(connection, documents.c.document_id.in_(of_these))

    def _mark_embedded(self, connection: Connection, which: Any) -> None:
        """Hand documents over whose every chunk has a vector: the owner of Chroma publishes them."""
        missing = exists().where(and_(chunks.c.document_id == documents.c.document_id, self._without_vector()))
        connection.execute(
            update(documents).where(which, documents.c.state == "searchable", ~missing).values(state="embedded")
        )


def _shown(path: str) -> str:
    """Return a path as valid Unicode."""
    return os.fsencode(path).decode("utf-8", "replace")


def _put_aside(connection: Connection, job: Row[Any]) -> bool:
    """Note that a worker is about to list a job's files; True when workers crashed over that too often: it ends failed."""
    path = _shown((json.loads(job.paths) or [""])[0])
    mine = and_(job_files.c.job_id == job.job_id, job_files.c.path == path)
    before = connection.scalar(select(job_files.c.attempts).where(mine)) or 0
    entry = {"job_id": job.job_id, "path": path, "document_id": document_id(job.collection, path), "source": path}
    if before < ATTEMPTS:
        values = {**entry, "outcome": "pending", "attempts": before + 1}
        connection.execute(insert(job_files).prefix_with("OR REPLACE").values(values))
        return False
    connection.execute(update(job_files).where(mine).values(outcome="failed", reason=_UNLISTABLE, remedy=_SMALLER))
    ended = {"stage": "done", "owner": None, "leased_until": 0.0, "finished": time.time()}
    connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(ended))
    return True


def _add_files(connection: Connection, job: Job, found: Sequence[dict[str, Any]], container: str | None = None) -> None:
    """Note files as to be read by a job, and as documents where they are not known."""
    for at in range(0, len(found), _ROWS):
        batch = [{"inside": "[]", "sha256": "", **row} for row in found[at : at + _ROWS]]
        connection.execute(
            insert(job_files).prefix_with("OR IGNORE"),
            [{**row, "job_id": job.job_id, "outcome": "pending"} for row in batch],
        )
        connection.execute(
            insert(documents).prefix_with("OR IGNORE"),
            [
                {**row, "collection": job.collection, "state": "queued", "container": container, "updated": time.time()}
                for row in batch
            ],
        )
        for row in batch if container else ():
            connection.execute(
                update(documents).where(documents.c.document_id == row["document_id"]).values(sha256=row["sha256"])
            )


def _drop_task(connection: Connection, job: Job, task: Task) -> None:
    connection.execute(delete(job_files).where(job_files.c.job_id == job.job_id, job_files.c.path == task.path))


def _drop_former(connection: Connection, job: Job, container: str, kept: set[str]) -> None:
    """Erase the documents of files that are not in their container any more."""
    inside = connection.scalars(select(documents.c.document_id).where(documents.c.container == container)).all()
    former = [identity for identity in inside if identity not in kept]
    if former:
        erase_documents(connection, former)
        _count_removed(connection, job, len(former))


def _is_gone(source: str, job: Job) -> bool:
    """Say whether a file is not there any more although its folder, one of the job's, is: then it was moved."""
    if os.path.lexists(source):
        return False
    roots = [path for path in job.paths if source.startswith(path.rstrip("/") + "/")]
    return any(os.path.isdir(root) and os.listdir(root) for root in roots)


def _as_before(row: Row[Any]) -> str:
    if row.state == "queued":  # a member that no job came to yet
        return "pending"
    return "failed" if row.reason else "unchanged"


def _known(row: Row[Any]) -> Known:
    return Known(row.document_id, row.state, row.size, row.modified_ns, row.reader, row.version, row.tried)


def _note(connection: Connection, job: Job, path: str, **values: Any) -> None:
    connection.execute(
        update(job_files).where(job_files.c.job_id == job.job_id, job_files.c.path == path).values(**values)
    )


def _count_removed(connection: Connection, job: Job, number: int) -> None:
    connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(removed=jobs.c.removed + number))
