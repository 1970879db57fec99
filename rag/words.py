"""Words, numbers and sentences of a text, for matching questions with passages."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from rag import scripts

_LETTER = rf"(?:(?!_)[\w{scripts.MARKS}{scripts.SPACELESS}])"  # one way to match each: no backtracking
_WORD = re.compile(
    rf"{_LETTER}+(?:[-&/]{_LETTER}+)+|\d+(?:[.,]\d+)*(?=[{scripts.SPACELESS}])"
    rf"|\d+(?:[.,]\d+)+(?=[^\W\d_]){_LETTER}+|\d+(?:[.,]\d+)*(?!{_LETTER})|{_LETTER}+"
)
_NUMBER = re.compile(rf"(?:(?<![^\W\d_])|(?<=[{scripts.SPACELESS}]))\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(
    # the sign before the end comes first, as a set: the search then skips all others at once
    r"[\n.!?;。！？｡؟۔।](?:(?<=\n)\n*|(?<=[.!?;])[\"'”’)]*\s+(?=(?:[▪•●■]\s+)?[\"'“‘(]?[A-Z0-9À-ÞΑ-ΫЀ-Я])"
    r"|(?<=[。！？｡])[」』”’）]*|(?<=[.!?؟۔।])\s+(?=[\u0590-\u08ff\u0900-\u0dff]))"
)
_ANY = re.compile(r"\w")
_ABBREVIATION = re.compile(
    r"(?:(?<!\w)(?:[A-Z]\.)+[A-Z]|\b(?:Inc|Corp|Co|Ltd|Cos|Nos?|vs|Mr|Mrs|Ms|Dr|St|Jr|Sr|Prof|Art|Sec|Fig|approx|cf))$"
)
_OF_NUMBERS = re.compile(r"\b(?:nos?|nr|art|arts|sec|fig|figs|pp?|vol|para|cl|ch|reg)$", re.IGNORECASE)
"""Abbreviations in front of a number only: "variation no. 3"; "they said no" ends a sentence."""
_PHRASE = 4
"""Words of a cell, with its bar, up to which a dot in it ends no sentence."""
_FIRST_WORD = re.compile(r"[\"'“‘(]?(\w+)")

MONTHS = "january february march april may june july august september october november december".split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
PERIODS = frozenset(MONTHS).union(
    "quarter quarterly half fiscal year yearly annual month months end ended ending".split(),
    "first second third fourth three six nine twelve".split(),
)
"""Words that say of which period a figure is, and not which figure."""
A_MONTH = f"(?:{'|'.join(MONTHS)})"
"""Matches the English name of a month, in a pattern without regard to case."""

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

_NEGATION = re.compile(
    r"\b(?:not|never|no|none|nor|neither|without|cannot|lack\w*|fail\w*|refus\w*|except|(?:is|was|did|does|do|are|were)n)\b"
    r"|n['’]t\b",
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
).union(scripts.STOP_WORDS)
"""Words of a question that say nothing of what it is about (function words and polite phrases)."""


# A stemmer holds the word it is at: two threads with one stemmer give each other wrong stems, which are then remembered.
_STEMMING = threading.Lock()


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer  # only answering needs it

    return snowballstemmer.stemmer("porter")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the Porter stem of a word, as the keyword index has it; numbers stay as they are, without separators."""
    if word[0].isdigit() and not word.isalnum():
        return word.replace(",", "")
    if scripts.is_joined(word):
        return scripts.root(word)
    with _STEMMING:
        return str(_stemmer().stemWord(word.lower()))


def tokens(text: str) -> list[str]:
    """Return the words and numbers of a text as written, hyphenated words also in parts.

    Scripts without spaces come as pairs of neighbouring signs; other forms of a sign (full width) are made plain.
    """
    found: list[str] = []
    for match in _WORD.finditer(scripts.fold(text)):
        word = match.group()
        if not word.isascii() and scripts.is_foreign(word):
            found.extend(piece for part in re.split(r"[-&/]", word) for piece in scripts.pieces(part))
            continue
        found.append(word)
        if re.search(r"[-&/]", word):
            found.extend(re.split(r"[-&/]", word))
    return found


def stems(text: str) -> set[str]:
    """Return the distinct stems of a text, and the single signs of its scripts without spaces."""
    found = {stem(word) for word in tokens(text)}
    return found if text.isascii() else found | scripts.single_signs(scripts.fold(text))


