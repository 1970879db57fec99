"""Lets one generation run at a time, or as many as a model has slots, with a limited number of others waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rag.errors import ModelBusy
from rag.stop import LOOK_SECONDS, current

WAITING = 8
"""Questions that may wait for a model while it answers others."""


class Turns:
    """A queue for a model that can do `slots` things at a time; `waiting` others may wait, each at most `seconds`."""

    def __init__(self, name: str, waiting: int, seconds: float, slots: int = 1) -> None:
        self._name, self._waiting, self._seconds = name, waiting, seconds
        self._places = threading.BoundedSemaphore(waiting + slots)
        # no RLock: the thread that closes a stream need not be the one that began it
        self._turn = threading.BoundedSemaphore(slots)
        self._counting, self._running = threading.Lock(), 0

    @property
    def running(self) -> int:
        """Return how many have their turn now."""
        return self._running

    def _count(self, change: int) -> None:
        with self._counting:
            self._running += change

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the turn and hold it; raise ModelBusy when too many wait or it takes too long, Stopped when cancelled."""
        if not self._places.acquire(blocking=False):
            raise ModelBusy(
                f"The model {self._name} is busy and {self._waiting} questions are waiting already.", "Ask again later."
            )
        try:
            deadline = time.monotonic() + self._seconds
            while not self._turn.acquire(timeout=LOOK_SECONDS):
                current().check()
                if time.monotonic() > deadline:
                    raise ModelBusy(
                        f"The model {self._name} was busy for {self._seconds:.0f} seconds with other questions.",
                        "Ask again later.",
                    )
            self._count(1)
            try:
                yield
            finally:
                self._count(-1)
                self._turn.release()
        finally:
            self._places.release()
