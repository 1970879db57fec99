"""`readingroom serve`: its addresses, the command line that talks to it, and how its processes end and come back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.conftest import SMALL, Run
from tests.processes import Server, alive, below, role_of, run_command, serving, wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture
def served(filled_home: Path, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, with the corpus in its home folder."""
    with serving(filled_home, tmp_path / "log") as running:
        yield running


def processes(server: Server) -> dict[str, psutil.Process]:
    """Return the supervised processes by role."""
    return {role_of(child): child for child in psutil.Process(server.process.pid).children() if role_of(child)}


def test_the_command_line_talks_to_the_server(served: Server, tmp_path: Path, run: Run) -> None:
    """Every command goes through the server that holds the home folder, and prints the same shapes as without one."""
    assert served.get("/healthz").status_code == 200
    page = wait_for(lambda: _page(served), "the page to be served")
    assert "<title>" in page
    assert str(served.process.pid) not in run("status", "--json").json["home"]
    assert "serve" in run("status", "--json").json["served_by"]

    outside = tmp_path / "outside"  # the API alone would refuse this folder: it is not below the roots
    outside.mkdir()
    (outside / "otter.txt").write_text("The otter lives under the boathouse.\n")
    (outside / "empty.txt").write_bytes(b"")
    report = run("ingest", outside, "--collection", "animals", "--json")
    assert report.code == 3 and report.json["added"] == 1
    assert [Path(item["path"]).name for item in report.json["failed"]] == ["empty.txt"]

    hits = run("search", "Where does the otter live?", "--collection", "animals", "-k", "1", "--json").json["hits"]
    assert (
        hits
        == served.post(
            "/v1/search", json={"question": "Where does the otter live?", "collections": ["animals"], "k": 1}
        ).json()["hits"]
    )
    answer = run("ask", "Where does the otter live?", "--collection", "animals", "--json")
    assert answer.code == 0 and answer.json["citations"][0]["quote"] == "The otter lives under the boathouse."
    assert "otter" in run("ask", "Where does the otter live?").stdout
    assert len(run("documents", "--json").json) == len(SMALL) + 2
    assert (
        run("text", hits[0]["document_id"]).stdout
        == served.get(f"/v1/documents/{hits[0]['document_id']}/text").json()["text"]
    )
    assert run("rebuild", "--json").json["vectors"] == run("status", "--json").json["chunks"]
    assert [item["path"] for item in run("forget", outside / "otter.txt", "--json").json["forgotten"]] == [
        str(outside / "otter.txt")
    ]
    assert run("search", "otter", "--collection", "nowhere", "--json").code == 1
    assert run("ask", "?", "--json").code == 2
    assert run("forget", "no-such", "--json").code == 1
    assert run("ingest", tmp_path / "absent", "--json").code == 1


def _page(server: Server) -> str:
    try:
        return httpx.get(server.ui_url, timeout=10, trust_env=False).text
    except httpx.TransportError:
        return ""


def test_a_relative_path_through_the_server(served: Server, tmp_path: Path) -> None:
    """A path is taken from where the person stands, also when the server stands elsewhere: to ingest and to forget."""
    (tmp_path / "here.txt").write_text("A heron on one leg.")
    assert run_command(served.home, "ingest", "here.txt", "--json", cwd=tmp_path).json["added"] == 1
    done = run_command(served.home, "forget", "./here.txt", "--json", cwd=tmp_path)
    assert done.code == 0 and done.json["forgotten"][0]["path"] == str(tmp_path / "here.txt")
    assert run_command(served.home, "ingest", "here.txt", "--json", cwd=tmp_path).json["added"] == 1
    done = run_command(served.home, "forget", "here.txt", "--json", cwd=tmp_path)
    assert done.code == 0 and done.json["forgotten"][0]["path"] == str(tmp_path / "here.txt")


def test_a_second_server_is_refused(served: Server, run: Run) -> None:
    """Another server on the same home folder is refused, naming the process that holds it; the first one goes on."""
    done = run("serve", "--json", READINGROOM_SERVER__PORT="65531", READINGROOM_SERVER__UI_PORT="65532")
    assert done.code == 1 and done.stdout == ""
    assert "readingroom serve" in done.stderr and str(processes(served)["api"].pid) in done.stderr
    assert served.get("/healthz").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_told_to_stop_all_end(served: Server, number: signal.Signals) -> None:
    """Told to stop, the server ends with code 0 and leaves no process, no address and no lock behind."""
    wait_for(lambda: set(processes(served)) == {"api", "worker", "ui"}, "the three processes")
    started = below(served.process.pid)
    served.process.send_signal(number)
    assert served.process.wait(20) == 0
    assert alive(started) == []
    assert not (served.home / "api.json").exists()
    assert run_command(served.home, "status", "--json").json["served_by"].startswith("readingroom status")
    assert "Traceback" not in served.log.read_text()


def test_stops_while_a_job_runs(served: Server, tmp_path: Path) -> None:
    """Told to stop in the middle of a job, the server ends; what the job had to do is done by the next command."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.txt").write_text(f"Sheep number {number} jumps over the fence. " * 30)
    job = served.get("/v1/status").json()["jobs_unfinished"]
    assert job == 0
    token = (served.home / "api.json").read_text().split('"token": "')[1].split('"')[0]
    served.post("/v1/ingest", json={"paths": [str(folder)]}, headers={"X-Reading-Room-Owner": token})
    wait_for(lambda: served.get("/v1/status").json()["jobs_unfinished"] == 1, "the job to be there", pause=0.01)
    started = below(served.process.pid)
    served.process.terminate()
    assert served.process.wait(20) == 0
    assert alive(started) == []
    done = run_command(served.home, "ingest", folder, "--json")
    assert done.code == 0 and done.json["added"] + done.json["unchanged"] == 40


@pytest.mark.parametrize("when", ["at once", "later"])
def test_killed_supervisor_leaves_no_process(served: Server, when: str) -> None:
    """When the supervisor is killed, even while they start, its processes notice and end, and the home folder is free."""
    if when == "later":
        wait_for(lambda: _page(served), "the page to be served")
    started = below(served.process.pid)
    served.process.kill()
    served.process.wait()
    wait_for(lambda: alive(started) == [], "all processes to end", seconds=20)
    assert run_command(served.home, "search", "maintenance fee", "--json").code == 0


@pytest.mark.parametrize("role", ["worker", "api", "ui"])
def test_a_killed_process_is_started_again(served: Server, role: str, tmp_path: Path, run: Run) -> None:
    """A supervised process that is killed comes back, and the server works as before."""
    before = processes(served)
    before[role].kill()
    wait_for(lambda: role in (now := processes(served)) and now[role].pid != before[role].pid, f"{role} to be back")
    wait_for(lambda: _healthy(served), "the API to answer")
    (tmp_path / "swan.txt").write_text("The swan guards the lock gate.\n")
    assert run("ingest", tmp_path / "swan.txt", "--json").json["added"] == 1
    assert "swan" in run("search", "swan", "--json").json["hits"][0]["text"]
    assert wait_for(lambda: _page(served), "the page to be served")


def _healthy(server: Server) -> bool:
    try:
        return server.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
