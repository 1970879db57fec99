"""Keyword search over the live passages: FTS5's BM25, as a share of the most that a question could reach."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from rag.filters import Scope
from rag.passages import Passage, match_expression, passages_by_row
from rag.store import Store

BM25_WEIGHTS = "2.0, 1.5, 1.0, 1.0"
"""Weights of title, heading, text and segments in FTS5's bm25()."""
MOST = 2.2
"""FTS5's k1 + 1: what a word adds to BM25 at most, times its rarity."""
ROWS = 10_000
"""Passages that one search scores, about a microsecond each: in larger catalogs the commonest words don't choose passages."""
FIRST = 10
"""How many times as many as wanted are looked up by the index alone, before the documents' collections are asked."""
_REMEMBERED = 50_000
_COUNTED = 200_000
"""A word that more passages have is not counted further: it says next to nothing."""


@dataclass(slots=True)
class Keywords:
    """Searches the keyword index of one catalog. How rare words are is remembered until the catalog is written to."""

    store: Store
    _state: tuple[int, ...] = ()
    _total: int = 0
    _counts: dict[str, int] = field(default_factory=dict)

    def rarity(self, words: Sequence[str]) -> dict[str, float]:
        """Return the inverse document frequency of each word, as FTS5's bm25() has it."""
        with self.store.read() as connection:
            return {word: self._idf(count) for word, count in self._count(connection, words).items()}

    def counts(self, words: Sequence[str]) -> tuple[dict[str, int], int]:
        """Return how many live passages have each word (at most 200,000 are counted), and the number of live passages."""
        with self.store.read() as connection:
            return self._count(connection, words), self._total

    def search(
        self,
        words: Sequence[str],
        other: Sequence[str],
        collections: Sequence[str],
        limit: int,
        scope: Scope | None = None,
    ) -> list[tuple[Passage, float]]:
        """Return passages with any of the words or of their `other` wordings, best first.

        Scores are BM25 divided by what a passage with all `words`, over and over, would get: about 0 to 1, above only with
        many other wordings. What `scope` leaves out is left out before ranking.
        """
        if not words or not collections:
            return []
        with self.store.read() as connection:
            counts = self._count(connection, [*words, *other])
            best = MOST * sum(self._idf(counts[word]) for word in words) or 1.0
            rows: list[tuple[int, float]] = []
            small = scope is not None and scope.chunks <= ROWS
            for match in self._expressions(counts, limited=small):
                rows = _ranked(connection, match, collections, limit, scope)
                if rows:
                    break
            passages = passages_by_row(connection, [row[0] for row in rows])
        found = [(passages[row], max(0.0, score) / best) for row, score in rows if row in passages]
        return sorted(found, key=lambda pair: (-pair[1], pair[0].chunk_id))

    def _expressions(self, counts: dict[str, int], limited: bool) -> list[str]:
        """Return what to match, in turn until something is found: the rare words first where there are too many passages."""
        rarest = sorted((word for word in counts if counts[word]), key=lambda word: counts[word])
        if not rarest:
            return []
        if limited:
            return [" OR ".join(map(match_expression, rarest))]
        chosen, rows = [], 0
        for word in rarest:
            if rows + counts[word] > ROWS:
                break
            chosen.append(word)
            rows += counts[word]
        if chosen:
            return [" OR ".join(map(match_expression, chosen))]
        every = [match_expression(word) for word in rarest]
        return [" AND ".join(every[:3]), " AND ".join(every[:2]), every[0]]

    def _count(self, connection: Connection, words: Sequence[str]) -> dict[str, int]:
        """Return how many live passages have each word."""
        state = self.store.state()
        if state != self._state or len(self._counts) > _REMEMBERED:
            self._total = connection.exec_driver_sql("SELECT count(*) FROM chunks").scalar_one()
            self._state, self._counts = state, {}
        found = {}
        for word in words:
            if word not in self._counts:
                self._counts[word] = connection.execute(
                    text("SELECT count(*) FROM (SELECT 1 FROM chunk_words WHERE chunk_words MATCH :word LIMIT :most)"),
                    {"word": match_expression(word), "most": _COUNTED},
                ).scalar_one()
            found[word] = self._counts[word]
        return found

    def _idf(self, count: int) -> float:
        return max(1e-6, math.log((self._total - count + 0.5) / (count + 0.5))) if self._total >= count else 1e-6


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
    values: dict[str, Any] = {f"c{number}": name for number, name in enumerate(collections)}
    inside = f"c.collection IN ({', '.join(':' + key for key in values)})"
    values |= {"match": match, "limit": limit}
    if scope is None:
        # joining every passage that has a word costs more than scoring it
        best = connection.execute(
            text(
                f"SELECT rowid, bm25(chunk_words, {BM25_WEIGHTS}) AS score FROM chunk_words WHERE chunk_words MATCH :match "
                "ORDER BY score LIMIT :most"
            ),
            {"match": match, "most": FIRST * limit},
        ).all()
        scores = {int(row[0]): -float(row[1]) for row in best}
        rows = connection.execute(
            text(
                f"SELECT c.id, c.chunk_id FROM chunks c WHERE c.id IN (SELECT value FROM json_each(:ids)) AND {inside}"
            ),
            {**values, "ids": json.dumps(list(scores))},
        ).all()
        if len(rows) >= limit or len(best) < FIRST * limit:
            order = sorted(rows, key=lambda row: (-scores[row[0]], row[1]))
            return [(int(row[0]), scores[row[0]]) for row in order[:limit]]
    query = (
        f"SELECT c.id, -bm25(chunk_words, {BM25_WEIGHTS}) AS score FROM chunk_words "
        f"JOIN chunks c ON c.id = chunk_words.rowid WHERE chunk_words MATCH :match AND {inside} "
    )
    if scope is not None:
        first, last = _span(connection, scope)
        query += f"AND chunk_words.rowid BETWEEN :first AND :last AND {scope.condition} "
        values |= {"first": first, "last": last, **scope.values}
    query += "ORDER BY score DESC, c.chunk_id LIMIT :limit"
    found = connection.execute(text(query), values)
    return [(int(row[0]), float(row[1])) for row in found]
