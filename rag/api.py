"""The REST API: routes over the façade, on loopback."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import structlog
from fastapi import Depends, FastAPI, File, Form, Header, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from rag import log, problems
from rag.errors import Forbidden, NotFound, ReadingRoomError, UsageError
from rag.home import OWNER
from rag.library import DEFAULT_COLLECTION, Library
from rag.report_csv import report_csv
from rag.settings import Settings
from rag.shapes import (
    ID,
    Answer,
    CollectionStatus,
    DocumentStatus,
    DocumentText,
    JobReport,
    JobStatus,
    Rebuilt,
    Receipt,
    SearchResult,
    Status,
)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchRequest(_Body):
    """A question and where to look for passages."""

    question: str = Field(examples=["What was the total net sales?"])
    collections: list[str] = Field([], description="Collections to search; all when empty.")
    k: int | None = Field(None, ge=1, le=100, description="Number of hits; the settings' default when absent.")


class AskRequest(_Body):
    """A question and where to look for its answer."""

    question: str = Field(examples=["When does the agreement end?"])
    collections: list[str] = Field([], description="Collections to search; all when empty.")


class IngestRequest(_Body):
    """Files or folders on this machine."""

    paths: list[str] = Field(min_length=1, max_length=100, examples=[["/home/ada/contracts"]])
    collection: str = DEFAULT_COLLECTION
    allow_empty: bool = Field(
        False, description="Also when no file is left there: what is known of it is forgotten then."
    )


class ForgetRequest(_Body):
    """Documents by id or by path."""

    names: list[str] = Field(
        min_length=1, max_length=10_000, examples=[["3f2a91c07be4d865", "/home/ada/contracts/old.pdf"]]
    )


class JobAccepted(_Body):
    """The job that was queued; follow it under /v1/jobs/{job_id}."""

    job_id: str


class JobsAccepted(_Body):
    """The jobs that were queued, one a collection."""

    job_ids: list[str]


class Uploaded(_Body):
    """The uploaded document and the job that ingests it."""

    document_id: str
    job_id: str


def create_app(library: Library, owner_token: str) -> FastAPI:
    """Return the application over an open library."""

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        stop = threading.Event()
        publisher = threading.Thread(target=_publish, args=(library, stop), daemon=True, name="publisher")
        publisher.start()
        yield
        stop.set()
        publisher.join(5)

    app = FastAPI(
        title="Reading Room",
        version="1",
        lifespan=running,
        docs_url=None,  # its pages load scripts from the internet; the schema itself is at /openapi.json
        redoc_url=None,
        description="Answers from your own documents, with the exact place each statement rests on. Loopback only.",
        responses=problems.RESPONSES,
    )
    app.state.library = library
    app.state.owner_token = owner_token
    problems.install(app, library.settings.ingest.max_upload_mb * 1_000_000)
    _add_questions(app)
    _add_documents(app)
    _add_ingest(app)
    _add_jobs(app)
    _add_health(app)
    return app


def _library(request: Request) -> Library:
    found: Library = request.app.state.library
    return found


Room = Annotated[Library, Depends(_library)]


def _publish(library: Library, stop: threading.Event) -> None:
    logger = structlog.get_logger()
    while not stop.wait(0.3):
        try:
            library.publisher.run()
        except ReadingRoomError as error:  # e.g. the disk is full: said once a round, tried again until there is space
            logger.error("publish_failed", kind=type(error).__name__, message=error.message)
            stop.wait(5)


def _add_questions(app: FastAPI) -> None:
    @app.post("/v1/search", response_model=SearchResult, tags=["questions"])
    def search(body: SearchRequest, room: Room) -> SearchResult:
        """Return passages for a question, best first."""
        return room.search(body.question, body.collections, body.k)

    @app.post(
        "/v1/ask",
        response_model=Answer,
        tags=["questions"],
        responses={
            200: {
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
                "description": "An Answer; as text/event-stream: `passages`, `token` (repeated), `answer`, or `error`.",
            }
        },
    )
    def ask(body: AskRequest, room: Room, accept: Annotated[str, Header()] = "application/json") -> Any:
        """Answer a question from the documents, or say that they don't hold the answer."""
        if "text/event-stream" not in accept:
            return room.ask(body.question, body.collections)
        events = room.ask_stream(body.question, body.collections)
        first = next(events)  # an error before the first event is still a problem with its own status
        return StreamingResponse(
            _sse(first, events), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )


def _sse(first: tuple[str, Any], rest: Iterator[tuple[str, Any]]) -> Iterator[str]:
    try:
        yield _event(*first)
        for name, value in rest:
            yield _event(name, value)
    except ReadingRoomError as error:
        yield _event("error", problems.document(error))
    finally:
        if hasattr(rest, "close"):
            rest.close()


def _event(name: str, value: Any) -> str:
    if isinstance(value, BaseModel):
        data = value.model_dump_json()
    elif isinstance(value, str):
        data = json.dumps({"text": value})
    elif isinstance(value, list):
        data = json.dumps([item.model_dump() for item in value])
    else:
        data = json.dumps(value)
    return f"event: {name}\ndata: {data}\n\n"


