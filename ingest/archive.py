"""Yields the files in ZIP, TAR and 7Z archives and in single files packed with gzip, bzip2, xz or Zstandard."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ingest.errors import UnreadableFile, is_ours
from ingest.zstandard import MARK, unpacked

Content = Iterable[bytes] | UnreadableFile
"""A file's bytes in pieces, or why they can't be had."""

BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, OSError,  # damaged bytes; bz2 has OSError
    NotImplementedError, RuntimeError,  # a method that is not known; a part that is encrypted
    KeyError, ValueError,  # a part that is not there; a name or a place that can't be
)  # fmt: skip
"""What zipfile and the standard library's decompressors raise for damaged files."""

_PIECE = 1 << 20
_LOCKED = UnreadableFile(
    "The file in the archive is encrypted and needs a password.", "Unpack it with its password and ingest the file."
)
_DAMAGED = UnreadableFile("The file in the archive is damaged.", "Get a good copy of the archive.")
_CUT = "The packed file is cut or damaged: only what could be unpacked before that place ({:,} bytes) was read."
_OUTSIDE = UnreadableFile(
    "The file's name leads out of the archive, as in a hostile one.", "Do not unpack it; ask for a good copy."
)
_JUNK = {"thumbs.db", "desktop.ini"}


def files(path: Path, form: str, name: str) -> Iterator[tuple[str, Content]]:
    """Yield (name, content) of each file in an archive; hidden files, folders and links are left out.

    `form` is one of zip, tar, 7z, gz, bz2, xz, zst; `name` is what the archive is called. A content must be consumed before
    the next is asked for. Raises UnreadableFile when the archive itself is damaged.
    """
    readers: dict[str, Callable[[], Iterator[tuple[str, Content]]]] = {
        "zip": lambda: _zip(path),
        "tar": lambda: _tar(path),
        "7z": lambda: _seven(path),
    }
    try:
        yield from readers.get(form, lambda: _packed(path, form, name))()
    except (tarfile.TarError, *BROKEN) as error:
        if is_ours(error):
            raise
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # EINVAL: it leads out of the file
            from ingest.formats import unopened

            raise unopened(error) from error
        raise damaged(form) from error


def damaged(form: str) -> UnreadableFile:
    """Return the error for an archive that can't be unpacked."""
    kind = {"gz": "gzip file", "bz2": "bzip2 file", "xz": "xz file", "zst": "Zstandard file"}.get(
        form, f"{form.upper()} archive"
    )
    return UnreadableFile(f"The {kind} is damaged: it can't be unpacked.", "Get a good copy, or pack it again.")


class CutShort(UnreadableFile):
    """Raised behind the pieces of a packed file that could be unpacked, when others can't be."""


def wanted(name: str) -> bool:
    """Say whether a file in an archive is a document of someone's: not hidden, no lock file, no system file."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[-1].lower() in _JUNK or parts[-1].startswith("~$"):
        return False
    return not any(part == "__MACOSX" or (part.startswith(".") and part.strip(".")) for part in parts)


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what is left of a stream; UnreadableFile when it is damaged."""
    try:
        while piece := stream.read(_PIECE):
            yield piece
    except (tarfile.TarError, *BROKEN) as error:
        raise _DAMAGED from error


def _to_the_cut(stream: Any) -> Iterator[bytes]:
    """Yield what is left of a packed file, as far as it can be unpacked: `read1` gives what is there, where `read` wants all or
    nothing. CutShort when there is more that can't be; UnreadableFile when nothing can."""
    size = 0
    try:
        while piece := stream.read1(_PIECE):
            size += len(piece)
            yield piece
    except BROKEN as error:
        raise (CutShort(_CUT.format(size), _DAMAGED.remedy) if size else _DAMAGED) from error


