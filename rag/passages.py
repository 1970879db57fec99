"""Passages: live chunks with where they stand, and their vectors, as the catalog holds them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, select, text

from ingest.elements import DESCRIBED
from ingest.ports import Vectors
from rag.filters import Scope
from rag.schema import chunks, documents, embeddings, hidden_spans
from rag.scripts import is_single


@dataclass(frozen=True, slots=True)
class Passage:
    """A live chunk with where it stands; `hidden` says that its text is hidden from who looks at the document, `made_by` which
    model wrote it about a picture."""

    chunk_id: str
    collection: str
    document_id: str
    version: str
    path: str
    page: int
    heading: str
    context: str
    text: str
    start: int
    end: int
    hidden: bool = False
    made_by: str = ""


def match_expression(word: str) -> str:
    """Return the expression of FTS5 for a word; one sign of a script without spaces begins each pair it stands first in."""
    return '"' + word.replace('"', '""') + '"' + (" *" if is_single(word) else "")


_MADE = hidden_spans.c.way.startswith(DESCRIBED)
_OVER = (
    hidden_spans.c.document_id == chunks.c.document_id,
    hidden_spans.c.version == chunks.c.version,
    hidden_spans.c.start < chunks.c.end,
    hidden_spans.c.end > chunks.c.start,
)
HIDDEN = exists().where(*_OVER, ~_MADE)
"""Whether a chunk's text is hidden from who looks at the document."""


MADE_BY = select(hidden_spans.c.way).where(*_OVER, _MADE).limit(1).scalar_subquery()
"""How a model's text is marked, NULL for text of the document."""


def passage_of(row: Row[Any]) -> Passage:
    """Return the passage of a row that has its columns by name, live or former."""
    return Passage(
        row.chunk_id,
        row.collection,
        row.document_id,
        row.version,
        row.path,
        row.page,
        row.heading,
        row.context,
        row.text,
        row.start,
        row.end,
        bool(row.hidden),
        _maker(row.made_by),
    )


def _maker(way: str | None) -> str:
    """Return which model wrote a text, out of how it is marked; "" for text of the document."""
    return (way or "").removeprefix(DESCRIBED).partition(" sha256:")[0]


_MARKED = (
    "FROM hidden_spans h WHERE h.document_id = c.document_id AND h.version = c.version "
    'AND h.start < c."end" AND h."end" > c.start'
)
_BY_MODEL = f"h.way LIKE '{DESCRIBED}%'"
_COLUMNS = f"""
SELECT c.id, c.chunk_id, c.collection, c.document_id, c.version, d.path, c.page, c.heading, c.context, c.text, c.start, c."end",
EXISTS (SELECT 1 {_MARKED} AND NOT {_BY_MODEL}), (SELECT h.way {_MARKED} AND {_BY_MODEL} LIMIT 1)
"""
"""As text: SQLAlchemy takes longer to put such a query together than SQLite to answer it, and every search asks some."""
_LIVE = "JOIN documents d ON d.document_id = c.document_id AND d.version = c.version"
_BY_ID = f"{_COLUMNS} FROM json_each(?) w CROSS JOIN chunks c ON c.chunk_id = w.value {_LIVE}"
_BY_ROW = f"{_COLUMNS} FROM json_each(?) w CROSS JOIN chunks c ON c.id = w.value {_LIVE}"
_OF_DOCUMENT = f"{_COLUMNS} FROM chunks c {_LIVE} WHERE c.document_id = ? ORDER BY c.ordinal"
_VECTORS = f"""
SELECT c.chunk_id, e.vector FROM json_each(?) w CROSS JOIN chunks c ON c.chunk_id = w.value {_LIVE}
JOIN embeddings e ON e.text_hash = c.text_hash AND e.embedder = ?
"""


def _passage(row: Row[Any]) -> Passage:
    """Return the passage of a row that has `_COLUMNS`."""
    columns: Sequence[Any] = row
    _, key, collection, document, version, path, page, heading, context, said, start, end, hidden, made = columns
    return Passage(
        key, collection, document, version, path, page, heading, context, said, start, end, bool(hidden), _maker(made)
    )


def live_passages(connection: Connection, chunk_ids: Sequence[str]) -> dict[str, Passage]:
    """Return those of the chunks that are live, by id."""
    rows = connection.exec_driver_sql(_BY_ID, (json.dumps(list(chunk_ids)),)).all()
    return {row[1]: _passage(row) for row in rows}


def passages_of(connection: Connection, document_id: str) -> list[Passage]:
    """Return the live passages of a document, in order."""
    return [_passage(row) for row in connection.exec_driver_sql(_OF_DOCUMENT, (document_id,))]


def passages_by_row(connection: Connection, numbers: Sequence[int]) -> dict[int, Passage]:
    """Return those of the chunks that are live, by the number of their row in the keyword index."""
    rows = connection.exec_driver_sql(_BY_ROW, (json.dumps(list(numbers)),)).all()
    return {row[0]: _passage(row) for row in rows}


def vectors_of(connection: Connection, chunk_ids: Sequence[str], embedder: str) -> dict[str, Vectors]:
    """Return the vectors of those of the chunks that are live, by chunk id, each of shape (dimension,)."""
    import numpy as np  # 0.1 s; commands that only list don't need it

    rows = connection.exec_driver_sql(_VECTORS, (json.dumps(list(chunk_ids)), embedder)).all()
    return {row[0]: np.frombuffer(row[1], dtype="<f4") for row in rows}


def all_vectors(connection: Connection, collection: str, embedder: str) -> tuple[list[str], Vectors]:
    """Return the ids of a collection's live chunks and their vectors of an embedder, of shape (ids, dimension)."""
    import numpy as np  # as above

    live = and_(documents.c.document_id == chunks.c.document_id, documents.c.version == chunks.c.version)
    kept = and_(embeddings.c.text_hash == chunks.c.text_hash, embeddings.c.embedder == embedder)
    query = select(chunks.c.chunk_id, embeddings.c.vector).join(documents, live).join(embeddings, kept)
    rows = connection.execute(query.where(chunks.c.collection == collection)).all()
    found = np.frombuffer(b"".join(row.vector for row in rows), dtype="<f4")
    return [row.chunk_id for row in rows], found.reshape(len(rows), -1) if rows else found.reshape(0, 0)


def nearest_in(connection: Connection, scope: Scope, vector: Vectors, limit: int, embedder: str) -> dict[str, float]:
    """Return the nearest live chunks of a scope with their cosines, compared one by one; `vector` has length 1."""
    rows = connection.execute(
        text(
            "SELECT c.chunk_id, e.vector FROM chunks c "
            "JOIN embeddings e ON e.text_hash = c.text_hash AND e.embedder = :embedder "
            f"WHERE {scope.condition}"
        ),
        {"embedder": embedder, **scope.values},
    ).all()
    if not rows:
        return {}
    likeness = cosines([row[1] for row in rows], vector)
    nearest = (-likeness).argpartition(limit - 1)[:limit].tolist() if len(rows) > limit else range(len(rows))
    best = sorted(((rows[at][0], float(likeness[at])) for at in nearest), key=lambda pair: (-pair[1], pair[0]))
    return dict(best)


def cosines(vectors: Sequence[bytes], vector: Vectors) -> Any:
    """Return the cosine of each stored vector with one of length 1, shape (vectors,)."""
    import numpy as np  # 0.1 s; commands that only list don't need it

    if not vectors:
        return np.zeros(0, dtype=np.float32)
    return np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), -1) @ vector
