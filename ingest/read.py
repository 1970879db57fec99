"""Reads files in a child process with limits on time, memory and output, so that a bad file costs only itself."""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ingest import child, first_look
from ingest.elements import Reading
from ingest.errors import UnreadableFile
from ingest.formats import check_name
from ingest.pictures import Pictures
from ingest.pictures import unpack as unpack_pictures
from ingest.wire import unpack

_READER = 14
"""Raise when the same file gives another text, so that documents are read again."""

_VENDORS = "liteparse pypdf pypdfium2 rapidocr unstructured trafilatura striprtf xlrd openpyxl python-docx python-pptx"

PARSER: str = " ".join([f"reader-{_READER}", *(f"{name}-{version(name)}" for name in _VENDORS.split())])
"""Which parsers read a document; a part of its version's identity."""

_SMALLER = "Split the file into smaller ones."
_LONGER = f"{_SMALLER} Or raise `ingest.seconds_per_file` in config.yaml and run `readingroom retry`."
_ROOMIER = _LONGER.replace("seconds_per_file", "memory_mb")
_CHUNK, _TAIL = 1 << 20, 4096
_LONG = 16 << 20
"""Bytes of an answer after which the child is started anew: some 2,000 pages."""
_LONGEST = 200
"""A file with many pages to read by OCR may take so many times the seconds of a file: each page read starts them anew."""

_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
_Answer = TypeVar("_Answer")
_NO_MEMORY = (b"memory allocation of", b"bad_alloc", b"MemoryError", b"Cannot allocate memory", b"out of memory")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost: seconds of waiting, bytes of memory and of the answer, pages (0: any number)."""

    seconds: float = 120.0
    memory_bytes: int = 2_000_000_000
    output_bytes: int = 200_000_000
    pages: int = 0


class ReaderCrashed(UnreadableFile):
    """A parser's native code crashed on a file; PDFs have a second, plainer way."""


