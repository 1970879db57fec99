"""Kills ingestion with `kill -9` many times, at stages and at random, and compares what is there in the end.

    python -m tests.e2e.kill_harness --kills 200 --seed 1 [--json FILE]

Each round starts `readingroom ingest` (or, every third, API and worker as `serve` has them), kills the worker, the owner
of the index, or both, when a stage is reached or after a random time, and starts again until the work is done. Then the
home must equal one that nobody disturbed: catalog, chunks, vectors, keyword index and search results.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from rag.library import Library
from rag.settings import load_settings
from tests.in_process import contents
from tests.processes import (
    COMMAND,
    PROJECT,
    SAMPLES,
    alive,
    api_and_worker,
    below,
    environment,
    role_of,
    rows,
    run_command,
    wait_for,
)

QUESTIONS = (
    "annual maintenance fee type B",
    "who voted against the purchase",
    "interest on late invoices",
    "anchor chain",
)


def make_folder(place: Path) -> Path:
    """Make samples in enough copies, each with words of its own, that every stage takes a while; one can't be read."""
    import zipfile

    place.mkdir()
    for name in ("ferry-supply-agreement.pdf", "pressure-chamber-offer-corrupt.pdf", "board-minutes-2025-09.md"):
        (place / name).write_bytes((SAMPLES / name).read_bytes())
    for number in range(3):
        agreement = (SAMPLES / "ferry-supply-agreement.pdf").read_bytes()
        (place / f"agreement-{number}.pdf").write_bytes(agreement + b"\n%% another file %d\n" % number)
    minutes = (SAMPLES / "board-minutes-2025-09.md").read_text()
    for number in range(10):
        (place / f"copy-{number:02}.md").write_text(minutes.replace("NOK", f"NOK {number} and"))
    with zipfile.ZipFile(place / "papers.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"paper-{number}.txt", f"The anchor chain number {number} was inspected in May. " * 12)
    return place


def everything(home: Path) -> dict[str, Any]:
    """Return what a home folder holds and finds; nobody may have it open."""
    with Library(load_settings(environment(home)), "kill harness") as room:
        found = [room.search(question).hits for question in QUESTIONS]
    hits = [[(hit.document_id, hit.start, hit.end, hit.score) for hit in best] for best in found]
    return {**contents(home), "hits": hits}


def stage_is(home: Path, *stages: str) -> bool:
    return any(rows(home, f"SELECT 1 FROM jobs WHERE stage = '{stage}'") for stage in stages)


def more_than(home: Path, table: str, number: int) -> bool:
    return rows(home, f"SELECT count(*) FROM {table}")[:1] > [(number,)]


STAGES: dict[str, Callable[[Path], bool]] = {
    "listed": lambda home: stage_is(home, "reading", "embedding", "publishing", "done"),
    "first looked at": lambda home: more_than(home, "unread_pages", 0) or more_than(home, "versions", 0),
    "half looked at": lambda home: (
        more_than(home, "unread_pages WHERE number = 0", 2) or more_than(home, "versions", 0)
    ),
    "first file read": lambda home: more_than(home, "versions", 0),
    "half read": lambda home: more_than(home, "versions", 8),
    "embedding": lambda home: stage_is(home, "embedding", "publishing", "done"),
    "first vectors": lambda home: more_than(home, "embeddings", 0),
    "publishing": lambda home: stage_is(home, "publishing", "done"),
    "first published": lambda home: more_than(home, "documents WHERE state = 'ready'", 0),
}
VICTIMS = ("worker", "owner", "both")


@dataclass(slots=True)
class Tally:
    """What was killed so far."""

    kills: int = 0
    homes: int = 0
    by: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def harness(work: Path, kills: int, seed: int) -> Tally:
    """Kill until there were `kills`; return the tally. `differences` names homes that differ from the undisturbed one."""
    chance = random.Random(seed)
    folder = make_folder(work / "docs")
    calm = work / "calm"
    assert run_command(calm, "ingest", folder, "--json").code == 3  # the corrupt file
    wanted = everything(calm)
    tally = Tally()
    while tally.kills < kills:
        home = work / f"home-{tally.homes}"
        for _ in range(chance.randint(4, 12)):
            served = chance.random() < 0.33
            with _served(home, folder, work) if served else _commanded(home, folder) as (owner, workers):
                when = chance.choice([*STAGES, "random", "random", "random"])
                _wait(home, owner, STAGES.get(when), chance)
                victim = chance.choice(VICTIMS)
                if _kill(owner, workers, victim):
                    tally.kills += 1
                    tally.by[f"{victim} of {'server' if served else 'command'}: {when}"] += 1
            if tally.kills >= kills or stage_is(home, "done"):
                break
        finished = run_command(home, "ingest", folder, "--json")
        found = everything(home)
        tally.differences += [f"home {tally.homes}: {name}" for name in wanted if wanted[name] != found[name]]
        if finished.code != 3:
            tally.differences.append(f"home {tally.homes}: exit code {finished.code}")
        tally.homes += 1
        print(f"{tally.kills} kills, {tally.homes} homes, {len(tally.differences)} differences", file=sys.stderr)
    return tally


Parts = tuple[psutil.Process, Callable[[], list[psutil.Process]]]


@contextmanager
def _commanded(home: Path, folder: Path) -> Iterator[Parts]:
    """Run the command; it owns the index and starts its worker."""
    process = subprocess.Popen(
        [COMMAND, "ingest", str(folder), "--json"], env=environment(home), cwd=PROJECT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    owner = psutil.Process(process.pid)
    try:
        yield owner, lambda: [child for child in below(process.pid) if role_of(child) == "worker"]
    finally:
        left = below(process.pid)
        process.kill()
        process.wait()
        wait_for(lambda: not alive(left), "the command's processes to end", seconds=60)


@contextmanager
def _served(home: Path, folder: Path, work: Path) -> Iterator[Parts]:
    """Run API and worker as the supervisor has them, and give them the folder."""
    with api_and_worker(home, work / "log", READINGROOM_INGEST__ROOTS=str(folder.parent)) as server:
        me = psutil.Process()
        workers = [child for child in me.children() if role_of(child) == "worker"]
        server.post("/v1/ingest", json={"paths": [str(folder)]})
        yield psutil.Process(server.process.pid), lambda: workers


def _wait(home: Path, owner: psutil.Process, reached: Callable[[Path], bool] | None, chance: random.Random) -> None:
    """Wait for a stage, or for some seconds, or until the owner has ended by itself."""
    until = time.monotonic() + (120.0 if reached else chance.uniform(0.1, 12.0))
    while time.monotonic() < until and alive([owner]) and not (reached and reached(home)):
        time.sleep(0.005)


def _kill(owner: psutil.Process, workers: Callable[[], list[psutil.Process]], victim: str) -> bool:
    """Kill, and say whether anything was there to be killed; after a lone worker some time passes for its successor."""
    targets = {"worker": workers(), "owner": [owner], "both": [*workers(), owner]}[victim]
    killed = False
    for target in targets:
        if alive([target]):
            target.send_signal(signal.SIGKILL)
            killed = True
    return killed


def main() -> int:
    """Run the harness and print its tally; exit code 1 when a home differs."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        tally = harness(Path(work), chosen.kills, chosen.seed)
    result = {
        "kills": tally.kills, "homes": tally.homes, "seed": chosen.seed, "differences": tally.differences,
        "seconds": round(time.monotonic() - began), "by": dict(sorted(tally.by.items())),
        "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip
    print(json.dumps(result, indent=2))
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if tally.differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
