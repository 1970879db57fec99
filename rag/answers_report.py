"""Writes the report of answered questions as one HTML file: measures, refusals, latency, the questions that fail."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from rag.eval_report import latency_plot

MEANING = {
    "correct": "the answer is one of the known ones",
    "f1": "words shared with the known answer",
    "cited_right": "a cited page is one that holds the answer, of the answered questions",
    "supported": "statements whose numbers and words stand in what they cite, of the answered questions",
    "false_refusals": "answerable questions that got no answer",
    "false_answers": "unanswerable questions that got one",
}
SHOWN = 100
"""Questions that a list of failures shows."""
_COLOURS = ("#2f5d8a", "#d08c2e", "#5b8a3c", "#8a4a7c")
_HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Evaluation of answers</title><style>'
    "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #ddd;"
    "vertical-align:top}svg text{font:12px system-ui,sans-serif}h2{margin-top:2rem}</style></head><body>"
)


def report_html(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the report of one run or more (one a model): a page without scripts, fonts or anything from elsewhere."""
    parts = [_HEAD, "<h1>Evaluation of answers</h1>", _summary(runs), _bars(runs), _meaning()]
    for run in runs:
        title = html.escape(run["title"])
        parts.append(
            f"<h2>{title}: latency</h2>{latency_plot(run)}<h2>{title}: questions that fail</h2>{_failing(run)}"
        )
    return "\n".join([*parts, "</body></html>"])


def _values(run: Mapping[str, Any]) -> dict[str, tuple[float, str]]:
    """Return the run's measures with what is written beside each."""
    found = {}
    for name, item in run["measures"].items():
        if item["mean"] is not None:
            found[name] = (item["mean"], f"{item['mean']:.3f} of {item['of']}")
    for name, item in run["shares"].items():
        if item["of"]:
            between = f"{item['low']:.3f} to {item['high']:.3f}"
            found[name] = (item["share"], f"{item['share']:.3f} of {item['of']} (95 %: {between})")
    return found


def lines(run: Mapping[str, Any]) -> list[str]:
    """Return the run's measures as lines for a terminal."""
    said = [f"{name:15} {text}" for name, (_, text) in _values(run).items()]
    tokens = f"tokens sent {run['tokens_sent']}, generated {run['tokens_generated']}"
    return [*said, f"p50_ms {run['p50_ms']}  p95_ms {run['p95_ms']}  {tokens}"]


def side_by_side(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the measures of several runs as lines for a terminal, a column a run."""
    wide = max(12, *(len(run["title"]) for run in runs))
    values = [{name: value for name, (value, _) in _values(run).items()} for run in runs]
    rows = [(name, [f"{found[name]:.3f}" if name in found else "not measured" for found in values]) for name in MEANING]
    rows += [
        (name, [f"{run[name]:g}" for run in runs]) for name in ("p50_ms", "p95_ms", "tokens_sent", "tokens_generated")
    ]
    named = ("", [run["title"] for run in runs])
    return [f"{name:16} {'  '.join(cell.rjust(wide) for cell in cells)}" for name, cells in (named, *rows)]


def _summary(runs: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f'<tr><td><span style="color:{_COLOURS[number % 4]}">■</span> {html.escape(run["title"])}</td>'
        f"<td>{html.escape(', '.join(run['models']))}</td><td>{html.escape(run['date'])}</td>"
        f"<td>{len(run['questions'])}</td><td>{run['p50_ms']} / {run['p95_ms']}</td>"
        f"<td>{run['tokens_sent']} / {run['tokens_generated']}</td></tr>"
        for number, run in enumerate(runs)
    )
    return (
        "<table><tr><th>run<th>answered by<th>date<th>questions<th>ms, median / p95<th>tokens, sent / written</tr>"
        f"{rows}</table>"
    )


def _bars(runs: Sequence[Mapping[str, Any]]) -> str:
    height, step = 14, 14 * len(runs) + 10
    marks = []
    for row, name in enumerate(MEANING):
        marks.append(f'<text x="0" y="{row * step + 12}">{name}</text>')
        for number, run in enumerate(runs):
            value, text = _values(run).get(name, (0.0, "not measured"))
            y = row * step + number * height
            marks.append(
                f'<rect x="110" y="{y}" width="{value * 400:.1f}" height="{height - 2}" fill="{_COLOURS[number % 4]}"/>'
                f'<text x="{116 + value * 400:.1f}" y="{y + 11}">{text}</text>'
            )
    return f'<h2>Measures</h2><svg width="760" height="{len(MEANING) * step}" role="img">{"".join(marks)}</svg>'


def _meaning() -> str:
    return (
        "<table>" + "".join(f"<tr><td>{name}</td><td>{said}</td></tr>" for name, said in MEANING.items()) + "</table>"
    )


def _failing(run: Mapping[str, Any]) -> str:
    rows = run["questions"]
    causes = {
        "false answers": [row for row in rows if not row["answerable"] and row["answered"]],
        "false refusals": [row for row in rows if row["answerable"] and not row["answered"]],
        "wrong answers": [row for row in rows if row["answered"] and row.get("correct") == 0.0],
        "right answers with a wrong page": [
            row for row in rows if row.get("correct") == 1.0 and row.get("cited_right") == 0.0
        ],
    }
    return "".join(_listed(cause, found) for cause, found in causes.items())


def _listed(cause: str, found: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(row['question'])}</td><td>{html.escape(row['answer'][:300])}</td>"
        f"<td>{html.escape(' / '.join(row.get('known', []))[:200])}</td>"
        f"<td>{html.escape(', '.join(f'{name} {page}' for name, page in row['cited']))}</td></tr>"
        for row in found[:SHOWN]
    )
    more = f"<p>and {len(found) - SHOWN} more: see the JSON file.</p>" if len(found) > SHOWN else ""
    return (
        f"<h3>{len(found)}: {cause}</h3><table><tr><th>question<th>answer<th>known<th>cited</tr>{rows}</table>{more}"
        if found
        else f"<h3>0: {cause}</h3>"
    )
