"""What ingestion needs from outside: a tokenizer, an embedder, a describer and a catalog, handed in by the caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ingest.describer import Description
from ingest.elements import Reading
from ingest.errors import UnreadableFile
from ingest.pictures import Pictures

if TYPE_CHECKING:  # a tenth of a second, which only those pay who compute with vectors
    import numpy as np
    from numpy.typing import NDArray

Vectors: TypeAlias = "NDArray[np.float32]"
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

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes of the languages it was trained on: in others its vectors say less; empty where that isn't known."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, special tokens not counted, nothing truncated."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one vector a text, in order."""
        ...

    def embed_question(self, question: str) -> Vectors:
        """Return the vector of a question, shape (dimension,), to be compared with those of texts: some models want other
        words in front of it than in front of a passage."""
        ...

    def likeness(self, cosine: float) -> float:
        """Return the cosine of a question's vector with a text's on the scale of the default embedder: other models give higher
        ones to texts that have nothing in common."""
        ...

    def reads(self, text: str) -> bool:
        """Return whether it was trained on the script that most of a text's letters belong to: else its vectors say little."""
        ...


class FileReader(Protocol):
    """Reads one file in isolation; raises `ingest.errors.UnreadableFile`.

    `inside` leads from the file to a member of it: () is the file itself, ("inner.zip", "report.pdf") a file in an
    archive in it.
    """

    def read(self, path: Path, inside: Sequence[str] = ()) -> Reading: ...

    def look(self, path: Path) -> list[str]:
        """Return the plain text of a PDF's pages, before it is read."""
        ...

    def render(self, path: Path, page: int, dpi: float, inside: Sequence[str] = ()) -> bytes:
        """Return one page as PNG."""
        ...

    def pictures(self, path: Path, most: int, inside: Sequence[str] = ()) -> Pictures:
        """Return the first pictures of a file that a model may describe."""
        ...

    def interrupt(self) -> None:
        """Give up the file that another thread is reading, at once: its call fails."""
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
    """What the catalog knows of a document: its file's size and mtime when last read, and by which reader.

    `version` is the live one; `tried` is the one that was read last, the same or one that failed for good.
    """

    document_id: str
    state: str
    size: int
    modified_ns: int
    reader: str
    version: str | None
    tried: str


@dataclass(frozen=True, slots=True)
class Task:
    """A file that a job has to read: `source` on disk, and the way `inside` to a member of it.

    `path` is the document's: the source's, or `mail.eml » report.pdf`. `sha256` is a member's, empty for others.
    """

    path: str
    source: str
    inside: tuple[str, ...] = ()
    sha256: str = ""
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A file on disk when it was looked at."""

    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document, read and split, ready to be made visible.

    `beyond` counts the tokens of its chunks that the embedder would not read; 0 unless the splitter is broken. `pictures`
    are the hashes of those that were to be described.
    """

    document_id: str
    version: str
    source_sha256: str
    format: str
    seen: Seen
    reader: str
    reading: Reading
    chunks: tuple[Chunk, ...]
    beyond: int
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The file holds what the catalog knows, or it failed before with the same content."""

    seen: Seen


@dataclass(frozen=True, slots=True)
class Copied:
    """Another document has this very version: it was moved or copied, and needs no reading."""

    version: str
    seen: Seen


Outcome = Version | Unchanged | Copied


@dataclass(frozen=True, slots=True)
class Job:
    """A request to ingest `paths` (absolute) into a collection."""

    job_id: str
    collection: str
    paths: tuple[str, ...]
    stage: str


class JobGone(Exception):
    """Raised by the catalog when a job was paused, cancelled or taken over: the worker drops it where it is."""


class Superseded(Exception):
    """Raised by the catalog when another embedder became live: the worker ends, one with that embedder goes on."""


class Catalog(Protocol):
    """The part of the catalog that the worker writes to.

    Each call is one transaction; those with a job renew the worker's lease on it, or raise JobGone.
    """

    def next_job(self) -> Job | None:
        """Lease and return the oldest unfinished job that nobody works on, interrupted ones included; raise Superseded."""
        ...

    def list_files(self, job: Job, paths: Iterable[Path]) -> None:
        """Note which files the job has to read; files that it knows already stay as they are."""
        ...

    def pending(self, job: Job, limit: int, after: str = "") -> list[Task]:
        """Return unread files in order of their paths, those after one path."""
        ...

    def known(self, job: Job, paths: Sequence[str]) -> dict[str, Known]: ...

    def has_version(self, version: str, but: str) -> bool:
        """Say whether some live document other than `but` has this version."""
        ...

    def keep_unchanged(self, job: Job, files: Sequence[tuple[str, Seen]], reader: str) -> None:
        """Note files (with the members inside them) as unchanged: as they were, or failed as before."""
        ...

    def make_visible(self, job: Job, task: Task, version: Version) -> None:
        """Replace the document's live version by this one, in one commit; note it as done and its members as to be read."""
        ...

    def adopt(self, job: Job, task: Task, copied: Copied, reader: str) -> bool:
        """Give the document the version that another has, in one commit; False when that one is gone meanwhile.

        When the other's file is gone from the disk, the document was moved: stored answers follow it.
        """
        ...

    def set_failed(
        self, job: Job, task: Task, error: UnreadableFile, seen: Seen | None, tried: str, reader: str
    ) -> None:
        """Note that a file can't be read, or that it is to be tried again; a missing one is forgotten."""
        ...

    def remove_missing(self, job: Job) -> None:
        """Forget the documents of the job's folders whose files are not there any more."""
        ...

    def descriptions(self, document_id: str, describer: str) -> dict[str, Description]:
        """Return what is kept of a document's pictures by the name of a describer, by their hash."""
        ...

    def keep_description(
        self, job: Job, document_id: str, describer: str, picture: str, description: Description
    ) -> None:
        """Keep a picture's description until the document or the picture is gone."""
        ...

    def not_looked_at(self, job: Job, tasks: Sequence[Task]) -> list[Task]:
        """Return those of a job's files that `keep_look` was not called for."""
        ...

    def keep_look(self, job: Job, task: Task, pages: Sequence[str]) -> None:
        """Let pages of a file be found by keyword until the file is read, as text that was only looked at."""
        ...

    def start_embedding(self, job: Job) -> None:
        """Go on from reading to embedding: nothing is left that was only looked at."""
        ...

    def texts_to_embed(self, job: Job, limit: int) -> list[tuple[str, str]]:
        """Return (hash, text) of live chunks of the job without a vector, each distinct text once."""
        ...

    def put_vectors(self, job: Job, vectors: Sequence[tuple[str, Any]]) -> None: ...

    def finish(self, job: Job) -> None:
        """Hand the job over to the owner of the vector index."""
        ...
