"""Reports of several quarters: which one is the latest, which one is meant, and when all of them are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.answer_type import asks_several
from rag.library import Library
from rag.newest import asks_newest, older
from rag.settings import Settings

QUARTERS = {"2023 Q1": "310", "2023 Q3": "290", "2023 Q2": "345"}
SALES = "What were Norvik's net sales of boats"


@pytest.fixture
def room(settings: Settings, tmp_path: Path) -> Iterator[Library]:
    """Three quarterly reports of a company, and one of another, older one."""
    place = tmp_path / "docs"
    place.mkdir()
    for quarter, sales in QUARTERS.items():
        text = f"Quarterly report of Norvik Ltd\n\nNet sales of boats were EUR {sales} thousand.\n\nNorvik Ltd.\n"
        (place / f"{quarter} Norvik.txt").write_text(text)
    text = "Quarterly report of Tarrow Ltd\n\nNet sales of boats were EUR 77 thousand.\n\nTarrow Ltd.\n"
    (place / "2022 Q4 Tarrow.txt").write_text(text)
    (place / "copy of 2023 Q2 Norvik.txt").write_bytes((place / "2023 Q2 Norvik.txt").read_bytes())
    with Library(settings, "tests") as opened:
        opened.ingest([place], "reports")
        yield opened


def test_the_latest_report_is_found_by_its_period(room: Library) -> None:
    """The later quarter is newer, whatever was ingested last; another company's only report is its latest."""
    paths = {item.document_id: Path(item.path).stem for item in room.documents("reports")}
    past = older(room.catalog.naming.store, list(paths))
    assert {paths[item] for item in paths if item not in past} == {"2023 Q3 Norvik", "2022 Q4 Tarrow"}


@pytest.mark.parametrize("words", ["in the latest quarter", "in the most recent report"])
def test_the_latest_is_answered_without_asking_back(room: Library, words: str) -> None:
    """The newest report answers, named most clearly."""
    answer = room.ask(f"{SALES} {words}?")
    assert (answer.outcome, answer.candidates) == ("answered", [])
    assert "290" in answer.answer and Path(answer.citations[0].path).stem == "2023 Q3 Norvik"
    named = room.catalog.naming.documents(f"{SALES} {words}?", ["reports"])
    assert [item.share < named[0].share for item in named[1:]] == [True] * 3


def test_a_question_that_leaves_the_quarter_open_is_asked_back(room: Library) -> None:
    """The quarters are offered, a copy of a report is no candidate of its own; a quarter that is named answers."""
    conversation = room.answers.begin().id
    back = room.ask(f"{SALES}?", conversation_id=conversation)
    assert back.outcome == "clarify"
    assert sorted(item.label for item in back.candidates) == ["Q1 2023", "Q2 2023", "Q3 2023"]
    answer = room.ask("Q1", conversation_id=conversation)
    assert "310" in answer.answer and answer.standalone_question == f"{SALES} (Q1 2023)?"


def test_a_question_about_all_of_them_is_not_asked_back(room: Library) -> None:
    """Across quarters, over time, each of them."""
    for words in ("across quarters", "in each quarter", "over time", "in all reports"):
        assert room.ask(f"{SALES} {words}?").outcome != "clarify", words


@pytest.mark.parametrize(
    ("question", "several"),
    [
        ("How has Apple's revenue from iPhone sales fluctuated across quarters?", True),
        ("Summarize the risk factors to Apple's business, and how they have changed", True),
        ("What is the impact of exchange rates? List this for each reported period.", True),
        ("Which company had the highest effective tax rate?", True),
        ("What was the effective tax rate in the most recent quarter?", False),
        ("What is the monthly rent of the harbour office?", False),
        ("How many days a year may employees work from another country?", False),
    ],
)
def test_questions_about_several_documents_are_known(question: str, several: bool) -> None:
    """By words for all of them, for time that passes, or for a comparison."""
    assert asks_several(question) == several


def test_a_year_that_is_named_is_not_the_latest() -> None:
    """The word "latest" counts alone: a quarter or year that is named says it better."""
    assert asks_newest("What does the latest report say?")
    assert not asks_newest("What does the latest report for 2022 say?")
    assert not asks_newest("What does the report say?")
