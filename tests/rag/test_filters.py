"""Filters: each key holds before ranking, for keyword and for vector search, in the library, the API and the command line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag import keywords
from rag.errors import NotFound, UsageError
from rag.filters import Filter, parse_filter
from rag.library import Library
from rag.settings import load_settings
from tests.in_process import Room
from tests.processes import SAMPLES, Server, environment, run_command

ASKED = "What is the rent in Kongsvik?"
TARGET = "Pachtvertrag 2020-05-01.md"
AGREEMENT = "ferry-supply-agreement.pdf"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A German contract among thirty English minutes that fit the question better, and a long PDF; ten candidates a search."""
    place = tmp_path_factory.mktemp("filters")
    wanted, others = place / "docs" / "wanted", place / "docs" / "others"
    wanted.mkdir(parents=True)
    others.mkdir()
    lease = "# Pachtvertrag\n\nDer Pächter zahlt für das Grundstück in Kongsvik jährlich 900 Euro an die Gemeinde."
    (wanted / TARGET).write_text(lease, encoding="utf-8")
    shutil.copy(SAMPLES / AGREEMENT, wanted)
    for number in range(30):
        said = f"Minutes of meeting {number}. The rent in Kongsvik is {number + 100} euros. What rent Kongsvik asks is fair."
        (others / f"{number} on 2021-03-02.txt").write_text(said, encoding="utf-8")
    settings = load_settings(environment(place / "home", READINGROOM_SEARCH__CANDIDATES="10"))
    with Room(settings) as room:
        room.ingest(wanted, "wanted")
        room.ingest(others, "others")
    with Library(settings, "tests") as opened:
        yield opened


def found(library: Library, *conditions: str) -> dict[str, list[str]]:
    """Return the file of each hit of the question → the searches that found it."""
    hits = library.search(ASKED, (), 20, parse_filter(conditions) if conditions else None).hits
    return {Path(hit.path).name: list(hit.found_by) for hit in hits}


def test_without_a_filter_better_passages_come_first(library: Library) -> None:
    """Neither search finds the contract by itself: a filter after the ranking would leave nothing."""
    assert TARGET not in found(library)


def test_what_is_remembered_is_forgotten_when_documents_change(tmp_path: Path) -> None:
    """How rare words are and how many passages there are follows each change of the documents, not of anything else."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "one.txt").write_text("The pump weighs 40 kg.", encoding="utf-8")
    settings = load_settings(environment(tmp_path / "home"))
    with Room(settings) as room:
        room.ingest(folder, "docs")
    with Library(settings, "tests") as opened:
        assert opened.catalog.document_frequency(["pump", "valve"]) == ({"pump": 1, "valve": 0}, 1)
        opened.ask("What does the pump weigh?")
        assert opened.catalog.document_frequency(["pump"]) == ({"pump": 1}, 1)
        (one,) = opened.documents()
        assert opened.catalog.languages([one.document_id]) == {one.document_id: one.language}
        assert opened.catalog.paged([one.document_id]) == set()
    (folder / "two.txt").write_text("A pump and a valve.", encoding="utf-8")
    with Room(settings) as room:
        room.ingest(folder, "docs")
    with Library(settings, "tests") as opened:
        assert opened.catalog.document_frequency(["pump", "valve"]) == ({"pump": 2, "valve": 1}, 2)
        first, second = sorted(opened.documents(), key=lambda item: item.path)
        assert opened.retriever.index.count("docs") == 2
        opened.forget([first.document_id])
        assert opened.catalog.document_frequency(["pump", "valve"]) == ({"pump": 1, "valve": 1}, 1)
        assert opened.retriever.index.count("docs") == 1
        hits = opened.search("pump", wanted=Filter(documents=(second.document_id,))).hits
        assert [hit.document_id for hit in hits] == [second.document_id]


def test_a_word_that_all_names_have_names_nothing(library: Library) -> None:
    """Every document lies in the same folder "docs": a question that says so means none of them."""
    assert library.catalog.naming.documents("What do the docs say?", ["wanted", "others"]) == []


def test_a_collection_is_searched_behind_better_passages_of_another(library: Library) -> None:
    """Keywords find the passage of one collection, though more of another than are looked up at first fit them better."""
    (best, _), *rest = library.catalog.keyword_search(["Kongsvik", "rent"], ["wanted"], 1)
    assert Path(best.path).name == TARGET and not rest
    assert len(library.catalog.keyword_search(["Kongsvik", "rent"], ["others"], 30)) == 30


@pytest.mark.parametrize("condition", ["type=txt", "type=pdf", "date=2021-03-02..2021-03-02", "pages=2..3"])
def test_looking_words_up_in_a_scope_finds_what_going_through_the_index_finds(
    library: Library, monkeypatch: pytest.MonkeyPatch, condition: str
) -> None:
    """Which of the two takes less depends on the size of the index; passages and scores are the same."""
    scope = library.catalog.scope(parse_filter([condition]), ["wanted", "others"])
    words = "rent Kongsvik 107 delivery ferry terms Conditions".split()

    def by(most: int) -> list[tuple[str, float]]:
        monkeypatch.setattr(keywords, "GONE_THROUGH", most)
        ranked = library.catalog.keyword_search(words, ["wanted", "others"], 30, (), scope)
        return [(passage.chunk_id, round(score, 9)) for passage, score in ranked]

    through, looked_up = by(10**9), by(0)
    assert looked_up == through and len(through) > 2


def test_where_rare_words_choose_passages_all_words_score_them(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a large catalog, where going through all passages with common words takes too long: what either search finds has the
    score that it has in a small one."""
    question = "When does the Buyer pay the price of a ferry, and what interest is due on late payment?"

    def hits(most: int) -> tuple[dict[str, float], set[str]]:
        monkeypatch.setattr(keywords, "ROWS", most)
        found = library.found(question, ["wanted", "others"], 60)
        return {item.passage.chunk_id: round(item.score, 6) for item in found}, {
            item.passage.chunk_id for item in found if "keyword" in item.found_by
        }

    (every, through), (rare, chosen) = hits(10**6), hits(3)
    assert len(through) == 10 and 0 < len(chosen) < 10
    both = through & rare.keys()
    assert len(both) > 3 and both - chosen, "one is found by vectors, and by keyword only where all are gone through"
    assert {key: rare[key] for key in both} == {key: every[key] for key in both}


