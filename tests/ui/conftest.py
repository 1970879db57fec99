"""A real server for the tests of the page: three processes, a home folder of its own, no language model."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ui.client import Api

SAMPLES = Path(__file__).parents[2] / "samples" / "documents"
HOSTILE_NAME = "_lantern_ *b* [x](http:__evil.example).md"
HOSTILE = (
    'The lantern keeper of Ostrava is <img src=x onerror="alert(1)"> named **Bertil** [link](http://evil.example) and '
    "![pic](http://evil.example/p.png) earns 412 crowns :red[loud] $x^2$ <script>alert(2)</script> see "
    "www.evil.example/auto now."
)


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server listens, and the folder of documents that it may ingest."""

    api_url: str
    ui_url: str
    ui_port: int
    folder: Path


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until `url` replies; fail with the log when the process ends first."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.2)
    pytest.fail(f"{url} does not reply:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`readingroom serve` over an empty home, allowed to ingest one folder."""
    folder = tmp_path_factory.mktemp("documents")
    home, log = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("log") / "serve.log"
    for name in ("ferry-supply-agreement.pdf", "board-minutes-2025-09.md", "pressure-chamber-offer-corrupt.pdf"):
        shutil.copy(SAMPLES / name, folder)
    hostile = f"# Secret lantern <img src=x onerror=alert(1)>\n\n{HOSTILE}\n"
    (folder / HOSTILE_NAME).write_text(hostile, encoding="utf-8")
    api_port, ui_port = free_port(), free_port()
    environment = {
        **os.environ,
        "READINGROOM_HOME": str(home),
        "READINGROOM_SERVER__PORT": str(api_port),
        "READINGROOM_SERVER__UI_PORT": str(ui_port),
        "READINGROOM_INGEST__ROOTS": str(folder),
        "READINGROOM_ANSWER__MODEL": "none",
        "READINGROOM_ANSWER__OLLAMA_MODEL": "",
    }
    with open(log, "wb") as out:
        command = [str(Path(sys.executable).with_name("readingroom")), "serve"]
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{api_port}/healthz", process, log)
        wait_for(f"http://127.0.0.1:{ui_port}/", process, log)
        yield Server(f"http://127.0.0.1:{api_port}", f"http://127.0.0.1:{ui_port}", ui_port, folder)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def api(server: Server) -> Iterator[Api]:
    """A client of the server, whose folder is ingested into the collection `ferry`."""
    client = Api(server.api_url)
    finish(client, client.ingest(str(server.folder), "ferry"))
    yield client
    client.close()


def finish(api: Api, job_id: str) -> None:
    """Wait until a job is finished."""
    deadline = time.monotonic() + 180
    while not api.job(job_id).finished:
        assert time.monotonic() < deadline, "the job takes too long"
        time.sleep(0.2)
