"""Keyword search over the live passages: FTS5's BM25, as a share of the most that a question could reach."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from rag.bm25 import WEIGHTS, ceiling, idf, likeliest, runs, scores
from rag.filters import Scope
from rag.passages import Passage, match_expression, passages_by_row
from rag.remembered import Remembered
from rag.store import Store
from rag.whole import Whole

ROWS = 3_000
"""Passages that one search goes through, a microsecond each: in larger catalogs the commonest words don't choose passages."""
SMALL = 10_000
"""Passages of a scope up to which each that has any word is looked at."""
FIRST = 10
"""How many times as many as wanted are looked up by the index alone, before the documents' collections are asked."""
WHOLE = 1.0
"""What a piece that a question writes as one adds to BM25, times its rarity."""
HELD = 200
"""Passages that are read for what a question writes as one; what more may have is looked for among those found alone."""
COMMON = 5_000
"""Passages with each word of a piece from which on the index is not asked for it: going through them takes too long."""
GONE_THROUGH = 250_000
"""Places of a question's words in the index up to which going through all of them takes less than looking at a scope alone."""
LOOKED_UP = 5_000
"""Look-ups of a word in a run of passages, some 10 microseconds each: a scope of more is found by going through the index."""
CHOSEN = 5
"""How many times as many as wanted are scored of a scope's passages: those whose words weigh most together."""


@dataclass(slots=True)
class Keywords:
    """Searches the keyword index of one catalog. How rare words are is remembered until the index is written to."""

    store: Store
    _known: Remembered = field(default_factory=Remembered)

    def rarity(self, words: Sequence[str]) -> dict[str, float]:
        """Return the inverse document frequency of each word, as FTS5's bm25() has it."""
        with self.store.read() as connection:
            known = self._now(connection)
            return {word: idf(count, known.total) for word, count in known.counted(connection, words).items()}

    def counts(self, words: Sequence[str]) -> tuple[dict[str, int], int]:
        """Return how many live passages have each word, counted to 200,000 or half of them, and the number of live passages."""
        with self.store.read() as connection:
            known = self._now(connection)
            return known.counted(connection, words), known.total

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
            counts = known.counted(connection, [*words, *other])
            best = ceiling([counts[word] for word in words], known.total)
            rows, rarity = _rows(connection, known, counts, collections, scope, limit)
            held = [(one, _holders(connection, known, one)) for one in whole] if rows else []
            if more := {row for _, some in held for row in some or ()} - {row for row, _ in rows}:
                inside = _inside(connection, more, collections, scope)
                theirs = scores(connection, rarity, inside, known.mean)
                rows += _in_order({row: theirs.get(row, 0.0) for row in inside})[:limit]
            passages = passages_by_row(connection, [row[0] for row in rows])
        values = {row: max(0.0, score) for row, score in rows if row in passages}
        for one, some in held:
            having = some if some is not None else {row for row in values if one.stands_in(passages[row].text)}
            worth = idf(len(having) if some is not None else HELD, known.total)
            for row in having & values.keys():
                values[row] += WHOLE * worth
        found = [(passages[row], score / best) for row, score in values.items()]
        return sorted(found, key=lambda pair: (-pair[1], pair[0].chunk_id))[:limit]

    def left_out(
        self, words: Sequence[str], other: Sequence[str], chunk_ids: Sequence[str], scope: Scope | None
    ) -> dict[str, float]:
        """Return the scores of live passages that a search may have left out: in a large catalog it goes through those with rare
        words. Empty where it went through all.

        What a question writes as one does not count in them.
        """
        if not chunk_ids or _small(scope):
            return {}
        with self.store.read() as connection:
            known = self._now(connection)
            counts = known.counted(connection, [*words, *other])
            rarity = known.rarity(counts)
            went_through = next(iter(_choices(counts, known.total, False)), ([], ""))[0]
            if rarity.keys() <= set(went_through):
                return {}
            query = "SELECT c.id, c.chunk_id FROM json_each(?) w CROSS JOIN chunks c ON c.chunk_id = w.value"
            names = {row[0]: row[1] for row in connection.exec_driver_sql(query, (json.dumps(list(chunk_ids)),))}
            best = ceiling([counts[word] for word in words], known.total)
            return {names[row]: score / best for row, score in scores(connection, rarity, names, known.mean).items()}

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


def _rows(
    connection: Connection,
    known: Remembered,
    counts: dict[str, int],
    collections: Sequence[str],
    scope: Scope | None,
    limit: int,
) -> tuple[list[tuple[int, float]], dict[str, float]]:
    """Return the best rows with their BM25, and the words that it was counted by with their rarity.

    In a large catalog rows are chosen by the rare words and then put in order by all words.
    """
    small = _small(scope)
    everywhere = scope is None and known.collections <= set(collections)
    rarity = known.rarity(counts)
    for chosen, match in _choices(counts, known.total, small is not None):
        if small is not None:
            rows = _within(connection, match, {word: counts[word] for word in chosen}, known, small, limit)
        else:
            rows = (
                _best(connection, match, limit) if everywhere else _ranked(connection, match, collections, limit, scope)
            )
            if not rarity.keys() <= set(chosen):
                rows = _in_order(scores(connection, rarity, [row for row, _ in rows], known.mean))
        if rows:
            return rows, rarity
    return [], rarity


