"""The typed HTTP client of Reading Room's API, one method for each route."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, Literal

import httpx

from ui.from_json import answer_of, document_of, hit_of, make
from ui.shapes import (
    Answer,
    ApiProblem,
    Collection,
    Document,
    Event,
    FailedFile,
    FileReport,
    Filter,
    Job,
    Receipt,
    Status,
    Text,
    UnreadPage,
)

ANSWER_SECONDS = 600.0
"""How long a model may be silent: on two cores a long prompt takes half a minute before the first word."""
UPLOAD_SECONDS = 300.0
"""How long the server may take over one file that is sent."""


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
        return [answer_of(item) for item in self._json("GET", f"/v1/conversations/{conversation}")["turns"]]

    def ask(
        self,
        question: str,
        collections: Sequence[str] = (),
        wanted: Filter | None = None,
        conversation: str | None = None,
    ) -> Iterator[Event]:
        """Yield what comes of a question, asked of the documents that pass a filter; closing the iterator stops the model."""
        body = {
            "question": question,
            "collections": list(collections),
            "filter": wanted.body if wanted else {},
            "conversation_id": conversation,
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
                    yield tuple(hit_of(item) for item in data)
                elif name == "token":
                    yield str(data["text"])
                elif name == "answer":
                    yield answer_of(data)
                    return
            raise ApiProblem("The answer broke off before its end.", "Ask again.")

    # documents

    def unread(self, question: str, collections: Sequence[str]) -> list[UnreadPage]:
        """Return pages with words of a question in files that a job has still to read."""
        body = {"question": question, "collections": list(collections), "k": 1}
        return [make(UnreadPage, item) for item in self._json("POST", "/v1/search", json=body)["unread"]]

    def documents(self, collection: str | None = None) -> list[Document]:
        """Return the documents of one collection or of all."""
        found = self._json("GET", "/v1/documents", params={"collection": collection} if collection else None)
        return [document_of(item) for item in found]

    def document(self, document_id: str) -> Document:
        """Return one document."""
        return document_of(self._json("GET", f"/v1/documents/{document_id}"))

    def text(self, document_id: str, version: str | None = None) -> Text:
        """Return the extracted text of a document, of its live version or of another one that is kept."""
        found = self._json("GET", f"/v1/documents/{document_id}/text", params={"version": version} if version else None)
        return Text(found["version"], found["text"], tuple((start, end) for start, end in found["hidden"]))

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
        return [make(Collection, item) for item in self._json("GET", "/v1/collections")]

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
        return self._job(self._json("GET", f"/v1/jobs/{job_id}"))

    def unfinished(self) -> list[Job]:
        """Return the jobs that are not done yet, the oldest first."""
        found = self._json("GET", "/v1/jobs", params={"unfinished": True})
        return [self._job(item) for item in reversed(found)]

    def _job(self, found: dict[str, Any]) -> Job:
        report = {key: value for key, value in found["report"].items() if key not in ("job_id", "failed")}
        failed = tuple(make(FailedFile, item) for item in found["report"]["failed"])
        return make(Job, {**found, **report, "failed": failed, "gone": tuple(found["report"]["gone"])})

    def change_job(self, job_id: str, change: Literal["pause", "resume", "cancel"]) -> None:
        """Pause a job, go on with it, or end it."""
        self._request("POST", f"/v1/jobs/{job_id}/{change}")

    def retry(self) -> list[str]:
        """Read the files that failed once more; return the ids of the jobs that do."""
        return [str(job_id) for job_id in self._json("POST", "/v1/retry")["job_ids"]]

    def report(self, job_id: str) -> list[FileReport]:
        """Return what a job made of each file."""
        return [make(FileReport, item) for item in self._json("GET", f"/v1/jobs/{job_id}/report")["files"]]

    def report_csv(self, job_id: str) -> bytes:
        """Return the same as a CSV file."""
        return self._request("GET", f"/v1/jobs/{job_id}/report", params={"format": "csv"}).content

    # health

    def status(self) -> Status:
        """Return which home folder is served, and by what."""
        return make(Status, self._json("GET", "/v1/status"))

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
