"""Measures ingest, search, answers and memory on real filings (or, where they are absent, the samples); writes JSON.

    make bench        docs/benchmarks/DATE-HOST.json; all in one run, on one machine

Not a test: it asserts nothing about time. Ratios compare with a peer in the same run: the embedder alone, the limit.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil

from rag.build import build_choice, build_embedder
from rag.library import Library
from rag.prompt import Excerpt, messages
from rag.report_shapes import JobStatus
from rag.settings import PROJECT, load_settings

FILINGS = PROJECT.parent / "shared" / "data" / "kgrag_sec10q" / "docs"
FILES = 6
"""Filings to ingest: some 300 pages, two minutes on two cores."""
QUESTIONS = (
    "What was the total net sales in the quarter?",
    "How much did research and development cost?",
    "What are the risks of foreign currency?",
    "How many shares were repurchased?",
    "What is the effective tax rate?",
)


class Memory:
    """The highest resident memory of each kind of our processes, sampled."""

    def __init__(self) -> None:
        self.peak: dict[str, int] = defaultdict(int)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(0.2):
            for process in [me, *me.children(recursive=True)]:
                try:
                    words = process.cmdline()
                    role = words[words.index("rag.process") + 1] if "rag.process" in words else "owner"
                    self.peak[role] = max(self.peak[role], process.memory_info().rss)
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue  # it ended between two looks

    def end(self) -> dict[str, int]:
        self._stop.set()
        self._thread.join()
        return {role: round(value / 1e6) for role, value in self.peak.items()}


def main() -> int:
    """Run all measurements and write them."""
    paths = sorted(FILINGS.glob("*.pdf"))[:FILES] or [PROJECT / "samples" / "documents"]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "READINGROOM_HOME": home}
        settings = load_settings(environment)
        memory = Memory()
        result: dict[str, Any] = {
            "machine": machine(),
            "date": time.strftime("%Y-%m-%d"),
            "documents": [path.name for path in paths],
        }
        with Library(settings, "benchmark") as library:
            result["ingest"] = ingest(library, paths)
            result["search_ms"] = search(library)
            result["answer"] = answer(library)
            result["model"] = model(library)
        result["peak_memory_mb"] = memory.end()
    name = f"{result['date']}-{platform.node() or 'machine'}.json"
    (PROJECT / "docs" / "benchmarks" / name).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 0


def machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(), "memory_gb": round(psutil.virtual_memory().total / 1e9), "arch": platform.machine(),
        "python": platform.python_version(), "load_before": round(os.getloadavg()[0], 2),
    }  # fmt: skip


def ingest(library: Library, paths: list[Path]) -> dict[str, Any]:
    marks: dict[str, float] = {}
    began = time.monotonic()

    def told(status: JobStatus) -> None:
        marks.setdefault(status.stage, time.monotonic() - began)

    report = library.ingest(paths, "bench", told)
    whole = time.monotonic() - began
    with library.store.read() as connection:
        texts = [
            f"{context}\n{text}" if context else text
            for context, text in connection.exec_driver_sql(
                "SELECT context, text FROM chunks GROUP BY text_hash ORDER BY id"
            ).tuples()
        ]
    embedder = build_embedder(library.settings)
    embedder.embed(texts[:8])
    sample = texts[:: max(1, len(texts) // 400)]
    began = time.monotonic()
    for at in range(0, len(sample), 128):
        embedder.embed(sample[at : at + 128])
    alone = (time.monotonic() - began) * len(texts) / len(sample)
    again = time.monotonic()
    library.ingest(paths, "bench")
    return {
        "files": report.added, "pages": report.pages, "chunks": report.chunks, "seconds": round(whole, 1),
        "seconds_until_keyword_searchable": round(marks.get("embedding", whole), 1),
        "pages_a_second_reading": round(report.pages / marks.get("embedding", whole), 1),
        "seconds_embedding_alone": round(alone, 1), "chunks_a_second_embedding_alone": round(len(texts) / alone, 1),
        "whole_to_embedding_alone": round(whole / alone, 2),
        "second_run_to_first": round((time.monotonic() - again) / whole, 4),
    }  # fmt: skip


def search(library: Library) -> dict[str, float]:
    times = []
    for question in QUESTIONS * 8:
        began = time.monotonic()
        library.search(question)
        times.append((time.monotonic() - began) * 1000)
    times = sorted(times[5:])
    return {"median": round(statistics.median(times), 1), "p95": round(times[int(len(times) * 0.95)], 1)}


def answer(library: Library) -> list[dict[str, Any]]:
    found = []
    for question in QUESTIONS[:3]:
        made = library.ask(question)
        found.append(
            {
                "backend": made.model.backend,
                "outcome": made.outcome,
                "timings_ms": made.timings_ms,
                "tokens": made.tokens.model_dump(),
            }
        )
    return found


def model(library: Library) -> dict[str, Any]:
    choice = build_choice(library.settings)
    try:
        chosen = choice()
        if chosen is None:
            return {}
        chosen.count(messages([], "x"))  # starts it
        numbers: dict[str, Any] = {"name": chosen.card.name}
        for key, text in (
            ("first", "alpha beta gamma delta. " * 60),
            ("same_prefix", "alpha beta gamma delta. " * 60 + "More."),
        ):
            began, first, last = time.monotonic(), 0.0, None
            for piece in chosen.stream(messages([Excerpt("a.txt", 1, "", text)], "What is beta?"), max_tokens=48):
                first = first or time.monotonic() - began
                last = piece
            took = time.monotonic() - began
            sent, generated = getattr(last, "sent", 0), getattr(last, "generated", 0)
            numbers[key] = {
                "prompt_tokens": sent, "first_token_seconds": round(first, 2), "prompt_tokens_a_second": round(sent / first, 1),
                "generated": generated, "generated_a_second": round(generated / max(took - first, 1e-3), 1),
            }  # fmt: skip
        return numbers
    finally:
        choice.close()


if __name__ == "__main__":
    sys.exit(main())
