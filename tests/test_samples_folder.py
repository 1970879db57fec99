"""Checks that the sample questions fit the sample documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pypdf
import pytest
import yaml
from pypdf.errors import FileNotDecryptedError, PyPdfError

SAMPLES = Path(__file__).parent.parent / "samples"
DOCUMENTS = SAMPLES / "documents"
QUESTIONS: list[dict[str, Any]] = yaml.safe_load((SAMPLES / "questions.yaml").read_text(encoding="utf-8"))
ANSWERABLE = [question for question in QUESTIONS if question["answerable"]]
UNANSWERABLE = [question for question in QUESTIONS if not question["answerable"]]
IN_PDF = [question for question in ANSWERABLE if question["document"].endswith(".pdf")]
IN_PLAIN_TEXT = [question for question in ANSWERABLE if question["document"].endswith((".md", ".txt", ".csv", ".html"))]
MUST_FAIL = {"salary-review-encrypted.pdf", "pressure-chamber-offer-corrupt.pdf"}


@pytest.fixture(scope="module")
def pages() -> dict[str, list[str]]:
    """Return the text of each page of every PDF that has questions, white space made single."""
    names = {question["document"] for question in IN_PDF}
    return {name: [_plain(page.extract_text()) for page in pypdf.PdfReader(DOCUMENTS / name).pages] for name in names}


def _plain(text: str) -> str:
    return " ".join(text.split())


def _name(question: dict[str, Any]) -> str:
    return str(question["id"])


def test_enough_questions_of_each_sort() -> None:
    """There are at least 25 questions with distinct ids, of which at least 8 have no answer and 4 nearly have one."""
    assert len(QUESTIONS) >= 25
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS)
    assert len({question["question"] for question in QUESTIONS}) == len(QUESTIONS)
    assert len(UNANSWERABLE) >= 8
    assert sum(question.get("near_miss", False) for question in UNANSWERABLE) >= 4
    assert sum(question.get("needs_ocr", False) for question in QUESTIONS) <= 2


def test_every_readable_document_has_a_question() -> None:
    """The documents with questions are exactly those in the folder, less the two that are meant to fail."""
    assert {question["document"] for question in ANSWERABLE} == {file.name for file in DOCUMENTS.iterdir()} - MUST_FAIL


@pytest.mark.parametrize("question", ANSWERABLE, ids=_name)
def test_answerable_question_is_complete(question: dict[str, Any]) -> None:
    """A question with an answer names its page, the answer and the words to be cited as text."""
    assert question["page"] >= 1
    assert isinstance(question["answer"], str) and question["answer"]
    assert question["must_include"] and all(isinstance(word, str) for word in question["must_include"])


@pytest.mark.parametrize("question", UNANSWERABLE, ids=_name)
def test_unanswerable_question_says_why(question: dict[str, Any]) -> None:
    """A question without an answer says why, and names no place."""
    assert question["why"]
    assert not {"document", "page", "must_include", "answer"} & set(question)


@pytest.mark.parametrize("question", IN_PDF, ids=_name)
def test_words_stand_on_the_page(question: dict[str, Any], pages: dict[str, list[str]]) -> None:
    """The words to be cited stand on the page named, unless the page is an image."""
    texts = pages[question["document"]]
    assert question["page"] <= len(texts)
    if question.get("needs_ocr"):
        assert texts[question["page"] - 1] == ""
    else:
        assert [word for word in question["must_include"] if word not in texts[question["page"] - 1]] == []


@pytest.mark.parametrize("question", IN_PLAIN_TEXT, ids=_name)
def test_words_stand_in_the_file(question: dict[str, Any]) -> None:
    """The words to be cited stand in the plain text file named."""
    text = _plain((DOCUMENTS / question["document"]).read_text(encoding="utf-8"))
    assert [word for word in question["must_include"] if word not in text] == []


def test_three_questions_are_shown() -> None:
    """Three questions are marked for `make run`: two with an answer, then one without."""
    shown = [question for question in QUESTIONS if question.get("show")]
    assert [question["answerable"] for question in shown] == [True, True, False]


def test_contract_is_long_and_folder_is_small(pages: dict[str, list[str]]) -> None:
    """The contract has at least 15 pages, and all documents together take less than a megabyte."""
    assert len(pages["ferry-supply-agreement.pdf"]) >= 15
    assert sum(file.stat().st_size for file in DOCUMENTS.iterdir()) < 1_000_000


def test_two_files_cannot_be_read() -> None:
    """The encrypted file asks for a password, and the corrupt file is refused."""
    with pytest.raises(FileNotDecryptedError):
        pypdf.PdfReader(DOCUMENTS / "salary-review-encrypted.pdf").pages[0]
    with pytest.raises(PyPdfError):
        pypdf.PdfReader(DOCUMENTS / "pressure-chamber-offer-corrupt.pdf")
