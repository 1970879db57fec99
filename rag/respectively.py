"""Tells which value a sentence gives to which year: "19% and 17% in 2023 and 2022, respectively"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.words import A_MONTH, content_words, stems

_SAID = re.compile(r"\brespectively\b", re.IGNORECASE)
_YEAR = rf"(?:{A_MONTH} \d{{1,2}},? |fiscal (?:years? )?|FY ?)?(?:19|20)\d\d"
_YEARS = re.compile(rf"({_YEAR}(?:, {_YEAR})*,? and {_YEAR}),?\s*$", re.IGNORECASE)
_VALUE = (
    r"(?:(?:US)?[$€£¥]\s?)?\(?\d+(?:[.,]\d+)*\)?(?:\s?%| per ?cent| (?:thousand|million|billion|trillion)"
    r"| (?:basis|percentage) points)?"
)
_VALUES = re.compile(rf"{_VALUE}(?:, {_VALUE})*,? (?:and|or) {_VALUE}", re.IGNORECASE)
_ONE = re.compile(_VALUE, re.IGNORECASE)
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Share:
    """Part of a sentence that gives so many values to as many years, both in order: what it alone says, places of the values, the
    years."""

    text: str
    values: tuple[tuple[int, int], ...]
    years: tuple[str, ...]


def shares_out(sentence: str) -> bool:
    """Return whether a sentence gives several values to several things."""
    return bool(_SAID.search(sentence))


def meant(question: str, sentence: str) -> tuple[int, int] | None:
    """Return the place of the value that a question for one year asks for, None where that can't be told."""
    asked = stems(" ".join(content_words(question)))
    parts = [part for part in _parts(sentence) if len(_named(part, question)) == 1]
    shared = [len(asked & stems(part.text)) for part in parts]
    if not parts or shared.count(max(shared)) > 1:
        return None
    best = parts[shared.index(max(shared))]
    return best.values[best.years.index(_named(best, question)[0])]


def confuses(answer: str, question: str, sentence: str) -> bool:
    """Return whether an answer has a value of a sentence, but not the one for the year that it, or its question, names."""
    said = set(_DIGITS.findall(answer))
    about = f"{question} {answer}"
    if not said or not shares_out(sentence):
        return False
    values = {sentence[a:b] for part in _parts(sentence) for a, b in part.values}
    given = {number for value in values for number in _DIGITS.findall(value)}
    place = meant(about, sentence)
    return place is not None and bool(said & given) and not set(_DIGITS.findall(sentence[slice(*place)])) <= said


def _named(part: Share, text: str) -> list[str]:
    """Return those of its years that a text names."""
    return [year for year in part.years if re.search(rf"(?<!\d){year}(?!\d)", text)]


def _parts(sentence: str) -> Iterator[Share]:
    """Yield the parts of a sentence that end with "respectively" and hold one list of values as long as the list of years."""
    begin = 0
    for said in _SAID.finditer(sentence):
        text = sentence[begin : said.start()]
        listed = _YEARS.search(text)
        if listed is not None:
            years = tuple(match.group() for match in re.finditer(r"(?:19|20)\d\d", listed[1]))
            found = [
                [value.span() for value in _ONE.finditer(text, *match.span())]
                for match in _VALUES.finditer(text, 0, listed.start())
            ]
            fitting = [values for values in found if len(values) == len(years)]
            if len(fitting) == 1 and len(set(years)) == len(years):
                # what stands before the first values is said of all parts
                own = text if begin else text[fitting[0][-1][1] :]
                yield Share(own, tuple((begin + a, begin + b) for a, b in fitting[0]), years)
        begin = said.end()
