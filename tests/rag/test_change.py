"""By how much an amount rose or fell: the same amount, direction and part, and a share where one is asked for."""

from __future__ import annotations

import pytest

from rag.figure_asked import lacks_figure
from rag.wanted import wanted

ROSE = "By what percentage did Amazon's net sales increase in the first quarter of 2023?"
FELL = "By what percentage did NVIDIA's revenue fall in the first quarter of fiscal 2024?"
PART = "By how much did Apple's Services net sales increase in the third quarter of 2022?"
NAMED = frozenset({"amazon", "nvidia", "apple"})


@pytest.mark.parametrize(
    ("question", "place", "lacking"),
    [
        (ROSE, "Sales increased 9% in Q1 2023 compared to the comparable prior year period.", False),
        (ROSE, "Amazon's net sales rose by 9%.", False),
        (ROSE, "Our total net sales grew 9%, driven by AWS sales.", False),
        (ROSE, "Net sales for the quarter increased 9%.", False),
        (ROSE, "Net sales for Q1 increased 9%.", False),
        (ROSE, "AWS sales increased 16% in Q1 2023.", True),
        (ROSE, "North America net sales increased 11%.", True),
        (ROSE, "Sales from AWS increased 16%.", True),
        (ROSE, "Net sales decreased 9%.", True),
        (ROSE, "We reduced our overall workforce, which represents less than 5% of our total employee base.", True),
        (ROSE, "Changes in sales were 9%.", True),
        (FELL, "Revenue was $7.19 billion, down 13% from a year ago and up 19% sequentially.", False),
        (FELL, "Revenue was $7.19 billion, up 19% sequentially.", True),
        (FELL, "| Revenue | $7,192 | $8,288 | (13)% |", False),
        (FELL, "| Revenue | $7,192 | $6,051 | $8,288 | 19% | (13)% |", True),  # which of the two is meant?
        (FELL, "| Revenue | $7,192 | $8,288 |", True),
        (PART, "Services net sales increased $2.1 billion.", False),
        (PART, "Net sales of Services grew by $2.1 billion.", False),
        (PART, "Total net sales increased $1.5 billion, driven primarily by higher net sales of Services.", True),
        (PART, "| Services | 19,604 | 17,486 | 12% |", True),  # a level is no change
        ("By how much did revenue change?", "Revenue fell by 3%.", False),
        ("By how much did revenue change?", "Revenue was 3.", True),
    ],
)  # fmt: skip
def test_a_change_is_told_of_the_amount_that_is_asked_about(question: str, place: str, lacking: bool) -> None:
    """Another amount, part or direction is no answer, nor is a level."""
    assert wanted(question).is_lacking(place, "", place, NAMED) is lacking


@pytest.mark.parametrize(
    ("words", "lacks"),
    [("16%", False), ("9 per cent", False), ("16", False), ("doubled", False), ("$1.5 billion", True), ("net sales", True)],
)  # fmt: skip
def test_a_percentage_is_no_amount(words: str, lacks: bool) -> None:
    """By what percentage is told by a share, or by a mere number, not by money."""
    assert lacks_figure(ROSE, words) is lacks
