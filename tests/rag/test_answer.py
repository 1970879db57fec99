"""Answers: citations true to the text, invented quotes and numbers refused, "not found" when nothing is there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from rag import problems
from rag.answer import Answerer, Limits, last_answer
from rag.draft import NOTHING
from rag.errors import ModelBusy, ModelError, PromptTooLong
from rag.library import Library
from rag.llm import Completion, LanguageModel, Message, ModelCard
from rag.prompt import SCHEMA, AnswerStream, Excerpt, messages, read_reply
from rag.settings import Settings
from rag.shapes import Answer
from rag.turns import Turns
from tests.in_process import Room

FEE = "What is the price of annual maintenance for a vessel of type B?"
LIMITS = Limits(passages=3, passage_tokens=120, max_tokens=100, min_evidence=0.27, min_evidence_alone=0.47)


@dataclass
class Scripted:
    """A language model that says what it is told; a real implementation of the port without weights."""

    says: str | ModelError
    window: int = 4096
    evaluated: int | None = None
    prompts: list[Sequence[Message]] = field(default_factory=list)

    @property
    def card(self) -> ModelCard:
        return ModelCard("embedded", "scripted", "sha256:0", self.window)

    def count(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content.split()) for message in messages)

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Mapping[str, Any] | None = None, seed: int = 0
    ) -> Iterator[str | Completion]:
        self.prompts.append(messages)
        if isinstance(self.says, ModelError):
            raise self.says
        for at in range(0, len(self.says), 7):
            yield self.says[at : at + 7]
        sent = self.count(messages)
        yield Completion(self.says, sent, sent if self.evaluated is None else self.evaluated, 9, "stop")

    def close(self) -> None:
        """Nothing is held."""


def reply(quote: str, passage: int, answer: str) -> str:
    return json.dumps({"quote": quote, "passage": passage, "answer": answer})


def ask(
    library: Library, model: LanguageModel | None, question: str = FEE, limits: Limits = LIMITS
) -> tuple[Answer, str]:
    """Return the answer and the streamed draft, after checking what holds for every answer."""
    answerer = Answerer(library.retriever, library.catalog, library.embedder, lambda: model, limits)
    draft: list[str] = []
    answer = last_answer(
        answerer.stream(question, []), lambda name, value: draft.append(value) if name == "token" else None
    )
    for citation in answer.citations:
        text = library.text(citation.document_id).text
        assert text[citation.start : citation.end] == citation.quote
        assert citation.version == library.document(citation.document_id).version
    for hit in answer.passages:
        assert library.text(hit.document_id).text[hit.start : hit.end] == hit.text
    return answer, "".join(draft)


def test_a_true_quote_becomes_a_citation(library: Library) -> None:
    """The model's answer is kept, its quote widened to the whole row and cut from the document, with page and boxes."""
    answer, draft = ask(
        library, Scripted(reply("Annual maintenance, type B | Vessel and year | 9,980", 2, "EUR 9,980."))
    )
    assert (answer.outcome, answer.answer, answer.model.backend) == ("answered", "EUR 9,980. [1]", "embedded")
    assert draft == "EUR 9,980."
    (citation,) = answer.citations
    assert citation.quote.startswith("| Annual maintenance, type B") and "9,980" in citation.quote
    assert citation.page == 10 and citation.boxes and all(box.page == 10 for box in citation.boxes)


@pytest.mark.parametrize(
    "says",
    [
        reply("Annual maintenance, type B, costs EUR 7,000", 1, "EUR 7,000."),  # an invented quote
        reply("Annual maintenance, type B", 1, "EUR 12,345."),  # a true quote, an invented number
        "I think it costs EUR 7,000.",  # not the reply's form
        reply("Annual maintenance", 1, "EUR 9,980")[:-12],  # cut off
    ],
)
def test_a_draft_without_support_is_not_shown(library: Library, says: str) -> None:
    """Where the draft does not hold, the best sentences are quoted instead, and the answer says so."""
    answer, _ = ask(library, Scripted(says))
    assert answer.model.backend == "extractive" and answer.outcome == "answered"
    assert "7,000" not in answer.answer and "12,345" not in answer.answer
    assert any("9,980" in citation.quote for citation in answer.citations)
    assert answer.note and answer.tokens.sent > 0


