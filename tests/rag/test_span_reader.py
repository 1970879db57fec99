"""The span reader: the words of a passage that answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.build import build_span_reader
from rag.doctor_models import of_models
from rag.evidence import Asked, Support, weigh
from rag.excerpts import read
from rag.extract import extract
from rag.gate import DEFAULT, UNREAD, signs
from rag.library import Library
from rag.settings import load_settings
from rag.span_reader import Marked, SpanReader
from tests.processes import environment

LEASE = (
    "The landlord lets the flat to Anna Berg from 1 May 2021. The monthly rent is EUR 1,850, payable by the third working day. "
    "The tenant may end the lease with notice of three months, in writing. Repairs below EUR 100 are the tenant's."
)
ASKED = "What is the limit of the supplier's total liability in each contract year?"
QUESTIONS = [
    ("How much is the monthly rent?", "EUR 1,850"),
    ("Who rents the flat?", "Anna Berg"),
    ("How much notice must the tenant give?", "three months"),
    ("When does the lease begin?", "1 May 2021"),
]


@pytest.fixture(scope="module")
def reader() -> SpanReader:
    """The reader of the default settings."""
    made = build_span_reader(load_settings({}))
    assert made is not None
    return made


def _whole(reader: SpanReader, question: str, passages: list[str]) -> list[Marked | None]:
    """Return what is marked in each passage as one part."""
    return [marked[0] for marked in reader.read(question, passages, [[(0, len(text))] for text in passages])]


@pytest.mark.parametrize(("question", "answer"), QUESTIONS)
def test_the_words_that_answer_are_marked(reader: SpanReader, question: str, answer: str) -> None:
    """The mark holds the answer and little else, and is surer than for a question of another subject."""
    (marked,) = _whole(reader, question, [LEASE])
    (other,) = _whole(reader, "Which comet did the observatory see?", [LEASE])
    assert marked is not None and other is not None
    words = LEASE[marked.start : marked.end]
    assert answer in words and len(words) <= len(answer) + 12
    assert marked.score > 0 > other.score


def test_a_passage_is_read_by_itself(reader: SpanReader) -> None:
    """What is marked does not depend on the passages beside it; one without words gets no mark."""
    others = ["", "The ship left the harbour at noon.", LEASE, " \n ", "ж" * 5000]
    together = _whole(reader, "How much is the monthly rent?", others)
    assert together[0] is None and together[3] is None
    assert together[2] == _whole(reader, "How much is the monthly rent?", [LEASE])[0]


def test_each_part_has_a_mark_of_its_own(reader: SpanReader) -> None:
    """The best words of a heading don't hide those of the sentence that answers."""
    passage = f"35/25 Rent\n\n{LEASE}"
    parts = [(0, 10), (12, len(passage)), (5, 5)]
    ((heading, text, nothing),) = reader.read("How much is the monthly rent?", [passage], [parts])
    assert heading is not None and text is not None and nothing is None
    assert 0 <= heading.start < heading.end <= 10 < text.start and "1,850" in passage[text.start : text.end]


@settings(max_examples=30, deadline=None)
@given(question=st.text(max_size=400), passage=st.text(max_size=3000))
def test_any_text_can_be_read(question: str, passage: str) -> None:
    """Marks lie within their passage, whatever is asked."""
    made = build_span_reader(load_settings({}))
    assert made is not None
    (marked,) = _whole(made, question, [passage])
    assert marked is None or 0 <= marked.start < marked.end <= len(passage)


def test_without_its_model_or_switched_off_there_is_none(tmp_path: Path) -> None:
    """It needs the weights that it changes."""
    assert build_span_reader(load_settings({"READINGROOM_ANSWER__SPAN_READER": "false"})) is None
    assert build_span_reader(load_settings({"READINGROOM_MODELS__FOLDER": str(tmp_path)})) is None


def test_doctor_says_whether_it_reads(tmp_path: Path, home: Path) -> None:
    """It is there, switched off, or lacks the model that it changes, with the command that fetches it."""
    for changed, severity, said in (
        ({}, "ok", "marks answers"),
        ({"READINGROOM_ANSWER__SPAN_READER": "false"}, "ok", "off"),
        ({"READINGROOM_MODELS__FOLDER": str(tmp_path)}, "warning", "not here"),
    ):
        found = {item.subject: item for item in of_models(load_settings(environment(home) | changed))}["span reader"]
        assert found.severity == severity and said in found.message
        assert ("models pull all-minilm" in found.remedy) == (severity == "warning")


def _supports(library: Library, question: str) -> list[Support]:
    found = library.found(question, [], 8)
    return weigh(question, Asked.of(question, library.catalog, found), found, library.embedder)


def test_the_marked_sentence_comes_first_and_its_words_answer(library: Library, reader: SpanReader) -> None:
    """The words that answer are cut out of their sentence, which is what is cited."""
    supports = read(ASKED, _supports(library, ASKED), library.catalog, reader)
    best = supports[0]
    said = extract(ASKED, Asked.of(ASKED, library.catalog, [best.found]), supports)[0]
    assert "1,200,000" in said.text and said.text in best.text and said.stands == (best.found, best.start, best.end)
    others = [item.read for item in supports if item.read is not None]
    assert best.read == max(others) and len(others) > 1


def test_documents_in_other_languages_are_not_read(library: Library, reader: SpanReader) -> None:
    """It learnt English; elsewhere the gate that knows no reader decides."""
    question, supports = ASKED, _supports(library, ASKED)

    class German:
        def languages(self, document_ids: list[str]) -> dict[str, str]:
            return dict.fromkeys(document_ids, "de")

    unread = read(question, supports, German(), reader)  # type: ignore[arg-type]
    assert unread == supports and signs(question, unread).read is None
    assert DEFAULT.chance(signs(question, unread)) == UNREAD.chance(signs(question, unread))
    assert replace(DEFAULT, unread=None).chance(signs(question, unread)) > 0


def test_answers_say_which_reader_marked_them(home: Path) -> None:
    """The digest of what training changed is on record, and nothing is where it is off."""
    for switched, recorded in (("true", True), ("false", False)):
        with Library(load_settings(environment(home, READINGROOM_ANSWER__SPAN_READER=switched)), "tests") as library:
            answer = library.draft(ASKED)
            assert bool(answer.model.digest) == recorded
