"""BM25 of some passages is what FTS5 says of them over all passages."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine

from rag.bm25 import WEIGHTS, idf, likeliest, numbers, runs, scores
from rag.passages import match_expression
from rag.schema import KEYWORD_INDEX

WORDS = "revenue net sales the of 10-K 2022 €1.5m covenant risk risks Ångström zahlung ISO 27001 quarterly capex filing".split()
ROWS = 400


@pytest.fixture(scope="module")
def index() -> Iterator[Connection]:
    """Four hundred passages of words that are rare and common, long and short, with pairs of Chinese signs in `segments`."""
    chance = random.Random(3)
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE chunks (id INTEGER PRIMARY KEY, title, heading, text, segments)")
        connection.exec_driver_sql(KEYWORD_INDEX)
        weights = [1 / (place + 1) for place in range(len(WORDS))]
        for row in range(1, ROWS + 1):
            parts = [" ".join(chance.choices(WORDS[::-1], weights, k=size)) for size in (2, 3, chance.randint(1, 120))]
            parts.append(" ".join(chance.choices(["營業", "業收", "收入", "風險"], k=chance.randint(0, 4))))
            connection.exec_driver_sql("INSERT INTO chunks VALUES (?, ?, ?, ?, ?)", (row, *parts))
        connection.exec_driver_sql("INSERT INTO chunk_words(chunk_words) VALUES ('rebuild')")
        yield connection
    engine.dispose()


def _of_fts5(connection: Connection, words: list[str]) -> dict[int, float]:
    match = " OR ".join(map(match_expression, words))
    query = f"SELECT rowid, -bm25(chunk_words, {WEIGHTS}) FROM chunk_words WHERE chunk_words MATCH ?"
    return {row[0]: row[1] for row in connection.exec_driver_sql(query, (match,))}


def _rarity(connection: Connection, words: list[str]) -> dict[str, float]:
    query = "SELECT count(*) FROM chunk_words WHERE chunk_words MATCH ?"
    return {
        word: idf(connection.exec_driver_sql(query, (match_expression(word),)).scalar_one(), ROWS) for word in words
    }


def _mean(connection: Connection) -> float:
    total, *columns = numbers(
        connection.exec_driver_sql("SELECT block FROM chunk_words_data WHERE id = 1").scalar_one()
    )
    assert total == ROWS
    return sum(columns) / total


@pytest.mark.parametrize("seed", range(20))
def test_scores_are_those_of_the_whole_index(index: Connection, seed: int) -> None:
    """Rare and common words, codes, pairs of Chinese signs and single ones, to nine figures."""
    chance = random.Random(seed)
    words = chance.sample([*WORDS, "收入", "業", "nowhere"], chance.randint(1, 8))
    rows = chance.sample(range(1, ROWS + 1), chance.randint(1, 60))
    wanted = {row: value for row, value in _of_fts5(index, words).items() if row in rows}
    found = scores(index, _rarity(index, words), rows, _mean(index))
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_the_words_of_the_likeliest_weigh_most(index: Connection) -> None:
    """Each word of a passage counts once, however often it stands there; rows outside the runs are left out."""
    words = ["covenant", "revenue", "Ångström"]
    rarity = _rarity(index, words)
    inside = [*range(20, 60), *range(200, 210)]
    having = {
        word: {
            row[0]
            for row in index.exec_driver_sql(
                "SELECT rowid FROM chunk_words WHERE chunk_words MATCH ?", (match_expression(word),)
            )
        }
        for word in words
    }
    weights = {row: sum(rarity[word] for word in words if row in having[word]) for row in inside}
    wanted = sorted((row for row in inside if weights[row]), key=lambda row: (-weights[row], row))
    assert likeliest(index, rarity, runs(inside), 5) == wanted[:5]
    assert likeliest(index, rarity, runs(inside), ROWS) == wanted and len(wanted) > 5


def test_runs_are_unbroken() -> None:
    """Rows that follow each other are one run."""
    assert runs([3, 4, 5, 9, 11, 12]) == [(3, 5), (9, 9), (11, 12)] and runs([]) == []


def test_no_passages_have_no_scores(index: Connection) -> None:
    """Neither passages without words nor words without passages are an error."""
    assert scores(index, {"covenant": 1.0}, [], 50.0) == {} and scores(index, {}, [1], 50.0) == {}
