"""Stops a question from outside: cuts the connections that it waits on, so that it ends as `Stopped` in whatever thread it is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from rag.errors import Stopped

T = TypeVar("T")
LOOK_SECONDS = 0.1
"""How often a question that waits for something else than a connection looks whether it was stopped."""


class Stop:
    """Set once, from any thread, when nobody waits for an answer any more.

    A question may then be reading from a model server that is silent for minutes. It can't look at a flag there, so `set`
    shuts its connections down: the read ends at once, and the server sees that nobody listens.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._lines: list[socket.socket] = []

    @property
    def is_set(self) -> bool:
        """Return whether the question was stopped."""
        return self._set

    def set(self) -> None:
        """Stop the question."""
        with self._lock:
            self._set, lines = True, self._lines
            self._lines = []
        for line in lines:
            _cut(line)

    def check(self) -> None:
        """Raise Stopped when the question was stopped."""
        if self._set:
            raise Stopped("The question was cancelled.", "Ask it again.")

    def trace(self, event: str, about: dict[str, Any]) -> None:
        """Keep the connection that an HTTP client has opened; it is cut when the question is stopped. To be set as the
        `trace` extension of a request, see `traced`."""
        if event not in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            return
        line = about["return_value"].get_extra_info("socket")
        with self._lock:
            self._lines.append(line)
            cut = self._set
        if cut:
            _cut(line)


def _cut(line: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        socket.socket.shutdown(line, socket.SHUT_RDWR)  # of TLS connections too, below their own protocol


_current: ContextVar[Stop | None] = ContextVar("stop", default=None)


def current() -> Stop:
    """Return the Stop of the question that this thread works on; one that nobody sets where there is none."""
    return _current.get() or Stop()


def traced(request: Any) -> None:
    """Have a request's connection cut when its question is stopped: a hook for requests of httpx and its like."""
    request.extensions["trace"] = current().trace


@contextmanager
def stopping() -> Iterator[None]:
    """Turn what breaks in the block, because its question was stopped, into Stopped."""
    stop = current()
    try:
        yield
    except Stopped:
        raise
    except Exception:
        stop.check()
        raise
    stop.check()


@contextmanager
def held(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock for the length of the block; raise Stopped when the question is stopped while it waits for it."""
    while not lock.acquire(timeout=LOOK_SECONDS):
        current().check()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def unstopped() -> Iterator[None]:
    """Let the block, which clears up after a stopped question, open connections that are not cut."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def stoppable(events: Generator[T, None, None], stop: Stop) -> Iterator[T]:
    """Yield what `events` yields, with `stop` as its current Stop, whichever threads ask for the next one.

    A thread takes it up for the length of one step, because a web server asks for each event in another thread.
    """
    try:
        while True:
            stop.check()
            token = _current.set(stop)
            try:
                event = next(events)
            except StopIteration:
                return
            finally:
                _current.reset(token)
            yield event
    finally:
        events.close()
