"""What ingestion needs from outside: a tokenizer, an embedder and a catalog, handed in by the caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.elements import Reading

Vectors = NDArray[np.float32]
"""Shape (texts, dimension), each row of length 1."""


class Embedder(Protocol):
    """Turns texts into vectors on this machine."""

    @property
    def fingerprint(self) -> str:
        """Name, weights, pooling and limits: vectors of two embedders compare only when this is equal."""
        ...

    @property
    def max_tokens(self) -> int:
        """Number of tokens it reads of one text, special tokens not counted."""
        ...

    @property
    def dimension(self) -> int: ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, special tokens not counted, nothing truncated."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one vector a text, in order."""
        ...


class FileReader(Protocol):
    """Reads one file in isolation; raises `ingest.errors.UnreadableFile`.

    `inside` leads from the file to a member of it: () is the file itself, ("inner.zip", "report.pdf") a file in an
    archive in it.
    """

    def read(self, path: Path, inside: Sequence[str] = ()) -> Reading: ...

    def render(self, path: Path, page: int, dpi: float, inside: Sequence[str] = ()) -> bytes:
        """Return one page as PNG."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a version: the characters [start, end) of its text, and what is embedded in front of them."""

    ordinal: int
    start: int
    end: int
    page: int
    heading: str
    context: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog knows of a file: its size and mtime when last read, and with which reader."""

    document_id: str
    state: str
    size: int
    modified_ns: int
    reader: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document, read and split, ready to be made visible."""

    document_id: str
    version: str
    source_sha256: str
    format: str
    size: int
    modified_ns: int
    reader: str
    reading: Reading
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """A request to ingest `paths` (absolute) into a collection."""

    job_id: str
    collection: str
    paths: tuple[str, ...]
    stage: str


class Catalog(Protocol):
    """The part of the catalog that the worker writes to. Each call is one transaction."""

    def next_job(self) -> Job | None:
        """Return the oldest unfinished job, interrupted ones included."""
        ...

    def list_files(self, job: Job, paths: Iterable[Path]) -> None:
        """Note which files the job has to read; files that it knows already stay as they are."""
        ...

    def pending_files(self, job: Job, limit: int) -> list[str]: ...

    def known(self, collection: str, path: str) -> Known | None: ...

    def keep_unchanged(self, job: Job, path: str, size: int, modified_ns: int, reader: str) -> None: ...

    def make_visible(self, job: Job, path: str, version: Version) -> None:
        """Replace the document's live version by this one, in one commit, and note the file as done."""
        ...

    def set_failed(self, job: Job, path: str, reason: str, remedy: str) -> None: ...

    def remove_missing(self, job: Job) -> None:
        """Forget the documents below the job's folders whose files are not there any more."""
        ...

    def texts_to_embed(self, job: Job, limit: int) -> list[tuple[str, str]]:
        """Return (hash, text) of live chunks of the job without a vector, each distinct text once."""
        ...

    def put_vectors(self, vectors: Sequence[tuple[str, Any]]) -> None: ...

    def set_stage(self, job: Job, stage: str, reason: str = "") -> None: ...
