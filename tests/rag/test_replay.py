"""Kept answers: with what they were made, asked again, every difference explained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import NotFound
from rag.library import Library
from rag.llm import LanguageModel, ModelCard
from rag.prompt import SCHEMA
from rag.routing import Candidate
from rag.settings import Settings
from rag.shapes import Replay
from tests.conftest import Run
from tests.local_server import serving
from tests.ollama_server import OllamaServer
from tests.processes import Server
from tests.rag.test_answer import FEE, Scripted, reply

WINDING = "On which day is the tower clock wound?"


class Chosen:
    """Stands where the choice of a model stands: gives the model it is told to give, and lets every question in."""

    def __init__(self, model: LanguageModel | None = None) -> None:
        self.model = model
        self.admit = nullcontext

    def __call__(self) -> LanguageModel | None:
        return self.model

    def candidates(self, _asked: object = None) -> Iterator[Candidate]:
        """Yield the model, when there is one."""
        if self.model is not None:
            yield Candidate(self.model, "", False, lambda _: None)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two short documents."""
    place = tmp_path / "docs"
    place.mkdir()
    (place / "harbour.md").write_text("# Harbour\n\nThe pilot boat is called Teal and has two engines.\n")
    (place / "tower.txt").write_text("The tower clock is wound every Monday by the verger.\n")
    return place


@pytest.fixture
def room(settings: Settings, folder: Path) -> Iterator[Library]:
    """A library with both documents in it, and a model that says what it is told."""
    with Library(settings, "tests") as opened:
        opened.ingest([folder], "documents")
        opened.models = Chosen()  # type: ignore[assignment]  # a model without weights behind the same door
        yield opened


def why(found: Replay) -> dict[str, str]:
    return {item.what: item.why for item in found.differences}


def test_an_answer_keeps_what_it_was_made_with(room: Library) -> None:
    """Question, settings, embedder, model and its digest, prompt hash, passages, seed and output are all on record."""
    room.models.model = Scripted(reply("every Monday", 1, "Every Monday."))  # type: ignore[attr-defined]
    answer = room.ask(WINDING, ["documents"])
    kept = room.answers.get(answer.id)
    assert kept.answer == answer and kept.record is not None and answer.generation is not None
    assert kept.record.collections == ["documents"] and kept.record.embedder == room.embedder.fingerprint
    assert kept.record.settings["answer.passages"] == 3 and kept.record.settings["search.candidates"] == 100
    made = answer.generation
    assert (made.model, made.digest, made.seed, made.temperature) == ("scripted", "sha256:0", 0, 0.0)
    assert (made.backend, made.window) == ("embedded", 4096)
    assert kept.record.embedding == str(room.embedder)
    assert json.loads(made.output).keys() == set(SCHEMA["required"]) and len(made.prompt_sha256) == 64
    for hit in kept.answer.passages:
        assert room.text(hit.document_id).text[hit.start : hit.end] == hit.text
        assert hit.version == room.document(hit.document_id).version
    assert [line.id for line in room.answers.list(5)] == [answer.id]


def test_the_same_again_differs_in_nothing(room: Library) -> None:
    """Asked again with nothing changed, nothing differs, and the replay is not kept."""
    for model in (None, Scripted(reply("every Monday", 1, "Every Monday."))):
        room.models.model = model  # type: ignore[attr-defined]
        answer = room.ask(WINDING)
        found = room.replay(answer.id)
        assert found.same and found.differences == [] and found.answer.answer == answer.answer
    assert len(room.answers.list(10)) == 2


def test_every_difference_has_its_reason(room: Library, folder: Path) -> None:
    """Another output, model, settings, a changed document, one that came in: each is named with its own reason."""
    room.models.model = Scripted(reply("every Monday", 1, "Every Monday."))  # type: ignore[attr-defined]
    answer = room.ask(WINDING)
    room.models.model = Scripted(reply("every Monday", 1, "Monday."))  # type: ignore[attr-defined]
    found = why(room.replay(answer.id))
    assert set(found) == {"model's output", "answer"} and "All inputs are equal" in found["answer"]
    room.models.model = None  # type: ignore[attr-defined]
    found = why(room.replay(answer.id))
    assert "none" in found["model"] and "follows from" in found["model's output"]
    room.settings = room.settings.model_copy(
        update={"answer": room.settings.answer.model_copy(update={"passages": 1, "passage_tokens": 100})}
    )
    room.live = room._answering(room.embedder)
    found = why(room.replay(answer.id))
    assert "settings were changed" in found["setting answer.passages"] and "setting answer.passage_tokens" in found
    (folder / "tower.txt").write_text("The tower clock is wound every Friday by the sexton.\n")
    (folder / "clock.txt").write_text("On which day the tower clock is wound, nobody knows.\n")
    room.ingest([folder], "documents")
    replayed = room.replay(answer.id)
    reasons = [item.why for item in replayed.differences if item.what.startswith("passage")]
    assert any("The document changed" in reason for reason in reasons)
    assert any("changed after the answer" in reason or "came in after" in reason for reason in reasons)
    assert {"answer", "citations"} <= set(why(replayed))


