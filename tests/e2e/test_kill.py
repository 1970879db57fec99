"""`kill -9` at every stage of ingestion: what is there after the same command again equals an uninterrupted run."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chromadb
import psutil
import pytest
from chromadb.config import Settings as ChromaSettings

from rag.library import Library
from rag.settings import load_settings
from tests.processes import (
    COMMAND,
    PROJECT,
    SAMPLES,
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

QUESTIONS = (
    "annual maintenance fee type B",
    "who voted against the purchase",
    "interest on late invoices",
    "Lyngen delivery",
)
CATALOG = {
    "documents": "SELECT document_id, collection, path, state, version, reason FROM documents ORDER BY 1",
    "versions": "SELECT document_id, version, source_sha256, text FROM versions ORDER BY 1, 2",
    "pages": "SELECT document_id, version, number, runs FROM pages ORDER BY 1, 2, 3",
    "chunks": "SELECT chunk_id, start, end, page, context, text, text_hash FROM chunks ORDER BY 1",
    "hashes": "SELECT text_hash, embedder, length(vector) FROM embeddings ORDER BY 1",
    "words": "SELECT count(*) FROM chunk_words WHERE chunk_words MATCH 'the'",
    "retired": "SELECT count(*) FROM retired",
}


@dataclass(frozen=True)
class Contents:
    """What a home folder holds, in comparable form."""

    catalog: dict[str, list[tuple[Any, ...]]]
    ids_in_chroma: list[str]
    hits: list[list[tuple[str, int, int, float]]]


def contents(home: Path) -> Contents:
    """Return what a home folder holds; nobody may have it open."""
    with Library(load_settings(environment(home)), "tests") as room:
        found = [room.search(question).hits for question in QUESTIONS]
    hits = [[(hit.document_id, hit.start, hit.end, hit.score) for hit in best] for best in found]
    catalog = {name: rows(home, query) for name, query in CATALOG.items()}
    assert rows(home, "PRAGMA integrity_check") == [("ok",)]
    assert rows(home, "PRAGMA foreign_key_check") == []
    client = chromadb.PersistentClient(str(home / "chroma"), ChromaSettings(anonymized_telemetry=False))
    (collection,) = client.list_collections()
    ids = sorted(collection.get(include=[])["ids"])
    client.close()
    assert ids == [row[0] for row in catalog["chunks"]]
    return Contents(catalog, ids, hits)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples in enough copies, each with words of its own, that every stage takes a while; one file can't be read."""
    place = tmp_path_factory.mktemp("kill") / "docs"
    place.mkdir()
    for name in ("ferry-supply-agreement.pdf", "pressure-chamber-offer-corrupt.pdf", "board-minutes-2025-09.md"):
        (place / name).write_bytes((SAMPLES / name).read_bytes())
    minutes = (SAMPLES / "board-minutes-2025-09.md").read_text()
    for number in range(12):
        (place / f"copy-{number:02}.md").write_text(minutes.replace("NOK", f"NOK {number} and"))
    return place


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Contents:
    """What an ingest gives that nobody disturbs."""
    home = tmp_path_factory.mktemp("calm") / "home"
    assert run_command(home, "ingest", folder, "--json").code == 3  # the corrupt file
    return contents(home)


def stage_is(home: Path, stage: str) -> bool:
    return rows(home, f"SELECT 1 FROM jobs WHERE stage = '{stage}'") != []


def read_some(home: Path) -> bool:
    return rows(home, "SELECT count(*) FROM versions")[:1] > [(2,)]


def embedded_some(home: Path) -> bool:
    return rows(home, "SELECT count(*) FROM embeddings")[:1] > [(0,)]


STAGES: dict[str, Callable[[Path], bool]] = {
    "listed": lambda home: stage_is(home, "reading"),
    "reading": read_some,
    "embedding": lambda home: stage_is(home, "embedding"),
    "embedded": embedded_some,
    "publishing": lambda home: stage_is(home, "publishing") or stage_is(home, "done"),
}


def start_ingest(home: Path, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [COMMAND, "ingest", str(folder), "--json"], env=environment(home), cwd=PROJECT,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_killed_command_finishes_when_run_again(stage: str, home: Path, folder: Path, uninterrupted: Contents) -> None:
    """When the command is killed at a stage, its processes end, and the same command again completes the work."""
    process = start_ingest(home, folder)
    wait_for(lambda: STAGES[stage](home), stage, pause=0.005)
    started = below(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: not alive(started), "the worker and its readers to end", seconds=30)
    assert run_command(home, "ingest", folder, "--json").code == 3
    assert contents(home) == uninterrupted


@pytest.mark.parametrize("stage", ["reading", "embedding"])
def test_killed_worker_is_started_again(stage: str, home: Path, folder: Path, uninterrupted: Contents) -> None:
    """When the worker is killed at a stage, the running command starts another one and ends as if nothing had happened."""
    process = start_ingest(home, folder)
    wait_for(lambda: STAGES[stage](home), stage, pause=0.005)
    (worker,) = [child for child in below(process.pid) if role_of(child) == "worker"]
    worker.kill()
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 3 and b'"added": 14' in out
    assert contents(home) == uninterrupted


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
    assert states == [("failed", 1), ("ready", 14)]


@pytest.mark.parametrize("stage", ["embedding", "publishing"])
def test_killed_api_goes_on_after_a_start(
    stage: str, home: Path, folder: Path, tmp_path: Path, uninterrupted: Contents
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
    assert contents(home) == uninterrupted


def test_supervised_processes_are_killed_in_turn(
    home: Path, folder: Path, tmp_path: Path, uninterrupted: Contents
) -> None:
    """Under `serve`, worker and API are killed while a job runs; both come back, and the job is finished."""
    with serving(home, tmp_path / "log", READINGROOM_INGEST__ROOTS=str(folder.parent)) as server:
        job = server.post("/v1/ingest", json={"paths": [str(folder)]}).json()["job_id"]
        for role, stage in (("worker", "reading"), ("api", "embedding")):
            wait_for(lambda stage=stage: STAGES[stage](home), stage, pause=0.005)
            (victim,) = [child for child in below(server.process.pid) if role_of(child) == role]
            victim.kill()
        wait_for(lambda: stage_is(home, "done"), f"job {job} to be done", seconds=180)
    assert contents(home) == uninterrupted