def test_a_true_quote_about_something_else_is_not_believed(library: Library) -> None:
    """A quote that stands in a passage but says little of what is asked does not carry an answer."""
    first, _ = ask(library, None)
    other = next(hit.text.split("\n")[-1] for hit in first.passages[1:] if "9,980" not in hit.text.split("\n")[-1])
    answer, _ = ask(library, Scripted(reply(other.strip("| "), 2, "It is included.")))
    assert answer.model.backend == "extractive"


@pytest.mark.parametrize(
    ("question", "quote", "claim"),
    [
        ("What credit is given when the technician is late for a fault of severity 3?",
         "Technician late on board, severity 1 | EUR 900 for each started six hours", "EUR 900."),
        ("What operating profit is budgeted for 2027?", "Operating profit | 17,180 | 24,600", "24,600 NOK thousand."),
        ("What is the list price of a single E200 echo sounder?",
         "E300 echo sounder | Development | 21 September 2026 | 29,500", "29,500 EUR."),
    ],
)  # fmt: skip
def test_a_place_about_another_of_the_kind_is_no_answer(
    library: Library, question: str, quote: str, claim: str
) -> None:
    """Severity 1 is no answer for severity 3, E300 none for E200, 2026 none for 2027, though the row says what is claimed."""
    answer, _ = ask(library, Scripted(reply(quote, 1, claim)), question)
    assert answer.model.backend == "extractive" and not any(quote in citation.quote for citation in answer.citations)


ACCOUNTS = """# Fjordlys annual report 2024

Revenue of ferries increased by 7 % against the year before, driven by the revenue of the summer.

| (in thousands) | 2024 | 2023 |
| --- | --- | --- |
| Revenue of ferries | 82,959 | 77,434 |
| Crew on board | 6,797 | 5,717 |
"""


def test_a_figure_of_another_column_is_not_believed(settings: Settings, tmp_path: Path) -> None:
    """The row of the figure that is asked for comes before a sentence about it. A model's draft with the figure of another column
    of it gives way to the cell; one with the right figure stands."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "report.md").write_text(ACCOUNTS, encoding="utf-8")
    with Room(settings) as room:
        room.ingest(tmp_path / "docs")
    question = "What was the revenue of ferries in 2024?"
    quote = "Revenue of ferries | 82,959 | 77,434"
    with Library(settings, "tests") as home:
        alone, _ = ask(home, None, question)
        wrong, _ = ask(home, Scripted(reply(quote, 1, "77,434 thousand.")), question)
        right, _ = ask(home, Scripted(reply(quote, 1, "82,959 thousand.")), question)
        unasked = Scripted(reply(quote, 1, "77,434 thousand."))
        cell, _ = ask(home, unasked, question, limits=replace(LIMITS, figures_alone=True))
        words, _ = ask(home, Scripted(""), "Why do the ferries run?", limits=replace(LIMITS, figures_alone=True))
    assert cell.answer == alone.answer and "no language model was asked" in cell.note and not unasked.prompts
    assert "no language model was asked" not in words.note
    assert alone.answer == "Revenue of ferries, 2024: 82,959 (in thousands) [1]"
    assert wrong.answer == alone.answer and wrong.model.backend == "extractive" and "another figure" in wrong.note
    assert right.answer == "82,959 thousand. [1]" and right.model.backend == "embedded"


DEPOTS = """# Fleet

Depot costs (CHF million)

| Depot | 2022 | 2023 |
| --- | --- | --- |
| Olten | 13.1 | 14.75 |
| Biel | 7.9 | 8.05 |

Penalties of the carrier

| Delay of a delivery | Penalty (EUR thousand) |
| --- | --- |
| 2 to 5 days | 12 |
| over 5 days | 30 |

The lease of a van runs for 48 months. The monthly rate of the lease is CHF 940.
"""


@pytest.fixture
def depots(settings: Settings, tmp_path: Path) -> Iterator[Library]:
    """A home with two small tables and two sentences."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "fleet.md").write_text(DEPOTS, encoding="utf-8")
    with Room(settings) as room:
        room.ingest(tmp_path / "docs")
    with Library(settings, "tests") as home:
        yield home


