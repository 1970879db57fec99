"""Asks ten questions about real 10-Qs of one model behind three back ends, and compares answers and citations; writes JSON.

    python -m tests.benchmarks.backends [MODEL] [DATA] [OUT.json]

MODEL is `default` (1.5B) or `small` (135M). It answers embedded, behind llama.cpp's own HTTP server, and behind the tests'
Ollama-shaped server, each a process of its own with the same file. DATA holds `kgrag_sec10q`; its documents are kept, ingested,
in `build/quality`. A run that was stopped goes on with the same OUT. What counts is whether each answer names the same places;
prompts and the texts that were written are compared too, by their hashes: no text of a document is written to OUT.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag.answer import last_answer
from rag.hardware import physical_cores
from rag.library import Library
from rag.llm import LanguageModel
from rag.llm_embedded import EmbeddedModel
from rag.llm_ollama import OllamaModel
from rag.llm_openai import OpenAIModel
from rag.model_store import ModelStore
from rag.shapes import Answer
from tests.benchmarks.run import machine
from tests.benchmarks.sets import SHARED, WORK, filings
from tests.local_server import serving
from tests.ollama_server import OllamaServer
from tests.openai_server import llama_server

QUESTIONS = (
    "What is the par value of Apple's common stock?",
    "What was Apple's total amount of the share repurchase program in its Q2 2023 report?",
    "How many shares of Microsoft common stock were outstanding in Q3 2023?",
    "What is the estimated useful life of most of NVIDIA's server equipment?",
    "What was Apple's total net sales in the quarter ended June 25, 2022?",
    "How much did Amazon spend on fulfillment in Q3 2023?",
    "What was Intel's net revenue in Q1 2023?",
    "How much research and development expense did Microsoft report for the quarter ended September 30, 2023?",
    "What was the carrying value of NVIDIA's long-term debt as of April 30, 2023?",
    "Which law firm represented the tenants of Reading Room's office in 1931?",
)
"""The last one has no answer there."""
BACKENDS = ("embedded", "llama.cpp over HTTP", "Ollama-shaped")
WINDOW, KEY = 4096, "a-key-for-benchmarks"


def main() -> int:
    """Ask each back end, compare, print the table, write it with machine and date."""
    model, data, out = (
        *sys.argv[1:],
        *("default", str(SHARED / "data"), str(WORK / "backends.json"))[len(sys.argv) - 1 :],
    )
    result: dict[str, Any] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "model": model, "answers": {}}
    if Path(out).exists() and (before := json.loads(Path(out).read_text(encoding="utf-8")))["model"] == model:
        result["answers"] = before["answers"]  # goes on where it was stopped
    with filings("kgrag", Path(data)) as library:
        store = ModelStore(library.settings.path(library.settings.models.folder))
        for name in (name for name in BACKENDS if name not in result["answers"]):
            with _opened(name, store.path(model), store.digest(model)) as opened:
                result["answers"][name] = [_ask(library, opened, question) for question in QUESTIONS]
            Path(out).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    first, *others = result["answers"].values()
    result["same"] = {
        name: {what: sum(a[what] == b[what] for a, b in zip(first, answers, strict=True)) for what in first[0]}
        for name, answers in zip([*result["answers"]][1:], others, strict=True)
    }
    Path(out).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, same in result["same"].items():
        print(f"{name}, of {len(QUESTIONS)} as embedded: " + ", ".join(f"{what} {n}" for what, n in same.items()))
    return 0 if all(same["citations"] == len(QUESTIONS) for same in result["same"].values()) else 1


@contextmanager
def _opened(name: str, path: Path, digest: str) -> Iterator[LanguageModel]:
    """Give the model behind one back end."""
    if name == "llama.cpp over HTTP":
        with llama_server(path, WINDOW, KEY, physical_cores()) as host:
            server = OpenAIModel("", host, WINDOW, key=KEY)
            yield server
            server.close()
        return
    embedded = EmbeddedModel(path, path.stem, digest, window=WINDOW)
    if name == "embedded":
        yield embedded
    else:
        with serving(OllamaServer(embedded, name=f"{path.stem}:latest", window=WINDOW)) as running:
            ollama = OllamaModel(f"{path.stem}:latest", running.host, WINDOW)
            yield ollama
            ollama.close()
    embedded.close()


def _ask(library: Library, model: LanguageModel, question: str) -> dict[str, Any]:
    answerer = replace(library.live.answerer, choose=lambda: model, route=None)
    answer: Answer = last_answer(answerer.stream(question, ["kgrag"]))
    made = answer.generation
    print(f"  {model.card.backend}: {answer.outcome} {answer.answer[:80]!r}", file=sys.stderr, flush=True)
    return {
        "outcome": answer.outcome,
        "citations": [[Path(c.path).name, c.page, c.start, c.end] for c in answer.citations],
        "written": hashlib.sha256(made.output.encode()).hexdigest() if made else "",
        "prompt": made.prompt_sha256 if made else "",
        "evaluated": answer.tokens.evaluated,
        "note": answer.note,
    }


if __name__ == "__main__":
    raise SystemExit(main())