class Reader:
    """Reads files through one child process, started at the first file and again after a file that killed it.

    `command` starts the child: an entry that calls `ingest.child.main` with the last argument, this process's id.
    One caller at a time; others wait. `temporary` is the folder for its temporary files.
    """

    def __init__(self, command: Sequence[str], limits: Limits = Limits(), temporary: Path | None = None) -> None:
        self._command = list(command)
        self._limits = limits
        self._environment = {**os.environ, "TMPDIR": str(temporary)} if temporary else None
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._tail = b""
        # Linux kills the child when the thread that started it ends, so one thread starts them all and stays.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")

    def read(self, path: Path, inside: Sequence[str] = (), password: str | None = None) -> Reading:
        """Return what a file, or a member inside it, says. UnreadableFile: why it can't be read, and what to do."""
        return self._answer(child.READING, unpack, path, task="read", inside=list(inside), password=password)

    def look(self, path: Path) -> list[str]:
        """Return the plain text of a PDF's pages: see `ingest.first_look`. UnreadableFile when it can't be had."""
        return self._answer(child.LOOK, first_look.unpack, path, task="look")

    def render(
        self, path: Path, page: int, dpi: float, inside: Sequence[str] = (), password: str | None = None
    ) -> bytes:
        """Return a page (from 1) of a PDF as PNG. UnreadableFile when the file has no such page."""
        asked = {"task": "render", "inside": list(inside), "page": page, "dpi": dpi, "password": password}
        return self._answer(child.IMAGE, bytes, path, **asked)

    def pictures(self, path: Path, most: int, inside: Sequence[str] = (), password: str | None = None) -> Pictures:
        """Return the first pictures of a file that a model may describe. UnreadableFile when they can't be had."""
        asked = {"task": "pictures", "inside": list(inside), "most": most, "password": password}
        return self._answer(child.PICTURES, unpack_pictures, path, **asked)

    def _answer(self, wanted: bytes, unpacked: Callable[[bytearray], _Answer], path: Path, **asked: Any) -> _Answer:
        """Return what the child answers to one request, unpacked."""
        check_name(path)
        kind, content = self._ask({"path": str(path.absolute()), **asked})
        if kind != wanted:
            raise self._broken()
        try:
            return unpacked(content)
        except (ValueError, KeyError, TypeError) as error:
            raise self._broken() from error

    def interrupt(self) -> None:
        """End the child while another thread waits for it: that thread's call raises UnreadableFile."""
        running = self._child
        if running is not None and running.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
                os.killpg(running.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._stop()
            self._starter.shutdown()

    def _ask(self, request: dict[str, Any]) -> tuple[bytes, bytearray]:
        """Send one request; return the answer's kind and content, or raise what it reports."""
        try:
            return self._ask_once(request)
        except ReaderCrashed:
            if request["task"] == "look":
                raise
            return self._ask_once(request | {"plain": True})

    def _ask_once(self, request: dict[str, Any]) -> tuple[bytes, bytearray]:
        """Send one request, without a second try."""
        seconds = min(self._limits.seconds, 2 * first_look.SECONDS if request["task"] == "look" else math.inf)
        request |= asdict(self._limits) | {"seconds": seconds}
        with self._lock:
            kind, content = self._exchange(json.dumps(request).encode("ascii") + b"\n", seconds)
        if kind == child.REFUSED:
            refusal = json.loads(content)
            raise UnreadableFile(refusal["reason"], refusal["remedy"])
        if kind == child.NO_MEMORY:
            raise self._out_of_memory()
        if kind == child.FAILED:
            raise UnreadableFile(
                f"The reader failed on this file ({content.decode('ascii', 'replace')[:80]}).",
                "Save it again in the program it comes from, or export it in another format, and report it as a bug.",
            )
        return kind, content

    def _exchange(self, line: bytes, seconds: float) -> tuple[bytes, bytearray]:
        """Send a line to the child and return its answer; a child that fails is ended and its failure raised."""
        running = self._running()
        assert running.stdin is not None
        try:
            os.write(running.stdin.fileno(), line)
        except BrokenPipeError:
            # It ended between two files (its parent's thread, an operator): that is not this file's fault.
            self._stop()
            running = self._running()
            assert running.stdin is not None
            try:
                os.write(running.stdin.fileno(), line)
            except BrokenPipeError:
                self._died(running)
        kind, content = self._receive(running, seconds)
        if kind == child.NO_MEMORY or len(content) > _LONG:
            self._stop()  # after a long document it holds 200 MB, while this process splits what it read
        return kind, content

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the child, started when there is none."""
        if self._child is not None and self._child.poll() is not None:
            self._stop()
        if self._child is None:
            self._tail = b""
            self._child = self._starter.submit(self._start).result()
        return self._child

    def _start(self) -> subprocess.Popen[bytes]:
        """Start a child in a session of its own, so that Ctrl-C reaches only the parent, which then ends it."""
        return subprocess.Popen(
            [*self._command, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=self._environment,
            start_new_session=True,
        )

    def _receive(self, running: subprocess.Popen[bytes], seconds: float) -> tuple[bytes, bytearray]:
        """Return one answer, read while standard error is drained."""
        started = time.monotonic()
        deadline = started + seconds
        got = bytearray()
        wanted = child.HEADER.size
        assert running.stdout is not None and running.stderr is not None
        with selectors.DefaultSelector() as selector:
            selector.register(running.stdout, selectors.EVENT_READ)
            selector.register(running.stderr, selectors.EVENT_READ)
            while len(got) < wanted:
                got += self._more(running, selector, deadline)
                while got[:1] == child.BUSY and len(got) >= child.HEADER.size and wanted == child.HEADER.size:
                    del got[: child.HEADER.size]
                    deadline = min(time.monotonic() + seconds, started + _LONGEST * seconds)
                if wanted == child.HEADER.size and len(got) >= wanted:
                    wanted += self._length(got)
        kind = bytes(got[:1])
        del got[: child.HEADER.size]  # in place: the answer for a long document is large
        return kind, got

    def _more(self, running: subprocess.Popen[bytes], selector: selectors.BaseSelector, deadline: float) -> bytes:
        """Return what the child has written by now, nothing when that went to standard error."""
        assert running.stdout is not None and running.stderr is not None
        ready = selector.select(max(0.0, deadline - time.monotonic()))
        if not ready and time.monotonic() >= deadline:
            self._stop()
            raise UnreadableFile(f"Reading took longer than {self._limits.seconds:g} s.", _LONGER)
        piece = b""
        for key, _ in ready:
            if key.fileobj is running.stderr:
                self._drain(selector, running.stderr.fileno(), key.fileobj)
                continue
            piece = os.read(running.stdout.fileno(), _CHUNK)
            if not piece:
                self._died(running)
        return piece

    def _drain(self, selector: selectors.BaseSelector, descriptor: int, registered: Any) -> None:
        """Keep the end of what the child prints: only searched for signs of exhausted memory, never shown or logged."""
        printed = os.read(descriptor, 65536)
        if not printed:
            selector.unregister(registered)
        self._tail = (self._tail + printed)[-_TAIL:]

    def _length(self, got: bytearray) -> int:
        """Return the length of the answer's content; end the child when it is more than allowed."""
        kind, length = child.HEADER.unpack(bytes(got[: child.HEADER.size]))
        if kind not in (
            child.READING,
            child.LOOK,
            child.IMAGE,
            child.PICTURES,
            child.REFUSED,
            child.NO_MEMORY,
            child.FAILED,
        ):
            self._stop()
            raise self._broken()
        if length > self._limits.output_bytes:
            self._stop()
            raise UnreadableFile(f"The file's text is too large ({length // 1_000_000:,} MB).", _SMALLER)
        return int(length)

    def _died(self, running: subprocess.Popen[bytes]) -> NoReturn:
        """Raise the reason why the child ended in the middle of a file."""
        status = running.wait()
        assert running.stderr is not None
        os.set_blocking(running.stderr.fileno(), False)
        self._tail = (self._tail + (running.stderr.read(65536) or b""))[-_TAIL:]
        tail = self._tail
        self._stop()
        if any(sign in tail for sign in _NO_MEMORY):
            raise self._out_of_memory()
        if status == -signal.SIGKILL:
            killed = "The reader was killed, most likely because the machine ran out of memory."
            raise UnreadableFile(killed, _SMALLER, again=True)
        if status == -signal.SIGXCPU:
            raise UnreadableFile(f"Reading took longer than {self._limits.seconds:g} s of processor time.", _LONGER)
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise (ReaderCrashed if -status in _CRASHES else UnreadableFile)(
            f"The reader crashed on this file ({how}).",
            "The file may be damaged: save it again, or export it in another format.",
            again=True,
        )

    def _out_of_memory(self) -> UnreadableFile:
        """Return the error for a file that needs more memory than it may have."""
        return UnreadableFile(
            f"The reader ran out of memory on this file (limit {self._limits.memory_bytes / 1e9:g} GB).", _ROOMIER
        )

    def _broken(self) -> UnreadableFile:
        """Return the error for an answer that is none."""
        return UnreadableFile("The reader gave no usable answer for this file.", "Report this file as a bug.")

    def _stop(self) -> None:
        """End the child and everything in its session, at once."""
        running, self._child = self._child, None
        if running is None:
            return
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        for stream in (running.stdin, running.stdout, running.stderr):
            if stream is not None:
                stream.close()
