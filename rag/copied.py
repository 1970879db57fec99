"""Gives a file the version that another document has already: the file was moved or copied, and needs no reading."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from sqlalchemy import Connection, Row, select, update

from ingest.ports import Job, Seen, Task
from rag.erase import drop_versions, repoint_answers
from rag.former_rows import keep_former, repoint_former
from rag.job_rows import add_files, drop_former_members, left_out, note, room_inside
from rag.schema import documents, versions
from rag.version_rows import copy_version, document_id, now_searchable


def give_copy(
    connection: Connection,
    job: Job,
    task: Task,
    donor: Row[Any],
    seen: Seen,
    reader: str,
    keep_versions: int,
    *,
    moved: bool,
) -> None:
    """Give a file's document the donor's version, and so on for the files inside; those without one are read."""
    identity = document_id(job.collection, task.path)
    keep_former(connection, identity, donor.version, keep_versions)
    before = connection.scalar(select(documents.c.known_since).where(documents.c.document_id == identity))
    drop_versions(connection, identity)
    pages, number = copy_version(connection, donor, identity, job.collection, task.path)
    now_searchable(connection, identity, donor.version, seen, reader)
    if moved and before is None:  # the file's past comes with it
        repoint_former(connection, donor.document_id, identity)
        past = update(documents).where(documents.c.document_id == identity)
        connection.execute(past.values(known_since=donor.known_since))
    else:
        live = update(versions).where(versions.c.document_id == identity)
        connection.execute(live.values(created=time.time()))
    outcome = "moved" if moved else "added"
    note(connection, job, task.path, outcome=outcome, pages=pages, chunks=number)
    if moved:
        repoint_answers(connection, donor.document_id, identity, task.path)
    members = connection.execute(
        select(documents).where(documents.c.container == donor.document_id).order_by(documents.c.path)
    ).all()
    room = room_inside(connection, job, task.source) if members else 0
    if len(members) > room:
        _say(connection, identity, left_out(len(members) - room, len(members)))
    renamed = {task.path + row.path[len(donor.path) :]: row for row in members[:room]}
    drop_former_members(connection, job, identity, {document_id(job.collection, path) for path in renamed})
    for path, row in renamed.items():
        inside = (*task.inside, json.loads(row.inside)[-1])
        entry = {"path": path, "document_id": document_id(job.collection, path), "source": task.source}
        add_files(connection, job, [{**entry, "inside": json.dumps(inside), "sha256": row.sha256}], identity)
        if row.version:
            member = Task(path, task.source, inside, row.sha256)
            give_copy(connection, job, member, row, seen, reader, keep_versions, moved=moved)


def _say(connection: Connection, identity: str, problem: str) -> None:
    """Add a problem to those of a document's live version."""
    mine = versions.c.document_id == identity
    problems = json.loads(connection.scalar(select(versions.c.problems).where(mine)) or "[]")
    connection.execute(update(versions).where(mine).values(problems=json.dumps([*problems, problem])))


def is_gone(source: str, job: Job) -> bool:
    """Say whether a file is not there any more although its folder, one of the job's, is: then it was moved."""
    if os.path.lexists(source):
        return False
    roots = [path for path in job.paths if source.startswith(path.rstrip("/") + "/")]
    return any(os.path.isdir(root) and os.listdir(root) for root in roots)
