"""A running server takes up another embedder: no question fails, nothing is lost, and it comes back with it after a crash."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest

from rag.build import build_embedder, model_store, open_any_store
from rag.generations import Generations
from rag.reindex import build, wanted_embedding
from rag.settings import load_settings
from tests.processes import Server, below, environment, role_of, run_command, serving, wait_for
from tests.tiny_models import INSTALLED, TINY, make_models

pytestmark = pytest.mark.e2e


def build_beside(home: Path, more: dict[str, str]) -> None:
    """Build a generation as the command does, here and not at its low priority: other work would keep it waiting."""
    settings = load_settings(environment(home, **more))
    embedding = wanted_embedding(model_store(settings), TINY, None, settings.embedding)
    embedder = build_embedder(settings.model_copy(update={"embedding": embedding}))
    with closing(open_any_store(settings)) as store:
        build(Generations(store), embedder, embedding, cut=False)


class Asker:
    """Asks a server again and again while the block runs; `codes` are the statuses of what it answered."""

    def __init__(self, server: Server) -> None:
        self._server, self._stop = server, threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self.codes: list[int] = []
        self.empty = 0

    def _ask(self) -> None:
        while not self._stop.is_set():
            response = self._server.post("/v1/search", json={"question": "annual maintenance fee type B"})
            self.codes.append(response.status_code)
            self.empty += response.status_code == 200 and not response.json()["hits"]
            time.sleep(0.7)  # the rest of the machine is the build's

    def __enter__(self) -> Asker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)


def pid_of(server: Server, role: str) -> int | None:
    return next((child.pid for child in below(server.process.pid) if role_of(child) == role), None)


def live(server: Server) -> str:
    return str(server.get("/v1/status").json()["embedder"]).split("/")[0]


def test_a_server_takes_up_another_embedder(filled_home: Path, tmp_path: Path) -> None:
    """Built and switched beside a server that is asked all the while and ingests before and after; then its API is killed and
    comes back with the new embedder, although its settings still name the old one; and back again."""
    models = make_models(tmp_path)
    roots = tmp_path / "roots"
    roots.mkdir()
    more = {"READINGROOM_MODELS__FOLDER": str(models), "READINGROOM_INGEST__ROOTS": str(roots)}
    with serving(filled_home, tmp_path / "log", **more) as server:

        def reindex(*options: str) -> dict[str, object]:
            done = run_command(filled_home, "reindex", *options, "--json", **more)
            assert done.code == 0, done.stderr
            return dict(done.json)

        def ingested(name: str, text: str) -> None:
            (roots / name).write_text(text)
            job = server.post("/v1/ingest", json={"paths": [str(roots)]}).json()["job_id"]
            assert server.finish(job)["stage"] == "done"
            states = {Path(item["path"]).name: item["state"] for item in server.get("/v1/documents").json()}
            assert states[name] == "ready"

        def finds(question: str, name: str) -> None:
            (hit, *_) = server.post("/v1/search", json={"question": question}).json()["hits"]
            assert Path(hit["path"]).name == name and "vector" in hit["found_by"]

        with Asker(server) as asker:
            build_beside(filled_home, more)
            (_, built) = server.get("/v1/generations").json()
            assert (built["model"], built["state"], built["missing"]) == (TINY, "built", 0) and live(
                server
            ) == INSTALLED
            ingested("ferry.txt", "The ferry leaves at 7 in the morning from the northern quay.\n")
            assert reindex("--switch")["embedded"] == 1
            assert live(server) == TINY
            finds("When does the ferry leave in the morning?", "ferry.txt")
            ingested("mill.txt", "The mill grinds 4 tonnes of rye in a day.\n")
            finds("How many tonnes of rye does the mill grind?", "mill.txt")
        assert len(asker.codes) > 3 and set(asker.codes) == {200} and asker.empty == 0

        api, worker = pid_of(server, "api"), pid_of(server, "worker")
        assert api and worker
        for pid in (api, worker):
            psutil.Process(pid).send_signal(signal.SIGKILL)
        wait_for(lambda: pid_of(server, "api") not in (None, api), "the API to be started again")
        wait_for(lambda: _answers(server), "the API to answer again")
        assert live(server) == TINY
        ingested("tower.txt", "The tower clock is wound every Monday by the verger.\n")

        with Asker(server) as asker:
            assert str(reindex("--back")["live"]).startswith(INSTALLED)
            assert live(server) == INSTALLED
            finds("Who winds the tower clock?", "tower.txt")
            assert reindex("--drop-old")["vectors"]
        assert set(asker.codes) == {200} and asker.empty == 0
        assert server.post("/v1/generations/switch", json={}).status_code == 403
        assert [item["state"] for item in server.get("/v1/generations").json()] == ["live"]


def _answers(server: Server) -> bool:
    try:
        return server.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
