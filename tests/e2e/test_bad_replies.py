"""Model servers that misbehave, through the HTTP API: each a stated fallback, and the conversation goes on after it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.local_server import serving
from tests.ollama_server import OllamaServer
from tests.openai_server import OpenAIServer
from tests.processes import Server, api_and_worker

pytestmark = pytest.mark.e2e

FEE = "What is the annual maintenance fee for a vessel with an equipment set of type B?"
OTHER = (
    "Der jährliche Betrag für die Wartung der Anlage beläuft sich auf neuntausend, zahlbar jeweils zum Jahresbeginn."
)


@dataclass(frozen=True, slots=True)
class Case:
    """What a server does to a question: a text that it says (QUOTE stands for the right quote), or how it fails. `words` stand
    in the answer's note."""

    says: str
    failing: str
    words: str


def reply(quote: str, answer: str) -> str:
    return json.dumps({"quote": quote, "passage": 1, "answer": answer}, ensure_ascii=False)


CASES = {
    "another language": Case(reply("QUOTE", OTHER), "", "in another language (de)"),
    "another script": Case(reply("QUOTE", "每年九千九百八十"), "", "in another language (zh)"),
    "not JSON": Case("I believe it is EUR 9,980, but look it up.", "", "malformed"),
    "JSON of another shape": Case('{"answer": ["EUR 9,980"]}', "", "malformed"),
    "JSON that is cut off": Case(reply("QUOTE", "EUR 9,980.")[:-9], "", "malformed"),
    "empty": Case("", "empty", "empty answer"),
    "without end": Case("and", "endless", "went on after"),
    "an error in the middle": Case("and so on, and so on", "error", "failed"),
    "another program on that port": Case("", "html", "does not speak like"),
    "nobody on that port": Case("", "gone", "server answers at"),
}


@dataclass
class Room:
    """A running API, the model server that it asks, and the sentence that answers `FEE`."""

    model: OllamaServer | OpenAIServer
    quote: str = ""
    running: ExitStack = field(default_factory=ExitStack)
    api: Server = field(init=False)

    def start(self) -> None:
        """Let the model server listen, on the same port as before."""
        self.running.enter_context(serving(self.model, int(self.model.host.rpartition(":")[2] or 0)))

    def stop(self) -> None:
        """Let nobody listen there."""
        self.running.close()

    def says(self, text: str, failing: str = "") -> None:
        """Let the model server answer with a text, or fail."""
        pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
        if isinstance(self.model, OllamaServer):
            self.model.says, self.model.failing = pieces, {"error": "mid-stream"}.get(failing, failing)
        else:
            self.model.deltas, self.model.failing = list(pieces), failing

    def ask(self, question: str, conversation: str) -> dict[str, Any]:
        done = self.api.post("/v1/ask", json={"question": question, "conversation_id": conversation})
        assert done.status_code == 200, done.text
        answer: dict[str, Any] = done.json()
        return answer


@pytest.fixture(scope="module", params=["openai", "ollama"])
def room(request: pytest.FixtureRequest, filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """An API whose only model stands behind a server that does what it is told."""
    folder = tmp_path_factory.mktemp("room")
    shutil.copytree(filled, folder / "home")
    found = Room(OpenAIServer() if request.param == "openai" else OllamaServer(None))
    found.start()
    named = {"READINGROOM_ANSWER__MODEL": "transformers:nowhere"}  # the only other one is missing
    named |= {f"READINGROOM_ANSWER__{request.param.upper()}_HOST": found.model.host}
    if request.param == "ollama":
        named["READINGROOM_ANSWER__OLLAMA_MODEL"] = "smollm2:135m"
    with api_and_worker(folder / "home", folder / "log", **named) as found.api:
        hits = found.api.post("/v1/search", json={"question": FEE}).json()["hits"]
        found.quote = next(line for hit in hits for line in hit["text"].split("\n") if "9,980" in line)
        yield found
    found.stop()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_misbehaving_server_costs_one_answer(room: Room, case: Case) -> None:
    """The answer says what went wrong and quotes the documents or nothing; before and after it the model answers, in the same
    conversation, which keeps all three."""
    conversation = room.api.post("/v1/conversations").json()["id"]
    good = reply(room.quote, "EUR 9,980.")
    room.says(good)
    first = room.ask(FEE, conversation)
    assert first["model"]["backend"] in ("openai", "ollama"), first["note"]

    room.says(case.says.replace("QUOTE", json.dumps(room.quote, ensure_ascii=False)[1:-1]), case.failing)
    host = room.model.host
    if case.failing == "gone":
        room.stop()
    bad = room.ask(FEE, conversation)
    if case.failing == "gone":
        room.start()
    assert room.model.host == host
    assert case.words in bad["note"], bad["note"]
    assert bad["model"]["backend"] == "extractive" and bad["outcome"] in ("answered", "not_found")
    for citation in bad["citations"]:
        text = room.api.get(f"/v1/documents/{citation['document_id']}/text").json()["text"]
        assert text[citation["start"] : citation["end"]] == citation["quote"]

    room.says(good)
    last = room.ask("And what is it for type B?", conversation)
    assert last["outcome"] == "answered" and last["model"]["backend"] == first["model"]["backend"], last["note"]
    turns = room.api.get(f"/v1/conversations/{conversation}").json()["turns"]
    assert [turn["id"] for turn in turns] == [first["id"], bad["id"], last["id"]]
    assert turns[1]["note"] == bad["note"]