def test_a_document_that_disagrees_is_a_difference(room: Library, folder: Path) -> None:
    """A document that says otherwise is named with its reason, even where its passage is not among those that are read."""
    room.settings = room.settings.model_copy(update={"answer": room.settings.answer.model_copy(update={"passages": 1})})
    room.live = room._answering(room.embedder)
    answer = room.ask(WINDING)
    (folder / "other.txt").write_text("The tower clock is wound every Sunday by the verger.\n")
    room.ingest([folder], "documents")
    found = room.replay(answer.id)
    assert [hit.path for hit in found.answer.passages] == [hit.path for hit in answer.passages]
    differing = [item for item in found.differences if item.what == "disagreement"]
    assert any("other.txt" in item.now and "Sunday" in item.now and "came in after" in item.why for item in differing)


def test_another_template_or_window_is_named(room: Library) -> None:
    """The same weights behind another chat template, or in another window, are not the same model."""

    class Told(Scripted):
        said = ("a" * 64, 4096)

        @property
        def card(self) -> ModelCard:
            return replace(super().card, template=self.said[0], window=self.said[1])

    model = Told(reply("every Monday", 1, "Every Monday."))
    room.models.model = model  # type: ignore[attr-defined]
    answer = room.ask(WINDING)
    assert room.replay(answer.id).same
    model.said = ("b" * 64, 4096)
    assert "chat template" in why(room.replay(answer.id))["model's template"]
    model.said = ("a" * 64, 2048)
    assert "window" in why(room.replay(answer.id))["model's window"]


def test_stale_citations_keep_their_text(room: Library, folder: Path) -> None:
    """When its document changed, a kept citation is stale and still shows the quote that it was made from."""
    answer = room.ask(WINDING)
    assert [place.stale for place in answer.citations] == [False]
    (folder / "tower.txt").write_text("The tower clock is wound every Friday by the sexton.\n")
    room.ingest([folder], "documents")
    (place,) = room.answers.get(answer.id).answer.citations
    assert place.stale and "Monday" in place.quote
    assert any("Monday" in hit.text for hit in room.answers.get(answer.id).answer.passages)


def test_answers_go_with_their_documents_or_one_by_one(room: Library, folder: Path) -> None:
    """A forgotten document takes its answers along; an answer can be removed alone; what is gone is said."""
    first, second = room.ask(WINDING), room.ask("What is the pilot boat called?")
    room.answers.remove(second.id)
    assert [line.id for line in room.answers.list(10)] == [first.id]
    room.forget([str(folder / "tower.txt")])
    assert room.answers.list(10) == []
    for gone in (first.id, second.id):
        with pytest.raises(NotFound, match="no answer"):
            room.replay(gone)


def test_the_command_line_lists_shows_and_replays(run: Run, filled_home: Path) -> None:
    """`answers` lists what `ask` kept, shows one with what it was made with, and `replay` finds no difference."""
    asked = run("ask", FEE, "--json").json
    assert [line["id"] for line in run("answers", "--json").json] == [asked["id"]]
    shown = run("answers", asked["id"])
    assert (
        shown.code == 0 and "embedder" in shown.stdout and "search.candidates" in shown.stdout and FEE in shown.stdout
    )
    again = run("replay", asked["id"])
    assert again.code == 0 and "nothing differs" in again.stdout
    assert run("replay", asked["id"], "--json").json["same"] is True
    assert run("answers", asked["id"], "--remove").code == 0
    gone = run("replay", asked["id"])
    assert gone.code == 1 and "no answer" in gone.stderr
    assert run("answers", "--remove").code == 2


def test_what_was_done_otherwise_than_asked_is_shown(run: Run, filled_home: Path) -> None:
    """A model without levels of thinking is told to think, not how much: `ask` says so, and `answers` of the kept answer."""
    hits = run("search", FEE, "--json").json["hits"]
    quote = next(line for hit in hits for line in hit["text"].split("\n") if "9,980" in line)
    server = OllamaServer(None, capabilities=["completion", "thinking"], levels=False)
    server.says = [json.dumps({"quote": quote, "passage": 1, "answer": "EUR 9,980."}, ensure_ascii=False)]
    with serving(server) as running:
        named = {"OLLAMA_HOST": running.host, "OLLAMA_MODEL": running.name, "MODEL": "small", "THINKING": "low"}
        asked = run("ask", FEE, **{f"READINGROOM_ANSWER__{key}": value for key, value in named.items()}).stdout
    said = "it was told to think, not how much (low)."
    assert "answered by ollama" in asked and said in " ".join(asked.split())
    (kept,) = run("answers", "--json").json
    assert said in " ".join(run("answers", kept["id"]).stdout.split())


def test_routes_of_kept_answers(server: Server) -> None:
    """The API lists, returns, replays and removes answers; unknown ones are 404."""
    asked = server.post("/v1/ask", json={"question": FEE}).json()
    assert asked["id"] in [line["id"] for line in server.get("/v1/answers").json()]
    kept = server.get(f"/v1/answers/{asked['id']}").json()
    assert kept["answer"] == asked and kept["record"]["settings"]["answer.model"] == "none"
    assert server.post(f"/v1/answers/{asked['id']}/replay").json()["same"] is True
    assert server.delete(f"/v1/answers/{asked['id']}").status_code == 204
    assert server.get(f"/v1/answers/{asked['id']}").status_code == 404
    assert server.post("/v1/answers/nothing/replay").json()["type"] == "urn:readingroom:NotFound"
