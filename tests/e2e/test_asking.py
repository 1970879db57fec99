"""Several askers at one model, and askers that leave: a real server with the real small model, and the command line."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.processes import COMMAND, PROJECT, Server, alive, api_and_worker, below, environment, role_of, wait_for

pytestmark = pytest.mark.e2e

FEE = "What is the annual maintenance fee for a vessel with an equipment set of type B?"
MODEL = {"READINGROOM_ANSWER__MODEL": "small"}
PLACES = 9
"""One question is answered, and eight may wait."""
QUIET = 0.25
"""Seconds of processor time in one second that count as quiet."""


@pytest.fixture
def served(filled_home: Path, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own with the small model, not loaded yet."""
    with api_and_worker(filled_home, tmp_path / "log", **MODEL) as running:
        yield running


def model_of(pid: int) -> psutil.Process:
    """Return the model's process below a process, when it is there."""
    found = wait_for(lambda: [one for one in below(pid) if role_of(one) == "model"], "the model's process")
    return found[0]  # type: ignore[no-any-return]


def used(process: psutil.Process) -> float:
    """Return the processor time that a process has used; 0 for one that is gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def wait_for_work(process: psutil.Process, seconds: float) -> None:
    """Wait until a process has used so much processor time."""
    begin = used(process)
    wait_for(lambda: used(process) - begin > seconds, "the model to read")


def assert_quiet(process: psutil.Process) -> None:
    """The process uses no more processor time from one second after now."""
    time.sleep(1.0)
    before = used(process)
    time.sleep(1.0)
    assert used(process) - before < QUIET


def send(server: Server, question: str, accept: str) -> socket.socket:
    """Send a question and return the open connection."""
    host = urlsplit(server.url)
    body = json.dumps({"question": question}).encode()
    connection = socket.create_connection((host.hostname, host.port))
    head = f"POST /v1/ask HTTP/1.1\r\nHost: {host.netloc}\r\nAccept: {accept}\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
def test_a_client_that_hangs_up_stops_the_model(served: Server, accept: str) -> None:
    """The connection is closed while the model reads: it is quiet a second later, and no answer is kept."""
    with closing(send(served, FEE, accept)):
        model = model_of(served.process.pid)
        wait_for_work(model, 1.5)
    assert_quiet(model)
    assert served.get("/v1/answers").json() == []
    answer = served.post("/v1/ask", json={"question": FEE})
    assert answer.status_code == 200 and answer.json()["outcome"] == "answered"
    assert len(served.get("/v1/answers").json()) == 1


def test_a_full_queue_is_said_with_when_to_ask_again(served: Server) -> None:
    """The first questions of a server, all at once: those over the places get a 503 with Retry-After before anything is looked
    for, searches go on, and who leaves makes room."""
    asked = [send(served, FEE, "application/json") for _ in range(PLACES + 5)]
    head, _, body = wait_for(lambda: _refusal(asked), "a full queue", seconds=240, pause=0.2).partition("\r\n\r\n")
    headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
    assert int(headers["retry-after"]) > 0 and headers["content-type"] == "application/problem+json"
    assert f"{PLACES} questions" in json.loads(body)["detail"] and json.loads(body)["retry_after"] == int(
        headers["retry-after"]
    )
    nowhere = {"question": FEE, "collections": ["nowhere"]}
    assert served.post("/v1/ask", json=nowhere).status_code == 503  # 404 as soon as its collection is looked for
    assert served.post("/v1/search", json={"question": FEE}).json()["hits"]
    for connection in asked:
        connection.close()
    answered = wait_for(lambda: _answered(served), "room for a question")
    assert answered["outcome"] == "answered"
    assert served.post("/v1/ask", json=nowhere).status_code == 404


def _refusal(connections: list[socket.socket]) -> str | None:
    """Return the reply of the first connection that was refused; fail when one got another problem."""
    ready, _, _ = select.select(connections, [], [], 0)
    for connection in ready:
        said = connection.recv(100_000, socket.MSG_PEEK).decode()
        assert said.startswith(("HTTP/1.1 200", "HTTP/1.1 503")), said
        if said.startswith("HTTP/1.1 503") and said.rstrip().endswith("}"):
            return said
    return None


def _answered(server: Server) -> dict[str, Any] | None:
    reply = server.post("/v1/ask", json={"question": FEE})
    found: dict[str, Any] = reply.json()
    return found if reply.status_code == 200 else None


def test_two_askers_both_get_an_answer_and_the_second_sees_its_passages_first(served: Server) -> None:
    """While the first question is with the model the second gets its passages; then each gets the same answer."""
    first: list[dict[str, Any]] = []
    thread = threading.Thread(
        target=lambda: first.append(served.post("/v1/ask", json={"question": FEE}, headers={}).json())
    )
    thread.start()
    model = model_of(served.process.pid)
    wait_for_work(model, 1.0)
    request = {"json": {"question": FEE}, "headers": {"Accept": "text/event-stream"}, "timeout": 120}
    with httpx.stream("POST", f"{served.url}/v1/ask", trust_env=False, **request) as response:  # type: ignore[arg-type]
        lines = response.iter_lines()
        assert next(lines) == "event: passages"
        assert thread.is_alive(), "the first question was answered before the second had its passages"
        second = json.loads([line for line in lines if line][-1].removeprefix("data: "))
    thread.join(120)
    assert first[0]["outcome"] == second["outcome"] == "answered"
    assert first[0]["answer"] == second["answer"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Give children a SIGINT that ends them: a shell that runs the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("through", ["itself", "a server"])
def test_ctrl_c_on_the_command_line_stops_the_model(
    through: str, filled_home: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Ctrl-C goes to the whole group of the terminal: the command ends with 130, and the model is quiet a second later."""
    server: Server | None = request.getfixturevalue("served") if through == "a server" else None
    command = subprocess.Popen(
        [COMMAND, "ask", FEE],
        env=environment(filled_home, **MODEL),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    with command:
        model = model_of(server.process.pid if server else command.pid)
        wait_for_work(model, 1.5)
        started = below(command.pid)
        os.killpg(command.pid, signal.SIGINT)
        assert_quiet(model)
        assert command.wait(20) == 130
        assert command.stdout is not None
        said = command.stdout.read()
    assert "Traceback" not in said
    assert alive(started) == []
    assert server is None or server.get("/v1/answers").json() == []
