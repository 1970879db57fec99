"""Ingests the samples and asks the sample questions; the first half of `make run`."""

from __future__ import annotations

import time

import yaml

from rag import show, show_answers, show_jobs
from rag.answer import last_answer
from rag.build import check_models
from rag.errors import ModelError
from rag.library import Library
from rag.settings import PROJECT, Settings

COLLECTION = "samples"


def run(settings: Settings) -> int:
    """Ingest `samples/documents` unless it is there unchanged; ask the questions marked `show` the first time."""
    if missing := check_models(settings):
        raise ModelError(missing[0], "Run `make setup`.")
    questions = yaml.safe_load((PROJECT / "samples" / "questions.yaml").read_text(encoding="utf-8"))
    began = time.monotonic()
    with Library(settings, "readingroom demo") as room:
        with show_jobs.ingest_progress(quiet=False) as progress:
            report = room.ingest([PROJECT / "samples" / "documents"], COLLECTION, progress)
        if not report.added + report.updated:
            show.note(
                f"The samples are there already ({report.unchanged} files unchanged, {time.monotonic() - began:.1f} s)."
            )
            return 0
        show.note("Samples:")
        show_jobs.ingest_report(report)
        for entry in questions:
            if entry.get("show"):
                show.note(f"\n? {entry['question']}")
                with show.drafting() as event:
                    answer = last_answer(room.ask_stream(entry["question"], [COLLECTION]), event)
                show_answers.answer(answer)
    show.note("")
    return 0
