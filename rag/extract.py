"""The extractive reader: the best sentences or table rows, and the words or the cell in them that answer, without a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from rag.answer_type import FORMS, Candidate, Kind, asks_analysis, asks_two, candidates, kind_asked
from rag.columns import CURRENCIES, column, fits, is_torn, said_by
from rag.evidence import SURE, Asked, Support
from rag.marks import QUARTER, YEAR, marks
from rag.quantities import with_units
from rag.respectively import meant, shares_out
from rag.rows import PER_SHARE, SCALE, caption, cells, group_row, header_row, holds_only_years
from rag.statements import Said
from rag.words import numbers, stem, stems, tokens, units

ALSO = 0.95
"""A second sentence is quoted too when it reaches this share of the best one's chance."""

CLAUSE = 3
"""Words that a comma counts for, when the distance of two words is told."""

PHRASE = 5
"""Words from which on the only filled cell of a row is running text."""

_WHOLE = re.compile(
    r"(?:^\W*|,\s+)(?:(?:and|but|so)\s+)?(?:why\b|how\s+(?:is|are|was|were|do|does|did|can|could|should|must|may|will|has|have)\b)"
    r"|^\W*(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must)\b"
    r"|\band\s+(?:(?:by|in|at|for|to|with|from|on)\s+)?(?:how|what|when|where|which|who|whom|why)\b",
    re.IGNORECASE,
)
"""Questions for a reason or a way, for yes or no, or for two things."""
_SAYS_NOTHING = re.compile(
    r"(?:details?|values?|descriptions?|particulars|information|data|entry|contents?)", re.IGNORECASE
)
"""Titles of the second of two columns that say no more than that it holds what the first one names."""
_ASKS = re.compile(r"[?？؟][\s\"'”’»)|]*$")
_CLAUSES = re.compile(r"[,;](?!\d)|\b(?:and|but|or)\b", re.IGNORECASE)
_WHERE = re.compile(r"\b(?:in|at|near|from|to|into|across|between|outside|around)\s+(?:the\s+)?$", re.IGNORECASE)
_CURRENCY = re.compile(r"^(?:USD|EUR|GBP|NOK|CHF|JPY|[$€£¥])\s*", re.IGNORECASE)
_MEASURE = re.compile(r"\((?:[a-zµ°%²³/ ]{1,8}|kWh?|MWh?)\)")
"""A unit of its own in a title: "Area (m²)"."""
_HOW_MANY = re.compile(r"\bhow (?:many|often)\b", re.IGNORECASE)
_COUNT = re.compile(
    r"\b(?:qty|quantity|number|count|pieces|pcs|days|hours|months|years|visits|times|people|persons|members)\b",
    re.IGNORECASE,
)
"""Titles of columns that hold no money, whatever the table's caption says."""


def extract(question: str, asked: Asked, supports: Sequence[Support]) -> list[Said]:
    """Return what is said, each with the sentence or row that it rests on.

    Where the kind of the answer can be told, and no analysis is asked for, it is the words of the best sentence that have this
    kind, or the cell of the best row; else it is the best sentence, and a second one that is nearly as good and says something
    else. A sentence that itself asks, and a row that has only its label, are quoted only where there is nothing else.
    """
    supports = [
        item
        for item in supports
        if item.figure or not (_ASKS.search(item.text) or _is_only_label(item.text) or _is_dash(question, asked, item))
    ] or supports
    supports = _called(question, _below_captions(supports))
    best = supports[0]
    text = _prose(best.text)
    short = cell(question, asked, best) if text.startswith("|") else marked(best) or span(question, asked, text)
    if short and not text.startswith("|") and _several(question, short):
        short = span(question, asked, text)
    if short and shares_out(text) and not text.startswith("|"):
        place = meant(question, text)
        short = text[slice(*place)] if place else None  # else all of the sentence: which value is meant can't be told
    elif short and not text.startswith("|"):
        short = _of_clause(question, text, short)
    if short and (best.column is not None or not asks_whole(question)):
        return [Said(short, (best.found, best.start, best.end))]
    others = [item for item in supports[1:4] if item.score >= ALSO * best.score and item.text != best.text]
    others = [item for item in others if item.features.states]
    return [Said(f"“{_prose(item.text)}”", (item.found, item.start, item.end)) for item in [best, *others][:2]]


