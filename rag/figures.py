"""Finds the table row that a question for a figure asks for, and the column of its period."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ingest.ports import Embedder
from rag.answer_type import asks_analysis, asks_several, is_date, kind_asked
from rag.evidence import Asked, Support, chance
from rag.instructions import instructions
from rag.naming import asks_quarter
from rag.question import ASKING, Labels
from rag.retrieve import Found
from rag.rows import caption, cells, group_row, header_row
from rag.words import STOP_WORDS, numbers, sentences, stem, stems, tokens

LOOKED_AT = 60
"""Passages found whose table rows are looked at."""
LEAST = 0.8
"""How well a row's label must say what is asked, from 0 to 1."""
LONGEST = 60
"""Characters of a column's header; a longer one is not a header but text in a badly read table."""
AROUND = 0.8
"""What a word counts that stands above a row (group, header, caption, headings) and not in its label."""
OF_A_PART = 0.05
"""What a row loses whose group was not asked for: the operating income of a region is not that of the company."""
OWN = 0.5
"""Share of a label's mark that depends on how much of the label was asked for."""

_FIGURE = re.compile(
    r"\b(?:how (?:much|many|high|large)|what(?:['’]s| is| was| are| were| did)|(?:what|which) (?:amount|figure))\b",
    re.I,
)
_CLAUSE = re.compile(r"(?<=[.?!:;])\s+|,\s+(?=what|how)", re.I)
_ASIDE = re.compile(r"\([^)]*\)")
_PERIOD = stems(
    "quarter quarterly fiscal year yearly annual month months end ended ending first second third fourth three six nine twelve "
    "january february march april may june july august september october november december"
)
_WORD_OF_PERIOD = re.compile(r"(?:FY|Q[1-4]|FY ?'?)?'?(?:(?:19|20)?\d\d)?(?:Q[1-4])?", re.I)
_SAYS_NOTHING = (
    ASKING
    | STOP_WORDS
    | frozenset(
        "amount value figure level size spend spends spent spending make makes made earn earned earns generate generated report "
        "reported reports reporting filing record recorded recognise recognize recognized recognised incur incurred company "
        "million millions billion billions thousand thousands dollar dollars usd eur show state latest recent current shown "
        "according whole come comes came bring brought".split()
    )
)
_NEUTRAL = stems("total totals consolidated")
_QUARTERLY = re.compile(r"\b(?:three months|quarter|Q[1-4]|13 weeks|thirteen weeks)\b", re.I)
_YEARLY = re.compile(r"\b(?:twelve months|years? ended|fiscal years?|full year|52 weeks|FY)\b", re.I)
_SPAN = re.compile(r"\b(?:months|weeks|quarter|years?|YTD|Q[1-4])\b", re.I)
_QUARTER = re.compile(r"\bquarter\b", re.I)
_ANNUAL = re.compile(r"\b(?:FY ?'?\d\d|fiscal (?:year )?(?:19|20)\d\d|annual|full[- ]year)\b", re.I)
_CHANGE = re.compile(r"\bchange|\bvs\b|\bversus\b|\bvariance|\bincrease|\bgrowth|^\W*%\W*$", re.I)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DATE = re.compile(rf"\b({'|'.join(_MONTHS)})[a-z]*\.?\s+(\d{{1,2}}),?(?:\s+((?:19|20)\d\d))?", re.I)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


@dataclass(frozen=True, slots=True)
class _Row:
    """A table row at [start, end) of its version, and how well its label says what is asked."""

    found: Found
    start: int
    end: int
    mark: float


def figure(
    question: str,
    asked: Asked,
    found: Iterable[Found],
    documents: Collection[str],
    labels: Labels,
    embedder: Embedder,
) -> Support | None:
    """Return the table row whose label is what a question for a figure asks for, or None where no row of the passages is.

    `documents` are those that the question names, none when it names none; `labels` other wordings of its terms in tables.
    The row must have one column of the period that is asked for, else the latest.
    """
    wordings = asked_for(question, asked, documents, labels)
    if not wordings:
        return None
    rows = (
        row
        for item in found
        if not item.passage.made_by and (not documents or item.passage.document_id in documents)
        for row in _rows(question, asked, wordings, item)
    )
    for row in sorted(rows, key=lambda row: -row.mark):  # stable: of rows alike the one found first
        passage = row.found.passage
        text = passage.text[row.start - passage.start : row.end - passage.start]
        header = cells(header_row(passage, row.start))
        if row.mark >= LEAST and column(question, asked, header, cells(text)) is not None:
            vectors = embedder.embed([question, f"{header_row(passage, row.start)} {text}"])
            said = asked.features(row.found, row.start, row.end, float(vectors[0] @ vectors[1]))
            # the label says what is asked, in other words too
            features = replace(
                said, own=max(said.own, row.mark), passage=max(said.passage, row.mark), focus=1.0, states=1.0
            )
            return Support(row.found, row.start, row.end, features, chance(features))
    return None


def asked_for(question: str, asked: Asked, documents: Collection[str], labels: Labels) -> tuple[frozenset[str], ...]:
    """Return the stems of the figure that a question asks for, in its own words and as tables may call it; nothing where it
    asks for no figure. Words that name a document or a period are not among them."""
    clause = next((one for one in _CLAUSE.split(_ASIDE.sub(" ", question)) if _FIGURE.search(one)), None)
    if clause is None or asks_analysis(question) or asks_several(question):
        return ()
    named = set().union(*(stemmed for key, stemmed in asked.naming.items() if not documents or key in documents))
    words = [word for word in tokens(clause) if word.lower() not in _SAYS_NOTHING and not _of_period(word)]
    own = tuple(one for one in map(stem, words) if one not in named)
    found = {frozenset(own): None}
    for term, others in labels.items():
        at = next((at for at in range(len(own)) if own[at : at + len(term)] == term), None)
        if at is not None:
            for other in others:
                found.setdefault(frozenset([*own[:at], *other, *own[at + len(term) :]]))
    return tuple(wording for wording in found if wording - _NEUTRAL)


