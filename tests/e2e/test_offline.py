"""The whole product in a network namespace without a route, and planted calls that must fail by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import COMMAND, PROJECT, SAMPLES, environment

pytestmark = pytest.mark.e2e

ALONE = ("unshare", "--net", "--", "bash", "-euc")
LOOPBACK = "ip link set lo up; "
FEE = "What is the annual maintenance fee for a vessel with an equipment set of type B?"

SESSION = f"""
[ -z "$(ip route show)" ]
! curl -s -m 3 https://192.0.2.1/
{COMMAND} ingest {SAMPLES} --json > "$OUT/ingest" || [ $? = 3 ]
{COMMAND} search "{FEE}" --json > "$OUT/search"
{COMMAND} ask "{FEE}" --json > "$OUT/ask"
{COMMAND} doctor --json > "$OUT/doctor" || true
{COMMAND} serve --json > "$OUT/serve" 2> "$OUT/log" &
server=$!
for _ in $(seq 300); do [ -s "$OUT/serve" ] && break; sleep 0.2; done
curl -sf http://127.0.0.1:8000/readyz > "$OUT/readyz"
curl -sf http://127.0.0.1:8000/v1/ask -H 'Content-Type: application/json' -d '{{"question": "{FEE}"}}' > "$OUT/curl"
for _ in $(seq 100); do curl -sf http://127.0.0.1:8501/ > "$OUT/page" && break; sleep 0.2; done
kill $server
wait $server
"""

PLANTED = {
    "connect": "import socket; socket.create_connection(('192.0.2.1', 443), timeout=2)",
    "name": "import socket; socket.getaddrinfo('example.com', 443)",
    "httpx": "import httpx; httpx.get('https://example.com/')",
    "urllib": "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')",
    "requests": "import requests; requests.get('https://example.com/')",
}


@pytest.fixture(scope="module")
def namespace() -> tuple[str, ...]:
    """The command that runs a script without a route; skipped where that is not permitted."""
    try:
        done = subprocess.run([*ALONE, LOOPBACK + "ip -o addr show lo"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if done.returncode != 0:
        pytest.skip(f"a network namespace is not permitted here: {done.stderr.strip()}")
    return ALONE


@pytest.fixture(scope="module")
def session(namespace: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what each command printed where there is no route; the small language model answers."""
    folder = tmp_path_factory.mktemp("offline")
    env = environment(folder / "home", OUT=str(folder), READINGROOM_ANSWER__MODEL="small")
    done = subprocess.run(
        [*namespace, LOOPBACK + SESSION], env=env, cwd=PROJECT, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_samples_are_ingested_offline(session: Path) -> None:
    """All readable samples are ingested, and only the files that nobody can read are reported."""
    report = json.loads((session / "ingest").read_text())
    assert report["added"] >= 10
    assert {Path(item["path"]).name for item in report["failed"]} <= {
        "salary-review-encrypted.pdf", "pressure-chamber-offer-corrupt.pdf", "harbour-letter-scan.pdf",
    }  # fmt: skip


def test_questions_are_answered_offline(session: Path) -> None:
    """Search, answer and the API find the fee on page 10; the answer says which model made it."""
    hits = json.loads((session / "search").read_text())["hits"]
    assert any("9,980" in hit["text"] and hit["page"] == 10 for hit in hits[:3])
    for name in ("ask", "curl"):
        answer = json.loads((session / name).read_text())
        assert answer["outcome"] in ("answered", "partial")
        assert any("9,980" in citation["quote"] and citation["page"] == 10 for citation in answer["citations"])
        assert answer["model"]["backend"] in ("embedded", "extractive")


def test_server_and_page_work_offline(session: Path) -> None:
    """The API says that it is ready, and the page is served, with nothing in it to be loaded from elsewhere."""
    assert json.loads((session / "readyz").read_text())["status"] == "ready"
    page = (session / "page").read_text()
    assert "<title>" in page
    assert 'src="http' not in page and 'src="//' not in page and '<link href="http' not in page


def test_doctor_finds_nothing_wrong_offline(session: Path) -> None:
    """Doctor reports no error where there is no route."""
    findings = json.loads((session / "doctor").read_text())
    assert [item for item in findings if item["severity"] == "error"] == []


def test_nothing_tried_to_leave(session: Path) -> None:
    """The server's log tells of no refused connection: nothing tried."""
    assert "stays offline" not in (session / "log").read_text()


@pytest.mark.parametrize("code", PLANTED.values(), ids=PLANTED)
def test_planted_call_fails_by_name(namespace: tuple[str, ...], code: str, tmp_path: Path) -> None:
    """A call that a library would make fails before the network is asked, and the message names the library."""
    (tmp_path / "planted_library.py").write_text(f"def report_usage():\n    {code}\n")
    (tmp_path / "run.py").write_text(
        "from rag import privacy\nprivacy.seal()\nimport planted_library\nplanted_library.report_usage()\n"
    )
    env = environment(tmp_path / "home", PYTHONPATH=f"{PROJECT}:{tmp_path}")
    script = LOOPBACK + f"exec {sys.executable} {tmp_path}/run.py"
    done = subprocess.run([*namespace, script], env=env, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Reading Room stays offline: planted_library tried to" in done.stderr
