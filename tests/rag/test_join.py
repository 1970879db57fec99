"""Hits: a page once, the same text once, filters before ranking, named documents first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rag.filters import Filter, parse_filter
from rag.join import also_found, join, place_of
from rag.library import Library
from rag.naming import words_of_name, words_of_question
from rag.passages import Passage
from rag.question import GLOSSARY, load_glossary, understand
from rag.retrieve import Found
from rag.settings import Settings
from rag.shapes import Hit
from rag.widen import widen_hits
from tests.in_process import Room


def found(document: str, page: int, start: int, text: str, score: float) -> Found:
    """A passage with a place and a score."""
    end = start + len(text)
    return Found(
        Passage(f"{document}.{start}", "c", document, "v", f"/{document}.pdf", page, "", "", text, start, end),
        score,
        ("keyword",),
    )


def test_neighbours_on_a_page_are_one_hit() -> None:
    """Passages of one page that touch grow together; one that does not touch is named as a place; other pages are hits."""
    one, two = found("a", 2, 0, "The pump weighs 40 kg. ", 0.9), found("a", 2, 23, "It needs 3 kW of power.", 0.8)
    far, other = (
        found("a", 2, 500, "Warranty lasts two years.", 0.7),
        found("a", 3, 600, "Spare parts are listed.", 0.6),
    )
    hits = join([one, two, far, other], 10, {"a"})
    assert [(hit.start, hit.end) for hit in hits] == [(0, 46), (600, 623)]
    assert [hit.text for hit in hits] == ["The pump weighs 40 kg. It needs 3 kW of power.", "Spare parts are listed."]
    assert join([two, one], 10, {"a"})[0].text == hits[0].text
    assert [place.start for place in hits[0].also] == [500]


def test_without_pages_each_passage_is_a_hit() -> None:
    """In a document of one page passages stay apart."""
    some = [found("a", 1, 0, "The pump weighs 40 kg.", 0.9), found("a", 1, 900, "Warranty lasts two years.", 0.7)]
    assert len(join(some, 10, set())) == 2


def test_the_same_text_comes_once_unless_its_numbers_differ() -> None:
    """A copy in another document is a place of the first hit; the same sentence with another figure is a hit of its own."""
    text = (
        "The yearly fee for maintenance of the pump and the valves is EUR 4,000 and is due on the first day of March."
    )
    some = [
        found("a", 1, 0, text, 0.9),
        found("b", 1, 0, text, 0.8),
        found("c", 1, 0, text.replace("4,000", "5,000"), 0.7),
    ]
    hits = join(some, 10, set())
    assert [hit.lead.passage.document_id for hit in hits] == ["a", "c"]
    assert [place.document_id for place in hits[0].also] == ["b"]


def test_at_most_so_many_of_a_document() -> None:
    """Hits of one document beyond the limit make room for others."""
    some = [found("a", page, page * 100, f"Text number {page} about pumps.", 1 - page / 10) for page in (1, 2, 3)]
    hits = join([*some, found("b", 1, 0, "Another text about valves.", 0.1)], 10, {"a"}, per_document=1)
    assert [hit.lead.passage.document_id for hit in hits] == ["a", "b"]


def test_instructions_are_not_looked_for_and_terms_have_other_wordings() -> None:
    """Words that say how to answer go; a term of the glossary brings what documents say instead."""
    asked = understand(
        "What was the capex of Acme in 2021? Please round to one decimal place.", load_glossary(GLOSSARY)
    )
    assert "Acme" in asked.words and not {"round", "decimal", "Please"} & set(asked.words)
    assert {"purchases", "equipment"} <= set(asked.other)


@pytest.mark.parametrize(
    ("path", "facets", "question"),
    [
        ("/x/AMERICANEXPRESS_2022_10K.pdf", {}, "What did American Express earn?"),
        ("/x/report.pdf", {"organisation": "Johnson & Johnson"}, "Is growth of JnJ expected to slow?"),
        ("/x/report.pdf", {"organisation": "Foot Locker"}, "Who leads Footlocker?"),
        ("/x/2022 Q3 NVDA.pdf", {"period": "2022 2022Q3"}, "What changed in the third quarter of 2022?"),
        ("/x/Lease agreement Smith.docx", {}, "When does the lease with Smith end?"),
    ],
)
def test_a_question_names_a_document(path: str, facets: dict[str, str], question: str) -> None:
    """Some word of the name can stand at some place of the question."""
    names = words_of_name(path, facets)
    assert any(names & words for words in words_of_question(question))


def test_a_passage_that_is_sent_names_its_other_places() -> None:
    """The same text in another document, and more of its page, are named once; what is sent itself, or is elsewhere, is not."""
    text = "The yearly fee for maintenance is EUR 4,000."
    lead, more = found("a", 2, 0, text, 0.9), found("a", 2, 90, "It is due on the first of March.", 0.8)
    copy, elsewhere = found("b", 1, 0, text, 0.7), found("a", 3, 200, "Spare parts are listed.", 0.6)
    sent = [(item, hit_of(item, rank)) for rank, item in enumerate((lead, elsewhere), start=1)]
    hits = also_found(sent, [lead, more, copy, elsewhere], {"a"})
    assert [(place.document_id, place.page, place.start) for place in hits[0].also] == [("a", 2, 90), ("b", 1, 0)]
    assert hits[1].also == []
    assert [place.document_id for place in also_found(sent, [lead, more, copy, elsewhere], set())[0].also] == ["b"]


def hit_of(item: Found, rank: int) -> Hit:
    """A passage in the shape of the API."""
    place = place_of(item.passage).model_dump()
    return Hit(
        **place,
        rank=rank,
        score=0.5,
        collection="c",
        heading="",
        text=item.passage.text,
        boxes=[],
        found_by=["keyword"],
    )


@pytest.fixture
def filed(tmp_path: Path) -> Path:
    """Reports of two companies and a contract, in folders."""
    folder = tmp_path / "filed"
    report = "{0} Inc. annual report. {0} Inc. sold much.\n\nNet sales were {1} million dollars."
    lease = "Pachtvertrag. Der Pächter zahlt eine jährliche Pacht von 900 Euro für das Grundstück am Hafen."
    for name, text in {
        "acme/ACME_2021_10K.txt": report.format("Acme Pumps", 400),
        "acme/ACME_2022_10K.txt": report.format("Acme Pumps", 500),
        "zeta/ZETA_2022_10K.txt": report.format("Zeta Valves", 70),
        "zeta/Pachtvertrag 2020-05-01.txt": lease,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_filters_hold_before_ranking(settings: Settings, filed: Path) -> None:
    """A filter leaves only what passes it, for both searches, however many better passages it excludes."""
    with Room(settings) as room:
        room.ingest(filed)
    with Library(settings, "tests") as library:

        def names(*conditions: str) -> set[str]:
            hits = library.search("net sales in million dollars", (), 10, parse_filter(conditions)).hits
            return {Path(hit.path).name for hit in hits}

        assert names("path=*/zeta/*") == {"ZETA_2022_10K.txt", "Pachtvertrag 2020-05-01.txt"}
        assert names("kind=contract") == {"Pachtvertrag 2020-05-01.txt"}
        assert names("language=de") == {"Pachtvertrag 2020-05-01.txt"}
        assert names("date=2020-01-01..2020-12-31") == {"Pachtvertrag 2020-05-01.txt"}
        assert names("pages=2..") == set() and names("type=pdf") == set()
        assert len(names("type=txt")) == 4
        first = library.search("What were the net sales of Acme in 2022?").hits[0]
        assert Path(first.path).name == "ACME_2022_10K.txt"
        answer = library.ask("What were the net sales?", (), Filter(paths=("*2021*",)))
        assert {Path(hit.path).name for hit in answer.passages} == {"ACME_2021_10K.txt"}


def test_documents_that_are_not_named_make_room_for_others() -> None:
    """Hits of one document beyond the spread come last, unless the question names it; none is left out."""
    some = [found("a", page, page * 100, f"Text number {page} about pumps.", 1 - page / 10) for page in (1, 2, 3)]
    other = found("b", 1, 0, "Another text about valves.", 0.1)
    hits = join([*some, other], 10, {"a"}, spread=2)
    assert [(hit.lead.passage.document_id, hit.lead.passage.page) for hit in hits] == [
        ("a", 1), ("a", 2), ("b", 1), ("a", 3),
    ]  # fmt: skip
    assert len(join([*some, other], 3, {"a"}, spread=2)) == 3
    named = [replace(item, named=True) for item in some]
    assert [hit.lead.passage.document_id for hit in join([*named, other], 10, {"a"}, spread=2)] == ["a", "a", "a", "b"]


def test_hits_grow_within_their_section(library: Library) -> None:
    """With a number of tokens a hit has the text around it, exactly, and one token is too few for anything."""
    question = "What is the annual maintenance fee for a vessel with an equipment set of type B?"
    narrow, wide = library.search(question, limit=3), library.search(question, limit=3, widen=600)
    for before, after in zip(narrow.hits, wide.hits, strict=True):
        assert (before.document_id, before.page, before.heading) == (after.document_id, after.page, after.heading)
        assert after.start <= before.start and after.end >= before.end
        assert library.text(after.document_id).text[after.start : after.end] == after.text
    assert library.search(question, limit=3, widen=1).hits == narrow.hits


def test_a_hit_takes_in_what_touches_it_and_is_no_hit_itself() -> None:
    """Passages of the same page and heading after and before it in turn, while the tokens suffice; not another hit's."""
    texts = ["one a. ", "two b. ", "three c. ", "four d. ", "five e. ", "six f. "]
    starts = [sum(map(len, texts[:number])) for number in range(len(texts))]
    all_of_it = [found("a", 1, start, text, 0.5) for start, text in zip(starts, texts, strict=True)]
    section = [replace(item.passage, heading="H") for item in all_of_it]
    section[0] = replace(section[0], heading="Another")

    def widened(tokens: int, *leads: int) -> list[str]:
        hits = join([replace(all_of_it[lead], passage=section[lead]) for lead in leads], 10, set())
        widen_hits(hits, lambda _: section, lambda some: [len(text.split()) for text in some], tokens)
        assert all("".join(texts)[hit.start : hit.end] == hit.text for hit in hits)
        return [hit.text for hit in hits]

    assert widened(2, 2) == ["three c. "]
    assert widened(4, 2) == ["three c. four d. "]
    assert widened(6, 2) == ["two b. three c. four d. "]
    assert widened(100, 2) == ["two b. three c. four d. five e. six f. "]
    assert widened(100, 2, 4) == ["two b. three c. four d. ", "five e. six f. "]
