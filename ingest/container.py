"""Opens files inside files: what a container holds, and a member on disk for the time that it is read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ingest.archive import Content, files
from ingest.elements import INSIDE, Member, Reading
from ingest.errors import UnreadableFile
from ingest.formats import CONTAINERS, detect, read_as

MAX_DEPTH = 5
_MAX_MEMBERS = 10_000
_MAX_BYTES = 1_000_000_000
_MAX_RATIO = 400
_RATIO_FROM = 50_000_000
_KEPT_BYTES = 1_000_000_000
_KEPT = 16
_PREFIX = "readingroom-"


@dataclass(frozen=True, slots=True)
class Entry:
    """One member: where it is in the spool, and why it can't be read when it can't."""

    member: Member
    offset: int
    refusal: UnreadableFile | None = None


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A container's members in an anonymous file, which is gone with this process however that ends."""

    entries: dict[str, Entry]
    problems: tuple[str, ...]
    spool: IO[bytes]
    size: int


class Shelf:
    """Keeps the containers that were unpacked last, so that a thousand members cost one unpacking."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], Unpacked] = OrderedDict()

    def get(self, key: tuple[str, ...], path: Path, form: str, password: str | None) -> Unpacked:
        """Return the container at a path, unpacked now unless it is kept under this key."""
        found = self._kept.pop(key, None) or unpack(path, form, key[-1], password)
        self._kept[key] = found
        while len(self._kept) > 1 and (
            len(self._kept) > _KEPT or sum(kept.size for kept in self._kept.values()) > _KEPT_BYTES
        ):
            self._kept.popitem(last=False)[1].spool.close()
        return found

    def find(self, key: tuple[str, ...]) -> Unpacked | None:
        """Return a kept container."""
        return self._kept.get(key)


_shelf = Shelf()


def read(
    path: Path,
    inside: Sequence[str] = (),
    password: str | None = None,
    found: Callable[[str], None] = lambda form: None,
) -> Reading:
    """Read a file, or the member of it that `inside` leads to, and list the members in it. Raises UnreadableFile.

    `found` is told the format before the file is read.
    """
    with member(path, inside, password) as (file, form, key):
        found(form)
        reading = read_as(file, form, password)
        members: tuple[Member, ...] = ()
        problems: tuple[str, ...] = ()
        if form in CONTAINERS:
            members, problems = _listed(file, form, key, password)
    if not reading.pages and not members:
        raise UnreadableFile(
            f"The archive holds no file that can be read. {' '.join(problems)}".strip(), "Check where it came from."
        )
    return _with(reading, form, members, problems)


def _with(reading: Reading, form: str, members: tuple[Member, ...], problems: tuple[str, ...]) -> Reading:
    """Return a reading with its format, its members and what is to be said of them."""
    from dataclasses import replace

    from ingest.elements import Page

    return replace(
        reading,
        pages=reading.pages or (Page(1),),
        members=(*reading.members, *members),
        problems=(*reading.problems, *problems),
        metadata={**reading.metadata, "format": form},
    )


def _listed(
    path: Path, form: str, key: tuple[str, ...], password: str | None
) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    """Return the members of a container and the problems with them; none below the deepest level."""
    try:
        found = _shelf.get(key, path, form, password)
    except UnreadableFile as error:
        if form in ("zip", "tar", "gz", "bz2", "xz", "7z", "mbox"):
            raise
        return (), (f"The files inside could not be listed: {error.reason}",)
    members = tuple(entry.member for entry in found.entries.values())
    own = {member.sha256 for member in members if member.sha256} & _ancestors(path, key, members)
    if own:
        members = tuple(member for member in members if member.sha256 not in own)
        return members, (*found.problems, "A file that contains itself was left out.")
    if members and len(key) > MAX_DEPTH:
        sentence = f"{len(members)} files inside were left out: they are nested more than {MAX_DEPTH} levels deep."
        return (), (*found.problems, sentence)
    return members, found.problems


def _ancestors(path: Path, key: tuple[str, ...], members: Sequence[Member]) -> set[str]:
    """Return the hashes of this container and those around it, as far as a member could be one of them."""
    hashes = set()
    for length in range(1, len(key)):
        around = _shelf.find(key[:length])
        if around is not None and key[length] in around.entries:
            hashes.add(around.entries[key[length]].member.sha256)
    if any(member.size == path.stat().st_size for member in members):
        hashes.add(hashlib.sha256(path.read_bytes()).hexdigest())
    return hashes


@contextlib.contextmanager
def member(
    path: Path, inside: Sequence[str], password: str | None = None
) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Give a member's file, format and key for a while; the file itself when `inside` is empty."""
    if len(inside) > MAX_DEPTH:
        raise UnreadableFile(
            f"The file is nested more than {MAX_DEPTH} levels deep.", "Unpack the outer files and ingest it directly."
        )
    # The name comes last in a key: a packed file is named after its container.
    key: tuple[str, ...] = (f"{_stamp(path)}/{path.name}",)
    with contextlib.ExitStack() as stack:
        file, form = path, ""
        for name in inside:
            found = _shelf.find(key) or _shelf.get(key, file, form or _container(file), password)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")))
            file = _extract(found, name, folder)
            key = (*key, name)
            form = ""
        yield file, form or detect(file), key