@pytest.mark.parametrize(
    ("question", "cell"),
    [
        ("What were the depot costs in Biel in 2022?", "Biel, 2022: 7.9 CHF (million) [1]"),
        (
            "What is the penalty for a delay of a delivery over 5 days?",
            "over 5 days, Penalty (EUR thousand): 30 [1]",
        ),
    ],
)
def test_a_cell_comes_with_its_headers_and_unit(depots: Library, question: str, cell: str) -> None:
    """A caption with the words of a question is not the answer, nor a row like the one that is named: the cell is."""
    answer, _ = ask(depots, None, question)
    assert answer.answer == cell


@pytest.mark.parametrize(
    ("question", "quote", "claim"),
    [
        ("Is the monthly rate of the lease CHF 2,000?", "The monthly rate of the lease is CHF 940.",
         "Yes, the monthly rate of the lease is CHF 2,000."),
        ("What is the monthly rate of the lease?", "The monthly rate of the lease is CHF 940.", "CHF 940 thousand."),
        ("How long does the lease of a van run?", "The lease of a van runs for 48 months.", "48 years."),
        ("How long does the lease of a van run?", "The lease of a van runs for 48 months.", "Forty-nine months."),
        ("What is the monthly rate of the lease?", "The monthly rate of the lease is CHF 940.", "940 bicycles."),
        ("What were the depot costs in Biel in 2022?", "| Biel | 7.9 | 8.05 |", "CHF 7.9."),
    ],
)  # fmt: skip
def test_a_wrong_figure_is_never_supported(depots: Library, question: str, quote: str, claim: str) -> None:
    """A figure of the question, another unit or scale, or a number in words is no statement of the quoted place."""
    answer, _ = ask(depots, Scripted(reply(quote, 1, claim)), question)
    assert answer.model.backend == "extractive" and all(claim not in item.text for item in answer.statements)


def test_each_statement_needs_its_own_place(library: Library) -> None:
    """Statements that other rows say get citations of their own; a wrong number, an invention and a denial are not supported;
    invented citation numbers are dropped, and by setting so is what has no support."""
    said = (
        "Annual maintenance, type B, costs EUR 9,980 [7]. Annual maintenance, type A, costs EUR 7,450 [1, 2]. "
        "Annual maintenance, type A, costs EUR 7,460. Annual maintenance, type B, does not cost EUR 9,980. "
        "The price of type B includes free lunch."
    )
    model = Scripted(reply("Annual maintenance, type B | Vessel and year | 9,980", 1, said))
    answer, _ = ask(library, model)
    rows = {citation.n: citation.quote for citation in answer.citations}
    assert [(item.supported, item.citations) for item in answer.statements] == [
        (True, [1]), (True, [2]), (False, []), (False, []), (False, []),
    ]  # fmt: skip
    assert "9,980" in rows[1] and "type A" in rows[2] and len(rows) == 2
    assert answer.outcome == "partial" and "3 statements of the model are said by no passage" in answer.note
    assert answer.answer.startswith(
        "Annual maintenance, type B, costs EUR 9,980. [1] Annual maintenance, type A, costs EUR 7,450. [2]"
    )
    assert answer.answer.endswith(
        "7,460. Annual maintenance, type B, does not cost EUR 9,980. The price of type B includes free lunch."
    )
    short, _ = ask(library, model, limits=replace(LIMITS, leave_out=True))
    assert short.outcome == "partial" and "lunch" not in short.answer and "7,460" not in short.answer
    assert all(item.supported for item in short.statements) and len(short.statements) == 2


