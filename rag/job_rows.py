"""Writes the rows of a job's files: noted as to be read, as they were, as done or failed, and those that are gone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, func, insert, select, update

from ingest.elements import INSIDE
from ingest.pipeline import UNLISTED
from ingest.ports import Job, Task, Version
from rag.erase import erase_documents
from rag.schema import documents
from rag.schema_jobs import job_files, jobs
from rag.version_rows import ROWS_AT_ONCE, below, document_id

ATTEMPTS = 3
"""A file whose reader was killed or crashed is tried this often before it is put aside."""
MOST_INSIDE = 10_000
"""Files inside one file, at all levels together: a small archive of archives can hold millions."""
_UNLISTABLE = f"The worker crashed {ATTEMPTS} times while it listed the files of this folder."
_SMALLER = (
    "Nothing was changed. Ingest the folders in it one by one to find the one that it crashes over, and report it."
)


def add_files(connection: Connection, job: Job, found: Sequence[dict[str, Any]], container: str | None = None) -> None:
    """Note files as to be read by a job, and as documents where they are not known."""
    for at in range(0, len(found), ROWS_AT_ONCE):
        batch = [{"inside": "[]", "sha256": "", **row} for row in found[at : at + ROWS_AT_ONCE]]
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


def room_inside(connection: Connection, job: Job, source: str) -> int:
    """Return how many more files inside a file, at all levels together, a job may read."""
    first = source + INSIDE
    noted = select(func.count()).where(
        job_files.c.job_id == job.job_id, job_files.c.path > first, job_files.c.path < first + chr(0x10FFFF)
    )
    return max(0, MOST_INSIDE - (connection.scalar(noted) or 0))


def left_out(number: int, of: int) -> str:
    """Say that files inside a file are not read, because its outermost file holds too many."""
    return (
        f"{number:,} of the {of:,} files inside were left out: of one file at most {MOST_INSIDE:,} inside are read, at all "
        "levels together. Unpack the outermost file and ingest the folder."
    )


def without_too_many(connection: Connection, job: Job, task: Task, version: Version) -> Version:
    """Return a version without the members for which its outermost file holds too many others already, and say so."""
    reading = version.reading
    number = len(reading.members)
    room = room_inside(connection, job, task.source) if number else 0
    if number <= room:
        return version
    problems = (*reading.problems, left_out(number - room, number))
    return replace(version, reading=replace(reading, members=reading.members[:room], problems=problems))


def add_members(connection: Connection, job: Job, task: Task, version: Version) -> None:
    """Note the members of a container as to be read; documents of former members go."""
    found = []
    for member in version.reading.members:
        path = task.path + INSIDE + member.name.replace(INSIDE, " › ")
        inside = json.dumps([*task.inside, member.name])
        row = {"path": path, "document_id": document_id(job.collection, path), "source": task.source}
        found.append({**row, "inside": inside, "sha256": member.sha256})
    add_files(connection, job, found, version.document_id)
    drop_former_members(connection, job, version.document_id, {row["document_id"] for row in found})


def keep_as_before(connection: Connection, job: Job, ids: Sequence[str]) -> None:
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


def put_aside(connection: Connection, job: Row[Any]) -> bool:
    """Note that a worker is about to list a job's files; True when workers crashed over that too often: it ends failed."""
    path = shown((json.loads(job.paths) or [""])[0])
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


def refuse_misnamed(connection: Connection, job: Job, files: Sequence[dict[str, Any]]) -> None:
    """Note files as failed whose names are no text."""
    failed = {"reason": "The file's name is not valid UTF-8.", "remedy": "Rename it, and ingest its folder again."}
    for file in files:
        mine = documents.c.document_id == file["document_id"]
        connection.execute(update(documents).where(mine).values(state="failed", **failed))
        note(connection, job, file["path"], outcome="failed", **failed)


def note(connection: Connection, job: Job, path: str, **values: Any) -> None:
    """Write what came of a file."""
    connection.execute(
        update(job_files).where(job_files.c.job_id == job.job_id, job_files.c.path == path).values(**values)
    )


def count_removed(connection: Connection, job: Job, number: int) -> None:
    """Add to the number of documents that a job removed."""
    connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(removed=jobs.c.removed + number))


def drop_task(connection: Connection, job: Job, task: Task) -> None:
    """Forget that a job was to read a file."""
    connection.execute(delete(job_files).where(job_files.c.job_id == job.job_id, job_files.c.path == task.path))


def drop_former_members(connection: Connection, job: Job, container: str, kept: set[str]) -> None:
    """Erase the documents of files that are not in their container any more."""
    inside = connection.scalars(select(documents.c.document_id).where(documents.c.container == container)).all()
    former = [identity for identity in inside if identity not in kept]
    if former:
        erase_documents(connection, former)
        count_removed(connection, job, len(former))


def drop_missing(connection: Connection, job: Job) -> None:
    """Erase the documents below a job's folders whose files are not there any more."""
    seen = and_(job_files.c.job_id == job.job_id, job_files.c.outcome != "gone")
    listed = exists().where(seen, job_files.c.document_id == documents.c.document_id)
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
        there = select(job_files.c.path).where(seen, below(path, job_files.c.source), job_files.c.source != path)
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
            erase_documents(connection, ids, gone_in=job.job_id)
            count_removed(connection, job, len(ids))


def shown(path: str) -> str:
    """Return a path as valid Unicode."""
    return os.fsencode(path).decode("utf-8", "replace")


def _as_before(row: Row[Any]) -> str:
    if row.state == "queued":  # a member that no job came to yet
        return "pending"
    return "failed" if row.reason else "unchanged"
