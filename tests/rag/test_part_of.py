"""Figures of a whole that only includes what is asked about."""

from __future__ import annotations

import pytest

from rag.part_of import is_of_whole

STAKES = "Our stakes in listed firms, which include our stake in Tveit, represent $4.5 million of our stakes."
INSIDE = "Income came to $9 million, including $2 million from Tveit, and rose."
LOAN = "We lent Tveit money for tools, including a crane, and it owes $4.5 million."


@pytest.mark.parametrize(
    ("answer", "question", "quoted", "whole"),
    [
        ("$4.5 million", "What is our stake in Tveit worth?", STAKES, True),
        ("$2 million", "What income came from Tveit?", INSIDE, False),
        ("$9 million", "What income came from Tveit?", INSIDE, True),
        ("$4.5 million", "What does Tveit owe?", LOAN, False),
        ("$4.5 million", "What are our stakes worth?", STAKES, False),  # it names nobody
        ("listed firms", "What firms are like Tveit?", STAKES, False),  # no figure
    ],
)
def test_the_figure_of_a_whole_is_not_that_of_its_part(answer: str, question: str, quoted: str, whole: bool) -> None:
    """Only figures, and only where the name stands nowhere but in what is included."""
    assert is_of_whole(answer, question, quoted) is whole
