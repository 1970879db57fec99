"""Finds the table row that a question for a figure asks for: its label is what is asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain

from ingest.ports import Embedder
from rag.answer_type import asks_several, kind_asked
from rag.catalog import Catalog
from rag.columns import CHANGE, LENGTH, QUARTERLY, column, is_of_another_number
from rag.evidence import Asked, Support
from rag.excerpts import orders
from rag.lookup import ASIDE, lookup, row_support
from rag.naming import words_of_name
from rag.question import ASKING, Labels
from rag.retrieve import Found
from rag.rows import caption, cells, group_row, header_row, without_exceptions
from rag.words import PERIODS, STOP_WORDS, numbers, sentences, stem, stems, tokens, units

LOOKED_AT = 60
"""Passages found whose table rows are looked at."""
OF_ONE_DOCUMENT = 2000
"""Passages of the only document that is named whose tables are looked at."""
FIGURE_FOUND = 0.8
"""The chance that such a row answers: measured in docs/decisions/0020-figures.md."""
LEAST = 0.8
"""How well a row's label must say what is asked, from 0 to 1."""
BESIDE = 0.8
"""What a word counts that stands in another cell of a row, its group or header row, and not in its label."""
CAPTION, HEADING = 0.5, 0.2
"""What a word counts that stands above the table only."""
OF_A_PART = 0.05
"""What a row loses whose group was not asked for: the operating income of a region is not that of the company."""
TITLE = 100
"""Characters of a line that may be a statement's title."""
NEARLY = 0.06
"""What rows may be marked less than the best and be compared with it."""
IN_BRACKETS = 0.01
"""What a row loses for each word in brackets that was not asked for: "Operating income" before "Operating income (loss)"."""
OWN = 0.5
"""Share of a label's mark that depends on how much of the label was asked for."""

_FIGURE = re.compile(
    r"\b(?:how (?:much|many|high|large)|what(?:['’]s| is| was| are| were| did)|(?:what|which) (?:\w+ ){0,3}(?:amount|figure"
    r"|revenues?|sales|income|profits?|loss|dividends?|debt|assets|liabilities|expenses?|costs?|rate|margin|number|percentage))\b",
    re.I,
)
_CLAUSE = re.compile(r"(?<=[.?!:;])\s+|,\s+(?=what|how)", re.I)
_FUNCTION = STOP_WORDS - {"other"}
_PERIOD = stems(" ".join(PERIODS))
_WORD_OF_PERIOD = re.compile(r"(?:FY|Q[1-4]|FY ?'?)?'?(?:(?:19|20)?\d\d)?(?:Q[1-4])?", re.I)
_SAYS_NOTHING = (
    ASKING
    | STOP_WORDS
    | frozenset(
        "amount value figure level size spend spends spent spending make makes made earn earned earns generate generated report "
        "reported reports reporting filing record recorded recognise recognize recognized recognised incur incurred company "
        "million millions billion billions thousand thousands dollar dollars usd eur show state latest recent shown "
        "co inc corp ltd plc llc according whole come comes came bring brought".split()
    )
)
_BEGINS = re.compile(r"\b(?:beginning|start|opening)\b", re.I)
_ENDS = re.compile(r"\b(?:end|closing)\b", re.I)
_REST = re.compile(r"\bothers?\b", re.I)
_OF_REST = re.compile(r"\W*(?:total\s+)?other\b", re.I)
_PER = re.compile(r"\bper (?:\w+ )?\w+\b", re.I)
_MUCH = re.compile(r"\bhow much\b", re.I)
_SHARES = re.compile(r"\bpercent(?:age)?s? of\b|% of\b", re.I)
_NEUTRAL = stems("total totals consolidated attributable shareholders stockholders")
_STATEMENTS = tuple(
    re.compile(form, re.I)
    for form in (
        r"\bstatements? of cash ?flows?\b|\bcash ?flows? statements?\b",
        r"\bincome statements?\b|\bstatements? of (?:consolidated )?(?:comprehensive )?(?:income|operations|earnings)\b"
        r"|\bprofit and loss\b|\bP&L\b",
        r"\bbalance sheets?\b|\bstatements? of financial (?:position|condition)\b",
    )
)


