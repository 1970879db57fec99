"""Claims with the numbers and words of their place that say otherwise: per what, which way, what is counted, denied, whose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.contradiction import contradicts
from rag.library import Library
from rag.settings import Settings
from rag.statements import statements
from tests.in_process import Room
from tests.rag.test_answer import Scripted, ask, reply

LOSSES = "Water losses in the network fell from 9.4% to 8.1%."
PEOPLE = "The works employs 212 people, of whom 61 are women."
PUMP = "The pump station has a capacity of 2,400 cubic metres per hour."
BUYBACK = "In May, $26.9 billion remained of the share repurchase program."
TARIFF = "The works did not raise its tariff in 2023."
NOTICE = "Notice is given not more than 18 months before, at a yearly fee of EUR 40."


@pytest.mark.parametrize(
    ("quoted", "question", "claim"),
    [
        (LOSSES, "", "Water losses rose from 9.4% to 8.1%."),
        (LOSSES, "", "Water losses fell from 8.1% to 9.4%."),
        (LOSSES, "By how much did losses fall?", "By 8.1%."),
        ("Margin of services increased due to leverage.", "Why did the margin of products decrease?", "Leverage."),
        (PEOPLE, "How many people are employed?", "61."),
        (PEOPLE, "How many of the employees are women?", "212."),
        (PEOPLE, "", "212 women."),
        (BUYBACK, "How many shares did the works buy from Ann?", "26.9 billion shares."),
        (BUYBACK, "How many shares did the works buy from Ann?", "26.9 billion."),
        (BUYBACK, "What did the works buy?", "26.9 billion shares."),
        (BUYBACK, "What did the works buy?", "26.9bn of its common shares."),
        (PUMP, "", "2,400 cubic metres per day."),
        (PUMP, "", "2,400 cubic metres a month."),
        ("Each pipe is inspected every 5 years.", "", "5 times a year."),
        (TARIFF, "", "The works raised its tariff in 2023."),
        (TARIFF, "Did the works raise its tariff?", "Yes."),
        ("The works raised its tariff in 2023.", "", "The works did not raise its tariff in 2023."),
        ("| Operating result | 4,015 |", "", "A loss of 4,015."),
    ],
)
def test_what_contradicts(quoted: str, question: str, claim: str) -> None:
    """Another rate, direction, role or count than the place's, or a denial on one side only."""
    assert contradicts(claim, question, quoted, "")


@pytest.mark.parametrize(
    ("quoted", "question", "claim"),
    [
        (LOSSES, "", "They fell to 8.1%."),
        (LOSSES, "What share was lost?", "8.1%."),
        (LOSSES, "Why did losses fall?", "8.1%."),
        (LOSSES, "Did losses increase?", "They fell to 8.1%."),
        (PEOPLE, "How many people are employed?", "212."),
        (PEOPLE, "How many of the employees are women?", "61 women."),
        ("The number of staff rose from 200 employees to 212.", "How many employees are there?", "212."),
        (BUYBACK, "What remained of the program?", "26.9 billion."),
        (BUYBACK, "How many dollars remained of the program?", "26.9 billion dollars."),
        ("It bought 2,400 shares for $2,400.", "How many shares did it buy?", "2,400 shares."),
        ("The fee is $26 million higher.", "", "The fee is 26 million higher."),
        ("The fee is $500 plus charges.", "", "500 plus charges."),
        ("A rent of EUR 1,850 covers heating.", "", "The rent of 1,850 covers heating."),
        ("The fee is $500.", "How many US dollars is the fee?", "500."),
        ("The fee is NOK 500.", "How many Norwegian kroner is the fee?", "500."),
        (PUMP, "", "2,400 cubic metres an hour."),
        (NOTICE, "", "18 months."),
        (NOTICE, "", "EUR 40 per year."),
        (TARIFF, "Did the works raise its tariff?", "No."),
        (TARIFF, "", "The works did not raise its tariff."),
        ("As they are not members, law officers cannot vote.", "What can law officers not do?", "vote"),
        ("The works did not raise its tariff but raised the deposit.", "", "It raised the deposit."),
        ("| Increase in receivables | (500) |", "", "A decrease of 500."),
        ("| Net loss | 4,015 |", "", "A loss of 4,015."),
        ("Revenue rose by 4%, up to 5 places fell away.", "", "It rose by 4%."),
    ],
)
def test_what_does_not(quoted: str, question: str, claim: str) -> None:
    """The same in other forms, and what a sentence says beside a denial."""
    assert not contradicts(claim, question, quoted, "")


