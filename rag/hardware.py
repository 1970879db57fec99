"""Looks at this machine: memory, cores, graphics memory, disk."""

from __future__ import annotations

import os
from pathlib import Path


def physical_cores() -> int:
    """Return the number of physical cores this process may use; more threads than that slow llama.cpp down."""
    siblings = set()
    for cpu in os.sched_getaffinity(0):
        listed = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        siblings.add(listed.read_text() if listed.is_file() else str(cpu))
    return len(siblings)
