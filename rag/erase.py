"""Removes documents and versions from the catalog, with everything that was derived from them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, and_, delete, exists, insert, select, text, update

from rag.former_rows import drop_former
from rag.schema import answer_documents, answers, chunks, documents, embeddings, former_chunks, retired, versions
from rag.schema_jobs import job_files, jobs, unread_pages
from rag.unread_rows import drop_unread
from rag.version_rows import below

_DROP_WORDS = text(
    "INSERT INTO chunk_words(chunk_words, rowid, title, heading, text, segments) "
    "SELECT 'delete', id, title, heading, text, segments FROM chunks WHERE document_id = :document_id"
)


def drop_versions(connection: Connection, document_id: str) -> None:
    """Remove the live version of a document with its chunks, words and pages; its vectors are noted for the owner of Chroma.

    Vectors in the catalog stay while some chunk has the same text, or else until `tidy`.
    """
    connection.execute(_DROP_WORDS, {"document_id": document_id})
    mine = chunks.c.document_id == document_id
    connection.execute(
        insert(retired)
        .prefix_with("OR IGNORE")
        .from_select(["chunk_id", "collection"], select(chunks.c.chunk_id, chunks.c.collection).where(mine))
    )
    connection.execute(delete(versions).where(versions.c.document_id == document_id))


def with_members(connection: Connection, document_ids: Sequence[str]) -> list[str]:
    """Return documents with all that are inside them, at any depth."""
    found = list(document_ids)
    level = found
    while level:
        level = list(connection.scalars(select(documents.c.document_id).where(documents.c.container.in_(level))))
        level = [name for name in level if name not in found]
        found += level
    return found


def erase_documents(connection: Connection, document_ids: Sequence[str], gone_in: str = "") -> list[str]:
    """Remove documents whole, and those inside them: versions, text, words, the stored answers that cite them.

    Returns the ids of all. `tidy` has to follow, in this transaction or a later one of the same job. The report of the job
    `gone_in` goes on naming those of them that vanished before it read them.
    """
    erased = with_members(connection, document_ids)
    for document_id in erased:
        drop_versions(connection, document_id)
        drop_former(connection, document_id)
        drop_unread(connection, unread_pages.c.document_id == document_id)
        citing = select(answer_documents.c.answer_id).where(answer_documents.c.document_id == document_id)
        connection.execute(delete(answers).where(answers.c.answer_id.in_(citing)))
        connection.execute(delete(documents).where(documents.c.document_id == document_id))
    _forget_paths(connection, erased, gone_in)
    return erased


def tidy(connection: Connection) -> None:
    """Remove what erased and replaced versions leave behind: vectors of text that no chunk has, words in old segments."""
    used = exists().where(chunks.c.text_hash == embeddings.c.text_hash)
    used_before = exists().where(former_chunks.c.text_hash == embeddings.c.text_hash)
    connection.execute(delete(embeddings).where(~used, ~used_before))
    # FTS5 keeps deleted words in its segments until they are merged.
    for index in ("chunk_words", "former_words", "unread_words"):
        connection.execute(text(f"INSERT INTO {index}({index}) VALUES('optimize')"))


def repoint_answers(connection: Connection, old: str, new: str, path: str) -> None:
    """Let the stored answers that cite a document cite the one that it became when its file was moved."""
    citing = select(answer_documents.c.answer_id).where(answer_documents.c.document_id == old)
    for row in connection.execute(select(answers).where(answers.c.answer_id.in_(citing))).all():
        kept = json.loads(row.answer)
        sides = [side for found in kept.get("disagreements", ()) for side in found["sides"]]
        for place in (*kept["passages"], *kept["citations"], *kept.get("candidates", ()), *sides):
            if place["document_id"] == old:
                place |= {"document_id": new, "path": path}
        changed = json.dumps(kept, ensure_ascii=False)
        connection.execute(update(answers).where(answers.c.answer_id == row.answer_id).values(answer=changed))
    connection.execute(
        update(answer_documents).prefix_with("OR REPLACE").where(answer_documents.c.document_id == old)
        .values(document_id=new)
    )  # fmt: skip


def vanished(connection: Connection, name: str) -> set[str]:
    """Return the paths of a file, or of all below a folder, that a job listed and found gone."""
    path = os.path.abspath(Path(name).expanduser())
    gone = and_(job_files.c.outcome == "gone", below(path, job_files.c.source))
    return set(connection.scalars(select(job_files.c.path).where(gone))) if name.strip() else set()


def forget_vanished(connection: Connection, name: str) -> None:
    """Remove such paths from the records of jobs."""
    paths = sorted(vanished(connection, name))
    for at in range(0, len(paths), 500):
        these = job_files.c.path.in_(paths[at : at + 500])
        connection.execute(delete(job_files).where(job_files.c.outcome == "gone", these))
    _forget_asked(connection, set(paths))


def _forget_paths(connection: Connection, document_ids: Sequence[str], gone_in: str) -> None:
    """Remove the documents' paths from the records of jobs, and from what finished jobs were asked to do."""
    paths: set[str] = set()
    for at in range(0, len(document_ids), 500):
        named = job_files.c.document_id.in_(document_ids[at : at + 500])
        paths.update(connection.scalars(select(job_files.c.path).where(named)))
        told = and_(job_files.c.job_id == gone_in, job_files.c.outcome == "gone")
        connection.execute(delete(job_files).where(named, ~told))
    _forget_asked(connection, paths)


def _forget_asked(connection: Connection, paths: set[str]) -> None:
    """Remove paths from what finished jobs were asked to do."""
    finished = select(jobs.c.job_id, jobs.c.paths).where(jobs.c.stage.in_(["done", "cancelled"]))
    for job in connection.execute(finished).all():
        asked = json.loads(job.paths)
        kept = [path for path in asked if path not in paths]
        if kept != asked:
            connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(paths=json.dumps(kept)))
