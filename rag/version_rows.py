"""Writes the rows of a version: its text, pages, chunks and words."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, literal, or_, select, text, true

from ingest.pipeline import embedded_text
from ingest.ports import Version
from rag.naming import insert_names
from rag.schema import chunks, documents, hidden_spans, pages, versions
from rag.words import segments

ROWS_AT_ONCE = 1000
"""Chunks inserted together: a long document's are not all held as rows beside its text."""
_ADD_WORDS = text(
    "INSERT INTO chunk_words(rowid, title, heading, text, segments) "
    "SELECT id, title, heading, text, segments FROM chunks WHERE document_id = :document_id AND version = :version"
)


def document_id(collection: str, path: str) -> str:
    """Return the identity of (collection, path)."""
    return hashlib.sha256(f"{collection}\0{path}".encode()).hexdigest()[:16]


def below(path: str, source: Any = documents.c.source) -> Any:
    """Return the condition for documents whose file is `path` or stands below it, those inside files included."""
    if path == "/":
        return true()
    folder = path.rstrip("/") + "/"
    return or_(source == path, func.substr(source, 1, len(folder)) == folder)


def insert_version(connection: Connection, collection: str, path: str, version: Version) -> None:
    """Insert a version with its pages, chunks and words; the document's own row is the caller's."""
    reading = version.reading
    key = {"document_id": version.document_id, "version": version.version}
    connection.execute(
        insert(versions).values(
            **key,
            source_sha256=version.source_sha256,
            format=version.format,
            title=reading.title,
            text=reading.text,
            problems=json.dumps(reading.problems),
            details=json.dumps(reading.metadata),
            created=time.time(),
            beyond=version.beyond,
        )
    )
    rows: list[dict[str, Any]] = [
        {
            **key,
            "number": page.number,
            "label": page.label,
            "width": page.width,
            "height": page.height,
            "ocr": page.ocr,
            "confidence": page.confidence,
            "runs": page.runs,  # packed in the child, unopened here
        }
        for page in reading.pages
    ]
    if rows:
        connection.execute(insert(pages), rows)
    rows = [
        {**key, "start": element.start, "end": element.end, "page": element.page, "way": element.hidden}
        for element in reading.elements
        if element.hidden
    ]
    if rows:
        connection.execute(insert(hidden_spans), rows)
    insert_names(connection, version.document_id, version.version, path, reading.metadata)
    title = _title(reading.title, path)
    rows = []
    for chunk in version.chunks:
        body = reading.text[chunk.start : chunk.end]
        rows.append(
            {
                **key,
                "chunk_id": f"{version.document_id}.{version.version}.{chunk.ordinal}",
                "collection": collection,
                "ordinal": chunk.ordinal,
                "start": chunk.start,
                "end": chunk.end,
                "page": chunk.page,
                "title": title,
                "heading": chunk.heading,
                "context": chunk.context,
                "text": body,
                "segments": segments(f"{title}\n{chunk.heading}\n{body}"),
                "text_hash": hashlib.sha256(embedded_text(chunk.context, body).encode()).hexdigest(),
            }
        )
        if len(rows) == ROWS_AT_ONCE:
            connection.execute(insert(chunks), rows)
            rows = []
    if rows:
        connection.execute(insert(chunks), rows)
    connection.execute(_ADD_WORDS, key)


def copy_version(connection: Connection, donor: Row[Any], identity: str, collection: str, path: str) -> tuple[int, int]:
    """Give document `identity` the donor's live version; return its numbers of pages and chunks."""
    for table in (versions, pages, hidden_spans):
        rows = select(*(literal(identity) if c.name == "document_id" else c for c in table.c))
        mine = and_(table.c.document_id == donor.document_id, table.c.version == donor.version)
        connection.execute(insert(table).from_select([c.name for c in table.c], rows.where(mine)))
    copy = connection.execute(
        select(versions.c.title, versions.c.details).where(versions.c.document_id == identity)
    ).one()
    insert_names(connection, identity, donor.version, path, json.loads(copy.details))
    named = {"document_id": identity, "collection": collection, "title": _title(copy.title, path)}
    rows_of = select(chunks).where(chunks.c.document_id == donor.document_id, chunks.c.version == donor.version)
    copied = [
        {
            **{key: value for key, value in row._mapping.items() if key != "id"},
            **named,
            "chunk_id": f"{identity}.{donor.version}.{row.ordinal}",
            "segments": segments(f"{named['title']}\n{row.heading}\n{row.text}"),
        }
        for row in connection.execute(rows_of.order_by(chunks.c.ordinal))
    ]
    if copied:
        connection.execute(insert(chunks), copied)
    connection.execute(_ADD_WORDS, {"document_id": identity, "version": donor.version})
    paged = connection.scalar(select(func.count()).select_from(pages).where(pages.c.document_id == identity))
    return paged or 0, len(copied)


def _title(title: str | None, path: str) -> str:
    """Return what the keyword index knows of a document beside its text: its title and the name of its file."""
    return " ".join(part for part in (title or "", Path(path).stem.replace("_", " ")) if part)
