"""Takes one file through fingerprint, reading and splitting."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.describe import Described, Describing
from ingest.describer import Describer
from ingest.elements import Reading
from ingest.errors import NO_TEXT_IN_PDF, NO_TEXT_IN_PICTURE, VANISHED, UnreadableFile
from ingest.facets import facets
from ingest.language import language
from ingest.ports import Chunk, Copied, Embedder, Known, Outcome, Seen, Task, Unchanged, Version
from ingest.split import COUNTED_AT_ONCE, SPLITTER, split

UNLISTED = "The folder can't be listed."
"""Why a folder is among the files that failed: what is below it may still be there."""

_LONG_PATH = "The path is longer than the system allows, so what is there can't be opened."


@dataclass(frozen=True, slots=True)
class Recipe:
    """What every file is read with. `parser` names the parsers' versions; files above `max_bytes` are refused. `describer`
    describes at most so many pictures of a file (`most_pictures`)."""

    parser: str
    embedder: Embedder
    max_bytes: int
    describer: Describer | None = None
    most_pictures: int = 0

    @property
    def fingerprint(self) -> str:
        """Which reader and splitter made a version: another one makes another version of the same bytes."""
        described = f"+pictures-{self.most_pictures}-{self.describer.name}" if self.describer else ""
        return f"{self.parser}+{SPLITTER}{described}"


class Failed(Exception):
    """Raised with the UnreadableFile, how the file was seen, and the version that can't be made of it."""

    def __init__(self, error: UnreadableFile, seen: Seen | None, tried: str) -> None:
        super().__init__(str(error))
        self.error, self.seen, self.tried = error, seen, tried


def prepare(
    task: Task,
    document_id: str,
    known: Known | None,
    read: Callable[[Path, Sequence[str]], Reading],
    recipe: Recipe,
    has_version: Callable[[str, str], bool] = lambda version, but: False,
    describing: Describing | None = None,
) -> Outcome:
    """Return what the catalog has to do for one file; raise Failed.

    Its SHA-256 decides: the version that the document has already, or has failed with, is Unchanged; one that another
    document has is Copied; anything else is read and split. A version that lacks descriptions which another time there may be is
    one of its own, so that the file is read again the next time.
    """
    seen, tried, by = None, "", recipe.fingerprint
    try:
        before = _look(Path(task.source), recipe.max_bytes)
        seen = Seen(before.st_size, before.st_mtime_ns)
        digest = task.sha256 or ("" if task.inside else _sha256(Path(task.source)))
        tried = version_of(digest, recipe.fingerprint, task.path) if digest else ""
        if known and tried and tried == known.tried:
            return Unchanged(seen)
        if tried and has_version(tried, document_id):
            return Copied(tried, seen)
        reading, described, refused = _read(task, read, describing)
        if described and described.lacking:
            by = f"{recipe.fingerprint} without {described.lacking[:16]}"
            tried = version_of(digest, by, task.path) if digest and refused is None else ""
        if refused is not None:
            raise refused
        if _identity(_look(Path(task.source), recipe.max_bytes)) != _identity(before):
            changed, tried = "The file changed while it was read.", ""
            raise UnreadableFile(changed, "Ingest it again when nothing writes to it.", again=True)
    except UnreadableFile as error:
        if seen is not None and not os.path.lexists(task.source):  # whatever its reader made of that
            raise Failed(UnreadableFile(*VANISHED, gone=True), seen, "") from error
        raise Failed(error, seen, tried) from error
    shown = reading.shown  # hidden text has no say in what a document is
    if code := language(shown):
        reading.metadata["language"] = code
    reading.metadata.update(facets(replace(reading, text=shown, elements=()), task.path))
    chunks = split(reading, recipe.embedder.count)
    kind = reading.metadata.get("format", Path(task.path).suffix.lstrip(".").lower())
    return Version(
        document_id,
        tried,
        digest,
        kind,
        seen,
        by,
        reading,
        chunks,
        _beyond(reading.text, chunks, recipe),
        described.pictures if described else (),
    )


def has_to_be_read(
    task: Task, document_id: str, known: Known | None, recipe: Recipe, has_version: Callable[[str, str], bool]
) -> bool:
    """Say whether a file on disk has content that is not known yet, or raise UnreadableFile."""
    _look(Path(task.source), recipe.max_bytes)
    version = version_of(_sha256(Path(task.source)), recipe.fingerprint, task.path)
    return not (known and version == known.tried) and not has_version(version, document_id)


def _read(
    task: Task, read: Callable[[Path, Sequence[str]], Reading], describing: Describing | None
) -> tuple[Reading, Described | None, UnreadableFile | None]:
    """Return what a file says, with descriptions of its pictures where they are wanted. The error is that of a file which has
    nothing but pictures that nobody could describe."""
    refused = None
    try:
        reading = read(Path(task.source), task.inside)
    except UnreadableFile as error:
        if describing is None or error.reason not in (NO_TEXT_IN_PDF, NO_TEXT_IN_PICTURE):
            raise
        reading, refused = Reading("", (), ()), error
    if describing is None:
        return reading, None, None
    described = describing.add_to(reading, Path(task.source), task.inside)
    if refused is not None and described.reading.text:
        refused = None
    elif refused is not None:
        refused = UnreadableFile(refused.reason, " ".join([refused.remedy, *described.reading.problems]))
    return described.reading, described, refused


def version_of(digest: str, fingerprint: str, path: str) -> str:
    """Return a version's identity: the file's bytes, what reads them, and the suffix, which chooses how they are read."""
    return hashlib.sha256(f"{digest}\0{fingerprint}\0{Path(path).suffix.lower()}".encode()).hexdigest()[:24]


def embedded_text(context: str, body: str) -> str:
    """Return what is embedded for a chunk."""
    return f"{context}\n{body}" if context else body


def _beyond(text: str, chunks: tuple[Chunk, ...], recipe: Recipe) -> int:
    beyond = 0
    for at in range(0, len(chunks), COUNTED_AT_ONCE):
        some = chunks[at : at + COUNTED_AT_ONCE]
        counts = recipe.embedder.count([embedded_text(c.context, text[c.start : c.end]) for c in some])
        beyond += sum(max(0, count - recipe.embedder.max_tokens) for count in counts)
    return beyond


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _look(path: Path, max_bytes: int) -> os.stat_result:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            raise UnreadableFile("This is a link to a file that does not exist.", "Remove or mend the link.") from error
        raise UnreadableFile(*VANISHED, gone=True) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnreadableFile("This is a link that leads to itself.", "Remove or mend the link.") from error
        if error.errno == errno.ENAMETOOLONG:
            raise UnreadableFile(_LONG_PATH, "Shorten the names of the folders that it is in, or move it.") from error
        raise UnreadableFile(f"The file can't be opened: {error.strerror}.", "Check its permissions.") from error
    if stat.S_ISDIR(found.st_mode):
        raise UnreadableFile(UNLISTED, "Check its permissions; what is known below it is kept.")
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableFile("This is not a regular file.", "Leave pipes, sockets and devices out of the folder.")
    if found.st_size > max_bytes:
        raise UnreadableFile(
            f"The file has {found.st_size / 1e6:,.1f} MB, the limit is {max_bytes / 1e6:,g} MB.",
            "Raise `ingest.max_file_mb` in config.yaml or split the file.",
        )
    return found


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise UnreadableFile(*VANISHED, gone=True) from error
    except OSError as error:
        raise UnreadableFile(f"The file can't be opened: {error.strerror}.", "Check its permissions.") from error
