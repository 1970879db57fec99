"""Questions for a figure: which they are, and which words can't be their answer."""

from __future__ import annotations

import pytest

from rag.answer_type import candidates, lacks_figure, lacks_name


@pytest.mark.parametrize(
    ("question", "words", "lacks"),
    [
        ("How many employees did the yard have at March 31, 2023?", "Nine Months", True),
        ("What were Acme's pump net sales in Japan in the third quarter of 2023?", "lower", True),
        ("What is the salary of the chief financial officer?", "Principal Financial Officer", True),
        ("In what year was the lock opened?", "the Italian engineer", True),
        ("How many holidays does a worker have?", "4 weeks", True),
        ("How many employees did the yard have?", "14,600", False),
        ("How many boats were lost?", "none", False),
        ("How many weeks does the course last?", "two weeks", False),
        ("How much time passed?", "nine months", False),
        ("How much does it cost to enter?", "free", False),
        ("What was Acme's Data Center revenue?", "$10.32 billion", False),
        ("What is the reason for the cost increase?", "inflation", False),
        ("What is the source of its revenue?", "oil", False),
        ("What is the cost structure?", "mostly wages", False),
        ("How many boats sailed, and why?", "the storm", False),
    ],
)
def test_words_that_lack_the_figure_that_is_asked_for(question: str, words: str, lacks: bool) -> None:
    """An amount, a count or a year is not told by words without a figure, nor a count of things by a length of time."""
    assert lacks_figure(question, words) is lacks


@pytest.mark.parametrize(
    ("question", "words", "lacks"),
    [
        ("Who is Acme's chief financial officer?", "Duly Authorized Officer and Principal Financial Officer", True),
        ("Who is Acme's chief operating officer?", "Chief Financial Officer X", True),
        ("Who is Acme's chief financial officer?", "Ada Holm", False),
        ("Which officer signs?", "Chief Financial Officer", False),
    ],
)
def test_a_post_is_no_person(question: str, words: str, lacks: bool) -> None:
    """Who somebody is, is not told by the words of a post."""
    assert lacks_name(question, words) is lacks
    assert lacks is not any(candidates("person", words, question)) or question.startswith("Which")
