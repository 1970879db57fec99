"""Measures questions for figures on a home of annual reports, without a language model; writes JSON.

    READINGROOM_HOME=HOME python -m tests.benchmarks.figures [QUESTIONS] [SEED] [OUT.json]

Each question asks for a row of a statement that is drawn at random ("What was Netflix's total assets in FY2017?"): right is the
figure of that row in the column of the report's year. A quarter as many ask a report for a row that only another company's has,
with a word that stands nowhere in the report. The rows are those that the reader made: a table read wrongly is not noticed.
"""

from __future__ import annotations

import json
import os
import platform
import random
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rag.answer import last_answer
from rag.library import Library
from rag.rows import cells, header_row
from rag.settings import PROJECT, load_settings
from rag.shapes import Answer
from rag.words import sentences

STATEMENT = re.compile(r"statements? of|balance sheet", re.IGNORECASE)
LABEL = re.compile(r"[A-Za-z][A-Za-z ,&'-]{8,60}")
LETTERS = re.compile(r"[a-z]{5,}")


@dataclass(frozen=True, slots=True)
class Report:
    """An annual report: who reports on which year, its text in small letters, and its rows (label, figure)."""

    company: str
    year: str
    text: str
    rows: list[tuple[str, str]]


def reports(library: Library) -> Iterator[Report]:
    """Yield the annual reports of a home that say who they are."""
    documents = library.documents()
    facets = library.catalog.facets([one.document_id for one in documents])
    for one in documents:
        about = facets[one.document_id]
        if about.kind == "10-K" and about.organisation and (years := re.findall(r"\d{4}", about.period)):
            rows = list(rows_of(library, one.document_id, years[0]))
            if rows:
                text = library.text(one.document_id).text.lower()
                yield Report(about.organisation.split("\n")[0], years[0], text, rows)


def rows_of(library: Library, document_id: str, year: str) -> Iterator[tuple[str, str]]:
    """Yield the rows of a report's statements that have one figure of its year."""
    for passage in library.catalog.passages_of(document_id):
        if not STATEMENT.search(f"{passage.heading}{passage.context}{passage.text[:300]}"):
            continue
        for start, end in sentences(passage.text):
            row = cells(passage.text[start:end])
            header = cells(header_row(passage, passage.start + start))
            if passage.text[start] == "|" and len(row) == len(header) and LABEL.fullmatch(row[0]):
                of_year = [at for at in range(1, len(row)) if re.search(rf"\b{year}\b", header[at])]
                if len(of_year) == 1 and re.search(r"\d{3}", row[of_year[0]]):
                    yield row[0], row[of_year[0]]


def digits(text: str) -> str:
    return re.sub(r"[^\d.]", "", text)


def measure(library: Library, questions: int, seed: int) -> dict[str, Any]:
    """Ask, and count what is right, wrong and not answered."""
    draw = random.Random(seed)
    known = list(reports(library))

    def asked(report: Report, label: str) -> Answer:
        question = f"What was {report.company}'s {label[0].lower()}{label[1:]} in FY{report.year}?"
        return last_answer(library.live.answerer.stream(question, [], may_clarify=False))

    counts = {"right": 0, "other": 0, "not_found": 0, "answered_though_missing": 0}
    for _ in range(questions):
        report = draw.choice(known)
        label, figure = draw.choice(report.rows)
        answer = asked(report, label)
        said = [digits(one) for one in re.findall(r"[\d,.]*\d", answer.answer.rpartition(":")[2])]
        counts["not_found" if not answer.citations else "right" if digits(figure) in said else "other"] += 1
    missing = 0
    while missing < questions // 4:
        report, other = draw.sample(known, 2)
        label, _ = draw.choice(other.rows)
        if any(word not in report.text for word in LETTERS.findall(label.lower())):
            missing += 1
            counts["answered_though_missing"] += bool(asked(report, label).citations)
    return {"reports": len(known), "questions": questions, "missing_questions": missing, "seed": seed} | counts


def main() -> None:
    """Measure, print, write `docs/benchmarks/DATE-figures.json` unless another file is named."""
    questions = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with Library(
        load_settings({**os.environ, "READINGROOM_ANSWER__MODEL": "none", "READINGROOM_ANSWER__OLLAMA_HOST": ""}),
        "benchmark",
    ) as library:
        result = measure(library, questions, seed)
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    } | result
    out = sys.argv[3] if len(sys.argv) > 3 else PROJECT / "docs" / "benchmarks" / f"{result['date']}-figures.json"
    with open(out, "w", encoding="utf-8") as file:
        file.write(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
