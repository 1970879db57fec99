"""The façade over HTTP: what the command line uses when a server holds the home folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from rag import errors
from rag.generation_shapes import Dropped, Switched
from rag.home import OWNER
from rag.report_shapes import (
    AnswerLine,
    DocumentStatus,
    DocumentText,
    IngestReport,
    JobReport,
    JobStatus,
    Rebuilt,
    Receipt,
    Status,
)
from rag.shapes import ID, Answer, Conversation, Hit, Replay, SearchResult, StoredAnswer

if TYPE_CHECKING:
    from rag.answer import Event
    from rag.filters import Filter

SECONDS = httpx.Timeout(30, read=600)


class RemoteJobs:
    """The jobs of a running server, with the methods of `rag.jobs.Jobs` that the command line needs."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def list(self) -> list[JobStatus]:
        return TypeAdapter(list[JobStatus]).validate_python(self._call("GET", "/v1/jobs"))

    def status(self, job_id: str) -> JobStatus:
        return JobStatus.model_validate(self._call("GET", f"/v1/jobs/{job_id}"))

    def pause(self, job_id: str) -> JobStatus:
        return JobStatus.model_validate(self._call("POST", f"/v1/jobs/{job_id}/pause"))

    def resume(self, job_id: str) -> JobStatus:
        return JobStatus.model_validate(self._call("POST", f"/v1/jobs/{job_id}/resume"))

    def cancel(self, job_id: str) -> JobStatus:
        return JobStatus.model_validate(self._call("POST", f"/v1/jobs/{job_id}/cancel"))

    def report(self, job_id: str | None = None) -> JobReport:
        return JobReport.model_validate(self._call("GET", f"/v1/jobs/{job_id or 'newest'}/report"))