def _stamp(path: Path) -> str:
    """Return what changes when the file changes."""
    from ingest.formats import unopened

    try:
        found = path.stat()
    except OSError as error:
        raise unopened(error) from error
    return f"{path}:{found.st_size}:{found.st_mtime_ns}"


def _container(path: Path) -> str:
    """Return the format of a container; UnreadableFile for files that hold no others."""
    form = detect(path)
    if form not in CONTAINERS:
        raise UnreadableFile("There is no file inside this one.", "Ingest the file again.")
    return form


def _extract(found: Unpacked, name: str, folder: Path) -> Path:
    """Write one member to a private file, of whose name only the suffix comes from the container."""
    entry = found.entries.get(name)
    if entry is None:
        raise UnreadableFile("The file is not in its container any more.", "Ingest the container again.")
    if entry.refusal is not None:
        raise entry.refusal
    suffix = Path(name).suffix.lower()
    file = folder / f"member{suffix if re.fullmatch(r'[.][a-z0-9]{1,12}', suffix) else ''}"
    found.spool.seek(entry.offset)
    left = entry.member.size
    with file.open("wb") as written:
        while left > 0 and (piece := found.spool.read(min(left, 1 << 20))):
            written.write(piece)
            left -= len(piece)
    return file


def unpack(path: Path, form: str, name: str, password: str | None = None) -> Unpacked:
    """Unpack a container into an anonymous file, within limits; what is left out is named in `problems`."""
    sweep(Path(tempfile.gettempdir()))
    spool = tempfile.TemporaryFile(prefix=_PREFIX)  # noqa: SIM115  it lives as long as it is on the shelf
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
    except UnreadableFile as error:
        if not entries or "bomb" in error.reason:
            spool.close()
            raise
        problems.append(f"Only a part of the files inside could be unpacked: {error.reason}")
    except OSError as error:
        spool.close()
        raise UnreadableFile(
            f"There is no room to unpack the file: {error.strerror or 'input error'}.", "Free some disk space."
        ) from error
    return Unpacked(entries, tuple(problems), spool, spool.seek(0, os.SEEK_END))


def _store(spool: IO[bytes], name: str, content: Content, packed: int) -> Entry | None:
    """Append one member to the spool; None when the limit is reached, a damaged member becomes one with a refusal."""
    assert not isinstance(content, UnreadableFile)
    start = spool.seek(0, os.SEEK_END)
    digest = hashlib.sha256()
    size = 0
    pieces = iter(content)
    while True:
        try:
            piece = next(pieces, None)
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
    return Entry(Member(name, size, digest.hexdigest()), start)


def _contents(path: Path, form: str, name: str, password: str | None) -> Iterator[tuple[str, Content]]:
    """Yield (name, content) of the members of any container."""
    if form in ("eml", "msg", "mbox"):
        from ingest.mail import attachments, messages

        yield from messages(path) if form == "mbox" else attachments(path, form)
    elif form in ("docx", "pptx", "xlsx"):
        from ingest.ooxml import embedded

        yield from embedded(path)
    elif form == "pdf":
        from ingest.pdf_info import attachments as attached

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
    for left in folder.glob(f"{_PREFIX}*-*"):
        owner = re.match(rf"{_PREFIX}(\d+)-", left.name)
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
