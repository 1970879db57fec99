"""What is remembered of one state of the keyword index, so that not every search asks for it again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from rag.bm25 import idf, numbers
from rag.passages import match_expression

_MOST = 50_000
"""Entries of one kind; then all are forgotten."""
_COUNTED = 200_000
"""A word that more passages have, and more than half of all, is not counted further: to BM25 it says nothing."""
_LANGUAGES = """
SELECT d.document_id, json_extract(v.details, '$.language') FROM json_each(?) w CROSS JOIN documents d
ON d.document_id = w.value JOIN versions v ON v.document_id = d.document_id AND v.version = d.version
"""
_PAGED = """
SELECT w.value, EXISTS (SELECT 1 FROM pages p WHERE p.document_id = w.value AND p.number > 1) FROM json_each(?) w
"""


@dataclass(frozen=True, slots=True)
class Remembered:
    """How many live passages there are, with how many words each (`mean`), of which collections, and what was asked of words and
    documents.

    A version of a document comes and goes with its passages, so that what is known of documents holds as long.
    """

    state: tuple[bytes, ...] = ()
    total: int = 0
    mean: float = 0.0
    collections: frozenset[str] = frozenset()
    counts: dict[str, int] = field(default_factory=dict)
    languages: dict[str, str | None] = field(default_factory=dict)
    paged: dict[str, bool] = field(default_factory=dict)

    def now(self, connection: Connection) -> Remembered:
        """Return itself, or a new beginning where the index has been written to, or too much is remembered.

        FTS5's first two records change with each write; the first has the number of rows and each column's number of words,
        which its bm25() uses.
        """
        rows = connection.exec_driver_sql("SELECT block FROM chunk_words_data WHERE id IN (1, 10) ORDER BY id")
        state = tuple(bytes(row[0]) for row in rows)
        if self.state == state and max(len(self.counts), len(self.languages), len(self.paged)) <= _MOST:
            return self
        there = connection.exec_driver_sql("SELECT DISTINCT collection FROM documents")
        total, *words = numbers(state[0]) or (0,)
        return Remembered(state, total, sum(words) / max(1, total), frozenset(row[0] for row in there))

    def counted(self, connection: Connection, words: Iterable[str]) -> dict[str, int]:
        """Return how many live passages have each word."""
        found = {}
        for word in words:
            if (count := self.counts.get(word)) is None:
                count = self.counts[word] = connection.exec_driver_sql(
                    "SELECT count(*) FROM (SELECT 1 FROM chunk_words WHERE chunk_words MATCH ? LIMIT ?)",
                    (match_expression(word), max(_COUNTED, self.total // 2 + 1)),
                ).scalar_one()
            found[word] = count
        return found

    def rarity(self, counts: Mapping[str, int]) -> dict[str, float]:
        """Return the words that are somewhere and that BM25 gives any weight, with their inverse document frequency."""
        return {word: idf(count, self.total) for word, count in counts.items() if 0 < 2 * count < self.total}

    def languages_of(self, connection: Connection, document_ids: Iterable[str]) -> dict[str, str | None]:
        """Return the language of the live version of each of the documents, None where it is not known."""
        return _looked_up(connection, _LANGUAGES, self.languages, set(document_ids))

    def paged_of(self, connection: Connection, document_ids: Iterable[str]) -> set[str]:
        """Return those of the documents that have more than one page."""
        found = _looked_up(connection, _PAGED, self.paged, set(document_ids))
        return {name for name, several in found.items() if several}


def _looked_up(connection: Connection, query: str, known: dict[str, Any], names: set[str]) -> dict[str, Any]:
    if lacking := sorted(names - known.keys()):
        known.update((row[0], row[1]) for row in connection.exec_driver_sql(query, (json.dumps(lacking),)))
    return {name: known[name] for name in names if name in known}
