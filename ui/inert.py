"""Makes text of documents harmless: what is shown of it is escaped HTML, or a code span in a label."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

import streamlit as st

from ui.shapes import ApiProblem, Statement

STYLE = """<style>
.stMainBlockContainer { padding: 3.25rem clamp(1rem, 3vw, 3rem) 3rem; max-width: 88rem; }
.stMainBlockContainer h1 { font-size: 1.6rem; padding: 0 0 .6rem; }
.stMainBlockContainer .stImage img { border: 1px solid #c3c9d4; }
.stRadio code, .stButton code { font: inherit; background: none; color: inherit; padding: 0; overflow-wrap: anywhere; }
[data-testid="InputInstructions"] { display: none; }
.rr { font-size: 1rem; line-height: 1.55; overflow-wrap: anywhere; white-space: pre-wrap; margin: 0; }
.rr-question { font-size: 1.15rem; font-weight: 600; }
.rr-answer { font-size: 1.15rem; line-height: 1.6; }
.rr-draft { color: #4b5563; }
.rr-small { font-size: .875rem; color: #4b5563; }
.rr-block { border-left: 3px solid #c3c9d4; padding: .1rem 0 .1rem .8rem; }
.rr-problem { border-left: 4px solid #b3261e; background: #fdf1f0; color: #410e0b; padding: .6rem .8rem; }
.rr-stale { border-left: 4px solid #9a6700; background: #fff8e1; color: #3d2a00; padding: .5rem .8rem; }
.rr-unsupported { color: #7a1a14; text-decoration: underline dotted #b3261e; }
.rr-cells { display: block; overflow-x: auto; border-collapse: collapse; font-size: .9rem; margin: .2rem 0; }
.rr-cells th, .rr-cells td { text-align: left; vertical-align: top; padding: .15rem .9rem .15rem 0;
  overflow-wrap: normal; border-bottom: 1px solid #dfe3ea; }
.rr-cells th { font-weight: 600; border-bottom: 2px solid #8a93a3; }
.rr mark { background: #ffe27a; color: #1a1c20; padding: 0 .1em; }
.rr-n { font-weight: 700; color: #0b4a8f; }
.rr-table { width: 100%; overflow-x: auto; }
.rr-table table { border-collapse: collapse; width: 100%; font-size: .9rem; }
.rr-table th { text-align: left; font-weight: 600; border-bottom: 2px solid #8a93a3; padding: .35rem .9rem .35rem 0; }
.rr-table td { vertical-align: top; border-bottom: 1px solid #dfe3ea; padding: .4rem .9rem .4rem 0; line-height: 1.4;
  white-space: pre-wrap; }
.rr-table td:first-child, .rr-table td:last-child { overflow-wrap: anywhere; }
.rr-table td:first-child { min-width: 16rem; }
.rr-table td:last-child { min-width: 16rem; }
.rr-table .rr-two { min-width: 11rem; }
.rr-table .rr-number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
</style>"""
"""The only style sheet of ours; it holds nothing that was read from a document."""


def style() -> None:
    """Put the style sheet into the page."""
    st.html(STYLE)


def html(text: str, *classes: str) -> str:
    """Return text as an escaped HTML block that keeps its line breaks."""
    return f'<div class="{" ".join(["rr", *classes])}">{escape(text)}</div>'


def answer_html(text: str, *classes: str) -> str:
    """Return an answer as escaped HTML, its citation numbers set apart, the cells of quoted rows without their bars."""
    body = re.sub(r"\[\d{1,3}\]", lambda found: f'<span class="rr-n">{found[0]}</span>', escape(_without_bars(text)))
    return f'<div class="{" ".join(["rr", "rr-answer", *classes])}">{body}</div>'


def statements_html(statements: Iterable[Statement]) -> str:
    """Return the statements of an answer as escaped HTML, those that no document supports marked as such."""
    body = " ".join(
        escape(_without_bars(item.text))
        + "".join(f' <span class="rr-n">[{number}]</span>' for number in item.citations)
        if item.supported
        else f'<span class="rr-unsupported">{escape(item.text)} (not supported by the documents)</span>'
        for item in statements
    )
    return f'<div class="rr rr-answer">{body}</div>'


def _without_bars(text: str) -> str:
    """Return text with the cells of each quoted table row set apart by dots: rows are kept in Markdown."""
    return re.sub(r"(?m)(^|“)\| (.*) \|(?=$|”| \[)", lambda row: row[1] + " · ".join(_cells(f"| {row[2]} |")), text)


def marked_html(before: str, quote: str, after: str) -> str:
    """Return text as escaped HTML with the quote in it marked."""
    text, marked = before + quote + after, (len(before), len(before) + len(quote))
    return f'<div class="rr rr-block">{_text_html(text, marked)}</div>'


def block_html(text: str, *classes: str) -> str:
    """Return text of a document as an escaped HTML block, its tables drawn as tables."""
    return f'<div class="{" ".join(["rr", "rr-block", *classes])}">{_text_html(text, (0, 0))}</div>'


def _text_html(text: str, marked: tuple[int, int]) -> str:
    """Return text as escaped HTML with the characters [start, end) marked; rows of Markdown tables become tables."""
    body, rows, at = "", list[tuple[str, bool]](), 0
    for line in [*text.split("\n"), ""]:
        low, high = (min(max(place - at, 0), len(line)) for place in marked)
        if _ROW.fullmatch(line):
            rows.append((line, low < high))
        else:
            body += _rows_html(rows) if rows else ""
            rows = []
            middle = f"<mark>{escape(line[low:high])}</mark>" if low < high else ""
            body += f"{escape(line[:low])}{middle}{escape(line[high:])}\n"
        at += len(line) + 1
    return body.strip("\n")


_ROW = re.compile(r"\|.*\|")
RULE = re.compile(r"\|(?:[ \t]*:?-{2,}:?[ \t]*\|)+")
"""The row below a table's header row: "| --- | --- |" as we write it, "|:--|---|" as others do."""


def _rows_html(rows: Sequence[tuple[str, bool]]) -> str:
    """Return the rows of a Markdown table as an HTML table, cells of marked rows marked; above a rule row stands the header."""
    body = ""
    for at, (row, marked) in enumerate(rows):
        if RULE.fullmatch(row):
            continue
        tag = "th" if at + 1 < len(rows) and RULE.fullmatch(rows[at + 1][0]) else "td"
        cells = (f"<mark>{escape(cell)}</mark>" if marked and cell else escape(cell) for cell in _cells(row))
        body += f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"
    return f'<table class="rr-cells">{body}</table>'


def _cells(row: str) -> list[str]:
    """Return the cells of a row of a Markdown table; ingest leaves no bar inside a cell."""
    return [cell.strip() for cell in row[1:-1].split("|")]


Cell = str | int | tuple[str, str]
"""Text, a number, or text with small print below it."""


def table_html(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return an escaped HTML table; numbers are set right."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(f"<tr>{''.join(_cell_html(cell) for cell in row)}</tr>" for row in rows)
    return f'<div class="rr-table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell_html(cell: Cell) -> str:
    if isinstance(cell, int):
        return f'<td class="rr-number">{cell:,}</td>'
    if isinstance(cell, tuple):
        return f'<td class="rr-two">{escape(cell[0])}<div class="rr-small">{escape(cell[1])}</div></td>'
    return f"<td>{escape(cell)}</td>"


def label(text: str) -> str:
    """Return text as a Markdown code span, for labels that Streamlit reads as Markdown.

    A code span shows its content as it is: no links, images, emphasis, colours, formulas or emoji names. Backslashes
    would not do: GitHub-flavoured Markdown links addresses even where they were escaped.
    """
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if line else ""


def show(text: str, *classes: str) -> None:
    """Show text as it is."""
    st.html(html(text, *classes))


def show_text(text: str, *classes: str) -> None:
    """Show text of a document, its tables drawn as tables."""
    st.html(block_html(text, *classes))


def show_problem(problem: ApiProblem) -> None:
    """Show what went wrong and what to do."""
    remedy = f"<br>{escape(problem.remedy)}" if problem.remedy else ""
    st.html(f'<div class="rr rr-problem" role="alert"><strong>{escape(problem.detail)}</strong>{remedy}</div>')