def asks_whole(question: str) -> bool:
    """Return whether some words of a sentence would be half an answer."""
    return asks_analysis(question) or bool(_WHOLE.search(question))


def marked(best: Support) -> str | None:
    """Return the words that the span reader marked in a sentence, a number with its units, None where it is not sure of them or
    a heading holds them."""
    if best.marked is None or best.read is None or best.read < SURE or not best.features.states:
        return None
    at = best.start
    start, end = with_units(best.text, best.marked[0] - at, best.marked[1] - at)
    return best.text[start:end]


def _several(question: str, words: str) -> bool:
    """Return whether marked words hold several amounts, of which one is asked for: "EUR 5 for the hull and EUR 6"."""
    amounts = [match.span() for match in FORMS["money"].finditer(words)]
    between = [words[a[1] : b[0]].split() for a, b in pairwise(amounts)]
    return any(len(some) > 1 for some in between) and not asks_two(question)


def _below_captions(supports: Sequence[Support]) -> Sequence[Support]:
    """Return supports with the best table row in front, where the best of them is only what stands above that table."""
    best = supports[0]
    for item in supports[1:]:
        same = item.found.passage.chunk_id == best.found.passage.chunk_id and item.text.startswith("|")
        if same and best.text == caption(item.found.passage, item.start):
            return [item, *(one for one in supports if one is not item and one is not best)]
    return supports


def _called(question: str, supports: Sequence[Support]) -> Sequence[Support]:
    """Return supports with a row in front whose label stands in the question as it is, where the best is another row of the same
    table: "over 5 days" is not "2 to 5 days"."""
    best, said = supports[0], f" {' '.join(tokens(question.lower()))} "

    def called(item: Support) -> bool:
        label = tokens(cells(item.text)[0].lower()) if item.text.startswith("|") else []
        return len(label) > 1 and f" {' '.join(label)} " in said

    if not best.text.startswith("|") or called(best):
        return supports
    of_table = [item for item in supports[1:] if item.found.passage.chunk_id == best.found.passage.chunk_id]
    named = next((item for item in of_table if called(item)), None)
    return supports if named is None else [named, *(item for item in supports if item is not named)]


def _is_only_label(text: str) -> bool:
    """Return whether a row has one short cell, as one has that names the rows below it: "Net sales:"; or names only periods."""
    if holds_only_years(text):
        return True
    filled = [one for one in cells(text) if one] if text.startswith("|") else []
    return len(filled) == 1 and len(filled[0].split()) < PHRASE


def _is_dash(question: str, asked: Asked, support: Support) -> bool:
    """Return whether a dash stands in the cell of a row that is asked for, or in all: it answers nobody who asks no figure."""
    if not support.text.startswith("|"):
        return False
    row, _, at = _place(question, asked, support)
    return not any(one.strip("-–— $€£%") for one in (row[1:] if at is None else [row[at]]))


def _prose(text: str) -> str:
    """Return a row without its bars where it is running text: one cell of it is filled, and that with a phrase."""
    filled = [one for one in cells(text) if one] if text.startswith("|") else []
    return filled[0] if len(filled) == 1 and len(filled[0].split()) >= PHRASE else text


def span(question: str, asked: Asked, sentence: str) -> str | None:
    """Return the words of a sentence that have the kind which a question asks for, nearest to the question's own words."""
    kind = kind_asked(question)
    found = list(candidates(kind, sentence, question))
    if not found:
        return None
    best = max(found, key=lambda item: (_nearness(asked, sentence, item) * _likely(kind, sentence, item), -item.start))
    return sentence[best.start : best.end].strip()


def _of_clause(question: str, sentence: str, short: str) -> str:
    """Return the words of the one clause that names the one of its kind that is asked about, where they stand in another: "and in
    the second year 70 per cent"."""
    wanted, form = marks(question), next((one for one in FORMS.values() if one.fullmatch(short)), None)
    wanted = {kind: wanted[kind] for kind in wanted if kind not in (YEAR, QUARTER)}  # one clause's hold for others
    clauses = _CLAUSES.split(sentence) if wanted else []
    named = [clause for clause in clauses if any(wanted[one] & marks(clause).get(one, frozenset()) for one in wanted)]
    if form is None or len(named) != 1 or short in named[0] or not any(short in clause for clause in clauses):
        return short
    found = [match.group().strip() for match in form.finditer(named[0]) if numbers(match.group()) - numbers(question)]
    return found[0] if len(found) == 1 else short


