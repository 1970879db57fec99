"""The typed HTTP client of Reading Room's API: what the pages know of the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, BinaryIO, Literal, TypeVar

import httpx

ANSWER_SECONDS = 600.0
"""How long a model may be silent: on two cores a long prompt takes half a minute before the first word."""
UPLOAD_SECONDS = 300.0
"""How long the server may take over one file that is sent."""


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
class Citation:
    """The place that statement [n] of an answer rests on."""

    n: int
    place: Place
    stale: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a question may mean; `question` asks for it in so many words."""

    label: str
    document_id: str
    path: str
    question: str


@dataclass(frozen=True, slots=True)
class Side:
    """What one document says where documents disagree; `date` is the document's."""

    place: Place
    date: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found."""

    rank: int
    collection: str
    heading: str
    found_by: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, who wrote it, and what it rests on."""

    id: str
    question: str
    outcome: str
    text: str
    note: str
    standalone: str
    backend: str
    model: str
    citations: tuple[Citation, ...]
    candidates: tuple[Candidate, ...]
    disagreements: tuple[tuple[Side, ...], ...]
    passages: tuple[Hit, ...]
    tokens_sent: int
    tokens_generated: int
    timings_ms: dict[str, float]

    @property
    def places(self) -> list[Place]:
        """The places of its citations and passages."""
        return [*(citation.place for citation in self.citations), *(hit.place for hit in self.passages)]


Event = tuple[Hit, ...] | str | Answer
"""What comes of a question: the passages, pieces of text as they are written, the checked answer, last."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document and its state."""

    document_id: str
    path: str
    collection: str
    state: str
    version: str | None
    pages: int
    chunks: int
    problems: list[str]


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
    texts: int
    texts_embedded: int
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


