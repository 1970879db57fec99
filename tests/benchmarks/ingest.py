"""Measures ingestion against its targets, each as a ratio of two things measured in this run; writes JSON.

    python -m tests.benchmarks.ingest [--only a,c] [--files N] [--small-files N] [--pages N] [--data FOLDER]

a  whole ingest from a fresh home ÷ embedding the same chunks alone         at most 1.10
b  vanilla LlamaIndex ÷ ours, until ready; ÷ ours until keyword-searchable   at least 2.5; 25
c  until the last file is keyword-searchable ÷ whole ingest                  at most 0.05
   (by the plain text of its pages, the first look; until it is read is under "details")
d  second run over an unchanged folder ÷ first run                           at most 0.01
e  search p95 while ingesting ÷ idle                                         at most 2
f  peak memory of a PDF ÷ of one with a tenth of its pages; its peak in MB   at most 1.2; 1500

Asserts nothing. Part b installs the peer into a throw-away environment, which is all that needs the network.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
import venv
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rag.build import build_embedder, model_store
from rag.settings import PROJECT, load_settings
from tests.benchmarks import vanilla, watch
from tests.benchmarks.run import QUESTIONS, machine
from tests.processes import Server, api_and_worker, rows, wait_for

DATA = PROJECT.parent / "shared" / "data"
IDLE_SEARCHES = 100
COMMIT = 64
"""Texts the worker hands to the embedder at once."""


class Run:
    """The measurements of one run: options, a scratch folder, what was found."""

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self.options = options
        self.scratch = scratch
        self.filings = sorted((options.data / "kgrag_sec10q" / "docs").glob("*.pdf"))
        self.files = self.filings[: options.files]
        self.ratios: list[tuple[str, str, float, str, float]] = []
        self.details: dict[str, Any] = {}
        self._whole: watch.Watched | None = None

    def whole(self) -> watch.Watched:
        """Return the ingest of all files from a fresh home, run once."""
        if self._whole is None:
            self._whole = watch.ingest(self.scratch / "whole", self.files)
            self.details["whole_ingest"] = {
                "files": len(self.files), "failed": self._whole.failed, "chunks": len(watch.texts(self.scratch / "whole")),
                "seconds": round(self._whole.seconds, 2), "seconds_a_stage": self._whole.profile(),
            }  # fmt: skip
        return self._whole

    def ratio(self, part: str, what: str, value: float, sign: str, target: float) -> None:
        self.ratios.append((part, what, round(value, 4), sign, target))


def part_a(run: Run) -> None:
    """Compare a whole ingest with the embedder alone."""
    whole = run.whole().seconds
    embedder = build_embedder(load_settings({}))
    texts = watch.texts(run.scratch / "whole")
    embedder.embed(texts[:8])
    began = time.monotonic()
    for at in range(0, len(texts), COMMIT):
        embedder.embed(texts[at : at + COMMIT])
    alone = time.monotonic() - began
    run.details["a"] = {"embedding_alone_seconds": round(alone, 2), "chunks_a_second": round(len(texts) / alone, 1)}
    run.ratio("a", "whole ingest ÷ embedding alone", whole / alone, "<=", 1.10)


def part_b(run: Run) -> None:
    """Compare with LlamaIndex as its documentation shows it."""
    ours = run.whole()
    model = model_store(load_settings({})).pull("all-minilm-l6-v2")
    venv.create(run.scratch / "peer", with_pip=True)
    python = run.scratch / "peer" / "bin" / "python"
    pinned = [*vanilla.PACKAGES, "-r", str(PROJECT / "requirements-models.txt")]
    subprocess.run([python, "-m", "pip", "install", "-q", *pinned], check=True)
    command = [python, vanilla.__file__, model, str(watch.threads()), *run.files]
    done = subprocess.run(command, cwd=run.scratch, stdout=subprocess.PIPE, check=True)
    peer = json.loads(done.stdout.decode().splitlines()[-1])
    run.details["b"] = peer
    run.ratio("b", "LlamaIndex ÷ ours, until ready", peer["until_ready"] / ours.seconds, ">=", 2.5)
    run.ratio("b", "LlamaIndex ready ÷ ours keyword-searchable", peer["until_ready"] / ours.looked, ">=", 25)
    run.details["b"] |= {"ready_against_ours_read": round(peer["until_ready"] / ours.keyword, 2)}


def part_c(run: Run) -> None:
    """Compare the time until keyword search with the whole."""
    whole = run.whole()
    run.details["c"] = {
        "seconds_until_looked_at": round(whole.looked, 2), "seconds_until_read": round(whole.keyword, 2),
        "read_against_whole": round(whole.keyword / whole.seconds, 4),
    }  # fmt: skip
    run.ratio("c", "keyword-searchable ÷ whole ingest", whole.looked / whole.seconds, "<=", 0.05)


def part_d(run: Run) -> None:
    """Compare a second run over a folder that did not change with the first."""
    folder, home = run.scratch / "small", run.scratch / "small-home"
    folder.mkdir()
    abstracts = run.options.data / "beir" / "scifact" / "corpus.jsonl"
    if abstracts.exists():
        lines = abstracts.read_text(encoding="utf-8").splitlines()
        bodies = [f"{row['title']}\n\n{row['text']}" for row in map(json.loads, lines)]
    else:
        bodies = [f"Entry {n}.\n\nThe tide of day {n} rose by {n * 7} millimetres." for n in range(5000)]
    for number, body in enumerate(bodies[: run.options.small_files]):
        (folder / f"{number:04}.txt").write_text(body, encoding="utf-8")
    first, second = (watch.ingest(home, [folder]) for _ in range(2))
    run.details["d"] = {
        "files": run.options.small_files, "first_seconds": round(first.seconds, 2), "first_a_stage": first.profile(),
        "second_seconds": round(second.seconds, 2), "second_a_stage": second.profile(),
    }  # fmt: skip
    run.ratio("d", "second run ÷ first run", second.seconds / first.seconds, "<=", 0.01)


def part_e(run: Run) -> None:
    """Compare searches while the worker ingests with searches while it idles."""
    home, some = run.scratch / "server-home", max(1, len(run.files) // 4)
    more = {"READINGROOM_INGEST__ROOTS": str(run.options.data.resolve())}
    busy: dict[str, list[float]] = defaultdict(list)
    with api_and_worker(home, run.scratch / "server.log", **more) as server:
        first = _start(server, run.files[:some])
        query = f"SELECT 1 FROM jobs WHERE job_id = '{first}' AND stage IN ('done', 'failed')"
        wait_for(lambda: rows(home, query), "the first files", seconds=3600)
        idle = [_search(server, number) for number in range(IDLE_SEARCHES)]
        job = _start(server, run.files[some:] or run.files)
        query = f"SELECT stage FROM jobs WHERE job_id = '{job}'"
        while (stage := rows(home, query)[0][0]) not in ("done", "failed"):
            busy[stage].append(_search(server, len(busy[stage])))
    stages = {name: {"searches": len(times), **_spread(times)} for name, times in busy.items()}
    run.details["e"] = {"idle_ms": _spread(idle), "busy_ms": stages}
    everything = [value for times in busy.values() for value in times]
    run.ratio("e", "search p95 while ingesting ÷ idle", _spread(everything)["p95"] / _spread(idle)["p95"], "<=", 2)


def _start(server: Server, files: list[Path]) -> str:
    answer = server.post("/v1/ingest", json={"paths": [str(file) for file in files], "collection": "bench"})
    return str(answer.raise_for_status().json()["job_id"])


def _search(server: Server, number: int) -> float:
    """Return the milliseconds of a search that was not asked before, then pause as a person would not."""
    began = time.monotonic()
    question = f"{QUESTIONS[number % len(QUESTIONS)]} Note {number}"
    server.post("/v1/search", json={"question": question}).raise_for_status()
    took = (time.monotonic() - began) * 1000
    time.sleep(0.05)
    return took


def _spread(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {"median": round(ordered[len(ordered) // 2], 1), "p95": round(ordered[int(len(ordered) * 0.95)], 1)}


def part_f(run: Run) -> None:
    """Compare the peak memory of reading a long PDF with that of a short one."""
    peaks = []
    for pages in (run.options.pages // 10, run.options.pages):
        file = run.scratch / f"{pages}.pdf"
        _join_pdfs(run.filings, file, pages)
        found = watch.ingest(
            run.scratch / f"home-{pages}", [file], memory=True, only_text=True, READINGROOM_INGEST__SECONDS_PER_FILE="3600"
        )  # fmt: skip
        peaks.append(found.peak_mb)
        run.details.setdefault("f", []).append(
            {"pages": pages, "file_mb": round(file.stat().st_size / 1e6), "peak_mb": round(found.peak_mb),
             "seconds_until_keyword_searchable": round(found.keyword, 1), "failed": found.failed}
        )  # fmt: skip
    run.ratio("f", f"peak memory of {run.options.pages} pages ÷ of a tenth", peaks[1] / peaks[0], "<=", 1.2)
    run.ratio("f", f"peak MB of {run.options.pages} pages", peaks[1], "<=", 1500)


def _join_pdfs(files: list[Path], target: Path, pages: int) -> None:
    """Write a PDF of that many pages, filings one after the other; in a process of its own, for its memory."""
    code = (
        "import sys\nfrom pypdf import PdfReader, PdfWriter, overwrite_configuration\n"
        "overwrite_configuration(array_maximum_element_count=5_000_000)\n"
        "target, left, *files = sys.argv[1:]\nleft, writer = int(left), PdfWriter()\n"
        "while left:\n"
        "    for file in files:\n"
        "        reader = PdfReader(file)\n"
        "        count = min(left, len(reader.pages))\n"
        "        writer.append(reader, pages=(0, count))\n"
        "        left -= count\n"
        "        if not left:\n"
        "            break\n"
        "writer.write(target)\n"
    )
    subprocess.run([sys.executable, "-c", code, target, str(pages), *files], check=True)


PARTS: dict[str, Callable[[Run], None]] = {
    "a": part_a, "b": part_b, "c": part_c, "d": part_d, "e": part_e, "f": part_f,
}  # fmt: skip


def main() -> int:
    """Run the chosen parts, print a table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts to run, for example a,c")
    parser.add_argument("--files", type=int, default=20, help="filings to ingest")
    parser.add_argument("--small-files", type=int, default=2000, help="files of part d")
    parser.add_argument("--pages", type=int, default=5000, help="pages of the long PDF of part f")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the evaluation data")
    parser.add_argument("--out", type=Path, help="where to write the JSON; docs/benchmarks/… unless given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = Run(options, Path(scratch))
        if not run.files:
            print(f"There are no filings in {options.data}; nothing was measured.")
            return 1
        for name in options.only.split(","):
            print(f"part {name}: {PARTS[name].__doc__}", file=sys.stderr, flush=True)
            PARTS[name](run)
    keys = ("part", "what", "value", "sign", "target")
    result = {
        "machine": machine(), "date": time.strftime("%Y-%m-%d"), "files": options.files,
        "ratios": [dict(zip(keys, row, strict=True)) for row in run.ratios], "details": run.details,
    }  # fmt: skip
    name = f"{result['date']}-{platform.node() or 'machine'}-ingest.json"
    out = options.out or PROJECT / "docs" / "benchmarks" / name
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(run.details, indent=1))
    for part, what, value, sign, target in run.ratios:
        met = value <= target if sign == "<=" else value >= target
        print(f"{part}  {what:48} {value:9.3f}  target {sign} {target:<6} {'met' if met else 'MISSED'}")
    print(f"written to {out.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
