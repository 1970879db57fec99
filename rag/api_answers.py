"""The REST API's routes for kept answers, replays and conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import FastAPI, Query, Request
from pydantic import Field

from rag.api_jobs import Body, Room
from rag.hang_up import stop_of
from rag.report_shapes import AnswerLine
from rag.shapes import Conversation, Replay, StoredAnswer

Limit = Annotated[int, Query(ge=1, le=1000)]


class BeginRequest(Body):
    """The answer that a conversation begins with."""

    answer_id: str | None = Field(
        None,
        description="A kept answer that becomes the first turn; none when absent.",
        examples=["f8fd07dca7c041668c88e4c0ad7b5c1b"],
    )


def add_answers(app: FastAPI) -> None:
    """Add the routes to the application."""

    @app.get("/v1/answers", response_model=list[AnswerLine], tags=["answers"])
    def answers(room: Room, limit: Limit = 50) -> list[AnswerLine]:
        """Return the kept answers, the newest first."""
        return room.answers.list(limit)

    @app.get("/v1/answers/{answer_id}", response_model=StoredAnswer, tags=["answers"])
    def answer(answer_id: str, room: Room) -> StoredAnswer:
        """Return a kept answer with what it was made with; citations whose document changed since are `stale`."""
        return room.answers.get(answer_id)

    @app.delete("/v1/answers/{answer_id}", status_code=204, tags=["answers"])
    def remove_answer(answer_id: str, room: Room) -> None:
        """Remove a kept answer."""
        room.answers.remove(answer_id)

    @app.post("/v1/answers/{answer_id}/replay", response_model=Replay, tags=["answers"])
    def replay(answer_id: str, room: Room, request: Request) -> Replay:
        """Ask the question of a kept answer again; return what differs, and why. The new answer is not kept."""
        return room.replay(answer_id, stop_of(request))

    @app.post("/v1/conversations", response_model=Conversation, status_code=201, tags=["answers"])
    def begin(room: Room, body: BeginRequest | None = None) -> Conversation:
        """Begin a conversation, with a kept answer as its first turn if wanted; give its id with `conversation_id` to /v1/ask."""
        return room.answers.begin(body.answer_id if body else None)

    @app.get("/v1/conversations", response_model=list[AnswerLine], tags=["answers"])
    def conversations(room: Room, limit: Limit = 50) -> Sequence[AnswerLine]:
        """Return the conversations, each by its first kept question, the newest first."""
        return room.answers.conversations(limit)

    @app.get("/v1/conversations/{conversation_id}", response_model=Conversation, tags=["answers"])
    def conversation(conversation_id: str, room: Room) -> Conversation:
        """Return a conversation with its kept answers in order."""
        return room.answers.conversation(conversation_id)

    @app.delete("/v1/conversations/{conversation_id}", status_code=204, tags=["answers"])
    def remove_conversation(conversation_id: str, room: Room) -> None:
        """Remove a conversation with its answers."""
        room.answers.remove_conversation(conversation_id)
