"""Keeping up with a folder: moves, copies, deletions, ignore files, failures, pauses, and any shuffle of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingest.elements import Reading
from ingest.ports import JobGone
from ingest.walk import walk
from rag.answers import Answers
from rag.errors import NotFound, UsageError
from rag.forget import Forgetter
from rag.home import Home
from rag.report_csv import report_csv
from rag.settings import Settings
from rag.shapes import Answer
from rag.watch import watch
from tests.in_process import DirectReader, Room, contents


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three short documents, one in a folder of its own."""
    place = tmp_path / "docs"
    (place / "deep").mkdir(parents=True)
    (place / "harbour.md").write_text("# Harbour\n\nThe pilot boat is called Teal and has two engines.\n")
    (place / "tower.txt").write_text("The tower clock is wound every Monday by the verger.\n")
    (place / "deep" / "bridge.txt").write_text("The bridge opens at high water.\n")
    return place


@pytest.fixture
def room(settings: Settings) -> Iterator[Room]:
    with Room(settings) as opened:
        yield opened


def paths(room: Room, folder: Path) -> list[str]:
    return sorted(item.path.removeprefix(f"{folder}/") for item in room.catalog.documents())


def _nest(top: Path, names: list[str], file: str) -> None:
    """Make folders in folders, and a file in the last, without ever naming a whole path: it may be longer than is allowed."""
    at = os.open(top, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    written = os.open(file, os.O_CREAT | os.O_WRONLY, dir_fd=at)
    os.write(written, b"The words at the bottom of the well.\n")
    os.close(written)
    os.close(at)


def test_folders_nested_without_end(room: Room, folder: Path) -> None:
    """A file below 1,200 folders is read; one whose path the system can't open is reported; all others are read."""
    _nest(folder, ["d"] * 1200, "well.txt")
    _nest(folder, ["n" * 240] * 20, "lost.txt")
    try:
        report = room.ingest(folder)
        (failure,) = report.failed
        assert report.added == 4
        assert "longer than the system allows" in failure.reason and "Shorten" in failure.remedy
        (hit, _), *_ = room.catalog.keyword_search(["well"], ["documents"], 5)
        assert hit
    finally:
        subprocess.run(["rm", "-rf", *folder.glob("[dn]*")], check=True)  # Python's own removal is not up to it


def test_a_renamed_file_is_not_read_again(room: Room, folder: Path) -> None:
    """A file under another name and folder is recognised by its content, reported as moved, and found there."""
    room.ingest(folder)
    read = room.reader.files
    (folder / "tower.txt").rename(folder / "deep" / "clock.txt")
    report = room.ingest(folder)
    assert (report.moved, report.added, report.removed, report.unchanged) == (1, 0, 0, 2)
    assert room.reader.files == read
    assert paths(room, folder) == ["deep/bridge.txt", "deep/clock.txt", "harbour.md"]
    (hit, _), *_ = room.catalog.keyword_search(["verger"], ["documents"], 5)
    assert hit.path.endswith("deep/clock.txt")
    assert all(item.state == "ready" for item in room.catalog.documents())


def test_answers_follow_a_moved_file(room: Room, folder: Path) -> None:
    """A stored answer that cites a file cites it under its new name after a move, and goes when that one is forgotten."""
    room.ingest(folder)
    document = next(item for item in room.catalog.documents() if item.path.endswith("tower.txt"))
    citation = {
        "n": 1, "document_id": document.document_id, "version": document.version, "path": document.path, "page": 1,
        "quote": "Monday", "start": 32, "end": 38, "boxes": [],
    }  # fmt: skip
    answer = Answer.model_validate(
        {
            "id": "a1", "question": "When?", "outcome": "answered", "answer": "Monday. [1]", "citations": [citation],
            "passages": [], "model": {"backend": "extractive", "name": "", "digest": ""}, "tokens": {}, "timings_ms": {},
        }
    )  # fmt: skip
    Answers(room.store).keep(answer)
    (folder / "tower.txt").rename(folder / "clock.txt")
    room.ingest(folder)
    with room.store.read() as connection:
        ((kept,),) = connection.exec_driver_sql("SELECT answer FROM answers").all()
    moved = next(item for item in room.catalog.documents() if item.path.endswith("clock.txt"))
    cited = json.loads(kept)["citations"][0]
    assert (cited["document_id"], cited["path"]) == (moved.document_id, moved.path)
    (folder / "clock.txt").unlink()
    room.ingest(folder)
    with room.store.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM answers").scalar() == 0


def test_touched_copied_and_same_names(room: Room, folder: Path) -> None:
    """A touched file is unchanged; a copy is a document of its own that is not read; the same name twice are two."""
    room.ingest(folder)
    read = room.reader.files
    os.utime(folder / "tower.txt", (1, 1))
    shutil.copy(folder / "tower.txt", folder / "deep" / "tower.txt")
    report = room.ingest(folder)
    assert (report.added, report.unchanged, report.updated) == (1, 3, 0)
    assert room.reader.files == read
    assert paths(room, folder) == ["deep/bridge.txt", "deep/tower.txt", "harbour.md", "tower.txt"]
    (folder / "deep" / "tower.txt").unlink()
    assert room.ingest(folder).removed == 1
    assert room.catalog.keyword_search(["verger"], ["documents"], 5)


def test_ignore_files(room: Room, folder: Path) -> None:
    """Patterns in gitignore syntax leave files out, the nearest file wins, and documents that become ignored go."""
    room.ingest(folder)
    (folder / "secret.log").write_text("nobody reads this")
    (folder / "deep" / "keep.log").write_text("this one is wanted")
    (folder / "drafts").mkdir()
    (folder / "drafts" / "idea.txt").write_text("an unfinished idea")
    (folder / "~$harbour.docx").write_bytes(b"lock")
    (folder / ".hidden.txt").write_text("hidden")
    (folder / ".readingroomignore").write_text("# comments are fine\n*.log\ndrafts/\n/tower.txt\n")
    (folder / "deep" / ".readingroomignore").write_text("!keep.log\n")
    report = room.ingest(folder)
    assert (report.added, report.removed) == (1, 1)
    assert paths(room, folder) == ["deep/bridge.txt", "deep/keep.log", "harbour.md"]


def test_failed_files_are_put_aside_until_they_change(room: Room, folder: Path) -> None:
    """A file that is refused is not opened again while it stays the same; `retry` and a change do open it."""
    bad = folder / "offer.pdf"
    bad.write_bytes(b"%PDF-1.4 nothing more")
    assert [item.path for item in room.ingest(folder).failed] == [str(bad)]
    read = room.reader.files
    again = room.ingest(folder)
    assert [item.path for item in again.failed] == [str(bad)] and again.failed[0].remedy
    assert room.reader.files == read
    (job,) = room.jobs.retry()
    room.work()
    assert room.reader.files == read + 1
    assert [item.path for item in room.jobs.status(job).report.failed] == [str(bad)]
    bad.unlink()
    assert room.ingest(folder).removed == 1
    assert paths(room, folder) == ["deep/bridge.txt", "harbour.md", "tower.txt"]
    assert room.jobs.retry() == []


class _Vanishing(DirectReader):
    """A reader that removes a file of its folder once it has read the first one."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def read(self, path: Path, inside: Sequence[str] = ()) -> Reading:
        try:
            return super().read(path, inside)
        finally:
            self.path.unlink(missing_ok=True)


@pytest.mark.parametrize("known", [False, True])
def test_what_vanishes_before_it_is_read_is_named(room: Room, folder: Path, known: bool) -> None:
    """A file that was listed and is gone when it is to be read stands in the report as gone; its document goes too."""
    vanishes = folder / "tower.txt"
    if known:
        room.ingest(folder)
        for path in (folder / "deep" / "bridge.txt", vanishes):
            path.write_text(path.read_text() + "Seen again in June.\n")
    room.reader = _Vanishing(vanishes)
    job = room.jobs.add("documents", [str(folder)])
    room.work()
    assert paths(room, folder) == ["deep/bridge.txt", "harbour.md"]
    found = room.jobs.report(job)
    assert (found.job.stage, found.job.files, found.job.files_done) == ("done", 3, 3)
    report = found.job.report
    assert (report.gone, report.failed, report.removed) == ([str(vanishes)], [], int(known))
    (line,) = [file for file in found.files if file.path == str(vanishes)]
    assert (line.outcome, line.state) == ("gone", "forgotten") and "vanished" in line.problems[0]
    assert f"{vanishes},gone," in report_csv(found)
    assert room.jobs.retry() == []
    Forgetter(room.store, room.catalog, Home(room.settings.home)).erase([str(folder)])
    assert [file.path for file in room.jobs.report(job).files] == []
    assert room.ingest(folder).gone == []


def test_the_name_of_what_vanished_can_be_forgotten(room: Room, folder: Path) -> None:
    """A file that vanished before it was read is no document, and its path can be forgotten all the same, by itself."""
    vanishes = folder / "tower.txt"
    room.reader = _Vanishing(vanishes)
    job = room.jobs.add("documents", [str(folder / "harbour.md"), str(vanishes)])
    room.work()
    assert room.jobs.status(job).report.gone == [str(vanishes)]
    forgetter = Forgetter(room.store, room.catalog, Home(room.settings.home))
    for name in (str(folder / "never-was.txt"), " "):
        with pytest.raises(NotFound, match="nothing was removed"):
            forgetter.erase([str(vanishes), name])
    assert room.jobs.status(job).report.gone == [str(vanishes)]
    assert forgetter.erase([str(vanishes)]).forgotten == []
    assert room.jobs.status(job).report.gone == []
    room.store.forget_traces()
    assert not [file for file in room.settings.home.rglob("*") if file.is_file() and b"tower.txt" in file.read_bytes()]
    assert paths(room, folder) == ["harbour.md"]


def test_what_vanishes_while_it_is_read_has_not_failed(room: Room, folder: Path) -> None:
    """Whatever a reader says of a file that vanished under it, the file is gone and nothing of it is kept."""
    broken = folder / "broken.pdf"
    broken.write_bytes(b"%PDF-1.4 nothing more")
    room.reader = _Vanishing(broken)
    report = room.ingest(folder)
    assert (report.gone, report.failed, report.added) == ([str(broken)], [], 3)
    assert "broken.pdf" not in paths(room, folder)


def test_what_cannot_be_listed_is_kept(room: Room, folder: Path) -> None:
    """When a folder can't be listed, it is reported and the documents below it stay."""
    room.ingest(folder)
    shutil.rmtree(folder / "deep")
    (folder / "deep").symlink_to(folder / "deep")  # a loop: neither file nor folder
    report = room.ingest(folder)
    assert [(item.path, item.reason) for item in report.failed] == [
        (str(folder / "deep"), "This is a link that leads to itself.")
    ]
    (folder / "deep").unlink()
    if os.geteuid() == 0:
        return  # root may list everything
    (folder / "deep").mkdir(mode=0)
    room.ingest(folder)
    assert "deep/bridge.txt" in paths(room, folder)


def test_nothing_is_removed_on_a_doubt(room: Room, folder: Path, tmp_path: Path) -> None:
    """A folder that is empty or gone when the worker comes to it may be a disk that is not mounted: documents stay."""
    room.ingest(folder)
    known = paths(room, folder)
    aside = tmp_path / "aside"
    folder.rename(aside)
    room.ingest(folder, allow_empty=False)
    assert paths(room, folder) == known
    room.ingest(aside, "elsewhere")  # a copy, not a move: the first collection keeps its own
    assert len(room.catalog.documents("documents")) == 3
    folder.mkdir()
    room.ingest(folder, allow_empty=False)
    assert len(room.catalog.documents("documents")) == 3
    room.ingest(folder, allow_empty=True)
    assert [item.collection for item in room.catalog.documents()] == ["elsewhere"] * 3


def test_odd_names_links_and_patterns(room: Room, folder: Path, tmp_path: Path) -> None:
    """A name that is no UTF-8, a link out of the folder, an endless link and a malformed pattern are reported, no more."""
    (tmp_path / "secret.txt").write_text("The combination is 4711.")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "inner.txt").symlink_to(folder / "tower.txt")
    (folder / "long.txt").symlink_to("x" * 300)
    with open(os.fsencode(folder) + b"/caf\xe9.txt", "wb") as file:
        file.write(b"coffee")
    (folder / "deep" / ".readingroomignore").write_text("foo\\\n")
    report = room.ingest(folder)
    assert {Path(item.path).name for item in report.failed} == {"link.txt", "long.txt", "caf\ufffd.txt", "deep"}
    assert all(item.reason and item.remedy for item in report.failed)
    assert not room.catalog.keyword_search(["4711"], ["documents"], 5)
    assert report.added == 3


