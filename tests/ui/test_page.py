"""The page in a real browser: real processes, real documents, nothing off loopback."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect, sync_playwright

from rag.settings import Settings
from tests.in_process import Room
from tests.local_server import serving as model_serving
from tests.openai_server import OpenAIServer
from tests.processes import serving
from tests.rag.test_first_look import looked_at, made
from tests.ui.conftest import HOSTILE, HOSTILE_NAME, SAMPLES, Server, finish, free_port, wait_for
from ui.client import Api

pytestmark = pytest.mark.e2e
expect.set_options(timeout=60_000)  # a slow machine needs more than the 5 seconds there are

FEE = "What is the annual maintenance fee for a vessel with an equipment set of type B?"
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Seen:
    """What must not happen while a page is used."""

    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium as the system has it."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("There is no chromium on this machine. Install the package `chromium`.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=list(SWITCHES))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, server: Server, api: Api) -> Iterator[Page]:
    """A fresh page at the server; afterwards nothing may have gone wrong or off loopback."""
    with watched(browser, server.ui_url) as opened:
        yield opened


class watched:
    """Opens a page and, at the end, asserts that it made no foreign request, console error or alert."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._page = browser.new_page(viewport={"width": 1280, "height": 900})
        self._seen = Seen()
        self._page.route("**/*", self._route)
        self._page.on("websocket", lambda socket: self._check(socket.url))
        self._page.on("console", lambda said: self._seen.errors.append(said.text) if said.type == "error" else None)
        self._page.on("pageerror", lambda error: self._seen.errors.append(str(error)))
        self._page.on("dialog", self._alert)
        self._page.set_default_timeout(60_000)
        self._page.goto(url)

    def __enter__(self) -> Page:
        return self._page

    def __exit__(self, kind: object, *_: object) -> None:
        self._page.close()
        if kind is None:
            assert self._seen == Seen()

    def _check(self, url: str) -> bool:
        parts = urlsplit(url)
        local = parts.scheme in ("data", "blob") or parts.hostname == "127.0.0.1"
        if not local:
            self._seen.foreign.append(url)
        return local

    def _route(self, route: Route) -> None:
        if self._check(route.request.url):
            route.continue_()
        else:
            route.abort()

    def _alert(self, dialog: Dialog) -> None:
        self._seen.alerts.append(dialog.message)
        dialog.dismiss()


def ask(page: Page, question: str) -> None:
    """Type a question, press Enter, wait for its answer."""
    box = page.get_by_label("Question", exact=True)
    box.fill(question)
    box.press("Enter")
    expect(page.locator(".rr-question").filter(has_text=question or "…")).to_be_visible(timeout=120_000)
    drawn(page)


