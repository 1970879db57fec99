"""What the pages know of the API's shapes: documents, answers and their places, jobs, problems."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date as Date
from typing import Any


class ApiProblem(Exception):
    """What the API refused or why it could not be reached; `status` is 0 when there was no reply."""

    def __init__(self, detail: str, remedy: str = "", status: int = 0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy
        self.status = status


@dataclass(frozen=True, slots=True)
class Place:
    """Characters [start, end) of a document's version, on a page that counts from 1."""

    document_id: str
    version: str
    path: str
    page: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a document's version; `hidden` are characters [start, end) that the document does not show."""

    version: str
    text: str
    hidden: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """The place that statement [n] of an answer rests on."""

    n: int
    place: Place
    stale: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a question may mean."""

    label: str
    document_id: str
    path: str


@dataclass(frozen=True, slots=True)
class Side:
    """What one document says where documents disagree; `date` is the document's, `until` the last day of a former version."""

    place: Place
    date: str
    until: str | None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A place beside a hit: more that was found on its page, or where the same text stands."""

    document_id: str
    path: str
    page: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found, and where else."""

    rank: int
    collection: str
    heading: str
    found_by: tuple[str, ...]
    reranked: float | None
    place: Place
    also: tuple[Elsewhere, ...]
    made_by: str


@dataclass(frozen=True, slots=True)
class Searched:
    """What was searched for an answer that was not found; `failed` are files that could not be read: path and reason. `waiting`
    files were not read yet."""

    collections: tuple[str, ...]
    documents: int
    filtered: bool
    failures: int
    failed: tuple[tuple[str, str], ...]
    waiting: int


@dataclass(frozen=True, slots=True)
class UnreadPage:
    """A page with words of a question, of a file that a job has still to read, and a piece of its plain text: no quote."""

    collection: str
    document_id: str
    path: str
    page: int
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of an answer with its citations' numbers; without support it has none."""

    text: str
    supported: bool
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """The exact model of an answer and how it was asked; "" and 0 are what its server doesn't say."""

    backend: str
    name: str
    digest: str
    quantisation: str
    runtime: str
    template: str
    window: int
    temperature: float
    seed: int
    max_tokens: int
    note: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, who wrote it, and what it rests on."""

    id: str
    question: str
    outcome: str
    text: str
    note: str
    standalone: str
    model: Model
    statements: tuple[Statement, ...]
    citations: tuple[Citation, ...]
    candidates: tuple[Candidate, ...]
    disagreements: tuple[tuple[Side, ...], ...]
    passages: tuple[Hit, ...]
    tokens_sent: int
    tokens_generated: int
    timings_ms: dict[str, float]
    searched: Searched | None = None

    @property
    def places(self) -> list[Place]:
        """The places of its citations and passages."""
        return [*(citation.place for citation in self.citations), *(hit.place for hit in self.passages)]


Event = tuple[Hit, ...] | str | Answer
"""What comes of a question: the passages, pieces of text as they are written, the checked answer, last."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document, its state, and what it is about; what could not be told is empty or None."""

    document_id: str
    path: str
    collection: str
    state: str
    version: str | None
    format: str
    language: str | None
    organisation: tuple[str, ...]
    period: tuple[str, ...]
    kind: str | None
    date: str | None
    pages: int
    chunks: int
    problems: list[str]

    @property
    def about(self) -> str:
        """What it is about, in a line: kind, organisations, periods, date."""
        said = [self.kind, *self.organisation]
        said += [f"for {' '.join(self.period)}" if self.period else "", f"dated {self.date}" if self.date else ""]
        return ", ".join(part for part in said if part)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents a question is asked of; empty conditions leave none out. Dates are both included."""

    documents: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    date_from: Date | None = None
    date_to: Date | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The conditions that are set, as the API takes them."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: str(value) if isinstance(value, Date) else list(value) for key, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that could not be read."""

    path: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class FileReport:
    """What a job made of one file."""

    path: str
    outcome: str
    pages: int
    chunks: int
    characters_extracted: int
    characters_indexed: int
    ocr_pages: int
    low_confidence_pages: int
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was forgotten: documents; pieces of their text looked for in so many bytes; files in which one was found."""

    documents: int
    samples: int
    bytes_searched: int
    traces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """How far an ingest job is, with the counts of what is done so far."""

    job_id: str
    stage: str
    files: int
    files_done: int
    files_looked_at: int
    texts: int
    texts_embedded: int
    files_per_second: float | None
    texts_per_second: float | None
    seconds_left: float | None
    added: int
    updated: int
    moved: int
    unchanged: int
    removed: int
    pages: int
    chunks: int
    seconds: float
    failed: tuple[FailedFile, ...]
    gone: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether the job will not change any more."""
        return self.stage in ("done", "cancelled")


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection and how much is in it."""

    name: str
    documents: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Status:
    """The home folder that the API serves."""

    home: str
    served_by: str
    chunks: int