def _add_documents(app: FastAPI) -> None:
    @app.get("/v1/documents", response_model=list[DocumentStatus], tags=["documents"])
    def documents(room: Room, collection: str | None = None) -> list[DocumentStatus]:
        """Return the documents with their states and problems."""
        return room.documents(collection)

    @app.get("/v1/documents/{document_id}", response_model=DocumentStatus, tags=["documents"])
    def document(document_id: str, room: Room) -> DocumentStatus:
        """Return one document."""
        return room.document(document_id)

    @app.get("/v1/documents/{document_id}/text", response_model=DocumentText, tags=["documents"])
    def text(document_id: str, room: Room) -> DocumentText:
        """Return the live version's extracted text, which `start` and `end` index."""
        return room.text(document_id)

    @app.get(
        "/v1/documents/{document_id}/pages/{page}.png",
        tags=["documents"],
        response_class=Response,
        responses={200: {"content": {"image/png": {}}, "description": "The page."}},
    )
    def page_image(
        document_id: str,
        page: int,
        room: Room,
        highlight: Annotated[
            list[str] | None, Query(description="`START-END`, characters of the text", examples=["120-180"])
        ] = None,
        dpi: Annotated[int, Query(ge=36, le=300)] = 110,
    ) -> Response:
        """Return a page as PNG, with the given characters marked."""
        image = room.page_image(document_id, page, [_span(value) for value in highlight or []], dpi)
        return Response(image, media_type="image/png", headers={"Cache-Control": "no-store"})

    @app.delete("/v1/documents/{document_id}", response_model=Receipt, tags=["documents"])
    def forget(document_id: str, room: Room) -> Receipt:
        """Forget a document and those inside it: text, index entries, vectors, the answers that cite it; look for traces."""
        room.document(document_id)  # an id, not a path
        return room.forget([document_id])

    @app.post("/v1/forget", response_model=Receipt, tags=["documents"])
    def forget_many(body: ForgetRequest, room: Room) -> Receipt:
        """Forget documents by id, path or folder: all of them or, when one is unknown, none."""
        for name in body.names:
            if not name.startswith("/") and not ID.fullmatch(name):
                raise NotFound(f"There is no document {name[:80]}.", "Give ids or absolute paths; nothing was removed.")
        return room.forget(body.names)

    @app.get("/v1/collections", response_model=list[CollectionStatus], tags=["documents"])
    def collections(room: Room) -> list[CollectionStatus]:
        """Return the collections."""
        return room.collections()


def _span(value: str) -> tuple[int, int]:
    start, dash, end = value.partition("-")
    if not (dash and start.isdecimal() and end.isdecimal() and int(start) < int(end)):
        raise UsageError(f"`highlight={value[:40]}` is not START-END.", "Give two character offsets, e.g. 120-180.")
    return int(start), int(end)


def _add_ingest(app: FastAPI) -> None:
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

    @app.get("/v1/jobs/{job_id}/events", tags=["ingest"], response_class=StreamingResponse)
    def job_events(job_id: str, room: Room) -> StreamingResponse:
        """Follow a job: an event `progress` whenever something changed, then `done`; each carries the job's status."""
        room.jobs.status(job_id)
        return StreamingResponse(
            _job_events(room, job_id), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    @app.post("/v1/rebuild", response_model=Rebuilt, tags=["ingest"])
    def rebuild(request: Request, room: Room) -> Rebuilt:
        """Build the vector index anew from the catalog. For the owner's command line."""
        if request.headers.get(OWNER) != request.app.state.owner_token:
            raise Forbidden("Only the owner's command line may rebuild the index.", "Run `readingroom rebuild`.")
        return room.rebuild()


_CLOCKS: Any = {
    "report": {"seconds"}, "files_per_second": True, "texts_per_second": True, "seconds_left": True,
}  # fmt: skip


def _add_jobs(app: FastAPI) -> None:
    @app.get("/v1/jobs", response_model=list[JobStatus], tags=["ingest"])
    def jobs(room: Room) -> list[JobStatus]:
        """Return the jobs on record, the newest first."""
        return room.jobs.list()

    @app.get("/v1/jobs/{job_id}", response_model=JobStatus, tags=["ingest"])
    def job(job_id: str, room: Room) -> JobStatus:
        """Return how far a job is; `report` has its counts and failed files."""
        return room.jobs.status(job_id)

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
            yield _event("done" if finished else "progress", status)
            before = now
        if finished:
            return
        time.sleep(0.5)


def _add_health(app: FastAPI) -> None:
    @app.get("/healthz", tags=["health"])
    def healthz() -> dict[str, str]:
        """Return ok when the process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    def readyz(room: Room) -> JSONResponse:
        """Return 200 when questions can be answered, 503 with what is missing otherwise."""
        missing = room.missing()
        return JSONResponse(
            {"status": "not ready" if missing else "ready", "missing": missing}, 503 if missing else 200
        )

    @app.get("/v1/status", response_model=Status, tags=["health"])
    def status(room: Room) -> Status:
        """Return the state of the home folder in numbers."""
        return room.status()


def serve(settings: Settings) -> int:
    """Run the API until it is told to stop; return the exit code."""
    import uvicorn  # only this process serves

    log.configure("api")
    logger = structlog.get_logger()
    try:
        library = Library(settings, "readingroom serve")
    except ReadingRoomError as error:
        logger.error("not_started", message=str(error))
        return 1
    with library:
        url = f"http://127.0.0.1:{settings.server.port}"
        token = library.home.remember_address(url)
        app = create_app(library, token)
        # asyncio's own loop: uvloop's connections would pass the audit hook of rag/privacy.py
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=settings.server.port,
            loop="asyncio",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
            server_header=False,
        )
        for name in (
            signal.SIGINT,
            signal.SIGTERM,
        ):  # uvicorn raises them again when it has stopped: we still have to close
            signal.signal(name, lambda *_: None)
        logger.info("listening", port=settings.server.port)
        uvicorn.Server(config).run()
        library.home.address.unlink(missing_ok=True)
    return 0
