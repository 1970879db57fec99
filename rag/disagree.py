"""Finds sentences of other documents or versions that say the same with another number: they disagree, or a choice is open."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.answer_type import asks_several, kind_asked
from rag.catalog import Catalog, Facets
from rag.evidence import Support
from rag.figure_asked import wants_figure
from rag.followup_slots import PERIOD
from rag.newest import asks_newest, last_period
from rag.passages import Passage
from rag.quantities import quantities
from rag.rows import header_row
from rag.shapes import Candidate, Disagreement, Side
from rag.words import MONTHS, WEEKDAYS, content_words, numbers, sentences, stems, tokens

OF_A_PERIOD = (
    "10-K",
    "10-Q",
    "20-F",
    "8-K",
    "annual report",
    "quarterly report",
    "earnings release",
    "invoice",
    "minutes",
)
"""Kinds of documents that speak of one period each; others of another year replace what was said before."""
MOST = 4
"""Documents that are set against each other."""
FORMER = 20
"""Passages of a document's former versions that are set against what it says now."""
LEADS = 8
"""The best supports of a question that are looked at before it is taken as clear."""
_OF_EACH = ("date", "money", "share", "number", "person")
ASK = "Which one do you mean?"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Sentences that say the same thing of other numbers, one a document, the best support first."""

    supports: tuple[Support, ...]
    facets: Mapping[str, Facets]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on sentences are set against each other (docs/decisions/0018-conversations.md).

    `nearly_as_good`: of the best sentence's chance to answer, what another one must have; `alike`: share of common words, numbers
    and names left out.
    """

    nearly_as_good: float = 0.9
    alike: float = 0.6


CHOSEN = Thresholds()


def conflict(
    first: Support,
    supports: Sequence[Support],
    catalog: Catalog,
    *,
    one_name: bool = False,
    thresholds: Thresholds = CHOSEN,
) -> Conflict | None:
    """Return what contradicts a sentence among the supports of a question, with the sentence itself first; None for nothing.

    With `one_name` sentences about things of other names, and documents of other organisations or periods, are left out:
    they leave a question open, but don't disagree.
    """
    best = max((support.score for support in supports), default=0.0)
    mine, chosen = _said_at(first), {first.found.passage.document_id: first}
    for support in supports:
        document_id = support.found.passage.document_id
        if document_id in chosen or support.score < thresholds.nearly_as_good * best or len(chosen) == MOST:
            continue
        if support.found.passage.version in {item.found.passage.version for item in chosen.values()}:  # a copy
            continue
        if _contradict(mine, _said_at(support), thresholds.alike, one_name=one_name):
            chosen[document_id] = support
    facets = catalog.facets(list(chosen))
    if one_name:
        own = facets[first.found.passage.document_id]
        chosen = {key: item for key, item in chosen.items() if item is first or not _apart(own, facets[key])}
    return Conflict(tuple(chosen.values()), facets) if len(chosen) > 1 else None


def asked_back(
    question: str, supports: Sequence[Support], catalog: Catalog, thresholds: Thresholds = CHOSEN
) -> list[Candidate]:
    """Return what an open question may mean: of its best supports the first is taken that other documents contradict and whose
    documents are of other organisations or periods, else those of several organisations that a question without a name may be
    about; nothing when there is none, or when it asks for all of them."""
    if asks_several(question):
        return []
    for first in supports[:LEADS]:
        if first.score < thresholds.nearly_as_good * supports[0].score:
            break
        found = conflict(first, supports, catalog, thresholds=thresholds)
        if found and (offered := candidates(question, found, catalog)):
            return offered
    found = _of_any(question, supports, catalog, thresholds)
    return candidates(question, found, catalog) if found else []


