"""Measures search in large stores: latency, memory and recall against exact search, with and without filters; writes JSON.

    python -m tests.benchmarks.scale --chunks 100000 [--home FOLDER] [--out FILE]

The chunks are those of real filings (the home that `make quality SETS="financebench kgrag"` leaves in `build/quality`) and their
synthetic neighbours: an eighth of the words replaced by others of the store, the vector moved by noise. Questions are those of
FinanceBench and of the 10-Qs. Each is asked in full, and as what can't be spared: embedding it and one look-up in the index.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import random
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from sqlalchemy import text

from ingest.elements import Page, Reading
from ingest.pipeline import embedded_text
from ingest.ports import Chunk, Seen, Task, Version
from rag.bm25 import WEIGHTS
from rag.filters import Filter
from rag.library import Library
from rag.passages import match_expression
from rag.question import understand
from rag.settings import PROJECT, load_settings
from rag.version_rows import document_id
from tests.benchmarks.run import machine

DATA = PROJECT.parent / "shared" / "data"
FILINGS = PROJECT / "build" / "quality" / "filings"
A_DOCUMENT = 250
"""Chunks of a synthetic document."""
REPLACED = 0.125
NOISE = 0.5
"""Length of what is added to a vector of length 1: its cosine with the original is 0.89."""
COLLECTION = "scale"
SHARES = (0.5, 0.1, 0.01)
"""Of the documents that a filter leaves."""


def main() -> int:
    """Fill a home up, ask, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument("--filings", type=Path, default=FILINGS, help="the home whose chunks are multiplied")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    home = options.home or PROJECT / "build" / "scale" / str(options.chunks)
    result: dict[str, Any] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "chunks": options.chunks}
    with Library(load_settings({"READINGROOM_HOME": str(home)}), "scale") as library:
        if lacking(library, options.chunks) > 0:
            result["seconds to write"], result["seconds to publish"] = fill(library, options.chunks, options.filings)
        result |= measure(library, questions(options.questions))
    result["bytes"] = {
        part.name: sum(
            file.stat().st_size for file in ([part] if part.is_file() else part.rglob("*")) if file.is_file()
        )
        for part in sorted(home.iterdir())
    }
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def questions(count: int) -> list[str]:
    """Return questions of both sets, shuffled with a fixed seed."""
    asked = (DATA / "financebench" / "questions.jsonl").read_text(encoding="utf-8").strip().split("\n")
    found = [json.loads(line)["question"] for line in asked]
    with open(DATA / "kgrag_sec10q" / "qna_data.csv", encoding="utf-8-sig", newline="") as lines:
        found += [row["Question"] for row in csv.DictReader(lines)]
    random.Random(7).shuffle(found)
    return found[:count]


def lacking(library: Library, count: int) -> int:
    """Return how many chunks a home lacks: one that has some grows."""
    return count - sum(item.chunks for item in library.collections())