class Api:
    """One API, on loopback. Every method raises ApiProblem."""

    def __init__(self, url: str, seconds: float = 30.0) -> None:
        self.url = url
        timeout = httpx.Timeout(seconds, connect=5.0)
        self._http = httpx.Client(base_url=url, timeout=timeout, trust_env=False, follow_redirects=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # questions

    def begin(self) -> str:
        """Begin a conversation; return its id."""
        return str(self._json("POST", "/v1/conversations")["id"])

    def conversation(self, conversation: str) -> list[Answer]:
        """Return the kept answers of a conversation in order, as they stand now."""
        return [_answer(item) for item in self._json("GET", f"/v1/conversations/{conversation}")["turns"]]

    def ask(
        self,
        question: str,
        collections: Sequence[str] = (),
        conversation: str | None = None,
        documents: Sequence[str] = (),
    ) -> Iterator[Event]:
        """Yield what comes of a question, asked of some documents only where they are given; closing the iterator stops the
        model."""
        body = {
            "question": question,
            "collections": list(collections),
            "conversation_id": conversation,
            "filter": {"documents": list(documents)},
        }
        with (
            self._translated(),
            self._http.stream(
                "POST",
                "/v1/ask",
                json=body,
                headers={"Accept": "text/event-stream"},
                timeout=httpx.Timeout(ANSWER_SECONDS, connect=5.0),
            ) as response,
        ):
            if response.status_code != 200:
                response.read()
                raise _problem(response)
            for name, data in server_sent_events(response.iter_text()):
                if name == "error":
                    raise ApiProblem(data["detail"], data.get("remedy", ""), data["status"])
                if name == "passages":
                    yield tuple(_hit(item) for item in data)
                elif name == "token":
                    yield str(data["text"])
                elif name == "answer":
                    yield _answer(data)
                    return
            raise ApiProblem("The answer broke off before its end.", "Ask again.")

    # documents

    def documents(self, collection: str | None = None) -> list[Document]:
        """Return the documents of one collection or of all."""
        found = self._json("GET", "/v1/documents", params={"collection": collection} if collection else None)
        return [_make(Document, item) for item in found]

    def document(self, document_id: str) -> Document:
        """Return one document."""
        return _make(Document, self._json("GET", f"/v1/documents/{document_id}"))

    def text(self, document_id: str, version: str | None = None) -> tuple[str, str]:
        """Return (version, extracted text) of a document, of its live version or of another one that is kept."""
        found = self._json("GET", f"/v1/documents/{document_id}/text", params={"version": version} if version else None)
        return found["version"], found["text"]

    def page_image(self, document_id: str, page: int, spans: Sequence[tuple[int, int]], dpi: int = 130) -> bytes:
        """Return a page as PNG with the characters of `spans` marked."""
        highlight = [f"{start}-{end}" for start, end in spans]
        path = f"/v1/documents/{document_id}/pages/{page}.png"
        return self._request("GET", path, params={"highlight": highlight, "dpi": dpi}).content

    def forget(self, document_id: str) -> Receipt:
        """Remove a document with those inside it and everything derived from them."""
        found = self._json("DELETE", f"/v1/documents/{document_id}")
        return Receipt(len(found["forgotten"]), found["samples"], found["bytes_searched"], tuple(found["traces"]))

    def collections(self) -> list[Collection]:
        """Return the collections."""
        return [_make(Collection, item) for item in self._json("GET", "/v1/collections")]

    # ingest

    def upload(self, name: str, content: BinaryIO, collection: str) -> str:
        """Send one file; return the id of the job that ingests it."""
        files = {"file": (name, content, "application/octet-stream")}
        data = {"collection": collection}
        return str(self._json("POST", "/v1/documents", files=files, data=data, timeout=UPLOAD_SECONDS)["job_id"])

    def ingest(self, path: str, collection: str) -> str:
        """Ingest a file or folder on this machine; return the job's id."""
        return str(self._json("POST", "/v1/ingest", json={"paths": [path], "collection": collection})["job_id"])

    def job(self, job_id: str) -> Job:
        """Return how far a job is."""
        found = self._json("GET", f"/v1/jobs/{job_id}")
        report = {key: value for key, value in found["report"].items() if key not in ("job_id", "failed")}
        failed = tuple(_make(FailedFile, item) for item in found["report"]["failed"])
        return _make(Job, {**found, **report, "failed": failed})

    def change_job(self, job_id: str, change: Literal["pause", "resume", "cancel"]) -> None:
        """Pause a job, go on with it, or end it."""
        self._request("POST", f"/v1/jobs/{job_id}/{change}")

    def retry(self) -> list[str]:
        """Read the files that failed once more; return the ids of the jobs that do."""
        return [str(job_id) for job_id in self._json("POST", "/v1/retry")["job_ids"]]

    def report(self, job_id: str) -> list[FileReport]:
        """Return what a job made of each file."""
        return [_make(FileReport, item) for item in self._json("GET", f"/v1/jobs/{job_id}/report")["files"]]

    def report_csv(self, job_id: str) -> bytes:
        """Return the same as a CSV file."""
        return self._request("GET", f"/v1/jobs/{job_id}/report", params={"format": "csv"}).content

    # health

    def status(self) -> Status:
        """Return which home folder is served, and by what."""
        return _make(Status, self._json("GET", "/v1/status"))

    def missing(self) -> list[str]:
        """Return what is missing to answer questions, as sentences."""
        with self._translated():
            response = self._http.get("/readyz")
        if response.status_code not in (200, 503):
            raise _problem(response)
        return [str(item) for item in _decoded(response)["missing"]]

    def _json(self, method: str, path: str, **options: Any) -> Any:
        return _decoded(self._request(method, path, **options))

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._translated():
            response = self._http.request(method, path, **options)
        if not response.is_success:
            raise _problem(response)
        return response

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            raise ApiProblem(
                f"Reading Room's server at {self.url} can't be reached.",
                "Start it with `readingroom serve`, and look at what it says there.",
            ) from error
        except httpx.TimeoutException as error:
            detail = f"Reading Room's server at {self.url} does not reply."
            raise ApiProblem(detail, "Wait a little and try again.") from error
        except httpx.RequestError as error:
            raise ApiProblem(
                f"The connection to Reading Room's server at {self.url} broke off ({type(error).__name__}).",
                "See whether `readingroom serve` still runs, and try again.",
            ) from error


def server_sent_events(pieces: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Yield (name, decoded JSON) of each event of a stream that arrives in any pieces.

    Lines end with LF only: JSON may hold other separators (U+2028, U+0085), at which `str.splitlines` would cut.
    """
    rest, name, data = "", "message", list[str]()
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        for line in lines:
            key, _, value = line.rstrip("\r").partition(":")
            if key == "event":
                name = value.strip()
            elif key == "data":
                data.append(value)
            elif not line.strip() and data:
                yield name, json.loads("\n".join(data))
                name, data = "message", []


Shape = TypeVar("Shape")


def _make(kind: type[Shape], found: dict[str, Any]) -> Shape:
    return kind(**{field.name: found[field.name] for field in fields(kind)})  # type: ignore[arg-type]


def _place(found: dict[str, Any], quote: str) -> Place:
    return _make(Place, {**found, "quote": quote})


def _hit(found: dict[str, Any]) -> Hit:
    return _make(Hit, {**found, "found_by": tuple(found["found_by"]), "place": _place(found, found["text"])})


def _answer(found: dict[str, Any]) -> Answer:
    return Answer(
        id=found["id"],
        question=found["question"],
        outcome=found["outcome"],
        text=found["answer"],
        note=found["note"],
        standalone=found["standalone_question"],
        backend=found["model"]["backend"],
        model=found["model"]["name"],
        citations=tuple(Citation(item["n"], _place(item, item["quote"]), item["stale"]) for item in found["citations"]),
        candidates=tuple(_make(Candidate, item) for item in found["candidates"]),
        disagreements=tuple(
            tuple(Side(_place(side, side["quote"]), side["date"]) for side in item["sides"])
            for item in found["disagreements"]
        ),
        passages=tuple(_hit(item) for item in found["passages"]),
        tokens_sent=found["tokens"]["sent"],
        tokens_generated=found["tokens"]["generated"],
        timings_ms=found["timings_ms"],
    )


def _decoded(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        detail = "Something else than Reading Room's server replied."
        raise ApiProblem(detail, "Check its port in config.yaml.") from error


def _problem(response: httpx.Response) -> ApiProblem:
    found = _decoded(response)
    if not isinstance(found, dict) or "detail" not in found:
        return ApiProblem(f"The server refused with status {response.status_code}.", "", response.status_code)
    return ApiProblem(str(found["detail"]), str(found.get("remedy", "")), response.status_code)
