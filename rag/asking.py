"""Asks a question from end to end: answered, kept with what it was made with, asked again to compare."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answer import Answerer, Event, last_answer
from rag.answers import Answers
from rag.catalog import Catalog
from rag.filters import Filter
from rag.replay import compare, record_of
from rag.settings import Settings
from rag.shapes import Answer, Hit, Replay


@dataclass(frozen=True, slots=True)
class Asking:
    """The questions of one home."""

    settings: Settings
    catalog: Catalog
    answers: Answers
    answerer: Answerer

    def stream(self, question: str, collections: Sequence[str], wanted: Filter | None) -> Iterator[Event]:
        """Yield the events of an answer; it is kept before it is yielded."""
        self.catalog.require_collections(collections)
        record = record_of(self.settings, self.answerer.embedder, list(collections), wanted)
        for name, value in self.answerer.stream(question, collections, wanted):
            if isinstance(value, Answer):
                self.answers.keep(value, record)
            yield name, value

    def replay(self, answer_id: str) -> Replay:
        """Ask the question of a kept answer again, as it was asked then, and compare; the new answer is not kept."""
        stored = self.answers.get(answer_id)
        was = stored.answer
        collections = stored.record.collections if stored.record else []
        wanted = Filter.model_validate(stored.record.filter) if stored.record and stored.record.filter else None
        record = record_of(self.settings, self.answerer.embedder, collections, wanted)
        known = [name for name in collections if name in {item.name for item in self.catalog.collections()}]
        question = was.standalone_question or was.question
        now = last_answer(self.answerer.stream(question, known, wanted))
        now = now.model_copy(update={"question": was.question, "conversation_id": was.conversation_id})
        return compare(stored, now, record, lambda hit: self._fate(hit, stored.created))

    def _fate(self, hit: Hit, asked: float) -> str:
        """Return why a passage was read only then, or is read only now."""
        life = self.catalog.life(hit.document_id)
        if life is None:
            return "The document was forgotten."
        if life.version != hit.version:
            since = "it can't be read any more" if life.since is None else f"its live version is of {_when(life.since)}"
            return f"The document changed: {since}."
        if life.known_since is not None and life.known_since > asked:
            return f"The document came in after the answer, on {_when(life.known_since)}."
        if life.since is not None and life.since > asked:
            return f"The document changed after the answer, on {_when(life.since)}."
        return "The document is the same; others that came, went or changed, or the settings, moved it in the ranking."


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