def _of_any(question: str, supports: Sequence[Support], catalog: Catalog, thresholds: Thresholds) -> Conflict | None:
    """Return the supports of several organisations, one each, of a question for a figure, a date or a person that names nothing
    and finds it in reports of a period: each organisation has its own."""
    words = tokens(question)[1:]
    names = [word for word in words if word[0].isupper() and word.lower() not in MONTHS and not PERIOD.fullmatch(word)]
    if names or not (wants_figure(question) or kind_asked(question) in _OF_EACH):
        return None
    least = thresholds.nearly_as_good * max((support.score for support in supports), default=0.0)
    signs = [(one, one.features) for one in supports if one.score >= least]
    good = [one for one, sign in signs if sign.kind and sign.focus and sign.states]
    facets = catalog.facets([one.found.passage.document_id for one in good])
    chosen: dict[str, Support] = {}
    for one in good:
        own = facets[document_id := one.found.passage.document_id]
        known = own.organisation and own.kind in OF_A_PERIOD and len(chosen) < MOST
        if known and all(_of_other_organisations(own, facets[other]) for other in chosen):
            chosen[document_id] = one
    return Conflict(tuple(chosen.values()), facets) if len(chosen) > 1 else None


def candidates(question: str, found: Conflict, catalog: Catalog) -> list[Candidate]:
    """Return what an open question may mean, when the documents are about other organisations or periods and it names none of
    them; else nothing: then they disagree."""
    documents = [support.found.passage for support in found.supports]
    collections = sorted({passage.collection for passage in documents})
    named = {item.document_id: item.share for item in catalog.naming.documents(question, collections)}
    shares = [round(named.get(passage.document_id, 0.0), 6) for passage in documents]
    if len(set(shares)) > 1:  # it names one of them more clearly than another
        return []
    labels = _labels(question, [found.facets[passage.document_id] for passage in documents])
    return [
        Candidate(
            label=label,
            document_id=passage.document_id,
            path=passage.path,
            question=f"{question.rstrip('?.! ')} ({label})?",
        )
        for label, passage in (zip(labels, documents, strict=True) if labels else ())
    ]


def disagreement(supports: Sequence[Support], facets: Mapping[str, Facets], former: Sequence[Side]) -> Disagreement:
    """Return the sentences with their documents' dates, the newest first, and behind them what former versions said."""
    sides = []
    for support in supports:
        passage = support.found.passage
        sides.append(
            Side(
                document_id=passage.document_id,
                version=passage.version,
                path=passage.path,
                page=passage.page,
                quote=support.text,
                start=support.start,
                end=support.end,
                date=facets[passage.document_id].date,
            )
        )
    return Disagreement(sides=[*sorted(sides, key=lambda side: side.date, reverse=True), *former])


def former_sides(first: Support, catalog: Catalog) -> list[Side]:
    """Return what former versions of a sentence's document said in its place with other numbers or dates, the latest first.

    A former version that has the sentence as it is says nothing else, and neither does a sentence that still stands there.
    """
    passage = first.found.passage
    mine = _said_at(first)
    near = catalog.former.alike(passage.document_id, content_words(first.text), FORMER) if mine.values else []
    unchanged = {other.version for other, _ in near if first.text in other.text}
    live = "\n".join(one.text for one in catalog.passages_of(passage.document_id)) if near else ""
    found: dict[str, Side] = {}
    for other, until in sorted(near, key=lambda item: item[1], reverse=True):
        for start, end in sentences(other.text):
            quote, at = other.text[start:end], other.start + start
            if other.version in unchanged or other.hidden or quote in live or quote in found:
                continue
            if _contradict(mine, _said(other, at, other.start + end), CHOSEN.alike, one_name=True):
                found[quote] = Side(
                    document_id=other.document_id,
                    version=other.version,
                    path=other.path,
                    page=other.page,
                    quote=quote,
                    start=at,
                    end=other.start + end,
                    date="",
                    until=until.isoformat(),
                )
    return list(found.values())[: MOST - 1]


