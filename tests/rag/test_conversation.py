"""Conversations: kept, followed up, asked back once; documents that disagree are set side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.answer import last_answer
from rag.errors import NotFound
from rag.library import Library
from rag.settings import Settings
from tests.conftest import Run
from tests.processes import Server

RENT = "What is the monthly rent of the harbour office?"
FEE = "What is the price of annual maintenance for a vessel of type B?"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Leases of two companies, and two notes about one crane."""
    place = tmp_path / "docs"
    place.mkdir()
    for name, rent in (("Norvik", "1,200"), ("Tarrow", "2,350")):
        said = (f"{name} Ltd signs this lease.", f"The monthly rent of the harbour office is EUR {rent}.")
        (place / f"{name.lower()}.txt").write_text("\n\n".join([*said, f"Mr Lund of {name} Ltd has the keys.\n"]))
    (place / "crane-note.txt").write_text("The crane at the east quay can lift 12 tonnes at full reach.\n")
    (place / "crane-sheet.txt").write_text("The crane at the east quay can lift 15 tonnes at full reach.\n")
    os.utime(place / "crane-note.txt", (1_600_000_000, 1_600_000_000))
    return place


@pytest.fixture
def room(settings: Settings, folder: Path) -> Iterator[Library]:
    with Library(settings, "tests") as opened:
        opened.ingest([folder], "documents")
        yield opened


def test_an_open_question_is_asked_back_once(room: Library) -> None:
    """Two companies' leases answer it: the candidates are offered; a reply by name, number or question is understood."""
    for reply, rent in (("Tarrow", "2,350"), ("1", ""), ("the one of Norvik, please", "1,200")):
        conversation = room.answers.begin().id
        back = room.ask(RENT, conversation_id=conversation)
        assert (back.outcome, back.answer, back.citations) == ("clarify", "Which one do you mean?", [])
        assert {item.label for item in back.candidates} == {"Norvik", "Tarrow"}
        answer = room.ask(reply, conversation_id=conversation)
        meant = back.candidates[0] if reply == "1" else next(item for item in back.candidates if item.label in reply)
        assert answer.outcome == "answered" and answer.standalone_question == meant.question and rent in answer.answer
        assert {place.document_id for place in answer.citations} == {meant.document_id}
        assert room.replay(answer.id).same and room.replay(back.id).same
    again = room.answers.begin().id
    room.ask(RENT, conversation_id=again)
    assert room.ask(RENT, conversation_id=again).outcome == "answered"


def test_a_question_that_names_one_is_not_asked_back(room: Library) -> None:
    """Who is asked about is said: no question back."""
    answer = room.ask("What is the monthly rent of the harbour office of Tarrow?")
    assert answer.outcome == "answered" and "2,350" in answer.answer and answer.candidates == []


def test_a_figure_of_no_company_is_asked_back_among_reports(room: Library, folder: Path) -> None:
    """Two annual reports call it by other words in other tables: whose is meant is asked, and not where the question says it."""
    for name, called, value in (("Norvik", "Total revenue", "5,120"), ("Tarrow", "Net revenue", "8,310")):
        head = f"# {name} Ltd annual report 2022\n\n{name} Ltd presents its annual report for the year 2022."
        rows = f"| in thousands | 2022 | 2021 |\n| --- | --- | --- |\n| {called} | {value} | 4,{value[2:]} |"
        (folder / f"{name.lower()}-annual-report-2022.md").write_text(f"{head}\n\n## Income statement\n\n{rows}\n")
    room.ingest([folder], "documents")
    back = room.ask("What was the revenue in 2022?")
    assert (back.outcome, {item.label for item in back.candidates}) == ("clarify", {"Norvik", "Tarrow"})
    said = room.ask("What was the revenue of Tarrow in 2022?")
    assert said.outcome == "answered" and "8,310" in said.answer
    assert room.ask("What was the revenue in 2022 of each company?").outcome != "clarify"


