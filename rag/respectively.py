"""Tells which value a sentence gives to which year or name: "19% and 17% in 2023 and 2022, respectively"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.quantities import Date, dates
from rag.words import A_MONTH, content_words, stems

_SAID = re.compile(r"\brespectively\b", re.IGNORECASE)
_YEAR = rf"(?:{A_MONTH} \d{{1,2}},? |fiscal (?:years? )?|FY ?|Q[1-4] )?(?:19|20)\d\d"
_YEARS = re.compile(rf"{_YEAR}(?:, {_YEAR})*,? and {_YEAR}", re.IGNORECASE)
_VALUE = (
    r"(?:(?:US)?[$€£¥]\s?)?\(?\d+(?:[.,]\d+)*\)?(?:\s?%| per ?cent| (?:thousand|million|billion|trillion)"
    r"| (?:basis|percentage) points)?"
)
_VALUES = re.compile(rf"{_VALUE}(?:, {_VALUE})*,? (?:and|or) {_VALUE}", re.IGNORECASE)
_A_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_ENDED = r"(?:the (?:\w+ ){1,3}(?:ended|ending) |fiscal (?:years? )?)?"
_AT_ONCE = re.compile(
    rf"{_VALUE},? and {_VALUE} (?:as of|at|in|for|on|during) {_ENDED}{_YEAR} and {_YEAR}"
    rf"|{_YEAR} and {_YEAR}(?:,(?: [^\W\d][^\s.;:]*){{1,12}}?)? (?:was|were|is|are|of|total+ed|amounted to)"
    rf" (?:approximately |about )?{_VALUE},? and {_VALUE}",
    re.IGNORECASE,
)
_ONE = re.compile(_VALUE, re.IGNORECASE)
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_AND = re.compile(r",? and |, ")
_DOES = re.compile(
    r"\b(?:is|are|was|were|has|have|had|will|would|owns?|owned|holds?|held|paid|span|total+ed|amounted|represent(?:s|ed)?|"
    r"account(?:s|ed)?|contribut(?:es?|ed)|comprised?|earned|generated|received|recorded|recogni[sz]ed|rose|grew|fell|"
    r"(?:in|de)creased|declined)\b"
)
_TO = re.compile(r"^[^,;]*?\b(?:for|to|by|in|from|at|with|of)\s+(?=\S)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Share:
    """Part of a sentence that gives so many values to as many things, both in order: what it alone says, places of the values,
    and the words that only one of the things has, for each: a year, or a name."""

    text: str
    values: tuple[tuple[int, int], ...]
    things: tuple[frozenset[str], ...]


def shares_out(sentence: str) -> bool:
    """Return whether a sentence gives several values to several things."""
    return bool(_SAID.search(sentence)) or next(_parts(sentence), None) is not None


def meant(question: str, sentence: str) -> tuple[int, int] | None:
    """Return the place of the value that a question for one year or name asks for, None where that can't be told."""
    return _meant(question, list(_parts(sentence)))


def confuses(answer: str, question: str, sentence: str) -> bool:
    """Return whether an answer has a value of a sentence, but not the one for the year or name that it, or its question, has; or
    the name or year of another value than the question."""
    parts = list(_parts(sentence))
    if any(_takes_other(answer, question, part, sentence) for part in parts):
        return True
    said = set(_DIGITS.findall(answer))
    given = {number for part in parts for place in part.values for number in _DIGITS.findall(sentence[slice(*place)])}
    place = _meant(f"{question} {answer}", parts)
    return place is not None and bool(said & given) and not set(_DIGITS.findall(sentence[slice(*place)])) <= said


def _meant(question: str, parts: Sequence[Share]) -> tuple[int, int] | None:
    asked = stems(" ".join(content_words(question)))
    told = [(part, named[0]) for part in parts if len(named := _named(part, question)) == 1]
    shared = [len(asked & stems(part.text)) for part, _ in told]
    if not told or shared.count(max(shared)) > 1:
        return None
    part, at = told[shared.index(max(shared))]
    return part.values[at]