def drawn(page: Page) -> None:
    """Wait until the page is drawn: what was there before stays beside it until then, and a click is lost."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


def test_a_folder_is_added_and_its_failures_are_explained(page: Page, server: Server) -> None:
    """Adding a folder shows progress, then what was added, and the corrupt file with reason and remedy."""
    page.get_by_role("link", name="Documents").click()
    page.get_by_label("Folder or file").fill(str(server.folder))
    page.get_by_label("Into collection").first.fill(f"by-page-{uuid.uuid4().hex[:8]}")
    page.get_by_role("button", name="Add", exact=True).click()
    done = page.get_by_text("Done: 3 added, 0 updated, 0 moved, 0 unchanged, 0 removed, 1 failed.")
    expect(done).to_be_visible(timeout=180_000)
    failed = page.get_by_role("row").filter(has_text=str(server.folder / "pressure-chamber-offer-corrupt.pdf")).first
    for cell in range(3):
        expect(failed.get_by_role("cell").nth(cell)).to_contain_text(re.compile(r"\w+"))
    page.get_by_text("Every file (4)").click()
    every = page.get_by_role("row").filter(has_text=str(server.folder / "ferry-supply-agreement.pdf")).first
    expect(every).to_contain_text("added")
    expect(page.get_by_role("button", name="Download as CSV")).to_be_visible()
    close = page.get_by_role("button", name="Close the report")
    close.click()
    expect(close).to_have_count(0)  # the page is drawn anew without the report; a click before that would be lost
    state = page.get_by_role("radiogroup", name="State")
    drawn(page)
    expect(state).to_have_count(1)
    for _ in range(10):  # a click while the page is drawn is lost; a person would click again
        state.get_by_text("failed", exact=True).click()
        page.wait_for_timeout(1000)
        if state.get_by_role("radio", name="failed").is_checked():
            break
    expect(page.locator(".rr-table")).not_to_contain_text("ferry-supply-agreement.pdf")
    expect(page.locator(".rr-table")).to_contain_text(["pressure-chamber-offer-corrupt.pdf"])


def test_a_job_that_runs_already_is_followed(page: Page, api: Api, server: Server) -> None:
    """A page that is opened while a job runs, whoever began it, shows how far it is, and can go on with it."""
    job = api.ingest(str(server.folder), f"elsewhere-{uuid.uuid4().hex[:8]}")
    api.change_job(job, "pause")
    assert [item.job_id for item in api.unfinished()] == [job]
    page.get_by_role("link", name="Documents").click()
    expect(page.get_by_text(re.compile(r"Paused: \d+ of \d+ files"))).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Done: 3 added")).to_be_visible(timeout=180_000)
    assert api.unfinished() == [] and api.job(job).finished


def test_an_answer_shows_its_citations_beside_the_marked_page(page: Page, tmp_path: Path) -> None:
    """The answer carries [1], and the cited page is shown as an image, with the pages around it a click away."""
    ask(page, FEE)
    expect(page.locator(".rr-answer")).to_contain_text(["9,980"])
    expect(page.locator(".rr-n").first).to_have_text("[1]")
    expect(page.get_by_text("Sentences quoted from the documents")).to_be_visible()
    image = page.get_by_role("img", name="Page 10 of ferry-supply-agreement.pdf")
    expect(image).to_be_visible()
    page.wait_for_function("[...document.images].some(one => one.alt.startsWith('Page 10') && one.naturalWidth > 600)")
    page.screenshot(path=tmp_path / "answer.png")
    expect(page.get_by_role("radiogroup", name="Citations").get_by_role("radio").first).to_be_checked()
    expect(page.locator(".rr-block td:visible").filter(has_text="9,980")).to_have_count(1)  # a row is drawn as one
    expect(page.locator(".rr-block").first).not_to_contain_text("|")
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_text("Page 11 of 15")).to_be_visible()


def test_a_question_without_an_answer_shows_the_nearest_passages(page: Page) -> None:
    """The page says that nothing was found and that no model was asked, and lists passages; arrow keys go to the next."""
    ask(page, "Who won the chess championship in Reykjavik?")
    expect(page.locator(".rr-answer")).to_have_text(["Not found in these documents."])
    choices = page.get_by_role("radiogroup", name="Nearest passages").get_by_role("radio")
    expect(choices.first).to_be_checked()
    choices.first.focus()
    page.keyboard.press("ArrowDown")
    expect(choices.nth(1)).to_be_checked()
    page.wait_for_timeout(1000)  # the page begins to be drawn anew with the next passage
    drawn(page)
    nearest = page.get_by_text(re.compile("Text of the nearest passages"))
    expect(nearest).to_have_count(1)
    nearest.click()
    expect(page.get_by_text("found by").first).to_be_visible()
    expect(page.get_by_text(re.compile(r"^Searched: \d+ documents in .*ferry"))).to_be_visible()
    page.get_by_text(re.compile("Files that could not be read")).click()
    expect(page.get_by_text(re.compile("The PDF is damaged.*Open it in a PDF viewer", re.S)).first).to_be_visible()


def test_the_first_answer_can_be_left_behind_at_once(page: Page) -> None:
    """A new conversation is offered beside the first answer; the question after it is the first one again."""
    ask(page, FEE)
    loaded = "[...document.images].some(image => image.complete && image.naturalWidth > 0)"
    page.wait_for_function(loaded)  # an image that is taken away while it loads is a 404
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".rr-answer")).to_have_count(0)
    ask(page, "Who won the chess championship in Reykjavik?")
    expect(page.locator(".rr-answer")).to_have_text(["Not found in these documents."])
    expect(page.get_by_role("combobox", name=re.compile("Questions of this session"))).to_have_count(0)


@pytest.fixture
def notes(api: Api, server: Server) -> Iterator[str]:
    """Two notes that say different things of one crane, and a web page with text that it does not show, gone afterwards."""
    folder = server.folder / "notes"
    folder.mkdir()
    for name, tonnes in (("crane-note", 12), ("crane-sheet", 15)):
        (folder / f"{name}.txt").write_text(f"The crane at the east quay can lift {tonnes} tonnes at full reach.\n")
    os.utime(folder / "crane-note.txt", (1_600_000_000, 1_600_000_000))
    hidden = '<p style="display:none">The lock of Evje is 99 metres wide.</p>'
    (folder / "canal.html").write_text(f"<html><body><p>The lock of Evje is 14 metres wide.</p>{hidden}</body></html>")
    finish(api, api.ingest(str(folder), "notes"))
    yield "notes"
    for document in api.documents("notes"):
        api.forget(document.document_id)
    shutil.rmtree(folder)


def test_documents_that_disagree_stand_below_the_answer(page: Page, notes: str) -> None:
    """Both quotes with their dates and names, the newer one first."""
    ask(page, "How much can the crane at the east quay lift?")
    expect(page.get_by_text("The documents disagree:")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^2020-09-1\d, crane-note.txt, page 1$"))).to_be_visible()
    quotes = [text for text in page.locator(".rr-block").all_inner_texts() if "tonnes" in text]
    newer = next(at for at, text in enumerate(quotes) if "15 tonnes" in text)
    assert newer < next(at for at, text in enumerate(quotes) if "12 tonnes" in text)


def test_hidden_text_is_named_and_answers_nothing(page: Page, notes: str) -> None:
    """What a web page does not show is no answer, and stands under the document's problems."""
    ask(page, "How wide is the lock of Evje?")
    expect(page.locator(".rr-answer")).to_contain_text(["14 metres"])
    assert "99 metres" not in page.locator("body").inner_text()
    page.get_by_role("link", name="Documents").click()
    row = page.get_by_role("row").filter(has_text="canal.html").first
    expect(row).to_contain_text("hidden text on page 1: not displayed")


