"""Keyword search over the live passages: FTS5's BM25, as a share of the most that a question could reach."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from rag.filters import Scope
from rag.passages import Passage, match_expression, passages_by_row
from rag.remembered import Remembered
from rag.store import Store
from rag.whole import Whole

BM25_WEIGHTS = "2.0, 1.5, 1.0, 1.0"
"""Weights of title, heading, text and segments in FTS5's bm25()."""
MOST = 2.2
"""FTS5's k1 + 1: what a word adds to BM25 at most, times its rarity."""
ROWS = 10_000
"""Passages that one search scores, about a microsecond each: in larger catalogs the commonest words don't choose passages."""
FIRST = 10
"""How many times as many as wanted are looked up by the index alone, before the documents' collections are asked."""
WHOLE = 1.0
"""What a piece that a question writes as one adds to BM25, times its rarity."""
HELD = 200
"""Passages that are read for what a question writes as one; what more may have is looked for among those found alone."""
COMMON = 5_000
"""Passages with each word of a piece from which on the index is not asked for it: going through them takes too long."""
_COUNTED = 200_000
"""A word that more passages have is not counted further: it says next to nothing."""


@dataclass(slots=True)
class Keywords:
    """Searches the keyword index of one catalog. How rare words are is remembered until the index is written to."""

    store: Store
    _known: Remembered = field(default_factory=Remembered)

    def rarity(self, words: Sequence[str]) -> dict[str, float]:
        """Return the inverse document frequency of each word, as FTS5's bm25() has it."""
        with self.store.read() as connection:
            known = self._now(connection)
            return {word: _idf(count, known.total) for word, count in _count(connection, known, words).items()}

    def counts(self, words: Sequence[str]) -> tuple[dict[str, int], int]:
        """Return how many live passages have each word (at most 200,000 are counted), and the number of live passages."""
        with self.store.read() as connection:
            known = self._now(connection)
            return _count(connection, known, words), known.total

    def stands_in(self, word: str, document_ids: Sequence[str]) -> bool:
        """Return whether a live passage of one of these documents has a word."""
        marks = ", ".join("?" * len(document_ids))
        query = (
            "SELECT 1 FROM chunk_words JOIN chunks ON chunks.id = chunk_words.rowid "
            f"WHERE chunk_words MATCH ? AND chunks.document_id IN ({marks}) LIMIT 1"
        )
        with self.store.read() as connection:
            found = connection.exec_driver_sql(query, (match_expression(word), *document_ids)).first()
        return found is not None

    def search(
        self,
        words: Sequence[str],
        other: Sequence[str],
        collections: Sequence[str],
        limit: int,
        scope: Scope | None = None,
        whole: Sequence[Whole] = (),
    ) -> list[tuple[Passage, float]]:
        """Return passages with any of the words or of their `other` wordings, best first.

        Scores are BM25 divided by what a passage with all `words`, over and over, would get: about 0 to 1, above only with
        many other wordings. What a passage has as the question writes it (`whole`) counts once more, as one word of its own
        rarity. What `scope` leaves out is left out before ranking.
        """
        if not words or not collections:
            return []
        with self.store.read() as connection:
            known = self._now(connection)
            counts = _count(connection, known, [*words, *other])
            best = MOST * sum(_idf(counts[word], known.total) for word in words) or 1.0
            everywhere = scope is None and known.collections <= set(collections)
            rows: list[tuple[int, float]] = []
            for match in _expressions(counts, known.total, scope is not None and scope.chunks <= ROWS):
                rows = (
                    _best(connection, match, limit)
                    if everywhere
                    else _ranked(connection, match, collections, limit, scope)
                )
                if rows:
                    break
            held = [(one, _holders(connection, known, one)) for one in whole] if rows else []
            if more := {row for _, some in held for row in some or ()} - {row for row, _ in rows}:
                inside = more if everywhere else _inside(connection, more, collections, scope)
                rows += _scored(connection, match, inside, limit)
            passages = passages_by_row(connection, [row[0] for row in rows])
        scores = {row: max(0.0, score) for row, score in rows if row in passages}
        for one, some in held:
            having = some if some is not None else {row for row in scores if one.stands_in(passages[row].text)}
            worth = _idf(len(having) if some is not None else HELD, known.total)
            for row in having & scores.keys():
                scores[row] += WHOLE * worth
        found = [(passages[row], score / best) for row, score in scores.items()]
        return sorted(found, key=lambda pair: (-pair[1], pair[0].chunk_id))[:limit]

    def languages(self, document_ids: Iterable[str]) -> dict[str, str | None]:
        """Return the language of the live version of each of the documents, None where it is not known."""
        with self.store.read() as connection:
            return self._now(connection).languages_of(connection, document_ids)

    def paged(self, document_ids: Iterable[str]) -> set[str]:
        """Return those of the documents that have more than one page."""
        with self.store.read() as connection:
            return self._now(connection).paged_of(connection, document_ids)

    def _now(self, connection: Connection) -> Remembered:
        self._known = known = self._known.now(connection)
        return known


def _expressions(counts: dict[str, int], total: int, every: bool) -> list[str]:
    """Return what to match, in turn until something is found: the rare words first where there are too many passages, or every
    word; one that most passages have adds nothing to BM25."""
    rarest = sorted((word for word in counts if counts[word]), key=lambda word: counts[word])
    if not rarest:
        return []
    chosen, rows = [], 0
    for word in rarest:
        if rows + counts[word] > ROWS and not (every and 2 * counts[word] < total):
            break
        chosen.append(word)
        rows += counts[word]
    if chosen:
        found = [" OR ".join(map(match_expression, chosen))]
        return [*found, " OR ".join(map(match_expression, rarest))] if every else found
    quoted = [match_expression(word) for word in rarest]
    if every:
        return [" OR ".join(quoted)]
    return [" AND ".join(quoted[:3]), " AND ".join(quoted[:2]), quoted[0]]


