"""Finds the cell of a table whose row a question names by what stands in another cell, and whose column by its title."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from ingest.ports import Embedder
from ingest.tables import is_amount
from rag.answer_type import asks_several, kind_asked
from rag.columns import LONGEST, column, is_price_for_count, is_torn
from rag.evidence import Asked, Support, chance
from rag.quantities import dates
from rag.question import ASKING, Labels
from rag.retrieve import Found
from rag.rows import caption, cells, group_row, header_row, without_exceptions
from rag.words import MONTHS, STOP_WORDS, numbers, sentences, stem, stems, tokens

LEAST, LEAST_UNTITLED = 0.6, 0.9
"""Share of the question's words, the rare ones first, that must stand at the cell, where the title of its column has some of them
and where it has none: docs/decisions/0020-figures.md."""
_FORM, _ENDING = 4, 3
"""Letters that a word of a title and one of the question must share, one all of its own, and those that the other may have beside
them: "mileage" for "miles", not "shareholders" for "shares"."""
_OTHER_FORM = 0.5
"""What such a word counts."""
_NAMES, _REASONS = stems("name person employee contact"), stems("reason cause ground")
"""Titles of columns that say who and why."""
_WHY = re.compile(r"^\W*why\b", re.IGNORECASE)
_UNIT = 3
"""Letters that a unit has not: "16 mm"."""
_SAYS_NOTHING = ASKING | STOP_WORDS | set("people person get gets got getting value amount number listed entry".split())
_OWNED = re.compile(r"['’]s? ((?:[\w-]+ )?[\w-]+)")
"""What is asked about, of somebody: "the landlord's insurer"."""
_KIND = re.compile(r"\b[a-z]{3,} (?=[A-Z]{1,6}-?\d)")
"""What a code is of: "error E4"."""
_JOINT = re.compile(r"[-&/]")
_SHARE = stems("percent percentage share proportion rate")

Words = Mapping[str, set[str]]
"""Stems of the words of a question that say something → what tables may have in their place, themselves among it."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """The cell of a row at [start, end) of its version in a column, what it holds, and the share of the question's words that
    stand at it."""

    found: Found
    start: int
    end: int
    column: int
    value: str
    share: float


def lookup(question: str, asked: Asked, found: Iterable[Found], labels: Labels, embedder: Embedder) -> Support | None:
    """Return the row of the one cell that a question asks for, with the number of its column, or None where no cell is, or
    several that differ are; `labels` are other wordings of its terms in tables."""
    if asks_several(question):
        return None
    words = {stem(word) for word in tokens(_KIND.sub("", question)) if word.lower() not in _SAYS_NOTHING}
    other: dict[str, set[str]] = {word: {word} for word in words}
    for term, rows in labels.items():
        if words.issuperset(term):
            for word in term:
                other[word].update(*rows)
    there = [one for item in found for one in _cells(question, asked, other, item)]
    most = max((one.share for one in there), default=0.0)
    best = [one for one in there if one.share == most]
    if len({one.value for one in best}) != 1:
        return None
    place = best[0].found, best[0].start, best[0].end
    return replace(row_support(question, asked, place, most, embedder), column=best[0].column)


def row_support(
    question: str, asked: Asked, place: tuple[Found, int, int], share: float, embedder: Embedder
) -> Support:
    """Return the row at a place as one that has the very figure that is asked for; `share` says how much of the question it
    tells, in other words too."""
    found, start, end = place
    text = found.passage.text[start - found.passage.start : end - found.passage.start]
    row = embedder.embed([f"{header_row(found.passage, start)} {text}"])[0]
    likeness = embedder.likeness(float(embedder.embed_question(question) @ row))
    said = asked.features(found, start, end, likeness)
    features = replace(said, own=max(said.own, share), passage=max(said.passage, share), focus=1.0, states=1.0)
    return Support(found, start, end, features, chance(features), figure=True)


def _cells(question: str, asked: Asked, words: Words, found: Found) -> Iterator[_Cell]:
    """Yield the cells of a passage that a question may ask for."""
    passage = found.passage
    if "|" not in passage.text or passage.made_by:
        return
    parts = {
        stem(part) for word in tokens(question) for part in _JOINT.split(word)[:-1] + _JOINT.split(word)[1:] if part
    }
    above = stems(f"{passage.heading} {Path(passage.path).stem.replace('_', ' ').replace('-', ' ')}")
    above |= asked.naming.get(passage.document_id, frozenset())
    torn = lru_cache(lambda header: is_torn(question, cells(header)))
    for first, last in sentences(passage.text):
        start, end = passage.start + first, passage.start + last
        header, text = header_row(passage, start), passage.text[first:last]
        row, titles = cells(text), cells(header)
        if not header or len(row) != len(titles) or torn(header) or asked.is_another(found, start, end):
            continue
        called = [number for number, cell in enumerate(row) if _names(cell, words)]
        for number in called:
            at, titled = _column(question, asked, titles, row, number, words)
            if (
                at is None
                or not row[at].strip("-–— ")
                or at in called
                or (at == 0 and not _asks_which(question, titles[0]))
            ):
                continue
            place = f"{group_row(passage, start)} {row[number]} {titles[number]} {titles[at]}"
            place = without_exceptions(f"{caption(passage, start)}\n{place}")
            told = above | stems(place) | numbers(place) | _months(question, text)
            told |= _SHARE if "%" in place + row[at] else set()
            weights = {word: asked.weights.get(word, 1.0) for word in words if word not in parts}
            share = sum(weight for word, weight in weights.items() if _stands(words[word], told)) / sum(
                weights.values()
            )
            if share >= (LEAST if titled else LEAST_UNTITLED) and _holds(question, asked, told, f"{place} {row[at]}"):
                yield _Cell(found, start, end, at, row[at], share)


def _names(cell: str, words: Words) -> bool:
    """Return whether all that a cell says stands in a question; beside two words that do, numbers and units need not: "Ford
    Transit 350", "Sound level at 1 m"."""
    said = [word for word in tokens(cell) if word.lower() not in STOP_WORDS]
    lacking = [word for word in said if not any(stem(word) in some for some in words.values())]
    if not said or (is_amount(cell) and not cell.isdigit()):
        return False
    return not lacking or (
        len(said) - len(lacking) > 1 and all(word.isdigit() or len(word) < _UNIT for word in lacking)
    )