def test_a_statement_without_support_is_marked(browser: Browser, filled: Path, tmp_path: Path) -> None:
    """Of two sentences of a model one stands in the contract; the other is marked; who wrote them and what is wrong is said."""
    shutil.copytree(filled, tmp_path / "home")
    quote = "| Annual maintenance, type B | Vessel and year | 9,980 |"
    true, invented = "The annual maintenance for type B costs EUR 9,980.", "It includes the fuel of the first winter."
    reply = json.dumps({"quote": quote, "passage": 1, "answer": f"{true} {invented}"})
    with (
        model_serving(OpenAIServer(deltas=[reply])) as model,
        serving(tmp_path / "home", tmp_path / "log", **answered_by(model.host)) as room,
    ):
        wait_for(room.ui_url, room.process, room.log)
        with watched(browser, room.ui_url) as page:
            _see_what_is_supported(page, true, invented)
            page.screenshot(path=tmp_path / "unsupported.png")


def test_pages_of_files_that_wait_are_shown(browser: Browser, settings: Settings, tmp_path: Path) -> None:
    """Where nothing was found and files wait to be read, the page says how many, and which of their pages have the words."""
    made(
        tmp_path / "docs" / "dredger.pdf",
        "Plan of the yard.",
        "The crane Vandrelark lifts the spud poles of the dredger.",
    )
    with Room(settings) as room:
        room.jobs.pause(looked_at(room, tmp_path / "docs"))
    with serving(settings.home, tmp_path / "log") as running:
        wait_for(running.ui_url, running.process, running.log)
        with watched(browser, running.ui_url) as page:
            ask(page, "Which crane lifts the spud poles?")
            expect(
                page.get_by_text("Not searched yet, because a job has still to read them: 1 of the files.")
            ).to_be_visible()
            expect(page.get_by_text("dredger.pdf, page 2 (plain text, no quote)")).to_be_visible()
            expect(page.get_by_text("The crane Vandrelark lifts the spud poles")).to_be_visible()
            page.screenshot(path=tmp_path / "waiting.png")


