"""Looks at PDFs before they are read: the plain text of their pages, to be found by keyword while the job is at others."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ingest.ahead import ahead
from ingest.errors import UnreadableFile
from ingest.ports import Catalog, Job, Task

SECONDS = 20.0
"""A file's pages that are looked at: as many as in this time. Some 4 ms a page are usual."""
LONGEST = 100_000
"""Characters of one page that are kept."""
_TASKS = 2000
_HYPHEN = re.compile(r"[\x02\ufffe]\s*")
"""How PDFium marks a hyphen at the end of a line."""

Glance = Callable[[Task], Sequence[str]]
"""Returns the plain text of the pages of a task's PDF; raises UnreadableFile."""


def first_look(
    catalog: Catalog, job: Job, glance: Glance, pool: ThreadPoolExecutor, side_by_side: int, stopped: Callable[[], bool]
) -> int:
    """Keep the plain text of pages of the PDFs that a job has still to read; return how many files were looked at.

    What can't be looked at is left: what is wrong with it is said when it is read.
    """
    done, after = 0, ""
    while not stopped() and (tasks := catalog.pending(job, _TASKS, after)):
        after = tasks[-1].path
        wanted = [task for task in tasks if not task.inside and task.source.lower().endswith(".pdf")]
        new = catalog.not_looked_at(job, wanted)
        for task, pages in ahead(new, lambda task: pool.submit(_glance, glance, task), side_by_side, stopped):
            catalog.keep_look(job, task, pages.result())
            done += 1
    return done


def _glance(glance: Glance, task: Task) -> Sequence[str]:
    try:
        return glance(task)
    except UnreadableFile:  # the reading that follows says why, in full
        return []


def pages_of(path: Path) -> list[str]:
    """Return the plain text of a PDF's pages as PDFium has it, of as many as there is time for."""
    from ingest.pdfium import opened, plain_text

    found, until = [], time.monotonic() + SECONDS
    with opened(path) as document:
        for number in range(1, len(document) + 1):
            found.append(_HYPHEN.sub("", plain_text(document, number)[:LONGEST]))
            if time.monotonic() > until:
                break
    return found


def pack(pages: Sequence[str]) -> bytes:
    """Return pages for the way from the child."""
    return json.dumps(pages).encode("ascii")


def unpack(content: bytes | bytearray) -> list[str]:
    """Return what was packed; raise ValueError for anything else."""
    found = json.loads(content)
    if not isinstance(found, list) or not all(isinstance(page, str) for page in found):
        raise ValueError("not a list of pages")
    return found
