"""What a question writes as one is found as written: codes, numbers with a sign or unit, words in quotation marks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.filters import parse_filter
from rag.library import Library
from rag.question import understand
from rag.settings import load_settings
from rag.whole import wholes
from tests.in_process import Room
from tests.processes import environment

WRITTEN = {
    "§ 4.2": "The rule in § 4.2 lets the tenant renew once by letter.",
    "€1.5m": "The new wheel was paid with €1.5m from the fund of the town.",
    "ISO 27001": "The bakery is certified under ISO 27001 since spring.",
    "10-K": "The annual form 10-K goes to the commission.",
    "6(1)(f)": "Article 6(1)(f) applies here.",
    "10%": "The discount is 10% for members.",
    "+47 22 33 44 55": "The desk is called at +47 22 33 44 55 by day.",
    "C++": "The engine is written in C++ since 1998.",
    "user_id": "The column user_id is the key.",
    "30 days": "The deposit comes back after 30 days.",
    '"notice by letter"': "The owner needs notice by letter in June.",
    "v2.10.3": "The version v2.10.3 mends the leak.",
}
PARTS = (
    "A road of 4.2 km, with 4.2 tons of gravel, 4.2 in all, and § 14.2 and § 4.20 and § 4.3.",
    "In 1 year 5m long beams, €15m, $1.5m and €1.4m were seen, 1.5 tons; the plank has 1.5m, 1.5m and 1.5m.",
    "The 27001 loaves were baked under ISO 9001, and ISO 22000, ISO 27017 and 27001, 27001, ISO, ISO.",
    "Ten runners, 10 in all: K came first, K2 came second. The 10 and the K, 10, K, 10, K. Form 10-Q is late.",
    "Article 6(1)(a) applies there, 6 times 1 f, and 1(6)(f), f, 6, 1, 6, 1, f.",
    "The discount is 10 euros; there are 10 and 10 members; 10, 10.",
    "Rooms 22, 33, 44, 47 and 55 are closed, 47, 22, 33, 55, 44.",
    "The boat is written in C since 1970, C and C, C# and C, C, C.",
    "The user has an id, an id of the user: user, id, user, id.",
    "Days: 30 men for days, 30, days, 30, days; 130 days; 30 nights.",
    "The letter of notice is by the owner, notice and letter, a letter of letters, by notice of notices.",
    "The version v2.1.03 made it. Chapter v2, 10.3 pages, v2, 10.3, v2.",
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Each thing once as written, and texts that have its parts more often; ten candidates a search."""
    place = tmp_path_factory.mktemp("whole")
    for name, texts in (("written", WRITTEN.values()), ("parts", PARTS)):
        (place / name).mkdir()
        for number, text in enumerate(texts):
            for copy in range(12 if name == "parts" else 1):
                (place / name / f"{number}-{copy}.txt").write_text(f"{text} Copy {copy}.\n" if copy else text, "utf-8")
    settings = load_settings(environment(place / "home", READINGROOM_SEARCH__CANDIDATES="10"))
    with Room(settings) as room:
        room.ingest(place / "written", "written")
        room.ingest(place / "parts", "parts")
    with Library(settings, "tests") as opened:
        yield opened


@pytest.mark.parametrize("asked", WRITTEN)
def test_what_is_written_as_one_comes_first(library: Library, asked: str) -> None:
    """The place that has it as written comes before those that repeat its parts: by keyword, and in the search."""
    said = understand(asked, library.retriever.glossary)

    by_word = library.catalog.keyword_search(said.words, ["written", "parts"], 10, said.other, None, said.whole)
    assert by_word[0][0].text.strip() == WRITTEN[asked]
    assert library.search(asked, (), 3).hits[0].text.strip() == WRITTEN[asked]


def test_a_filter_holds_for_it_too(library: Library) -> None:
    """What stands outside the filter is not brought in for being written so."""
    for asked in WRITTEN:
        hits = library.search(asked, (), 20, parse_filter(["path=*/parts/*"])).hits
        assert hits and all("/parts/" in hit.path for hit in hits)
        assert all("/parts/" in hit.path for hit in library.search(asked, ["parts"], 20).hits)


@pytest.mark.parametrize(
    ("question", "pieces"),
    [
        ("What does § 4.2 of the lease say?", ["4.2", "§ 4.2"]),
        ("Was €1.5 million paid under ISO 27001, or $10,000?", ["€1.5", "€1.5 million", "ISO 27001", "$10,000"]),
        ("What is 3M's FY2018 capital expenditure in Q3 2023?", []),
        ("Who leads U.S. R&D, year-over-year?", []),
        ("On March 3, customers of the E200 paid.", ["March 3"]),
        ('Where is "notice by letter" said, and "notice"?', ["notice by letter"]),
        ("Wo steht „mit Brief“ in foo.bar() (10-K)?", ["mit Brief", "foo.bar()", "10-K"]),
    ],
)
def test_pieces_of_a_question(question: str, pieces: list[str]) -> None:
    """Words, years and quarters are no pieces; pairs end at a comma; brackets of the sentence fall off."""
    assert [one.text for one in wholes(question)] == pieces


@pytest.mark.parametrize(
    ("asked", "text", "stands"),
    [
        ("§ 4.2", "see §4.2.", True),
        ("§ 4.2", "see §\u00a04.2", True),
        ("§ 4.2", "see § 4.20", False),
        ("§ 4.2", "see § 4.2.1", False),
        ("€1.5m", "€ 1.5 m", True),
        ("€1.5m", "€11.5m", False),
        ("ISO 27001", "ISO27001:2022", True),
        ("ISO 27001", "ISO 270011", False),
        ("10-K", "a 10‑K405", False),
        ("10-K", "a 10\u2011K", True),
        ("C++", "in C++, too", True),
        ('"by letter"', "by\nLetter", True),
        ('"by letter"', "by letters", False),
    ],
)
def test_where_a_piece_stands(asked: str, text: str, stands: bool) -> None:
    """Spaces between a number and its sign or unit don't matter; a longer number or word is another one."""
    assert (
        any(
            one.stands_in(text)
            for one in wholes(asked)
            if " " in one.text or not one.text[0].isdigit() or "-" in one.text
        )
        is stands
    )


@given(st.text(alphabet='ab 1.5§€-()"“”%_#+,K', max_size=40))
def test_a_piece_stands_in_its_question(question: str) -> None:
    """Whatever is asked can be read, and each piece is found where it is written by itself."""
    for one in wholes(question):
        assert one.stands_in(one.text) and all(one.phrases)
