"""The REST API's routes that show and change which index generation answers."""

from __future__ import annotations

from fastapi import FastAPI, Request
from pydantic import Field

from rag.api_jobs import Body, Room
from rag.errors import Forbidden
from rag.generation_shapes import Dropped, GenerationStatus, Switched
from rag.home import OWNER


class SwitchRequest(Body):
    """Which generation is to answer: the one that was built when nothing is given."""

    embedder: str | None = Field(None, description="A model or a fingerprint.")
    back: bool = Field(False, description="The one that answered before.")


class DropRequest(Body):
    """Which generation is to be removed: those that answered before when nothing is given."""

    embedder: str | None = Field(None, description="A model or a fingerprint.")


def _owner_only(request: Request) -> None:
    if request.headers.get(OWNER) != request.app.state.owner_token:
        raise Forbidden("Only the owner's command line may change the embedder.", "Run `readingroom reindex`.")


def add_generations(app: FastAPI) -> None:
    """Add the routes to the application."""

    @app.get("/v1/generations", response_model=list[GenerationStatus], tags=["generations"])
    def generations(room: Room) -> list[GenerationStatus]:
        """Return the index generations, the live one first, with how each compared when it was built."""
        return room.generations_status()

    @app.post("/v1/generations/switch", response_model=Switched, tags=["generations"])
    def switch(body: SwitchRequest, request: Request, room: Room) -> Switched:
        """Let another generation answer; questions are answered all the while. For the owner's command line."""
        _owner_only(request)
        return room.switch(body.embedder, back=body.back)

    @app.post("/v1/generations/drop", response_model=Dropped, tags=["generations"])
    def drop(body: DropRequest, request: Request, room: Room) -> Dropped:
        """Remove generations that are not live. For the owner's command line."""
        _owner_only(request)
        return room.drop(body.embedder)
