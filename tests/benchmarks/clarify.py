"""Measures when a question is asked back and when documents are said to disagree, at several thresholds, without a model.

    python -m tests.benchmarks.clarify [--data FOLDER]

Asked are questions with a label: over filings of five companies and four quarters, over the samples, and over notes that are made
from sentences like theirs. What is searched and weighed is done once; thresholds only choose among it. The homes are kept in
`build/quality`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import yaml

from rag.disagree import Thresholds, asked_back, conflict
from rag.evidence import Asked, Support
from rag.excerpts import sources, support
from rag.gate import signs
from rag.library import Library
from rag.settings import PROJECT, load_settings
from tests.benchmarks.sets import SHARED, WORK, filings

OPEN, CLEAR, TWO = "open", "clear", "disagree"
PERIOD_OPEN = (
    "What was Apple's effective tax rate?", "What were Apple's iPhone net sales?", "What were Apple's total net sales?",
    "How much did Apple spend on research and development?", "What was NVIDIA's Data Center revenue?",
    "How much did NVIDIA spend on research and development?", "What was Microsoft's effective tax rate?",
    "What was Microsoft's net income?", "How much did Microsoft spend on research and development?",
    "What was Intel's gross margin?", "What was Intel's net revenue?", "What were Amazon's AWS net sales?",
    "What was Amazon's operating income?", "How much did Amazon spend on technology and content?",
)  # fmt: skip
"""A company is named, but none of its four quarters."""
COMPANY_OPEN = (
    "What was the effective tax rate in Q3 2023?", "What was the net income in Q3 2023?",
    "How much was spent on research and development in Q2 2023?", "What was the total revenue in Q1 2023?",
    "What was the operating income in Q3 2022?", "How much cash was used for share repurchases in Q2 2023?",
)  # fmt: skip
"""A quarter is named, but none of the five companies."""
BOTH = (
    "What was Apple's effective tax rate in Q3 2023?", "What were Apple's iPhone net sales in Q2 2023?",
    "What were Apple's total net sales in Q1 2023?", "How much did Apple spend on research and development in Q3 2022?",
    "What was NVIDIA's Data Center revenue in Q3 2023?", "How much did NVIDIA spend on research and development in Q2 2023?",
    "What was Microsoft's effective tax rate in Q3 2023?", "What was Microsoft's net income in Q1 2023?",
    "What was Intel's gross margin in Q2 2023?", "What was Intel's net revenue in Q3 2022?",
    "What were Amazon's AWS net sales in Q3 2023?", "What was Amazon's operating income in Q2 2023?",
)  # fmt: skip
ALL = (
    "How has Apple's revenue from iPhone sales fluctuated across quarters?",
    "Summarize the risk factors to Apple's business, and how they have changed",
    "How has Apple's effective tax rate changed over time?", "What were Amazon's AWS net sales in each quarter?",
    "Compare the research and development expenses of NVIDIA over these quarters.",
    "Which company had the highest effective tax rate in Q3 2023?", "List Intel's net revenue for all quarters.",
    "What was the net income of every company in Q3 2023?", "How did Microsoft's net income vary quarter by quarter?",
)  # fmt: skip
LATEST = (
    "What was Apple's effective tax rate in the latest quarter?", "What were Apple's iPhone net sales in the most recent 10-Q?",
    "What was NVIDIA's Data Center revenue in the latest quarter?", "What was Microsoft's net income in the last quarter?",
    "What was Intel's net revenue in the most recent quarter?", "What were Amazon's AWS net sales in the latest 10-Q?",
)  # fmt: skip
NOTES = (
    ("What is the monthly rent of the harbour office?", "The monthly rent of the harbour office is EUR {}.", "1,200", "2,350"),
    ("How long is the notice period of the berth?", "The notice period of the berth is {} days.", "30", "90"),
    ("What deposit is paid for the boat house?", "A deposit of EUR {} is paid for the boat house.", "4,000", "6,500"),
    ("How large is the storage yard?", "The storage yard is {} square metres large.", "310", "455"),
    ("When are the keys of the shed handed over?", "The keys of the shed are handed over on {} March 2026.", "2", "16"),
    ("What does the winter cover of the slipway cost?", "The winter cover of the slipway costs EUR {} a season.", "780", "925"),
    ("How much can the crane at the east quay lift?", "The crane at the east quay can lift {} tonnes.", "12", "15"),
)  # fmt: skip
"""Question, sentence, and what two documents say."""
COMPANIES = ("Norvik", "Tarrow")


@dataclass(frozen=True, slots=True)
class Weighed:
    """A question with its label, the sentences that support it, and whether they are good enough to be quoted alone."""

    question: str
    label: str
    supports: list[Support]
    alone: bool


def main() -> int:
    """Weigh all questions, then print what each pair of thresholds makes of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"There is no folder {options.data}: the filings are not part of the repository.", file=sys.stderr)
        return 2
    asked: list[tuple[Library, Weighed]] = []
    with filings("kgrag", options.data.resolve()) as reports, _notes() as notes:
        asked += [(reports, _weigh(reports, "kgrag", *pair)) for pair in _over_filings()]
        for collection, pairs in _over_notes().items():
            asked += [(notes, _weigh(notes, collection, *pair)) for pair in pairs]
        _print(asked)
    return 0