def _zip(path: Path) -> Iterator[tuple[str, Content]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir() or not wanted(name := _zip_name(member)):
                continue
            if member.flag_bits & 1:
                yield name, _LOCKED
                continue
            try:
                stream = archive.open(member)
            except BROKEN:
                yield name, _DAMAGED
                continue
            with stream:
                yield name, _pieces(stream)


def _zip_name(member: zipfile.ZipInfo) -> str:
    """Return a member's name; names without the UTF-8 flag are tried as UTF-8 before the old code page."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:  # it is in the old code page, as zipfile took it to be
        return member.filename


class _Header(tarfile.TarInfo):
    """A header that must be whole: tarfile takes a damaged one for the archive's end, and loses all files after it."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Header:
        try:
            return super().fromtarfile(archive)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from error


def _tar(path: Path) -> Iterator[tuple[str, Content]]:
    with path.open("rb") as file:
        packed = file.read(4) == MARK
    with (
        unpacked(path) if packed else path.open("rb") as source,
        tarfile.open(fileobj=source, mode="r|*", tarinfo=_Header) as archive,  # a stream: nothing is unpacked twice
    ):
        for member in archive:
            if not member.isreg() or not wanted(member.name):
                continue
            stream = archive.extractfile(member)
            yield member.name, _pieces(stream) if stream is not None else _DAMAGED


def _packed(path: Path, form: str, name: str) -> Iterator[tuple[str, Content]]:
    with path.open("rb") as file:
        head = file.read(4096)
    plain = PurePosixPath(name).name
    suffix = PurePosixPath(plain).suffix.lower().lstrip(".")
    stem = plain[: -len(suffix) - 1] if suffix in ("gz", "bz2", "xz", "zst", "zstd", "gzip", "z") else plain
    opener: dict[str, Callable[[], Any]] = {
        "gz": lambda: gzip.open(path),  # noqa: SIM115  opened by the with statement below
        "bz2": lambda: bz2.open(path),  # noqa: SIM115
        "xz": lambda: lzma.open(path),  # noqa: SIM115
        "zst": lambda: unpacked(path),
    }
    with opener[form]() as stream:
        yield (_gzip_name(head) if form == "gz" else None) or stem or "file", _to_the_cut(stream)


def _gzip_name(head: bytes) -> str | None:
    """Return the name that a gzip file's header holds."""
    if len(head) < 11 or not head[3] & 8:
        return None
    at = 10
    if head[3] & 4:
        at += 2 + int.from_bytes(head[10:12], "little")
    name = head[at : at + 300].split(b"\x00", 1)[0].decode("latin-1", "replace")
    return PurePosixPath(name.replace("\\", "/")).name or None


class _Sink(io.BytesIO):
    """Where py7zr writes one member; refuses to grow beyond what the archive's list of contents announces."""

    def __init__(self, announced: int) -> None:
        super().__init__()
        self._announced = announced

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._announced:
            raise lzma.LZMAError("more data than announced")
        return super().write(data)

    def size(self) -> int:
        return len(self.getbuffer())

    def close(self) -> None:
        """Stay open: py7zr closes what it has written, and it is read afterwards."""


def _seven(path: Path) -> Iterator[tuple[str, Content]]:
    import py7zr  # LGPL, imported and not changed; needed for 7Z archives only
    from py7zr.exceptions import ArchiveError

    try:
        with py7zr.SevenZipFile(path) as archive:
            listed = [found for found in archive.list() if not found.is_directory and wanted(found.filename)]
            if archive.needs_password():
                yield from ((found.filename, _LOCKED) for found in listed)
                return
    except py7zr.PasswordRequired as error:
        raise UnreadableFile(_LOCKED.reason.replace("file in the ", ""), _LOCKED.remedy) from error
    except (ArchiveError, TypeError, AttributeError) as error:
        if is_ours(error):
            raise
        raise damaged("7z") from error
    from ingest.formats import refuse_bomb

    refuse_bomb(len(listed), sum(found.uncompressed for found in listed), path.stat().st_size)
    sizes = {found.filename: found.uncompressed for found in listed}
    outside = [name for name in sizes if name.startswith("/") or ".." in PurePosixPath(name.replace("\\", "/")).parts]
    yield from ((name, _OUTSIDE) for name in outside)  # py7zr refuses all files of an archive for the sake of these
    yield from _seven_contents(path, {name: size for name, size in sizes.items() if name not in outside})


def _seven_contents(path: Path, sizes: dict[str, int]) -> Iterator[tuple[str, Content]]:
    """Yield members in batches of some 100 MB, so that memory stays bounded and few are unpacked twice."""
    import py7zr
    from py7zr.exceptions import ArchiveError
    from py7zr.io import WriterFactory

    sinks: dict[str, _Sink] = {}

    class Factory(WriterFactory):
        def create(self, filename: str) -> Any:
            sinks[filename] = _Sink(sizes.get(filename, 0))
            return sinks[filename]

    names = list(sizes)
    while names:
        batch, total = [names.pop(0)], 0
        while names and (total := total + sizes[batch[-1]]) < 100_000_000:
            batch.append(names.pop(0))
        sinks.clear()
        try:
            with py7zr.SevenZipFile(path) as archive:
                archive.extract(targets=batch, factory=Factory())
        except (ArchiveError, TypeError, AttributeError) as error:
            if is_ours(error):
                raise
            raise damaged("7z") from error
        for name in batch:
            yield name, [sinks[name].getvalue()] if name in sinks else _DAMAGED
