"""PDFs that were looked at and not read yet: found by keyword, never quoted, gone once they are read, forgotten or left."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from reportlab.pdfgen import canvas

from ingest import first_look
from ingest.errors import UnreadableFile
from rag.build import build_reader
from rag.filters import Filter
from rag.library import Library
from rag.settings import Settings
from rag.unread import unread, waiting
from tests.in_process import Room
from tests.processes import SAMPLES, rows

QUESTION = "Which crane lifts the dredger's spud poles?"


def made(path: Path, *pages: str) -> Path:
    """Write a PDF with a line of text on each page."""
    path.parent.mkdir(exist_ok=True)
    sheet = canvas.Canvas(str(path))
    for line in pages:
        sheet.drawString(72, 700, line)
        sheet.showPage()
    sheet.save()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two PDFs, one of them damaged, and a note."""
    made(
        tmp_path / "docs" / "dredger.pdf",
        "Plan of the yard.",
        "The crane Vandrelark lifts the spud poles of the dredger.",
    )
    shutil.copy(SAMPLES / "pressure-chamber-offer-corrupt.pdf", tmp_path / "docs" / "damaged.pdf")
    (tmp_path / "docs" / "note.txt").write_text("The canteen opens at seven.")
    return tmp_path / "docs"


def looked_at(room: Room, folder: Path) -> str:
    """Let a worker look at a folder's files and stop before it reads one; return the job's id."""
    job = room.jobs.add("documents", [str(folder)])
    worker = room.worker()
    said: list[str] = []

    def log(name: str, **_: object) -> None:
        said.append(name)
        worker.stop.set()

    replace(worker, log=log).run(until_idle=True)
    assert said == ["looked"] and room.reader.files == 0
    assert room.jobs.status(job).files_looked_at == len(list(folder.glob("*.pdf")) if folder.is_dir() else [folder])
    return job


def test_pages_are_found_before_they_are_read(settings: Settings, folder: Path) -> None:
    """What was looked at is found with its page and is no hit; once it is read it is a hit, and nothing else is kept of it."""
    with Room(settings) as room:
        job = looked_at(room, folder)
        (page, *_) = unread(room.catalog, ["crane", "spud"], [])
        assert (page.path, page.page) == (str(folder / "dredger.pdf"), 2) and "Vandrelark lifts" in page.text
        assert unread(room.catalog, ["zeppelin"], []) == []
        assert waiting(room.catalog, ["documents"]) == 3
    with Library(settings, "tests") as library:
        found = library.search(QUESTION)
        assert found.hits == [] and [item.page for item in found.unread] == [2]
        assert library.search(QUESTION, wanted=Filter(paths=("*.pdf",))).unread == []
        answer = library.ask(QUESTION)
        assert answer.outcome == "not_found" and answer.searched is not None and answer.searched.waiting == 3
        assert "Vandrelark" not in answer.model_dump_json()
    with Room(settings) as room:
        room.work()
        report = room.jobs.status(job).report
        assert (report.added, [Path(file.path).name for file in report.failed]) == (2, ["damaged.pdf"])
    with Library(settings, "tests") as library:
        found = library.search(QUESTION)
        assert found.unread == [] and "Vandrelark" in found.hits[0].text
    assert rows(settings.home, "SELECT count(*) FROM unread_pages") == [(0,)]
    assert rows(settings.home, "SELECT count(*) FROM unread_words WHERE unread_words MATCH 'crane'") == [(0,)]


