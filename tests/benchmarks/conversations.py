"""Measures the rewriting of follow-ups on conversations with known passages, through the real search; writes JSON.

    python -m tests.benchmarks.conversations [FILE] [--model]

Each passage is a document; asked is the last turn of each conversation alone, rewritten, and together with all turns before it.
With `--model` the language model of the settings rewrites where the rules don't reach.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.build import build_choice
from rag.evaluate import SET, fill
from rag.followup import FollowUps
from rag.library import Library
from rag.settings import PROJECT, load_settings
from tests.benchmarks.keywords import score

DEPTH = 10
HALVES = {"govt and clapnq": ("govt", "clapnq"), "ibmcloud and fiqa": ("ibmcloud", "fiqa")}
"""The rules were written after reading questions of all four collections: neither half is unseen."""


def conversations(file: Path) -> list[dict[str, Any]]:
    """Return the conversations with turns before the last one and with known passages."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    found = []
    for row in rows:
        asked = [turn["text"].strip() for turn in row["input"] if turn["speaker"] == "user"]
        if len(asked) > 1 and row["contexts"] and any(map(str.isalnum, asked[-1])):
            gold = {item["document_id"]: 1 for item in row["contexts"]}
            found.append({"asked": asked, "gold": gold, "collection": row["Collection"]})
    return found


def measure(file: Path, with_model: bool) -> dict[str, Any]:
    """Return nDCG and recall at 10 of the three ways to ask, for each half of the collections, and the rewrites."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    texts = {item["document_id"]: item["text"] for row in rows for item in row["contexts"]}
    asked = conversations(file)
    base = load_settings()
    with tempfile.TemporaryDirectory() as place, Library(base.model_copy(update={"home": Path(place)}), "eval") as room:
        names = fill(room, [{"_id": key, "text": text} for key, text in texts.items()], None, lambda line: None)
        model = build_choice(base) if with_model else None
        follow = FollowUps(lambda words: bool(room.catalog.naming.documents(words, [SET])), model or (lambda: None))
        rewrites = [_rewritten(follow, item["asked"]) for item in asked]
        ways: dict[str, Callable[[int], str]] = {
            "last turn alone": lambda at: str(asked[at]["asked"][-1]),
            "rewritten": lambda at: rewrites[at][0],
            "all turns": lambda at: "\n".join(asked[at]["asked"])[-4000:],
        }
        scores = {
            way: [_score(room, names, ask(at), asked[at]["gold"]) for at in range(len(asked))]
            for way, ask in ways.items()
        }
        if model is not None:
            model.close()
    result: dict[str, Any] = {"conversations": len(asked), "passages": len(texts), "with_model": with_model}
    result["rewritten_by"] = {who: sum(by == who for _, by in rewrites) for who in ("nobody", "rules", "model")}
    for half, collections in {**HALVES, "all": sum(HALVES.values(), ())}.items():
        chosen = [at for at, item in enumerate(asked) if item["collection"] in collections]
        changed = [at for at in chosen if rewrites[at][1] != "nobody"]
        result[half] = {way: _means(values, chosen) for way, values in scores.items()}
        result[f"{half}, rewritten ones only"] = {way: _means(values, changed) for way, values in scores.items()}
    result["samples"] = [
        {"turns": item["asked"][-3:], "rewritten": text, "by": by}
        for item, (text, by) in zip(asked, rewrites, strict=True)
    ]
    return result


def _rewritten(follow: FollowUps, asked: Sequence[str]) -> tuple[str, str]:
    """Rewrite turn after turn, each after the rewritten ones before it, as a conversation is kept."""
    alone: list[str] = []
    by = "nobody"
    for turn in asked:
        found = follow.rewrite(turn, alone)
        alone.append(found.question)
        by = found.by
    return alone[-1], by


def _score(room: Library, names: Mapping[str, str], question: str, gold: Mapping[str, int]) -> tuple[float, float]:
    ranked = list(dict.fromkeys(names[item.passage.document_id] for item in room.found(question, [SET], 50)))[:DEPTH]
    return score(ranked, gold)


def _means(values: Sequence[tuple[float, float]], chosen: Sequence[int]) -> dict[str, float]:
    count = max(1, len(chosen))
    return {
        "conversations": len(chosen),
        "ndcg_at_10": round(sum(values[at][0] for at in chosen) / count, 4),
        "recall_at_10": round(sum(values[at][1] for at in chosen) / count, 4),
    }


def main() -> None:
    """Measure and write `docs/benchmarks/DATE-conversations.json`, the texts of the conversations left out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?", type=Path, default=PROJECT.parent / "shared/data/mtragun/reference.jsonl")
    parser.add_argument("--model", action="store_true")
    parser.add_argument("--samples", type=Path, help="where to write the rewrites, to read them")
    chosen = parser.parse_args()
    result = measure(chosen.file, chosen.model)
    samples = result.pop("samples")
    if chosen.samples:
        chosen.samples.write_text("\n".join(json.dumps(sample, ensure_ascii=False) for sample in samples) + "\n")
    for half in (*HALVES, "all"):
        for part in (half, f"{half}, rewritten ones only"):
            print(part, json.dumps(result[part]))
    report = {"date": time.strftime("%Y-%m-%d"), **result}
    suffix = "-model" if chosen.model else ""
    file = PROJECT / "docs" / "benchmarks" / f"{report['date']}-conversations{suffix}.json"
    file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
