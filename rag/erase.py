"""Removes documents and versions from the catalog, with everything that was derived from them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, delete, exists, insert, select, text, update

from rag.schema import answer_documents, answers, chunks, documents, embeddings, job_files, jobs, retired, versions

_DROP_WORDS = text(
    "INSERT INTO chunk_words(chunk_words, rowid, title, heading, text, segments) "
    "SELECT 'delete', id, title, heading, text, segments FROM chunks WHERE document_id = :document_id"
)


def drop_versions(connection: Connection, document_id: str) -> None:
    """Remove every version of a document with its chunks, words and pages; its vectors are noted for the owner of Chroma.

    Vectors in the catalog stay while some live chunk has the same text, or else until `sweep`.
    """
    connection.execute(_DROP_WORDS, {"document_id": document_id})
    mine = chunks.c.document_id == document_id
    connection.execute(
        insert(retired)
        .prefix_with("OR IGNORE")
        .from_select(["chunk_id", "collection"], select(chunks.c.chunk_id, chunks.c.collection).where(mine))
    )
    connection.execute(delete(versions).where(versions.c.document_id == document_id))


def erase_documents(connection: Connection, document_ids: Sequence[str]) -> None:
    """Remove documents whole: versions, text, keyword index, vectors, and the stored answers that cite them."""
    for document_id in document_ids:
        drop_versions(connection, document_id)
        citing = select(answer_documents.c.answer_id).where(answer_documents.c.document_id == document_id)
        connection.execute(delete(answers).where(answers.c.answer_id.in_(citing)))
        connection.execute(delete(documents).where(documents.c.document_id == document_id))
    _forget_paths(connection, document_ids)
    sweep(connection)
    merge_words(connection)


def _forget_paths(connection: Connection, document_ids: Sequence[str]) -> None:
    """Remove the documents' paths from the records of jobs, and from what finished jobs were asked to do."""
    paths = connection.scalars(select(job_files.c.path).where(job_files.c.document_id.in_(document_ids))).all()
    connection.execute(delete(job_files).where(job_files.c.document_id.in_(document_ids)))
    finished = select(jobs.c.job_id, jobs.c.paths).where(jobs.c.stage.in_(["done", "failed"]))
    for job in connection.execute(finished).all():
        asked = json.loads(job.paths)
        kept = [path for path in asked if path not in paths]
        if kept != asked:
            connection.execute(update(jobs).where(jobs.c.job_id == job.job_id).values(paths=json.dumps(kept)))


def merge_words(connection: Connection) -> None:
    """Merge the keyword index: FTS5 keeps deleted words in its segments until then."""
    connection.execute(text("INSERT INTO chunk_words(chunk_words) VALUES('optimize')"))


def sweep(connection: Connection) -> None:
    """Remove vectors whose text no chunk has any more."""
    used = exists().where(chunks.c.text_hash == embeddings.c.text_hash)
    connection.execute(delete(embeddings).where(~used))
