"""Measures retrieval on questions whose right passages or pages are known."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.elements import Page, Reading, Writer
from ingest.language import language
from ingest.pipeline import version_of
from ingest.ports import Embedder, Seen, Task, Vectors, Version
from ingest.split import SPLITTER, split
from rag.errors import UsageError
from rag.library import Library
from rag.settings import Settings

DEPTH = 100
"""Documents of a ranking that count."""
CUTS = (1, 3, 5, 10)
SET = "set"
"""The collection that a set's texts are put into."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its ranked answers: (document, page or 0, score), best first, and the seconds it took."""

    key: str
    ranked: tuple[tuple[str, int, float], ...]
    seconds: float


def read_lines(file: Path, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Read a file of JSON lines; raise UsageError naming the file, the line and the key that is wrong."""
    found: list[dict[str, Any]] = []
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} can't be read: {error}", "Give the path of a file in JSON lines.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{file}, line {number}, is not JSON: {error}", "Correct the line.") from error
        missing = [key for key in keys if not isinstance(row, dict) or key not in row]
        if missing:
            raise UsageError(f"{file}, line {number}, has no `{missing[0]}`.", f"Each line has {', '.join(keys)}.")
        found.append(row)
    if not found:
        raise UsageError(f"{file} holds no lines.", "Give a file with at least one.")
    return found


def read_qrels(file: Path) -> dict[str, dict[str, int]]:
    """Return question → document → grade above 0, from a tab-separated file with a header."""
    found: dict[str, dict[str, int]] = {}
    try:
        lines = file.read_text(encoding="utf-8").strip().split("\n")[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} can't be read: {error}", "A set in BEIR's form has qrels/test.tsv.") from error
    for number, line in enumerate(lines, start=2):
        parts = line.rstrip("\r").split("\t")
        if len(parts) != 3 or not parts[2].lstrip("-").isdigit():
            raise UsageError(f"{file}, line {number}, is not question, document, grade.", "Separate them by tabs.")
        if int(parts[2]) > 0:
            found.setdefault(parts[0], {})[parts[1]] = int(parts[2])
    if not found:
        raise UsageError(f"{file} judges nothing.", "Give a file with grades above 0.")
    return found


def ask_set(
    settings: Settings, folder: Path, split_name: str, cache: Path | None, progress: Callable[[str], None]
) -> tuple[list[Asked], dict[str, dict[str, int]]]:
    """Put a set in BEIR's form into a home of its own and ask its judged questions; return answers and judgements.

    Every text is a document with its title as heading; it is split, embedded and searched as any document is. `cache` is a
    folder in which its vectors are kept for the next time.
    """
    questions, judged = read_judged(folder, split_name)
    with open_set(settings, folder, cache, progress) as (library, names):
        return ask_questions(library, names, questions, progress), judged


def read_judged(folder: Path, split_name: str) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Return the judged questions of a set, in the order of their keys, and the judgements; raise UsageError where one lacks."""
    judged = read_qrels(folder / "qrels" / f"{split_name}.tsv")
    questions = {str(row["_id"]): str(row["text"]) for row in read_lines(folder / "queries.jsonl", ("_id", "text"))}
    if missing := sorted(set(judged) - set(questions)):
        raise UsageError(f"queries.jsonl has no question `{missing[0]}`, which is judged.", "Complete the set.")
    return {key: questions[key] for key in sorted(judged)}, judged


def ask_questions(
    library: Library, names: Mapping[str, str], questions: Mapping[str, str], progress: Callable[[str], None]
) -> list[Asked]:
    """Ask an open set, and return its documents by the set's names."""
    answers = []
    for number, (key, question) in enumerate(questions.items(), start=1):
        answers.append(_ask(library, key, question, [SET], names))
        if number % 250 == 0:
            progress(f"{number} of {len(questions)} questions asked")
    return answers


@contextmanager
def open_set(
    settings: Settings, folder: Path, cache: Path | None, progress: Callable[[str], None]
) -> Iterator[tuple[Library, dict[str, str]]]:
    """Give a throw-away home that holds a set's texts, and the catalog's ids of its documents → the set's."""
    texts = read_lines(folder / "corpus.jsonl", ("_id", "text"))
    with (
        tempfile.TemporaryDirectory(prefix="readingroom-eval-") as home,
        Library(settings.model_copy(update={"home": Path(home)}), "eval") as library,
    ):
        progress(f"{len(texts)} texts: splitting and embedding")
        yield library, fill(library, texts, cache, progress)


def ask_pages(
    library: Library,
    questions: Sequence[Mapping[str, Any]],
    collections: Sequence[str],
    progress: Callable[[str], None],
) -> list[Asked]:
    """Ask questions of an open home; answers are (file name without suffix, page) of the hits of a search."""
    answers = []
    for number, row in enumerate(questions, start=1):
        began = time.perf_counter()
        hits = library.search(str(row["question"]), collections, DEPTH // 2).hits
        took = time.perf_counter() - began
        ranked = tuple((Path(hit.path).stem, hit.page, hit.score) for hit in hits)
        answers.append(Asked(str(row["id"]), ranked, took))
        if number % 50 == 0:
            progress(f"{number} of {len(questions)} questions asked")
    return answers


def _ask(library: Library, key: str, question: str, collections: Sequence[str], names: Mapping[str, str]) -> Asked:
    began = time.perf_counter()
    found = library.found(question, collections, 2 * DEPTH)
    took = time.perf_counter() - began
    best: dict[str, float] = {}
    for item in found:
        best.setdefault(names[item.passage.document_id], item.score)
    return Asked(key, tuple((name, 0, score) for name, score in list(best.items())[:DEPTH]), took)


def fill(
    library: Library, texts: Sequence[Mapping[str, Any]], cache: Path | None, progress: Callable[[str], None]
) -> dict[str, str]:
    """Make each text a document; return the catalog's ids → the set's."""
    from rag.intake import Intake
    from rag.version_rows import document_id

    embedder = library.embedder
    intake = Intake(library.store, embedder.fingerprint)
    library.jobs.add(SET, ["/set"])
    job = intake.next_job()
    assert job is not None
    paths = {f"/set/{number}": row for number, row in enumerate(texts)}
    intake.list_files(job, [Path(path) for path in paths])
    names: dict[str, str] = {}
    for path, row in paths.items():
        reading = _reading(str(row.get("title") or ""), str(row["text"]))
        identity, digest = document_id(SET, path), hashlib.sha256(path.encode()).hexdigest()
        chunks = split(reading, embedder.count)
        version = version_of(digest, SPLITTER, path)
        seen = Seen(len(reading.text), 0)
        intake.make_visible(
            job, Task(path, path), Version(identity, version, digest, "txt", seen, "eval", reading, chunks, 0)
        )
        names[identity] = str(row["_id"])
    intake.start_embedding(job)
    kept = _Kept(cache, embedder)
    done = 0
    while some := intake.texts_to_embed(job, 512):
        intake.put_vectors(job, kept.vectors(some))
        done += len(some)
        progress(f"{done} passages embedded")
    kept.close()
    intake.finish(job)
    library.publisher.run()
    return names


def _reading(title: str, text: str) -> Reading:
    writer = Writer()
    writer.add("title", " ".join(title.split()), 1, 1)
    for paragraph in text.split("\n"):
        writer.add("paragraph", paragraph)
    reading = writer.reading([Page(1)], title or None)
    if code := language(reading.text):
        reading.metadata["language"] = code  # as ingestion does; facets are left out: the texts are no documents
    return reading


class _Kept:
    """Vectors of texts that were embedded before, in a file for each embedder; without a folder nothing is kept."""

    def __init__(self, folder: Path | None, embedder: Embedder) -> None:
        import numpy as np  # with the embedder

        self._embedder, self._new, self._known = embedder, False, dict[str, Vectors]()
        self._file = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = folder / (hashlib.sha256(embedder.fingerprint.encode()).hexdigest()[:16] + ".npz")
            if self._file.exists():
                with np.load(self._file) as stored:
                    self._known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def vectors(self, texts: Sequence[tuple[str, str]]) -> list[tuple[str, Any]]:
        missing = [(key, text) for key, text in texts if key not in self._known]
        if missing:
            self._known.update(
                zip([key for key, _ in missing], self._embedder.embed([t for _, t in missing]), strict=True)
            )
            self._new = True
        return [(key, self._known[key]) for key, _ in texts]

    def close(self) -> None:
        import numpy as np

        if self._file is not None and self._new:
            np.savez(self._file, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))


def score_ranking(answers: Sequence[Asked], judged: Mapping[str, Mapping[str, int]]) -> dict[str, list[float]]:
    """Return for each question nDCG@10, recall at 10 and 100 and reciprocal rank, in the order of `answers`."""
    measures: dict[str, list[float]] = {"ndcg@10": [], "recall@10": [], "recall@100": [], "mrr": []}
    for answer in answers:
        grades = judged[answer.key]
        ranked = [name for name, _, _ in answer.ranked]
        gain = sum((2 ** grades.get(name, 0) - 1) / math.log2(rank + 2) for rank, name in enumerate(ranked[:10]))
        best = sorted(grades.values(), reverse=True)[:10]
        measures["ndcg@10"].append(gain / sum((2**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(best)))
        for cut in (10, 100):
            measures[f"recall@{cut}"].append(len(set(ranked[:cut]) & set(grades)) / len(grades))
        first = next((rank for rank, name in enumerate(ranked, start=1) if name in grades), 0)
        measures["mrr"].append(1 / first if first else 0.0)
    return measures


def score_pages(answers: Sequence[Asked], questions: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return for each question whether a gold page, and the right document, is among the first 1, 3, 5, 10 hits."""
    measures: dict[str, list[float]] = {f"{what}@{cut}": [] for what in ("page", "document") for cut in CUTS}
    for answer, row in zip(answers, questions, strict=True):
        for cut in CUTS:
            top = answer.ranked[:cut]
            right = [page for name, page, _ in top if name == row["doc"]]
            measures[f"document@{cut}"].append(float(bool(right)))
            measures[f"page@{cut}"].append(float(any(page in row["gold_pages"] for page in right)))
    return measures


def write_run(file: Path, answers: Iterable[Asked]) -> None:
    """Write a ranking as question, document, rank, score, separated by tabs."""
    lines = [
        f"{answer.key}\t{name}\t{rank}\t{score:.6f}\n"
        for answer in answers
        for rank, (name, _, score) in enumerate(answer.ranked, start=1)
    ]
    file.write_text("".join(lines), encoding="utf-8")


def write_hits(file: Path, answers: Iterable[Asked]) -> None:
    """Write hits as JSON lines {"id", "hits": [{"doc", "page"}]}, best first."""
    rows = (
        {"id": answer.key, "hits": [{"doc": name, "page": page} for name, page, _ in answer.ranked]}
        for answer in answers
    )
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def milliseconds(answers: Sequence[Asked]) -> dict[str, float]:
    """Return the median and the 95th percentile of the time that a question took."""
    times = sorted(answer.seconds for answer in answers)
    return {
        "p50_ms": round(times[len(times) // 2] * 1000, 1),
        "p95_ms": round(times[min(len(times) - 1, int(len(times) * 0.95))] * 1000, 1),
    }
