"""Looks at this machine: memory, cores, graphics memory, disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a model may use, in bytes. `memory` is the total, `memory_free` what programs could take now without swapping.
    `busy` is how many programs wanted each core in the last minute: above 1, whatever is measured is too slow."""

    cores: int
    memory: int
    memory_free: int
    graphics: str
    graphics_memory: int
    disk_free: int
    busy: float


def look(folder: Path) -> Machine:
    """Return this machine's facts; `folder` says on which disk models would lie."""
    memory, free = _memory()
    name, graphics = _graphics()
    while not folder.exists():
        folder = folder.parent
    cores = physical_cores()
    return Machine(
        cores, memory, free, name, graphics, shutil.disk_usage(folder).free, round(os.getloadavg()[0] / cores, 1)
    )


def total_memory() -> int:
    """Return the bytes of memory of this machine, or of the container's share of it."""
    return _memory()[0]


def physical_cores() -> int:
    """Return the number of physical cores this process may use; more threads than that slow llama.cpp down."""
    siblings = set()
    for cpu in os.sched_getaffinity(0):
        listed = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        siblings.add(listed.read_text() if listed.is_file() else str(cpu))
    return len(siblings)


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)


def _memory() -> tuple[int, int]:
    found = {}
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        found[name] = int(value.split()[0]) * 1024
    total, free = found["MemTotal"], found.get("MemAvailable", found["MemFree"])
    limit = CGROUP.read_text(encoding="utf-8").strip() if CGROUP.is_file() else "max"
    return (min(total, int(limit)), min(free, int(limit))) if limit.isdigit() else (total, free)  # a container's share


def _graphics() -> tuple[str, int]:
    """Return the largest graphics card and its memory: NVIDIA's by its own program, AMD's by the kernel."""
    cards = []
    if program := shutil.which("nvidia-smi"):
        query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
        for line in done.stdout.splitlines() if done.returncode == 0 else ():
            name, _, megabytes = line.rpartition(",")
            if megabytes.strip().isdigit():
                cards.append((name.strip(), int(megabytes) << 20))
    for file in Path("/sys/class/drm").glob("card*/device/mem_info_vram_total"):
        cards.append(("AMD graphics", int(file.read_text(encoding="utf-8"))))
    return max(cards, key=lambda card: card[1], default=("", 0))
