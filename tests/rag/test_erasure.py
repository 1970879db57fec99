"""Verified erasure: a marker in every format, searched, asked for, shown, and gone without a trace."""

from __future__ import annotations

import email.message
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen import canvas

from rag.library import Library
from rag.settings import Settings

MARKER = "Vandrelarkspur"
SENTENCE = f"The {MARKER} protocol is signed in Reykholt on the third of May."


def _text(path: Path) -> None:
    path.write_text(SENTENCE + "\n")


def _docx(path: Path) -> None:
    document = docx.Document()
    document.add_paragraph(SENTENCE)
    document.save(str(path))


def _xlsx(path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["What", "Where"])
    book.active.append([SENTENCE, "Reykholt"])
    book.save(path)


def _pptx(path: Path) -> None:
    deck = pptx.Presentation()
    deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = SENTENCE
    deck.save(str(path))


def _pdf(path: Path) -> None:
    page = canvas.Canvas(str(path))
    page.drawString(72, 700, SENTENCE)
    page.save()


def _mail(path: Path) -> None:
    message = email.message.EmailMessage()
    message["Subject"], message["From"], message["To"] = f"About {MARKER}", "a@example.org", "b@example.org"
    message.set_content(SENTENCE)
    message.add_attachment(SENTENCE, filename="attached.txt")
    path.write_bytes(message.as_bytes())


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner.txt", SENTENCE)


def _tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        data = SENTENCE.encode()
        entry = tarfile.TarInfo("packed.txt")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))


def _picture(path: Path) -> None:
    image = Image.new("RGB", (1500, 200), "white")
    ImageDraw.Draw(image).text((40, 60), SENTENCE, "black", ImageFont.load_default(40))
    image.save(path)


def _html(path: Path) -> None:
    path.write_text(f"<html><head><title>{MARKER}</title></head><body><h1>Protocol</h1><p>{SENTENCE}</p></body></html>")


def _json(path: Path) -> None:
    path.write_text(json.dumps({"protocol": SENTENCE}))


MAKERS: dict[str, Callable[[Path], None]] = {
    "note.txt": _text, "note.md": _text, "table.csv": lambda path: path.write_text(f"what,where\n{SENTENCE},x\n"),
    "page.html": _html, "data.json": _json, "letter.docx": _docx, "sheet.xlsx": _xlsx, "slides.pptx": _pptx,
    "paper.pdf": _pdf, "mail.eml": _mail, "archive.zip": _zip, "archive.tar.gz": _tar, "scan.png": _picture,
    "old.rtf": lambda path: path.write_text(r"{\rtf1\ansi " + SENTENCE + "}"),
}  # fmt: skip


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """A folder with the marker in a file of every format, and a document without it."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, make in MAKERS.items():
        make(folder / name)
    (folder / "innocent.txt").write_text("The lighthouse keeper feeds the gulls every morning.\n")
    return folder


def traces(home: Path) -> list[str]:
    """Return the files below `home` that hold the marker, or the stem that a keyword index makes of it, in any case."""
    wanted = MARKER[1:-4].lower()
    needles = [wanted.encode(), wanted.encode("utf-16-le")]
    files = [file for file in home.rglob("*") if file.is_file()]
    return [file.name for file in files if any(needle in file.read_bytes().lower() for needle in needles)]


@pytest.mark.parametrize("how", ["forget", "delete"])
def test_nothing_is_left(settings: Settings, marked: Path, how: str) -> None:
    """A marker in every format is found, cited and shown; forgotten, or deleted and ingested again, 0 bytes are left."""
    with Library(settings, "tests") as room:
        report = room.ingest([marked], "documents")
        assert report.failed == []
        places = [place for hit in room.search(f"{MARKER} protocol", limit=50).hits for place in (hit, *hit.also)]
        found = {place.path.removeprefix(f"{marked}/") for place in places}
        holders = {name for name in MAKERS if not name.startswith("archive")}
        inside = {"mail.eml » attached.txt", "archive.zip » inner.txt"}
        assert found >= holders | inside, holders | inside - found
        assert room.ask(f"Where is the {MARKER} protocol signed?").citations
        shown = next(item for item in room.documents() if item.path.endswith("paper.pdf"))
        assert room.page_image(shown.document_id, 1, [(4, 18)], 60).startswith(b"\x89PNG")
        assert traces(settings.home)
        if how == "forget":
            receipt = room.forget([str(marked / name) for name in MAKERS])
            assert receipt.traces == [] and receipt.samples and receipt.vectors and receipt.answers == 1
        else:
            for name in MAKERS:
                (marked / name).unlink()
            room.ingest([marked], "documents")
        assert [Path(item.path).name for item in room.documents()] == ["innocent.txt"]
        assert traces(settings.home) == []
        assert room.search("lighthouse").hits
    assert traces(settings.home) == []


def test_the_receipt_is_honest(settings: Settings, tmp_path: Path) -> None:
    """What a document shares with another is not looked for; what is left somewhere in the home is named."""
    (tmp_path / "a.txt").write_text(SENTENCE + "\n")
    (tmp_path / "b.txt").write_text(SENTENCE + "\n")
    with Library(settings, "tests") as room:
        room.ingest([tmp_path / "a.txt", tmp_path / "b.txt"], "documents")
        receipt = room.forget([str(tmp_path / "a.txt")])
        assert receipt.samples == 0 and receipt.vectors == 0 and receipt.traces == []
        (settings.home / "copy-of-somebody.txt").write_text(SENTENCE)
        receipt = room.forget([str(tmp_path / "b.txt")])
        assert receipt.samples and receipt.traces == ["copy-of-somebody.txt"]
