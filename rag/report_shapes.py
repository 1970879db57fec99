"""The shapes of what is told of a home: jobs, documents, receipts, findings, kept answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rag.shapes import FailedFile, Shape


class IngestReport(Shape):
    """What an ingest job did, in numbers. `moved` are files recognised by their content: not read or embedded again.

    `gone` are files that were listed and had vanished when they were to be read: they are no documents, or not any more.
    """

    job_id: str
    added: int
    updated: int
    moved: int
    unchanged: int
    removed: int
    failed: list[FailedFile]
    gone: list[str] = Field(default_factory=list, description="Paths.")
    pages: int
    chunks: int
    seconds: float


Stage = Literal["queued", "reading", "embedding", "publishing", "paused", "done", "cancelled"]


class JobStatus(Shape):
    """How far a job is. `report` counts what is done so far.

    `texts` are distinct texts without a vector when reading was done. `seconds_left` of the stage it is in (reading, then
    embedding) is estimated from that stage's rate so far, and absent while there is none. Times in which no worker had the
    job, as in a pause, do not count.
    """

    job_id: str
    collection: str
    stage: Stage
    created: float
    files: int
    files_done: int
    files_looked_at: int = Field(0, description="PDFs whose pages are found by keyword until reading is done.")
    texts: int
    texts_embedded: int
    files_per_second: float | None
    texts_per_second: float | None
    seconds_left: float | None
    report: IngestReport


class FileReport(Shape):
    """What a job made of one file, or of a file inside another (`mail.eml » report.pdf`).

    `tokens_beyond_embedder` counts tokens of its chunks that the embedder would not read. `problems` are sentences:
    what is missing from the text, why, and what to do.
    """

    path: str
    outcome: Literal["pending", "added", "updated", "moved", "unchanged", "failed", "gone"]
    state: Literal["queued", "searchable", "ready", "failed", "forgotten"]
    format: str
    language: str | None
    pages: int
    chunks: int
    characters_extracted: int
    characters_indexed: int
    ocr_pages: int
    low_confidence_pages: int
    tokens_beyond_embedder: int
    problems: list[str]


class JobReport(Shape):
    """A job with every file that it met."""

    job: JobStatus
    files: list[FileReport]


class DocumentStatus(Shape):
    """A document: its state, its live version, what it is about, and what is wrong with it.

    `container` is the id of the file it is in. `organisation` (whose it is), `period` ("2022", "2022Q3"), `kind` ("10-K",
    "contract") and `date` (ISO 8601) are found by rule and empty where nothing was found. `thread` is the id of the mail that a
    mail's thread began with.
    """

    document_id: str
    path: str
    collection: str
    state: Literal["queued", "searchable", "ready", "failed"]
    version: str | None
    container: str | None
    format: str
    language: str | None
    organisation: list[str]
    period: list[str]
    kind: str | None
    date: str | None
    thread: str | None
    pages: int
    ocr_pages: int
    low_confidence_pages: int
    chunks: int
    characters_extracted: int
    characters_indexed: int
    tokens_beyond_embedder: int
    problems: list[str]


class DocumentText(Shape):
    """A version's extracted text, exactly."""

    document_id: str
    version: str
    text: str
    hidden: list[tuple[int, int]] = Field(
        default_factory=list,
        description="Characters [start, end) that the document does not show, or that a model wrote.",
    )


class CollectionStatus(Shape):
    """A collection and how much is in it."""

    name: str
    documents: int
    chunks: int


class Forgotten(Shape):
    """What was removed of one document from catalog, keyword index and vector index, its former versions included."""

    document_id: str
    path: str
    chunks: int
    characters: int
    pages: int
    former_versions: int = 0


class Receipt(Shape):
    """What was forgotten, and that it is gone.

    `vectors` counts vectors of text that no other document has; `files` are uploaded files that were deleted.
    `bytes_searched` of the home folder were searched for `samples` pieces of the removed text that stand in no other
    document; `traces` names the files in which one was found, and should be empty.
    """

    forgotten: list[Forgotten]
    vectors: int
    answers: int
    files: list[str]
    samples: int
    bytes_searched: int
    traces: list[str]


class AnswerLine(Shape):
    """A kept answer in a list."""

    id: str
    created: float
    question: str
    outcome: str
    conversation_id: str | None


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
