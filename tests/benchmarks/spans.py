"""Measures short answers without a model on squad2half, with the span reader and without; writes JSON.

    python -m tests.benchmarks.spans DATA CACHE [QUESTIONS] [OUT.json]

Each question is searched among the set's own texts and answered as the product does, the gate left out. Asked is that half of
the articles which taught the span reader nothing. F1 of words as SQuAD counts it; no text of the set is written to OUT.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rag.answer import WEIGHED
from rag.evaluate import read_lines
from rag.evidence import Asked
from rag.excerpts import sources, support
from rag.extract import extract
from tests.benchmarks.gate import home_of, squad
from tests.benchmarks.run import machine


def main() -> int:
    """Ask, print, write."""
    data, cache = Path(sys.argv[1]), Path(sys.argv[2])
    most = int(sys.argv[3]) if len(sys.argv) > 3 else 400
    rows = read_lines(data / "beir" / "squad2half" / "queries.jsonl", ("_id", "answers"))
    answers = {row["_id"]: row["answers"] for row in rows}
    cases = [case for case in squad(data) if case.answerable][:most]
    found: dict[str, list[float]] = {"with the span reader": [], "without": []}
    with home_of(data, "squad2half", cache) as library:
        reader = library.live.answerer.reader
        assert reader is not None
        for case in cases:
            passages = sources(library.found(case.question, [], WEIGHED), library.catalog)[0]
            asked = Asked.of(case.question, library.catalog, passages)
            for name, one in (("with the span reader", reader), ("without", None)):
                supports, _ = support(case.question, asked, passages, library.catalog, library.embedder, one)
                said = extract(case.question, asked, supports)[0].text if supports else ""
                found[name].append(f1(said, answers[case.key]))
    result: dict[str, Any] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "questions": len(cases)}
    for name, values in found.items():
        exact = sum(value == 1 for value in values)
        result[name] = {"f1": round(sum(values) / len(values), 4), "all words right": round(exact / len(values), 4)}
    print(json.dumps(result, indent=1))
    if len(sys.argv) > 4:
        Path(sys.argv[4]).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def f1(said: str, answers: Sequence[str]) -> float:
    """Return the best F1 of words between what was said and the answers, without articles and signs."""
    best = 0.0
    mine = _words(said)
    for answer in answers:
        theirs = _words(answer)
        common = sum((Counter(mine) & Counter(theirs)).values())
        if common:
            best = max(best, 2 * common / (len(mine) + len(theirs)))
    return best


def _words(text: str) -> list[str]:
    return re.sub(r"\b(?:a|an|the)\b", " ", re.sub(r"[^\w\s]", "", text.lower())).split()


if __name__ == "__main__":
    sys.exit(main())
