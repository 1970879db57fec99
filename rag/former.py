"""Finds passages of the versions that were live at a date: the live ones of that age, and former ones that are kept."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, select, text

from ingest.ports import Vectors
from rag.bm25 import WEIGHTS, ceiling
from rag.errors import NotFound
from rag.filters import Filter, Scope, conditions, scope_of
from rag.passages import Passage, cosines, match_expression, passage_of
from rag.schema import documents, former_versions, versions
from rag.store import Store


@dataclass(frozen=True, slots=True)
class AsOf:
    """What was live at the end of a day: the scope of documents whose live version is that old, and former versions.

    `missing` counts documents that were known then, but whose version of then is not kept.
    """

    live: Scope
    former_ids: tuple[int, ...]
    missing: int

    @property
    def documents(self) -> int:
        """How many documents have a version of then that can be searched."""
        return len(self.live.document_ids) + len(self.former_ids)


@dataclass(frozen=True, slots=True)
class FormerFound:
    """Passages of former versions by id, with their keyword scores and their cosines, those that have them."""

    passages: dict[str, Passage]
    keyword: dict[str, float]
    cosines: dict[str, float]


@dataclass(frozen=True, slots=True)
class Former:
    """The former versions in one catalog."""

    store: Store

    def at(self, day: date, collections: Sequence[str], wanted: Filter | None) -> AsOf:
        """Return what was live at the end of a day; raise NotFound when nothing was, or nothing of it is kept."""
        when = datetime.combine(day + timedelta(days=1), datetime.min.time()).timestamp()
        wanted = wanted or Filter()
        here = documents.c.collection.in_(list(collections))
        then = (former_versions.c.live_from < when) & (former_versions.c.live_until >= when)
        with self.store.read() as connection:
            live = scope_of(connection, wanted, collections, live_by=when)
            rows = connection.execute(
                select(former_versions.c.former_id, former_versions.c.document_id)
                .join(documents, documents.c.document_id == former_versions.c.document_id)
                .where(here, then, *conditions(wanted, former_versions))
            ).all()
            current = (versions.c.document_id == documents.c.document_id) & (versions.c.version == documents.c.version)
            known = connection.execute(
                select(documents.c.document_id, documents.c.known_since, versions.c.created)
                .outerjoin(versions, current)
                .where(here, documents.c.known_since.is_not(None), *conditions(wanted, None))
            ).all()
            covered = set(
                connection.scalars(
                    select(former_versions.c.document_id)
                    .join(documents, documents.c.document_id == former_versions.c.document_id)
                    .where(here, then)
                )
            )
        missing = sum(
            row.known_since < when
            and not (row.created is not None and row.created < when)
            and row.document_id not in covered
            for row in known
        )
        found = AsOf(live, tuple(sorted(row.former_id for row in rows)), missing)
        if not live.document_ids and not rows:
            raise _nothing(day, missing, min((row.known_since for row in known), default=None))
        return found

    def search(
        self, as_of: AsOf, words: Sequence[str], other: Sequence[str], vector: Vectors, limit: int, embedder: str
    ) -> FormerFound:
        """Return the best passages of former versions by keyword and by vector, `limit` of each."""
        if not as_of.former_ids:
            return FormerFound({}, {}, {})
        ids = json.dumps(as_of.former_ids)
        with self.store.read() as connection:
            keyword = _keyword(connection, ids, words, other, limit)
            likeness = _cosines(connection, ids, vector, embedder)
            near = sorted(likeness, key=lambda key: (-likeness[key], key))[:limit]
            passages = _passages(connection, sorted({*keyword, *near}))
        return FormerFound(
            {passage.chunk_id: passage for passage in passages.values()},
            {passages[row].chunk_id: score for row, score in keyword.items()},
            {passages[row].chunk_id: likeness[row] for row in passages if row in likeness},
        )

    def alike(self, document_id: str, words: Sequence[str], limit: int) -> list[tuple[Passage, date]]:
        """Return passages of former versions of a document with most of some words, and the day until which each was live."""
        mine = former_versions.c.document_id == document_id
        columns = former_versions.c.former_id, former_versions.c.version, former_versions.c.live_until
        with self.store.read() as connection:
            kept = connection.execute(select(*columns).where(mine).order_by(former_versions.c.live_until)).all()
            if not kept or not words:
                return []
            best = _keyword(connection, json.dumps([row.former_id for row in kept]), words, (), limit)
            passages = _passages(connection, list(best))
        until = {row.version: date.fromtimestamp(row.live_until) for row in kept}
        return [(passages[row], until[passages[row].version]) for row in best]


def _nothing(day: date, missing: int, first: float | None) -> NotFound:
    if missing:
        count = "1 document has" if missing == 1 else f"{missing} documents have"
        return NotFound(
            f"The versions that were live on {day} are not kept: {count} changed since.",
            "Choose a later date. How many former versions of a document are kept says `ingest.keep_versions`.",
        )
    if first is None:
        return NotFound("There is no document to answer from.", "List them with `readingroom documents`.")
    came = time.strftime("%Y-%m-%d", time.localtime(first))
    return NotFound(f"No document was here on {day}; the first came in on {came}.", "Choose a later date.")


def _keyword(
    connection: Connection, ids: str, words: Sequence[str], other: Sequence[str], limit: int
) -> dict[int, float]:
    """Return rows of former chunks with their BM25 as a share of the most that the words could reach."""
    if not words:
        return {}
    total = connection.execute(text("SELECT count(*) FROM former_chunks")).scalar_one()
    counted = text("SELECT count(*) FROM former_words WHERE former_words MATCH :word")
    counts = [connection.execute(counted, {"word": match_expression(word)}).scalar_one() for word in words]
    best = ceiling(counts, total)
    rows = connection.execute(
        text(
            f"SELECT f.id, -bm25(former_words, {WEIGHTS}) AS score FROM former_words "
            "JOIN former_chunks f ON f.id = former_words.rowid WHERE former_words MATCH :match "
            "AND f.former_id IN (SELECT value FROM json_each(:ids)) ORDER BY score DESC, f.id LIMIT :limit"
        ),
        {"match": " OR ".join(map(match_expression, [*words, *other])), "ids": ids, "limit": limit},
    )
    return {int(row[0]): max(0.0, float(row[1])) / best for row in rows}


def _cosines(connection: Connection, ids: str, vector: Vectors, embedder: str) -> dict[int, float]:
    """Compare with the vector of every chunk of some former versions, one by one."""
    rows = connection.execute(
        text(
            "SELECT f.id, e.vector FROM former_chunks f "
            "JOIN embeddings e ON e.text_hash = f.text_hash AND e.embedder = :embedder "
            "WHERE f.former_id IN (SELECT value FROM json_each(:ids))"
        ),
        {"embedder": embedder, "ids": ids},
    ).all()
    likeness = cosines([row[1] for row in rows], vector).tolist()
    return dict(zip((int(row[0]) for row in rows), likeness, strict=True))


def _passages(connection: Connection, numbers: Sequence[int]) -> dict[int, Passage]:
    rows = connection.execute(
        text(
            "SELECT f.id, v.document_id || '.' || v.version || '.' || f.ordinal AS chunk_id, "
            "v.document_id, v.version, d.collection, d.path, f.page, f.heading, f.context, f.text, "
            'f.start, f."end", f.hidden, '
            "NULL AS made_by FROM former_chunks f JOIN former_versions v ON v.former_id = f.former_id "
            "JOIN documents d ON d.document_id = v.document_id WHERE f.id IN (SELECT value FROM json_each(:numbers))"
        ),
        {"numbers": json.dumps(list(numbers))},
    )
    return {int(row.id): passage_of(row) for row in rows}
