"""The shapes of the API and of `--json`: a contract, the same through every door."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """A frozen JSON object."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Box(Shape):
    """A rectangle in points from the page's top left corner; pages count from 1."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


class Hit(Shape):
    """A passage that was found. `text` is exactly the characters [start, end) of the version's extracted text."""

    rank: int
    score: float
    collection: str
    document_id: str
    version: str
    path: str
    page: int
    heading: str
    text: str
    start: int
    end: int
    boxes: list[Box]
    found_by: list[Literal["keyword", "vector"]]


class SearchResult(Shape):
    """Passages for a question, best first."""

    question: str
    hits: list[Hit]
    timings_ms: dict[str, float]


class Citation(Shape):
    """The place a statement rests on. `quote` is exactly the characters [start, end) of the version's extracted text."""

    n: int
    document_id: str
    version: str
    path: str
    page: int
    quote: str
    start: int
    end: int
    boxes: list[Box]


class ModelUsed(Shape):
    """Which model wrote the answer. `extractive` means: no model, the answer is quoted sentences."""

    backend: Literal["ollama", "embedded", "extractive"]
    name: str
    digest: str


class Tokens(Shape):
    """Prompt tokens as counted before sending, as the model's server reported them, and tokens of the answer."""

    sent: int = 0
    evaluated: int = 0
    generated: int = 0


class Answer(Shape):
    """An answer with its citations; `passages` are the passages as they were sent to the model."""

    id: str
    question: str
    outcome: Literal["answered", "not_found", "partial"]
    answer: str
    citations: list[Citation]
    passages: list[Hit]
    model: ModelUsed
    tokens: Tokens
    timings_ms: dict[str, float]
    note: str = Field("", description="Why this model answered, or what the answer leaves open.")


class FailedFile(Shape):
    """A file that could not be read, why, and what to do."""

    path: str
    reason: str
    remedy: str


class IngestReport(Shape):
    """What an ingest job did."""

    job_id: str
    added: int
    updated: int
    unchanged: int
    removed: int
    failed: list[FailedFile]
    pages: int
    chunks: int
    seconds: float


class JobStatus(Shape):
    """How far a job is. `report` counts what is done so far."""

    job_id: str
    collection: str
    stage: Literal["queued", "reading", "embedding", "publishing", "done", "failed"]
    reason: str
    files: int
    files_done: int
    chunks_embedded: int
    report: IngestReport


class DocumentStatus(Shape):
    """A document: its state, its live version, and what is wrong with it."""

    document_id: str
    path: str
    collection: str
    state: Literal["queued", "searchable", "ready", "failed"]
    version: str | None
    language: str | None = Field(default=None, description="ISO 639-1 code of the language of most of the text")
    pages: int
    chunks: int
    characters_extracted: int
    characters_indexed: int
    problems: list[str]


class DocumentText(Shape):
    """A version's extracted text, exactly."""

    document_id: str
    version: str
    text: str


class CollectionStatus(Shape):
    """A collection and how much is in it."""

    name: str
    documents: int
    chunks: int


class Forgotten(Shape):
    """What was removed."""

    document_id: str
    path: str
    chunks: int


class Rebuilt(Shape):
    """How many vectors the index holds again."""

    vectors: int


class Finding(Shape):
    """One thing that `doctor` looked at."""

    severity: Literal["ok", "warning", "error"]
    subject: str
    message: str
    remedy: str = ""


class Status(Shape):
    """The state of a home folder in numbers."""

    home: str
    served_by: str
    embedder: str
    documents: dict[str, int]
    chunks: int
    vectors_in_catalog: int
    jobs_unfinished: int
    bytes_on_disk: int
