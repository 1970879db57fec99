"""The page's HTTP client against the real server."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date

import pytest

from tests.ui.conftest import Server, finish, free_port
from ui.adding import progress_line
from ui.client import Api, server_sent_events
from ui.inert import answer_html, html, label, marked_html, table_html
from ui.place import name
from ui.shapes import Answer, ApiProblem, Filter, Job

FEE = "What is the annual maintenance fee for a vessel with an equipment set of type B?"


def test_an_answer_comes_as_passages_text_and_a_checked_answer(api: Api) -> None:
    """Asking yields passages first, then text, then the answer whose quote is exactly the cited characters."""
    first, *tokens, answer = api.ask(FEE, ["ferry"])
    assert isinstance(first, tuple)
    assert first
    assert all(isinstance(token, str) for token in tokens)
    assert isinstance(answer, Answer)
    assert answer.outcome == "answered"
    place = answer.citations[0].place
    found = api.text(place.document_id)
    version, text = found.version, found.text
    assert (version, text[place.start : place.end]) == (place.version, place.quote)
    assert "9,980" in place.quote


def test_a_question_without_an_answer_keeps_its_nearest_passages(api: Api) -> None:
    """The outcome is not_found, without citations, with passages."""
    *_, answer = api.ask("Who won the chess championship in Reykjavik?", ["ferry"])
    assert isinstance(answer, Answer)
    assert (answer.outcome, answer.citations) == ("not_found", ())
    assert answer.passages


def test_a_question_can_be_asked_of_some_documents(api: Api) -> None:
    """A filter leaves only what passes it; one that names what is not there, or ends before it begins, is a problem."""
    *_, answer = api.ask(FEE, ["ferry"], Filter(types=("markdown",), kinds=("minutes",)))
    assert isinstance(answer, Answer)
    assert {hit.place.path.endswith("board-minutes-2025-09.md") for hit in answer.passages} == {True}
    for wanted in (Filter(types=("pfd",)), Filter(date_from=date(2022, 1, 2), date_to=date(2022, 1, 1))):
        with pytest.raises(ApiProblem) as caught:
            next(api.ask(FEE, ["ferry"], wanted))
        assert caught.value.status == 422 and caught.value.remedy


def test_a_document_says_what_it_is_about(api: Api) -> None:
    """Kind, organisations and date come with it; what could not be told is left out."""
    documents = {name(document.path): document for document in api.documents("ferry")}
    agreement, broken = documents["ferry-supply-agreement.pdf"], documents["pressure-chamber-offer-corrupt.pdf"]
    assert (agreement.kind, agreement.language, agreement.format) == ("contract", "en", "pdf")
    assert agreement.about.startswith("contract, Skarnes Coastal Lines") and "dated" in agreement.about
    assert (broken.about, broken.language) == ("", None)


def test_the_page_of_a_quote_is_a_png(api: Api) -> None:
    """The cited page comes as an image, another one with the quote marked."""
    *_, answer = api.ask(FEE, ["ferry"])
    assert isinstance(answer, Answer)
    place = answer.citations[0].place
    plain = api.page_image(place.document_id, place.page, [])
    marked = api.page_image(place.document_id, place.page, [(place.start, place.end)])
    assert plain.startswith(b"\x89PNG") and marked.startswith(b"\x89PNG")
    assert plain != marked


def test_a_format_without_pages_is_a_problem_with_a_remedy(api: Api) -> None:
    """The page of a text file is refused with status 404 and what to do instead."""
    document = next(item for item in api.documents("ferry") if item.path.endswith("board-minutes-2025-09.md"))
    with pytest.raises(ApiProblem) as caught:
        api.page_image(document.document_id, 1, [])
    assert caught.value.status == 404
    assert caught.value.remedy


@pytest.mark.parametrize("question", ["", " ", "x" * 100_000])
def test_an_impossible_question_is_a_problem(api: Api, question: str) -> None:
    """Empty and endless questions are refused before anything is searched."""
    with pytest.raises(ApiProblem) as caught:
        next(api.ask(question))
    assert caught.value.status == 422
    assert caught.value.detail and caught.value.remedy


def test_a_folder_outside_the_roots_is_a_problem(api: Api) -> None:
    """What the settings do not allow is refused with status 403."""
    with pytest.raises(ApiProblem) as caught:
        api.ingest("/etc", "ferry")
    assert caught.value.status == 403


def test_a_job_reports_what_could_not_be_read(api: Api, server: Server) -> None:
    """Ingesting the folder again leaves the readable files alone and names the corrupt one with reason and remedy."""
    job_id = api.ingest(str(server.folder), "ferry")
    finish(api, job_id)
    job = api.job(job_id)
    assert (job.stage, job.unchanged, job.files_done) == ("done", 3, 4)
    assert [file.path.endswith("corrupt.pdf") for file in job.failed] == [True]
    assert job.failed[0].reason and job.failed[0].remedy


def test_an_uploaded_file_can_be_removed(api: Api) -> None:
    """An upload becomes a document of its collection; removing it empties the collection."""
    finish(api, api.upload("pier.txt", io.BytesIO(b"The pier at Moss is 214 metres long."), "upload"))
    document = api.documents("upload")[0]
    assert (document.state, document.path.endswith("pier.txt")) == ("ready", True)
    assert {item.name: item.documents for item in api.collections()}["upload"] == 1
    api.forget(document.document_id)
    with pytest.raises(ApiProblem) as caught:
        api.document(document.document_id)
    assert caught.value.status == 404


def test_the_state_of_the_server(api: Api) -> None:
    """The client learns which home is served, and that nothing is missing."""
    assert api.status().home
    assert api.missing() == []


def test_an_unreachable_server_is_a_problem_with_a_remedy() -> None:
    """When nobody listens the message names the address and says how to start the server."""
    client = Api(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ApiProblem, match="can't be reached") as caught:
        client.collections()
    assert "readingroom serve" in caught.value.remedy
    client.close()


def test_another_server_is_a_problem(server: Server) -> None:
    """A server that is not Reading Room's API is recognised."""
    client = Api(server.ui_url)
    with pytest.raises(ApiProblem):
        client.collections()
    client.close()


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_survive_any_cutting_and_any_line_separator(size: int) -> None:
    """Events are read whole wherever the stream is cut, though their JSON holds U+2028, U+0085 or a form feed."""
    texts = ["plain", "one\u2028two\u0085three\x0cfour", "æøå ✓"]
    stream = "".join(f"event: token\ndata: {json.dumps({'text': text}, ensure_ascii=False)}\n\n" for text in texts)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert list(server_sent_events(pieces)) == [("token", {"text": text}) for text in texts]


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", '"><svg/onload=a()>'])
def test_document_text_is_escaped_in_every_block(text: str) -> None:
    """No tag of a document gets into the HTML of the page."""
    table = table_html([text], [[text, (text, text)]])
    blocks = [html(text), answer_html(f"{text} [1]"), marked_html(text, text, text), table]
    assert all("<img" not in block and "<script" not in block and "<svg" not in block for block in blocks)


