"""Names that stand nowhere in the documents: a question about them is not answered with what is said of others."""

from __future__ import annotations

import pytest

from rag.library import Library
from rag.unknown_names import unknown_names


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("What is Tesla's annual maintenance fee for an equipment set of type B?", ["Tesla"]),
        ("What was the fee that Rheinmetall and Brunvoll pay?", ["Rheinmetall", "Brunvoll"]),
        ("What is the annual maintenance fee of the Vendor?", []),  # a party may be called otherwise
        ("What is the annual fee in March?", []),
        ("What Is The Liability Cap Under Agreement Zulu?", []),  # a title
        ("Was kostet die Wartung der Anlage bei Siemens im Jahr?", []),  # German has capitals everywhere
        ("What does IBM pay a year?", []),  # may be an abbreviation of what is there
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
