"""Measures the evidence gate on public sets: fits it on half of each, reports the other half; writes JSON.

    python -m tests.benchmarks.gate DATA CACHE [OUT.json]

DATA holds `beir/squad2half`, `beir/clapnq-dev` and `mtragun`. Questions are asked of the set's own texts; off-topic ones of
another set's. The halves are whole articles or conversations, chosen by hash; of SQuAD's articles one half taught the span
reader, and of the other half one part fits the gate and one is reported. CACHE keeps vectors, and the signs of questions as JSON
lines, so that a second run with the same signs only fits. No text of a set is written to OUT.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.answer import WEIGHED
from rag.evaluate import open_set, read_lines
from rag.evidence import Asked, weigh
from rag.excerpts import read
from rag.gate import DEFAULT, SIGNS, Gate, Signs, signs, values
from rag.library import Library
from rag.logistic import auc, errors, fit, threshold
from rag.marking import wilson
from rag.settings import PROJECT, load_settings

SHARES = {"squad2half": 1.0, "clapnq-dev": 1.0, "mtragun": 0.5, "squad-on-clapnq": 0.25, "clapnq-on-squad": 0.25}
"""How much each set counts in the fit, whatever its size."""
PULL = 3.0
LIMIT = {"squad2half": 1600, "squad-on-clapnq": 400, "clapnq-on-squad": 200}
REFUSALS = (0.01, 0.03, 0.05, 0.10, 0.15, 0.20, 0.30)
EVEN, ODD = (0, 2), (1, 3)
FITTED = {"squad2half": (1,), "squad-on-clapnq": (1,)}
REPORTED = {"squad2half": (3,), "squad-on-clapnq": (3,)}
"""Parts of the articles, four in all; the even ones of SQuAD taught the span reader."""
NO_SIGNS = [0.0] * len(SIGNS)


@dataclass(frozen=True, slots=True)
class Case:
    """A question of a set; `group` decides its half, `first` is the sentence score that the gate used before."""

    key: str
    group: str
    question: str
    answerable: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A question's signs and the best sentence's score."""

    key: str
    group: str
    answerable: bool
    score: float
    signs: Signs | None

    @property
    def row(self) -> list[float]:
        return values(self.signs) if self.signs is not None else NO_SIGNS

    @property
    def part(self) -> int:
        return part_of(self.group)


def part_of(group: str) -> int:
    """Return the part, of four, that an article or conversation belongs to."""
    return hashlib.sha256(group.encode()).digest()[0] % 4


def half_of(group: str) -> int:
    """Return the half that an article or conversation belongs to."""
    return hashlib.sha256(group.encode()).digest()[0] % 2


def squad(data: Path) -> list[Case]:
    rows = read_lines(data / "beir" / "squad2half" / "queries.jsonl", ("_id", "text", "paragraph"))
    return [
        Case(row["_id"], row["paragraph"].split("#")[0], row["text"], not row["is_impossible"])
        for row in sorted(rows, key=lambda row: str(row["_id"]))  # ids are hashes: any beginning is a sample
        if half_of(row["paragraph"].split("#")[0]) == 1
    ]


def clapnq(data: Path) -> list[Case]:
    rows = read_lines(data / "beir" / "clapnq-dev" / "queries.jsonl", ("_id", "text"))
    return [Case(row["_id"], row["_id"], row["text"], not row["is_impossible"]) for row in rows]


def mtragun(data: Path) -> tuple[list[Case], dict[str, str]]:
    """Return the last questions of conversations that are answerable or not, and the texts of all."""
    cases, texts = [], {}
    for row in read_lines(data / "mtragun" / "reference.jsonl", ("task_id", "input", "answerability")):
        texts |= {item["document_id"]: item["text"] for item in row["contexts"]}
        kind = row["answerability"][0]
        if kind in ("ANSWERABLE", "UNANSWERABLE"):
            asked = [turn["text"] for turn in row["input"] if turn["speaker"] == "user"]
            cases.append(Case(row["task_id"], row["conversation_id"], asked[-1], kind == "ANSWERABLE"))
    return cases, texts


@contextmanager
def home_of(data: Path, name: str, cache: Path) -> Iterator[Library]:
    """Give a home with the texts of a set."""
    with tempfile.TemporaryDirectory() as place:
        folder = data / "beir" / name
        if name == "mtragun":
            folder = Path(place)
            rows = [json.dumps({"_id": key, "text": text}) for key, text in mtragun(data)[1].items()]
            (folder / "corpus.jsonl").write_text("\n".join(rows), encoding="utf-8")
        with open_set(load_settings(), folder, cache, print) as (library, _):
            yield library


def look(library: Library, cases: Sequence[Case]) -> Iterator[Seen]:
    for case in cases:
        passages = library.found(case.question, [], WEIGHED)
        asked = Asked.of(case.question, library.catalog, passages)
        supports = weigh(case.question, asked, passages, library.embedder)
        if (reader := library.live.answerer.reader) is not None:
            supports = read(case.question, supports, library.catalog, reader)
        found = signs(case.question, supports) if supports else None
        yield Seen(case.key, case.group, case.answerable, supports[0].score if supports else 0.0, found)