def _column(
    question: str, asked: Asked, titles: Sequence[str], row: Sequence[str], called: int, words: Words
) -> tuple[int | None, bool]:
    """Return the column whose title has the most words of a question that don't name the row, and True; the one that could hold
    the answer where no title has any, and False; None where several could be meant."""
    left = [word for word, some in words.items() if not some & stems(row[called])]
    told = {}
    for at in (at for at, title in enumerate(titles) if at != called and len(title) <= LONGEST):
        title = stems(titles[at])
        if is_price_for_count(question, f"{titles[at]} {row[at]}"):
            continue
        here = [word for word in left if _stands(words[word], title)]
        told[at] = sum(asked.weights.get(word, 1.0) * (1.0 if words[word] & title else _OTHER_FORM) for word in here)
    most = max(told.values(), default=0.0)
    best = [at for at, value in told.items() if value == most]
    if most > 0 and len(best) > 1:  # "Mean", not "Required mean"
        other = {at: sum(not any(one in some for some in words.values()) for one in stems(titles[at])) for at in best}
        best = [at for at in best if other[at] == min(other.values())]
    called_for = _NAMES if kind_asked(question) == "person" else _REASONS if _WHY.search(question) else frozenset()
    if not most and called_for:
        best = [at for at in told if called_for & stems(titles[at])]
    if most > 0 or len(best) == 1:
        return (best[0] if len(best) == 1 else None), True
    return (column(question, asked, titles, row) if called == 0 else None), False


def _asks_which(question: str, title: str) -> bool:
    """Return whether a question asks which of what the first column names, or who: "which vehicle", not "in the harbour test"."""
    words = [word.lower() for word in tokens(question)]
    behind = {stem(one) for at, word in enumerate(words) if word in ("which", "what") for one in words[at + 1 : at + 3]}
    return kind_asked(question) == "person" or bool(behind & stems(title))


def _stands(some: Iterable[str], told: set[str]) -> bool:
    """Return whether one of some words is told, in another form too."""
    return any(
        word == one
        or (
            min(len(word), len(one)) >= _FORM
            and abs(len(word) - len(one)) <= _ENDING
            and (word.startswith(one) or one.startswith(word))
        )
        for word in some
        for one in told
    )


def _months(question: str, row: str) -> set[str]:
    """Return the stems of the date of a question, where a row has a date of the same day, or of the month that is asked for."""
    wanted = [date for date in dates(question) if date.month]
    same = any(
        (one.month, one.year) == (date.month, date.year) and date.day in (0, one.day)
        for one in dates(row)
        for date in wanted
    )
    return {stem(word) for word in tokens(question) if word.lower() in MONTHS or word.isdigit()} if same else set()


def _holds(question: str, asked: Asked, told: set[str], place: str) -> bool:
    """Return whether the names, numbers and codes of a question stand at a cell, and what its form asks for: its focus, what it
    asks of somebody, and what it counts, this at the `place` itself."""
    owned = [stem(word) for match in _OWNED.finditer(question) for word in tokens(match[1])[:1]]
    focus = [word for word in [asked.focus, *owned] if word and word not in STOP_WORDS]
    return (
        {name for name in asked.names if len(name) > 1} <= told
        and all(number in told or stem(number) in told for number in asked.numbers)
        and all(_stands([word], told) for word in focus)
        and (not asked.wanted.counted or _stands(asked.wanted.counted, stems(place)))
    )