@pytest.mark.parametrize(
    ("question", "quote", "says", "told"),
    [
        ("What does the supplier charge for storing equipment when a vessel is unavailable for more than 30 days?",
         "EUR 45 per pallet and week", "45.", "EUR 45. [1]"),
        ("Within how many working days must a failed acceptance test be corrected and repeated?",
         "repeat the test within 15 working days", "15", "15 working days [1]"),
        (FEE, "Annual maintenance, type B | Vessel and year | 9,980", "9,980", "9,980 [1]"),  # a row: its header says the unit
    ],
)  # fmt: skip
def test_a_mere_number_is_told_with_its_units(
    library: Library, question: str, quote: str, says: str, told: str
) -> None:
    """What a model leaves out of an amount is taken from the sentence that its statement rests on."""
    answer, _ = ask(library, Scripted(reply(quote, 1, says)), question)
    assert (answer.answer, answer.model.backend) == (told, "embedded")
    assert [item.text for item in answer.statements] == [told.removesuffix(" [1]")]


def test_quoted_sentences_are_statements(library: Library) -> None:
    """Without a model each quoted sentence is a supported statement with its citation."""
    answer, _ = ask(library, None)
    assert answer.outcome == "answered" and [item.citations for item in answer.statements] == [
        [citation.n] for citation in answer.citations
    ]
    assert all(item.supported and item.text in answer.answer for item in answer.statements)


def test_another_year_is_no_answer(library: Library) -> None:
    """Without a model a row of another year than the question's is not quoted as its answer."""
    answer, _ = ask(library, None, "What operating profit is budgeted for 2027?")
    assert answer.outcome == "not_found" and answer.passages


def test_statements_are_no_analysis(library: Library) -> None:
    """Without a model a question for a comparison gets the statements that it can rest on, and the answer says so."""
    answer, _ = ask(library, None, "How did the price of annual maintenance for a vessel of type B change over time?")
    assert answer.outcome == "partial" and answer.citations and "not its result" in answer.note
    assert all(item.supported for item in answer.statements)


def test_a_refusal_is_not_found(library: Library) -> None:
    """When the model finds nothing, the answer is "not found", with the passages it read."""
    answer, _ = ask(library, Scripted(reply("", 0, "not found")))
    assert (answer.outcome, answer.answer, answer.citations) == ("not_found", NOTHING, [])
    assert len(answer.passages) == 3


def test_off_topic_questions_do_not_reach_the_model(library: Library) -> None:
    """Where no passage has to do with the question, the model is not asked to guess."""
    model = Scripted(reply("x", 1, "x"))
    answer, _ = ask(library, model, "Who composed the opera about the barber of Seville?")
    assert answer.outcome == "not_found" and model.prompts == []


def test_a_missing_model_is_said(library: Library) -> None:
    """A model that can't answer leaves the quoted sentences, and the note says why."""
    answer, _ = ask(library, Scripted(ModelError("The model is on fire.", "Put it out.")))
    assert answer.model.backend == "extractive" and "on fire" in answer.note and "9,980" in answer.answer


def test_a_dropped_prompt_is_an_error(library: Library) -> None:
    """A server that read fewer tokens than were sent gets no word in the answer."""
    answer, _ = ask(library, Scripted(reply("Annual maintenance, type B", 1, "EUR 9,980"), evaluated=50))
    assert answer.model.backend == "extractive" and "read 50 of" in answer.note


def test_the_prompt_fits_the_window(library: Library) -> None:
    """Passages are left out until prompt and answer fit, and reported; a window too small for one passage is said."""
    full = Scripted(reply("", 0, "not found"))
    whole, _ = ask(library, full)
    assert whole.dropped == [] and "not sent" not in whole.note
    needed = full.count(full.prompts[0])
    tight = Scripted(reply("", 0, "not found"), window=needed + LIMITS.max_tokens - 1)
    cut, _ = ask(library, tight)
    assert tight.count(tight.prompts[0]) < needed
    assert cut.dropped == [3] and "Passage 3 was not sent to the model" in cut.note and len(cut.passages) == 3
    quote = reply("Annual maintenance, type B | Vessel and year | 9,980", 1, "EUR 9,980.")
    right, _ = ask(library, Scripted(quote, window=needed + LIMITS.max_tokens - 1))
    assert right.dropped == [3] and right.answer == "EUR 9,980. [1]" and "Passage 3" in right.note
    answer, _ = ask(library, Scripted("", window=150))
    assert "do not fit into the window of scripted, which has 150 tokens" in answer.note