def test_a_routed_answer_says_who_wrote_it_and_why(browser: Browser, filled: Path, tmp_path: Path) -> None:
    """An easy question is answered by the small model and a hard one by the large, each with the reason below the answer; the
    exact model stands in a fold."""
    shutil.copytree(filled, tmp_path / "home")
    quote = "| Annual maintenance, type B | Vessel and year | 9,980 |"
    reply = json.dumps({"quote": quote, "passage": 1, "answer": "The annual maintenance for type B costs EUR 9,980."})
    routed = {"READINGROOM_ROUTING__SMALL": "openai:small-model", "READINGROOM_ROUTING__LARGE": "openai:large-model"}
    with (
        model_serving(OpenAIServer(kind="lmstudio", models=["small-model", "large-model"], deltas=[reply])) as model,
        serving(tmp_path / "home", tmp_path / "log", **answered_by(model.host), **routed) as room,
    ):
        wait_for(room.ui_url, room.process, room.log)
        with watched(browser, room.ui_url) as page:
            _see_who_answered(page, FEE, "small-model", "Routed to the small model: easy question")
            hard = f"What is the total of {FEE[8:]}"
            _see_who_answered(page, hard, "large-model", "Routed to the large model: hard question (arithmetic")
            page.screenshot(path=tmp_path / "routed.png")


def _see_who_answered(page: Page, question: str, name: str, why: str) -> None:
    ask(page, question)
    said = page.get_by_text(re.compile(f"^Answered. Written by the language model {name} "))
    expect(said).to_contain_text(why)
    page.get_by_text("Which model, exactly").click()
    exact = page.get_by_text(re.compile(f"^{name}, run by LM Studio"))
    expect(exact).to_contain_text("Weights: digest unknown, Q4_K_M")
    expect(exact).to_contain_text("Asked with temperature 0, seed 0, at most 200 tokens, in a window of 2,048 tokens")


def answered_by(host: str) -> dict[str, str]:
    """Return the settings with which a server is asked first; the small model beside it is not needed."""
    return {"READINGROOM_ANSWER__OPENAI_HOST": host, "READINGROOM_ANSWER__MODEL": "small"}


def _see_what_is_supported(page: Page, true: str, invented: str) -> None:
    ask(page, FEE)
    expect(page.locator(".rr-unsupported")).to_have_text([f"{invented} (not supported by the documents)"])
    expect(page.locator(".rr-answer")).to_contain_text([f"{true} [1]"])
    expect(page.locator(".rr-n")).to_have_text(["[1]"])
    said = page.get_by_text(re.compile("^Partly answered. Written by the language model tiny-model"))
    expect(said).to_contain_text("One statement of the model is said by no passage")


def test_markup_in_a_document_stays_text(page: Page) -> None:
    """Tags, links, images and formulas of a document and its name are shown as characters and do nothing."""
    ask(page, "Does the lantern keeper of Ostrava earn 412 crowns?")  # quoted whole
    expect(page.locator(".rr-answer")).to_contain_text([HOSTILE])
    expect(page.locator("mark")).to_contain_text([HOSTILE])
    expect(page.get_by_role("radiogroup", name="Citations")).to_contain_text([HOSTILE_NAME])
    page.get_by_text(re.compile("Passages that were read")).click()
    expect(page.locator(".rr-block").filter(has_text=HOSTILE).last).to_be_visible()
    assert_inert(page)
    page.get_by_role("link", name="Documents").click()
    expect(page.locator(".rr-table")).to_contain_text([HOSTILE_NAME])
    assert_inert(page)


