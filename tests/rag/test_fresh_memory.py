"""What the process had in its memory does not get into the files of the vector index."""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path

import numpy as np
import pytest

from rag.fresh_memory import fresh_memory
from rag.vectors import VectorIndex

MARKER = b"Quillfeathering "
SIZES = (170_000,) * 6 + (400_000,) * 4 + (60_000,) * 20
THREADS = 40
"""More than the allocator has arenas for two cores: each gets such memory."""


def _freed_text() -> None:
    """Fill memory with a marker and free it, with small pieces between that stay, so that it is given out again."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    libc.free(libc.malloc(8 << 20))  # from now on such sizes come from the heap
    all_have = threading.Barrier(THREADS)

    def fill() -> None:
        all_have.wait()
        held = []
        for size in SIZES:
            held.append(libc.malloc(size))
            ctypes.memmove(held[-1], (MARKER * (size // len(MARKER))), size // len(MARKER) * len(MARKER))
            libc.malloc(5000)
        all_have.wait()
        for place in held:
            libc.free(place)

    threads = [threading.Thread(target=fill) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_files_of_the_index_hold_no_freed_text(tmp_path: Path) -> None:
    """A new index keeps room for vectors that are not there yet; nothing else stands in it."""
    index = VectorIndex(tmp_path, "e")
    assert index.count("c") == 0
    _freed_text()
    index.add("c", ["a"], np.ones((1, 384), dtype=np.float32))
    assert index.nearest("c", np.ones(384, dtype=np.float32), 1)[0][0] == "a"
    index.close()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(file.name == "data_level0.bin" and file.stat().st_size > 100_000 for file in files)
    assert [file.name for file in files if MARKER in file.read_bytes()] == []


def test_calls_may_stand_in_each_other() -> None:
    """What is given out inside is zeros, also behind an inner call, and errors end it, too."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )

    @fresh_memory
    def empty() -> bool:
        place = libc.malloc(70_000)
        found = ctypes.string_at(place, 70_000)
        libc.free(place)
        return found == bytes(70_000)

    @fresh_memory
    def twice() -> bool:
        return empty() and empty()

    @fresh_memory
    def fails() -> None:
        raise ValueError("inside")

    _freed_text()
    assert twice()
    with pytest.raises(ValueError, match="inside"):
        fails()
    assert empty()