def collect(data: Path, cache: Path) -> dict[str, list[Seen]]:
    """Return the signs of every set, out of the cache where they are."""
    cases = {"squad2half": squad(data), "clapnq-dev": clapnq(data), "mtragun": mtragun(data)[0]}
    no = dataclasses.replace
    cases["squad-on-clapnq"] = [no(case, answerable=False) for case in cases["squad2half"][::-1]]
    cases["clapnq-on-squad"] = [no(case, answerable=False) for case in cases["clapnq-dev"]]
    homes = {"squad-on-clapnq": "clapnq-dev", "clapnq-on-squad": "squad2half"}
    found = {}
    for name, asked in cases.items():
        file = cache / f"signs-{name}.jsonl"
        if not file.exists():
            with home_of(data, homes.get(name, name), cache) as library:
                rows = [json.dumps(dataclasses.asdict(seen)) for seen in look(library, asked[: LIMIT.get(name)])]
            file.write_text("\n".join(rows), encoding="utf-8")
        found[name] = [
            Seen(**{**row, "signs": Signs(**row["signs"]) if row["signs"] else None})
            for row in read_lines(file, ("key",))
        ]
    return found


def fitted(found: dict[str, list[Seen]]) -> Gate:
    rows: list[list[float]] = []
    labels: list[bool] = []
    shares: list[float] = []
    for name, some in found.items():
        half = [seen for seen in some if seen.part in FITTED.get(name, EVEN)]
        rows += [seen.row for seen in half]
        labels += [seen.answerable for seen in half]
        shares += [SHARES[name] * 1000 / len(half)] * len(half)
    *weights, bias = fit(rows, labels, [0.0] * (len(SIGNS) + 1), PULL, shares)
    return Gate(tuple(round(weight, 3) for weight in weights), round(bias, 3))


def scores(some: Sequence[Seen], gate: Gate) -> list[float]:
    return [gate.chance(seen.signs) if seen.signs is not None else 0.0 for seen in some]


def curve(values: Sequence[float], labels: Sequence[bool]) -> list[dict[str, Any]]:
    """Return for shares of false refusals the share of false answers, with its 95 % interval."""
    points = []
    for refusals in REFUSALS:
        refused, yes, passed, no = errors(values, labels, threshold(values, labels, refusals))
        low, high = wilson(passed, no)
        points.append(
            {
                "false_refusals": round(refused / yes, 4),
                "false_answers": round(passed / no, 4),
                "low": round(low, 4),
                "high": round(high, 4),
            }
        )
    return points


def report(found: dict[str, list[Seen]], gate: Gate) -> dict[str, Any]:
    """Return what the gate does on the halves that it was not fitted on."""
    sets: dict[str, Any] = {}
    other = {name: [seen for seen in some if seen.part in REPORTED.get(name, ODD)] for name, some in found.items()}
    together = {"squad2half + clapnq-dev": other["squad2half"] + other["clapnq-dev"]}
    least = {}
    for name, some in (together | other).items():
        labels, values = [seen.answerable for seen in some], scores(some, gate)
        entry: dict[str, Any] = {"questions": len(some), "answerable": sum(labels)}
        if name in together:
            least = {str(share): round(threshold(values, labels, share), 4) for share in REFUSALS}
            entry["thresholds"] = least
        if 0 < sum(labels) < len(labels):
            entry |= {
                "auc": round(auc(values, labels), 4),
                "auc_best_sentence": round(auc([seen.score for seen in some], labels), 4),
                "curve": curve(values, labels),
                "curve_best_sentence": curve([seen.score for seen in some], labels),
            }
        entry["passes_at_common_threshold"] = {
            share: {
                "answerable": _passing(values, labels, True, limit),
                "unanswerable": _passing(values, labels, False, limit),
            }
            for share, limit in least.items()
        }
        sets[name] = entry
    return sets


def _passing(values: Sequence[float], labels: Sequence[bool], wanted: bool, limit: float) -> float | None:
    some = [value >= limit for value, label in zip(values, labels, strict=True) if label == wanted]
    return round(sum(some) / len(some), 4) if some else None


def main() -> None:
    """Fit, report, write `docs/benchmarks/DATE-gate.json` unless another file is named."""
    data, cache = Path(sys.argv[1]), Path(sys.argv[2])
    found = collect(data, cache)
    gate = fitted(found)
    single = {
        name: {
            sign: round(auc([seen.row[at] for seen in some], [seen.answerable for seen in some]), 3)
            for at, sign in enumerate(SIGNS)
        }
        for name, some in found.items()
        if any(seen.answerable for seen in some)
    }
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "embedder": load_settings().embedding.model,
        "fitted": {"weights": dict(zip(SIGNS, gate.weights, strict=True)), "bias": gate.bias},
        "in_the_product": {"weights": dict(zip(SIGNS, DEFAULT.weights, strict=True)), "bias": DEFAULT.bias},
        "auc_of_single_signs": single,
        "other_halves": report(found, gate),
    }
    out = Path(sys.argv[3]) if len(sys.argv) > 3 else PROJECT / "docs" / "benchmarks" / f"{result['date']}-gate.json"
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, entry in report(found, gate).items():
        print(name, json.dumps({key: value for key, value in entry.items() if not key.startswith("curve")}))
        for point in entry.get("curve", []):
            print("   ", json.dumps(point))
    print(tuple(gate.weights), gate.bias)


if __name__ == "__main__":
    main()
