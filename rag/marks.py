"""Says whether a place speaks of another of a kind than a question: severity 1 for severity 3, E300 for E200, 2026 for 2027."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from rag.rows import cells
from rag.words import MONTHS, STOP_WORDS, stem

_YEAR = re.compile(r"(?<![\d.,-])(?:FY ?'?)?((?:19|20)\d\d)(?!\d|[.,]\d)", re.IGNORECASE)
_CODE = re.compile(r"(?<![\w-])([A-Z]{1,6})-?(\d{1,6})(?![\w-])")
_ONE_OF_A_KIND = re.compile(
    r"\b([^\W\d_]{3,})\s+(?:[Nn]o\.?\s*|[Nn]r\.?\s*|#)?(\d{1,6}(?:\.\d+)?|[A-Z]|[IVX]{2,4})(?![\w%]|[.,]\d)"
)
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
        found.setdefault("a year", set()).add(year[1])
    for code in _CODE.finditer(text):
        if code[1] != "FY":
            found.setdefault(f"{code[1]} with a number", set()).add(code[2])
    for one in _ONE_OF_A_KIND.finditer(text):
        if one[1].lower() not in _NO_KINDS and not _YEAR.fullmatch(one[2]):
            found.setdefault(stem(one[1]), set()).add(one[2])
    return {kind: frozenset(values) for kind, values in found.items()}


def numbered(header: str, row: str) -> str:
    """Return the titles of columns with the number or letter of a row behind each that has one: "Severity 2"."""
    pairs = zip(cells(header), cells(row), strict=False)
    return "\n".join(f"{title} {cell}" for title, cell in pairs if _NUMBER.fullmatch(cell))


def of_another(wanted: Marks, place: str, around: str) -> bool:
    """Return whether a place names one of a kind that a question names (its `marks`), but another one, and what is around it does
    not name the one that is asked for either."""
    said = marks(place)
    return any(
        said.get(kind) and not (values & said[kind] or values & marks(around).get(kind, frozenset()))
        for kind, values in wanted.items()
    )