def test_a_cancelled_job_leaves_the_files_of_another(room: Room, folder: Path) -> None:
    """When two jobs wait for the same files and one is cancelled, the other reads them."""
    first = room.jobs.add("documents", [str(folder)])
    worker = room.worker()
    leased = worker.catalog.next_job()
    assert leased is not None
    worker.catalog.list_files(leased, walk([folder]))
    room.jobs.pause(first)
    second = room.jobs.add("documents", [str(folder)])
    room.jobs.cancel(first)
    room.work()
    assert room.jobs.status(second).stage == "done" and room.jobs.status(second).report.added == 3


def test_a_version_that_comes_back_keeps_its_vectors(room: Room, folder: Path) -> None:
    """A file changed and changed back between two publications has its vectors in the index."""
    room.ingest(folder)
    before = (folder / "tower.txt").read_text()
    for text in ("An electric clock.\n", before):
        (folder / "tower.txt").write_text(text)
        room.jobs.add("documents", [str(folder)])
        room.worker().run(until_idle=True)
    room.publisher.run()
    room.publisher.run()
    assert room.index.count("documents") == 3
    assert all(item.state == "ready" for item in room.catalog.documents())


def test_members_of_an_archive(room: Room, folder: Path) -> None:
    """Files in an archive are documents with its path in front; only those that changed are read; all go with it."""
    archive = folder / "papers.zip"
    write_zip(archive, {"a.txt": "The anchor weighs two tons.", "b.txt": "The buoy is green.", "c.pdf": "no pdf"})
    report = room.ingest(folder)
    assert report.added == 6 and [item.path for item in report.failed] == [f"{archive} » c.pdf"]
    (hit, _), *_ = room.catalog.keyword_search(["anchor"], ["documents"], 5)
    assert hit.path == f"{archive} » a.txt"
    assert room.ingest(folder).unchanged == 6
    read = room.reader.files
    write_zip(archive, {"a.txt": "The anchor weighs two tons.", "b.txt": "The buoy is red."})
    report = room.ingest(folder)
    assert (report.updated, report.unchanged, report.removed) == (2, 4, 1) and not report.failed
    assert room.reader.files == read + 2  # the archive and b.txt
    assert paths(room, folder)[-3:] == ["papers.zip » a.txt", "papers.zip » b.txt", "tower.txt"]
    archive.rename(folder / "moved.zip")
    report = room.ingest(folder)
    assert report.moved >= 1 and room.reader.files == read + 2
    assert [path for path in paths(room, folder) if "zip" in path] == [
        "moved.zip", "moved.zip » a.txt", "moved.zip » b.txt",
    ]  # fmt: skip
    (folder / "moved.zip").unlink()
    room.ingest(folder)
    assert not [path for path in paths(room, folder) if "zip" in path]