def chosen(reply: str, offered: Sequence[Candidate]) -> Candidate | None:
    """Return the candidate that a reply to the question back means: by its words, its file's name or its place in the list."""
    said = reply.strip().rstrip(".!?").lower()
    if said.isdecimal() and len(said) < 3 and 1 <= int(said) <= len(offered):
        return offered[int(said) - 1]
    exact = [item for item in offered if said in (item.label.lower(), item.question.strip("?").lower())]
    if exact:
        return exact[0]
    words = stems(reply)
    held = [item for item in offered if said in item.label.lower() or item.label.lower() in said]
    held = held or [item for item in offered if words & stems(f"{item.label} {Path(item.path).stem.replace('_', ' ')}")]
    return held[0] if len(held) == 1 else None


def _labels(question: str, facets: Sequence[Facets]) -> list[str]:
    """Return what tells documents apart, one label each, or nothing when it is neither organisation nor period."""
    asked = stems(question)
    organisations = [item.organisation.split("\n")[0] for item in facets]
    if all(organisations) and len(set(organisations)) == len(facets):
        return [] if any(stems(name) & asked for name in organisations) else organisations
    if PERIOD.search(question) or asks_newest(question) or not all(item.kind in OF_A_PERIOD for item in facets):
        return []
    periods = [re.sub(r"(\d+)(Q\d)", r"\2 \1", last_period(item.period)) for item in facets]
    return periods if all(periods) and len(set(periods)) == len(facets) else []


@dataclass(frozen=True, slots=True)
class _Said:
    """What a sentence or row says: its words, its numbers and dates, the names in it, and what it is labelled with: single
    letters ("type B"), of a row all words of its first cell."""

    words: frozenset[str]
    values: frozenset[str]
    names: frozenset[str]
    label: frozenset[str]


def _apart(mine: Facets, other: Facets) -> bool:
    """Say whether documents are of different organisations, or speak of different periods."""
    if _of_other_organisations(mine, other):
        return True
    of_periods = mine.kind in OF_A_PERIOD and other.kind in OF_A_PERIOD and bool(mine.period and other.period)
    return of_periods and mine.period != other.period


def _of_other_organisations(mine: Facets, other: Facets) -> bool:
    known = bool(mine.organisation and other.organisation)
    return known and not set(mine.organisation.split("\n")) & set(other.organisation.split("\n"))


def _said_at(support: Support) -> _Said:
    return _said(support.found.passage, support.start, support.end)


def _said(passage: Passage, start: int, end: int) -> _Said:
    text = passage.text[start - passage.start : end - passage.start]
    above = header_row(passage, start)
    first = next(iter(tokens(text)), "")
    words = {word for word in tokens(f"{above} {text}") if not any(map(str.isdigit, word))}
    names = {word for word in words if word[0].isupper() and word != first}
    label = {word for word in tokens(text) if len(word) == 1 and word.isupper()}
    if text.startswith("|"):
        label |= {word.lower() for word in tokens(text.strip("| ").split("|")[0])}
    months = {match.group().lower() for match in _MONTHS.finditer(text)}
    spelt = {word for word in words if quantities(word)}
    return _Said(
        frozenset(stems(" ".join(words - names - spelt))),
        frozenset(numbers(text) | months | {item.number for item in quantities(text)}),
        frozenset({name.lower() for name in names} - months),
        frozenset(label),
    )


_MONTHS = re.compile(rf"\b(?:{'|'.join([*MONTHS, *WEEKDAYS])})\b", re.I)


def _contradict(mine: _Said, other: _Said, least: float, *, one_name: bool) -> bool:
    """Say whether two sentences say the same of other numbers; with `one_name` not when each has names that the other lacks."""
    if mine.label != other.label or (one_name and mine.names - other.names and other.names - mine.names):
        return False
    words, values = mine.words & other.words, mine.values ^ other.values
    alike = len(words) >= least * len(mine.words | other.words) and bool(words)
    return alike and bool(values & mine.values) and bool(values & other.values)