def _of_period(word: str) -> bool:
    return stem(word) in _PERIOD or _WORD_OF_PERIOD.fullmatch(word) is not None


def _rows(question: str, asked: Asked, wordings: Sequence[frozenset[str]], found: Found) -> Iterator[_Row]:
    """Yield the rows with figures of a passage that say at least something of what is asked."""
    passage = found.passage
    if "|" not in passage.text:
        return
    wanted = frozenset().union(*wordings)
    for start, end in sentences(passage.text):
        text = passage.text[start:end]
        label, *values = cells(text) if text.startswith("|") else [""]
        own, aside = _label(label), _label(label) - _label(_ASIDE.sub(" ", label))
        if not own & wanted or not any(numbers(value) for value in values):
            continue
        at = passage.start + start
        group = group_row(passage, at)
        if _CHANGE.search(group) and not _CHANGE.search(question):
            continue
        above = stems(f"{group} {header_row(passage, at)} {caption(passage, at)} {passage.heading}")
        mark = max(_mark(asked, wording, own, own - aside, above) for wording in wordings)
        others = _label(group) - wanted - _NEUTRAL
        yield _Row(found, at, passage.start + end, mark - OF_A_PART * len(others) / max(1, len(_label(group))))


@lru_cache(maxsize=16384)
def _label(text: str) -> frozenset[str]:
    """Return the stems of a row's label that say something."""
    return frozenset(stem(word) for word in tokens(text) if word.lower() not in STOP_WORDS and not word.isdigit())


def _mark(asked: Asked, wording: frozenset[str], own: frozenset[str], must: frozenset[str], above: set[str]) -> float:
    """Return how well a row says a wording, 0 to 1: the share of its words in the label or above it, the rare ones first, and
    how much of the label, without what stands in brackets, is asked for."""
    told = own & wording - _NEUTRAL
    if not told:
        return 0.0
    common = min(asked.weights.values(), default=1.0)
    weights = {word: asked.weights.get(word, common) for word in wording - _NEUTRAL}
    said = sum(weight * (1.0 if word in own else AROUND * (word in above)) for word, weight in weights.items())
    asks = must - _NEUTRAL
    return said / sum(weights.values()) * (1 - OWN + (OWN * len(told & asks) / len(asks) if asks else 0.0))


def column(question: str, asked: Asked, header: Sequence[str], row: Sequence[str]) -> int | None:
    """Return the number of the column that a question asks for: the one that it names best, the only one that is filled, or the
    one of its period, else of the latest; None where several could be meant."""
    if len(row) < 2 or len(row) != len(header):
        return None
    named = [at for at in range(1, len(row)) if len(header[at]) <= LONGEST and not instructions(header[at])]
    filled = [at for at in named if row[at] and _fits(question, asked, row[at])]
    quarter, told, years = asks_quarter(question), set(_YEAR.findall(" ".join(header))), set(_YEAR.findall(question))
    if told and years and not told & years and not quarter:
        return None  # a year that the table doesn't have; a fiscal quarter may lie in another calendar year
    if len(filled) == 1:
        return filled[0]
    if not _CHANGE.search(question):
        filled = [at for at in filled if not _CHANGE.search(header[at])]
    if (quarter or _QUARTER.search(question)) and any(_SPAN.search(header[at]) for at in filled):
        filled = [at for at in filled if _QUARTERLY.search(header[at])]
    label = stems(row[0])
    shares = {
        at: sum(weight for word, weight in asked.weights.items() if word in stems(header[at]) - label)
        + sum(1.0 for number in asked.numbers if number in numbers(header[at]))
        for at in filled
    }
    best = max(shares.values(), default=0.0)
    left = [at for at, share in shares.items() if share == best]
    if len(left) == 1 and best > 0:
        return left[0]
    if _ANNUAL.search(question) and any(_YEARLY.search(header[at]) for at in left):
        left = [at for at in left if _YEARLY.search(header[at])]
    dates = {at: _date(header[at]) for at in left}
    latest = max(dates.values(), default=(0, 0, 0))
    newest = [at for at in left if dates[at] == latest]
    return newest[0] if len(newest) == 1 and latest > (0, 0, 0) else None


def _fits(question: str, asked: Asked, value: str) -> bool:
    """Return whether a cell can be what is asked for: a date where a date is, a number that is none where a number is."""
    kind = kind_asked(question)
    if kind == "date":
        return is_date(value)
    if kind in ("money", "share", "number", "duration") or asked.wants_quantity:
        return bool(numbers(value)) and not is_date(value)
    return not asked.wants_number or bool(numbers(value))


def _date(header: str) -> tuple[int, int, int]:
    """Return the last year, month and day that a column's header names, 0 for what it doesn't."""
    match = next(_DATE.finditer(header), None)
    years = [int(year) for year in _YEAR.findall(header)]
    year = max(years, default=0)
    return (year, _MONTHS.index(match[1][:3].lower()) + 1, int(match[2])) if match else (year, 0, 0)
