"""Unpacks a container of any kind into an anonymous file, within limits of number, size and ratio."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from ingest.archive import Content, CutShort, files
from ingest.elements import INSIDE, Member
from ingest.errors import UnreadableFile
from ingest.formats import unopened

PREFIX = "readingroom-"
"""What the names of temporary files begin with; the number of the process follows."""

_MAX_MEMBERS = 10_000
_MAX_BYTES = 1_000_000_000
_MAX_RATIO = 400
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_RATIO_FROM = 50_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One member: where it is in the spool, why it can't be read when it can't, and what is to be said of it."""

    member: Member
    offset: int
    refusal: UnreadableFile | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A container's members in an anonymous file, which is gone with this process however that ends."""

    entries: dict[str, Entry]
    problems: tuple[str, ...]
    spool: IO[bytes]
    size: int


def unpack(path: Path, form: str, name: str, password: str | None = None) -> Unpacked:
    """Unpack a container into an anonymous file, within limits; what is left out is named in `problems`."""
    _sweep_once(Path(tempfile.gettempdir()))
    spool = tempfile.TemporaryFile(prefix=PREFIX)  # noqa: SIM115  it lives as long as it is on the shelf
    entries: dict[str, Entry] = {}
    problems: list[str] = []
    packed = path.stat().st_size
    try:
        for label, content in _contents(path, form, name.rsplit("/", 1)[-1], password):
            if len(entries) >= _MAX_MEMBERS:
                problems.append(
                    f"Only the first {_MAX_MEMBERS:,} files inside were read: unpack it to read the others."
                )
                break
            unique = _unique(label, entries)
            if isinstance(content, UnreadableFile):
                entries[unique] = Entry(Member(unique, 0, ""), 0, content)
                continue
            entry = _store(spool, unique, content, packed)
            if entry is None:
                problems.append(
                    f"Files inside were left out after {_MAX_BYTES // 1_000_000:,} MB: unpack it to read the others."
                )
                break
            entries[unique] = entry
            problems += [entry.problem] if entry.problem else []
    except UnreadableFile as error:
        if not entries or "bomb" in error.reason:
            spool.close()
            raise
        problems.append(f"Only a part of the files inside could be unpacked: {error.reason} {error.remedy}")
    except OSError as error:
        spool.close()
        if error.errno not in _FULL:
            raise unopened(error) from error
        raise UnreadableFile(
            f"There is no room to unpack the file: {error.strerror}.", "Free some disk space."
        ) from error
    return Unpacked(entries, tuple(problems), spool, spool.seek(0, os.SEEK_END))


def _store(spool: IO[bytes], name: str, content: Content, packed: int) -> Entry | None:
    """Append one member to the spool; None when the limit is reached, a damaged member becomes one with a refusal."""
    assert not isinstance(content, UnreadableFile)
    start = spool.seek(0, os.SEEK_END)
    digest = hashlib.sha256()
    size, problem = 0, ""
    pieces = iter(content)
    while True:
        try:
            piece = next(pieces, None)
        except CutShort as cut:
            problem = f"{cut.reason} {cut.remedy}"
            break
        except UnreadableFile as refusal:
            spool.truncate(start)
            return Entry(Member(name, 0, ""), 0, refusal)
        if piece is None:
            break
        size += len(piece)
        total = start + size
        if total > _RATIO_FROM and total > _MAX_RATIO * packed:
            raise UnreadableFile(
                "The file unpacks to far more data than it holds (a decompression bomb?).", "Do not open it."
            )
        if total > _MAX_BYTES:
            spool.truncate(start)
            return None
        digest.update(piece)
        spool.write(piece)
    return Entry(Member(name, size, digest.hexdigest()), start, problem=problem)


def _contents(path: Path, form: str, name: str, password: str | None) -> Iterator[tuple[str, Content]]:
    """Yield (name, content) of the members of any container."""
    if form in ("eml", "msg", "mbox"):
        from ingest.mail import attachments
        from ingest.mailbox import messages

        yield from messages(path) if form == "mbox" else attachments(path, form)
    elif form in ("docx", "pptx", "xlsx"):
        from ingest.ooxml import embedded

        yield from embedded(path)
    elif form in ("odt", "ods", "odp"):
        from ingest.opendocument_parts import embedded as objects

        yield from objects(path)
    elif form == "pdf":
        from ingest.pdf_objects import attachments as attached

        yield from attached(path, password)
    else:
        yield from files(path, form, name)


def _unique(label: str, taken: dict[str, Entry]) -> str:
    """Return a harmless name that no other member has: no way out of a folder, no control characters."""
    parts = [
        " ".join(re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", " ", part).split()) for part in re.split(r"[/\\]+", label)
    ]
    parts = [part[:120] + Path(part).suffix[:12] if len(part) > 130 else part for part in parts]
    if parts and re.fullmatch(r"[A-Za-z]:", parts[0]):
        parts = parts[1:]
    name = "/".join(part for part in parts[-12:] if part.strip(".")).replace(INSIDE, " - ") or "file"
    unique, number = name, 1
    while unique in taken:
        number += 1
        stem, dot, suffix = name.rpartition(".")
        unique = f"{stem} ({number}){dot}{suffix}" if dot and "/" not in suffix else f"{name} ({number})"
    return unique


def sweep(folder: Path) -> None:
    """Remove what readers that were killed left behind in the folder of temporary files."""
    for left in folder.glob(f"{PREFIX}*-*"):
        owner = re.match(rf"{PREFIX}(\d+)-", left.name)
        if owner and not _alive(int(owner[1])):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    """Say whether a process exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


_sweep_once = cache(sweep)
