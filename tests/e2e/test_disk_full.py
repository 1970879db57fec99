"""A full disk, as a small file system in memory: a clear message, nothing lost, and the same command goes on later."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import SAMPLES, rows, run_command

pytestmark = pytest.mark.e2e

SIZE_MB = 12


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"a small file system can't be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def plenty(tmp_path: Path) -> Path:
    """A folder whose text and vectors take more than the disk has."""
    folder = tmp_path / "plenty"
    folder.mkdir()
    minutes = (SAMPLES / "board-minutes-2025-09.md").read_text()
    words = minutes.split()
    for number in range(30):  # every copy in an order of its own: new words for the index, new text for the vectors
        turned = [word + (f"{number}x" if place % 3 == 0 else "") for place, word in enumerate(words)]
        text = "\n\n".join(" ".join(turned[at : at + 120]) for at in range(0, len(turned), 120))
        (folder / f"minutes-{number:02}.md").write_text(text)
    return folder


def fill(disk: Path, left_kb: int) -> Path:
    """Fill the disk up to some free space with a file that is in the way; return it."""
    ballast = disk / "ballast"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    ballast.write_bytes(b"\0" * max(0, free - left_kb * 1024))
    return ballast


def test_ingest_on_a_full_disk(disk: Path, plenty: Path, tmp_path: Path) -> None:
    """What doesn't fit ends with exit code 1 and the reason; what was there still answers; with space it is finished."""
    home = disk / "home"
    first = tmp_path / "first"
    first.mkdir()
    (first / "tower.txt").write_text("The tower clock is wound every Monday by the verger.\n")
    assert run_command(home, "ingest", first, "--json").code == 0
    ballast = fill(disk, left_kb=900)

    done = run_command(home, "ingest", plenty, "--json")
    assert done.code == 1 and done.stdout == "", done.stderr
    assert "Traceback" not in done.stderr
    assert str(home) in done.stderr and "can't be written" in done.stderr and "space" in done.stderr

    ballast.unlink()
    fill(disk, left_kb=300)  # still full for an ingest, enough for a question
    found = run_command(home, "search", "Who winds the tower clock?", "--json")
    assert found.code == 0, found.stderr
    assert found.json["hits"][0]["text"] == "The tower clock is wound every Monday by the verger."
    assert rows(home, "PRAGMA integrity_check") == [("ok",)]

    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
    again = run_command(home, "ingest", plenty, "--json")
    assert again.code == 0, again.stderr
    documents = run_command(home, "documents", "--json").json
    assert len(documents) == 31 and {item["state"] for item in documents} == {"ready"}
    assert run_command(home, "rebuild", "--json").json["vectors"] == sum(item["chunks"] for item in documents)


def test_home_on_a_disk_without_any_space(disk: Path) -> None:
    """Where not even an empty home fits, the folder and the reason are named, and nothing is half made."""
    fill(disk, left_kb=0)
    done = run_command(disk / "home", "status")
    assert done.code == 1 and "Traceback" not in done.stderr
    assert str(disk / "home") in done.stderr and "No space left on device" in done.stderr
    assert "READINGROOM_HOME" in done.stderr


def test_a_home_that_became_read_only(disk: Path) -> None:
    """Every command on a home that can't be written ends with the folder and the reason; `doctor` names it among the rest."""
    home = disk / "home"
    assert run_command(home, "status").code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for command in (["ingest", str(SAMPLES)], ["search", "anything"], ["serve", "--port", "8799"]):
        done = run_command(home, *command)
        assert done.code == 1 and f"{home} can't be written: Read-only file system" in done.stderr, done.stderr
    done = run_command(home, "doctor", "--json")
    assert done.code == 1 and "Traceback" not in done.stderr, done.stderr
    assert any(item["severity"] == "error" and "Read-only file system" in item["message"] for item in done.json)
