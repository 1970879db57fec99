"""Runs an ingest as a person would and watches it from outside: the catalog's states, the memory of its processes."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

from tests.processes import COMMAND, PROJECT, below, environment, rows

POLL_SECONDS = 0.03
NOT_LOOKED_AT = """
SELECT 1 FROM job_files f WHERE f.outcome = 'pending' AND NOT EXISTS (
    SELECT 1 FROM unread_pages p WHERE p.document_id = f.document_id AND p.job_id = f.job_id
) LIMIT 1
"""
"""Finds a file that a search by keyword can't find yet."""
MEMORY_SECONDS = 0.2


@dataclass
class Watched:
    """One ingest: seconds since its start at which each stage was first seen, at which every file was looked at or read (what its
    pages say is found by keyword) and at which every file was read, and its highest memory in MB."""

    seconds: float = 0.0
    looked: float = 0.0
    keyword: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    peak_mb: float = 0.0
    failed: int = 0

    def profile(self) -> dict[str, float]:
        """Return how many seconds each stage took, in order; `starting` is everything before the first job."""
        marks = [("starting", 0.0), *self.stages.items(), ("end", self.seconds)]
        return {name: round(until - at, 2) for (name, at), (_, until) in pairwise(marks)}


def ingest(home: Path, paths: list[Path], *, memory: bool = False, only_text: bool = False, **more: str) -> Watched:
    """Run `readingroom ingest` on `paths` until it ends, or with `only_text` until all is searchable by keyword."""
    found = Watched()
    before = {job for (job,) in rows(home, "SELECT job_id FROM jobs")}
    began = time.monotonic()
    command = [COMMAND, "ingest", "--json", *(str(path) for path in paths)]
    process = subprocess.Popen(
        command, env=environment(home, **more), cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    looked = 0.0
    try:
        while process.poll() is None:
            now = time.monotonic() - began
            stage = [name for job, name in rows(home, "SELECT job_id, stage FROM jobs") if job not in before]
            if stage:
                found.stages.setdefault(stage[0], now)
            if not found.looked and stage and stage[0] != "queued" and not rows(home, NOT_LOOKED_AT):
                found.looked = now
            if not found.keyword and stage and stage[0] in ("embedding", "publishing", "done"):
                found.keyword = now  # the worker goes on to embedding when the last file is visible to keyword search
                if only_text:
                    break
            if memory and now - looked > MEMORY_SECONDS:
                looked = now
                found.peak_mb = max(found.peak_mb, megabytes(process.pid))
            time.sleep(POLL_SECONDS)
        found.seconds = time.monotonic() - began
        found.keyword = found.keyword or found.seconds
        found.looked = found.looked or found.keyword
        found.failed = len(rows(home, "SELECT path FROM documents WHERE state = 'failed'"))
    finally:
        for left in [*below(process.pid), process]:
            with suppress(psutil.NoSuchProcess):
                left.kill()
        process.wait()
    return found


def megabytes(pid: int) -> float:
    """Return the memory of the worker and the readers below `pid`: their share of shared pages counted once (PSS)."""
    total = 0
    for process in below(pid):
        with suppress(OSError, ValueError):  # it ended between two looks
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1000


def texts(home: Path) -> list[str]:
    """Return the distinct texts that an ingest has embedded, in the order of their chunks."""
    found = rows(home, "SELECT context, text FROM chunks GROUP BY text_hash ORDER BY id")
    return [f"{context}\n{text}" if context else text for context, text in found]


def threads() -> int:
    """Return how many threads embedders get here, ours and the peer's."""
    return os.cpu_count() or 1
