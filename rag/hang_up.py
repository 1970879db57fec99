"""Notices that whoever asked a question over HTTP has gone, and stops the question."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.stop import Stop

_ENDS = ("/ask", "/replay")
_STOP = "readingroom.stop"


class HangUp:
    """Gives each request that asks a model a Stop, and sets it when the connection is closed from the other side.

    The request may be in a thread that reads from a model, where nothing else would notice. So its messages are read here,
    all the time, and handed on.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].endswith(_ENDS):
            await self._app(scope, receive, send)
            return
        stop = scope[_STOP] = Stop()
        messages: asyncio.Queue[Message] = asyncio.Queue()

        async def watch() -> None:
            while not stop.is_set:
                message = await receive()
                if message["type"] == "http.disconnect":
                    stop.set()
                messages.put_nowait(message)

        async def handed_on() -> Message:
            if stop.is_set and messages.empty():
                return {"type": "http.disconnect"}
            return await messages.get()

        watching = asyncio.create_task(watch())
        try:
            await self._app(scope, handed_on, send)
        except asyncio.CancelledError:  # the server ends
            stop.set()
            raise
        finally:
            watching.cancel()


def stop_of(request: Request) -> Stop:
    """Return the Stop of a request."""
    found: Stop = request.scope[_STOP]
    return found
