"""Asks a question from end to end: understood in its conversation, answered, kept, asked again to compare."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from rag.answer import Answerer, Event, last_answer
from rag.answers import Answers
from rag.catalog import Catalog
from rag.disagree import chosen
from rag.excerpts import NOWHERE, Spot, sent_in
from rag.filters import Filter
from rag.followup import PRONOUN, FollowUps, own_words
from rag.gate import DEFAULT
from rag.replay import compare, record_of
from rag.settings import Settings
from rag.shapes import Answer, Hit, Record, Replay, Side
from rag.stop import Stop, stoppable
from rag.words import stem, stems


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with where and when to look for its answer, and the conversation that it belongs to."""

    question: str
    collections: Sequence[str] = ()
    wanted: Filter | None = None
    as_of: date | None = None
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """The questions of one home."""

    settings: Settings
    catalog: Catalog
    answers: Answers
    answerer: Answerer

    def stream(self, asked: Asked) -> Generator[Event, None, None]:
        """Yield the events of an answer; it is kept before it is yielded."""
        turns = self.answers.conversation(asked.conversation_id).turns if asked.conversation_id is not None else []
        alone, wanted, may_clarify = self._alone(asked, turns)
        before = next((sent_in(turn) for turn in reversed(turns) if turn.generation), [])
        record = self._record(list(asked.collections), wanted, may_clarify)
        events: Iterable[Event] = self._answer(alone, asked.collections, wanted, asked.as_of, may_clarify, before)
        if narrowed(asked.question, alone):
            events = self._best_of(list(events), asked, wanted, may_clarify, before)
        for name, value in events:
            if not isinstance(value, Answer):
                yield name, value
                continue
            kept = value.model_copy(update={"question": asked.question, "conversation_id": asked.conversation_id})
            used = {hit.document_id for hit in value.passages}
            # of documents that are not shown nothing stays when they are forgotten
            spots = [spot if spot[0] in used else NOWHERE for spot in before]
            self.answers.keep(kept, record.model_copy(update={"before": spots}))
            yield name, kept

    def _best_of(
        self, first: list[Event], asked: Asked, wanted: Filter | None, may_clarify: bool, before: Sequence[Spot]
    ) -> list[Event]:
        """Return the events of an answer, or those of the question as it is written where the answer misses it."""
        missed = last_answer(iter(first))
        if missed.outcome == "clarify" or says(asked.question, missed):
            return first
        other = list(self._answer(asked.question, asked.collections, wanted, asked.as_of, may_clarify, before))
        answer = last_answer(iter(other))
        if not says(asked.question, answer):
            return first
        note = f"Asked as it is written: “{missed.standalone_question}” found nothing of what is asked. {answer.note}"
        return [*other[:-1], ("answer", answer.model_copy(update={"note": note.strip()}))]

    def _record(self, collections: list[str], wanted: Filter | None, may_clarify: bool) -> Record:
        """Return with what an answer is made now; a calibrated gate counts in place of the settings' thresholds."""
        limits, gate = self.answerer.limits, self.answerer.gate
        fitted: dict[str, object] = {
            "answer.min_evidence": limits.min_evidence,
            "answer.min_evidence_alone": limits.min_evidence_alone,
        }
        if gate != DEFAULT:
            fitted["calibration"] = [*gate.weights, gate.bias]
        return record_of(self.settings, self.answerer.embedder, fitted, collections, wanted, may_clarify)

    def _alone(self, asked: Asked, turns: Sequence[Answer]) -> tuple[str, Filter | None, bool]:
        """Return a question as it stands alone, its filter, and whether it may be asked back: once, and not after that."""
        if asked.conversation_id is None:
            return asked.question, asked.wanted, True
        if turns and turns[-1].outcome == "clarify":
            if (meant := chosen(asked.question, turns[-1].candidates)) is not None:
                given = asked.wanted or Filter()
                return meant.question, given.model_copy(update={"documents": (meant.document_id,)}), False
            return asked.question, asked.wanted, False
        before = [turn.standalone_question or turn.question for turn in turns]
        names = self.catalog.require_collections(asked.collections)
        follow = FollowUps(lambda words: bool(self.catalog.naming.documents(words, names)), self.answerer.choose)
        return follow.rewrite(asked.question, before).question, asked.wanted, True

    def _answer(
        self,
        question: str,
        collections: Sequence[str],
        wanted: Filter | None,
        day: date | None,
        may_clarify: bool,
        before: Sequence[Spot],
    ) -> Generator[Event, None, None]:
        """Yield the events of an answer out of what is live, or was live at the end of a day."""
        names = self.catalog.require_collections(collections)
        as_of = None if day is None else self.catalog.former.at(day, names, wanted)
        for name, value in self.answerer.stream(question, collections, wanted, as_of, may_clarify, before):
            if not isinstance(value, Answer):
                yield name, value
                continue
            note = value.note
            if as_of is not None and as_of.missing:
                note += f" Of {as_of.missing} documents the version that was live on {day} is not kept (`ingest.keep_versions`)."
            yield name, self.answers.mark(value.model_copy(update={"as_of": day, "note": note.strip()}))

    def replay(self, answer_id: str, stop: Stop | None = None) -> Replay:
        """Ask the question of a kept answer again, as it was asked then, and compare; the new answer is not kept."""
        stored = self.answers.get(answer_id)
        was = stored.answer
        collections = stored.record.collections if stored.record else []
        wanted = Filter.model_validate(stored.record.filter) if stored.record and stored.record.filter else None
        may_clarify = stored.record.may_clarify if stored.record else True
        before = stored.record.before if stored.record else []
        record = self._record(collections, wanted, may_clarify)
        question = was.standalone_question or was.question
        events = self._answer(question, collections, wanted, was.as_of, may_clarify, before)
        now = last_answer(stoppable(events, stop or Stop()))
        now = now.model_copy(update={"question": was.question, "conversation_id": was.conversation_id})
        return compare(stored, now, record, lambda hit: self._fate(hit, stored.created))

    def _fate(self, hit: Hit | Side, asked: float) -> str:
        """Return why a passage was read, or a document disagreed, only then or only now."""
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


def narrowed(question: str, alone: str) -> bool:
    """Return whether a question that can be understood by itself was only given the topic of the turns before it."""
    return alone.startswith(f"{question.strip().rstrip('?.! ')} (") and not PRONOUN.search(question)


def says(question: str, answer: Answer) -> bool:
    """Return whether an answer rests on a place with one of a question's own words."""
    asked = {stem(word) for word in own_words(question)}
    return any(asked & stems(f"{place.path} {place.quote}") for place in answer.citations)