def test_a_label_is_one_code_span() -> None:
    """Whatever backticks and line breaks a file name holds, its label stays one code span."""
    assert label("a`b``c\nd") == "``` a`b``c d ```"
    assert label("") == ""


def test_files_inside_files_carry_the_name_of_the_outermost() -> None:
    """Only the folders of the outermost file are left out of a name."""
    assert name("/docs/a b/report.pdf") == "report.pdf"
    assert name("/docs/bundle.zip » notes/mail.eml » report.pdf") == "bundle.zip » notes/mail.eml » report.pdf"
    assert name("/") == "/"


def test_progress_says_files_pages_passages_rate_and_time_left() -> None:
    """While files are read the line above the bar has their rate, then that of the passages."""
    job = Job("1", "reading", 48, 12, 0, 0, 0, 0.52, None, 75.2, 12, 0, 0, 0, 0, 409, 1999, 30.0, (), ())
    assert progress_line(job) == (
        "Reading: 12 of 48 files, 409 pages read, 1,999 passages, 0.5 files a second, about 1 min 15 s left"
    )
    later = replace(job, stage="embedding", files_done=48, texts=18_645, texts_embedded=64, texts_per_second=21.6)
    assert "; 64 of 18,645 passages embedded, 22 a second, about" in progress_line(later)
    assert "files a second" not in progress_line(later)


def test_tables_of_other_writers_are_drawn_as_tables() -> None:
    """A rule row without spaces is a rule row: the one above it is the header, the marked row has its cells marked."""
    drawn = marked_html("| Code | Meaning |\n|:-----|---------|\n", "| E4 | Blocked |", "\nNext")
    assert "<th>Code</th><th>Meaning</th>" in drawn and "<mark>E4</mark>" in drawn and "---" not in drawn
