"""Takes one file through fingerprint, reading and splitting."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import UnreadableFile
from ingest.language import language
from ingest.ports import Embedder, FileReader, Known, Version
from ingest.split import SPLITTER, split


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The file is the one that the catalog knows."""

    size: int
    modified_ns: int


def prepare(
    path: Path,
    document_id: str,
    known: Known | None,
    reader: FileReader,
    parser: str,
    embedder: Embedder,
    max_bytes: int,
) -> Version | Unchanged:
    """Return the file's version, or Unchanged when the catalog has it. Raise UnreadableFile with reason and remedy.

    The same size and time of change, read by the same reader, count as unchanged without opening the file; otherwise
    its SHA-256 decides.
    """
    fingerprint = f"{parser}+{SPLITTER}"
    size, modified_ns = _look(path, max_bytes)
    healthy = known is not None and known.state != "failed" and known.reader == fingerprint
    if known and healthy and (known.size, known.modified_ns) == (size, modified_ns):
        return Unchanged(size, modified_ns)
    digest = _sha256(path)
    version = hashlib.sha256(f"{digest}\0{fingerprint}".encode()).hexdigest()[:24]
    if known and healthy and known.version == version:
        return Unchanged(size, modified_ns)
    reading = reader.read(path)
    if code := language(reading.text):
        reading.metadata["language"] = code
    if _sha256(path) != digest:
        raise UnreadableFile("The file changed while it was read.", "Ingest it again when nothing writes to it.")
    chunks = split(reading, embedder.count)
    kind = reading.metadata.get("format", path.suffix.lstrip(".").lower())
    return Version(document_id, version, digest, kind, size, modified_ns, fingerprint, reading, chunks)


def _look(path: Path, max_bytes: int) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        raise UnreadableFile("The file is gone.", "Ingest its folder again.") from error
    except OSError as error:
        raise UnreadableFile(f"The file can't be opened: {error.strerror}.", "Check its permissions.") from error
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableFile("This is not a regular file.", "Leave pipes, sockets and devices out of the folder.")
    if found.st_size > max_bytes:
        raise UnreadableFile(
            f"The file has {found.st_size / 1e6:.0f} MB, the limit is {max_bytes / 1e6:.0f} MB.",
            "Raise `ingest.max_file_mb` in config.yaml or split the file.",
        )
    return found.st_size, found.st_mtime_ns


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFile(f"The file can't be opened: {error.strerror}.", "Check its permissions.") from error
