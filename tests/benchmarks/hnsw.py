"""Measures the vector index alone with other parameters: recall against exact search, processor time, size; writes JSON.

    python -m tests.benchmarks.hnsw --home FOLDER [--vectors 100000] [--out FILE]

The vectors are those of a home that `tests.benchmarks.scale` filled, the questions the same. Each index is built in a folder
of its own that goes afterwards. Times are processor time, which other work on the machine changes least.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from rag.build import build_embedder
from rag.settings import load_settings
from tests.benchmarks.run import machine
from tests.benchmarks.scale import questions

BUILT = ((16, 100, 200), (32, 200, 200), (16, 100, 400), (16, 100, 100), (48, 400, 200))
"""M (links of a vector), ef_construction (the list kept while building) and ef_search (while looking). Chroma 1.5.9 takes a
change of the last only when the index is opened again: each is built anew."""
CUTS = (10, 100)
AT_ONCE = 5000


def main() -> int:
    """Build each index, ask it, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    vectors = stored(options.home, options.vectors)
    embedder = build_embedder(load_settings({}))
    asked = embedder.embed(questions(options.questions))
    exact = {cut: np.argpartition(-(asked @ vectors.T), cut, axis=1)[:, :cut] for cut in CUTS}
    result: dict[str, Any] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "vectors": len(vectors)}
    for links, width, size in BUILT:
        name = f"M {links}, ef_construction {width}, ef_search {size}"
        result[name] = one = measure(vectors, asked, exact, (links, width, size))
        print(name, json.dumps(one), flush=True)
        if options.out:
            options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def stored(home: Path, count: int) -> Any:
    """Return vectors of a home, shape (count, dimension)."""
    catalog = sqlite3.connect(f"file:{home / 'catalog.sqlite'}?mode=ro", uri=True)
    rows = catalog.execute("SELECT vector FROM embeddings LIMIT ?", (count,)).fetchall()
    catalog.close()
    return np.frombuffer(b"".join(row[0] for row in rows), dtype="<f4").reshape(len(rows), -1)


def measure(vectors: Any, asked: Any, exact: dict[int, Any], built: tuple[int, int, int]) -> dict[str, Any]:
    """Build an index and return what it costs and finds."""
    import chromadb
    from chromadb.config import Settings

    with tempfile.TemporaryDirectory() as place:
        client = chromadb.PersistentClient(place, Settings(anonymized_telemetry=False))
        links, width, size = built
        hnsw = {"space": "cosine", "max_neighbors": links, "ef_construction": width, "ef_search": size}
        index = client.create_collection("measured", configuration={"hnsw": hnsw}, embedding_function=None)  # type: ignore[typeddict-item]
        began = time.process_time()
        for at in range(0, len(vectors), AT_ONCE):
            some = vectors[at : at + AT_ONCE]
            index.add(ids=[str(at + number) for number in range(len(some))], embeddings=some)
        found: dict[str, Any] = {"seconds to build": round(time.process_time() - began, 1)}
        for cut in CUTS:
            index.query(query_embeddings=asked[:1], n_results=cut, include=["distances"])
            began = time.process_time()
            ids = [index.query(query_embeddings=[one], n_results=cut, include=["distances"])["ids"][0] for one in asked]
            spent = (time.process_time() - began) / len(asked)
            recall = [len(set(map(int, near)) & set(truth)) / cut for near, truth in zip(ids, exact[cut], strict=True)]
            found[f"recall@{cut}"] = round(float(np.mean(recall)), 4)
            found[f"ms for {cut}"] = round(spent * 1000, 2)
        client.close()
        found["MB on disk"] = round(sum(file.stat().st_size for file in Path(place).rglob("*") if file.is_file()) / 1e6)
    return found


if __name__ == "__main__":
    sys.exit(main())
