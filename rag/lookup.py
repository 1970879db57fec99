"""Finds the cell of a table whose row a question names by what stands in another cell, and whose column by its title."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.ports import Embedder
from ingest.tables import is_amount
from rag.answer_type import asks_several
from rag.columns import LONGEST, column
from rag.evidence import Asked, Support, chance
from rag.quantities import dates
from rag.question import ASKING
from rag.retrieve import Found
from rag.rows import caption, cells, group_row, header_row
from rag.words import MONTHS, STOP_WORDS, numbers, sentences, stem, stems, tokens

LEAST, LEAST_UNTITLED = 0.7, 0.9
"""Share of the question's words, the rare ones first, that must stand at the cell, where the title of its column has some of them
and where it has none: docs/decisions/0020-figures.md."""
_FORM = 4
"""Letters that a word of a title and one of the question must share, one all of its own: "mileage" for "miles"."""
_SAYS_NOTHING = ASKING | STOP_WORDS | set("people person get gets got getting value amount number listed entry".split())
_OWNED = re.compile(r"['’]s? ((?:[\w-]+ )?[\w-]+)")
"""What is asked about, of somebody: "the landlord's insurer"."""
_KIND = re.compile(r"\b[a-z]{3,} (?=[A-Z]{1,6}-?\d)")
"""What a code is of: "error E4"."""
_SHARE = stems("percent percentage share proportion rate")


@dataclass(frozen=True, slots=True)
class _Cell:
    """The cell of a row at [start, end) of its version in column `at`, what it holds, and the share of the question's words that
    stand at it."""

    found: Found
    start: int
    end: int
    at: int
    value: str
    share: float


def lookup(question: str, asked: Asked, found: Iterable[Found], embedder: Embedder) -> Support | None:
    """Return the row of the one cell that a question asks for, with the number of its column, or None where no cell is, or
    several that differ are."""
    if asks_several(question):
        return None
    there = sorted((one for item in found for one in _cells(question, asked, item)), key=lambda one: -one.share)
    if not there or len({one.value for one in there if one.share == there[0].share}) > 1:
        return None
    best = there[0]
    return replace(
        row_support(question, asked, (best.found, best.start, best.end), best.share, embedder), column=best.at
    )


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


def _cells(question: str, asked: Asked, found: Found) -> Iterator[_Cell]:
    """Yield the cells of a passage that a question may ask for."""
    passage = found.passage
    if "|" not in passage.text or passage.made_by:
        return
    naming = asked.naming.get(passage.document_id, frozenset())
    words = {stem(word) for word in tokens(_KIND.sub("", question)) if word.lower() not in _SAYS_NOTHING}
    above = stems(f"{passage.heading} {Path(passage.path).stem.replace('_', ' ').replace('-', ' ')}") | naming
    for start, end in sentences(passage.text):
        text = passage.text[start:end]
        header = header_row(passage, passage.start + start)
        row, titles = cells(text), cells(header)
        if not header or len(row) != len(titles):
            continue
        at = passage.start + start
        if asked.is_another(found, at, passage.start + end):
            continue
        called = [number for number, cell in enumerate(row) if _names(cell, words)]
        for number in called:
            chosen, titled = _column(question, asked, titles, row, number, words)
            if chosen is None or not row[chosen] or chosen in called:
                continue
            place = f"{caption(passage, at)} {group_row(passage, at)} {row[number]} {titles[number]} {titles[chosen]}"
            told = above | stems(place) | (_SHARE if "%" in place + row[chosen] else set())
            told |= _months(question, text)
            if (
                {name for name in asked.names if len(name) > 1} - told
                or not _numbered(asked, told | numbers(place))
                or not _is_asked(question, asked, told)
            ):
                continue
            weights = {word: asked.weights.get(word, 1.0) for word in words}
            share = sum(weight for word, weight in weights.items() if _stands(word, told)) / sum(weights.values())
            if share >= (LEAST if titled else LEAST_UNTITLED):
                yield _Cell(found, at, passage.start + end, chosen, row[chosen], share)


def _names(cell: str, words: set[str]) -> bool:
    """Return whether all that a cell says stands in a question; of several names and a number, as in "Ford Transit 350", the
    number need not."""
    said = [word for word in tokens(cell) if word.lower() not in STOP_WORDS]
    lacking = [word for word in said if stem(word) not in words]
    if not said or is_amount(cell):
        return False
    return not lacking or (len(said) - len(lacking) > 1 and all(word.isdigit() for word in lacking))


def _column(
    question: str, asked: Asked, titles: Sequence[str], row: Sequence[str], called: int, words: set[str]
) -> tuple[int | None, bool]:
    """Return the column whose title has the most words of a question that don't name the row, and True; the one that could hold
    the answer where no title has any, and False; None where several could be meant."""
    left = words - stems(row[called])
    told = {
        at: sum(asked.weights.get(word, 1.0) for word in left if _stands(word, stems(title)))
        for at, title in enumerate(titles)
        if at != called and len(title) <= LONGEST
    }
    most = max(told.values(), default=0.0)
    best = [at for at, value in told.items() if value == most]
    if most > 0:
        return (best[0] if len(best) == 1 else None), True
    return (column(question, asked, titles, row) if called == 0 else None), False


def _stands(word: str, told: Iterable[str]) -> bool:
    """Return whether a word of a question is told, in another form too."""
    return any(
        word == one or (min(len(word), len(one)) >= _FORM and (word.startswith(one) or one.startswith(word)))
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


def _numbered(asked: Asked, told: set[str]) -> bool:
    """Return whether all numbers and codes of a question stand at a cell."""
    return all(number in told or stem(number) in told for number in asked.numbers)


def _is_asked(question: str, asked: Asked, told: set[str]) -> bool:
    """Return whether what a question asks for, by its form, stands at a cell: its focus, and what it asks of somebody."""
    owned = [stem(word) for match in _OWNED.finditer(question) for word in tokens(match[1])[:1]]
    wanted = [word for word in [asked.focus, *owned] if word and word not in STOP_WORDS]
    return all(_stands(word, told) for word in wanted)
