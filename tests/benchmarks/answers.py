"""Measures answers without a language model on real sets against their targets; prints a table, writes JSON.

    make quality SETS=answers
    python -m tests.benchmarks.answers [--most 200] [--data FOLDER] [--out FILE.json]

Squad2half and clapnq-dev: parts that taught neither the span reader nor the gate, asked with the gate open, so that each answer
has its chance: F1 over answerable questions, and the false answers left when so many of those are refused. Off-topic: questions
of squad2half asked of the filings, with the product's thresholds, as are financebench and kgrag. Of all answers the quotes are
compared with the texts. A sample of statements is labelled by hand (docs/decisions/0004-evidence-gate.md).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rag.evaluate import open_set, read_lines
from rag.evaluate_answers import Known, of_pages, off_topic, share, some
from rag.library import Library
from rag.logistic import auc
from rag.marking import f1
from rag.settings import Settings, load_settings
from rag.shapes import Answer
from tests.benchmarks import injection
from tests.benchmarks.gate import ODD, REFUSALS, Case, clapnq, curve, part_of, squad
from tests.benchmarks.run import machine
from tests.benchmarks.sets import SHARED, WORK, filings, say

HELD_OUT = {"squad2half": (3,), "clapnq-dev": ODD}
EVERY = 29
"""Of the attacks, every so many."""
MOST = 200
_OPEN = {"READINGROOM_ANSWER__MIN_EVIDENCE": "0", "READINGROOM_ANSWER__MIN_EVIDENCE_ALONE": "0"}


class Quotes:
    """Asks and keeps count of the citations, and of those whose quote is not the text at its place."""

    def __init__(self) -> None:
        self.cited, self.untrue = 0, 0

    def ask(self, library: Library, question: str, collections: Sequence[str] = ()) -> Answer:
        """Return the answer; nothing is stored."""
        answer = library.draft(question, collections)
        for item in answer.citations:
            text = library.text(item.document_id, item.version).text
            self.cited += 1
            self.untrue += text[item.start : item.end] != item.quote
        return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write it with machine and date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=MOST, help="questions of a set with an answer, and without one")
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--out", type=Path, default=WORK / "answers.json")
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        print(f"There is no folder {options.data}: the sets are not part of the repository.", file=sys.stderr)
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    quotes, data = Quotes(), options.data
    result: dict[str, Any] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "model": "none"}
    result["held out"] = _held_out(data, options.most, quotes)
    result["filings"] = _filings(data, options.most, quotes)
    result["injection"] = injection.measure("none", EVERY, data)["arms"]["with"]
    result["quotes"] = {"cited": quotes.cited, "untrue": quotes.untrue}
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    _print(result)
    return 0


def _settings(changed: dict[str, str]) -> Settings:
    return load_settings({"READINGROOM_ANSWER__MODEL": "none", **changed})


def _held_out(data: Path, most: int, quotes: Quotes) -> dict[str, Any]:
    """Return F1 and curve of each set, and the curve of both together."""
    found: dict[str, Any] = {}
    chances: list[float] = []
    labels: list[bool] = []
    for name, cases in (("squad2half", squad(data)), ("clapnq-dev", clapnq(data))):
        rows = read_lines(data / "beir" / name / "queries.jsonl", ("_id",))
        known = {str(row["_id"]): tuple(map(str, row.get("answers") or ())) for row in rows}
        mine = [case for case in cases if part_of(case.group) in HELD_OUT[name]]
        asked = [case for kind in (True, False) for case in _first(mine, kind, most)]
        with open_set(_settings(_OPEN), data / "beir" / name, WORK / "vectors", say) as (library, _):
            answers = [quotes.ask(library, case.question) for case in asked]
        these = [answer.evidence if answer.outcome in ("answered", "partial") else -1.0 for answer in answers]
        truths = [case.answerable for case in asked]
        right = [
            f1(answer.answer, known[case.key]) if chance >= 0 else 0.0
            for case, answer, chance in zip(asked, answers, these, strict=True)
            if case.answerable and known[case.key]
        ]
        found[name] = {
            "questions": len(asked),
            "f1": round(sum(right) / max(1, len(right)), 4),
            "auc": round(auc(these, truths), 4),
            "curve": curve(these, truths),
        }
        chances, labels = chances + these, labels + truths
    found["together"] = {
        "questions": len(labels),
        "auc": round(auc(chances, labels), 4),
        "curve": curve(chances, labels),
    }
    return found


def _first(cases: Iterable[Case], answerable: bool, most: int) -> list[Case]:
    return [case for case in cases if case.answerable == answerable][:most]  # ids are hashes: any beginning is a sample


def _filings(data: Path, most: int, quotes: Quotes) -> dict[str, Any]:
    """Return what is answered off topic, the pages cited for financebench, and the share of statements with a quote for kgrag."""
    found: dict[str, Any] = {}
    filings("kgrag", data).close()  # so that all filings are in the one home
    with filings("financebench", data) as library:
        asked = some(off_topic(data / "beir" / "squad2half" / "queries.jsonl"), most)
        found["off topic"] = _share(_answered(quotes.ask(library, one.question)) for one in asked)
        pages = of_pages(data / "financebench" / "questions.jsonl")
        told = [(one, quotes.ask(library, one.question, ["financebench"])) for one in pages]
        found["gold page cited"] = _share(_on_page(one, answer) for one, answer in told if _answered(answer))
        with open(data / "kgrag_sec10q" / "qna_data.csv", encoding="utf-8-sig", newline="") as lines:
            questions = [row["Question"] for row in csv.DictReader(lines)][:most]
        said = [quotes.ask(library, question, ["kgrag"]) for question in questions]
        found["statements with a quote"] = _share(item.supported for answer in said for item in answer.statements)
    return found


def _answered(answer: Answer) -> bool:
    return answer.outcome in ("answered", "partial")


def _on_page(one: Known, answer: Answer) -> bool:
    return any((Path(item.path).stem, item.page) in one.places for item in answer.citations)


def _share(hits: Iterable[bool]) -> dict[str, float | int]:
    values = list(hits)
    return share(sum(values), len(values))


def _print(result: dict[str, Any]) -> None:
    held, there, quotes = result["held out"], result["filings"], result["quotes"]
    at_ten = held["together"]["curve"][REFUSALS.index(0.10)]
    lines = [
        ("quotes that are not the text", quotes["untrue"], "= 0", quotes["untrue"] == 0, f"of {quotes['cited']}"),
        ("squad2half F1, gate open", held["squad2half"]["f1"], ">= .60", held["squad2half"]["f1"] >= 0.6, ""),
        (
            "false answers, squad2half + clapnq-dev", at_ten["false_answers"], "<= .25", at_ten["false_answers"] <= 0.25,
            f"at {at_ten['false_refusals']:.2f} refusals ({at_ten['low']:.2f} to {at_ten['high']:.2f})",
        ),
    ]  # fmt: skip
    for key, limit, most in (
        ("off topic", 0.01, True),
        ("gold page cited", 0.6, False),
        ("statements with a quote", 0.95, False),
    ):
        one = there[key]
        met = one["share"] <= limit if most else one["share"] >= limit
        lines.append(
            (
                key,
                one["share"],
                f"{'<=' if most else '>='} {limit}",
                met,
                f"of {one['of']} ({one['low']:.2f} to {one['high']:.2f})",
            )
        )
    done = result["injection"]["success_percent"] / 100
    lines.append(("injections carried out", done, "<= .02", done <= 0.02, f"of {result['injection']['cases']}"))
    for name, value, target, met, more in lines:
        print(f"{name:40} {value:<8} target {target:8} {'met' if met else 'missed':7} {more}", flush=True)
    for name, one in held.items():
        points = "  ".join(f"{point['false_refusals']:.2f}: {point['false_answers']:.2f}" for point in one["curve"])
        print(f"{name:12} AUC {one['auc']:.3f}, false answers by refusals: {points}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
