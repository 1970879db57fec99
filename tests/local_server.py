"""Runs a small server of the tests on a free loopback port, and writes its answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, Protocol, TypeVar


class LocalServer(Protocol):
    """What a server of the tests says about itself: `host` is its address while it runs."""

    host: str

    def handler(self) -> type[LocalHandler[Any]]:
        """Return what answers its requests."""
        ...


Served = TypeVar("Served", bound=LocalServer)


class LocalHandler(BaseHTTPRequestHandler, Generic[Served]):
    """Answers requests for one server."""

    served: Served
    protocol_version = "HTTP/1.1"

    def chunk(self, data: bytes) -> None:
        """Write a piece of an answer whose length nobody knows yet."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def json(self, status: int, body: Any) -> None:
        """Answer with JSON."""
        self.send(status, json.dumps(body).encode(), "application/json; charset=utf-8")

    def send(self, status: int, body: bytes, kind: str) -> None:
        """Answer with a body of a content type."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say_nothing(self) -> None:
        """Answer with no word until the client hangs up, however it does."""
        with suppress(ConnectionResetError):
            assert self.connection.recv(1) == b""
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""


@contextmanager
def serving(server: Served, port: int = 0) -> Iterator[Served]:
    """Serve on a loopback port, a free one unless one is given, while the block runs."""

    class Handler(server.handler()):  # type: ignore[misc]
        served = server

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        server.host = f"http://127.0.0.1:{http.server_port}"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
