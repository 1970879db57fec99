"""Turns errors into RFC 9457 problem details, and refuses requests that don't come from this machine's own pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.errors import (
    DocumentChanged,
    Forbidden,
    HomeLocked,
    HomeMismatch,
    HomeUnusable,
    ModelBusy,
    ModelError,
    NotFound,
    ReadingRoomError,
    SettingsError,
    Stopped,
    UsageError,
)
from rag.privacy import is_local

STATUSES: tuple[tuple[type[ReadingRoomError], int, str], ...] = (
    (NotFound, 404, "Not found"),
    (Forbidden, 403, "Not allowed"),
    (UsageError, 422, "Wrong request"),
    (DocumentChanged, 409, "The file changed"),
    (HomeLocked, 409, "The home folder is in use"),
    (HomeMismatch, 409, "The home folder was made with other settings"),
    (SettingsError, 500, "Wrong settings"),
    (Stopped, 499, "Cancelled"),
    (HomeUnusable, 507, "The home folder can't be written"),
    (ModelBusy, 503, "Too many questions"),
    (ModelError, 503, "No model to answer"),
    (ReadingRoomError, 500, "Something went wrong"),
)
"""The one table of errors and statuses; the first class that fits counts."""

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 10
"""Seconds after which to ask again when too many questions wait: about what an answer takes."""
JSON_BYTES = 1_000_000
"""Largest body of a request that is not an upload."""


class Problem(BaseModel):
    """RFC 9457 problem details; `remedy` says what to do, `retry_after` is there when too many questions wait."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str = ""
    retry_after: int | None = Field(None, description="Seconds after which to ask again, when too many questions wait.")


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "What is wrong with the request (application/problem+json)."},
    "5XX": {"model": Problem, "description": "What went wrong here (application/problem+json)."},
}


def document(error: ReadingRoomError) -> dict[str, Any]:
    """Return an error as a problem document."""
    kind, status, title = next(row for row in STATUSES if isinstance(error, row[0]))
    said = _problem(kind.__name__, status, title, error.message, error.remedy)
    return {**said, "retry_after": RETRY_AFTER} if isinstance(error, ModelBusy) else said


def _problem(kind: str, status: int, title: str, detail: str, remedy: str = "") -> dict[str, Any]:
    return {"type": f"urn:readingroom:{kind}", "title": title, "status": status, "detail": detail, "remedy": remedy}


def _response(problem: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem, problem["status"], headers, media_type=MEDIA_TYPE)


def install(app: FastAPI, upload_bytes: int) -> None:
    """Add the error handlers and the guard to an application."""

    @app.exception_handler(ReadingRoomError)
    def _ours(_: Request, error: ReadingRoomError) -> JSONResponse:
        headers = {"Retry-After": str(RETRY_AFTER)} if isinstance(error, ModelBusy) else None
        return _response(document(error), headers)

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        said = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'][1:]) or 'body'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )
        return _response(_problem("UsageError", 422, "Wrong request", said, "See /openapi.json for what is expected."))

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> JSONResponse:
        return _response(
            _problem("http", error.status_code, str(error.detail), f"{error.detail}.", "See /openapi.json.")
        )

    @app.exception_handler(Exception)
    def _last_resort(_: Request, error: Exception) -> JSONResponse:
        structlog.get_logger().error("unexpected", kind=type(error).__name__, exc_info=error)
        return _response(_problem("bug", 500, "Something went wrong", "An unexpected error; the log says more."))

    app.add_middleware(Guard, upload_bytes=upload_bytes)


class Guard:
    """Refuses foreign Host and Origin headers (pages from the internet that try to reach this server), and large bodies."""

    def __init__(self, app: ASGIApp, upload_bytes: int) -> None:
        self._app = app
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal:
            await _response(refusal)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> dict[str, Any] | None:
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        host = urlsplit(f"//{headers.get('host', 'localhost')}").hostname or ""
        origin = urlsplit(headers["origin"]).hostname or "" if "origin" in headers else "localhost"
        if not is_local(host) or not is_local(origin):
            return _problem(
                "Forbidden",
                403,
                "Not allowed",
                "The request names a foreign host or comes from a foreign page.",
                "Use http://127.0.0.1 with the API's port.",
            )
        length = headers.get("content-length", "0")
        limit = self._upload_bytes if headers.get("content-type", "").startswith("multipart/") else JSON_BYTES
        if not length.isdecimal() or int(length) > limit:
            return _problem(
                "UsageError",
                413,
                "Too large",
                f"The request has {length} bytes, the limit is {limit}.",
                "Ingest large files from a folder on this machine instead.",
            )
        if scope["method"] in ("POST", "PUT") and "content-length" not in headers and "transfer-encoding" in headers:
            return _problem(
                "UsageError", 411, "Length required", "The request does not say its length.", "Send Content-Length."
            )
        return None