@pytest.mark.parametrize(
    "condition",
    [
        "collection=wanted",
        "path=*/wanted/*.md",
        "type=md",
        "type=markdown",
        "type=.MD",
        "kind=contract",
        "language=de",
        "language=de-CH",
        "date=2020-01-01..2020-12-31",
        "date=..2020-05-01",
        "document",
    ],
)
def test_each_key_holds_for_both_searches(library: Library, condition: str) -> None:
    """Under each filter the contract is found by keyword and by vector, and nothing that the filter leaves out."""
    if condition == "document":
        named = next(item.document_id for item in library.documents() if item.path.endswith(TARGET))
        condition = f"document={named}"
    hits = found(library, condition)
    assert hits[TARGET] == ["keyword", "vector"]
    assert set(hits) <= {TARGET, AGREEMENT}


def test_a_thread_of_mails(tmp_path: Path) -> None:
    """The mails of a thread are those that go back to one mail, by their own headers; they say so themselves."""
    folder = tmp_path / "mails"
    folder.mkdir()
    for name, head in (
        ("first", "Message-ID: <1@example.org>"),
        ("reply", "Message-ID: <2@example.org>\nIn-Reply-To: <1@example.org>"),
        (
            "later",
            "Message-ID: <3@example.org>\nIn-Reply-To: <2@example.org>\nReferences: <1@example.org> <2@example.org>",
        ),
        ("other", "Message-ID: <4@example.org>"),
    ):
        text = f"From: a@example.org\nSubject: Pump\n{head}\n\nThe pump of {name} weighs 40 kg.\n"
        (folder / f"{name}.eml").write_text(text, encoding="utf-8")
    settings = load_settings(environment(tmp_path / "home"))
    with Room(settings) as room:
        room.ingest(folder)
    with Library(settings, "tests") as opened:
        threads = {Path(item.path).stem: item.thread for item in opened.documents()}
        assert threads == dict.fromkeys(("first", "reply", "later"), "<1@example.org>") | {"other": "<4@example.org>"}
        hits = opened.search("What does the pump weigh?", (), 20, parse_filter(["thread=<1@example.org>"])).hits
        assert {Path(hit.path).stem for hit in hits} == {"first", "reply", "later"}


def test_pages_hold_for_both_searches(library: Library) -> None:
    """Only passages of those pages are found, by either search, though the question fits other pages better."""
    asked = "Which set does M/S Rolla get, on which delivery date?"
    assert library.search(asked).hits[0].page == 9
    hits = library.search(asked, (), 20, parse_filter(["pages=10..11"])).hits
    assert {hit.page for hit in hits} <= {10, 11} and hits
    assert {way for hit in hits for way in hit.found_by} == {"keyword", "vector"}
    assert {hit.page for hit in library.search(asked, (), 20, parse_filter(["pages=12.."])).hits} <= {12, 13, 14, 15}


