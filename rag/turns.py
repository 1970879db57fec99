"""Lets one generation run at a time, with a limited number of others waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rag.errors import ModelBusy
from rag.stop import current

_LOOK_SECONDS = 0.1


class Turns:
    """A queue for a model that can do one thing at a time; `waiting` others may wait, each at most `seconds`."""

    def __init__(self, name: str, waiting: int, seconds: float) -> None:
        self._name, self._waiting, self._seconds = name, waiting, seconds
        self._places = threading.BoundedSemaphore(waiting + 1)
        # a lock, not an RLock: the thread that closes a stream need not be the one that began it
        self._turn = threading.Lock()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the turn and hold it; raise ModelBusy when too many wait or it takes too long, Stopped when cancelled."""
        if not self._places.acquire(blocking=False):
            raise ModelBusy(
                f"The model {self._name} is busy and {self._waiting} questions are waiting already.", "Ask again later."
            )
        try:
            deadline = time.monotonic() + self._seconds
            while not self._turn.acquire(timeout=_LOOK_SECONDS):
                current().check()
                if time.monotonic() > deadline:
                    raise ModelBusy(
                        f"The model {self._name} was busy for {self._seconds:.0f} seconds with other questions.",
                        "Ask again later.",
                    )
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._places.release()