def test_documents_that_disagree_are_shown_side_by_side(room: Library) -> None:
    """Both numbers, with their quotes and dates, the newer document first."""
    answer = room.ask("How much can the crane at the east quay lift?")
    ((newer, older),) = (found.sides for found in answer.disagreements)
    assert answer.outcome == "answered"
    assert ("15 tonnes" in newer.quote, "12 tonnes" in older.quote) == (True, True)
    assert newer.date > older.date == "2020-09-13"
    for side in (newer, older):
        assert room.text(side.document_id).text[side.start : side.end] == side.quote
    assert room.ask("Who has the keys of Norvik?").disagreements == []


def test_numbers_that_are_written_as_words_are_compared_too(room: Library, folder: Path) -> None:
    """Six weeks are not three months: two companies' terms are asked back about, those of one thing disagree."""
    for name, term in (("Halden", "six weeks"), ("Brekke", "three months")):
        text = f"{name} Ltd signs this contract.\n\nThe notice period is {term}, in writing.\n"
        (folder / f"contract-{name.lower()}.txt").write_text(text)
    for name, term in (("one", "four"), ("two", "nine")):
        (folder / f"hoist-{name}.txt").write_text(f"The hoist in the sail loft is greased every {term} weeks.\n")
    room.ingest([folder], "documents")
    back = room.ask("What is the notice period?")
    assert (back.outcome, {item.label for item in back.candidates}) == ("clarify", {"Halden", "Brekke"})
    (found,) = room.ask("How often is the hoist in the sail loft greased?").disagreements
    assert {side.quote[-11:] for side in found.sides} == {"four weeks.", "nine weeks."}


def test_sides_have_the_dates_that_their_documents_give_themselves(room: Library, folder: Path) -> None:
    """A date that is written at a document's beginning counts, not the day on which its file was copied here."""
    for year in (2022, 2024):
        text = (
            f"# Travel policy\n\nDate: 1 March {year}\n\nThe daily meal allowance of a driver is EUR {year - 1990}.\n"
        )
        (folder / f"policy-{'old' if year == 2022 else 'new'}.md").write_text(text)
    room.ingest([folder], "documents")
    (found,) = room.ask("What is the daily meal allowance of a driver?").disagreements
    assert [(side.date, side.quote[-7:]) for side in found.sides] == [
        ("2024-03-01", "EUR 34."),
        ("2022-03-01", "EUR 32."),
    ]


def test_a_question_that_needs_no_topic_is_asked_as_it_is_written(room: Library, folder: Path) -> None:
    """Where the topic of the turn before only hides what is asked, the answer rests on the question alone, and says so."""
    (folder / "boiler.txt").write_text("The boiler was inspected on 3 March 2024 by Ida Holm.\n")
    room.ingest([folder], "documents")
    conversation = room.answers.begin().id
    room.ask("Who has the keys of the harbour office of Norvik Ltd?", conversation_id=conversation)
    question = "Who inspected the boiler?"
    events = list(room.ask_stream(question, conversation_id=conversation))
    answer = last_answer(iter(events))
    assert answer.outcome == "answered" and "Ida Holm" in answer.answer
    assert answer.standalone_question == question and "Asked as it is written" in answer.note
    assert [value for name, value in events if name == "token"] == [answer.answer]
    assert room.replay(answer.id).same


def test_a_conversation_is_kept_and_forgotten(room: Library, folder: Path) -> None:
    """Turns are kept in order with their rewrites; a follow-up goes with the documents of the turn before it."""
    conversation = room.answers.begin().id
    first = room.ask("What is the monthly rent of the harbour office of Tarrow?", conversation_id=conversation)
    second = room.ask("and of Norvik?", conversation_id=conversation)
    assert second.standalone_question == "What is the monthly rent of the harbour office of Norvik?"
    assert second.question == "and of Norvik?" and "1,200" in second.answer
    kept = room.answers.conversation(conversation)
    assert [turn.id for turn in kept.turns] == [first.id, second.id]
    with pytest.raises(NotFound, match=f"That is an answer; its conversation is {conversation}"):
        room.ask("and then?", conversation_id=first.id)
    assert [line.question for line in room.answers.conversations(5)] == [first.question]
    room.forget([str(folder / "tarrow.txt")])
    assert room.answers.conversation(conversation).turns == []
    room.answers.remove_conversation(conversation)
    with pytest.raises(NotFound, match="no conversation"):
        room.ask("and then?", conversation_id=conversation)


