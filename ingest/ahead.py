"""Yields files in order as threads finish with them, while the next ones are worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from typing import TypeVar

from ingest.ports import Task

_Made = TypeVar("_Made")


def ahead(
    tasks: Sequence[Task], begin: Callable[[Task], Future[_Made]], most: int, stopped: Callable[[], bool]
) -> Iterator[tuple[Task, Future[_Made]]]:
    """Yield finished files in order, with at most so many begun and not yielded, until told to stop."""
    waiting: list[tuple[Task, Future[_Made]]] = []
    for task in [*tasks, None]:
        if task is not None:
            waiting.append((task, begin(task)))
        while len(waiting) > (most if task is not None else 0):
            wait([waiting[0][1]], timeout=0.1)
            if stopped():
                return
            if waiting[0][1].done():
                yield waiting.pop(0)
