"""The kept answers and conversations: stored with what they were made with, listed, read again, marked where stale."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from rag.errors import NotFound
from rag.report_shapes import AnswerLine
from rag.schema import answer_documents, answers, conversations, documents
from rag.shapes import Answer, Conversation, Record, StoredAnswer
from rag.store import Store

_AT_ONCE = 500


class Answers:
    """The answers of one catalog."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # answers

    def keep(self, answer: Answer, record: Record | None = None) -> None:
        """Store an answer with the documents it used, so that forgetting one of them forgets the answer too.

        A follow-up that was rewritten carries words of the questions before it, which may name documents: it goes with
        the documents of the turn before it as well.
        """
        used = {hit.document_id for hit in answer.passages} | {place.document_id for place in answer.citations}
        used |= {side.document_id for found in answer.disagreements for side in found.sides}
        used |= {candidate.document_id for candidate in answer.candidates}
        with self._store.write() as connection:
            if answer.conversation_id and answer.standalone_question != answer.question:
                used |= _documents_before(connection, answer.conversation_id)
            names = sorted(used)
            there = connection.scalar(select(func.count()).where(documents.c.document_id.in_(names)))
            if there != len(names):  # one of them was forgotten meanwhile: so is what was made of it
                return
            connection.execute(
                insert(answers).values(
                    answer_id=answer.id,
                    created=time.time(),
                    answer=answer.model_dump_json(),
                    record=record.model_dump_json() if record else None,
                    conversation_id=answer.conversation_id,
                )
            )
            if names:
                connection.execute(
                    insert(answer_documents), [{"answer_id": answer.id, "document_id": name} for name in names]
                )

    def get(self, answer_id: str) -> StoredAnswer:
        """Return a kept answer; raise NotFound when there is none."""
        with self._store.read() as connection:
            row = connection.execute(select(answers).where(answers.c.answer_id == answer_id)).first()
            if row is None:
                raise NotFound(
                    f"There is no answer {answer_id[:80]}.",
                    "List them with `readingroom answers`; answers go when a document that they rest on is forgotten.",
                )
            return _stored(connection, row)

    def list(self, limit: int) -> list[AnswerLine]:
        """Return the newest kept answers, the newest first."""
        newest = select(answers).order_by(answers.c.created.desc(), answers.c.answer_id).limit(limit)
        with self._store.read() as connection:
            return [_line(row) for row in connection.execute(newest)]

    def remove(self, answer_id: str) -> None:
        """Remove a kept answer; raise NotFound when there is none."""
        self.get(answer_id)
        with self._store.write() as connection:
            connection.execute(delete(answers).where(answers.c.answer_id == answer_id))
        self._store.forget_traces()

    def mark(self, answer: Answer) -> Answer:
        """Return an answer with the citations marked whose documents have another live version."""
        with self._store.read() as connection:
            return _marked(connection, answer)

    # conversations

    def begin(self, answer_id: str | None = None) -> Conversation:
        """Begin a conversation: an empty one, or with a kept answer as its first turn. An answer that belongs to one already
        gives that one. Raise NotFound when there is no such answer."""
        first = self.get(answer_id).answer if answer_id is not None else None
        if first is not None and first.conversation_id is not None:
            return self.conversation(first.conversation_id)
        name, now = uuid.uuid4().hex, time.time()
        with self._store.write() as connection:
            connection.execute(insert(conversations).values(conversation_id=name, created=now))
            if first is not None:
                adopted = first.model_copy(update={"conversation_id": name}).model_dump_json()
                mine = answers.c.answer_id == first.id
                connection.execute(update(answers).where(mine).values(conversation_id=name, answer=adopted))
        return self.conversation(name)

    def conversation(self, conversation_id: str) -> Conversation:
        """Return a conversation with its answers in order; raise NotFound when there is none."""
        with self._store.read() as connection:
            row = connection.execute(
                select(conversations).where(conversations.c.conversation_id == conversation_id)
            ).first()
            if row is None:
                mine = select(answers.c.conversation_id).where(answers.c.answer_id == conversation_id)
                belongs = connection.execute(mine).scalar()
                raise NotFound(
                    f"There is no conversation {conversation_id[:80]}.",
                    f"That is an answer; its conversation is {belongs}."
                    if belongs
                    else "List them with `readingroom conversations`.",
                )
            turns = connection.execute(_turns(conversation_id)).all()
            return Conversation(
                id=row.conversation_id, created=row.created, turns=[_stored(connection, turn).answer for turn in turns]
            )

    def conversations(self, limit: int) -> Sequence[AnswerLine]:
        """Return the newest conversations, each by its first kept question; those without one are left out."""
        first = (
            select(answers.c.conversation_id, func.min(answers.c.created).label("created"))
            .where(answers.c.conversation_id.is_not(None))
            .group_by(answers.c.conversation_id)
            .subquery()
        )
        query = (
            select(answers)
            .join(
                first,
                (answers.c.conversation_id == first.c.conversation_id) & (answers.c.created == first.c.created),
            )
            .order_by(answers.c.created.desc())
            .limit(limit)
        )
        with self._store.read() as connection:
            return [_line(row) for row in connection.execute(query)]

    def remove_conversation(self, conversation_id: str) -> None:
        """Remove a conversation with its answers; raise NotFound when there is none."""
        self.conversation(conversation_id)
        with self._store.write() as connection:
            connection.execute(delete(conversations).where(conversations.c.conversation_id == conversation_id))
        self._store.forget_traces()


def _turns(conversation_id: str) -> Select[tuple[object, ...]]:
    mine = answers.c.conversation_id == conversation_id
    return select(answers).where(mine).order_by(answers.c.created, answers.c.answer_id)


def _documents_before(connection: Connection, conversation_id: str) -> set[str]:
    """Return the documents of the last turn of a conversation."""
    last = connection.execute(
        select(answers.c.answer_id)
        .where(answers.c.conversation_id == conversation_id)
        .order_by(answers.c.created.desc())
        .limit(1)
    ).first()
    if last is None:
        return set()
    mine = answer_documents.c.answer_id == last.answer_id
    return set(connection.scalars(select(answer_documents.c.document_id).where(mine)))


def _line(row: Row[tuple[object, ...]]) -> AnswerLine:
    answer = Answer.model_validate_json(row.answer)
    return AnswerLine(
        id=row.answer_id,
        created=row.created,
        question=answer.question,
        outcome=answer.outcome,
        conversation_id=row.conversation_id,
    )


def _stored(connection: Connection, row: Row[tuple[object, ...]]) -> StoredAnswer:
    return StoredAnswer(
        created=row.created,
        answer=_marked(connection, Answer.model_validate_json(row.answer)),
        record=Record.model_validate_json(row.record) if row.record else None,
    )


def _marked(connection: Connection, answer: Answer) -> Answer:
    names = sorted({place.document_id for place in answer.citations})
    live: dict[str, str | None] = {}
    for at in range(0, len(names), _AT_ONCE):
        query = select(documents.c.document_id, documents.c.version)
        rows = connection.execute(query.where(documents.c.document_id.in_(names[at : at + _AT_ONCE])))
        live |= {row.document_id: row.version for row in rows}
    citations = [
        place.model_copy(update={"stale": live.get(place.document_id) != place.version}) for place in answer.citations
    ]
    return answer.model_copy(update={"citations": citations})
