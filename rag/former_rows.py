"""Keeps versions that are replaced as former ones, as many as the settings say, and removes them again."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, literal, select, text, update

from rag.passages import HIDDEN, MADE_BY
from rag.schema import chunks, documents, former_chunks, former_pages, former_versions, pages, versions

_COPIED = (
    "ordinal", "start", "end", "page", "title", "heading", "context", "text", "segments", "text_hash",
)  # fmt: skip
_ADD_WORDS = text(
    "INSERT INTO former_words(rowid, title, heading, text, segments) "
    "SELECT id, title, heading, text, segments FROM former_chunks WHERE former_id = :former_id"
)
_DROP_WORDS = text(
    "INSERT INTO former_words(former_words, rowid, title, heading, text, segments) "
    "SELECT 'delete', id, title, heading, text, segments FROM former_chunks WHERE former_id = :former_id"
)


def keep_former(connection: Connection, document_id: str, replaced_by: str, keep: int) -> None:
    """Keep the live version of a document, which another one is about to replace; of its former ones the newest `keep`."""
    live = and_(documents.c.document_id == versions.c.document_id, documents.c.version == versions.c.version)
    query = select(versions).join(documents, live).where(documents.c.document_id == document_id)
    row = connection.execute(query).first()
    if keep and row is not None and row.version != replaced_by:
        _insert(connection, row)
    newest = (
        select(former_versions.c.former_id)
        .where(former_versions.c.document_id == document_id)
        .order_by(former_versions.c.live_until.desc(), former_versions.c.former_id.desc())
    )
    for former_id in connection.scalars(newest).all()[keep:]:
        _drop(connection, former_id)


def drop_former(connection: Connection, document_id: str) -> None:
    """Remove the former versions of a document."""
    mine = select(former_versions.c.former_id).where(former_versions.c.document_id == document_id)
    for former_id in connection.scalars(mine).all():
        _drop(connection, former_id)


def repoint_former(connection: Connection, old: str, new: str) -> None:
    """Give the former versions of a document to the one that it became when its file was moved."""
    connection.execute(update(former_versions).where(former_versions.c.document_id == old).values(document_id=new))


def _insert(connection: Connection, row: Row[Any]) -> None:
    former_id = connection.execute(
        insert(former_versions)
        .values(
            document_id=row.document_id,
            version=row.version,
            live_from=row.created,
            live_until=time.time(),
            format=row.format,
            text=row.text,
            details=row.details,
        )
        .returning(former_versions.c.former_id)
    ).scalar_one()
    mine = (pages.c.document_id == row.document_id) & (pages.c.version == row.version)
    kept_pages = select(literal(former_id), pages.c.number, pages.c.runs).where(mine)
    connection.execute(insert(former_pages).from_select(["former_id", "number", "runs"], kept_pages))
    theirs = (chunks.c.document_id == row.document_id) & (chunks.c.version == row.version)
    copied = (chunks.c[name] for name in _COPIED)
    own = MADE_BY.is_(None)  # what a model made is found as long as it is live
    kept = select(literal(former_id), *copied, HIDDEN).where(theirs, own).order_by(chunks.c.ordinal)
    connection.execute(insert(former_chunks).from_select(["former_id", *_COPIED, "hidden"], kept))
    connection.execute(_ADD_WORDS, {"former_id": former_id})


def _drop(connection: Connection, former_id: int) -> None:
    connection.execute(_DROP_WORDS, {"former_id": former_id})
    connection.execute(delete(former_versions).where(former_versions.c.former_id == former_id))
