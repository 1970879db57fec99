"""`kill -9` at stages of ingestion: what is there after the same command again equals an uninterrupted run."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.kill_harness import STAGES, everything, harness, make_folder, stage_is
from tests.processes import (
    COMMAND,
    PROJECT,
    alive,
    api_and_worker,
    below,
    environment,
    role_of,
    rows,
    run_command,
    serving,
    wait_for,
)

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples in enough copies that every stage takes a while; one file can't be read, one is an archive."""
    return make_folder(tmp_path_factory.mktemp("kill") / "docs")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> dict[str, Any]:
    """What an ingest gives that nobody disturbs."""
    home = tmp_path_factory.mktemp("calm") / "home"
    assert run_command(home, "ingest", folder, "--json").code == 3  # the corrupt file
    return everything(home)


def test_many_kills(tmp_path: Path) -> None:
    """A short run of the kill harness: worker, owner or both, at stages and at random, in a command and in a server."""
    tally = harness(tmp_path, kills=6, seed=7)
    assert tally.kills >= 6 and tally.differences == []


def start_ingest(home: Path, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [COMMAND, "ingest", str(folder), "--json"], env=environment(home), cwd=PROJECT,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("stage", ["listed", "half read", "first vectors", "first published"])
def test_killed_command_finishes_when_run_again(
    stage: str, home: Path, folder: Path, uninterrupted: dict[str, Any]
) -> None:
    """When the command is killed at a stage, its processes end, and the same command again completes the work."""
    process = start_ingest(home, folder)
    wait_for(lambda: STAGES[stage](home), stage, pause=0.005)
    started = below(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: not alive(started), "the worker and its readers to end", seconds=30)
    assert run_command(home, "ingest", folder, "--json").code == 3
    assert everything(home) == uninterrupted


@pytest.mark.parametrize("stage", ["half read"])
def test_killed_worker_is_started_again(stage: str, home: Path, folder: Path, uninterrupted: dict[str, Any]) -> None:
    """When the worker is killed at a stage, the running command starts another one and ends as if nothing had happened."""
    process = start_ingest(home, folder)
    wait_for(lambda: STAGES[stage](home), stage, pause=0.005)
    (worker,) = [child for child in below(process.pid) if role_of(child) == "worker"]
    worker.kill()
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 3 and b'"added": 20' in out
    assert everything(home) == uninterrupted


def test_killed_reader_costs_at_most_its_file(home: Path, folder: Path) -> None:
    """When a parser's process is killed, at most the file it read is reported, and the same command again completes it."""
    process = start_ingest(home, folder)

    def reader() -> psutil.Process | None:
        return next((child for child in below(process.pid) if role_of(child) == "reader"), None)

    wait_for(reader, "a reader to start", pause=0.005).kill()
    process.communicate(timeout=300)
    assert process.returncode == 3
    assert run_command(home, "ingest", folder, "--json").code == 3
    states = rows(home, "SELECT state, count(*) FROM documents GROUP BY state ORDER BY state")
    assert states == [("failed", 1), ("ready", 20)]


@pytest.mark.parametrize("stage", ["first vectors"])
def test_killed_api_goes_on_after_a_start(
    stage: str, home: Path, folder: Path, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    """When the API that owns the index is killed at a stage, the next start finishes the job without being asked."""
    roots = {"READINGROOM_INGEST__ROOTS": str(folder.parent)}
    with api_and_worker(home, tmp_path / "log", **roots) as server:
        job = server.post("/v1/ingest", json={"paths": [str(folder)]}).json()["job_id"]
        wait_for(lambda: STAGES[stage](home), stage, pause=0.005)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    with api_and_worker(home, tmp_path / "log", **roots) as server:
        assert server.finish(job)["stage"] == "done"
    assert everything(home) == uninterrupted


def test_supervised_processes_are_killed_in_turn(
    home: Path, folder: Path, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    """Under `serve`, worker and API are killed while a job runs; both come back, and the job is finished."""
    with serving(home, tmp_path / "log", READINGROOM_INGEST__ROOTS=str(folder.parent)) as server:
        job = server.post("/v1/ingest", json={"paths": [str(folder)]}).json()["job_id"]
        for role, stage in (("worker", "half read"), ("api", "first vectors")):
            wait_for(lambda stage=stage: STAGES[stage](home), stage, pause=0.005)
            (victim,) = [child for child in below(server.process.pid) if role_of(child) == role]
            victim.kill()
        wait_for(lambda: stage_is(home, "done"), f"job {job} to be done", seconds=180)
    assert everything(home) == uninterrupted
