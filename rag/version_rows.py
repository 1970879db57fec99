"""Writes the rows of a version: its text, pages, chunks and words."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, func, insert, literal, or_, select, text, true, update

from ingest.pipeline import embedded_text
from ingest.ports import Seen, Version
from rag.naming import insert_names
from rag.schema import chunks, documents, hidden_spans, pages, versions
from rag.words import segments

ROWS_AT_ONCE = 500
"""Rows inserted together: a long document's are not all held beside its text."""
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
    page_rows = (
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
    )
    _insert_all(connection, pages, page_rows)
    hidden = (
        {**key, "start": element.start, "end": element.end, "page": element.page, "way": element.hidden}
        for element in reading.elements
        if element.hidden
    )
    _insert_all(connection, hidden_spans, hidden)
    insert_names(connection, version.document_id, version.version, path, reading.metadata)
    _insert_all(connection, chunks, _chunk_rows(version, collection, _title(reading.title, path)))
    connection.execute(_ADD_WORDS, key)


def _chunk_rows(version: Version, collection: str, title: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a version's chunks."""
    for chunk in version.chunks:
        body = version.reading.text[chunk.start : chunk.end]
        yield {
            "document_id": version.document_id,
            "version": version.version,
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


def _insert_all(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows, some at a time."""
    left = iter(rows)
    while some := list(islice(left, ROWS_AT_ONCE)):
        connection.execute(insert(table), some)


def now_searchable(connection: Connection, identity: str, version: str, seen: Seen, reader: str) -> None:
    """Note which version of a document is live now, and how its file was seen."""
    connection.execute(
        update(documents)
        .where(documents.c.document_id == identity)
        .values(
            state="searchable", reason="", remedy="", version=version, tried=version, size=seen.size,
            modified_ns=seen.modified_ns, reader=reader, updated=time.time(),
            known_since=func.coalesce(documents.c.known_since, time.time()),
        )
    )  # fmt: skip


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
    held = connection.execute(rows_of.order_by(chunks.c.ordinal)).all()  # all, before the copies are beside them
    copies = (
        {
            **{key: value for key, value in row._mapping.items() if key != "id"},
            **named,
            "chunk_id": f"{identity}.{donor.version}.{row.ordinal}",
            "segments": segments(f"{named['title']}\n{row.heading}\n{row.text}"),
        }
        for row in held
    )
    _insert_all(connection, chunks, copies)
    connection.execute(_ADD_WORDS, {"document_id": identity, "version": donor.version})
    paged = connection.scalar(select(func.count()).select_from(pages).where(pages.c.document_id == identity))
    return paged or 0, len(held)


def _title(title: str | None, path: str) -> str:
    """Return what the keyword index knows of a document beside its text: its title and the name of its file."""
    return " ".join(part for part in (title or "", Path(path).stem.replace("_", " ")) if part)
