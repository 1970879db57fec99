"""What a follow-up is sent: passages of the turn before stand where they stood, so that a model's server has read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rag.library import Library
from rag.llm import Message
from rag.settings import Settings
from rag.shapes import Answer
from tests.rag.test_answer import Scripted, reply
from tests.rag.test_replay import Chosen

FEE, OTHER = "What is the mooring fee for a boat of type A?", "And for a boat of type B?"
RULES = " ".join(
    f"The harbour master keeps the key of gate {number} in the drawer of desk {number + 20}, and whoever borrows it writes "
    "name, boat, day and hour into the green book that lies beside it."
    for number in range(1, 9)
)
NOTHING = reply("", 0, "not found")


@pytest.fixture
def room(settings: Settings, tmp_path: Path) -> Iterator[Library]:
    """A library with a fee in each of two documents and a passage longer than what is sent of one."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("The mooring fee for a boat of type A is EUR 120 a month.\n")
    (folder / "b.md").write_text("The mooring fee for a boat of type B is EUR 340 a month.\n")
    (folder / "rules.md").write_text(f"{RULES}\n")
    with Library(settings, "tests") as opened:
        opened.ingest([folder], "documents")
        opened.models = Chosen(Scripted(NOTHING))  # type: ignore[assignment]  # a model without weights behind the same door
        yield opened


def blocks(prompt: Sequence[Message]) -> list[str]:
    """Return the passages of a prompt."""
    return prompt[-1].content.split("\n\n")[:-1]


def asked(room: Library, *questions: str) -> tuple[list[Answer], list[list[str]]]:
    """Ask in one conversation; return the answers and the passages of each prompt."""
    model: Scripted = room.models.model  # type: ignore[attr-defined]
    model.prompts.clear()
    conversation = room.answers.begin().id
    answers = [room.ask(question, conversation_id=conversation) for question in questions]
    assert len(model.prompts) == len(questions)
    return answers, [blocks(prompt) for prompt in model.prompts]


def test_passages_of_the_turn_before_stand_where_they_stood(room: Library) -> None:
    """The best passage of a follow-up comes behind those that its server has read; ranks and replay tell so."""
    (first, second), (before, after) = asked(room, FEE, OTHER)
    assert [Path(hit.path).name for hit in first.passages[:2]] == ["a.md", "b.md"]
    assert [Path(hit.path).name for hit in second.passages[:2]] == ["b.md", "a.md"]
    assert after[:2] == before[:2] and "a.md" in after[0] and "b.md" in after[1]
    assert first.generation is not None and first.generation.passages[:2] == [1, 2]
    assert second.generation is not None and second.generation.passages[:2] == [2, 1]
    assert room.replay(first.id).same and room.replay(second.id).same
    alone = room.ask(second.standalone_question)
    assert alone.generation is not None and alone.generation.passages[:2] == [1, 2]


def test_a_quote_is_looked_for_in_the_passage_that_has_the_number(room: Library) -> None:
    """The number that a model gives is the place in the prompt, not the rank."""
    model: Scripted = room.models.model  # type: ignore[attr-defined]
    conversation = room.answers.begin().id
    room.ask(FEE, conversation_id=conversation)
    model.says = reply("The mooring fee for a boat of type B is EUR 340 a month.", 2, "EUR 340 a month.")
    answer = room.ask(OTHER, conversation_id=conversation)
    assert answer.model.name == "scripted" and answer.outcome == "answered"
    assert [Path(place.path).name for place in answer.citations] == ["b.md"]


def test_the_last_rank_is_left_out_first(room: Library) -> None:
    """Where the window is full, what stands first in the prompt goes, if it is of the last rank."""
    model: Scripted = room.models.model  # type: ignore[attr-defined]
    (_, second), (_, after) = asked(room, FEE, OTHER)
    ranks = second.generation.passages if second.generation else []
    assert ranks[0] != max(ranks) or len(ranks) == 2
    model.window = model.count(model.prompts[-1]) + room.settings.answer.max_tokens - 1
    conversation = room.answers.begin().id
    model.prompts.clear()
    room.ask(FEE, conversation_id=conversation)
    cut = room.ask(OTHER, conversation_id=conversation)
    assert cut.dropped == [max(ranks)] and cut.generation is not None
    assert cut.generation.passages == [rank for rank in ranks if rank != max(ranks)]
    assert len(blocks(model.prompts[-1])) == len(after) - 1


def test_a_passage_is_cut_as_it_was_cut_before(room: Library) -> None:
    """Where what was sent of a passage holds the sentence that the follow-up is about, the same characters are sent again."""
    (first, second), (before, after) = asked(room, "Where is the key of gate 3?", "And of gate 4?")
    assert "gate 4" in first.passages[0].text and "gate 8" not in first.passages[0].text
    assert first.passages[0].text == second.passages[0].text and after[0] == before[0]
    (_, third), (_, other) = asked(room, "Where is the key of gate 1?", "And of gate 8?")
    assert "gate 8" in third.passages[0].text and other[0] != before[0]
    alone = room.ask("Where is the key of gate 4?")
    assert alone.passages[0].text != second.passages[0].text
    changed = room.settings.answer.model_copy(update={"passage_tokens": 60})
    room.settings = room.settings.model_copy(update={"answer": changed})
    room.live = room._answering(room.embedder)
    again = room.replay(second.id).answer
    assert len(again.passages[0].text) < len(second.passages[0].text)


def test_a_follow_up_that_reaches_no_model_replays_the_same(room: Library) -> None:
    """Its passages are cut as before, though no prompt says how; of a document that it does not show nothing stays."""
    conversation = room.answers.begin().id
    first = room.ask("Where is the key of gate 3?", conversation_id=conversation)
    assert first.generation is not None
    second = room.ask("Who won the chess final beside gate 4?", conversation_id=conversation)
    assert second.outcome == "not_found" and second.generation is None
    record = room.answers.get(second.id).record
    shown = {hit.document_id for hit in second.passages}
    assert record is not None and record.before and {spot[0] for spot in record.before} <= {*shown, ""}
    assert room.replay(second.id).same