def test_a_question_is_asked_of_some_documents(page: Page, tmp_path: Path) -> None:
    """Filters are folded away; what is chosen holds for the answer and is said beside it; names in the lists stay text."""
    expect(page.get_by_role("combobox", name="Type")).to_have_count(0)
    page.get_by_text("Ask only some of the documents").click()
    chooser = page.get_by_role("combobox", name="Documents")
    chooser.click()
    expect(page.get_by_role("option").filter(has_text=HOSTILE_NAME).first).to_be_visible()
    assert_inert(page)
    chooser.press("Escape")
    kind = page.get_by_role("combobox", name="Kind")
    kind.click()
    page.get_by_role("option", name="minutes", exact=True).click()
    kind.press("Escape")
    ask(page, FEE)
    expect(page.get_by_text("Asked only of documents with kind minutes")).to_be_visible()
    page.get_by_text(re.compile("Passages that were read|Text of the nearest passages")).click()
    expect(page.get_by_text("board-minutes-2025-09.md · collection").first).to_be_visible()
    expect(page.get_by_text("ferry-supply-agreement.pdf")).to_have_count(0)
    page.screenshot(path=tmp_path / "filtered.png")
    pattern = page.get_by_label("Path pattern")
    pattern.fill("*/nowhere/*")
    pattern.press("Enter")
    page.wait_for_timeout(1000)  # the page is drawn anew with the pattern
    ask(page, "What did the board decide about nothing?")
    expect(page.get_by_text("Asked only of documents with kind minutes; path */nowhere/*")).to_be_visible()
    expect(page.locator(".rr-answer")).to_have_text(["Not found in these documents."])


def test_documents_say_what_they_are_about(page: Page) -> None:
    """The table names kind, organisations, date, format and language."""
    page.get_by_role("link", name="Documents").click()
    row = page.get_by_role("row").filter(has_text="ferry-supply-agreement.pdf").first
    expect(row).to_contain_text(re.compile("contract, Skarnes Coastal Lines.*dated"))
    expect(row).to_contain_text("pdf en")


def test_a_text_that_stands_twice_names_its_other_place(page: Page, api: Api) -> None:
    """A passage that stands in two files is listed once, with the other file below it."""
    text = b"The breakwater of Vardal was built in 1931 from granite of the quarry at Myra."
    for file in ("breakwater-one.txt", "breakwater-two.txt"):
        finish(api, api.upload(file, io.BytesIO(text), "twins"))
    ask(page, "When was the breakwater of Vardal built?")
    page.get_by_text(re.compile("Passages that were read")).click()
    expect(page.get_by_text(re.compile(r"^Also: .*breakwater-(one|two)\.txt, page 1"))).to_be_visible()
    for document in api.documents("twins"):
        api.forget(document.document_id)


def assert_inert(page: Page) -> None:
    """No element of the page came out of a document."""
    selector = "a[href*='evil'], img[src='x'], img[src*='evil'], .katex, .rr script, .rr strong, [onerror]"
    assert page.locator(selector).count() == 0


def test_an_empty_question_is_refused_with_what_to_do(page: Page) -> None:
    """The API's problem is shown as text with its remedy."""
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(["The question is empty."])
    expect(page.get_by_role("alert")).to_contain_text(["Write what you want to know."])


def test_a_file_is_uploaded_and_removed_after_confirmation(page: Page, api: Api, tmp_path: Path) -> None:
    """Two uploads are followed until done; one is removed only after its removal is confirmed."""
    for document in api.documents():
        if document.collection != "ferry" and document.path.endswith(("mole.txt", "workshop-handover.txt")):
            api.forget(document.document_id)  # of an attempt before
    (tmp_path / "mole.txt").write_text("The mole of Kragerø is 88 metres long.", encoding="utf-8")
    page.get_by_role("link", name="Documents").click()
    page.get_by_role("tab", name="Upload files").click()
    page.locator("input[type=file]").set_input_files([tmp_path / "mole.txt", SAMPLES / "workshop-handover.txt"])
    expect(page.get_by_text("mole.txt").first).to_be_visible()
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("Done: 2 added")).to_be_visible(timeout=120_000)
    chooser = page.get_by_role("combobox", name="Remove a document")
    chooser.click()
    chooser.press_sequentially("mole.txt")
    page.get_by_role("option").filter(has_text="mole.txt").click()
    page.get_by_role("button", name="Remove…").click()
    expect(page.get_by_role("dialog")).to_contain_text(["mole.txt"])
    assert any(item.path.endswith("mole.txt") for item in api.documents())
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".rr-table").last).not_to_contain_text("mole.txt")
    expect(page.get_by_text("none is left")).to_be_visible()
    assert not any(item.path.endswith("mole.txt") for item in api.documents())