@dataclass(frozen=True, slots=True)
class _Row:
    """A table row at [start, end) of its version, the figure in it, whether its column is that of a quarter, and how well its
    label says what is asked."""

    found: Found
    start: int
    end: int
    value: str
    of_quarter: bool
    mark: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Looks for figures in the tables of one catalog; `labels` are other wordings of terms in tables. Hidden text is looked at
    only if wanted, and rows that hold instructions only if not `guarded`."""

    catalog: Catalog
    embedder: Embedder
    labels: Labels
    hidden: bool
    guarded: bool

    def first(
        self,
        question: str,
        asked: Asked,
        supports: list[Support],
        ranked: Sequence[Found],
        collections: Sequence[str],
        whole: bool,
    ) -> list[Support]:
        """Return the supports with the row first that a question for a figure asks for, where there is one in the passages or, if
        the `whole` of a document may be looked at, in the only one that the question names."""
        row = self._figure(question, asked, ranked, collections, whole) if _clause(question) else None
        row = row or lookup(question, asked, ranked, self.labels, self.embedder)
        if row is None or (self.guarded and orders(row.found.passage, row.start, row.end)):
            return supports
        best = max([row.score, *(one.score for one in supports[:1])])
        others = [one for one in supports if (one.found, one.start) != (row.found, row.start)]
        return [replace(row, score=best), *others]

    def _figure(
        self, question: str, asked: Asked, ranked: Sequence[Found], collections: Sequence[str], whole: bool
    ) -> Support | None:
        """Return the row of the figure in the passages of the documents that a question names."""
        named = self.catalog.naming.documents(question, self.catalog.require_collections(collections))
        documents = {one.document_id for one in named if one.share >= named[0].share}
        passages = chain(ranked, self._others(ranked, documents) if whole and len(documents) == 1 else ())
        return figure(question, asked, passages, documents, self.labels, self.embedder)

    def _others(self, ranked: Sequence[Found], documents: Collection[str]) -> Iterator[Found]:
        """Yield the passages of documents that are not ranked, in order."""
        known = {item.passage.chunk_id for item in ranked}
        for one in documents:
            for passage in self.catalog.passages_of(one)[:OF_ONE_DOCUMENT]:
                if passage.chunk_id not in known and (self.hidden or not passage.hidden):
                    yield Found(passage, 0.0, ())


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
    if (clause := _clause(question)) is None:
        return None
    passages = [
        item for item in found if not item.passage.made_by and (not documents or item.passage.document_id in documents)
    ]
    paths = {item.passage.path for item in passages} if documents else set()
    wordings = _wordings(clause, asked, documents, paths, labels)
    if not wordings:
        return None
    rows = [row for item in passages for row in _rows(question, asked, wordings, item)]
    if (best := _best(question, rows)) is None:
        return None
    # the label says what is asked, in other words too
    return row_support(question, asked, (best.found, best.start, best.end), best.mark, embedder)


def _clause(question: str) -> str | None:
    """Return the part of a question that asks for a figure, or None where it asks for none, or of several documents."""
    if asks_several(question):
        return None
    return next((one for one in _CLAUSE.split(ASIDE.sub(" ", question)) if _FIGURE.search(one)), None)


def _best(question: str, rows: Sequence[_Row]) -> _Row | None:
    """Return the row that is marked best. Of those nearly as good it is one of the statement that the question names, then one
    of a quarter, then one whose figure stands most often, a statement counting twice: what is said of the whole comes back, in
    statements and notes, what is said of a part does not."""
    top = max((row.mark for row in rows), default=0.0)
    near = [row for row in rows if row.mark >= top - NEARLY]
    times = Counter(row.value for row in near)
    wanted = [one for one in _STATEMENTS if one.search(question)]

    def worth(row: _Row) -> tuple[bool, bool, int, float]:
        passage = row.found.passage
        above = passage.text[: row.start - passage.start].split("\n")
        titles = [line for line in above if len(line) <= TITLE and not line.startswith("|")]
        of = [one for one in _STATEMENTS if one.search("\n".join([passage.heading, passage.context, *titles]))]
        return any(one in wanted for one in of), row.of_quarter, times[row.value] + bool(of), row.mark

    return max(near, key=worth, default=None)


def _wordings(
    clause: str, asked: Asked, documents: Collection[str], paths: Collection[str], labels: Labels
) -> tuple[frozenset[str], ...]:
    """Return the stems of the figure that a question asks for, in its own words and as tables may call it. Words that name a
    document or a period are not among them; a document is named by words of its path when they are written as names."""
    named = set().union(*(stemmed for key, stemmed in asked.naming.items() if not documents or key in documents))
    called = set().union(*(words_of_name(path, {}) for path in paths))
    named |= {stem(word) for word in tokens(clause) if word[0].isupper() and {stem(word), word.lower()} & called}
    words = [
        word for word in tokens(LENGTH.sub(" ", clause)) if word.lower() not in _SAYS_NOTHING and not _of_period(word)
    ]
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
    """Yield the rows of a passage that say what is asked, in one column of theirs."""
    passage = found.passage
    if "|" not in passage.text:
        return
    wanted = frozenset().union(*wordings)
    for start, end in sentences(passage.text):
        text = passage.text[start:end]
        label, *values = row = cells(text) if text.startswith("|") else [""]
        own, aside = _label(label), _label(label) - _label(ASIDE.sub(" ", label))
        if not own & wanted or not any(numbers(value) for value in values) or _is_other(question, label):
            continue
        at = passage.start + start
        if asked.is_another(found, at, passage.start + end):
            continue
        group = group_row(passage, at)
        if CHANGE.search(group) and not CHANGE.search(question):
            continue
        header = header_row(passage, at)
        beside = stems(f"{group} {without_exceptions(header)} {' '.join(values)}")
        titled = stems(without_exceptions(caption(passage, at)))
        around = dict.fromkeys(stems(passage.heading), HEADING) | dict.fromkeys(titled, CAPTION)
        around |= dict.fromkeys(beside, BESIDE) | dict.fromkeys(own, 1.0)
        mark = max(_mark(asked, wording, around, own - aside) for wording in wordings)
        others = _label(group) - wanted - _NEUTRAL
        mark -= OF_A_PART * len(others) / max(1, len(_label(group))) + IN_BRACKETS * len(aside - wanted)
        if mark < LEAST or (_PER.search(question) and not _PER.search(f"{group} {label}")):
            continue
        titles = cells(header)
        chosen = column(question, asked, titles, row)
        above = "\n".join(line for line in passage.text[:start].split("\n") if not line.startswith("|"))[-300:]
        if chosen is not None and not _is_share(question, row[chosen], f"{passage.heading} {passage.context} {above}"):
            of_quarter = bool(QUARTERLY.search(titles[chosen]))
            yield _Row(found, at, passage.start + end, re.sub(r"[^\d.]", "", row[chosen]), of_quarter, mark)


def _is_other(question: str, label: str) -> bool:
    """Return whether a row is the rest where the question asks for the whole, or the beginning of a period where it asks for the
    end, or the other way round, or one of another number: "25 mm" where 40 mm are asked for."""
    if is_of_another_number(question, label):
        return True
    begins, rest = bool(_BEGINS.search(question)), bool(_REST.search(question))
    if begins != bool(_BEGINS.search(label)) and (not begins or _ENDS.search(label)):
        return True
    return not _REST.search(label) if rest else bool(_OF_REST.match(label))


def _is_share(question: str, value: str, above: str) -> bool:
    """Return whether a cell is a share of something, by its sign or what stands above the table, and an amount is asked for."""
    amount = kind_asked(question) == "money" or bool(_MUCH.search(question))
    return amount and ("%" in value or bool(_SHARES.search(above) and not units(value)))


@lru_cache(maxsize=16384)
def _label(text: str) -> frozenset[str]:
    """Return the stems of a row's label that say something."""
    return frozenset(stem(word) for word in tokens(text) if word.lower() not in _FUNCTION and not word.isdigit())


def _mark(asked: Asked, wording: frozenset[str], around: Mapping[str, float], label: frozenset[str]) -> float:
    """Return how well a row says a wording, 0 to 1: the share of its words, the rare ones first, in the label (1) or `around` it
    (less), and how much of the label, without what stands in brackets, is asked for."""
    told = {word for word in wording - _NEUTRAL if around.get(word) == 1.0}
    if not told:
        return 0.0
    common = min(asked.weights.values(), default=1.0)
    weights = {word: asked.weights.get(word, common) for word in wording - _NEUTRAL}
    said = sum(weight * around.get(word, 0.0) for word, weight in weights.items())
    asks = label - _NEUTRAL
    return said / sum(weights.values()) * (1 - OWN + (OWN * len(told & asks) / len(asks) if asks else 0.0))