def test_an_initial_ends_no_statement() -> None:
    """The letter in a person's name is no end of a statement; one before a new sentence is."""
    assert statements("Ada M. Holm is the head [3]. She holds class A. The price is EUR 4.") == [
        "Ada M. Holm is the head.", "She holds class A.", "The price is EUR 4.",
    ]  # fmt: skip


WORKS = """# Saltholm Water Works

## Management report

On 14 March 2023 the board appointed Ingrid Vestergaard as managing director.
She succeeded Tomas Brandt, who retired on 31 January 2023.
The new pumping station at Kirkeby cost EUR 12.5 million and has a capacity of 2,400 cubic metres per hour.
The temperature of raw water was -1.5 °C at the lowest.
A household with a meter of 20 mm pays a standing charge of EUR 7.40 per month.

## Accounts

Income statement (EUR thousand)

| Item | 2023 | 2022 |
| --- | --- | --- |
| Revenue | 88,300 | 84,200 |
| Energy costs | (14,720) | (19,350) |
| Staff costs | (16,905) | (16,110) |
| Result: | | |
| Operating result | 9,480 | 4,015 |
| Net finance result | (1,275) | (1,190) |

Tariff of connection (EUR)

| Diameter of pipe | Connection fee | Deposit |
| --- | --- | --- |
| 25 mm | 1,150 | 300 |
| 40 mm | 1,980 | 500 |
"""
APPOINTED = "On 14 March 2023 the board appointed Ingrid Vestergaard as managing director"
PUMPING = "The new pumping station at Kirkeby cost EUR 12.5 million"
CHARGE = "A household with a meter of 20 mm pays a standing charge of EUR 7.40 per month."
COLD = "The temperature of raw water was -1.5 °C at the lowest."


@pytest.fixture
def works(settings: Settings, tmp_path: Path) -> Iterator[Library]:
    """A home with a report of a water works."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "report.md").write_text(WORKS, encoding="utf-8")
    with Room(settings) as room:
        room.ingest(tmp_path / "docs")
    with Library(settings, "tests") as home:
        yield home


@pytest.mark.parametrize(
    ("question", "quote", "claims", "wrong"),
    [
        ("Who was appointed as managing director?", APPOINTED, ["Ingrid Vestergaard."],
         ["Tomas Brandt.", "Ingrid Brandt."]),
        ("What did the new pumping station at Kirkeby cost?", PUMPING, ["EUR 12.5 million."], ["EUR 2,400."]),
        ("What is the capacity of the pumping station at Kirkeby?", "has a capacity of 2,400 cubic metres per hour",
         ["2,400 cubic metres per hour."], ["2,400 cubic feet per hour."]),
        ("What was the lowest temperature of raw water?", COLD, ["-1.5 °C."], ["1.5 °C."]),
        ("What standing charge does a household with a meter of 20 mm pay?", CHARGE, ["EUR 7.40 a month."],
         ["20 mm.", "EUR 7.40 per year."]),
        ("What were the energy costs in 2023?", "| Energy costs | (14,720) | (19,350) |", ["EUR 14,720 thousand."], []),
        ("What was the net finance result in 2023?", "| Net finance result | (1,275) | (1,190) |", ["EUR -1,275 thousand."],
         ["EUR 1,275 thousand.", "-1,275 people."]),
        ("What is the connection fee for a pipe of 40 mm?", "| 40 mm | 1,980 | 500 |", ["EUR 1,980."],
         ["1,980 mm.", "EUR 1,150."]),
    ],
)  # fmt: skip
def test_only_what_the_place_says_is_supported(
    works: Library, question: str, quote: str, claims: list[str], wrong: list[str]
) -> None:
    """A model's true claims stand with their place, false ones made of the same numbers and names do not."""
    for claim in claims:
        answer, _ = ask(works, Scripted(reply(quote, 1, claim)), question)
        assert answer.model.backend == "embedded" and answer.answer == f"{claim} [1]"
    for claim in wrong:
        answer, _ = ask(works, Scripted(reply(quote, 1, claim)), question)
        assert answer.model.backend == "extractive" and all(claim != item.text for item in answer.statements)


def test_a_row_of_another_number_is_no_figure(works: Library) -> None:
    """Without a model, the row of the pipe that is asked for is read, not the first one of pipes."""
    answer, _ = ask(works, None, "What is the connection fee for a pipe of 40 mm?")
    assert answer.answer == "40 mm, Connection fee: 1,980 EUR [1]"


def test_a_row_with_only_its_label_is_not_quoted(works: Library) -> None:
    """What stands over rows, "Result:", says nothing by itself."""
    answer, _ = ask(works, None, "What was the operating result of the result in 2022?")
    assert "4,015" in answer.answer and "Result:" not in answer.answer
