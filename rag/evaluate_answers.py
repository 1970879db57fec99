"""Measures answers on questions whose answers, or whose lack of one, are known."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import UsageError
from rag.evaluate import read_lines, read_qrels
from rag.library import Library
from rag.marking import f1, is_right, supported, wilson
from rag.questions_file import read_questions
from rag.shapes import Answer

MEASURES = ("correct", "f1", "cited_right", "supported")
"""Of questions that have an answer; the first two count a refusal as 0, the others are of the answered ones."""


@dataclass(frozen=True, slots=True)
class Known:
    """A question with what is known of it: its answers, and the (document, page) that hold one, page 0 for any page."""

    key: str
    question: str
    answers: tuple[str, ...]
    places: frozenset[tuple[str, int]]
    answerable: bool


def of_questions(file: Path) -> list[Known]:
    """Return the questions of a user's file that have an `answer` or are `unanswerable`."""
    found = [
        Known(
            str(number),
            item.question,
            item.answers,
            frozenset({(Path(item.document).stem, item.page)}) if item.document else frozenset(),
            not item.unanswerable,
        )
        for number, item in enumerate(read_questions(file), start=1)
        if item.answers or item.unanswerable
    ]
    if not found:
        raise UsageError(f"No question of {file} has an `answer`.", "Add `answer:` or `unanswerable: true` to some.")
    return found


def of_pages(file: Path) -> list[Known]:
    """Return questions about a home's documents with answer and gold pages (JSON lines)."""
    return [
        Known(
            str(row["id"]),
            str(row["question"]),
            _texts(row["answer"]),
            frozenset((str(row["doc"]), int(page)) for page in row["gold_pages"]),
            True,
        )
        for row in read_lines(file, ("id", "question", "answer", "doc", "gold_pages"))
    ]


def of_set(folder: Path, split: str) -> list[Known]:
    """Return the questions of a set in BEIR's form that have `answers`, or are marked by `is_impossible`."""
    judged = read_qrels(folder / "qrels" / f"{split}.tsv")
    found = []
    for row in read_lines(folder / "queries.jsonl", ("_id", "text")):
        key, impossible = str(row["_id"]), bool(row.get("is_impossible"))
        if impossible or (key in judged and row.get("answers")):
            places = frozenset((name, 0) for name in judged.get(key, {}))
            answers = () if impossible else _texts(row["answers"])
            found.append(Known(key, str(row["text"]), answers, places, not impossible))
    if not found:
        raise UsageError(f"No question of {folder} has `answers` or `is_impossible`.", "Choose a set with answers.")
    return found


def off_topic(file: Path) -> list[Known]:
    """Return questions that the documents don't answer, whatever else is known of them (JSON lines: question or text)."""
    found = []
    for number, row in enumerate(read_lines(file, ()), start=1):
        question = row.get("question") or row.get("text")
        if not question:
            raise UsageError(f"{file}, line {number}, has no `question` or `text`.", "Each line is one question.")
        found.append(Known(f"off-topic-{number}", str(question), (), frozenset(), False))
    return found


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def some(questions: Sequence[Known], limit: int | None) -> list[Known]:
    """Return at most so many questions, spread over all of them."""
    if limit is None or limit >= len(questions):
        return list(questions)
    return [questions[index * len(questions) // limit] for index in range(limit)]


def ask(
    library: Library,
    questions: Sequence[Known],
    collections: Sequence[str],
    names: Mapping[str, str] | None,
    progress: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Ask each question, store nothing; return a row a question. `names` are a set's names of its documents."""
    rows = []
    for number, known in enumerate(questions, start=1):
        began = time.perf_counter()
        answer = library.draft(known.question, collections)
        seconds = time.perf_counter() - began
        rows.append(_row(known, answer, names, _around(library, answer), seconds))
        if number % 50 == 0:
            progress(f"{number} of {len(questions)} questions asked")
    return rows


def _row(known: Known, answer: Answer, names: Mapping[str, str] | None, around: str, seconds: float) -> dict[str, Any]:
    answered = answer.outcome in ("answered", "partial")
    cited = {
        (names[item.document_id], 0) if names is not None else (Path(item.path).stem, item.page)
        for item in answer.citations
    }
    row: dict[str, Any] = {
        "id": known.key,
        "question": known.question,
        "answerable": known.answerable,
        "answered": answered,
        "answer": answer.answer if answered else "",
        "cited": sorted([name, page] for name, page in cited),
        "backend": answer.model.backend,
        "model": answer.model.name,
        "seconds": round(seconds, 3),
        "tokens_sent": answer.tokens.sent,
        "tokens_generated": answer.tokens.generated,
    }
    if not known.answerable:
        return row
    row["known"] = list(known.answers)
    if known.answers:
        row["correct"] = float(answered and is_right(answer.answer, known.answers, known.question, around))
        row["f1"] = round(f1(answer.answer, known.answers), 4) if answered else 0.0
    if answered:
        row["supported"] = supported(answer.answer, known.question, [around])
        if known.places:
            row["cited_right"] = float(bool(cited & known.places))
    return row


def _around(library: Library, answer: Answer) -> str:
    """Return what an answer cites with the passages that hold it: their headings, and the header and caption of a table, may tell
    the unit."""
    said = [item.quote for item in answer.citations]
    for item in answer.citations:
        for one in library.catalog.passages_of(item.document_id):
            if one.start <= item.start and item.end <= one.end:
                said.append(f"{one.heading}\n{one.context}\n{one.text}")
    return "\n".join(said)


def run_of(rows: Sequence[Mapping[str, Any]], title: str) -> dict[str, Any]:
    """Return the run: measures with their 95 % intervals, latency, tokens, and the rows."""
    yes = [row for row in rows if row["answerable"]]
    no = [row for row in rows if not row["answerable"]]
    shares = {
        "false_refusals": share(sum(not row["answered"] for row in yes), len(yes)),
        "false_answers": share(sum(row["answered"] for row in no), len(no)),
    }
    measures = {}
    for name in MEASURES:
        values = [row[name] for row in yes if name in row]
        measures[name] = {"mean": round(sum(values) / len(values), 4) if values else None, "of": len(values)}
    times = sorted(row["seconds"] for row in rows)
    return {
        "title": title,
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "models": sorted({f"{row['backend']} ({row['model']})" for row in rows}),
        "measures": measures,
        "shares": shares,
        "p50_ms": round(times[len(times) // 2] * 1000, 1),
        "p95_ms": round(times[min(len(times) - 1, int(len(times) * 0.95))] * 1000, 1),
        "tokens_sent": sum(row["tokens_sent"] for row in rows),
        "tokens_generated": sum(row["tokens_generated"] for row in rows),
        "questions": list(rows),
    }


def share(hits: int, of: int) -> dict[str, float | int]:
    """Return a share with its 95 % interval."""
    low, high = wilson(hits, of)
    return {"share": round(hits / max(1, of), 4), "low": round(low, 4), "high": round(high, 4), "of": of}


def write_answered(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines {"id", "answered"}, as an independent scorer reads them."""
    lines = (json.dumps({"id": row["id"], "answered": row["answered"]}) + "\n" for row in rows)
    file.write_text("".join(lines), encoding="utf-8")
