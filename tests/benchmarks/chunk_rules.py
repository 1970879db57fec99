"""Measures what is found with chunks cut by other rules: other sizes, less context, the document's name in front; writes JSON.

    python -m tests.benchmarks.chunk_rules [VARIANT ...] [--sets "scifact squad2half chunking financebench"] [--out FILE]

Each variant is a copy of the packages in `build/chunk_rules/NAME` with a few lines of the splitter replaced; the quality
benchmark is run in the copy, with homes and vectors of its own, which are kept for the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rag.settings import PROJECT
from tests.benchmarks.run import machine
from tests.benchmarks.sets import SHARED

FOLDER = PROJECT / "build" / "chunk_rules"
_CONTEXTS = "contexts = _contexts(firsts, count)"
_NAMED = """said = reading.metadata
    parts = said.get("organisation", "").split("\\n")[0], said.get("period"), said.get("title")
    name = " ".join(dict.fromkeys(filter(None, parts)))
    named = [replace(first, heading=" > ".join(filter(None, (name, first.heading)))) for first in firsts]
    contexts = _contexts(named, count)"""
_BEFORE = """found = _contexts(firsts, count)
    before = [" ".join(reading.text[max(0, start - 300) : start].split()[-30:]) for start in starts[:-1]]
    both = ["\\n".join(filter(None, pair)) for pair in zip(found, before, strict=True)]
    contexts = [joined if size <= CONTEXT_TOKENS else one for joined, size, one in zip(both, count(both), found, strict=True)]"""
VARIANTS: dict[str, dict[str, str]] = {
    "200, context 52": {},
    "100, context 52": {"CHUNK_TOKENS = 200": "CHUNK_TOKENS = 100"},
    "150, context 52": {"CHUNK_TOKENS = 200": "CHUNK_TOKENS = 150"},
    "230, context 22": {"CHUNK_TOKENS = 200": "CHUNK_TOKENS = 230", "CONTEXT_TOKENS = 52": "CONTEXT_TOKENS = 22"},
    "200, no context": {"CONTEXT_TOKENS = 52": "CONTEXT_TOKENS = 0"},
    "200, with the document's name": {_CONTEXTS: _NAMED},
    "200, with 30 words of what is before": {_CONTEXTS: _BEFORE},
}
"""What is replaced in `ingest/split.py`."""


def main() -> int:
    """Copy, replace, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", default=[*VARIANTS])
    parser.add_argument("--sets", default="scifact squad2half chunking financebench")
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--scorer", type=Path, default=SHARED / "eval" / "score.py")
    parser.add_argument("--out", type=Path, default=FOLDER / "chunk_rules.json")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "variants": {}}
    if options.out.exists():  # goes on where it was stopped
        result["variants"] = json.loads(options.out.read_text(encoding="utf-8"))["variants"]
    for name in options.variants:
        for one in options.sets.split():
            measured = _measured(_copy(name), one, options)
            result["variants"].setdefault(name, {})[one] = measured
            options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _copy(name: str) -> Path:
    """Return a copy of the packages with the variant's splitter."""
    place = FOLDER / name.replace(" ", "-").replace(",", "").replace("'", "")
    for part in ("rag", "ingest", "tests", "samples"):
        shutil.copytree(PROJECT / part, place / part, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    if not (place / ".models").exists():
        (place / ".models").symlink_to(PROJECT / ".models")
    for file in ("pyproject.toml", "config.yaml"):
        shutil.copy(PROJECT / file, place / file)
    split = place / "ingest" / "split.py"
    text = split.read_text(encoding="utf-8").replace('f"split-', f'f"{name} split-')
    for old, new in VARIANTS[name].items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    split.write_text(text, encoding="utf-8")
    return place


def _measured(place: Path, one: str, options: argparse.Namespace) -> dict[str, Any]:
    out = place / "quality.json"
    environment = {**os.environ, "PYTHONPATH": str(place)}
    command = [sys.executable, "-m", "tests.benchmarks.quality", one, "--data", str(options.data.resolve())]
    command += ["--scorer", str(options.scorer.resolve()), "--out", str(out)]
    print(f"{place.name}:", flush=True)
    subprocess.run(command, cwd=place, env=environment, check=True)
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))["sets"][one]["as it is"]
    return found


if __name__ == "__main__":
    raise SystemExit(main())
