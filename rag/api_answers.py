"""The REST API's routes for kept answers, replays and conversations."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query

from rag.api_jobs import Room
from rag.shapes import AnswerLine, Replay, StoredAnswer

Limit = Annotated[int, Query(ge=1, le=1000)]


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
    def replay(answer_id: str, room: Room) -> Replay:
        """Ask the question of a kept answer again; return what differs, and why. The new answer is not kept."""
        return room.replay(answer_id)
