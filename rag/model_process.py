"""Runs the language model's process: started, watched, ended when idle, never outliving its owner."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rag.errors import ModelError
from rag.hardware import total_memory
from rag.stop import LOOK_SECONDS, current

_GRACE_SECONDS = 3.0
LEAST_BYTES = 200_000_000
"""What the runtime itself and its buffers take beside the smallest model."""


class ModelProcess:
    """One process that loads a model and serves it on a loopback port.

    The process reads one JSON line (`order`) from its standard input, answers with one JSON line (`{"port": …}` or
    `{"error": …}`) when it is ready, and ends when its standard input closes.

    A thread of its own starts and owns the process: Linux ends a child that asked for PDEATHSIG when the *thread* that
    started it ends, and the threads that ask questions come and go.
    """

    def __init__(
        self, command: Sequence[str], order: Mapping[str, Any], *, idle_seconds: float, start_seconds: float
    ) -> None:
        self._command, self._order = list(command), dict(order)
        self._idle_seconds, self._start_seconds = idle_seconds, start_seconds
        self._lock = threading.Lock()
        self._ready, self._stop = threading.Event(), threading.Event()
        self._users, self._last_used, self._ended = 0, time.monotonic(), False
        self._process: subprocess.Popen[bytes] | None = None
        self._answer: dict[str, Any] = {}
        self._owner = threading.Thread(target=self._own, name="language-model", daemon=True)

    @property
    def pid(self) -> int | None:
        """Return the process id, or None when it is not running."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> int:
        """Start the process; return its port when the model is loaded, or raise ModelError; Stopped, with the process ended,
        when the question it is started for is stopped before."""
        self._owner.start()
        while not self._ready.wait(LOOK_SECONDS):
            if current().is_set:
                self.end(crashed=False)
                current().check()
        if "port" not in self._answer:
            self._owner.join()
            raise ModelError(self._answer["error"], self._answer.get("remedy", ""))
        return int(self._answer["port"])

    def enter(self) -> bool:
        """Register a user, so that the process is not ended as idle; False when it has ended."""
        with self._lock:
            if self._ended or self.pid is None:
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        """Take a user off; the idle time begins."""
        with self._lock:
            self._users -= 1
            self._last_used = time.monotonic()

    def end(self, *, crashed: bool = True) -> str:
        """End the process now and say how it ended, for a message; `crashed` when it may just be ending by itself."""
        with self._lock:
            self._ended = True
        process = self._process
        code = process.poll() if process is not None else None
        if process is not None and code is None:
            try:
                # a crash closes the connection a moment before the process can be reaped
                code = process.wait(timeout=0.5 if self._users and crashed else 0)
            except subprocess.TimeoutExpired:
                code = None
        self._stop.set()
        if self._owner.is_alive():
            self._owner.join()
        if code is None:
            return "was ended"
        return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"

    def _own(self) -> None:
        try:
            with self._running() as process:
                self._answer = self._await_answer(process)
                self._last_used = time.monotonic()
                self._ready.set()
                while "port" in self._answer and process.poll() is None and not self._idle():
                    if self._stop.wait(min(1.0, self._idle_seconds / 4)):
                        break
        except OSError as error:
            self._answer = {"error": f"The language model's process can't be started: {error}."}
        finally:
            with self._lock:
                self._ended = True
            self._ready.set()

    def _idle(self) -> bool:
        with self._lock:
            self._ended = self._users == 0 and time.monotonic() - self._last_used > self._idle_seconds
            return self._ended

    @contextmanager
    def _running(self) -> Iterator[subprocess.Popen[bytes]]:
        # its errors are dropped: what a server prints about a request may hold words of a document
        environment = {**os.environ, "GOMP_SPINCOUNT": "2000"}
        process = self._process = subprocess.Popen(
            self._command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            yield process
        finally:
            with suppress(BrokenPipeError):  # it has ended already, which is what closing asks for
                process.stdin.close()
            try:
                process.wait(timeout=_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()

    def _await_answer(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        assert process.stdin is not None and process.stdout is not None
        line = b""
        try:
            process.stdin.write(json.dumps(self._order).encode() + b"\n")
            process.stdin.flush()
            deadline = time.monotonic() + self._start_seconds
            while not line.endswith(b"\n"):
                if self._stop.is_set() or time.monotonic() > deadline:
                    process.kill()
                    return {
                        "error": f"Loading the language model took longer than {self._start_seconds:.0f} seconds.",
                        "remedy": "Close other programs, or choose a smaller model.",
                    }
                if select.select([process.stdout], [], [], 0.1)[0]:
                    block = os.read(process.stdout.fileno(), 4096)
                    if not block:
                        break
                    line += block
        except BrokenPipeError:
            pass  # it ended before it read its order; reported below
        if not line.endswith(b"\n"):
            return {
                "error": f"The language model's process ended with code {process.wait()} while loading.",
                "remedy": "The memory may be too small for this model: choose a smaller one.",
            }
        answer: dict[str, Any] = json.loads(line)
        return answer


def file_stamp(file: Path) -> tuple[int, int] | None:
    """Return what changes when a file is replaced: its size and time; None where there is none."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def check_file(file: Path, stamp: tuple[int, int] | None) -> None:
    """Raise ModelError for a model's file that is gone, or was replaced since `stamp` was taken: its digest is another one."""
    if not file.is_file():
        raise ModelError(f"The model file {file} does not exist.", "Run `readingroom models list`.")
    if file_stamp(file) != stamp:
        raise ModelError(
            f"The model file {file} was replaced since it was looked at.",
            "Run `readingroom models verify`, then start Reading Room again.",
        )


def memory_beside(file: Path, memory: int) -> int:
    """Return the bytes that a process may take beside a model's file, which it maps, of `memory` (0: all of this machine);
    raise ModelError where that is too little to begin with."""
    allowed, size = memory or total_memory(), file.stat().st_size
    if size + LEAST_BYTES > allowed:
        who = "`answer.memory_mb` allows" if memory else "this machine has"
        raise ModelError(
            f"The model {file.stem} does not fit: its file has {size / 1e6:,.0f} MB, it works with {LEAST_BYTES / 1e6:.0f} MB "
            f"or more beside it, and {who} {allowed / 1e6:,.0f} MB.",
            "Choose a smaller model or a coarser quantisation; see `readingroom models recommend`.",
        )
    return allowed - size


def die_with_thread() -> None:
    """Have the kernel end this process when the thread that started it ends."""
    set_parent_death_signal, parent = 1, os.getppid()
    ctypes.CDLL(None).prctl(set_parent_death_signal, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died before the signal was asked for
