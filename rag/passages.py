"""Passages: live chunks with where they stand, and their vectors, as the catalog holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, select, text

from ingest.elements import DESCRIBED
from ingest.ports import Vectors
from rag.filters import Scope
from rag.schema import chunks, documents, embeddings, hidden_spans
from rag.scripts import is_single

_AT_ONCE = 500


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


def _passages() -> Any:
    return select(
        chunks.c.id,
        chunks.c.chunk_id,
        chunks.c.collection,
        chunks.c.document_id,
        chunks.c.version,
        documents.c.path,
        chunks.c.page,
        chunks.c.heading,
        chunks.c.context,
        chunks.c.text,
        chunks.c.start,
        chunks.c.end,
        HIDDEN.label("hidden"),
        MADE_BY.label("made_by"),
    ).join(documents, and_(documents.c.document_id == chunks.c.document_id, documents.c.version == chunks.c.version))


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
        (row.made_by or "").removeprefix(DESCRIBED).partition(" sha256:")[0],
    )


def live_passages(connection: Connection, chunk_ids: Sequence[str]) -> dict[str, Passage]:
    """Return those of the chunks that are live, by id."""
    found: dict[str, Passage] = {}
    for at in range(0, len(chunk_ids), _AT_ONCE):
        some = list(chunk_ids[at : at + _AT_ONCE])
        for row in connection.execute(_passages().where(chunks.c.chunk_id.in_(some))):
            found[row.chunk_id] = passage_of(row)
    return found


def passages_of(connection: Connection, document_id: str) -> list[Passage]:
    """Return the live passages of a document, in order."""
    rows = connection.execute(_passages().where(chunks.c.document_id == document_id).order_by(chunks.c.ordinal))
    return [passage_of(row) for row in rows]


def passages_by_row(connection: Connection, numbers: Sequence[int]) -> dict[int, Passage]:
    """Return those of the chunks that are live, by the number of their row in the keyword index."""
    found: dict[int, Passage] = {}
    for at in range(0, len(numbers), _AT_ONCE):
        for row in connection.execute(_passages().where(chunks.c.id.in_(list(numbers[at : at + _AT_ONCE])))):
            found[row.id] = passage_of(row)
    return found


def vectors_of(connection: Connection, which: Any, embedder: str) -> dict[str, Vectors]:
    """Return the vectors of the live chunks that `which` holds for, by chunk id, each of shape (dimension,)."""
    import numpy as np  # 0.1 s; commands that only list don't need it

    live = and_(documents.c.document_id == chunks.c.document_id, documents.c.version == chunks.c.version)
    kept = and_(embeddings.c.text_hash == chunks.c.text_hash, embeddings.c.embedder == embedder)
    query = select(chunks.c.chunk_id, embeddings.c.vector).join(documents, live).join(embeddings, kept).where(which)
    return {row.chunk_id: np.frombuffer(row.vector, dtype="<f4") for row in connection.execute(query)}


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
