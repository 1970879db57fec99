"""BM25 of some of the passages, exactly as FTS5 has it over all of them, without going through the whole index for it.

FTS5's own bm25() first counts each word's passages in the whole index, and can't be told which passages to look at: in a million
passages a filter that leaves a hundredth of them took twenty times as long as no filter (docs/decisions/0003-fusion.md).
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing

from sqlalchemy import Connection

from rag.passages import match_expression
from rag.schema import TOKENIZER

COLUMNS = {"title": 2.0, "heading": 1.5, "text": 1.0, "segments": 1.0}
"""What a word counts in each column of the keyword index."""
WEIGHTS = ", ".join(map(str, COLUMNS.values()))
MOST = 2.2
"""FTS5's k1 + 1: what a word adds to BM25 at most, times its rarity."""
_K1, _B = 1.2, 0.75  # fixed in FTS5
_NEVER_LESS = 1e-6
_NAMES = ", ".join(COLUMNS)
_WITHIN = """
SELECT w.rowid FROM json_each(?) r CROSS JOIN chunk_words w
WHERE w.chunk_words MATCH ? AND w.rowid BETWEEN json_extract(r.value, '$[0]') AND json_extract(r.value, '$[1]')
"""


def idf(count: int, total: int) -> float:
    """Return the inverse document frequency of a word that `count` of `total` passages have, as FTS5 has it."""
    if 2 * count >= total:
        return _NEVER_LESS
    return max(_NEVER_LESS, math.log((total - count + 0.5) / (count + 0.5)))


def ceiling(counts: Iterable[int], total: int) -> float:
    """Return the BM25 of a passage that has words over and over which so many of `total` passages have."""
    return MOST * sum(idf(count, total) for count in counts) or 1.0


def runs(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and last of each unbroken run of ascending numbers."""
    found: list[tuple[int, int]] = []
    for row in rows:
        if found and found[-1][1] == row - 1:
            found[-1] = (found[-1][0], row)
        else:
            found.append((row, row))
    return found


def likeliest(
    connection: Connection, rarity: Mapping[str, float], within: Sequence[tuple[int, int]], most: int
) -> list[int]:
    """Return the passages in some runs of rows whose words weigh most together, each word counted once; `rarity` has the words
    that are looked for."""
    weights: dict[int, float] = {}
    places = json.dumps(within)
    for word, value in rarity.items():
        for (row,) in connection.exec_driver_sql(_WITHIN, (places, match_expression(word))):
            weights[row] = weights.get(row, 0.0) + value
    return sorted(weights, key=lambda row: (-weights[row], row))[:most]


def scores(connection: Connection, rarity: Mapping[str, float], rows: Collection[int], mean: float) -> dict[int, float]:
    """Return BM25 of those of the rows that have any of the words; `mean` is how many words a passage of the whole index has.

    The passages are put into an index of their own, in memory, so that the same program finds their words. Its BM25 of one
    word gives away how often a passage has it: rarity and mean length of the small index are taken out, those of the whole
    put in.
    """
    found: dict[int, float] = {}
    query = f"SELECT id, {_NAMES} FROM chunks WHERE id IN (SELECT value FROM json_each(?))"
    texts = [tuple(row) for row in connection.exec_driver_sql(query, (json.dumps(sorted(rows)),))]
    if not texts:
        return found
    with closing(sqlite3.connect(":memory:")) as small:
        small.execute(f'CREATE VIRTUAL TABLE few USING fts5({_NAMES}, content="", tokenize="{TOKENIZER}")')
        small.executemany(f"INSERT INTO few(rowid, {_NAMES}) VALUES (?, ?, ?, ?, ?)", texts)
        lengths = {row: sum(numbers(packed)) for row, packed in small.execute("SELECT id, sz FROM few_docsize")}
        mean_here = sum(lengths.values()) / len(lengths)
        for word, value in rarity.items():
            having = small.execute(
                f"SELECT rowid, -bm25(few, {WEIGHTS}) FROM few WHERE few MATCH ?", (match_expression(word),)
            ).fetchall()
            value_here = idf(len(having), len(texts))
            for row, score in having:
                share, length = score / value_here, lengths[row]
                times = share * _flattened(length, mean_here) / (MOST - share)
                found[row] = found.get(row, 0.0) + value * MOST * times / (times + _flattened(length, mean))
    return found


def numbers(packed: bytes) -> list[int]:
    """Return the numbers that FTS5 packs in a record: seven bits a byte, the highest first."""
    found, number = [], 0
    for byte in packed:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            found.append(number)
            number = 0
    return found


def _flattened(length: int, mean: float) -> float:
    return _K1 * (1 - _B + _B * length / mean)