def test_the_command_line_goes_on_with_a_conversation(run: Run, filled_home: Path) -> None:
    """`ask --continue` begins a conversation and goes on with it; the rewrite is shown; `conversations` lists it."""
    first = run("ask", FEE, "--continue", "--json").json
    second = run("ask", "And for type A?", "--continue")
    assert "Understood as: What is the price of annual maintenance for a vessel of type A?" in second.stdout
    (line,) = run("conversations", "--json").json
    assert line["conversation_id"] == first["conversation_id"] and line["question"] == FEE
    shown = run("conversations", first["conversation_id"])
    assert FEE in shown.stdout and "And for type A?" in shown.stdout
    assert run("conversations", first["conversation_id"], "--remove").code == 0
    assert run("answers", "--json").json == []
    assert run("ask", FEE, "--conversation", "nothing").code == 1


def test_continue_goes_on_from_a_question_asked_in_no_conversation(run: Run, filled_home: Path) -> None:
    """The last question counts: one without a conversation becomes the first turn of a new one, an older one is left alone."""
    old = run("ask", "Who wrote the minutes?", "--continue", "--json").json
    alone = run("ask", FEE, "--json").json
    assert alone["conversation_id"] is None
    second = run("ask", "And for type A?", "--continue", "--json").json
    assert second["standalone_question"].endswith("type A?")
    assert second["conversation_id"] not in (None, old["conversation_id"])
    turns = run("conversations", second["conversation_id"], "--json").json["turns"]
    assert [turn["id"] for turn in turns] == [alone["id"], second["id"]]
    assert {turn["conversation_id"] for turn in turns} == {second["conversation_id"]}
    third = run("ask", "And for type B?", "--continue", "--json").json
    assert third["conversation_id"] == second["conversation_id"]


def test_a_conversation_begins_with_a_kept_answer(server: Server) -> None:
    """The API makes an answer the first turn; asked again it gives the same conversation; an unknown answer is 404."""
    asked = server.post("/v1/ask", json={"question": FEE}).json()
    begun = server.post("/v1/conversations", json={"answer_id": asked["id"]})
    assert begun.status_code == 201 and [turn["id"] for turn in begun.json()["turns"]] == [asked["id"]]
    assert server.post("/v1/conversations", json={"answer_id": asked["id"]}).json()["id"] == begun.json()["id"]
    assert server.get(f"/v1/answers/{asked['id']}").json()["answer"]["conversation_id"] == begun.json()["id"]
    assert server.post("/v1/conversations", json={"answer_id": "nothing"}).status_code == 404
    assert server.delete(f"/v1/conversations/{begun.json()['id']}").status_code == 204


def test_routes_of_conversations(server: Server) -> None:
    """The API begins, returns and removes conversations; one that is not there is 404."""
    begun = server.post("/v1/conversations")
    assert begun.status_code == 201
    name = begun.json()["id"]
    asked = [
        server.post("/v1/ask", json={"question": question, "conversation_id": name}).json()
        for question in (FEE, "And for type A?")
    ]
    assert asked[1]["standalone_question"].endswith("type A?")
    assert server.get(f"/v1/conversations/{name}").json()["turns"] == asked
    assert name in [line["conversation_id"] for line in server.get("/v1/conversations").json()]
    assert server.delete(f"/v1/conversations/{name}").status_code == 204
    assert server.post("/v1/ask", json={"question": FEE, "conversation_id": name}).status_code == 404
