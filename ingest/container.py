"""Opens files inside files: what a container holds, and a member on disk for the time that it is read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest import pdf_salvage, zip_salvage
from ingest.elements import MAX_DEPTH, Member, Page, Reading
from ingest.errors import NoText, UnreadableFile
from ingest.flat_office import zipped
from ingest.formats import CONTAINERS, check_name, detect, read_as, unopened
from ingest.unpack import PREFIX, Unpacked, unpack

_KEPT_BYTES = 1_000_000_000
_KEPT = 16


class Shelf:
    """Keeps the containers that were unpacked last, so that a thousand members cost one unpacking."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], Unpacked] = OrderedDict()

    def get(self, key: tuple[str, ...], path: Path, form: str, password: str | None) -> Unpacked:
        """Return the container at a path, unpacked now unless it is kept under this key."""
        found = self.find(key)
        if found is not None:
            return found
        found = unpack(path, form, key[-1], password)
        if not found.entries:
            found.spool.close()  # most Office files and PDFs hold no others: they must not push out an archive
            return found
        self._kept[key] = found
        while len(self._kept) > 1 and (
            len(self._kept) > _KEPT or sum(kept.size for kept in self._kept.values()) > _KEPT_BYTES
        ):
            self._kept.popitem(last=False)[1].spool.close()
        return found

    def find(self, key: tuple[str, ...]) -> Unpacked | None:
        """Return a kept container, which then counts as the last one used."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)


_shelf = Shelf()


def read(
    path: Path,
    inside: Sequence[str] = (),
    password: str | None = None,
    found: Callable[[str], None] = lambda form: None,
    plain: bool = False,
) -> Reading:
    """Read a file, or the member of it that `inside` leads to, and list the members in it. Raises UnreadableFile.

    `found` is told the format before the file is read; `plain` is for PDFs on which their parser crashes.
    """
    with member(path, inside, password) as opened:
        form = opened.form
        found(form)
        refused: NoText | None = None
        try:
            reading = read_as(opened.file, form, password, plain)
        except NoText as error:
            if form not in CONTAINERS:
                raise
            reading, refused = Reading("", (), ()), error
        members: tuple[Member, ...] = ()
        problems: tuple[str, ...] = ()
        if form in CONTAINERS:
            members, problems = _listed(opened.file, form, opened.key, password)
        if refused is not None and not any(member.sha256 for member in members):
            raise refused
        if refused is not None:  # a portfolio's cover is often blank: what lies in it is read all the same
            problems = (f"Only the files inside were read. {refused.reason} {refused.remedy}", *problems)
        problems = (*opened.problems, *problems)
    if not reading.pages and not members:
        raise UnreadableFile(
            f"The archive holds no file that can be read. {' '.join(problems)}".strip(), "Check where it came from."
        )
    return _with(reading, form, members, problems)


def _with(reading: Reading, form: str, members: tuple[Member, ...], problems: tuple[str, ...]) -> Reading:
    """Return a reading with its format, its members and what is to be said of them."""
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
        if form in ("zip", "tar", "gz", "bz2", "xz", "zst", "7z", "mbox"):
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


@dataclass(frozen=True, slots=True)
class Opened:
    """A file to be read: where it is, its format, its key on the shelf, and what is to be said of how it was found."""

    file: Path
    form: str
    key: tuple[str, ...]
    problems: tuple[str, ...] = ()


@contextlib.contextmanager
def member(path: Path, inside: Sequence[str], password: str | None = None) -> Iterator[Opened]:
    """Give a member's file, or the file itself when `inside` is empty, for a while; a changed copy where that is needed."""
    if len(inside) > MAX_DEPTH:
        raise UnreadableFile(
            f"The file is nested more than {MAX_DEPTH} levels deep.", "Unpack the outer files and ingest it directly."
        )
    # The name comes last in a key: a packed file is named after its container.
    key: tuple[str, ...] = (f"{_stamp(path)}/{path.name}",)
    with contextlib.ExitStack() as stack:
        file, cut = path, ""
        for name in inside:
            found = _shelf.find(key)
            if found is None:
                changed, form, _ = _prepared(file, stack)
                found = _shelf.get(key, changed, _container(form), password)
            folder = Path(stack.enter_context(_folder()))
            file = _extract(found, name, folder)
            key, cut = (*key, name), found.entries[name].problem
        file, form, problems = _prepared(file, stack)
        yield Opened(file, form, key, (*([cut] if cut else []), *problems))


def _prepared(file: Path, stack: contextlib.ExitStack) -> tuple[Path, str, tuple[str, ...]]:
    """Return a file that its reader opens, its format and what is to be said: what is cut gets an end, flat
    Office files are zipped."""
    problems: tuple[str, ...] = ()
    whole = zip_salvage.salvaged(file)
    if whole is not None:
        problems = (zip_salvage.CUT.format(whole[1]),)
        given, file = file, _copy(file.name, whole[0], stack)
        if detect(file) == "zip" and check_name(given) != "zip":
            file, problems = given, ()  # the part that makes it an Office file is not whole: it is refused as damaged
    form = detect(file)
    changed: bytes | None = None
    if form == "pdf":
        found = pdf_salvage.salvaged(file)
        changed, problems = found or (None, problems)
    elif form == "zip" and (moved := zip_salvage.out_of_folder(file)) is not None:
        copy = _copy(file.name, moved, stack)
        if (inner := detect(copy)) != "zip":
            file, form = copy, inner
    elif form in ("docx", "pptx", "xlsx") and not zipfile.is_zipfile(file):
        changed = zipped(file)
    if changed is None:
        return file, form, problems
    return _copy(f"changed.{form}", changed, stack), form, problems


def _copy(name: str, content: bytes, stack: contextlib.ExitStack) -> Path:
    """Write a changed file that is there until the stack is left; of its name only the suffix is taken."""
    copy = Path(stack.enter_context(_folder())) / f"changed{Path(name).suffix.lower()[:12]}"
    copy.write_bytes(content)
    return copy


def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return a private folder for a file that is needed for a while."""
    return tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-")


def _stamp(path: Path) -> str:
    """Return what changes when the file changes."""
    try:
        found = path.stat()
    except OSError as error:
        raise unopened(error) from error
    return f"{path}:{found.st_size}:{found.st_mtime_ns}"


def _container(form: str) -> str:
    """Return the format of a container; UnreadableFile for one that holds no files."""
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