def test_a_file_is_looked_at_once(settings: Settings, folder: Path) -> None:
    """A worker that goes on does not look again, and a file whose content is known is not looked at."""
    with Room(settings) as room:
        looked_at(room, folder)
        before = rows(settings.home, "SELECT id, document_id, number FROM unread_pages ORDER BY id")
        assert [row[2] for row in before] == [0, 0, 1, 2]
        worker = room.worker()

        def log(name: str, **said: object) -> None:
            assert name != "looked" or said["files"] == 0
            worker.stop.set()

        replace(worker, log=log).run(until_idle=True)
        assert rows(settings.home, "SELECT id, document_id, number FROM unread_pages ORDER BY id") == before
        room.work()
        shutil.copy(folder / "dredger.pdf", folder / "copy.pdf")
        looked_at_again = room.jobs.add("documents", [str(folder)])
        seen: list[tuple[int]] = []
        again = room.worker()
        replace(
            again,
            log=lambda name, **_: seen.extend(rows(settings.home, "SELECT number FROM unread_pages WHERE number > 0")),
        ).run(until_idle=True)
        assert seen == [] and room.jobs.status(looked_at_again).report.added == 1


def test_what_was_looked_at_is_forgotten_and_left_without_a_trace(settings: Settings, folder: Path) -> None:
    """`forget` leaves no byte of it under the home folder, and a cancelled job leaves no page."""
    other = made(folder.parent / "others" / "tug.pdf", "The tug Fossegrim tows the spud poles.")
    with Room(settings) as room:
        first = looked_at(room, folder)
        room.jobs.pause(first)
        looked_at(room, other.parent)
        room.jobs.resume(first)
    with Library(settings, "tests") as library:
        assert {Path(item.path).name for item in library.search("spud poles").unread} == {"dredger.pdf", "tug.pdf"}
        receipt = library.forget([str(folder / "dredger.pdf")])
        assert receipt.traces == [] and receipt.samples > 0 and len(receipt.forgotten) == 1
        assert [Path(item.path).name for item in library.search("spud poles").unread] == ["tug.pdf"]
    assert not any(b"Vandrelark" in file.read_bytes() for file in settings.home.rglob("*") if file.is_file())
    with Room(settings) as room:
        for job in room.jobs.unfinished():
            room.jobs.cancel(job)
        assert unread(room.catalog, ["spud"], []) == []
    assert rows(settings.home, "SELECT count(*) FROM unread_pages") == [(0,)]


def test_links_out_of_the_folder_are_not_looked_at(settings: Settings, tmp_path: Path) -> None:
    """Nor what is no file: a pipe named like a PDF would be waited for."""
    secret = made(tmp_path / "secret" / "secret.pdf", "The vault Skjoldmo is open.")
    folder = made(tmp_path / "docs" / "plan.pdf", "The yard.").parent
    (folder / "link.pdf").symlink_to(secret)
    with Room(settings) as room:
        looked_at(room, folder)
        assert unread(room.catalog, ["vault", "Skjoldmo"], []) == []
        assert unread(room.catalog, ["yard"], [])


def test_the_child_looks(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader's process gives the pages of a PDF; of a long one those for which there is time; of a damaged one none."""
    reader = build_reader(settings)
    try:
        assert [page.strip() for page in reader.look(folder / "dredger.pdf")] == [
            "Plan of the yard.",
            "The crane Vandrelark lifts the spud poles of the dredger.",
        ]
        with pytest.raises(UnreadableFile, match="damaged"):
            reader.look(folder / "damaged.pdf")
        assert reader.read(folder / "dredger.pdf").pages[1].number == 2
    finally:
        reader.close()
    monkeypatch.setattr(first_look, "SECONDS", 0.0)
    assert len(first_look.pages_of(folder / "dredger.pdf")) == 1


def test_signs_of_scripts_without_spaces_are_found(settings: Settings, tmp_path: Path) -> None:
    """Pages in Chinese are found by their words, as passages are."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont

    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    sheet = canvas.Canvas(str(tmp_path / "docs.pdf"))
    sheet.setFont("STSong-Light", 14)
    sheet.drawString(72, 700, "港口的起重机每天工作十二小时")
    sheet.save()
    with Room(settings) as room:
        looked_at(room, tmp_path / "docs.pdf")
        assert unread(room.catalog, ["起重", "重机"], [])
