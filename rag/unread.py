"""Finds pages that a job has looked at and not read yet, by keyword. No answer rests on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, select

from rag.catalog import Catalog
from rag.passages import match_expression
from rag.schema import documents
from rag.schema_jobs import job_files
from rag.shapes import UnreadPage

MOST = 5
"""Pages that a search shows."""
ROWS = 10_000
"""Pages that one search scores: commoner words don't choose pages."""
_SHOWN = 48
"""Words of a page that are shown."""
_FIND = f"""
SELECT d.collection, d.document_id, d.path, p.number, snippet(unread_words, 0, '', '', ' … ', {_SHOWN}) AS shown
FROM unread_words w JOIN unread_pages p ON p.id = w.rowid
JOIN job_files f ON f.job_id = p.job_id AND f.document_id = p.document_id AND f.outcome = 'pending'
JOIN documents d ON d.document_id = p.document_id AND d.collection IN (SELECT value FROM json_each(?))
WHERE unread_words MATCH ? ORDER BY bm25(unread_words), p.id LIMIT ?
"""


def waiting(catalog: Catalog, collections: Sequence[str]) -> int:
    """Return how many documents of some collections a job has still to read."""
    mine = and_(documents.c.document_id == job_files.c.document_id, documents.c.collection.in_(list(collections)))
    pending = select(func.count(job_files.c.document_id.distinct())).join(documents, mine)
    with catalog.store.read() as connection:
        return connection.scalar(pending.where(job_files.c.outcome == "pending")) or 0


def unread(catalog: Catalog, words: Sequence[str], collections: Sequence[str]) -> list[UnreadPage]:
    """Return pages of some collections (of all when none is named) that a job has not read yet, best first by BM25."""
    with catalog.store.read() as connection:
        if connection.exec_driver_sql("SELECT 1 FROM unread_pages LIMIT 1").first() is None:
            return []
        names = catalog.require_collections(collections)
        match = " OR ".join(map(match_expression, _choosing(connection, words)))
        found: Sequence[Any] = []
        if match:
            found = connection.exec_driver_sql(_FIND, (json.dumps(names), match, MOST)).all()
    return [
        UnreadPage(
            collection=row.collection,
            document_id=row.document_id,
            path=row.path,
            page=row.number,
            text=" ".join(row.shown.split()),
        )
        for row in found
    ]


def _choosing(connection: Connection, words: Sequence[str]) -> list[str]:
    """Return the words that choose pages: the rare ones, as many as stand on so many pages together, at least one."""
    query = "SELECT count(*) FROM (SELECT 1 FROM unread_words WHERE unread_words MATCH ? LIMIT ?)"
    counts = {
        word: connection.exec_driver_sql(query, (match_expression(word), ROWS)).scalar_one()
        for word in dict.fromkeys(words)
    }
    chosen, rows = list[str](), 0
    for word in sorted((word for word in counts if counts[word]), key=lambda word: counts[word]):
        if chosen and rows + counts[word] > ROWS:
            break
        chosen.append(word)
        rows += counts[word]
    return chosen