@dataclass
class Smaller(Scripted):
    """A model whose server refuses prompts above `most` words, whatever window it has named."""

    most: int = 0

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Mapping[str, Any] | None = None, seed: int = 0
    ) -> Iterator[str | Completion]:
        if self.count(messages) > self.most:
            self.prompts.append(messages)
            raise PromptTooLong("The prompt does not fit into the window of scripted.", "Send fewer passages.")
        yield from super().stream(messages, max_tokens=max_tokens, schema=schema, seed=seed)


def test_a_prompt_that_the_server_finds_too_long_is_sent_shorter(library: Library) -> None:
    """A server that has loaded its model with less than it named gets fewer passages, and the answer says so; where one
    passage is too long, too, the note says what to do."""
    full = Scripted(reply("Annual maintenance, type B | Vessel and year | 9,980", 1, "EUR 9,980."))
    ask(library, full)
    needed = full.count(full.prompts[0])
    server = Smaller(full.says, most=needed - 1)
    answer, draft = ask(library, server)
    assert [server.count(prompt) < needed for prompt in server.prompts] == [False, True]
    assert (answer.answer, draft) == ("EUR 9,980. [1]", "EUR 9,980.")
    assert answer.dropped == [3] and "Passage 3 was not sent" in answer.note
    answer, _ = ask(library, Smaller(full.says, most=1))
    assert answer.model.backend == "extractive" and "raise `answer.window`" in answer.note


def test_the_prompt_begins_the_same() -> None:
    """Everything before the passages is the same for each question, so that a server keeps it; the question comes last."""
    one = messages([Excerpt("a.pdf", 1, "", "A.")], "What is A?")
    two = messages([Excerpt("b.pdf", 2, "H", "B.")], "What is B?")
    assert one[:-1] == two[:-1] and one[-1].content.endswith("Question: What is A?")


def test_the_answer_is_picked_out_of_the_stream() -> None:
    """However the reply is cut into pieces, the streamed characters are the answer's, escapes included."""
    text = json.dumps({"quote": 'a "b" \\ c', "passage": 1, "answer": 'He said "no" – é\n\\end'})
    for size in (1, 2, 3, 5, len(text)):
        stream = AnswerStream()
        assert (
            "".join(stream.feed(text[at : at + size]) for at in range(0, len(text), size)) == 'He said "no" – é\n\\end'
        )
    parsed = read_reply(text)
    assert parsed is not None and parsed.quote == 'a "b" \\ c'
    assert set(SCHEMA["required"]) == {"quote", "passage", "answer"}


@pytest.mark.big_model
def test_the_default_model_answers_and_refuses(library: Library) -> None:
    """The 1.5B model, for real: a fee is answered with its quote, and what isn't there is not found."""
    from rag.build import build_choice

    choice = build_choice(
        library.settings.model_copy(update={"answer": library.settings.answer.model_copy(update={"model": "default"})})
    )
    try:
        model = choice()
        answer, _ = ask(library, model, FEE)
        assert answer.outcome == "answered" and "9,980" in answer.answer
        if answer.model.backend == "embedded":
            assert answer.tokens.sent == answer.tokens.evaluated > 300
        missing, _ = ask(library, model, "What is the name of the supplier's dog?")
        assert missing.outcome == "not_found"
    finally:
        choice.close()


def test_a_full_queue_is_no_answer(library: Library) -> None:
    """When too many questions wait for the model, the question fails so that it can be asked again; nothing less is said."""
    with pytest.raises(ModelBusy, match="waiting"):
        ask(library, Scripted(ModelBusy("8 questions are waiting already.", "Ask again later.")))
    refused = problems.document(ModelBusy("8 questions are waiting already.", "Ask again later."))
    assert (refused["status"], refused["type"]) == (503, "urn:readingroom:ModelBusy")
    app = FastAPI()
    problems.install(app, 1)

    @app.get("/busy")
    def busy() -> None:
        turns = Turns("scripted", 0, 1)
        with turns.take(), turns.take():
            raise AssertionError("there was a second place")

    response = TestClient(app, base_url="http://127.0.0.1").get("/busy")
    assert response.status_code == 503 and int(response.headers["Retry-After"]) > 0
