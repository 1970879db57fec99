"""Says whether the best sentence or table row may be quoted as the answer without a model's word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rag.columns import is_of_another_number, is_price, lacks_cell
from rag.evidence import SURE, Asked, Support
from rag.extract import asks_whole
from rag.marks import told_of_another
from rag.quantities import dates
from rag.rows import caption, cells, group_row, header_row
from rag.words import stems

OF_ROW, OF_ROW_UNFOCUSED = 0.25, 0.5
"""Share of the question's words that a row must have to be quoted without a model's word, where it has the noun that is asked for
and where not: docs/decisions/0004-evidence-gate.md."""
_YEAR = re.compile(r"\b(?:FY ?)?(?:19|20)\d\d\b")
_CODE = re.compile(r"\b[A-Z]+-?\d+\b")
_COSTS = re.compile(r"\bhow much .*\bcosts?\b|\bwhat .*\bcosts?\W*$|\bprice of\b", re.IGNORECASE)
_WHY = re.compile(r"^\W*why\b|[,;:] why\b", re.IGNORECASE)
_GIVES_REASON = re.compile(
    r"\b(?:because|since|due|owing|therefore|thus|hence|so|as|in order|reasons?|caus\w+|led|leads?|result\w*|driven|drove"
    r"|prompt\w*|reflect\w*|attribut\w+|thanks|to|for|by|after|following|given|if|unless|lest|grounds?|purpose)\b",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"\bwhat\s+(?:\w+\s+){0,2}?(?:drove|drives|caus(?:es|ed)|led\s+to|explain(?:s|ed)|prompted|is\s+behind|was\s+behind)\b",
    re.IGNORECASE,
)
"""Questions for a reason that a clause may give."""


def may_be_quoted(question: str, asked: Asked, supports: Sequence[Support]) -> bool:
    """Return whether the best support may be quoted: it is about the year, the day and the thing that are asked about; a row has
    a cell for what is asked, a sentence a reason where one is asked for, else words that the span reader is sure of."""
    best = supports[0]
    if misses_year(question, best) or misses_date(question, best):
        return False
    if asked.is_another(best.found, best.start, best.end):
        return False
    if best.marked is not None and told_of_another(question, best.text, *(at - best.start for at in best.marked)):
        return False
    if best.text.startswith("|") and not best.figure and is_of_little(question, asked, best):
        return False
    if _WHY.search(question) and not best.figure and not _GIVES_REASON.search(best.text):
        return best.read is not None and best.read >= 0.0
    # the reader is seldom sure of a reason
    return asks_whole(question) or bool(_REASON.search(question)) or not says_nothing(supports)


def misses_year(question: str, best: Support) -> bool:
    """Return whether a question is about a year, and none of its numbers stands at the best sentence or row."""
    return best.features.figures == 0.0 and bool(_YEAR.search(question))


def misses_date(question: str, best: Support) -> bool:
    """Return whether a question is about a day of a year, and that day stands neither around the best sentence nor above it."""
    asked = [date for date in dates(question) if date.day and date.year]
    if not asked or best.figure:
        return False
    passage = best.found.passage
    above = f"{passage.heading}\n{passage.context}\n{caption(passage, best.start)}\n{header_row(passage, best.start)}"
    there = {(date.day, date.month, date.year) for date in dates(f"{above}\n{passage.text}")}
    return not any((date.day, date.month, year) in there for date in asked for year in (date.year, 0))


def is_of_little(question: str, asked: Asked, row: Support) -> bool:
    """Return whether a table row says little of what is asked, since other rows are as near; lacks a name that is asked about,
    since a row is about what it names; or has no cell for what is asked, another number in its label, or no price."""
    passage = row.found.passage
    header, values = cells(header_row(passage, row.start)), cells(row.text)
    text = " ".join(line for line in passage.text[: row.start - passage.start].split("\n") if not line.startswith("|"))
    above = f"{passage.heading} {passage.context} {text} {Path(passage.path).stem.replace('_', ' ').replace('-', ' ')}"
    table = f"{caption(passage, row.start)} {' '.join(header)} {group_row(passage, row.start)}"
    told = stems(f"{above} {table} {row.text}") | asked.naming.get(passage.document_id, frozenset())
    least = OF_ROW if row.features.focus else OF_ROW_UNFOCUSED
    return (
        row.features.own < least
        or any(len(name) > 1 for name in asked.names - told)
        or lacks_cell(question, asked, header, values)
        or is_of_another_number(_CODE.sub(" ", question), _CODE.sub(" ", values[0]))
        or bool(_COSTS.search(question) and not is_price(f"{passage.heading} {table} {row.text}"))
    )


def says_nothing(supports: Sequence[Support]) -> bool:
    """Return whether the span reader read passages and is sure of no words of the best support, and that is no table row."""
    best = supports[0]
    if best.text.startswith("|") or all(item.read is None for item in supports):
        return False
    return best.read is None or best.read < SURE
