"""Finds the cell of a table whose row a question names by what stands in another cell, and whose column by its title."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from ingest.ports import Embedder
from ingest.tables import is_amount
from rag.answer_type import FORMS, asks_several, kind_asked
from rag.columns import LONGEST, column, fits, is_of_other_kind, is_torn
from rag.evidence import Asked, Support, chance
from rag.quantities import dates
from rag.question import ASKING, Labels
from rag.retrieve import Found
from rag.rows import caption, cells, group_row, header_row, without_exceptions
from rag.words import MONTHS, STOP_WORDS, numbers, sentences, stem, stems, tokens

LEAST, LEAST_CALLED, LEAST_UNTITLED = 0.6, 0.5, 0.9
"""Share of the question's words, the rare ones first, that must stand at the cell: where its column's title has some of them,
where that says who, when or why, and where it says nothing of the question: docs/decisions/0020-figures.md."""
_FORM, _ENDING = 4, 3
"""Letters that a word of a title and one of the question must share, one all of its own, and those that the other may have beside
them: "mileage" for "miles", not "shareholders" for "shares"."""
_OTHER_FORM = 0.5
"""What such a word counts."""
_NAMES, _REASONS, _DATES = (
    stems("name person employee contact"),
    stems("reason cause ground"),
    stems("date deadline due"),
)
"""Titles of columns that say who, why and when."""
_WHY = re.compile(r"^\W*why\b", re.IGNORECASE)
_UNIT = 3
"""Letters that a unit has not: "16 mm"."""
_SAYS_NOTHING = ASKING | STOP_WORDS | set("people person get gets got getting value amount number listed entry".split())
_OWNED = re.compile(r"['’]s? ((?:[\w-]+ )?[\w-]+)")
"""What is asked about, of somebody: "the landlord's insurer"."""
_KIND = re.compile(r"\b[a-z]{3,} (?=[A-Z]{1,6}-?\d)")
"""What a code is of: "error E4"."""
ASIDE = re.compile(r"\([^)]*\)")
_NAME = re.compile(r"(?:(?:Dr|Mr|Mrs|Ms|Prof)\.? )?(?:[A-ZÀ-Þ][\w’'-]+ ){1,2}[A-ZÀ-Þ][\w’'-]+")
_JOINT = re.compile(r"[-&/]")
_MONTHS, _LENGTHS = stems(" ".join(MONTHS)), stems("year month week day annual yearly")
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


@dataclass(frozen=True, slots=True)
class _Sought:
    """What a question says of the cell that it asks for: its `words`, and the `weights` of those that are no parts of others; and
    what must stand at the cell: its `names`, and what its form asks for (`focus`)."""

    question: str
    asked: Asked
    words: Words
    weights: Mapping[str, float]
    names: frozenset[str]
    focus: tuple[str, ...]

    @classmethod
    def of(cls, question: str, asked: Asked, labels: Labels) -> _Sought:
        """Return what a question says; `labels` are other wordings of its terms in tables."""
        said = tokens(_KIND.sub("", question))
        words = {stem(word): {stem(word)} for word in said if word.lower() not in _SAYS_NOTHING}
        for term, rows in labels.items():
            if words.keys() >= set(term):
                for word in term:
                    words[word].update(*rows)
        joined = [_JOINT.split(word) for word in said if _JOINT.search(word)]
        parts = {stem(part) for some in joined for part in some if part}
        weights = {word: asked.weights.get(word, 1.0) for word in words if word not in parts}
        owned = [stem(word) for match in _OWNED.finditer(question) for word in tokens(match[1])[:1]]
        focus = tuple(word for word in [asked.focus, *owned] if word and word not in STOP_WORDS)
        return cls(question, asked, words, weights, frozenset(name for name in asked.names if len(name) > 1), focus)

    def cells(self, found: Found) -> Iterator[_Cell]:
        """Yield the cells of a passage that the question may ask for."""
        passage = found.passage
        if "|" not in passage.text or passage.made_by:
            return
        above = stems(f"{passage.heading} {Path(passage.path).stem.replace('_', ' ').replace('-', ' ')}")
        above |= self.asked.naming.get(passage.document_id, frozenset())
        torn = lru_cache(lambda header: is_torn(self.question, cells(header)))
        for first, last in sentences(passage.text):
            text = passage.text[first:last]
            row = cells(text) if text.startswith("|") else []
            called = [number for number, cell in enumerate(row) if self._names(cell)]
            start, end = passage.start + first, passage.start + last
            header = header_row(passage, start) if called else ""
            titles = cells(header)
            if not header or len(row) != len(titles) or torn(header) or self.asked.is_another(found, start, end):
                continue
            for number in called:
                at, least = self._column(titles, row, number)
                if at is None or at in called or not self._fits(row[at]):
                    continue
                place = f"{group_row(passage, start)} {row[number]} {titles[number]} {titles[at]}"
                place = without_exceptions(f"{caption(passage, start)}\n{place}")
                told = above | stems(place) | numbers(place) | self._date(text)
                told |= _SHARE if "%" in place + row[at] else set()
                share = sum(weight for word, weight in self.weights.items() if _stands(self.words[word], told))
                share /= sum(self.weights.values()) or 1.0
                if share >= least and self._is_told(told, f"{place} {row[at]}"):
                    yield _Cell(found, start, end, at, row[at], share)

    def _names(self, cell: str) -> bool:
        """Return whether all that a cell says stands in the question, but for what stands in brackets; beside two words that do,
        numbers and units need not: "Ford Transit 350", "Sound level at 1 m"; nor a first name beside a last one."""
        said = [word for word in tokens(ASIDE.sub(" ", cell)) if word.lower() not in STOP_WORDS]
        lacking = [word for word in said if not any(stem(word) in some for some in self.words.values())]
        if not said or (is_amount(cell) and not cell.isdigit()):
            return False
        if lacking and _NAME.fullmatch(cell) and stem(said[-1]) in self.names:
            return True
        beside = all(word.isdigit() or len(word) < _UNIT for word in lacking)
        return not lacking or (beside and len(said) - len(lacking) > 1)

    def _column(self, titles: Sequence[str], row: Sequence[str], called: int) -> tuple[int | None, float]:
        """Return the column whose title has the most words of the question that don't name the row, the one that says who or why,
        or the one that could hold the answer where no title has any; None where several could be meant. And the share of the
        question's words that must stand at it."""
        left = [word for word, some in self.words.items() if not some & stems(row[called]) and word not in _LENGTHS]
        person = kind_asked(self.question) == "person"
        told = {}
        for at, title in enumerate(titles):
            if (
                at == called
                or len(title) > LONGEST
                or (person and any(map(str.isdigit, row[at])))
                or is_of_other_kind(self.question, f"{title} {row[at]}")
            ):
                continue
            said = stems(title)
            here = [word for word in left if _stands(self.words[word], said)]
            told[at] = sum(
                self.asked.weights.get(word, 1.0) * (1.0 if self.words[word] & said else _OTHER_FORM) for word in here
            )
        most = max(told.values(), default=0.0)
        best = [at for at, value in told.items() if value == most]
        if not most:
            dated = kind_asked(self.question) == "date"
            called_for = _NAMES if person else _DATES if dated else _REASONS if _WHY.search(self.question) else set()
            best = [at for at in told if called_for & stems(titles[at])]
        elif len(best) > 1:  # "Mean", not "Required mean"
            known = frozenset().union(*self.words.values())
            other = {at: len(stems(titles[at]) - known) for at in best}
            best = [at for at in best if other[at] == min(other.values())]
        if len(best) == 1:
            return (best[0] if best[0] or self._asks_which(titles[0]) else None), LEAST if most else LEAST_CALLED
        return (None if most or called else column(self.question, self.asked, titles, row)), LEAST_UNTITLED

    def _fits(self, value: str) -> bool:
        """Return whether a cell holds something, of the kind that the question asks for; a date may stand among other words."""
        if kind_asked(self.question) == "date":
            return FORMS["date"].search(value) is not None
        return bool(value.strip("-–— ")) and fits(self.question, self.asked, value)

    def _asks_which(self, title: str) -> bool:
        """Return whether the question asks which of what the first column names, or who: "which vehicle", not "in the harbour
        test"."""
        words = [word.lower() for word in tokens(self.question)]
        behind = [one for at, word in enumerate(words) if word in ("which", "what") for one in words[at + 1 : at + 3]]
        return kind_asked(self.question) == "person" or not stems(title).isdisjoint(map(stem, behind))

    def _date(self, row: str) -> set[str]:
        """Return the stems of the date of the question, where a row has a date of the same day, or of the month that is asked
        for."""
        wanted = [date for date in dates(self.question) if date.month]
        same = any(
            (one.month, one.year) == (date.month, date.year) and date.day in (0, one.day)
            for one in (dates(row) if wanted else ())
            for date in wanted
        )
        return {word for word in self.words if word.isdigit() or word in _MONTHS} if same else set()

    def _is_told(self, told: set[str], place: str) -> bool:
        """Return whether the names, numbers and codes of the question stand at a cell, and what its form asks for; and what it
        counts at the `place` itself."""
        counted = self.asked.wanted.counted
        return (
            self.names <= told
            and all(number in told or stem(number) in told for number in self.asked.numbers)
            and all(_stands([word], told) for word in self.focus)
            and (not counted or _stands(counted, stems(place)))
        )


def lookup(question: str, asked: Asked, found: Iterable[Found], labels: Labels, embedder: Embedder) -> Support | None:
    """Return the row of the one cell that a question asks for, with the number of its column, or None where no cell is, or
    several that differ are; `labels` are other wordings of its terms in tables."""
    if asks_several(question):
        return None
    sought = _Sought.of(question, asked, labels)
    there = [one for item in found for one in sought.cells(item)]
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