def _takes_other(answer: str, question: str, part: Share, sentence: str) -> bool:
    asked = set(_DIGITS.findall(question))
    held = [at for at, place in enumerate(part.values) if set(_DIGITS.findall(sentence[slice(*place)])) <= asked]
    named = _named(part, answer)
    return len(held) == len(named) == 1 and held != named and not _named(part, question)


def _named(part: Share, text: str) -> list[int]:
    """Return which of its things a text names."""
    years = set(_A_YEAR.findall(text))
    dated = [date for date in dates(text) if date.month and date.year]
    bare = years - {str(date.year) for date in dated}
    words = stems(text) - years | bare | {f"any {year}" for year in years} | {_month(date) for date in dated}
    return [number for number, thing in enumerate(part.things) if thing & words]


def _parts(sentence: str) -> Iterator[Share]:
    """Yield the parts of a sentence that end with "respectively" and hold one list of values as long as a list of years or names;
    or with a list of years at once beside one of as many values: "was 5 and 6 in 2023 and 2022"."""
    begin = 0
    said = [match.span() for match in _SAID.finditer(sentence)]
    for stop, after in said or [(match.end(), match.end()) for match in _AT_ONCE.finditer(sentence)]:
        text = sentence[begin:stop]
        years = list(_YEARS.finditer(text))
        if len(years) == 1:
            found = [_years(years[0].group())]
            listed = [(years[0].start(), years[0].end())]
        else:
            found, listed = [], []
        lists = [
            [value.span() for value in _ONE.finditer(text, *match.span())]
            for match in _VALUES.finditer(text)
            if not any(a < match.end() and match.start() < b for a, b in listed)
        ]
        if not years and len(lists) == 1:
            found = [_after(text[lists[0][-1][1] :]), _before(text[: lists[0][0][0]], len(lists[0]))]
        for things in found:
            fitting = [values for values in lists if len(values) == len(things)]
            own = tuple(frozenset(one - set().union(*things[:n], *things[n + 1 :])) for n, one in enumerate(things))
            if len(fitting) == 1 and all(own):
                # what stands before the first values is said of all parts, unless they end one
                behind = text[fitting[0][-1][1] :]
                alone = text if begin or not behind.strip(" ,") else behind
                yield Share(alone, tuple((begin + a, begin + b) for a, b in fitting[0]), own)
                break
        begin = after


def _years(text: str) -> list[set[str]]:
    """Return the years of a list, each with its month, or that of the one before, where it has one: "March 31, 2023 and 2022"."""
    found: list[set[str]] = []
    month = 0
    for match in re.finditer(_YEAR, text, re.IGNORECASE):
        month = next((date.month for date in dates(match.group())), month)
        year = match.group()[-4:]
        found.append({year, _month(Date(0, month, int(year)))} if month else {f"any {year}"})
    return found


def _month(date: Date) -> str:
    return f"month {date.month} of {date.year}"


def _after(text: str) -> list[set[str]]:
    """Return the names that a list of values is followed by: "5 and 6 for pumps and valves"."""
    return _even(_AND.split(_TO.sub("", text.strip(" ,")))) if " and " in text else []


def _before(text: str, count: int) -> list[set[str]]:
    """Return the names of so many things that have the values: "pumps and valves were"."""
    does = next((match for match in _DOES.finditer(text) if " and " in text[: match.start()]), None)
    if does is None:
        return []
    return _even(_AND.split(text[: does.start()].strip())[-count:])


def _even(names: list[str]) -> list[set[str]]:
    """Return the words of the names of a list without what belongs to all: "net sales of steel and timber hulls"."""
    parts = [name.split()[1:] if name.lower().startswith(("the ", "our ", "its ")) else name.split() for name in names]
    if len(parts) < 2 or not all(parts):
        return []
    longest = max(len(words) for words in parts[1:])
    between = max((len(words) for words in parts[1:-1]), default=len(parts[-1]) - 1)
    return [stems(" ".join(words)) for words in (parts[0][-longest:], *parts[1:-1], parts[-1][: max(1, between)])]