def _small(scope: Scope | None) -> Scope | None:
    return scope if scope is not None and scope.chunks <= SMALL else None


def _in_order(scored: Mapping[int, float]) -> list[tuple[int, float]]:
    return sorted(scored.items(), key=lambda pair: (-pair[1], pair[0]))


def _choices(counts: dict[str, int], total: int, every: bool) -> list[tuple[list[str], str]]:
    """Return words to choose passages by, with what to match, in turn until something is found: the rare words first where there
    are too many passages, or every word; one that most passages have adds nothing to BM25."""
    rarest = sorted((word for word in counts if counts[word]), key=lambda word: counts[word])
    if not rarest:
        return []
    chosen, rows = [], 0
    for word in rarest:
        if rows + counts[word] > ROWS and not (every and 2 * counts[word] < total):
            break
        chosen.append(word)
        rows += counts[word]
    if every:
        return [(words, _joined(words, "OR")) for words in (chosen, rarest) if words]
    if chosen:
        return [(chosen, _joined(chosen, "OR"))]
    return [(rarest[:count], _joined(rarest[:count], "AND")) for count in (3, 2, 1)]


def _joined(words: Sequence[str], sign: str) -> str:
    return f" {sign} ".join(map(match_expression, words))


def _best(connection: Connection, match: str, limit: int) -> list[tuple[int, float]]:
    """Return the best rows of the whole index with their scores."""
    query = (
        f"SELECT rowid, bm25(chunk_words, {WEIGHTS}) AS score FROM chunk_words WHERE chunk_words MATCH ? ORDER BY score"
    )
    return [(row[0], -row[1]) for row in connection.exec_driver_sql(f"{query} LIMIT ?", (match, limit)).all()]


def _holders(connection: Connection, known: Remembered, whole: Whole) -> set[int] | None:
    """Return the rows that have what a question writes as one, None where too many may have it to read them all."""
    if any(min(known.counted(connection, phrase.split()).values()) > COMMON for phrase in whole.phrases):
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


def _condition(collections: Sequence[str], scope: Scope | None) -> tuple[str, dict[str, Any]]:
    """Return the condition on `chunks` c for some collections, or for a scope, which is of some already, and its values."""
    if scope is not None:
        return scope.condition, scope.values
    values: dict[str, Any] = {f"c{number}": name for number, name in enumerate(collections)}
    return f"c.collection IN ({', '.join(':' + key for key in values)})", values


def _within(
    connection: Connection, match: str, counts: dict[str, int], known: Remembered, scope: Scope, limit: int
) -> list[tuple[int, float]]:
    """Return the best rows of a small scope: out of the whole index where the words are in few passages, or else by looking them
    up in the scope's runs of passages, of which those are scored whose words weigh most together."""
    query = f"SELECT c.id FROM chunks c WHERE {scope.condition} ORDER BY c.id"
    inside = list(connection.scalars(text(query), scope.values))
    places = runs(inside)
    if not inside:
        return []
    if sum(counts.values()) > GONE_THROUGH and len(places) * len(counts) <= LOOKED_UP:
        rarity = {word: idf(count, known.total) for word, count in counts.items()}
        chosen = likeliest(connection, rarity, places, CHOSEN * limit)
        return _in_order(scores(connection, rarity, chosen, known.mean))[:limit]
    rows = connection.exec_driver_sql(
        # the sign keeps SQLite from asking the index once for each row
        f"SELECT rowid, -bm25(chunk_words, {WEIGHTS}) AS score FROM chunk_words WHERE chunk_words MATCH ? "
        "AND +rowid IN (SELECT value FROM json_each(?)) AND rowid BETWEEN ? AND ? ORDER BY score DESC, rowid LIMIT ?",
        (match, json.dumps(inside), inside[0], inside[-1], limit),
    )
    return [(int(row[0]), float(row[1])) for row in rows]


def _ranked(
    connection: Connection, match: str, collections: Sequence[str], limit: int, scope: Scope | None
) -> list[tuple[int, float]]:
    """Return the best rows of some collections or of a large scope."""
    inside, values = _condition(collections, scope)
    # joining every passage that has a word costs more than scoring it
    best = dict(_best(connection, match, FIRST * limit))
    query = f"SELECT c.id, c.chunk_id FROM chunks c WHERE c.id IN (SELECT value FROM json_each(:ids)) AND {inside}"
    rows = connection.execute(text(query), {**values, "ids": json.dumps(list(best))}).all()
    if len(rows) >= limit or len(best) < FIRST * limit:
        order = sorted(rows, key=lambda row: (-best[row[0]], row[1]))
        return [(int(row[0]), best[row[0]]) for row in order[:limit]]
    query = (
        f"SELECT c.id, -bm25(chunk_words, {WEIGHTS}) AS score FROM chunk_words "
        f"JOIN chunks c ON c.id = chunk_words.rowid WHERE chunk_words MATCH :match AND {inside} "
        "ORDER BY score DESC, c.chunk_id LIMIT :limit"
    )
    found = connection.execute(text(query), {**values, "match": match, "limit": limit})
    return [(int(row[0]), float(row[1])) for row in found]
