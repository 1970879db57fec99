"""Measures routing on questions about real 10-Qs: share routed, quality and cost against one model alone; writes JSON.

    python -m tests.benchmarks.routing [EVERY] [DATA] [OUT.json]

Takes every EVERY-th of the questions of `kgrag_sec10q` that rest on one document, and asks the small model (135M) alone, the
large one (1.5B) alone, and both by the rule of config.yaml, with and without asking again. A model is asked for a prompt once;
where the same prompt comes again its reply is given again and its cost counted again. Cost is processor time of the model's
process, as a share of what the large model alone needs. The known answers were written by a model, so the measure is loose: an
answer is right when it cites the right document and says, or quotes, a figure of the known answer that is neither a year nor in
the question. Of all of these questions the share is counted that the rule takes for hard; with 0 nothing else is done.
"""

from __future__ import annotations

import csv
import fnmatch
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from rag.answer import last_answer
from rag.evidence import Support
from rag.library import Library
from rag.llm import Completion, Message, ModelCard
from rag.llm_embedded import EmbeddedModel
from rag.marking import figures
from rag.model_store import ModelStore
from rag.routing import Candidate, difficulty
from rag.settings import Routing
from rag.shapes import Answer
from tests.benchmarks.run import machine
from tests.benchmarks.sets import SHARED, WORK, filings

WINDOW = 4096


@dataclass
class Remembered:
    """A model that is asked each prompt once; `spent` are seconds of processor time, replies given again included."""

    model: EmbeddedModel
    spent: float = 0.0
    replies: dict[str, tuple[list[str | Completion], float]] = field(default_factory=dict)

    @property
    def card(self) -> ModelCard:
        return self.model.card

    def count(self, messages: Sequence[Message]) -> int:
        return self.model.count(messages)

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Mapping[str, Any] | None = None, seed: int = 0
    ) -> Iterator[str | Completion]:
        prompt = repr(messages)
        if prompt not in self.replies:
            before = self._seconds()
            said = list(self.model.stream(messages, max_tokens=max_tokens, schema=schema, seed=seed))
            self.replies[prompt] = said, self._seconds() - before
        said, seconds = self.replies[prompt]
        self.spent += seconds
        yield from said

    def close(self) -> None:
        self.model.close()

    def _seconds(self) -> float:
        """Return the processor time of the model's process."""
        fields = Path(f"/proc/{self.model.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Ask, mark, print the table, write it with machine and date."""
    every, data, out = (*sys.argv[1:], *("6", str(SHARED / "data"), str(WORK / "routing.json"))[len(sys.argv) - 1 :])
    result: dict[str, Any] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "every": int(every), "ways": {}}
    with filings("kgrag", Path(data)) as library:
        result["rule"] = _shares(library, _questions(Path(data), 1))
        print(result["rule"], file=sys.stderr, flush=True)
        if every == "0":
            return 0
        store = ModelStore(library.settings.path(library.settings.models.folder))
        small, large = (
            Remembered(EmbeddedModel(store.path(n), store.path(n).stem, store.digest(n), window=WINDOW))
            for n in ("small", "default")
        )
        for each in (small, large):
            each.model.load()
        rule = library.settings.routing
        for name, models, again in (
            ("always large", (large,), False),
            ("always small", (small,), False),
            ("routed", (small, large), rule.ask_again),
            ("routed, asked once", (small, large), False),
        ):
            result["ways"][name] = _measure(
                library, _questions(Path(data), int(every)), models, rule.model_copy(update={"ask_again": again})
            )
            Path(out).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        small.close()
        large.close()
    full = result["ways"]["always large"]["seconds"]
    for name, found in result["ways"].items():
        found["cost"] = round(found["seconds"] / full, 3)
        print(f"{name:20} " + " ".join(f"{key}={value}" for key, value in found.items() if key != "notes"))
    Path(out).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _questions(data: Path, every: int) -> list[dict[str, str]]:
    with open(data / "kgrag_sec10q" / "qna_data.csv", encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Question Type"].startswith("Single-Doc")]
    return rows[::every]


def _shares(library: Library, rows: Sequence[dict[str, str]]) -> dict[str, float]:
    """Return the shares of questions that get an answer at all, and of those the hard ones and what made them hard; no model is
    asked."""
    seen: Counter[str] = Counter()

    def route(question: str, supports: Sequence[Support]) -> Iterator[Candidate]:
        asked = difficulty(question, supports, library.settings.routing)
        seen.update(["asked", *(["hard"] if asked.hard else []), *asked.reasons])
        return iter(())

    answerer = replace(library.live.answerer, choose=lambda: None, route=route)
    for row in rows:
        last_answer(answerer.stream(row["Question"], ["kgrag"], may_clarify=False))
    found = {name: round(number / max(1, seen["asked"]), 3) for name, number in seen.items()}
    return found | {"asked": round(seen["asked"] / len(rows), 3)}


def _measure(
    library: Library, rows: Sequence[dict[str, str]], models: tuple[Remembered, ...], rule: Routing
) -> dict[str, Any]:
    """Ask all questions of one model, or of two by the rule."""
    before = sum(model.spent for model in models)
    found: dict[str, Any] = {
        "questions": len(rows),
        "by_model": 0,
        "by_large": 0,
        "quoted": 0,
        "right": 0,
        "not_found": 0,
    }
    found["hard"], found["notes"] = 0, []
    for row in rows:
        answer = _ask(library, row["Question"], models, rule)
        found["by_model"] += answer.model.backend != "extractive"
        found["by_large"] += answer.model.name == models[-1].card.name
        found["quoted"] += answer.outcome == "answered" and answer.model.backend == "extractive"
        found["not_found"] += answer.outcome == "not_found"
        found["hard"] += "hard question" in answer.note
        found["right"] += _is_right(answer, row)
        found["notes"].append(answer.note)
    found["seconds"] = round(sum(model.spent for model in models) - before, 1)
    print(f"  {found}"[:160], file=sys.stderr, flush=True)
    return found


def _ask(library: Library, question: str, models: tuple[Remembered, ...], rule: Routing) -> Answer:
    def route(question: str, supports: Sequence[Support]) -> Iterator[Candidate]:
        asked = difficulty(question, supports, rule)
        for model in models[::-1] if asked.hard else models:
            yield Candidate(model, f"{asked}.", rule.ask_again, lambda seconds: None)

    way = partial(replace, library.live.answerer)
    answerer = way(choose=lambda: models[0], route=route if len(models) > 1 else None)
    return last_answer(answerer.stream(question, ["kgrag"], may_clarify=False))


def _is_right(answer: Answer, row: Mapping[str, str]) -> bool:
    if not any(fnmatch.fnmatch(Path(c.path).stem, row["Source Docs"]) for c in answer.citations):
        return False
    asked = {one.value for one in figures(row["Question"])}
    known = {one.value for one in figures(row["Answer"]) if one.value not in asked and not 1900 <= one.value <= 2100}
    said = {one.value for text in (answer.answer, *(c.quote for c in answer.citations)) for one in figures(text)}
    return bool({value for value in known if value > 31} & said)


if __name__ == "__main__":
    raise SystemExit(main())
