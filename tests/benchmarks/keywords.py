"""Measures keyword search on sets of questions in BEIR's format, through the real catalog; writes JSON.

    python -m tests.benchmarks.keywords [FOLDER] [SET ...]

Each text is one document of one chunk, so that what is ranked is what the set judges. Nothing is embedded.
"""

from __future__ import annotations

import json
import math
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingest.elements import Page, Reading
from ingest.ports import Chunk, Seen, Task, Version
from rag.catalog import Catalog
from rag.generations import LIVE
from rag.home import Home
from rag.intake import Intake
from rag.jobs import Jobs
from rag.question import MAX_WORDS
from rag.settings import PROJECT
from rag.store import Store
from rag.version_rows import document_id
from rag.words import search_words

SETS = ("xquad-zh", "xquad-ar", "xquad-de", "xquad-en", "scifact", "cranfield", "squad2half", "clapnq-dev")
DEPTH = 10
"""Ranks that count."""


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]


def judgements(file: Path) -> dict[str, dict[str, int]]:
    """Return question → document → grade, of those above 0."""
    found: dict[str, dict[str, int]] = {}
    for line in file.read_text(encoding="utf-8").strip().split("\n")[1:]:
        question, document, grade = line.split("\t")
        if int(grade) > 0:
            found.setdefault(question, {})[document] = int(grade)
    return found


def fill(store: Store, texts: list[dict[str, Any]]) -> dict[str, str]:
    """Make each text a visible document of one chunk; return the catalog's ids → the set's."""
    store.set_fact(LIVE, "none")
    intake = Intake(store, "none")
    Jobs(store).add("set", ["/set"])
    job = intake.next_job()
    assert job is not None
    paths = {f"/set/d{number}x": item for number, item in enumerate(texts)}
    intake.list_files(job, [Path(path) for path in paths])
    names: dict[str, str] = {}
    for path, item in paths.items():
        text, identity = item["text"], document_id("set", path)
        reading = Reading(text, (), (Page(1),), title=item.get("title") or None)
        chunks = (Chunk(0, 0, len(text), 1, "", ""),)
        version = Version(identity, "v", "", "txt", Seen(len(text), 0), "none", reading, chunks, 0)
        intake.make_visible(job, Task(path, path), version)
        names[identity] = str(item["_id"])
    return names


def measure(folder: Path, questions: int | None = None) -> dict[str, float]:
    """Return nDCG@10 and recall@10 of keyword search on the set in `folder`, and what it took; every n-th question when
    only some are wanted."""
    judged = judgements(folder / "qrels" / "test.tsv")
    asked = {item["_id"]: item["text"] for item in lines(folder / "queries.jsonl") if item["_id"] in judged}
    chosen = sorted(asked)[:: max(1, len(asked) // questions) if questions else 1]
    with tempfile.TemporaryDirectory() as place:
        store = Store(Home(Path(place)))
        try:
            store.create()
            began = time.perf_counter()
            names = fill(store, lines(folder / "corpus.jsonl"))
            filled = time.perf_counter()
            store.forget_traces()
            size = Home(Path(place)).catalog.stat().st_size
            began_asking, ndcg, recall = time.perf_counter(), 0.0, 0.0
            for key in chosen:
                hits = Catalog(store).keyword_search(search_words(asked[key])[:MAX_WORDS], ["set"], DEPTH)
                gained, found = score([names[passage.document_id] for passage, _ in hits], judged[key])
                ndcg, recall = ndcg + gained, recall + found
            asking = time.perf_counter() - began_asking
        finally:
            store.close()
    return {
        "texts": len(names),
        "questions": len(chosen),
        "ndcg_at_10": round(ndcg / len(chosen), 4),
        "recall_at_10": round(recall / len(chosen), 4),
        "catalog_mb": round(size / 1e6, 2),
        "fill_seconds": round(filled - began, 2),
        "search_ms": round(asking / len(chosen) * 1000, 2),
    }


def score(ranked: list[str], grades: Mapping[str, int]) -> tuple[float, float]:
    """Return (nDCG, recall) of a ranking cut at `DEPTH`; recall counts at most `DEPTH` relevant documents."""
    gain = sum(grades.get(name, 0) / math.log2(rank + 1) for rank, name in enumerate(ranked, start=1))
    best = sorted(grades.values(), reverse=True)[:DEPTH]
    ideal = sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, start=1))
    return gain / ideal, sum(name in grades for name in ranked) / len(best)


def main() -> None:
    """Measure the sets and write `docs/benchmarks/DATE-keywords.json`."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT.parent / "shared" / "data" / "beir"
    results = {name: measure(folder / name) for name in sys.argv[2:] or SETS}
    for name, result in results.items():
        print(f"{name:12} nDCG@10 {result['ndcg_at_10']:.4f}  recall@10 {result['recall_at_10']:.4f}")
    report = {"date": time.strftime("%Y-%m-%d"), "python": platform.python_version(), "sets": results}
    file = PROJECT / "docs" / "benchmarks" / f"{report['date']}-keywords.json"
    file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