@pytest.fixture
def leases(api: Api, server: Server) -> Iterator[Path]:
    """Leases of two companies in the collection `leases`, gone afterwards."""
    folder = server.folder / "leases"
    folder.mkdir()
    for company, rent in (("Norvik", "1,200"), ("Tarrow", "2,350")):
        said = (f"{company} Ltd signs this lease.", f"The monthly rent of the harbour office is EUR {rent}.")
        (folder / f"{company.lower()}.txt").write_text("\n\n".join([*said, f"{company} Ltd has the keys.\n"]))
    finish(api, api.ingest(str(folder), "leases"))
    yield folder
    for document in api.documents("leases"):
        api.forget(document.document_id)
    shutil.rmtree(folder)


def test_a_conversation_asks_back_follows_up_and_marks_what_changed(
    page: Page, api: Api, leases: Path, tmp_path: Path
) -> None:
    """An open question offers its candidates as buttons; a follow-up shows how it was understood; what changed is marked."""
    ask(page, "What is the monthly rent of the harbour office?")
    expect(page.locator(".rr-answer")).to_have_text(["Which one do you mean?"])
    page.screenshot(path=tmp_path / "candidates.png")
    page.get_by_role("button", name=re.compile("Tarrow")).click()
    expect(page.locator(".rr-answer")).to_contain_text(["2,350"])
    expect(page.get_by_text("Understood as: What is the monthly rent of the harbour office (Tarrow)?")).to_be_visible()
    ask(page, "And of Norvik?")
    expect(page.get_by_text("Understood as:")).to_contain_text(["Norvik"])
    expect(page.locator(".rr-answer")).to_contain_text(["1,200"])
    lease = leases / "norvik.txt"
    lease.write_text(lease.read_text().replace("1,200", "1,450"))
    finish(api, api.ingest(str(leases), "leases"))
    ask(page, "Who has the keys of Tarrow?")  # the page is drawn anew
    chooser = page.get_by_role("combobox", name=re.compile("Questions of this session"))
    chooser.click()
    page.get_by_role("option").filter(has_text="And of Norvik?").click()
    expect(page.locator(".rr-question").filter(has_text="And of Norvik?")).to_be_visible()
    drawn(page)
    expect(page.locator(".rr-stale").first).to_contain_text("changed since this answer")
    expect(page.locator("mark")).to_have_count(1)
    expect(page.locator("mark")).to_contain_text(["1,200"])
    page.screenshot(path=tmp_path / "stale.png")
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".rr-answer")).to_have_count(0)


def test_a_narrow_screen_needs_no_sideways_scrolling(page: Page, tmp_path: Path) -> None:
    """At 390 pixels the answer and its page stand below one another."""
    page.set_viewport_size({"width": 390, "height": 844})
    ask(page, FEE)
    expect(page.get_by_role("img", name="Page 10 of ferry-supply-agreement.pdf")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=tmp_path / "narrow.png")


def test_a_server_that_is_down_is_said_plainly(browser: Browser, server: Server, tmp_path: Path) -> None:
    """Without the API the page says so, and how to start it."""
    port, api_port, log = free_port(), free_port(), tmp_path / "ui.log"
    environment = {**os.environ, "READINGROOM_SERVER__PORT": str(api_port), "READINGROOM_SERVER__UI_PORT": str(port)}
    with open(log, "wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "rag.process", "ui"], env=environment, stdout=out, stderr=out)
    try:
        wait_for(f"http://127.0.0.1:{port}/", process, log)
        with watched(browser, f"http://127.0.0.1:{port}/") as page:
            expect(page.get_by_role("alert")).to_contain_text([f"http://127.0.0.1:{api_port} can't be reached"])
            expect(page.get_by_role("alert")).to_contain_text(["readingroom serve"])
    finally:
        process.terminate()
        process.wait(20)
