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
    messages, `runtime` the program that ran the model; `passages` the ranks of what was sent, as it stood in the prompt; the
    rest as in `ModelUsed`."""

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
    passages: list[int] = []


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
    before: list[tuple[str, str, int, int]] = Field(
        [],
        description="What a model was sent the turn before: document, version, and characters [start, end), in order.",
    )


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
