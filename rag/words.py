"""Words, numbers and sentences of a text, for matching questions with passages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

_WORD = re.compile(r"[^\W_]+(?:[-&/][^\W_]+)+|\d+(?:[.,]\d+)*(?![^\W_])|[^\W_]+")
_NUMBER = re.compile(r"(?<![^\W\d_])\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?;])[\"'”’)]*\s+(?=[\"'“‘(]?[A-Z0-9À-Þ])|\n+")

_UNITS = {
    spelling: unit
    for unit, spellings in {
        "USD": "$ usd us$ dollar dollars", "EUR": "€ eur euro euros", "GBP": "£ gbp pound pounds", "NOK": "nok krone kroner",
        "CHF": "chf franc francs", "JPY": "¥ jpy yen", "thousand": "thousand thousands", "million": "million millions mn",
        "billion": "billion billions bn", "%": "% percent",
    }.items()
    for spelling in spellings.split(" ")
}  # fmt: skip
_UNIT = re.compile(
    "|".join(
        rf"(?<!\w){re.escape(word)}(?!\w)" if word.isalpha() else re.escape(word)
        for word in sorted(_UNITS, key=len)[::-1]
    ),
    re.IGNORECASE,
)

STOP_WORDS = frozenset(
    """
    a about above after again all also am an and any are as at be because been before being below between both but
    by can could did do does doing down during each few for from further get give had has have having he her here
    hers him his how i if in into is it its itself just let many may me might more most much must my no nor not of
    off on once only or other our out over own per please same shall she should show so some such tell than that the
    their them then there these they this those through to too under until up us very was we were what when where
    which while who whom whose why will with would you your s t
    """.split()
)
"""Words of a question that say nothing of what it is about (English function words and polite phrases)."""


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer  # only answering needs it

    return snowballstemmer.stemmer("porter")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the Porter stem of a word, as the keyword index has it; numbers stay as they are, without separators."""
    if word[0].isdigit() and not word.isalnum():
        return word.replace(",", "")
    return str(_stemmer().stemWord(word.lower()))


def tokens(text: str) -> list[str]:
    """Return the words and numbers of a text as written, hyphenated words also in parts."""
    found: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group()
        found.append(word)
        if re.search(r"[-&/]", word):
            found.extend(re.split(r"[-&/]", word))
    return found


def stems(text: str) -> set[str]:
    """Return the distinct stems of a text."""
    return {stem(word) for word in tokens(text)}


def content_words(question: str) -> list[str]:
    """Return the distinct words of a question that say what it is about, in order; all words when nothing else is left."""
    words = list(dict.fromkeys(tokens(question)))
    content = [word for word in words if word.lower() not in STOP_WORDS]
    return content or words


def numbers(text: str) -> set[str]:
    """Return the numbers of a text without thousands separators, trailing zeros of decimals kept."""
    return {match.group().replace(",", "") for match in _NUMBER.finditer(text)}


def units(text: str) -> set[str]:
    """Return the currencies and scales that a text names, each in one spelling."""
    return {_UNITS[match.group().lower()] for match in _UNIT.finditer(text.replace("per cent", "percent"))}


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the sentences and table rows of a text, blank ends left out; rule rows are not yielded."""
    at = 0
    for match in [*_SENTENCE_END.finditer(text), None]:
        end = match.start() if match else len(text)
        piece = text[at:end]
        if re.search(r"\w", piece):
            lead = len(piece) - len(piece.lstrip())
            yield at + lead, at + len(piece.rstrip())
        at = match.end() if match else end
