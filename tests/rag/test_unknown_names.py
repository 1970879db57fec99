"""Names that stand nowhere in the documents: a question about them is not answered with what is said of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.library import Library
from rag.settings import Settings
from rag.unknown_names import unknown_names


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("What is Tesla's annual maintenance fee for an equipment set of type B?", ["Tesla"]),
        ("What was the fee that Rheinmetall and Brunvoll pay?", ["Rheinmetall", "Brunvoll"]),
        ("What is the annual maintenance fee of the Vendor?", []),  # a party may be called otherwise
        ("What does the Vendor pay of the Licensee fee?", []),
        ("What was the cost of the Rheinmetal transaction?", ["Rheinmetal"]),  # no term that is defined
        ("What was the cost of the Premium transaction?", []),
        ("What is the price of Tesla-built sets?", ["Tesla"]),
        ("What is the annual fee in March?", []),
        ("What Is The Liability Cap Under Agreement Zulu?", []),  # a title
        ("Was kostet die Wartung der Anlage bei Siemens im Jahr?", []),  # German has capitals everywhere
        ("What does IBM pay a year?", []),  # may be an abbreviation of what is there
        ("What is the fee of the set? Answer in euros, please: Round it up.", []),  # the first word of a sentence, too
        ("Siemens pays how much of the fee?", []),  # the first word has a capital anyway
    ],
)
def test_names_that_stand_nowhere(library: Library, question: str, names: list[str]) -> None:
    """Proper names behind no article, in questions in English, unless something like them was found."""
    assert unknown_names(question, library.catalog, []) == names


def test_slips_are_not_unknown(library: Library) -> None:
    """A name that is written a little otherwise than in what was found is the same name."""
    found = [item.passage for item in library.found("annual maintenance fee", [], 5)]
    name = next(word for item in found for word in item.text.split() if word.isalpha() and len(word) > 7)
    assert unknown_names(f"What is the fee of {name.title()[:-1]}x?", library.catalog, found) == []


def test_a_question_about_somebody_else_is_not_answered(library: Library) -> None:
    """The answer says which name is unknown, and the nearest passages are there."""
    answer = library.ask("What is Tesla's annual maintenance fee for a vessel with an equipment set of type B?")
    assert (answer.outcome, answer.note) == ("not_found", "Tesla: that stands nowhere in these documents.")
    assert answer.passages
    known = library.ask("What is the annual maintenance fee for a vessel with an equipment set of type B?")
    assert known.outcome == "answered"


@pytest.fixture
def two(settings: Settings, tmp_path: Path) -> Iterator[Library]:
    """A home with a report of each of two companies, of which one owns a third."""
    folder = tmp_path / "reports"
    folder.mkdir()
    sales = "Net sales were $5.3 billion in the third quarter, and operating income was $410 million.\n"
    (folder / "Teal Shipping 2024 Q3.txt").write_text(f"Teal Shipping\n\n{sales}")
    (folder / "Norway Bulk 2024 Q3.txt").write_text(
        "Norway Bulk\n\nThe revenue of Brunvoll was $1.1 billion in the third quarter.\n"
    )
    with Library(settings, "tests") as opened:
        opened.ingest([folder], "documents")
        yield opened


def test_what_stands_in_another_document_only(two: Library) -> None:
    """A name that stands only in a document that is not asked is no matter of the one that is: its own figures are no answer."""
    of_another = two.ask("What were the net sales of Brunvoll at Teal Shipping in the third quarter?")
    assert of_another.outcome == "not_found"
    assert of_another.note == "Brunvoll: that stands in none of the documents that are asked."
    its_own = two.ask("What was the revenue of Brunvoll at Norway Bulk in the third quarter?")
    assert its_own.outcome == "answered" and "1.1 billion" in its_own.answer
    worked_out = two.ask("What were the EBITDAR and the net sales of Teal Shipping in the third quarter?")
    assert "none of the documents" not in worked_out.note
    without = two.ask("What were the net sales of Teal Shipping in the third quarter?")
    assert without.outcome == "answered" and "5.3 billion" in without.answer


def test_a_quarter_names_no_other_organisation(settings: Settings, tmp_path: Path) -> None:
    """A fiscal quarter that the file of another is named by doesn't make that the document that is asked."""
    folder = tmp_path / "reports"
    folder.mkdir()
    said = "Norway Bulk Ltd. Quarterly report.\n\nNorway Bulk Ltd sails. Brunvoll revenue was $1.1 billion in the second quarter."
    for year in range(2018, 2023):
        (folder / f"{year} Q3 BULK.txt").write_text(said)
    (folder / "TEAL 2024Q2.txt").write_text("Teal Shipping Ltd. Quarterly report.\n\nTeal Shipping Ltd sails.\n")
    with Library(settings, "tests") as room:
        room.ingest([folder], "documents")
        answer = room.ask("What was Norway Bulk's Brunvoll revenue in the second quarter of fiscal year 2024?")
    assert "none of the documents" not in answer.note


def test_a_common_word_in_a_file_name_names_no_document(settings: Settings, tmp_path: Path) -> None:
    """ "contract" in a question is not what "employment-contract.txt" is called: other documents are asked, too."""
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "employment-contract.txt").write_text("Ada Holm is employed as a welder from 1 May 2023.\n")
    (folder / "minutes.md").write_text(
        "# Minutes of Teal Foods\n\nThe contract for the cold store was won by Polaris Insulation, a firm of Bergen.\n"
    )
    with Library(settings, "tests") as room:
        room.ingest([folder], "documents")
        answer = room.ask("Which firm won the contract for the cold store at Teal Foods?")
    assert answer.outcome == "answered" and "Polaris Insulation" in answer.answer
