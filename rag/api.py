"""The REST API on loopback: its application, with the routes for questions, documents and health."""

from __future__ import annotations

import signal
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Annotated, Any

import structlog
from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field
from starlette.types import Receive, Scope, Send

from rag import log, problems
from rag.api_answers import add_answers
from rag.api_generations import add_generations
from rag.api_jobs import Body, Room, add_jobs, event
from rag.errors import NotFound, ReadingRoomError, UsageError
from rag.filters import Filter
from rag.hang_up import HangUp, stop_of
from rag.library import Library
from rag.report_shapes import CollectionStatus, DocumentStatus, DocumentText, Receipt, Status
from rag.settings import Settings
from rag.shapes import ID, Answer, SearchResult


class SearchRequest(Body):
    """A question and where to look for passages."""

    question: str = Field(examples=["What was the total net sales?"])
    collections: list[str] = Field([], description="Collections to search; all when empty.")
    k: int | None = Field(None, ge=1, le=100, description="Number of hits; the settings' default when absent.")
    filter: Filter = Field(Filter(), description="Conditions on documents and pages, before anything is ranked.")
    per_document: int | None = Field(None, ge=1, description="Hits of one document at most.")
    widen: int = Field(
        0, ge=0, le=4000, description="Tokens that a hit may have with the text around it in its section."
    )


class AskRequest(Body):
    """A question and where to look for its answer."""

    question: str = Field(examples=["When does the agreement end?"])
    collections: list[str] = Field([], description="Collections to search; all when empty.")
    filter: Filter = Field(Filter(), description="Conditions on documents and pages, before anything is ranked.")
    as_of: date | None = Field(None, description="Answer from the versions that were live at the end of this day.")
    conversation_id: str | None = Field(None, description="The conversation that the question goes on with.")


class ForgetRequest(Body):
    """Documents by id or by path."""

    names: list[str] = Field(
        min_length=1, max_length=10_000, examples=[["3f2a91c07be4d865", "/home/ada/contracts/old.pdf"]]
    )


def _given(wanted: Filter) -> Filter | None:
    """Return a filter that leaves something out, checked, or None."""
    wanted.check()
    return None if wanted == Filter() else wanted


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
    app.add_middleware(HangUp)
    problems.install(app, library.settings.ingest.max_upload_mb * 1_000_000)
    _add_questions(app)
    add_answers(app)
    _add_documents(app)
    add_jobs(app)
    add_generations(app)
    _add_health(app)
    return app


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
        wanted = _given(body.filter)
        return room.search(body.question, body.collections, body.k, wanted, body.per_document, body.widen)

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
    def ask(
        body: AskRequest, room: Room, request: Request, accept: Annotated[str, Header()] = "application/json"
    ) -> Any:
        """Answer a question from the documents, or say that they don't hold the answer."""
        wanted, stop = _given(body.filter), stop_of(request)
        if "text/event-stream" not in accept:
            return room.ask(body.question, body.collections, wanted, body.as_of, body.conversation_id, stop)
        events = room.ask_stream(body.question, body.collections, wanted, body.as_of, body.conversation_id, stop)
        first = next(events)  # an error before the first event is still a problem with its own status
        return _Events(_sse(first, events))


class _Events(StreamingResponse):
    """Server-sent events; they end with the connection, wherever they are."""

    def __init__(self, events: Generator[str, None, None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await run_in_threadpool(self._events.close)


def _sse(first: tuple[str, Any], rest: Iterator[tuple[str, Any]]) -> Generator[str, None, None]:
    try:
        yield event(*first)
        for name, value in rest:
            yield event(name, value)
    except ReadingRoomError as error:
        yield event("error", problems.document(error))
    finally:
        if hasattr(rest, "close"):
            rest.close()


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
    def text(document_id: str, room: Room, version: str | None = None) -> DocumentText:
        """Return the extracted text, which `start` and `end` index, of the live version or of another one that is kept."""
        return room.text(document_id, version)

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
