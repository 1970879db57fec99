"""Says whether a place speaks of another of a kind than a question: severity 1 for severity 3, E300 for E200, 2026 for 2027."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from rag.rows import cells
from rag.words import MONTHS, STOP_WORDS, stem

CODE = " with a number"
"""Ends the kinds of codes: "LUMEN with a number" of LUMEN-3."""
QUARTER, YEAR = "Q" + CODE, "a year"
_YEAR = re.compile(r"(?<![\d.,-])(?:FY ?'?)?((?:19|20)\d\d)(?!\d|[.,]\d)", re.IGNORECASE)
_CODE = re.compile(r"(?<![\w-])([A-Z]{1,6})-?(\d{1,6})(?![\w-])")
_ONE_OF_A_KIND = re.compile(
    r"\b([^\W\d_]{3,})\s+(?:[Nn]o\.?\s*|[Nn]r\.?\s*|#)?(\d{1,6}(?:\.\d+)?|[A-Z]|[IVX]{2,4})(?![\w%]|[.,]\d|-\w)"
)
_QUARTER = re.compile(r"\b(first|second|third|fourth)[- ]quarter\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;:](?!\d)|\b(?:and|but|or|to)\b", re.IGNORECASE)
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_IN_TURN = re.compile(rf"\b(?:({'|'.join(_ORDINALS)})|(\d{{1,2}})(?:st|nd|rd|th))[- ]([^\W\d_]{{3,}})", re.IGNORECASE)
_NOT_IN_TURN = STOP_WORDS | set(
    "party parties person persons hand aid name names class rate world time times place".split()
)
"""Nouns behind an ordinal that is no number of theirs: "third party"."""
_ROMAN = {one: str(at) for at, one in enumerate("I II III IV V VI VII VIII IX X".split(), start=1)}
_NUMBER = re.compile(r"\d{1,4}[a-z]?|[A-Z]|[IVX]{2,4}")
_NO_KINDS = (
    STOP_WORDS
    | frozenset(MONTHS)
    | frozenset(
        "about above after almost approximately around back before below between exceed exceeded exceeding exceeds "
        "exactly fewer first following from last least less more most nearly next only over past per plus roughly some "
        "than total totaling under until within without jan feb mar apr jun jul aug sep sept oct nov dec circa since during by "
        "early late mid spring summer autumn fall winter another every each".split()
    )
)
"""Words in front of a number that don't say what it numbers."""


Marks = Mapping[str, frozenset[str]]
"""Kind → the numbers, letters or years by which things of that kind are told apart."""


@lru_cache(maxsize=4096)
def marks(text: str) -> Marks:
    """Return what tells things of a kind apart in a text: "severity" → "3"."""
    found: dict[str, set[str]] = {}
    for year in _YEAR.finditer(text):
        found.setdefault(YEAR, set()).add(year[1])
    for code in _CODE.finditer(text):
        if code[1] != "FY":
            found.setdefault(f"{code[1]}{CODE}", set()).add(code[2])
    for quarter in _QUARTER.finditer(text):
        found.setdefault(QUARTER, set()).add(_number(quarter[1]))
    for turn in _IN_TURN.finditer(text):
        if turn[3].lower() not in _NOT_IN_TURN:
            number = turn[2] or _number(turn[1])
            found.setdefault(f"{stem(turn[3])} in turn", set()).add(number)
    for one in _ONE_OF_A_KIND.finditer(text):
        if one[1].lower() not in _NO_KINDS and not _YEAR.fullmatch(one[2]):
            found.setdefault(stem(one[1]), set()).add(_ROMAN.get(one[2], one[2]))
    return {kind: frozenset(values) for kind, values in found.items()}


def _number(ordinal: str) -> str:
    return str(_ORDINALS.index(ordinal.lower()) + 1)


def told_of_another(question: str, sentence: str, start: int, end: int) -> bool:
    """Return whether the words [start, end) of a sentence are told of another one of a kind than the question names: that stands
    before them in their clause, and the one that is asked for neither in it nor before: "from the first closing on 29 May to
    the second"."""
    wanted = {kind: values for kind, values in marks(question).items() if kind not in (YEAR, QUARTER)}
    if not wanted:
        return False
    told = marks(_CLAUSE.split(sentence[:start])[-1])
    near = marks(f"{sentence[:start]} {_CLAUSE.split(sentence[end:])[0]}")
    return any(kind in told and not values & near[kind] for kind, values in wanted.items())


def numbered(header: str, row: str) -> str:
    """Return the titles of columns with the number or letter of a row behind each that has one, or the ordinal before it:
    "Severity 2", "Third Instalment"."""
    pairs = [*zip(cells(header), cells(row), strict=False)]
    counted = [f"{title} {cell}" for title, cell in pairs if _NUMBER.fullmatch(cell)]
    return "\n".join([*counted, *(f"{cell} {title}" for title, cell in pairs if cell.lower() in _ORDINALS)])


def of_another(wanted: Marks, place: str, around: str) -> bool:
    """Return whether a place names one of a kind that a question names (its `marks`), but another one, and what is around it does
    not name the one that is asked for either."""
    said = marks(place)
    return any(
        said.get(kind) and not (values & said[kind] or values & marks(around).get(kind, frozenset()))
        for kind, values in wanted.items()
    )
