"""Measures what is found on real sets, each default switched off in turn, with an independent scorer; writes JSON.

    make quality                    all sets, the table
    make quality SETS="scifact kgrag"
    make quality SETS=answers       the answers alone: F1, false answers, cited pages, quotes, injections
    make quality ABLATION=1         also with each ingredient of the score switched off

Sets in BEIR's form go through `rag.evaluate`, filings and long texts through the product's own ingest into a home that is kept
in `build/quality`, with the vectors, for the next time. Both halves of each set's questions are scored: even and odd.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag import evaluate, join, keywords
from rag.evaluate import Asked
from rag.join import ALIKE
from rag.keywords import ROWS
from rag.library import Library
from rag.question import load_glossary
from rag.retrieve import Weights
from rag.settings import load_settings
from tests.benchmarks import answers
from tests.benchmarks.run import machine
from tests.benchmarks.sets import SHARED, WORK, filings, say

BEIR = ("scifact", "cranfield", "squad2half", "clapnq-dev", "xquad-zh", "xquad-ar", "xquad-de", "xquad-en")
OWN = ("financebench", "kgrag", "chunking")
ANSWERS = "answers"
"""What `tests.benchmarks.answers` measures."""
TARGETS = {
    "scifact": ("ndcg@10", 0.74), "cranfield": ("ndcg@10", 0.52), "squad2half": ("ndcg@10", 0.93),
    "clapnq-dev": ("ndcg@10", 0.95), "xquad-zh": ("recall@10", 0.97), "xquad-ar": ("recall@10", 0.97),
    "xquad-de": ("recall@10", 0.97), "xquad-en": ("ndcg@10", 0.95),
    "financebench": ("page@5", 0.55), "kgrag": ("document@5", 0.95), "chunking": ("recall@5", 0.95),
}  # fmt: skip
WITHOUT: dict[str, dict[str, Any]] = {
    "": {},
    "keywords alone": {"weights": Weights(keyword=1.0, foreign=1.0)},
    "vectors alone": {"weights": Weights(keyword=0.0, foreign=0.0)},
    "no sentence": {"weights": Weights(sentence=0.0)},
    "no names": {"weights": Weights(named=0.0)},
    "no glossary": {"glossary": load_glossary()},
    "25 candidates": {"candidates": 25},
    "50 candidates": {"candidates": 50},
    "200 candidates": {"candidates": 200},
    "10 looked into": {"weights": Weights(looked_into=10)},
    "100 looked into": {"weights": Weights(looked_into=100)},
    "0.8 alike": {"alike": 0.8},
    "none alike": {"alike": 2.0},
    "all gone through": {"rows": 100.0},
    "a tenth gone through": {"rows": 0.1},
    "a hundredth": {"rows": 0.01},
}
"""The search as it is, with one ingredient off, and with other numbers: what the retriever is made with instead; `alike` is the
share of common words from which on two passages are shown as one, `rows` the share of the passages that a keyword search goes
through, as it does in a catalog so much larger."""
FOUND = 5
"""Hits of the long texts, as in their publication."""

Measures = dict[str, list[float]]


def main() -> int:
    """Measure the sets that are named, print the table, write it with machine and date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=[*BEIR, *OWN, ANSWERS])
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument(
        "--variants", nargs="*", choices=[*WITHOUT], default=[*WITHOUT], help="with --ablation: these alone"
    )
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--scorer", type=Path, default=SHARED / "eval" / "score.py")
    parser.add_argument("--out", type=Path, default=WORK / "quality.json")
    options = parser.parse_args()
    if unknown := set(options.sets) - {*BEIR, *OWN, ANSWERS}:
        parser.error(f"no set is called {', '.join(sorted(unknown))}; there are {', '.join((*BEIR, *OWN, ANSWERS))}")
    if not options.data.is_dir():
        print(f"There is no folder {options.data}: the sets are not part of the repository.", file=sys.stderr)
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "sets": {}}
    for name in (name for name in options.sets if name != ANSWERS):
        variants = [
            one for one in WITHOUT if not one or (options.ablation and one in options.variants and _matters(one, name))
        ]
        result["sets"][name] = measured = {}
        for variant, one in _measure(name, variants, options):
            measured[variant or "as it is"] = one
            _print(name, variant, one)
            options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if ANSWERS in options.sets:
        return answers.main(["--data", str(options.data)])
    return 0


