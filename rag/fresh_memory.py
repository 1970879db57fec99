"""Gives native code memory that is empty, where it writes to disk what it never filled."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_M_PERTURB = -6
"""glibc's mallopt(3): memory is filled with the complement of this byte when it is given out, and with the byte when freed."""
_EMPTY = 0xFF
_LIBC = ctypes.CDLL(None)
_lock = threading.Lock()
_within = 0


def fresh_memory(function: Callable[P, R]) -> Callable[P, R]:
    """Let all memory that is given out while `function` runs be zeros.

    hnswlib, which Chroma 1.5.9 bundles, saves the room of an index whole, also what no vector is in yet: there stood what the
    process had freed before, such as text of documents (167 kB in a new index, docs/decisions/0001-shape.md).
    """

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        _count(1)
        try:
            return function(*args, **kwargs)
        finally:
            _count(-1)

    return inside


def _count(step: int) -> None:
    """Switch it on with the first that is inside, off with the last."""
    global _within
    with _lock:
        before, _within = _within, _within + step
        if bool(before) != bool(_within):
            _LIBC.mallopt(_M_PERTURB, _EMPTY if _within else 0)