def fill(library: Library, count: int, filings: Path) -> tuple[float, float]:
    """Write synthetic documents as a worker would, and publish them; return the seconds of both."""
    from rag.intake import Intake

    texts, vectors = _real(filings)
    there = count - lacking(library, count)
    words = [text.split() for text in texts]
    pool = [word for some in words for word in some]
    chance = random.Random(11 + there)
    noise = np.random.default_rng(11 + there)
    intake = Intake(library.store, library.embedder.fingerprint)
    library.jobs.add(COLLECTION, ["/scale"])
    job = intake.next_job()
    assert job is not None
    paths = [f"/scale/Filing {number:05d}.txt" for number in range(there // A_DOCUMENT, -(-count // A_DOCUMENT))]
    intake.list_files(job, [Path(path) for path in paths])
    began, made = time.perf_counter(), there
    for path in paths:
        size = min(A_DOCUMENT, count - made)
        picked = [(made + at) % len(texts) for at in range(size)]
        bodies = [
            " ".join(chance.choice(pool) if chance.random() < REPLACED else word for word in words[number])
            for number in picked
        ]
        _write(intake, job, path, bodies)
        moved = vectors[picked] + noise.normal(scale=NOISE / np.sqrt(vectors.shape[1]), size=(size, vectors.shape[1]))
        moved = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype("<f4")
        keys = [hashlib.sha256(embedded_text("", body).encode()).hexdigest() for body in bodies]
        intake.put_vectors(job, list({key: (key, vector) for key, vector in zip(keys, moved, strict=True)}.values()))
        made += size
        if made % 50_000 < A_DOCUMENT:
            print(f"{made} chunks, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    intake.start_embedding(job)
    assert not intake.texts_to_embed(job, 1)
    intake.finish(job)
    written = time.perf_counter()
    library.publisher.run()
    return round(written - began, 1), round(time.perf_counter() - written, 1)


def _write(intake: Any, job: Any, path: str, bodies: Sequence[str]) -> None:
    text, chunks = "\n".join(bodies), []
    at = 0
    for ordinal, body in enumerate(bodies):
        chunks.append(Chunk(ordinal, at, at + len(body), ordinal // 3 + 1, "", ""))
        at += len(body) + 1
    pages = [Page(number + 1) for number in range(len(bodies) // 3 + 1)]
    reading = Reading(text, (), tuple(pages))
    identity = document_id(COLLECTION, path)
    digest = hashlib.sha256(path.encode()).hexdigest()
    seen = Seen(len(text), 0)
    intake.make_visible(
        job, Task(path, path), Version(identity, digest[:16], digest, "txt", seen, "scale", reading, tuple(chunks), 0)
    )


def _real(filings: Path) -> tuple[list[str], Any]:
    """Return texts and vectors of the chunks of real filings."""
    if not (filings / "catalog.sqlite").exists():
        raise SystemExit(f'There are no filings in {filings}: run make quality SETS="financebench kgrag" first.')
    catalog = sqlite3.connect(f"file:{filings / 'catalog.sqlite'}?mode=ro", uri=True)
    rows = catalog.execute(
        "SELECT text, vector FROM chunks JOIN embeddings USING (text_hash) ORDER BY chunk_id"
    ).fetchall()
    catalog.close()
    return [row[0] for row in rows], np.stack([np.frombuffer(row[1], dtype="<f4") for row in rows])


def measure(library: Library, asked: Sequence[str]) -> dict[str, Any]:
    """Return latency and recall: of the index alone, of whole searches, and of searches with filters."""
    index, embedder = library.retriever.index, library.embedder
    vectors = [embedder.embed([question])[0] for question in asked]
    for question in asked[:20]:
        library.search(question, [COLLECTION])  # what is warm in a running server
    result: dict[str, Any] = {"filters": {}}
    ids, every = _every(library)
    exact = [_best(ids, every, vector, 100) for vector in vectors]
    near = [{key for key, _ in index.nearest(COLLECTION, vector, 100)} for vector in vectors]
    recall = [len(found & truth) / len(truth) for found, truth in zip(near, exact, strict=True)]
    result["index"] = {
        "recall@100": round(float(np.mean(recall)), 4),
        **_percentiles([_time(lambda vector: index.nearest(COLLECTION, vector, 100), vector) for vector in vectors]),
    }

    def bare(question: str) -> None:
        index.nearest(COLLECTION, embedder.embed([question])[0], library.retriever.candidates)

    # in turn, so that a noisy moment meets both
    pairs = [(_time(bare, question), _time(lambda q: library.search(q, [COLLECTION]), question)) for question in asked]
    result["embedding and one look-up"] = _percentiles([first for first, _ in pairs])
    result["search"] = _percentiles([second for _, second in pairs])
    result["ratios"] = {
        name: round(value / result["embedding and one look-up"][name], 2) for name, value in result["search"].items()
    }
    documents = sorted(item.document_id for item in library.documents(COLLECTION))
    chance = random.Random(5)
    filters = {str(share): Filter(documents=_sample(chance, documents, share)) for share in SHARES}
    filters |= {"path, a tenth": Filter(paths=("*0.txt",)), "type, all": Filter(types=("txt",))}
    for name, wanted in filters.items():
        result["filters"][name] = _filtered(library, wanted, ids, every, asked, vectors)
    result["memory MB"] = round(psutil.Process().memory_info().rss / 1e6 - every.nbytes / 1e6)
    return result


def _sample(chance: random.Random, documents: Sequence[str], share: float) -> tuple[str, ...]:
    return tuple(chance.sample(documents, min(1000, max(1, int(share * len(documents))))))  # a filter takes no more


def _filtered(
    library: Library, wanted: Filter, ids: Sequence[str], every: Any, asked: Sequence[str], vectors: Sequence[Any]
) -> dict[str, float]:
    """Return what share of the best 50 within a filter each side finds, and how long searches take.

    The exact keyword side scores every passage of the filter that has any of the words.
    """
    scope = library.catalog.scope(wanted, [COLLECTION])
    chosen = set(scope.document_ids)
    inside = [number for number, key in enumerate(ids) if key.partition(".")[0] in chosen]
    some_ids, some = [ids[number] for number in inside], every[inside]
    retriever = library.retriever
    near, words = [], []
    for question, vector in list(zip(asked, vectors, strict=True))[:30]:
        truth = _best(some_ids, some, vector, 50)
        found = list(retriever._nearest(vector, [COLLECTION], scope))[:50]
        near.append(len(truth & set(found)) / len(truth))
        understood = understand(question, retriever.glossary)
        every_word = " OR ".join(map(match_expression, dict.fromkeys([*understood.words, *understood.other])))
        with library.store.read() as connection:
            rows = connection.execute(
                text(
                    "SELECT c.chunk_id FROM chunk_words JOIN chunks c ON c.id = chunk_words.rowid WHERE chunk_words MATCH :match "
                    f"AND {scope.condition} ORDER BY bm25(chunk_words, {WEIGHTS}), c.chunk_id LIMIT 50"
                ),
                {"match": every_word, **scope.values},
            )
            best = {row[0] for row in rows}
        ranked = library.catalog.keyword_search(
            understood.words, [COLLECTION], retriever.candidates, understood.other, scope
        )
        words.append(len(best & {passage.chunk_id for passage, _ in ranked}) / max(1, len(best)))
    times = [_time(lambda question: library.search(question, [COLLECTION], None, wanted), one) for one in asked[:60]]
    return {
        "chunks": scope.chunks,
        "vector recall@50": round(float(np.mean(near)), 4),
        "keyword, best 50 among the candidates": round(float(np.mean(words)), 4),
        **_percentiles(times),
    }


def _every(library: Library) -> tuple[list[str], Any]:
    with library.store.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT chunk_id, vector FROM chunks JOIN embeddings USING (text_hash) ORDER BY chunk_id"
        )
        ids, parts = [], []
        for row in rows:
            ids.append(row[0])
            parts.append(row[1])
    return ids, np.frombuffer(b"".join(parts), dtype="<f4").reshape(len(ids), -1)


def _best(ids: Sequence[str], vectors: Any, vector: Any, count: int) -> set[str]:
    likeness = vectors @ vector
    count = min(count, len(ids))
    return {ids[number] for number in np.argpartition(-likeness, count - 1)[:count]}


def _time(work: Callable[[Any], Any], item: Any) -> tuple[float, float]:
    """Return the seconds that passed, and those of processor time of the whole process."""
    began, spent = time.perf_counter(), time.process_time()
    work(item)
    return time.perf_counter() - began, time.process_time() - spent


def _percentiles(times: Sequence[tuple[float, float]]) -> dict[str, float]:
    found = {}
    for number, unit in enumerate(("ms", "processor_ms")):
        for cut in (50, 95):
            found[f"p{cut}_{unit}"] = round(float(np.percentile([one[number] for one in times], cut)) * 1000, 1)
    return found


if __name__ == "__main__":
    sys.exit(main())
