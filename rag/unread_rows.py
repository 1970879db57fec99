"""Writes the pages that a job has looked at and not read yet, and drops them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, insert, select, text

from rag.schema_jobs import unread_pages
from rag.words import segments

_AT_ONCE = 500

_ADD = text(
    "INSERT INTO unread_words(rowid, text, segments) SELECT id, text, segments FROM unread_pages "
    "WHERE document_id = :document_id AND job_id = :job_id"
)
_EMPTY = text("INSERT INTO unread_words(unread_words) VALUES ('delete-all')")
_DROP = text("INSERT INTO unread_words(unread_words, rowid, text, segments) VALUES ('delete', :id, :text, :segments)")


def insert_unread(connection: Connection, job_id: str, document_id: str, pages: Sequence[str]) -> None:
    """Keep the text of a file's pages (from 1), and that the file was looked at."""
    key = {"job_id": job_id, "document_id": document_id}
    rows = [{**key, "number": 0, "text": "", "segments": ""}]
    rows += [
        {**key, "number": number, "text": page, "segments": segments(page)}
        for number, page in enumerate(pages, 1)
        if page.strip()
    ]
    connection.execute(insert(unread_pages), rows)
    connection.execute(_ADD, key)


def looked_at(connection: Connection, job_id: str) -> set[str]:
    """Return the ids of the documents that a job has looked at."""
    mine = select(unread_pages.c.document_id).where(unread_pages.c.job_id == job_id, unread_pages.c.number == 0)
    return set(connection.scalars(mine))


def drop_unread(connection: Connection, which: ColumnElement[bool]) -> None:
    """Drop pages with their words."""
    if connection.scalar(select(unread_pages.c.id).where(which).limit(1)) is None:
        return
    if connection.scalar(select(unread_pages.c.id).where(~which).limit(1)) is None:
        connection.execute(_EMPTY)  # words of the last ones need not be looked up one by one
    else:
        wanted = select(unread_pages.c.id, unread_pages.c.text, unread_pages.c.segments).where(which)
        for rows in connection.execute(wanted).partitions(_AT_ONCE):
            connection.execute(_DROP, [dict(row._mapping) for row in rows])
    connection.execute(delete(unread_pages).where(which))