def _matters(variant: str, name: str) -> bool:
    """Texts of sets in BEIR's form name no documents, and are not joined to hits."""
    return name not in BEIR or (variant != "no names" and "alike" not in WITHOUT[variant])


def _measure(name: str, variants: Sequence[str], options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Open a set once, measure each variant and give it."""
    folder = options.data / "beir" / name
    with ExitStack() as opened:
        if name in BEIR:
            library, names = opened.enter_context(evaluate.open_set(load_settings({}), folder, WORK / "vectors", say))
        else:
            library = opened.enter_context(filings(name, options.data))
        retriever = library.retriever
        for variant in variants:
            changed = {"alike": ALIKE, **WITHOUT[variant]}
            join.ALIKE = changed.pop("alike")
            share = changed.pop("rows", None)
            keywords.ROWS = ROWS if share is None else int(share * library.catalog.document_frequency(())[1])
            library.live.__dict__["retriever"] = replace(retriever, **changed)
            if name in BEIR:
                yield variant, _beir(library, names, folder, options.scorer)
            elif name == "financebench":
                yield variant, _financebench(library, options.data / name / "questions.jsonl", options.scorer)
            elif name == "kgrag":
                yield variant, _kgrag(library, options.data / "kgrag_sec10q" / "qna_data.csv")
            else:
                yield variant, _chunking(library, options.data / "chunking_eval")


def _beir(library: Library, names: Mapping[str, str], folder: Path, scorer: Path) -> dict[str, Any]:
    questions, judged = evaluate.read_judged(folder, "test")
    answers = evaluate.ask_questions(library, names, questions, say)
    found = {}
    for half, keys in _halves(sorted(judged)).items():
        with tempfile.TemporaryDirectory() as place:
            qrels, run = Path(place) / "qrels.tsv", Path(place) / "run.tsv"
            lines = [f"{key}\t{name}\t{grade}\n" for key in keys for name, grade in judged[key].items()]
            qrels.write_text("question\tdocument\tgrade\n" + "".join(lines), encoding="utf-8")
            evaluate.write_run(run, [answer for answer in answers if answer.key in keys])
            found[half] = _scored(scorer, "retrieval", qrels, run)
    causes = Counter(_first_right([name in judged[answer.key] for name, _, _ in answer.ranked]) for answer in answers)
    return {**found, **evaluate.milliseconds(answers), "causes": dict(causes)}


def _first_right(right: Sequence[bool]) -> str:
    """Return where the first right text of a ranking stands."""
    rank = right.index(True) + 1 if True in right else 0
    for last, name in ((0, "not found"), (1, "first"), (3, "second or third"), (10, "fourth to tenth")):
        if rank <= last:
            return name
    return "further down"


def _financebench(library: Library, file: Path, scorer: Path) -> dict[str, Any]:
    questions = evaluate.read_lines(file, ("id", "question", "doc", "gold_pages"))
    answers = evaluate.ask_pages(library, questions, ["financebench"], say)
    found: dict[str, Any] = {}
    for half, keys in _halves([str(row["id"]) for row in questions]).items():
        with tempfile.TemporaryDirectory() as place:
            asked, hits = Path(place) / "questions.jsonl", Path(place) / "hits.jsonl"
            asked.write_text("".join(json.dumps(row) + "\n" for row in questions if str(row["id"]) in keys))
            evaluate.write_hits(hits, answers)
            found[half] = _scored(scorer, "pages", asked, hits)
    causes = Counter(_cause(answer, row) for answer, row in zip(answers, questions, strict=True))
    return {**found, **evaluate.milliseconds(answers), "causes": dict(causes)}


def _cause(answer: Asked, row: Mapping[str, Any]) -> str:
    """Return where a question's gold page was lost."""
    places = [(name, page) for name, page, _ in answer.ranked]
    right = [rank for rank, (name, page) in enumerate(places) if name == row["doc"] and page in row["gold_pages"]]
    if right and right[0] < 5:
        return "found"
    if all(name != row["doc"] for name, _ in places[:5]):
        return "another document comes first"
    if right and right[0] < 10:
        return "gold page sixth to tenth"
    return "gold page further down" if right else "gold page not among the hits"


def _kgrag(library: Library, file: Path) -> dict[str, Any]:
    with open(file, encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    values: Measures = {"document@5": [], "document@1": []}
    times, causes = [], Counter[str]()
    for row in rows:
        result = library.search(row["Question"], ["kgrag"], FOUND)
        names = [Path(hit.path).stem for hit in result.hits]
        times.append(Asked("", (), result.timings_ms["total"] / 1000))
        right = [fnmatch.fnmatch(name, row["Source Docs"].strip()) for name in names]
        causes[_first_right(right)] += 1
        for cut in (1, 5):
            values[f"document@{cut}"].append(float(any(right[:cut])))
    return {**_means(values), **evaluate.milliseconds(times), "causes": dict(causes)}


def _chunking(library: Library, folder: Path) -> dict[str, Any]:
    """Return what share of the gold characters is among the first five hits, and intersection over union with them."""
    with open(folder / "questions_df.csv", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    texts: dict[str, tuple[str, str, list[int]]] = {}
    for document in library.documents("chunking"):
        text = library.text(document.document_id).text
        texts[Path(document.path).stem] = (document.document_id, *_letters(text))
    values: Measures = {"recall@5": [], "iou@5": []}
    missing, causes = 0, Counter[str]()
    for row in rows:
        identity, letters, places = texts[row["corpus_id"]]
        gold: set[int] = set()
        for reference in json.loads(row["references"]):
            wanted = _letters(reference["content"])[0]
            at = letters.find(wanted)
            missing += at < 0
            if at >= 0:
                gold |= set(range(places[at], places[at + len(wanted) - 1] + 1))
        shown: set[tuple[str, int]] = set()
        for hit in library.search(row["question"], ["chunking"], FOUND).hits:
            shown |= {(hit.document_id, at) for at in range(hit.start, hit.end)}
        both = len(gold & {at for document, at in shown if document == identity})
        values["recall@5"].append(both / max(1, len(gold)))
        causes["whole" if both == len(gold) else f"{'a part' if both else 'nothing'} in {row['corpus_id']}"] += 1
        values["iou@5"].append(both / max(1, len(gold) + len(shown) - both))
    return {**_means(values), "gold spans not in the text": missing, "causes": dict(causes)}


def _letters(text: str) -> tuple[str, list[int]]:
    """Return the letters and figures of a text and where each stands: Markdown's signs are not part of what is read."""
    found = [(sign.lower(), match.start()) for match in re.finditer(r"[^\W_]", text) for sign in match.group()]
    return "".join(sign for sign, _ in found), [place for _, place in found]


def _halves(keys: Sequence[str]) -> dict[str, set[str]]:
    return {"all": set(keys), "even": set(keys[::2]), "odd": set(keys[1::2])}


def _means(values: Measures) -> dict[str, Any]:
    def mean(some: Sequence[float]) -> float:
        return round(sum(some) / len(some), 4)

    cuts = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}
    return {half: {name: mean(found[cut]) for name, found in values.items()} for half, cut in cuts.items()}


def _scored(scorer: Path, measure: str, truth: Path, run: Path) -> dict[str, float]:
    """Return what the independent scorer says."""
    said = subprocess.run(
        [sys.executable, str(scorer), measure, str(truth), str(run)], capture_output=True, text=True, check=True
    ).stdout
    if measure == "retrieval":
        return {name: float(value) for name, value in re.findall(r"(\S+@\d+) ([\d.]+)", said)}
    found = re.findall(r"top\s+(\d+)\s+gold page ([\d.]+)\s+right document ([\d.]+)", said)
    return {f"page@{cut}": float(page) for cut, page, _ in found} | {
        f"document@{cut}": float(right) for cut, _, right in found
    }


def _print(name: str, variant: str, measured: Mapping[str, Any]) -> None:
    key, target = TARGETS[name]
    values = [measured[half][key] for half in ("all", "even", "odd")]
    more = _listed(f"{other} {value:.3f}" for other, value in measured["all"].items() if other != key)
    verdict = "" if variant else ("met" if values[0] >= target else "missed")
    print(
        f"{name:13} {variant or 'as it is':15} {key:10} {values[0]:.4f} ({values[1]:.3f} / {values[2]:.3f})  "
        f"target {target:.2f} {verdict:7} {more}",
        flush=True,
    )
    if causes := measured.get("causes"):
        print(f"{'':13} {_listed(f'{cause}: {count}' for cause, count in sorted(causes.items()))}", flush=True)


def _listed(parts: Iterable[str]) -> str:
    return "  ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
