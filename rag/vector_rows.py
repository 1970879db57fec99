"""Finds the texts of a job that lack a vector, keeps the vectors, and notes the documents that have them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, insert, select, update

from ingest.pipeline import embedded_text
from ingest.ports import Job, Vectors
from rag.schema import chunks, documents, embeddings
from rag.schema_jobs import job_files


def texts_without_vector(connection: Connection, job: Job, embedder: str, limit: int) -> list[tuple[str, str]]:
    """Return (hash, text) of the job's live chunks that lack a vector, each distinct text once."""
    rows = connection.execute(
        select(chunks.c.text_hash, chunks.c.context, chunks.c.text)
        .join(job_files, job_files.c.document_id == chunks.c.document_id)
        .where(job_files.c.job_id == job.job_id, _without_vector(embedder))
        .order_by(chunks.c.id)
        .limit(limit)
    ).all()
    distinct = {row.text_hash: embedded_text(row.context, row.text) for row in rows}
    return list(distinct.items())


def count_without_vector(connection: Connection, job: Job, embedder: str) -> int:
    """Return how many distinct texts of a job lack a vector."""
    texts = (
        select(func.count(chunks.c.text_hash.distinct()))
        .join(job_files, job_files.c.document_id == chunks.c.document_id)
        .where(job_files.c.job_id == job.job_id, _without_vector(embedder))
    )
    return connection.scalar(texts) or 0


def insert_vectors(connection: Connection, embedder: str, vectors: Sequence[tuple[str, Vectors]]) -> None:
    """Keep vectors of texts by their hash, and note the documents that now have all of theirs."""
    keys = [key for key, _ in vectors]
    live = set(connection.scalars(select(chunks.c.text_hash).where(chunks.c.text_hash.in_(keys))))
    rows = [
        {"text_hash": key, "embedder": embedder, "vector": vector.astype("<f4").tobytes()}
        for key, vector in vectors
        if key in live  # a text that was forgotten meanwhile leaves no vector
    ]
    if rows:
        connection.execute(insert(embeddings).prefix_with("OR IGNORE"), rows)
    of_these = select(chunks.c.document_id).where(chunks.c.text_hash.in_(keys))
    mark_embedded(connection, embedder, documents.c.document_id.in_(of_these))


def mark_embedded(connection: Connection, embedder: str, which: ColumnElement[bool]) -> None:
    """Hand documents over whose every chunk has a vector: the owner of Chroma publishes them."""
    missing = exists().where(and_(chunks.c.document_id == documents.c.document_id, _without_vector(embedder)))
    connection.execute(
        update(documents).where(which, documents.c.state == "searchable", ~missing).values(state="embedded")
    )


def _without_vector(embedder: str) -> Any:
    """Return the condition for chunks whose text has no vector of an embedder."""
    return ~exists().where(and_(embeddings.c.text_hash == chunks.c.text_hash, embeddings.c.embedder == embedder))
