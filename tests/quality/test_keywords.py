"""Quality of keyword search alone, with floors below what was measured (docs/decisions/0010-languages.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.keywords import measure


@pytest.mark.parametrize(
    ("name", "recall", "ndcg"),
    [
        ("xquad-zh", 0.97, 0.93),
        ("xquad-ar", 0.97, 0.92),
        ("xquad-de", 0.95, 0.90),
        ("xquad-en", 0.98, 0.95),
        ("cranfield", 0.47, 0.50),
    ],
)
def test_keyword_search_finds_the_passage(data: Path, name: str, recall: float, ndcg: float) -> None:
    """The paragraph that a question was asked about is among the first ten, in each language."""
    found = measure(data / "beir" / name, questions=300)
    assert found["recall_at_10"] >= recall and found["ndcg_at_10"] >= ndcg, found
