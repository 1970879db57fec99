"""Unpacks Zstandard files (the only file that imports backports.zstd)."""

from __future__ import annotations

from pathlib import Path
from typing import IO, cast

MARK = b"\x28\xb5\x2f\xfd"
_LARGEST_WINDOW = 27
"""Two to this power are the bytes that a file may ask to be kept in memory: 128 MB, as the usual program allows."""


class ZstandardBroken(OSError):
    """Raised for a file that can't be unpacked."""


def begins(head: bytes, size: int) -> bytes:
    """Return the first bytes that a packed file's beginning unpacks to; fewer when it is damaged."""
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

    try:
        return ZstdDecompressor(options={DecompressionParameter.window_log_max: _LARGEST_WINDOW}).decompress(head, size)
    except (ZstdError, EOFError):
        return b""


def unpacked(path: Path) -> IO[bytes]:
    """Open a packed file to be read; ZstandardBroken while it is read when it is damaged."""
    from backports.zstd import DecompressionParameter, ZstdError, ZstdFile

    class Stream(ZstdFile):
        def read(self, size: int | None = -1) -> bytes:
            try:
                return bytes(super().read(size))
            except ZstdError as error:
                raise ZstandardBroken(str(error)) from error

        def read1(self, size: int | None = -1) -> bytes:
            try:
                return bytes(super().read1(-1 if size is None else size))
            except ZstdError as error:
                raise ZstandardBroken(str(error)) from error

    options: dict[int, int] = {DecompressionParameter.window_log_max: _LARGEST_WINDOW}
    return cast("IO[bytes]", Stream(path, options=options))