def write_zip(path: Path, members: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)


def test_pause_resume_and_cancel(room: Room, folder: Path) -> None:
    """A paused job is left alone until it is resumed; a cancelled one keeps what was read and forgets the rest."""
    job = room.jobs.add("documents", [str(folder)])
    assert room.jobs.pause(job).stage == "paused"
    room.work()
    assert room.catalog.documents() == []
    assert room.jobs.resume(job).stage == "queued"
    worker = room.worker()
    leased = worker.catalog.next_job()
    assert leased is not None and leased.job_id == job
    worker.catalog.list_files(leased, walk([folder]))
    assert {item.state for item in room.catalog.documents()} == {"queued"}
    room.jobs.pause(job)
    with pytest.raises(JobGone):
        worker.catalog.remove_missing(leased)
    assert room.jobs.cancel(job).stage == "cancelled"
    assert room.catalog.documents() == []
    with pytest.raises(UsageError):
        room.jobs.resume(job)
    assert room.ingest(folder).added == 3


def test_a_pause_does_not_count(room: Room, folder: Path) -> None:
    """Seconds, rate and time left of a job are of the time worked: an hour's pause, or an hour without a worker, changes none."""
    job = room.jobs.add("documents", [str(folder)])
    worker = room.worker()
    leased = worker.catalog.next_job()
    assert leased is not None
    worker.catalog.list_files(leased, walk([folder]))
    worker.catalog.keep_unchanged(leased, [], "")  # renews the lease

    def hours(count: int) -> None:
        changed = ", ".join(f"{name} = {name} - {3600 * count}" for name in ("created", "started", "leased_until"))
        with room.store.write() as connection:
            connection.exec_driver_sql(f"UPDATE jobs SET {changed}")

    for stop in ("paused = 1", "owner = '999999999:1'"):
        with room.store.write() as connection:
            connection.exec_driver_sql(f"UPDATE jobs SET {stop}")
        hours(1)
        assert room.jobs.status(job).report.seconds < 60
        with room.store.write() as connection:
            connection.exec_driver_sql("UPDATE jobs SET paused = 0")
        assert worker.catalog.next_job() is not None
        assert room.jobs.status(job).report.seconds < 60
    with room.store.write() as connection:  # two of three files in ten seconds
        connection.exec_driver_sql(
            "UPDATE job_files SET outcome = 'added' WHERE path IN (SELECT path FROM job_files ORDER BY path LIMIT 2)"
        )
        connection.exec_driver_sql("UPDATE jobs SET started = started - 10")
    status = room.jobs.status(job)
    assert status.files_per_second == pytest.approx(0.2, abs=0.1) and status.seconds_left == pytest.approx(5, abs=4)
    room.jobs.pause(job)
    hours(1)
    assert room.jobs.cancel(job).report.seconds < 60


