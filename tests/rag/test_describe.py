"""Descriptions of pictures by a vision model: found, marked, never quoted, asked for once, gone with their document."""

from __future__ import annotations

import base64
import io
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from docx import Document
from PIL import Image, ImageDraw
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ingest.describe import FAILURES
from ingest.describer import Description, NotDescribed
from ingest.pictures import LONGEST, pack, pictures, unpack
from rag.build import build_describer, build_reader, build_recipe
from rag.describe import PictureDescriber, ollama_describer, openai_describer
from rag.doctor import examine
from rag.errors import ModelError, SettingsError
from rag.library import Library
from rag.llm_embedded import EmbeddedModel
from rag.ollama_server import OllamaServer as Connection
from rag.openai_connection import OpenAIConnection
from rag.settings import Settings, load_settings
from tests.in_process import Room
from tests.local_server import serving
from tests.ollama_server import DIGEST, OllamaServer
from tests.openai_server import OpenAIServer
from tests.processes import rows

SAID = "A bar chart of walrus sightings: 41 in March, 77 in April."
TEXT = "The harbour office counts animals from the pier each spring and keeps the figures in the annual report."


def chart(colour: str = "teal", size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Return a picture without any text."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for bar in range(4):
        draw.rectangle((30 + 70 * bar, 200 - 35 * bar, 70 + 70 * bar, 220), fill=colour)
    return image


def pdf(path: Path, *colours: str) -> Path:
    """Write a PDF: a page of text, then one page a colour with a line of text and a figure."""
    canvas = Canvas(str(path), pagesize=(400, 500))
    canvas.drawString(20, 450, TEXT[:60])
    canvas.showPage()
    for colour in colours:
        canvas.drawString(20, 450, f"Sightings of animals from the pier, {colour}")
        canvas.drawImage(ImageReader(chart(colour)), 50, 100, 240, 180)
        canvas.showPage()
    canvas.save()
    return path


@pytest.fixture
def room(settings: Settings) -> Iterator[Room]:
    with Room(settings) as opened:
        yield opened


@contextmanager
def looking(kind: str, embedded: EmbeddedModel) -> Iterator[tuple[PictureDescriber, OllamaServer | OpenAIServer]]:
    """Give a describer with the server behind it, which says the same of each picture."""
    if kind == "ollama":
        with serving(OllamaServer(embedded, capabilities=["completion", "vision"], says=[SAID])) as server:
            connection = Connection(server.host, busy_seconds=0.1)
            yield ollama_describer(connection, "smollm2:135m", 20), server
            connection.close()
    else:
        with serving(OpenAIServer(models=["seer"], deltas=[SAID[:20], SAID[20:]])) as other:
            client = OpenAIConnection(other.host)
            yield openai_describer(client, "seer", 20), other
            client.close()


def asked(server: OllamaServer | OpenAIServer) -> list[bytes]:
    """Return the pictures that a server was sent."""
    found = []
    for path, body, *_ in server.requests:
        if path == "/api/chat":
            found += [base64.b64decode(body["messages"][0]["images"][0])]
        elif path == "/v1/chat/completions":
            url = body["messages"][0]["content"][1]["image_url"]["url"]
            found += [base64.b64decode(url.removeprefix("data:image/png;base64,"))]
    return found


def hits(settings: Settings, question: str) -> list[dict[str, object]]:
    with Library(settings, "test") as library:
        return [hit.model_dump() for hit in library.search(question).hits]


class Scripted:
    """A describer that does one thing after the other: says a text, or raises."""

    name = "scripted"

    def __init__(self, *script: str | BaseException) -> None:
        self.script, self.pictures = list(script), list[bytes]()

    def describe(self, png: bytes) -> Description:
        self.pictures.append(png)
        step = self.script.pop(0)
        if isinstance(step, BaseException):
            raise step
        return Description(step, "scripted", "sha256:ab")


@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_a_picture_is_found_by_its_description(
    kind: str, room: Room, settings: Settings, tmp_path: Path, embedded: EmbeddedModel
) -> None:
    """A picture without text becomes a document; its description is found, marked, with model and digest on record."""
    folder = tmp_path / "in"
    folder.mkdir()
    chart().save(folder / "chart.png")
    with looking(kind, embedded) as (room.describer, server):
        report = room.ingest(folder)
        assert report.added == 1 and not report.failed
        assert len(asked(server)) == 1
        assert Image.open(io.BytesIO(asked(server)[0])).size == (320, 240)
        again = room.ingest(folder)
        assert again.unchanged == 1 and len(asked(server)) == 1
        name, digest = (room.describer.name, DIGEST if kind == "ollama" else "")
    room.close()
    (hit,) = hits(settings, "walrus sightings in April")
    assert hit["made_by"] == name and not hit["hidden"] and hit["page"] == 1
    assert hit["found_by"] == ["keyword", "vector"]
    assert str(hit["text"]) == f"Description made by {name}: {SAID}"
    assert hit["boxes"], "the place of the picture"
    kept = rows(settings.home, "SELECT model, digest, text, problem FROM descriptions")
    assert kept == [(name, f"sha256:{digest}" if digest else "", SAID, "")]
    (way,) = rows(settings.home, "SELECT way FROM hidden_spans")[0]
    assert way == f"description made by {name} {f'sha256:{digest}' if digest else ''}".strip()


def test_it_leads_to_the_page_and_is_never_quoted(room: Room, settings: Settings, tmp_path: Path) -> None:
    """A question that only the description answers is not answered by it; the answer names it, and the page's own text."""
    folder = tmp_path / "in"
    folder.mkdir()
    pdf(folder / "report.pdf", "teal")
    room.describer = Scripted(SAID)
    assert room.ingest(folder).added == 1
    room.close()
    for hidden in ("false", "true"):
        home = {"READINGROOM_HOME": str(settings.home), "READINGROOM_ANSWER__MODEL": "none"}
        with Library(load_settings({**home, "READINGROOM_ANSWER__HIDDEN_TEXT": hidden}), "test") as library:
            answer = library.ask("How many walrus sightings were there in April?")
            assert "77" not in answer.answer
            assert not any("walrus" in citation.quote for citation in answer.citations)
            pages = [(hit.page, hit.made_by) for hit in answer.passages]
            assert (2, "") in pages
            if answer.outcome == "not_found":
                assert pages[-1] == (2, "scripted")
            document = library.documents()[0]
            assert SAID in library.text(document.document_id).text


def test_former_versions_keep_no_descriptions(room: Room, settings: Settings, tmp_path: Path) -> None:
    """A version that is replaced leaves its text behind, but no passage that a model made; a picture that is gone, nothing."""
    folder = tmp_path / "in"
    folder.mkdir()
    pdf(folder / "report.pdf", "teal")
    room.describer = Scripted(SAID, "A red chart.")
    room.ingest(folder)
    time.sleep(0.01)
    pdf(folder / "report.pdf", "red")
    assert room.ingest(folder).updated == 1
    room.close()
    assert rows(settings.home, "SELECT count(*) FROM former_chunks WHERE text LIKE '%walrus%'") == [(0,)]
    assert rows(settings.home, "SELECT text FROM descriptions") == [("A red chart.",)]


def test_forgetting_a_document_forgets_its_descriptions(room: Room, settings: Settings, tmp_path: Path) -> None:
    """The receipt finds no trace of a description."""
    folder = tmp_path / "in"
    folder.mkdir()
    pdf(folder / "report.pdf", "teal")
    room.describer = Scripted(SAID)
    room.ingest(folder)
    room.close()
    with Library(settings, "test") as library:
        receipt = library.forget([str(folder / "report.pdf")])
    assert receipt.traces == []
    assert rows(settings.home, "SELECT count(*) FROM descriptions") == [(0,)]
    assert not any(SAID.encode() in file.read_bytes() for file in settings.home.rglob("*") if file.is_file())


def test_pictures_of_each_kind_of_file(tmp_path: Path) -> None:
    """A scanned page is one picture, a figure is cut out of its page, a DOCX gives its media; equal ones come once."""
    pdf(tmp_path / "figures.pdf", "teal", "red")
    found = pictures(tmp_path / "figures.pdf", "pdf", 20)
    assert [(item.page, round(item.box.x0), round(item.box.y1)) for item in found.items] == [(2, 50, 400), (3, 50, 400)]
    chart(size=(2000, 3000)).save(tmp_path / "scan.pdf")
    (scan,) = pictures(tmp_path / "scan.pdf", "pdf", 20).items
    assert scan.box.x1 == scan.size[0] and max(Image.open(io.BytesIO(scan.png)).size) <= LONGEST
    written = Document()
    for colour in ("teal", "red", "teal"):
        buffer = io.BytesIO()
        chart(colour).save(buffer, "PNG")
        written.add_picture(buffer)
    chart(size=(40, 40)).save(tmp_path / "icon.png")
    written.add_picture(str(tmp_path / "icon.png"))
    written.save(str(tmp_path / "a.docx"))
    found = pictures(tmp_path / "a.docx", "docx", 20)
    assert len(found.items) == 2 and found.left_out == 0
    assert unpack(pack(found)) == found
    assert pictures(tmp_path / "a.docx", "docx", 1).left_out == 1
    assert pictures(tmp_path / "a.txt", "text", 20).items == ()
    for broken in (b"", b"\xff" * 40, pack(found)[:-3]):
        with pytest.raises((ValueError, KeyError, TypeError)):
            unpack(broken)


@pytest.mark.parametrize("kind", ["ollama", "openai"])
@pytest.mark.parametrize(("failing", "words"), [("empty", "empty answer"), ("endless", "went on after")])
def test_a_reply_that_is_none_is_a_problem_of_the_document(
    kind: str, failing: str, words: str, room: Room, settings: Settings, tmp_path: Path, embedded: EmbeddedModel
) -> None:
    """The file is read, the problem is told, and the picture isn't asked for again: it would be the same again."""
    folder = tmp_path / "in"
    folder.mkdir()
    pdf(folder / "report.pdf", "teal")
    with looking(kind, embedded) as (room.describer, server):
        server.failing = failing
        if isinstance(server, OpenAIServer):
            server.deltas = [] if failing == "empty" else ["and"]
        else:
            server.says = []
        assert not room.ingest(folder).failed
        before = len(asked(server))
        (document,) = room.catalog.documents()
        assert document.state == "ready"
        assert any(words in problem and "page 2" in problem for problem in document.problems)
        assert room.ingest(folder).unchanged == 1 and len(asked(server)) == before == 1


def test_what_was_missing_is_described_the_next_time(room: Room, tmp_path: Path) -> None:
    """While the server is away the file is read without; the next ingest asks for what is missing, and for nothing else."""
    folder = tmp_path / "in"
    folder.mkdir()
    pdf(folder / "report.pdf", "teal", "red", "blue", "green")
    away = NotDescribed("No server answers.", again=True)
    room.describer = first = Scripted("One.", away, away)
    assert not room.ingest(folder).failed
    assert len(first.pictures) == 1 + FAILURES
    (document,) = room.catalog.documents()
    assert any(
        "3 pictures (pages 3, 4, 5)" in problem and "No server answers" in problem for problem in document.problems
    )
    room.describer = second = Scripted("Two.", "Three.", "Four.")
    assert room.ingest(folder).updated == 1
    assert set(second.pictures).isdisjoint(first.pictures[:1]) and len(second.pictures) == 3
    (document,) = room.catalog.documents()
    assert document.problems == []
    assert all(said in room.catalog.text(document.document_id).text for said in ("One.", "Two.", "Three.", "Four."))
    assert room.ingest(folder).unchanged == 1


def test_a_picture_without_text_or_description_fails_until_it_is_described(room: Room, tmp_path: Path) -> None:
    """A file that is nothing but a picture is failed while its model is away, and tried again with the next ingest."""
    folder = tmp_path / "in"
    folder.mkdir()
    chart().save(folder / "chart.png")
    room.describer = Scripted(NotDescribed("No server answers.", again=True))
    (failed,) = room.ingest(folder).failed
    assert "no text that OCR" in failed.reason and "No server answers" in failed.remedy
    room.describer = Scripted(SAID)
    assert not room.ingest(folder).failed
    assert room.catalog.documents()[0].state == "ready"


def test_a_killed_worker_asks_for_nothing_twice(room: Room, tmp_path: Path) -> None:
    """What was described before the end of a worker is kept: the next one goes on behind it."""
    folder = tmp_path / "in"
    folder.mkdir()
    pdf(folder / "report.pdf", "teal", "red", "blue")
    room.describer = first = Scripted("One.", "Two.", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        room.ingest(folder)
    assert len(first.pictures) == 3
    room.describer = second = Scripted("Three.")
    room.work()
    (document,) = room.catalog.documents()
    assert document.state == "ready" and document.problems == []
    assert second.pictures == first.pictures[2:]


def test_another_model_or_none_describes_anew(room: Room, settings: Settings, tmp_path: Path) -> None:
    """A description belongs to the model that was asked for: with another one, or without, the file is read again."""
    folder = tmp_path / "in"
    folder.mkdir()
    pdf(folder / "report.pdf", "teal")
    room.describer = Scripted(SAID)
    room.ingest(folder)
    other = Scripted("A walrus.")
    other.name = "other"
    room.describer = other
    assert room.ingest(folder).updated == 1 and len(other.pictures) == 1
    room.describer = None
    assert room.ingest(folder).updated == 1
    assert rows(settings.home, "SELECT count(*) FROM descriptions") == [(0,)]
    assert rows(settings.home, "SELECT count(*) FROM hidden_spans") == [(0,)]


def test_off_by_default_and_under_the_rules_for_hosts(home: Path, embedded: EmbeddedModel) -> None:
    """Nothing is described unless a model is named; foreign hosts, cloud models and blind ones are refused before a picture
    leaves."""
    plain = {"READINGROOM_HOME": str(home)}
    assert build_describer(load_settings(plain)) is None
    assert "pictures" not in build_recipe(load_settings(plain)).fingerprint
    named = {**plain, "READINGROOM_INGEST__VISION_MODEL": "ollama:seer"}
    assert "pictures-20-seer" in build_recipe(load_settings(named)).fingerprint
    with pytest.raises(ModelError, match="not on this machine"):
        build_describer(load_settings({**named, "READINGROOM_ANSWER__OLLAMA_HOST": "http://192.0.2.7:11434"}))
    with pytest.raises(SettingsError, match="vision_model"):
        load_settings({**plain, "READINGROOM_INGEST__VISION_MODEL": "seer"})
    with serving(OllamaServer(embedded)) as server:
        for name, words in (
            ("smollm2:135m", "can't see pictures"),
            ("plain-name", "vendor"),
            ("gpt-oss:120b-cloud", "vendor"),
        ):
            with pytest.raises(NotDescribed, match=words) as caught:
                ollama_describer(Connection(server.host), name, 5).describe(b"\x89PNG")
            assert caught.value.again
        (found,) = (
            item
            for item in examine(load_settings({**named, "READINGROOM_ANSWER__OLLAMA_HOST": server.host}))
            if item.subject == "pictures"
        )
        assert found.severity == "warning" and "no model seer" in found.message
        assert asked(server) == []


def test_a_blind_model_of_another_server_gets_no_picture() -> None:
    """LM Studio, llama.cpp and Ollama's /v1 say whether a model sees; one that doesn't is refused before a picture is sent."""
    with serving(OpenAIServer(kind="lmstudio", models=["reader"])) as server:
        client = OpenAIConnection(server.host)
        with pytest.raises(NotDescribed, match="reader can't see pictures"):
            openai_describer(client, "reader", 5).describe(b"\x89PNG")
        assert asked(server) == []
        client.close()


def test_the_isolated_reader_takes_pictures_out(settings: Settings, tmp_path: Path) -> None:
    """Pictures come out of the parser's process as they would in this one, also out of a file inside another."""
    file = pdf(tmp_path / "report.pdf", "teal")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(file, "report.pdf")
    reader = build_reader(settings)
    try:
        found = reader.pictures(file, 20)
        assert found == pictures(file, "pdf", 20)
        assert reader.pictures(tmp_path / "a.zip", 20, ("report.pdf",)) == found
    finally:
        reader.close()