def _over_filings() -> Iterator[tuple[str, str]]:
    yield from ((question, OPEN) for question in (*PERIOD_OPEN, *COMPANY_OPEN))
    yield from ((question, CLEAR) for question in (*BOTH, *ALL, *LATEST))


def _over_notes() -> dict[str, list[tuple[str, str]]]:
    rows = yaml.safe_load((PROJECT / "samples" / "questions.yaml").read_text(encoding="utf-8"))
    named = [f"{question.rstrip('?')} of {COMPANIES[1]}?" for question, *_ in NOTES]
    return {
        "samples": [(str(row["question"]), CLEAR) for row in rows if row["answerable"]],
        "companies": [(question, OPEN) for question, *_ in NOTES] + [(question, CLEAR) for question in named],
        "versions": [(question, TWO) for question, *_ in NOTES],
    }


def _notes() -> Library:
    """Open a home with the samples, a note of each company, and two notes that disagree."""
    place, home = WORK / "clarify-notes", WORK / "clarify"
    for folder in ("samples", "companies", "versions"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    for file in (PROJECT / "samples" / "documents").iterdir():
        if "corrupt" not in file.name and "encrypted" not in file.name:
            shutil.copy2(file, place / "samples" / file.name)
    for at, company in enumerate(COMPANIES):
        said = [
            f"{company} Ltd signs this paper.",
            *(row[1].format(row[2 + at]) for row in NOTES),
            f"{company} Ltd pays.",
        ]
        (place / "companies" / f"{company.lower()}.txt").write_text("\n\n".join(said) + "\n", encoding="utf-8")
        text = "\n\n".join(row[1].format(row[2 + at]) for row in NOTES)
        (place / "versions" / f"harbour-{'note' if at else 'sheet'}.txt").write_text(text + "\n", encoding="utf-8")
    library = Library(
        load_settings({"READINGROOM_HOME": str(home), "READINGROOM_INGEST__ROOTS": str(place)}), "clarify"
    )
    for folder in ("samples", "companies", "versions"):
        report = library.ingest([place / folder], folder)
        assert not report.failed, report.failed
    return library


def _weigh(library: Library, collection: str, question: str, label: str) -> Weighed:
    found, _ = library.retriever.find(question, [collection], 8)
    quotable, _ = sources(found, library.catalog)
    asked = Asked.of(question, library.catalog, quotable)
    reader = library.live.answerer.reader
    supports, _ = support(question, asked, quotable, library.catalog, library.embedder, reader)
    chance = library.live.answerer.gate.chance(signs(question, supports)) if supports else 0.0
    return Weighed(question, label, supports, chance >= library.settings.answer.min_evidence_alone)


def _print(asked: list[tuple[Library, Weighed]]) -> None:
    counts = {label: sum(one.label == label for _, one in asked) for label in (OPEN, CLEAR, TWO)}
    strong = {label: sum(one.label == label and one.alone for _, one in asked) for label in counts}
    print(f"questions {counts}, with evidence enough to be asked back {strong}")
    print("nearly as good, alike: asked back wrongly, missed; disagreements shown wrongly, missed")
    for good, alike in product((0.6, 0.7, 0.8, 0.9), (0.4, 0.5, 0.6, 0.7)):
        thresholds = Thresholds(good, alike)
        back = [one for library, one in asked if _asked_back(library, one, thresholds)]
        apart = [one for library, one in asked if one not in back and _disagree(library, one, thresholds)]
        wrong = [one.question for one in back if one.label != OPEN]
        false = [one.question for one in apart if one.label == CLEAR]
        print(
            f"{good:.1f} {alike:.1f}: {len(wrong)} of {counts[CLEAR] + counts[TWO]}, "
            f"{counts[OPEN] - sum(one.label == OPEN for one in back)} of {counts[OPEN]}; "
            f"{len(false)} of {counts[CLEAR]}, {counts[TWO] - sum(one.label == TWO for one in apart)} of {counts[TWO]}"
        )
        if thresholds == Thresholds():
            for title, some in (("asked back wrongly", wrong), ("shown wrongly as a disagreement", false)):
                for question in some:
                    print(f"      {title}: {question}")
            missed = [one for _, one in asked if one.label == OPEN and one not in back]
            print(
                *(f"      missed{'' if one.alone else ' (little evidence)'}: {one.question}" for one in missed),
                sep="\n",
            )


def _asked_back(library: Library, one: Weighed, thresholds: Thresholds) -> bool:
    return one.alone and bool(asked_back(one.question, one.supports, library.catalog, thresholds))


def _disagree(library: Library, one: Weighed, thresholds: Thresholds) -> bool:
    if not one.alone:
        return False
    found = conflict(one.supports[0], one.supports, library.catalog, one_name=True, thresholds=thresholds)
    return found is not None


if __name__ == "__main__":
    sys.exit(main())