def test_the_report_names_every_file(room: Room, folder: Path) -> None:
    """The report has each file with what was extracted and indexed; nothing lies beyond the embedder; CSV is inert."""
    (folder / "offer.pdf").write_bytes(b"%PDF-1.4 nothing more")
    (folder / "=cmd.txt").write_text("A file whose name is a formula.")
    room.ingest(folder)
    report = room.jobs.report()
    found = {Path(file.path).name: file for file in report.files}
    assert set(found) == {"harbour.md", "tower.txt", "bridge.txt", "offer.pdf", "=cmd.txt"}
    good = [file for file in report.files if file.outcome == "added"]
    assert all(file.characters_extracted == file.characters_indexed > 0 for file in good) and len(good) == 4
    assert all(file.tokens_beyond_embedder == 0 for file in report.files)
    assert found["offer.pdf"].outcome == "failed" and found["offer.pdf"].problems
    lines = report_csv(report).splitlines()
    assert lines[0].startswith("path,outcome,state") and len(lines) >= 6


def test_a_lease_is_respected_and_freed(room: Room, folder: Path) -> None:
    """Two workers never have the same job; that of a worker whose process is gone is free at once."""
    room.jobs.add("documents", [str(folder)])
    first, second = room.worker(), room.worker()
    assert first.catalog.next_job() is not None
    with room.store.write() as connection:  # as if process 1 had it
        connection.exec_driver_sql("UPDATE jobs SET owner = '1:' || ?", (started(1),))
    assert second.catalog.next_job() is None
    with room.store.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET owner = '999999999:1'")
    assert second.catalog.next_job() is not None


