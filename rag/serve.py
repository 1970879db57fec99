"""Supervises the three processes of a server: api, worker and ui."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import httpx
import structlog

from rag import log
from rag.build import check_models, child_command, embedder_environment, live_settings
from rag.errors import HomeLocked, ModelError, ReadingRoomError
from rag.home import Home, lock_holder
from rag.settings import Settings

RESTARTS = 5
"""A process that ends this often within a minute is not started again; the server stops with its log."""
STOP_SECONDS = 5.0


@dataclass(slots=True)
class _Child:
    role: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    ends: list[float] = field(default_factory=list)

    def start(self, settings: Settings) -> None:
        """Start the process with these settings' embedder."""
        environment = {**self.environment, **embedder_environment(settings)}
        self.process = subprocess.Popen(
            child_command(self.role), env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )

    def ended(self) -> int | None:
        """Return the exit code of a process that has ended, else None."""
        return self.process.poll() if self.process else None


def supervise(settings: Settings, as_json: bool = False) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code. Raise before starting when a port or the home is taken."""
    log.configure("serve")
    _check(settings)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    environment = {
        **os.environ,
        "READINGROOM_HOME": str(settings.home),
        "READINGROOM_SERVER__PORT": str(settings.server.port),
        "READINGROOM_SERVER__UI_PORT": str(settings.server.ui_port),
    }
    children = [_Child(role, environment) for role in ("api", "worker", "ui")]
    try:
        children[0].start(settings)  # refuses to start when another embedder is live than the settings'
        if not _wait_until_ready(children[0], settings, stop):
            return 0 if stop.is_set() else 1
        children[1].start(live_settings(settings))
        children[2].start(settings)
        _announce(settings, as_json)
        return _watch(children, settings, stop)
    finally:
        _stop(children)


def _check(settings: Settings) -> None:
    home = Home(settings.home)
    home.create()
    if holder := lock_holder(home):
        raise HomeLocked(
            f"The home folder {home.folder} is in use by `{holder.get('role')}` (process {holder.get('pid')}).",
            "Stop that process, or set READINGROOM_HOME to another folder.",
        )
    for name, port, key in (("API", settings.server.port, "port"), ("page", settings.server.ui_port, "ui_port")):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise ReadingRoomError(
                    f"Port {port} for the {name} is in use by another program.",
                    f"Stop that program, or choose another port: server.{key} in config.yaml, or `readingroom serve "
                    f"--{key.replace('_', '-')} N`.",
                ) from error
    if missing := check_models(settings):
        raise ModelError(missing[0], "" if "`" in missing[0] else "Run `make setup`.")


def _wait_until_ready(api: _Child, settings: Settings, stop: threading.Event) -> bool:
    url = f"http://127.0.0.1:{settings.server.port}/healthz"
    with httpx.Client(trust_env=False, timeout=2) as client:
        while not stop.is_set() and api.ended() is None:
            try:
                if client.get(url).status_code == 200:
                    return True
            except httpx.TransportError:
                stop.wait(0.1)  # not listening yet
    return False


def _announce(settings: Settings, as_json: bool) -> None:
    urls = {"api": f"http://127.0.0.1:{settings.server.port}", "ui": f"http://127.0.0.1:{settings.server.ui_port}"}
    if as_json:
        print(json.dumps(urls), flush=True)  # noqa: T201
    else:
        print(f"Page: {urls['ui']}\nAPI:  {urls['api']}\nStop with Ctrl-C.", flush=True)  # noqa: T201


def _watch(children: list[_Child], settings: Settings, stop: threading.Event) -> int:
    while not stop.wait(0.5):
        for child in children:
            code = child.ended()
            if code is None:
                continue
            now = time.monotonic()
            child.ends = [moment for moment in child.ends if now - moment < 60] + [now]
            structlog.get_logger().error("ended", role=child.role, code=code, times=len(child.ends))
            if len(child.ends) >= RESTARTS:
                print(f"The process `{child.role}` ended {RESTARTS} times within a minute; giving up.", file=sys.stderr)  # noqa: T201
                return 1
            stop.wait(0.5 * len(child.ends))
            child.start(live_settings(settings))  # it may have changed meanwhile: `reindex --switch`
    return 0


def _stop(children: list[_Child]) -> None:
    running = [child.process for child in reversed(children) if child.process and child.process.poll() is None]
    for process in running:
        process.terminate()
    until = time.monotonic() + STOP_SECONDS
    for process in running:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
