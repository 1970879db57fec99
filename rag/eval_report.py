"""Runs a user's questions, compares two runs, and writes the report as one HTML file."""

from __future__ import annotations

import html
import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rag.errors import UsageError
from rag.library import Library
from rag.live import Live
from rag.questions_file import Wanted
from rag.shapes import Hit

CUTS = (1, 3, 5, 10)
SAMPLES = 2000
"""Resamples of the questions that say how sure a difference is."""
MARGIN = 0.02
"""A measure may fall by so much before the gate closes."""
MEASURES = (*(f"page@{cut}" for cut in CUTS), *(f"document@{cut}" for cut in CUTS), "quote@10", "ndcg@10", "mrr")
CAUSES = {
    "document": "the document is not among the first ten",
    "page": "the document is found, the page is not",
    "rank": "the page comes after the fifth place",
}


def run_questions(library: Library | Live, questions: Sequence[Wanted], collections: Sequence[str]) -> dict[str, Any]:
    """Ask each question whose place is known; return the run: settings, a row a question, means, latency."""
    rows = []
    placed = [item for item in questions if item.document]
    if not placed:
        raise UsageError("No question names the document and page that answer it.", "See `readingroom eval init`.")
    library.search(placed[0].question, collections, 10)  # loads the embedder, which is no search's latency
    for item in placed:
        began = time.perf_counter()
        hits = library.search(item.question, collections, 10).hits
        took = time.perf_counter() - began
        documents = [rank for rank, hit in enumerate(hits, start=1) if item.names(hit.path)]
        right = [rank for rank in documents if hits[rank - 1].page == item.page]
        row: dict[str, Any] = {"question": item.question, "document": item.document, "page": item.page}
        for cut in CUTS:
            row[f"page@{cut}"] = float(bool(right and right[0] <= cut))
            row[f"document@{cut}"] = float(bool(documents and documents[0] <= cut))
        row["quote@10"] = float(_quoted(item.quote, hits) if item.quote else bool(right))
        row["ndcg@10"] = 1 / math.log2(right[0] + 1) if right else 0.0
        row["mrr"] = 1 / right[0] if right else 0.0
        row["cause"] = "document" if not documents else "page" if not right else "rank" if right[0] > 5 else ""
        row["seconds"] = round(took, 4)
        rows.append(row)
    times = sorted(row["seconds"] for row in rows)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "embedder": library.embedder.fingerprint,
        "search": library.settings.search.model_dump(),
        "means": {name: round(sum(row[name] for row in rows) / len(rows), 4) for name in MEASURES},
        "p50_ms": round(times[len(times) // 2] * 1000, 1),
        "p95_ms": round(times[min(len(times) - 1, int(len(times) * 0.95))] * 1000, 1),
        "questions": rows,
    }


def _quoted(quote: str, hits: Sequence[Hit]) -> bool:
    return any(" ".join(quote.split()) in " ".join(hit.text.split()) for hit in hits)


def read_run(file: Path) -> dict[str, Any]:
    """Read the JSON of a run."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not {"means", "questions"} <= set(found):
            raise ValueError("it has no `means` or `questions`")
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{file} is not a run: {error}", "Make one with `readingroom eval run`.") from error
    return dict(found)


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return for each measure the difference (other - one) over the questions both have, with its 95 % interval.

    Paired bootstrap over questions with a fixed seed (Efron 1979); raise UsageError when they share no question.
    """
    first = {_key(row): row for row in one["questions"]}
    pairs = [(first[_key(row)], row) for row in other["questions"] if _key(row) in first]
    if not pairs:
        raise UsageError("The two runs have no question in common.", "Run the same question file twice.")
    draw = random.Random(7)
    picks = [[draw.randrange(len(pairs)) for _ in pairs] for _ in range(SAMPLES)]
    found = {}
    for name in MEASURES:
        steps = [b[name] - a[name] for a, b in pairs]
        means = sorted(sum(steps[index] for index in pick) / len(steps) for pick in picks)
        found[name] = {
            "difference": round(sum(steps) / len(steps), 4),
            "low": round(means[int(SAMPLES * 0.025)], 4),
            "high": round(means[int(SAMPLES * 0.975)], 4),
        }
    return found


def _key(row: Mapping[str, Any]) -> tuple[str, str, int]:
    return row["question"], row["document"], row["page"]


def losses(differences: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the measures that fell by more than the margin, sure enough: the whole interval is below zero."""
    return [
        f"{name} fell by {-found['difference']:.3f} (95 % interval {found['low']:.3f} to {found['high']:.3f})"
        for name, found in differences.items()
        if found["difference"] < -MARGIN and found["high"] < 0
    ]


def report_html(
    runs: Sequence[tuple[str, Mapping[str, Any]]], differences: Mapping[str, Mapping[str, float]] | None
) -> str:
    """Return the report of one or two runs: a page without scripts, fonts or anything from elsewhere."""
    parts = [_HEAD, "<h1>Retrieval evaluation</h1>", _summary(runs), _bars(runs)]
    if differences:
        rows = "".join(
            f"<tr><td>{name}</td><td>{d['difference']:+.3f}</td><td>{d['low']:+.3f} to {d['high']:+.3f}</td></tr>"
            for name, d in differences.items()
        )
        parts.append(
            "<h2>Difference, second minus first</h2><table><tr><th>measure<th>difference<th>95 % interval</tr>"
            f"{rows}</table>"
        )
    name, last = runs[-1]
    parts.append(
        f"<h2>Latency</h2>{latency_plot(last)}<h2>Questions that fail in {html.escape(name)}</h2>{_failing(last)}"
    )
    return "\n".join([*parts, "</body></html>"])


_COLOURS = ("#2f5d8a", "#d08c2e")
_HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Retrieval evaluation</title><style>'
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #ddd;"
    "vertical-align:top}svg text{font:12px system-ui,sans-serif}h2{margin-top:2rem}</style></head><body>"
)


def _summary(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    rows = "".join(
        f'<tr><td><span style="color:{_COLOURS[number]}">■</span> {html.escape(name)}</td><td>{html.escape(run["date"])}</td>'
        f"<td>{len(run['questions'])}</td><td>{html.escape(run['embedder'])}</td><td>{run['p50_ms']} / {run['p95_ms']}</td></tr>"
        for number, (name, run) in enumerate(runs)
    )
    return f"<table><tr><th>run<th>date<th>questions<th>embedder<th>ms, median / p95</tr>{rows}</table>"


def _bars(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    height, step = 14, 14 * len(runs) + 10
    marks = []
    for row, name in enumerate(MEASURES):
        marks.append(f'<text x="0" y="{row * step + 12}">{name}</text>')
        for number, (_, run) in enumerate(runs):
            value = float(run["means"][name])
            y = row * step + number * height
            marks.append(
                f'<rect x="110" y="{y}" width="{value * 500:.1f}" height="{height - 2}" fill="{_COLOURS[number]}"/>'
                f'<text x="{116 + value * 500:.1f}" y="{y + 11}">{value:.3f}</text>'
            )
    return f'<h2>Measures</h2><svg width="680" height="{len(MEASURES) * step}" role="img">{"".join(marks)}</svg>'


def latency_plot(run: Mapping[str, Any]) -> str:
    """Return the share of questions that were answered within a time, as a picture."""
    times = sorted(float(row["seconds"]) * 1000 for row in run["questions"])
    most = times[-1] or 1.0
    points = " ".join(
        f"{50 + 560 * time_ms / most:.1f},{150 - 140 * (rank + 1) / len(times):.1f}"
        for rank, time_ms in enumerate(times)
    )
    return (
        f'<svg width="680" height="180" role="img"><polyline points="50,150 {points}" fill="none" stroke="{_COLOURS[0]}" '
        f'stroke-width="2"/><text x="0" y="20">100 %</text><text x="0" y="150">0 %</text>'
        f'<text x="560" y="170">{most:.0f} ms</text>'
        '<text x="50" y="170">share of questions answered within</text></svg>'
    )


def _failing(run: Mapping[str, Any]) -> str:
    parts = []
    for cause, meaning in CAUSES.items():
        rows = [row for row in run["questions"] if row["cause"] == cause]
        listed = "".join(
            f"<tr><td>{html.escape(row['question'])}</td>"
            f"<td>{html.escape(Path(row['document']).name)}, page {row['page']}</td></tr>"
            for row in rows
        )
        parts.append(f"<h3>{len(rows)}: {meaning}</h3><table>{listed}</table>")
    return "".join(parts)
