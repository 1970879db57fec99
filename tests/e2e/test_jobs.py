"""Ingest jobs as a person steers them: pause, resume, cancel, retry, report and watch, through API and command line."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.processes import (
    COMMAND,
    PROJECT,
    SAMPLES,
    Server,
    alive,
    api_and_worker,
    below,
    environment,
    role_of,
    rows,
    run_command,
    wait_for,
)

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough texts that embedding takes some seconds, and a file that can't be read."""
    place = tmp_path_factory.mktemp("jobs") / "docs"
    place.mkdir()
    minutes = (SAMPLES / "board-minutes-2025-09.md").read_text()
    for number in range(40):
        (place / f"copy-{number:02}.md").write_text(minutes.replace("NOK", f"NOK {number} and"))
    (place / "offer.pdf").write_bytes((SAMPLES / "pressure-chamber-offer-corrupt.pdf").read_bytes())
    return place


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("jobs-server")
    roots = {"READINGROOM_INGEST__ROOTS": str(folder.parent)}
    with api_and_worker(place / "home", place / "log", **roots) as running:
        yield running


def test_pause_resume_report_and_retry(server: Server, folder: Path) -> None:
    """A job is paused while it runs and stays as it is; resumed it ends; its report has every file, as JSON and CSV."""
    job = server.post("/v1/ingest", json={"paths": [str(folder)]}).json()["job_id"]
    wait_for(lambda: server.get(f"/v1/jobs/{job}").json()["texts_embedded"], "the first vectors", pause=0.02)
    assert server.post(f"/v1/jobs/{job}/pause").json()["stage"] == "paused"
    time.sleep(1.5)  # the batch that was under way is dropped or done
    before = server.get(f"/v1/jobs/{job}").json()
    time.sleep(1.5)
    after = server.get(f"/v1/jobs/{job}").json()
    assert before["stage"] == "paused" and before["texts_embedded"] == after["texts_embedded"] < after["texts"]
    assert server.post("/v1/search", json={"question": "board minutes NOK 17"}).json()["hits"]  # found by words already
    assert run_command(server.home, "pause", job).code == 0  # twice does no harm
    done = run_command(server.home, "resume", job, "--json")
    assert done.code == 3 and done.json["added"] == 40  # the corrupt file failed
    report = server.get(f"/v1/jobs/{job}/report").json()
    assert len(report["files"]) == 41 and report["job"]["stage"] == "done"
    bad = next(file for file in report["files"] if file["outcome"] == "failed")
    assert bad["path"].endswith("offer.pdf") and bad["problems"]
    assert all(file["tokens_beyond_embedder"] == 0 for file in report["files"])
    table = server.get("/v1/jobs/newest/report", params={"format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(table.text)))
    assert len(lines) == 41 and {line["outcome"] for line in lines} == {"added", "failed"}
    assert run_command(server.home, "report", "--csv").stdout == table.text
    assert "offer.pdf" in run_command(server.home, "report", job).stdout
    again = run_command(server.home, "retry", "--json")
    assert again.code == 3 and [file["path"] for file in again.json[0]["failed"]] == [bad["path"]]
    listed = run_command(server.home, "jobs", "--json").json
    assert [item["stage"] for item in listed] == ["done", "done"] and listed[-1]["job_id"] == job
    assert server.post(f"/v1/jobs/{job}/cancel").status_code == 422
    assert server.post("/v1/jobs/none/cancel").status_code == 404


def _others(folder: Path) -> Path:
    """Return a folder beside another, with its Markdown in a wording that was never embedded."""
    place = Path(tempfile.mkdtemp(dir=folder.parent))
    for file in folder.glob("*.md"):
        (place / file.name).write_text(file.read_text().replace("NOK", place.name))
    return place


def test_events_carry_the_progress(server: Server, folder: Path) -> None:
    """The stream of a job's events tells stage, files, texts, rate and time left, and ends with `done`."""
    place = _others(folder)
    assert server.worker is not None
    job = server.post("/v1/ingest", json={"paths": [str(place)], "collection": "more"}).json()["job_id"]
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(lambda: server.get(f"/v1/jobs/{job}/events").text)
        with _held(
            server.worker.pid, server.home, "jobs WHERE stage = 'embedding' AND texts_embedded BETWEEN 1 AND texts - 1"
        ):
            time.sleep(1.5)  # long enough for a rate, and for an event that has it
        events = stream.result().split("\n\n")
    told = [json.loads(event.partition("data: ")[2]) for event in events if event]
    assert events[-2].startswith("event: done") and told[-1]["stage"] == "done"
    assert any(item["stage"] == "embedding" and item["seconds_left"] is not None for item in told)
    assert [item["files_done"] for item in told] == sorted(item["files_done"] for item in told)


def test_cancel_keeps_what_was_read(server: Server, folder: Path) -> None:
    """A job cancelled while it embeds leaves its texts found by keyword; the next ingest completes them."""
    place = _others(folder)
    body = {"paths": [str(place)], "collection": place.name}
    job = server.post("/v1/ingest", json=body).json()["job_id"]
    wait_for(lambda: server.get(f"/v1/jobs/{job}").json()["texts_embedded"], "the first vectors", pause=0.02)
    assert server.post(f"/v1/jobs/{job}/cancel").json()["stage"] == "cancelled"
    states = {item["state"] for item in server.get("/v1/documents", params={"collection": place.name}).json()}
    assert "searchable" in states and states <= {"searchable", "ready"}
    status = server.finish(server.post("/v1/ingest", json=body).json()["job_id"])
    assert status["report"]["unchanged"] == 40
    states = {item["state"] for item in server.get("/v1/documents", params={"collection": place.name}).json()}
    assert states == {"ready"}


def test_watch_follows_and_ends(home: Path, tmp_path: Path) -> None:
    """`ingest --watch` picks up a new file and a deleted one, and ends within seconds of SIGTERM."""
    place = tmp_path / "docs"
    place.mkdir()
    (place / "a.txt").write_text("The anchor weighs two tons.")
    process = subprocess.Popen(
        [COMMAND, "ingest", str(place), "--watch", "--json"], env=environment(home), cwd=PROJECT,
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None

    def names() -> set[str]:
        return {Path(path).name for (path,) in rows(home, "SELECT path FROM documents WHERE state = 'ready'")}

    try:
        assert json.loads(process.stdout.readline())["added"] == 1
        (place / "b.txt").write_text("The buoy is green.")
        wait_for(lambda: names() == {"a.txt", "b.txt"}, "the new file")
        (place / "a.txt").unlink()
        wait_for(lambda: names() == {"b.txt"}, "the deleted file")
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_jobs_are_steered_from_a_second_terminal(home: Path, folder: Path) -> None:
    """While `ingest` runs without a server, other commands list its job, report on it, pause it and cancel it."""

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [COMMAND, "ingest", str(folder), "--json"], env=environment(home), cwd=PROJECT,
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    process = start()
    try:
        with _worker_held(process, home, "embeddings"):
            (job,) = run_command(home, "jobs", "--json").json
            report = run_command(home, "report", "--json")
            assert report.code == 0 and len(report.json["files"]) == 41
            paused = run_command(home, "pause", job["job_id"], "--json")
            assert paused.code == 0 and paused.json["stage"] == "paused"
        process.communicate(timeout=30)  # the command ends with its job
        process = start()
        with _worker_held(process, home, "jobs WHERE stage = 'embedding' AND NOT paused"):
            running = [item for item in run_command(home, "jobs", "--json").json if item["stage"] == "embedding"]
            cancelled = [run_command(home, "cancel", item["job_id"], "--json") for item in running]
            assert cancelled and all(item.code == 0 and item.json["stage"] == "cancelled" for item in cancelled)
        process.communicate(timeout=30)
        assert {item["stage"] for item in run_command(home, "jobs", "--json").json} <= {"cancelled", "paused"}
        done = run_command(home, "ingest", folder, "--json")
        assert done.code == 3  # as ever, one file can't be read
        assert rows(home, "SELECT count(*) FROM documents WHERE state = 'ready'") == [(40,)]
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _worker_held(process: subprocess.Popen[bytes], home: Path, reached: str) -> Iterator[None]:
    """Stop a command's worker, the moment that some rows are there, until the block is done."""

    (worker,) = wait_for(
        lambda: [item for item in below(process.pid) if role_of(item) == "worker"], "a worker", pause=0.01
    )
    with _held(worker.pid, home, reached):
        yield


@contextmanager
def _held(worker: int, home: Path, reached: str) -> Iterator[None]:
    """Stop a worker, the moment that some rows are there, until the block is done."""
    wait_for(lambda: rows(home, f"SELECT 1 FROM {reached} LIMIT 1"), reached, pause=0.01)
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def test_a_stop_takes_effect_within_seconds(home: Path, folder: Path) -> None:
    """Told to stop in the middle of reading or embedding, the command and its worker end soon, and nothing is half done."""
    for reached in ("versions", "embeddings"):
        process = subprocess.Popen(
            [COMMAND, "ingest", str(folder), "--json"], env=environment(home), cwd=PROJECT,
            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(lambda table=reached: rows(home, f"SELECT 1 FROM {table} LIMIT 1"), reached, pause=0.01)
        started: list[psutil.Process] = below(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(15)
        wait_for(lambda started=started: not alive(started), "worker and readers to end", seconds=15)
        assert rows(home, "PRAGMA integrity_check") == [("ok",)]
    done: Any = run_command(home, "ingest", folder, "--json")
    assert done.code == 3 and rows(home, "SELECT count(*) FROM documents WHERE state = 'ready'") == [(40,)]


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(home: Path, folder: Path) -> None:
    """Ctrl-C on an ingest ends it with 130 and a line that is true: what was read is kept, the same command goes on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # else ignored in the background
    try:
        process = subprocess.Popen(
            [COMMAND, "ingest", str(folder), "--json"], env=environment(home), cwd=PROJECT, start_new_session=True,
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    wait_for(lambda: rows(home, "SELECT 1 FROM versions LIMIT 1"), "a version", pause=0.01)
    os.killpg(process.pid, signal.SIGINT)
    said, problem = process.communicate(timeout=30)
    assert process.returncode == 130 and said == ""
    assert problem.splitlines()[-1] == "Stopped. What was finished is kept. Run the same command again to go on."
    assert "Traceback" not in problem
    kept = rows(home, "SELECT document_id, created FROM versions")
    assert kept
    assert run_command(home, "ingest", folder, "--json").code == 3  # one file of the folder is damaged
    assert rows(home, "SELECT count(*) FROM documents WHERE state = 'ready'") == [(40,)]
    assert set(kept) <= set(rows(home, "SELECT document_id, created FROM versions"))
