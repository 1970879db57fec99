"""Jobs that go wrong: links that are read again, listings that crash workers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.settings import Settings
from tests.in_process import Room
from tests.processes import SAMPLES


@pytest.fixture
def room(settings: Settings) -> Iterator[Room]:
    with Room(settings) as opened:
        yield opened


def test_a_link_that_failed_is_read_again_within_its_folder(room: Room, tmp_path: Path) -> None:
    """A link inside an ingested folder keeps its folder when it is tried again, and the rest of the folder stays."""
    folder = tmp_path / "docs"
    folder.mkdir()
    shutil.copy(SAMPLES / "pressure-chamber-offer-corrupt.pdf", folder / "offer.pdf")
    (folder / "link.pdf").symlink_to(folder / "offer.pdf")
    (folder / "note.txt").write_text("The chamber is painted white.")
    first = {Path(file.path).name: file.reason for file in room.ingest(folder).failed}
    assert set(first) == {"link.pdf", "offer.pdf"}
    for _ in range(2):
        (job,) = room.jobs.retry()
        room.work()
        report = room.jobs.status(job).report
        assert {Path(file.path).name: file.reason for file in report.failed} == first and report.removed == 0
    shutil.copy(SAMPLES / "ferry-supply-agreement.pdf", folder / "offer.pdf")
    (job,) = room.jobs.retry()
    room.work()
    assert room.jobs.status(job).report.failed == []
    assert {item.state for item in room.catalog.documents()} == {"ready"} and len(room.catalog.documents()) == 3


def test_a_listing_that_crashes_workers_is_put_aside(room: Room, tmp_path: Path) -> None:
    """A job over which three workers died while they listed its files ends with a reason; the next job has its turn."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("The anchor weighs two tons.")
    bad = room.jobs.add("documents", [str(tmp_path / "docs")])
    good = room.jobs.add("others", [str(tmp_path / "docs")])
    for _ in range(3):
        taken = room.worker().catalog.next_job()  # and dies before it has listed anything
        assert taken is not None and taken.job_id == bad
    room.work()
    ended = room.jobs.report(bad)
    assert ended.job.stage == "done" and [file.outcome for file in ended.files] == ["failed"]
    assert "crashed 3 times" in ended.job.report.failed[0].reason and ended.job.report.failed[0].remedy
    assert room.jobs.status(good).report.added == 1
    again = room.ingest(tmp_path / "docs")
    assert (again.added, again.failed) == (1, [])


def test_a_listing_that_was_interrupted_goes_on(room: Room, tmp_path: Path) -> None:
    """Workers that are killed less often than that leave no trace in the report, and pauses do not count."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("The anchor weighs two tons.")
    job = room.jobs.add("documents", [str(tmp_path / "docs")])
    for _ in range(2):
        for _ in range(2):
            assert room.worker().catalog.next_job() is not None
        room.jobs.pause(job)
        room.jobs.resume(job)
    room.work()
    report = room.jobs.report(job)
    assert [(Path(file.path).name, file.outcome) for file in report.files] == [("a.txt", "added")]
