"""The REST API's routes that start, follow and steer jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from rag.errors import Forbidden
from rag.home import OWNER
from rag.library import DEFAULT_COLLECTION, Library
from rag.report_csv import report_csv
from rag.report_shapes import JobReport, JobStatus, Rebuilt


class Body(BaseModel):
    """A JSON body, in which unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class IngestRequest(Body):
    """Files or folders on this machine."""

    paths: list[str] = Field(min_length=1, max_length=100, examples=[["/home/ada/contracts"]])
    collection: str = DEFAULT_COLLECTION
    allow_empty: bool = Field(
        False, description="Also when no file is left there: what is known of it is forgotten then."
    )


class JobAccepted(Body):
    """The job that was queued; follow it under /v1/jobs/{job_id}."""

    job_id: str


class JobsAccepted(Body):
    """The jobs that were queued, one a collection."""

    job_ids: list[str]


class Uploaded(Body):
    """The uploaded document and the job that ingests it."""

    document_id: str
    job_id: str


def _library(request: Request) -> Library:
    found: Library = request.app.state.library
    return found


Room = Annotated[Library, Depends(_library)]


def add_jobs(app: FastAPI) -> None:
    """Add the routes to the application."""
    _add_starts(app)
    _add_follows(app)


def _add_starts(app: FastAPI) -> None:
    @app.post("/v1/documents", response_model=Uploaded, status_code=202, tags=["ingest"])
    def upload(
        room: Room, file: Annotated[UploadFile, File()], collection: Annotated[str, Form()] = DEFAULT_COLLECTION
    ) -> Uploaded:
        """Upload one file; it is kept in the home folder and ingested. The same name again replaces it."""
        document_id, job_id = room.upload(file.filename or "", file.file, collection)
        return Uploaded(document_id=document_id, job_id=job_id)

    @app.post("/v1/ingest", response_model=JobAccepted, status_code=202, tags=["ingest"])
    def ingest(body: IngestRequest, request: Request, room: Room) -> JobAccepted:
        """Ingest files or folders on this machine, within the roots that the settings allow."""
        owner = request.headers.get(OWNER) == request.app.state.owner_token
        return JobAccepted(
            job_id=room.start_job(body.paths, body.collection, any_path=owner, allow_empty=body.allow_empty)
        )

    @app.post("/v1/retry", response_model=JobsAccepted, status_code=202, tags=["ingest"])
    def retry(room: Room) -> JobsAccepted:
        """Read the files that failed once more."""
        return JobsAccepted(job_ids=room.retry())

    @app.post("/v1/rebuild", response_model=Rebuilt, tags=["ingest"])
    def rebuild(request: Request, room: Room) -> Rebuilt:
        """Build the vector index anew from the catalog. For the owner's command line."""
        if request.headers.get(OWNER) != request.app.state.owner_token:
            raise Forbidden("Only the owner's command line may rebuild the index.", "Run `readingroom rebuild`.")
        return room.rebuild()


_CLOCKS: Any = {
    "report": {"seconds"}, "files_per_second": True, "texts_per_second": True, "seconds_left": True,
}  # fmt: skip


def _add_follows(app: FastAPI) -> None:
    @app.get("/v1/jobs", response_model=list[JobStatus], tags=["ingest"])
    def jobs(room: Room, unfinished: bool = False) -> list[JobStatus]:
        """Return the jobs on record, or only those that are not done, the newest first."""
        return room.jobs.list(unfinished)

    @app.get("/v1/jobs/{job_id}", response_model=JobStatus, tags=["ingest"])
    def job(job_id: str, room: Room) -> JobStatus:
        """Return how far a job is; `report` has its counts and failed files."""
        return room.jobs.status(job_id)

    @app.get("/v1/jobs/{job_id}/events", tags=["ingest"], response_class=StreamingResponse)
    def job_events(job_id: str, room: Room) -> StreamingResponse:
        """Follow a job: an event `progress` whenever something changed, then `done`; each carries the job's status."""
        room.jobs.status(job_id)
        return StreamingResponse(
            _job_events(room, job_id), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    @app.post("/v1/jobs/{job_id}/pause", response_model=JobStatus, tags=["ingest"])
    def pause(job_id: str, room: Room) -> JobStatus:
        """Let the worker drop a job after the file or batch it is at."""
        return room.jobs.pause(job_id)

    @app.post("/v1/jobs/{job_id}/resume", response_model=JobStatus, tags=["ingest"])
    def resume(job_id: str, room: Room) -> JobStatus:
        """Let the worker go on with a paused job."""
        return room.jobs.resume(job_id)

    @app.post("/v1/jobs/{job_id}/cancel", response_model=JobStatus, tags=["ingest"])
    def cancel(job_id: str, room: Room) -> JobStatus:
        """End a job: what was read stays searchable, the rest is as if it had not been asked for."""
        return room.jobs.cancel(job_id)

    @app.get(
        "/v1/jobs/{job_id}/report",
        response_model=JobReport,
        tags=["ingest"],
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "Every file."}},
    )
    def report(
        job_id: str, room: Room, format: Annotated[Literal["json", "csv"], Query(description="json or csv")] = "json"
    ) -> Any:
        """Return every file that a job met and what came of it; `newest` stands for the newest job."""
        found = room.jobs.report(None if job_id == "newest" else job_id)
        if format == "json":
            return found
        headers = {"Content-Disposition": f'attachment; filename="report-{found.job.job_id[:8]}.csv"'}
        return Response(report_csv(found), media_type="text/csv; charset=utf-8", headers=headers)


def _job_events(room: Library, job_id: str) -> Iterator[str]:
    before = ""
    while True:
        status = room.jobs.status(job_id)
        finished = status.stage in ("done", "cancelled")
        now = status.model_dump_json(exclude=_CLOCKS)
        if now != before or finished:
            yield event("done" if finished else "progress", status)
            before = now
        if finished:
            return
        time.sleep(0.5)


def event(name: str, value: Any) -> str:
    """Return one server-sent event."""
    if isinstance(value, BaseModel):
        data = value.model_dump_json()
    elif isinstance(value, str):
        data = json.dumps({"text": value})
    elif isinstance(value, list):
        data = json.dumps([item.model_dump() for item in value])
    else:
        data = json.dumps(value)
    return f"event: {name}\ndata: {data}\n\n"
