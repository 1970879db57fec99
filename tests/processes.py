"""Starts the installed `readingroom` command and our processes as a person would, with a home folder of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil

PROJECT = Path(__file__).resolve().parents[1]
SAMPLES = PROJECT / "samples" / "documents"
COMMAND = str(Path(sys.executable).with_name("readingroom"))
KEPT = ("READINGROOM_MODELS__FOLDER",)


class Result(NamedTuple):
    """What a command did."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.stdout)


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment for a home folder: answers without a language model, unless `more` says otherwise."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("READINGROOM_") or key in KEPT}
    ours = {"READINGROOM_HOME": str(home), "READINGROOM_ANSWER__MODEL": "none", "READINGROOM_ANSWER__OLLAMA_MODEL": ""}
    return {**plain, **ours, "COLUMNS": "200", **more}


def run_command(
    home: Path, *arguments: str | Path, cwd: Path = PROJECT, prefix: tuple[str, ...] = (), **more: str
) -> Result:
    """Run `readingroom` with arguments and further environment variables, below `prefix`; return what it did."""
    command = [*prefix, COMMAND, *(str(argument) for argument in arguments)]
    done = subprocess.run(
        command, env=environment(home, **more), cwd=cwd, capture_output=True, stdin=subprocess.DEVNULL, timeout=300
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def free_port() -> int:
    """Return a port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 90, pause: float = 0.05) -> Any:
    """Return the first true value of `condition`; fail naming `what` when it stays false."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(pause)
    raise AssertionError(f"waited {seconds} s in vain for: {what}")


def below(pid: int) -> list[psutil.Process]:
    """Return the processes that `pid` and its children started, itself left out."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def role_of(process: psutil.Process) -> str:
    """Return api, worker, ui, reader or model for one of our processes, else nothing."""
    try:
        line = process.cmdline()
    except psutil.Error:
        return ""
    return line[line.index("rag.process") + 1] if "rag.process" in line[:-1] else ""


def alive(processes: list[psutil.Process]) -> list[str]:
    """Return the command lines of those processes that still run."""
    found = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on a home's catalog, read beside whoever writes to it; empty while there is none."""
    catalog = home / "catalog.sqlite"
    if not catalog.exists():
        return []
    connection = sqlite3.connect(f"file:{catalog}?mode=ro", uri=True, timeout=5)
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError:  # the tables are not made yet
        return []
    finally:
        connection.close()


@dataclass
class Server:
    """A running server: its address, its home folder, its log, the process that we started, and the worker beside it."""

    url: str
    ui_url: str
    home: Path
    log: Path
    process: subprocess.Popen[bytes]
    worker: subprocess.Popen[bytes] | None = None

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=60, trust_env=False, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return httpx.post(self.url + path, timeout=120, trust_env=False, **options)

    def delete(self, path: str) -> httpx.Response:
        return httpx.delete(self.url + path, timeout=60, trust_env=False)

    def finish(self, job_id: str) -> dict[str, Any]:
        """Return a job's status when it is done."""

        def done() -> dict[str, Any] | None:
            status: dict[str, Any] = self.get(f"/v1/jobs/{job_id}").json()
            return status if status["stage"] in ("done", "cancelled") else None

        found: dict[str, Any] = wait_for(done, f"job {job_id}", seconds=180, pause=0.2)
        return found


@contextmanager
def serving(home: Path, log: Path, *options: str, **more: str) -> Iterator[Server]:
    """Run `readingroom serve` with all its processes while the block runs."""
    command = [COMMAND, "serve", "--json", *options]
    ports = {"READINGROOM_SERVER__PORT": str(free_port()), "READINGROOM_SERVER__UI_PORT": str(free_port())}
    with open(log, "ab") as file:
        process = subprocess.Popen(
            command,
            env=environment(home, **ports, **more),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=file,
            stdin=subprocess.DEVNULL,
        )
    assert process.stdout is not None
    started = [psutil.Process(process.pid)]
    try:
        line = process.stdout.readline()  # ends with the process when it does not start
        assert line, f"serve did not start:\n{log.read_text()}"
        started += below(process.pid)
        urls = json.loads(line)
        yield Server(urls["api"], urls["ui"], home, log, process)
    finally:
        started += below(process.pid)
        _end(process)
        for left in started:
            if alive([left]):
                left.kill()
        process.stdout.close()


@contextmanager
def api_and_worker(home: Path, log: Path, **more: str) -> Iterator[Server]:
    """Run the two processes of a server that answer and ingest, without supervisor and page."""
    port = free_port()
    env = environment(home, READINGROOM_SERVER__PORT=str(port), **more)
    running = []
    try:
        with open(log, "ab") as file:
            for role in ("api", "worker"):
                command = [sys.executable, "-m", "rag.process", role]
                running.append(
                    subprocess.Popen(command, env=env, cwd=PROJECT, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
                )
        server = Server(f"http://127.0.0.1:{port}", "", home, log, *running)
        wait_for(lambda: _answers(server), f"the API to listen; its log: {log}")
        yield server
    finally:
        for process in reversed(running):
            _end(process)


def _answers(server: Server) -> bool:
    assert server.process.poll() is None, f"the API ended:\n{server.log.read_text()}"
    try:
        return server.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
