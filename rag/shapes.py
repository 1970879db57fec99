"""The shapes of the API and of `--json`: a contract, the same through every door."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ID = re.compile("[0-9a-f]{16}")
"""A document's id."""


class Shape(BaseModel):
    """A frozen JSON object."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Box(Shape):
    """A rectangle in points from the page's top left corner; pages count from 1."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


class Place(Shape):
    """Characters [start, end) of a version's extracted text, and the page they stand on."""

    document_id: str
    version: str
    path: str
    page: int
    start: int
    end: int


class Hit(Shape):
    """A passage that was found. `text` is exactly the characters [start, end) of the version's extracted text.

    `score` is of keyword and vector search; `reranked` is the reranker's where it read the passage (on its own scale) and
    then decides the rank. `also` names further passages that were found on the same page, and places where the same text
    stands.
    """

    rank: int
    score: float
    reranked: float | None = None
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
    hidden: bool = Field(False, description="The text is hidden from who looks at the document; answers leave it out.")
    made_by: str = Field(
        "", description="The model that wrote the text, as a description of a picture: it is not the document's text."
    )
    also: list[Place] = []


class UnreadPage(Shape):
    """A page with words of a question, of a PDF that a job has looked at and not read yet. `text` is a piece of its plain text,
    which may hold hidden text and running headers: it is no quote, and no answer rests on it."""

    collection: str
    document_id: str
    path: str
    page: int
    text: str


class SearchResult(Shape):
    """Passages for a question, best first. `unread` are pages that a running job has not read yet; none with a filter."""

    question: str
    hits: list[Hit]
    unread: list[UnreadPage] = []
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
    stale: bool = Field(False, description="The document has another live version by now; the quote is of this one.")


class Statement(Shape):
    """One sentence of an answer. `supported`: it says what its citations say, numbers and units included; one that is not
    supported has no citation."""

    text: str
    supported: bool
    citations: list[int] = Field(description="The `n` of the citations that it rests on.")


class ModelUsed(Shape):
    """Which model wrote the answer, and how it was asked. `extractive` means: no model, the answer is quoted sentences.

    "" is what the model's server doesn't say. `template` is the SHA-256 of the chat template, `runtime` the program that ran
    the model with its version, `window` the tokens that prompt and answer shared, `note` what was done otherwise than asked.
    """

    backend: Literal["ollama", "openai", "embedded", "transformers", "extractive"]
    name: str
    digest: str
    quantisation: str = ""
    runtime: str = ""
    template: str = ""
    window: int = 0
    temperature: float = 0.0
    seed: int = 0
    max_tokens: int = 0
    note: str = ""


class Tokens(Shape):
    """Prompt tokens as counted before sending, as the model's server reported them, those of them that were in its cache (0
    where it doesn't say), and tokens of the answer."""

    sent: int = 0
    evaluated: int = 0
    cached: int = 0
    generated: int = 0


class Generation(Shape):
    """How a model was asked, and all that it wrote, whether or not the answer is made of it: `prompt_sha256` is of the
    messages, `runtime` the program that ran the model; the rest as in `ModelUsed`."""

    model: str
    digest: str
    prompt_sha256: str
    runtime: str
    temperature: float
    seed: int
    max_tokens: int
    output: str
    backend: str = ""
    quantisation: str = ""
    template: str = ""
    window: int = 0


class Candidate(Shape):
    """What a question may mean: `question` asks for it in so many words, of this document."""

    label: str
    document_id: str
    path: str
    question: str


class Side(Shape):
    """What one document says. `date` is the document's own, ISO 8601, else the day on which its file was changed last; of a
    former version it is empty, and `until` is the day until which that was live."""

    document_id: str
    version: str
    path: str
    page: int
    quote: str
    start: int
    end: int
    date: str
    until: str | None = None


class Disagreement(Shape):
    """Sentences that say the same thing with other numbers or dates, the newest document first, former versions last."""

    sides: list[Side]


class FailedFile(Shape):
    """A file that could not be read, why, and what to do."""

    path: str
    reason: str
    remedy: str


class Searched(Shape):
    """What a question was asked of: collections, how many of their documents (a filter leaves some out), and files of
    them that could not be read and might hold the answer: `failed` names the first ones, `failures` counts all. So might
    `waiting` files, which a job has still to read."""

    collections: list[str]
    documents: int
    filtered: bool
    failures: int
    failed: list[FailedFile]
    waiting: int = 0


class Answer(Shape):
    """An answer with its citations; `passages` are the passages as they were sent to the model, but for those that are
    `dropped`; with `not_found` descriptions of pictures follow them, which no model was sent."""

    id: str
    question: str
    outcome: Literal["answered", "not_found", "partial", "clarify"]
    answer: str
    statements: list[Statement] = Field([], description="The answer's sentences; empty when there is none.")
    citations: list[Citation]
    passages: list[Hit]
    model: ModelUsed
    tokens: Tokens
    timings_ms: dict[str, float]
    evidence: float = Field(0.0, description="The estimated chance that the documents answer the question, 0 to 1.")
    searched: Searched | None = Field(None, description="With `not_found`: what was searched.")
    note: str = Field("", description="Why this model answered, or what the answer leaves open.")
    standalone_question: str = Field(
        "", description="What was searched and asked: the question, or a follow-up rewritten."
    )
    conversation_id: str | None = None
    as_of: date | None = Field(
        None, description="The answer rests on the versions that were live at the end of this day."
    )
    generation: Generation | None = Field(None, description="Absent when no model was asked or none answered.")
    candidates: list[Candidate] = Field([], description="What the question may mean, when the outcome is `clarify`.")
    disagreements: list[Disagreement] = []
    dropped: list[int] = Field(
        [], description="The `rank` of passages that did not fit into the model's window and were not sent."
    )


class Record(Shape):
    """With what an answer was made, beside what the answer itself says."""

    collections: list[str]
    filter: dict[str, Any]
    settings: dict[str, Any]
    embedder: str
    embedding: str = Field(
        "", description="What the embedder's vectors are made with: pooling, prefixes, length, dimensions."
    )
    program: str
    may_clarify: bool = Field(True, description="Whether the question could be answered by asking back.")


class StoredAnswer(Shape):
    """A kept answer, its citations marked `stale` where their document changed since; `record` is absent for answers from
    before there were records (schema 3)."""

    created: float
    answer: Answer
    record: Record | None


class Conversation(Shape):
    """A conversation: its kept answers in order of time."""

    id: str
    created: float
    turns: list[Answer]


class AnswerLine(Shape):
    """A kept answer in a list."""

    id: str
    created: float
    question: str
    outcome: str
    conversation_id: str | None


class Difference(Shape):
    """What differs between an answer and its replay, and why."""

    what: str
    was: str
    now: str
    why: str


class Replay(Shape):
    """A kept answer asked again now; `same` when nothing differs. The new answer is not kept."""

    id: str
    same: bool
    differences: list[Difference]
    answer: Answer


class IngestReport(Shape):
    """What an ingest job did, in numbers. `moved` are files recognised by their content: not read or embedded again."""

    job_id: str
    added: int
    updated: int
    moved: int
    unchanged: int
    removed: int
    failed: list[FailedFile]
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
    outcome: Literal["pending", "added", "updated", "moved", "unchanged", "failed"]
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