def content_words(question: str) -> list[str]:
    """Return the distinct words of a question that say what it is about, in order; all words when nothing else is left."""
    folded = scripts.fold(question)
    words = list(dict.fromkeys(tokens(folded if folded.isascii() else scripts.FUNCTION_WORDS.sub(" ", folded))))
    content = [word for word in words if word.lower() not in STOP_WORDS]
    return content or words or list(dict.fromkeys(tokens(folded)))


def search_words(question: str) -> list[str]:
    """Return the distinct words to look for in the keyword index: the content words, and the forms that `segments` adds.

    Function words of scripts without spaces stay in, and so do the pairs across them: measured, recall falls without.
    """
    words = [word for word in tokens(question) if word.lower() not in STOP_WORDS] or tokens(question)
    return list(dict.fromkeys(form for word in words for form in _forms(word)))


def _forms(word: str) -> tuple[str, ...]:
    return (word, scripts.root(word)) if scripts.is_joined(word) else (word,)


def segments(text: str) -> str:
    """Return what the keyword index needs beside a text whose words it can't find by itself, or "" for all other text.

    It is: pairs of neighbouring signs of scripts without spaces, and the last sign of each run; what stands beside them
    without a space ("2023年"); roots of Arabic and Hebrew words; words that `scripts.fold` writes in another form.
    """
    folded = scripts.fold(text)
    if text.isascii() or (folded == text and not scripts.is_foreign(text)):
        return ""
    found = scripts.last_signs(folded)
    for match in _WORD.finditer(folded):
        word = match.group()
        if scripts.is_foreign(word):
            parts = [piece for part in re.split(r"[-&/]", word) for piece in scripts.pieces(part)]
            found.extend(scripts.root(part) if scripts.is_joined(part) else part for part in parts)
        elif word not in text or _beside(folded, match):
            found.append(word)
    return " ".join(found)


def _beside(text: str, match: re.Match[str]) -> bool:
    """Return whether a word touches a sign of a script without spaces, so that the index takes both for one word."""
    around = text[max(0, match.start() - 1) : match.start()] + text[match.end() : match.end() + 1]
    return scripts.is_foreign(around)


def numbers(text: str) -> set[str]:
    """Return the numbers of a text without thousands separators, trailing zeros of decimals kept."""
    return {match.group().replace(",", "") for match in _NUMBER.finditer(scripts.fold(text))}


def denies(text: str) -> bool:
    """Return whether a text has a word that denies: "not", "without", "refused"."""
    return bool(_NEGATION.search(text))


def units(text: str) -> set[str]:
    """Return the currencies and scales that a text names, each in one spelling."""
    return {_UNITS[match.group().lower()] for match in _UNIT.finditer(text.replace("per cent", "percent"))}


def _goes_on(text: str, begin: int, dot: int, after: int) -> bool:
    """Return whether a dot ends an abbreviation and not its sentence: a word that begins sentences does not follow. Nor does a
    dot among the first words of a table's cell end one."""
    following = _FIRST_WORD.match(text, after)
    if following is None:
        return False
    if (
        text.startswith("|", text.rfind("\n", 0, dot) + 1)
        and len(text[text.rfind("|", 0, dot) : dot].split()) <= _PHRASE
    ):
        return True  # "| S. Okafor |" of a row, whose cells may hold sentences, too
    if following[1].isdigit() and _OF_NUMBERS.search(text, max(begin, dot - 12), dot):
        return True
    return bool(_ABBREVIATION.search(text, max(begin, dot - 12), dot)) and following[1].lower() not in STOP_WORDS


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the sentences and table rows of a text, blank ends left out; rule rows are not yielded."""
    at = 0
    for match in [*_SENTENCE_END.finditer(text), None]:
        end = match.start() if match else len(text)
        if match and text[end] == "." and _goes_on(text, at, end, match.end()):
            continue
        if match and text[end] != "\n":
            end += 1  # the sign belongs to the sentence
        piece = text[at:end]
        if _ANY.search(piece):
            # of a row of one cell that holds many sentences this is the first one
            prose = piece.count("|") == 1 and match is not None and text[match.start()] != "\n"
            lead = len(piece) - len(piece.lstrip(" \t\n|▪•●■" if prose else None))
            yield at + lead, at + len(piece.rstrip())
        at = match.end() if match else end