def test_keys_hold_together_and_values_of_one_are_alternatives(library: Library) -> None:
    """Two keys leave what passes both; two values of a key what passes one."""
    assert found(library, "language=de", "type=pdf") == {}
    assert set(found(library, "type=md", "type=pdf", "kind=contract")) == {TARGET, AGREEMENT}
    assert library.ask(ASKED, (), Filter(languages=("de",))).passages[0].path.endswith(TARGET)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("typ=pdf", "Did you mean `type`"),
        ("colour=red", "collection, document, path, type, kind, language, thread, date, pages"),
        ("type=pfd", "did you mean `pdf`"),
        ("kind=lease", "there are 10-K"),
        ("language=german", "ISO 639-1"),
        ("document=lease.pdf", "16 signs"),
        ("path=", "no value"),
        ("date=yesterday", "2022-12-31"),
        ("date=2022-12-31..2022-01-01", "end before they begin"),
        ("pages=0", "page_from"),
        ("pages=9..3", "end before they begin"),
        ("pages=99999999999999999999", "page_from"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(condition: str, says: str) -> None:
    """The error names the key, and says what can stand there."""
    with pytest.raises(UsageError) as caught:
        parse_filter([condition])
    assert says in f"{caught.value.message} {caught.value.remedy}"


@pytest.mark.parametrize("condition", ["collection=nowhere", "document=0123456789abcdef"])
def test_what_does_not_exist_is_said(library: Library, condition: str) -> None:
    """A collection or a document that isn't there is an error, not an empty result."""
    with pytest.raises(NotFound, match=condition.partition("=")[2]):
        found(library, condition)


@pytest.mark.parametrize(
    ("wanted", "status", "says"),
    [
        ({"typ": ["pdf"]}, 422, "did you mean `types`"),
        ({"types": ["pfd"]}, 422, "filter.types.0"),
        ({"types": "pdf"}, 422, "filter.types"),
        ({"kinds": ["lease"]}, 422, "filter.kinds.0"),
        ({"languages": ["german"]}, 422, "filter.languages.0"),
        ({"paths": [""]}, 422, "filter.paths.0"),
        ({"paths": ["*"] * 101}, 422, "filter.paths"),
        ({"documents": ["x"]}, 422, "filter.documents.0"),
        ({"documents": ["0123456789abcdef"]}, 404, "0123456789abcdef"),
        ({"collections": ["nowhere"]}, 404, "nowhere"),
        ({"date_from": "soon"}, 422, "filter.date_from"),
        ({"date_from": "2022-02-01", "date_to": "2022-01-01"}, 422, "end before they begin"),
        ({"page_from": 0}, 422, "filter.page_from"),
    ],
)
@pytest.mark.parametrize("route", ["search", "ask"])
def test_the_api_refuses_bad_filters(
    server: Server, route: str, wanted: dict[str, object], status: int, says: str
) -> None:
    """A problem document names the key and, where there is a choice, what is allowed."""
    reply = server.post(f"/v1/{route}", json={"question": "dividend", "filter": wanted})
    assert reply.status_code == status and says in reply.json()["detail"] and reply.json()["remedy"]


def test_the_api_filters(server: Server) -> None:
    """The API takes every key: here all that hold for one document at once, then one that doesn't."""
    item = next(item for item in server.get("/v1/documents").json() if item["path"].endswith(AGREEMENT))
    wanted = {
        "collections": [item["collection"]],
        "documents": [item["document_id"]],
        "paths": ["*/ferry*"],
        "types": ["pdf"],
        "kinds": [item["kind"]],
        "languages": ["en"],
        "date_from": item["date"],
        "date_to": item["date"],
        "page_from": 9,
        "page_to": 10,
    }
    hits = server.post("/v1/search", json={"question": "maintenance", "filter": wanted}).json()["hits"]
    assert hits and {(hit["document_id"], hit["page"]) for hit in hits} <= {(item["document_id"], n) for n in (9, 10)}
    other = {**wanted, "languages": ["de"]}
    assert server.post("/v1/search", json={"question": "maintenance", "filter": other}).json()["hits"] == []


def test_the_command_line_filters(filled_home: Path) -> None:
    """`--filter` may be repeated; a wrong key ends with status 2 and says which there are."""
    conditions = ("--filter", "type=pdf", "--filter", "pages=10", "--filter", "collection=documents")
    hits = run_command(filled_home, "search", "maintenance", "--json", *conditions).json["hits"]
    assert hits and {(Path(hit["path"]).name, hit["page"]) for hit in hits} == {(AGREEMENT, 10)}
    wrong = run_command(filled_home, "search", "maintenance", "--filter", "language=german")
    assert wrong.code == 2 and "ISO 639-1" in wrong.stderr


def test_documents_say_what_they_are_about(library: Library, filled_home: Path) -> None:
    """Kind, organisation, period, date and language are in the list of documents, through every door."""
    by_name = {Path(item.path).name: item for item in library.documents()}
    lease, agreement = by_name[TARGET], by_name[AGREEMENT]
    assert (lease.kind, lease.date, lease.language, lease.period) == ("contract", "2020-05-01", "de", ["2020"])
    assert agreement.kind == "contract" and "Halden Marine Instruments" in agreement.organisation
    listed = run_command(filled_home, "documents").stdout
    assert "contract, Skarnes Coastal Lines" in listed and "pdf en" in listed
    rows = {Path(row["path"]).name: row for row in run_command(filled_home, "documents", "--json").json}
    assert rows[AGREEMENT]["organisation"] == agreement.organisation and rows["board-minutes-2025-09.md"]["period"] == [
        "2025"
    ]
