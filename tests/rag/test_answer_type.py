"""Questions for a figure: which they are, and which words can't be their answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.answer_type import candidates, lacks_name, with_date
from rag.evidence import Asked, Features, Support
from rag.figure_asked import lacks_figure, lacks_share, lacks_time
from rag.passages import Passage
from rag.quotable import misses_date
from rag.retrieve import Found


@pytest.mark.parametrize(
    ("question", "words", "lacks"),
    [
        ("How many employees did the yard have at March 31, 2023?", "Nine Months", True),
        ("What were Acme's pump net sales in Japan in the third quarter of 2023?", "lower", True),
        ("What is the salary of the chief financial officer?", "Principal Financial Officer", True),
        (
            "What was Acme's tax rate for the third quarter of 2022?",
            "rate for the three- and nine-month periods ended July 1, 2023",
            True,
        ),
        ("What was the estimated loss rate as of July 1, 2023?", "10-Q", True),
        ("What was the estimated loss rate as of July 1, 2023?", "millions", True),
        ("What was the estimated loss rate as of July 1, 2023?", "26.3%", False),
        ("How many people came?", "millions", False),
        ("How many boats sailed?", "1950", False),
        ("How much can the crane lift?", "15 tonnes", False),
        ("In what year was the lock opened?", "the Italian engineer", True),
        ("How many holidays does a worker have?", "4 weeks", True),
        ("How many employees did the yard have?", "14,600", False),
        ("How many boats were lost?", "none", False),
        ("How many boats sailed?", "$105 million", True),
        ("How many boats sailed?", "7%", True),
        ("How many dollars were paid?", "$105 million", False),
        ("How much revenue did ferries bring?", "10-Q", True),
        ("How many weeks does the course last?", "two weeks", False),
        ("How much time passed?", "nine months", False),
        ("How much does it cost to enter?", "free", False),
        ("What was Acme's Data Center revenue?", "$10.32 billion", False),
        ("What is the reason for the cost increase?", "inflation", False),
        ("What is the source of its revenue?", "oil", False),
        ("What is the cost structure?", "mostly wages", False),
        ("How many boats sailed, and why?", "the storm", False),
        ("What is the rent?", "€1500", False),
        ("What is the rent?", "EUR 1500", False),
        ("How much is the deposit?", "NOK500", False),
        ("What is the salary?", "1950 euros a month", False),
        ("How much power does the heater draw?", "1500 to 2000 W", False),
        ("How many employees does the yard have?", "1800 employees", False),
        ("How many employees does the yard have?", "about 1900", False),
        ("How many employees does the yard have?", "the 2022 report", True),
        ("What was Acme's net income?", "in May 2019", True),
        ("How much notice must be given?", "three months", False),
        ("How much parental leave is granted?", "16 weeks", False),
        ("How many attempts are there?", "twice", False),
        ("What charge must the customer pay on termination?", "180 days' notice", True),
        ("What rent is due?", "1 March 2026", True),
        ("What rent is due?", "1,200 on 1 March 2026", False),
        ("What penalty must the tenant pay?", "0.5 per cent a week", False),
        ("What price does the buyer pay?", "the market price", False),
        ("What rent does the undertenant pay?", "one", True),
        ("What rent does the undertenant pay?", "two euros", False),
        ("How deep is the hole?", "upstream", True),
        ("What is the height of the bridge?", "A1184", True),
        ("What is the weight of the K-65?", "K-65", True),
        ("What is the weight of the K-65?", "29 kg", False),
        ("What fee is due, and when is it paid?", "1 March 2026", False),
        ("What charge was he acquitted of?", "theft in May 2019", False),
    ],
)
def test_words_that_lack_the_figure_that_is_asked_for(question: str, words: str, lacks: bool) -> None:
    """An amount, a count or a year is not told by words without a figure, nor a count of things by a length of time."""
    assert lacks_figure(question, words) is lacks


def test_a_part_of_a_date_is_taken_for_the_date() -> None:
    """The day and year of a date are no count; a year is one by itself."""
    text = "It was so in the months to July 2, 2022, for 31 boats."
    for words, whole in (
        ("2, 2022", "July 2, 2022"),
        ("July 2", "July 2, 2022"),
        ("2022", "2022"),
        ("31 boats", "31 boats"),
    ):
        start = text.index(words)
        assert with_date(text, start, start + len(words)) == whole
    assert lacks_figure("How many boats were lost?", "July 2, 2022") and not lacks_figure(
        "How many boats were lost?", "31 boats"
    )


def test_a_day_that_stands_nowhere_around_the_sentence() -> None:
    """A question about a day is not answered with a sentence about another day; a header may have the day without the year."""

    def said(text: str, context: str = "") -> Support:
        passage = Passage("a.0", "c", "a", "v", "/a.pdf", 1, "", context, text, 0, len(text))
        return Support(Found(passage, 1.0, ("keyword",)), 0, len(text), Features(1, 1, 1, 1, 1, 1, 1, 1), 0.9)

    asked = "How many shares were outstanding as of July 15, 2022?"
    assert misses_date(asked, said("15,634,232,000 shares were outstanding as of July 21, 2023."))
    assert not misses_date(asked, said("16,070,752,000 shares were outstanding as of July 15, 2022."))
    assert not misses_date(asked, said("| Shares | 16,070,752 |", "| | As of July 15, |"))
    assert not misses_date("How many shares were outstanding in 2022?", said("16,070,752,000 shares were outstanding."))


@pytest.mark.parametrize(
    ("question", "words", "lacks"),
    [
        ("Who is Acme's chief financial officer?", "Duly Authorized Officer and Principal Financial Officer", True),
        ("Who is Acme's chief operating officer?", "Chief Financial Officer X", True),
        ("Who is Acme's chief financial officer?", "Ada Holm", False),
        ("Who stands in for Ada Holm?", "Mr", True),
        ("Which officer signs?", "Chief Financial Officer", False),
    ],
)
def test_a_post_is_no_person(question: str, words: str, lacks: bool) -> None:
    """Who somebody is, is not told by the words of a post."""
    assert lacks_name(question, words) is lacks
    assert lacks is not any(candidates("person", words, question)) or question.startswith("Which")


def test_the_document_of_another_than_the_named() -> None:
    """What the report of one company says is no answer about another that a report is of, unless it names it."""

    def found(text: str) -> Found:
        return Found(Passage("b.0", "c", "b", "v", "/b.pdf", 1, "", "", text, 0, len(text)), 1.0, ("keyword",))

    called = {"a": frozenset({"intel"}), "b": frozenset({"nvidia"})}
    said = "There are 3,400 employees in Israel."
    asked = Asked({}, frozenset({"intel", "israel"}), frozenset(), True, True, None, called)
    assert asked.is_another(found(said), 0, len(said))
    assert not asked.is_another(found(f"{said} Intel has them."), 0, len(said))
    both = replace(asked, names=frozenset({"intel", "nvidia", "israel"}))
    assert not both.is_another(found(said), 0, len(said))


@pytest.mark.parametrize(
    ("question", "words", "lacks"),
    [
        ("What percentage of patients had nausea?", "15", True),
        ("What percentage of patients had nausea?", "15 per cent", False),
        ("What share of the firm is owned by Ada?", "half", False),
        ("What interest rate does the loan carry?", "GBP 900,000", True),
        ("What share price was paid?", "GBP 4", False),
    ],
)
def test_a_share_is_no_other_number(question: str, words: str, lacks: bool) -> None:
    """What percentage is told by a share of something, not by a dose or an amount."""
    assert lacks_share(question, words) is lacks


@pytest.mark.parametrize(
    ("question", "words", "lacks"),
    [
        ("When will the library be handed over?", "delay", True),
        ("When will the library be handed over?", "after the inspection", False),
        ("When was the yard closed?", "World War II", False),
        ("When was it paid, and by whom?", "Ada Holm", False),
        ("On which weekday is it closed?", "the office", True),
        ("On which weekday is it closed?", "Mondays", False),
        ("To which date was it moved?", "new date", True),
    ],
)
def test_when_is_told_by_a_time(question: str, words: str, lacks: bool) -> None:
    """A time, an event or a condition answers when; a date, which day."""
    assert lacks_time(question, words) is lacks