def started(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def test_watching_ends_in_the_state_of_the_files(settings: Settings, folder: Path, tmp_path: Path) -> None:
    """Under watch, files that come, change, move and go are followed; in the end it is as if ingested afresh."""
    stop, calls = threading.Event(), []
    with Room(settings) as room:

        def again() -> None:
            room.ingest(folder)
            calls.append(time.monotonic())

        def until(condition: Any) -> None:
            for _ in range(300):
                if condition():
                    return
                time.sleep(0.1)
            raise AssertionError(f"not reached; {paths(room, folder)}")

        thread = threading.Thread(target=watch, args=([folder], again, stop))
        thread.start()
        try:
            until(lambda: len(paths(room, folder)) == 3)
            (folder / "new.txt").write_text("A lighthouse was built.")
            until(lambda: "new.txt" in paths(room, folder))
            (folder / "new.txt").write_text("A lighthouse was torn down.")
            until(lambda: room.catalog.keyword_search(["torn"], ["documents"], 5))
            (folder / "new.txt").rename(folder / "deep" / "old.txt")
            until(lambda: "deep/old.txt" in paths(room, folder) and "new.txt" not in paths(room, folder))
            shutil.rmtree(folder / "deep")
            until(lambda: paths(room, folder) == ["harbour.md", "tower.txt"])
        finally:
            stop.set()
            thread.join(20)
    assert contents(settings.home) == fresh(settings, folder, tmp_path / "fresh")


WORDS = ["anchor", "buoy", "canal", "dock", "estuary", "ferry", "gull", "harbour"]
NAMES = ["a.txt", "b.md", "c.csv", "sub/a.txt", "sub/d.txt", "sub/deep/e.md", "other/f.txt", "z.zip"]
OPERATION = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("copy"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("touch"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("move folder"), st.just("sub"), st.sampled_from(["other/sub", "moved"])),
    st.tuples(st.just("ignore"), st.sampled_from(["*.md", "sub/", "!a.txt", ""]), st.none()),
)


def apply(folder: Path, operation: tuple[str, str, Any]) -> None:
    """Do one operation, where its file is there."""
    what, name, value = operation
    path = folder / name
    if what == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "the " + " the ".join(value)
        if path.suffix == ".zip":
            write_zip(path, {"in.txt": text, "also.txt": value[0]})
        else:
            path.write_text(text)
    elif what == "delete":
        path.unlink(missing_ok=True)
    elif what in ("rename", "copy") and path.is_file() and path.suffix == Path(value).suffix:
        (folder / value).parent.mkdir(parents=True, exist_ok=True)
        if path != folder / value:
            (shutil.move if what == "rename" else shutil.copy)(path, folder / value)
    elif what == "touch" and path.is_file():
        os.utime(path)
    elif what == "move folder" and path.is_dir() and not (folder / value).exists():
        (folder / value).parent.mkdir(parents=True, exist_ok=True)
        path.rename(folder / value)
    elif what == "ignore":
        (folder / ".readingroomignore").write_text(name + "\n")


def fresh(settings: Settings, folder: Path, home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return what a home holds into which the folder was ingested once."""
    shutil.rmtree(home, ignore_errors=True)
    with Room(settings.model_copy(update={"home": home})) as room:
        room.ingest(folder)
    return contents(home)


@hypothesis_settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rounds=st.lists(st.lists(OPERATION, min_size=1, max_size=5), min_size=2, max_size=4))
def test_any_shuffle_ends_like_a_fresh_ingest(settings: Settings, tmp_path: Path, rounds: list[list[Any]]) -> None:
    """After any sequence of changes, with an ingest between some of them, the home holds what a fresh ingest gives."""
    folder, home = tmp_path / "docs", tmp_path / "followed"
    for place in (folder, home):
        shutil.rmtree(place, ignore_errors=True)
    folder.mkdir()
    with Room(settings.model_copy(update={"home": home})) as room:
        for operations in rounds:
            for operation in operations:
                apply(folder, operation)
            room.ingest(folder)
    assert contents(home) == fresh(settings, folder, tmp_path / "fresh")
