"""The isolated parser process: reads one file after the other under its own limits, asked through a pipe.

One JSON object a line on standard input:
{"task": "read" | "look" | "render" | "pictures", "path", "inside", "password", "page", "dpi", "most", "plain", "seconds",
"memory_bytes", "output_bytes", "pages"}.
One message an answer on standard output: one byte that says what it is, eight bytes of length, the content. Before it
there may be messages "busy", without content: one more page was read by OCR.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from ingest.errors import UnreadableFile, too_many_pages

HEADER = struct.Struct(">cQ")
READING, LOOK, IMAGE, PICTURES, REFUSED, NO_MEMORY, FAILED, BUSY = b"R", b"L", b"I", b"P", b"U", b"M", b"F", b"B"
_PR_SET_PDEATHSIG = 1
_CPU_GRACE = 5
_RESERVED = 1100 * 1024 * 1024
_M_MMAP_THRESHOLD = -3
_LARGE = 4 * 1024 * 1024
"""Blocks from this size on go back to the system when they are freed. Left to itself the C library raises the size to
32 MB, and the blocks that OCR computes with, a few MB each, leave holes: 1 GB instead of 560 MB for one dense page."""


def main(argv: Sequence[str] = ()) -> int:
    """Serve requests until standard input closes; `argv` may hold the parent's process id. Returns the exit status."""
    _die_with_parent(int(argv[0]) if argv else None)
    _stay_small()
    # Vendors print to standard output. The real one is kept for the protocol; theirs goes to standard error.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    gc.set_threshold(50_000, 20, 100)  # a page is thousands of objects: looking for cycles took 8 % of reading a PDF
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy would reserve memory for every core
    from ingest import ocr

    for line in sys.stdin.buffer:
        request = json.loads(line)
        ocr.page_done = partial(_busy, answers, float(request["seconds"]))
        kind, content = _answer(request)
        _send(answers, kind, content)
        del content
        gc.collect()
        _give_back()  # the parent splits what was read while this process waits
        if kind == NO_MEMORY:
            return 1  # what is left of the heap is not trusted with another file
    return 0


def _die_with_parent(parent: int | None) -> None:
    """Ask Linux to kill this process when the parent's thread ends; elsewhere the closed pipe ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        raise SystemExit(1)  # the parent died before the request to the kernel was made


def _stay_small() -> None:
    """Give up what a parser doesn't need: priority, core dumps, many open files, long outputs on disk."""
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_NOFILE, 256)
    _lower(resource.RLIMIT_FSIZE, 1200 * 1024 * 1024)
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)


def _lower(which: int, value: int) -> None:
    """Lower a soft limit, never above the hard one."""
    hard = resource.getrlimit(which)[1]
    resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _limit(request: dict[str, Any], form: str = "") -> None:
    """Limit memory and processor time for one request.

    Writable memory counts (RLIMIT_DATA): the whole address space would count reservations that nobody uses. liteparse
    reserves 1 GiB of writable memory at its first file and keeps it (measured with 2.18), so that comes on top.
    """
    reserved = _RESERVED if form == "pdf" or "liteparse" in sys.modules else 0
    _lower(resource.RLIMIT_DATA, int(request["memory_bytes"]) + reserved)
    _limit_processor(float(request["seconds"]))


def _limit_processor(seconds: float) -> None:
    """Allow so many seconds more of processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    # All threads count, so on several cores processor time may run faster than the parent's clock.
    cores = os.cpu_count() or 1
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds * cores) + _CPU_GRACE)


def _give_back() -> None:
    """Return freed memory to the system: the C library would keep it, 250 MB after one page of OCR."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def _busy(answers: BinaryIO, seconds: float) -> None:
    """Tell the parent that a page was read by OCR; the next one has the time of a file again."""
    _give_back()
    _send(answers, BUSY, b"")
    _limit_processor(seconds)


def _answer(request: dict[str, Any]) -> tuple[bytes, bytes]:
    """Do what one request asks; every failure becomes an answer."""
    try:
        _limit(request)
        return _work(request)
    except UnreadableFile as error:
        return REFUSED, json.dumps({"reason": error.reason, "remedy": error.remedy}).encode("ascii")
    except MemoryError:
        return NO_MEMORY, b""
    except RecursionError:
        deep = {"reason": "The file is nested too deeply to be read.", "remedy": "Export it in another format."}
        return REFUSED, json.dumps(deep).encode("ascii")
    except Exception as error:  # noqa: BLE001  the last resort for one file: its parent reports it, the batch goes on
        return FAILED, type(error).__name__.encode()


def _work(request: dict[str, Any]) -> tuple[bytes, bytes]:
    """Read a file, look at a PDF's pages, render a page or take out pictures, of the file itself or of a member inside it."""
    from ingest import pdf_info
    from ingest.container import member, read
    from ingest.wire import pack

    path, inside, password = Path(request["path"]), tuple(request.get("inside") or ()), request.get("password")
    if request["task"] == "look":
        from ingest import first_look

        return LOOK, first_look.pack(first_look.pages_of(path))
    if request["task"] == "render":
        with member(path, inside, password) as opened:
            _limit(request, opened.form)
            return IMAGE, _picture(opened.file, opened.form, request, password)
    if request["task"] == "pictures":
        from ingest import pictures

        with member(path, inside, password) as opened:
            _limit(request, opened.form)
            found = pictures.pictures(opened.file, opened.form, int(request["most"]), password)
            return PICTURES, pictures.pack(found)
    plain, most = bool(request.get("plain")), int(request["pages"])
    pdf_info.most_pages = most
    reading = read(path, inside, password, lambda form: _limit(request, form), plain)
    if most and len(reading.pages) > most:
        raise too_many_pages(len(reading.pages), most)
    content = pack(reading)
    if len(content) > int(request["output_bytes"]):
        raise UnreadableFile(
            f"The file's text is too large ({len(content) // 1_000_000:,} MB with its places).",
            "Split the file into smaller ones.",
        )
    return READING, content


def _picture(path: Path, form: str, request: dict[str, Any], password: str | None) -> bytes:
    """Return a page of a PDF or of an image file as PNG."""
    page, dpi = int(request["page"]), float(request["dpi"])
    if form == "image":
        from ingest.ocr import render_image

        return render_image(path, page, dpi)
    if form != "pdf":
        raise UnreadableFile("Only pages of PDFs and pictures can be shown.", "Show the passage's text instead.")
    from ingest.pdf import render_page

    return render_page(path, page, dpi, password, bool(request.get("plain")))


def _send(answers: BinaryIO, kind: bytes, content: bytes) -> None:
    """Write one answer."""
    answers.write(HEADER.pack(kind, len(content)))
    answers.write(content)
    answers.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