def _likely(kind: Kind, sentence: str, item: Candidate) -> float:
    """Return more for a place after "in" and its like, and for a person elsewhere."""
    if kind not in ("person", "place"):
        return 1.0
    located = bool(_WHERE.search(sentence[: item.start]))
    return 2.0 if located == (kind == "place") else 1.0


def _nearness(asked: Asked, sentence: str, item: Candidate) -> float:
    """Return how near the words of the question stand to a candidate, rare words above all."""
    before, after = _steps(sentence[: item.start])[::-1], _steps(sentence[item.end :])
    total = 0.0
    for word, weight in asked.weights.items():
        steps = [words.index(word) for words in (before, after) if word in words]
        if steps:
            total += weight / (2 + min(steps))
    if asked.focus is not None and asked.focus in after[:3]:
        total += max(asked.weights.values(), default=1.0)
    return total


def _steps(text: str) -> list[str]:
    """Return the stems of a text; a clause's end counts as some words more."""
    found: list[str] = []
    for number, clause in enumerate(re.split(r"[,;:()]", text)):
        found += [""] * (CLAUSE if number else 0)
        found += [stem(word) for word in tokens(clause)]
    return found


def agrees(question: str, asked: Asked, support: Support, answer: str) -> bool:
    """Return whether an answer has the figure of the row and column that a question asks for, where such a row was found: a model
    may take the figure of another column, which stands in the row, too."""
    row, _, at = _place(question, asked, support)
    return not support.figure or at is None or numbers(row[at]) <= numbers(answer)


def _place(question: str, asked: Asked, support: Support) -> tuple[list[str], list[str], int | None]:
    """Return the cells of a row and of its header, and the number of the column that a question asks for."""
    row, header = cells(support.text), cells(header_row(support.found.passage, support.start))
    at = support.column
    if at is None and len(row) == len(header):
        label = stems(row[0])
        titled = is_torn(question, header) or any(said_by(question, asked, title, label) for title in header[1:])
        at = None if titled else _marked_column(support)
        at = None if at is not None and not fits(question, asked, row[at]) else at
    return row, header, column(question, asked, header, row) if at is None else at


def _marked_column(support: Support) -> int | None:
    """Return the number of the one cell that the span reader marked words of and rather believes, but of the first."""
    if support.figure or support.marked is None or support.read is None or support.read < 0:
        return None
    before, inside = (
        support.text[a - support.start : b - support.start]
        for a, b in ((support.start, support.marked[0]), support.marked)
    )
    at = before.replace("\\|", "").count("|") - 1
    return at if at > 0 and "|" not in inside else None


def cell(question: str, asked: Asked, support: Support) -> str | None:
    """Return the cell of a table row that a question asks for, "row header, column header: cell unit (scale)", or None
    where several columns could be meant."""
    passage = support.found.passage
    row, header, at = _place(question, asked, support)
    if at is None:
        return None
    above = caption(passage, support.start)
    units_named = units(f"{above} {header[at]} {header[0]}")
    value = row[at].replace("\0", "|")
    counts = _HOW_MANY.search(question) or _COUNT.search(header[at]) or _MEASURE.search(header[at])
    unit = "" if counts else next((one for one in CURRENCIES if one in units_named and not units(value) & {one}), "")
    share = "%" in value + header[at]
    scaled = numbers(value) and not share and not PER_SHARE.search(f"{row[0]} {group_row(passage, support.start)}")
    scale = SCALE.search(f"{header[0]} {header[at]} {above} {passage.heading}") if scaled else None
    title = "" if _SAYS_NOTHING.fullmatch(header[at]) and len(row) == 2 else header[at]
    said = ", ".join(one for one in (row[0] if at else "", title) if one) + f": {value}"
    said += f" {unit}" if unit and unit not in units(title) and numbers(value) and not share else ""
    told = (
        _CURRENCY.sub("", scale.group()).strip().lower() if scale and not SCALE.search(title) else ""
    )  # the currency is said already
    return said + (f" ({told})" if told else "")
