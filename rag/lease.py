"""Names worker processes, so that a lease of one that died is free at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

LEASE_SECONDS = 300.0
"""A worker that has not committed for this long has lost its job; longer than the time limit of one file."""


def this_process() -> str:
    """Return a name for this process that no later process gets: its id and when it started."""
    return f"{os.getpid()}:{_started(os.getpid())}"


def is_running(owner: str) -> bool:
    """Say whether the process of that name still runs."""
    pid, _, started = owner.partition(":")
    return started != "" and _started(int(pid)) == started


def without_idle(leased_until: float, **begun: float | None) -> dict[str, float]:
    """Return when a job's stages began, later by the time in which no worker had it: rates are of the time worked."""
    idle = max(0.0, time.time() - leased_until + LEASE_SECONDS) if leased_until else 0.0
    return {stage: at + idle for stage, at in begun.items() if at}


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks since the machine did (proc(5), field 22); nothing when it is gone."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = line.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]  # a zombie does no work any more