def _count(connection: Connection, known: Remembered, words: Sequence[str]) -> dict[str, int]:
    """Return how many live passages have each word."""
    found = {}
    for word in words:
        if (count := known.counts.get(word)) is None:
            count = known.counts[word] = connection.exec_driver_sql(
                "SELECT count(*) FROM (SELECT 1 FROM chunk_words WHERE chunk_words MATCH ? LIMIT ?)",
                (match_expression(word), _COUNTED),
            ).scalar_one()
        found[word] = count
    return found


def _idf(count: int, total: int) -> float:
    return max(1e-6, math.log((total - count + 0.5) / (count + 0.5))) if total >= count else 1e-6


def _best(connection: Connection, match: str, limit: int) -> list[tuple[int, float]]:
    """Return the best rows of the whole index with their scores."""
    query = f"SELECT rowid, bm25(chunk_words, {BM25_WEIGHTS}) AS score FROM chunk_words WHERE chunk_words MATCH ? ORDER BY score"
    return [(row[0], -row[1]) for row in connection.exec_driver_sql(f"{query} LIMIT ?", (match, limit)).all()]


def _holders(connection: Connection, known: Remembered, whole: Whole) -> set[int] | None:
    """Return the rows that have what a question writes as one, None where too many may have it to read them all."""
    if any(min(_count(connection, known, phrase.split()).values()) > COMMON for phrase in whole.phrases):
        return None
    rows = connection.exec_driver_sql(
        "SELECT rowid FROM chunk_words WHERE chunk_words MATCH ? LIMIT ?",
        (" OR ".join(map(match_expression, whole.phrases)), HELD + 1),
    ).all()
    if len(rows) > HELD:
        return None
    texts = connection.exec_driver_sql(
        "SELECT c.id, c.text FROM json_each(?) w CROSS JOIN chunks c ON c.id = w.value",
        (json.dumps([row[0] for row in rows]),),
    )
    return {row[0] for row in texts if whole.stands_in(row[1])}


def _inside(connection: Connection, rows: set[int], collections: Sequence[str], scope: Scope | None) -> set[int]:
    """Return those of the rows that are in some collections, or in a scope."""
    inside, values = _condition(collections, scope)
    query = f"SELECT c.id FROM chunks c WHERE c.id IN (SELECT value FROM json_each(:ids)) AND {inside}"
    return set(connection.scalars(text(query), {**values, "ids": json.dumps(sorted(rows))}))


def _scored(connection: Connection, match: str, rows: set[int], limit: int) -> list[tuple[int, float]]:
    """Return the best of some rows with their scores, 0 for those that have none of the words that choose."""
    query = (
        f"SELECT rowid, -bm25(chunk_words, {BM25_WEIGHTS}) AS score FROM chunk_words WHERE chunk_words MATCH ? "
        "AND rowid IN (SELECT value FROM json_each(?)) ORDER BY score DESC, rowid LIMIT ?"
    )
    best = connection.exec_driver_sql(query, (match, json.dumps(sorted(rows)), limit)).all()
    scores = {int(row[0]): float(row[1]) for row in best}
    return [*scores.items(), *((row, 0.0) for row in sorted(rows - scores.keys())[: limit - len(scores)])]


def _condition(collections: Sequence[str], scope: Scope | None) -> tuple[str, dict[str, Any]]:
    """Return the condition on `chunks` c for some collections, or for a scope, which is of some already, and its values."""
    if scope is not None:
        return scope.condition, scope.values
    values: dict[str, Any] = {f"c{number}": name for number, name in enumerate(collections)}
    return f"c.collection IN ({', '.join(':' + key for key in values)})", values


def _span(connection: Connection, scope: Scope) -> tuple[int, int]:
    """Return the first and last row of the chunks of a scope: a document's were inserted together."""
    row = connection.execute(
        text(
            "SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM chunks "
            "WHERE document_id IN (SELECT value FROM json_each(:ids))"
        ),
        {"ids": scope.values["scope_ids"]},
    ).one()
    return int(row[0]), int(row[1])


def _ranked(
    connection: Connection, match: str, collections: Sequence[str], limit: int, scope: Scope | None
) -> list[tuple[int, float]]:
    """Return the best rows of some collections or of a scope."""
    inside, values = _condition(collections, scope)
    if scope is None or scope.chunks > ROWS:
        # joining every passage that has a word costs more than scoring it
        best = _best(connection, match, FIRST * limit)
        scores = dict(best)
        query = f"SELECT c.id, c.chunk_id FROM chunks c WHERE c.id IN (SELECT value FROM json_each(:ids)) AND {inside}"
        rows = connection.execute(text(query), {**values, "ids": json.dumps(list(scores))}).all()
        if len(rows) >= limit or len(best) < FIRST * limit:
            order = sorted(rows, key=lambda row: (-scores[row[0]], row[1]))
            return [(int(row[0]), scores[row[0]]) for row in order[:limit]]
    query = (
        f"SELECT c.id, -bm25(chunk_words, {BM25_WEIGHTS}) AS score FROM chunk_words "
        f"JOIN chunks c ON c.id = chunk_words.rowid WHERE chunk_words MATCH :match AND {inside} "
    )
    if scope is not None:
        first, last = _span(connection, scope)
        query += "AND chunk_words.rowid BETWEEN :first AND :last "
        values = {**values, "first": first, "last": last}
    query += "ORDER BY score DESC, c.chunk_id LIMIT :limit"
    found = connection.execute(text(query), {**values, "match": match, "limit": limit})
    return [(int(row[0]), float(row[1])) for row in found]