class RemoteAnswers:
    """The kept answers of a running server, with the methods of `rag.answers.Answers` that the command line needs."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def list(self, limit: int) -> list[AnswerLine]:
        found = self._call("GET", "/v1/answers", params={"limit": limit})
        return TypeAdapter(list[AnswerLine]).validate_python(found)

    def get(self, answer_id: str) -> StoredAnswer:
        return StoredAnswer.model_validate(self._call("GET", f"/v1/answers/{quote(answer_id, safe='')}"))

    def remove(self, answer_id: str) -> None:
        self._call("DELETE", f"/v1/answers/{quote(answer_id, safe='')}")

    def begin(self, answer_id: str | None = None) -> Conversation:
        return Conversation.model_validate(self._call("POST", "/v1/conversations", json={"answer_id": answer_id}))

    def conversation(self, conversation_id: str) -> Conversation:
        return Conversation.model_validate(self._call("GET", f"/v1/conversations/{quote(conversation_id, safe='')}"))

    def conversations(self, limit: int) -> Sequence[AnswerLine]:
        found = self._call("GET", "/v1/conversations", params={"limit": limit})
        return TypeAdapter(list[AnswerLine]).validate_python(found)

    def remove_conversation(self, conversation_id: str) -> None:
        self._call("DELETE", f"/v1/conversations/{quote(conversation_id, safe='')}")


def _filter(wanted: Filter | None) -> dict[str, Any]:
    return {} if wanted is None else {"filter": wanted.model_dump(mode="json", exclude_defaults=True)}


class Remote:
    """A running server on this machine, with the methods of `rag.library.Library` that the command line needs."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(base_url=url, headers={OWNER: token}, timeout=SECONDS, trust_env=False)
        self.jobs = RemoteJobs(self._call)
        self.answers = RemoteAnswers(self._call)

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def search(
        self,
        question: str,
        collections: Sequence[str] = (),
        limit: int | None = None,
        wanted: Filter | None = None,
        per_document: int | None = None,
        widen: int = 0,
    ) -> SearchResult:
        body = {"question": question, "collections": list(collections), "k": limit, "per_document": per_document}
        body |= {"widen": widen}
        body |= _filter(wanted)
        return SearchResult.model_validate(self._call("POST", "/v1/search", json=body))

    def ask_stream(
        self,
        question: str,
        collections: Sequence[str] = (),
        wanted: Filter | None = None,
        as_of: date | None = None,
        conversation_id: str | None = None,
    ) -> Iterator[Event]:
        body: dict[str, Any] = {"question": question, "collections": list(collections)} | _filter(wanted)
        body |= {"as_of": as_of.isoformat() if as_of else None, "conversation_id": conversation_id}
        with self._http.stream("POST", "/v1/ask", json=body, headers={"Accept": "text/event-stream"}) as response:
            if response.status_code != 200:
                response.read()
                _raise(response.json())
            name = ""
            for line in _lines(response.iter_text()):
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield _parse(name, json.loads(line.removeprefix("data: ")))

    def replay(self, answer_id: str) -> Replay:
        return Replay.model_validate(self._call("POST", f"/v1/answers/{quote(answer_id, safe='')}/replay"))

    def documents(self, collection: str | None = None) -> list[DocumentStatus]:
        found = self._call("GET", "/v1/documents", params={"collection": collection} if collection else {})
        return TypeAdapter(list[DocumentStatus]).validate_python(found)

    def text(self, document_id: str) -> DocumentText:
        return DocumentText.model_validate(self._call("GET", f"/v1/documents/{document_id}/text"))

    def forget(self, names: Sequence[str]) -> Receipt:
        body = {"names": [name if ID.fullmatch(name) else os.path.abspath(Path(name).expanduser()) for name in names]}
        return Receipt.model_validate(self._call("POST", "/v1/forget", json=body))

    def rebuild(self) -> Rebuilt:
        return Rebuilt.model_validate(self._call("POST", "/v1/rebuild"))

    def switch(self, name: str | None = None, *, back: bool = False) -> Switched:
        return Switched.model_validate(
            self._call("POST", "/v1/generations/switch", json={"embedder": name, "back": back})
        )

    def drop(self, name: str | None = None) -> Dropped:
        return Dropped.model_validate(self._call("POST", "/v1/generations/drop", json={"embedder": name}))

    def status(self) -> Status:
        return Status.model_validate(self._call("GET", "/v1/status"))

    def ingest(
        self,
        paths: Sequence[str | Path],
        collection: str,
        progress: Callable[[JobStatus], None] = lambda status: None,
        allow_empty: bool = False,
    ) -> IngestReport:
        absolute = [str(Path(path).expanduser().absolute()) for path in paths]
        body = {"paths": absolute, "collection": collection, "allow_empty": allow_empty}
        return self.follow(self._call("POST", "/v1/ingest", json=body)["job_id"], progress).report

    def follow(self, job_id: str, progress: Callable[[JobStatus], None] = lambda status: None) -> JobStatus:
        while (status := self.jobs.status(job_id)).stage not in ("done", "cancelled", "paused"):
            progress(status)
            time.sleep(0.3)
        progress(status)
        return status

    def retry(self) -> list[str]:
        return [str(job_id) for job_id in self._call("POST", "/v1/retry")["job_ids"]]

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise errors.ReadingRoomError(
                f"The running server did not answer: {error}.", "Try again or restart it."
            ) from error
        if response.is_error:
            _raise(response.json())
        return response.json() if response.content else None


def _lines(pieces: Iterator[str]) -> Iterator[str]:
    """Yield lines that end with a line feed; JSON may hold other line ends raw, where httpx's `iter_lines` would cut."""
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        yield from whole


def _raise(problem: dict[str, Any]) -> None:
    """Raise the error that a problem document stands for."""
    kind = getattr(errors, problem["type"].rpartition(":")[2], errors.ReadingRoomError)
    raise kind(problem["detail"], problem.get("remedy", ""))


def _parse(name: str, data: Any) -> Event:
    if name == "passages":
        return name, [Hit.model_validate(item) for item in data]
    if name == "token":
        return name, str(data["text"])
    if name == "answer":
        return name, Answer.model_validate(data)
    _raise(data)
    raise AssertionError("unreachable")
