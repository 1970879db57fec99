"""Marks an answer against known ones: numbers with their scale, text by containment and shared words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rag.words import content_words, numbers, sentences, stem, units

TOLERANCE = 0.01
"""Numbers that differ by so much of the known one are the same."""
ENOUGH_SHARED = 0.5
"""A text with this F1 of words is right, even where the known one does not stand in it word for word."""
SUPPORTED_SHARE = 0.7
"""A statement is supported when its numbers, and so many of its words, stand in what it cites."""

_MARK = re.compile(r"\s*\[\d+\]")
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9}
_FIGURE = re.compile(
    r"(?<![\w.,])\(?-?\s?(?:[$€£¥]\s?)?(\d[\d,]*(?:\.\d+)?)\)?\s*"
    r"(%|percent\b|per cent\b|thousands?\b|millions?\b|billions?\b|mn\b|bn\b|[kmb]\b)?",
    re.IGNORECASE,
)
_SCALE_WORDS = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as written, its scale (1 where none is told) and whether it is a share."""

    value: float
    scale: float | None
    percent: bool


def plain(text: str) -> str:
    """Return a text without marks of citations, punctuation, articles and capitals, as SQuAD compares answers."""
    kept = re.sub(r"[^\w\s]", " ", _MARK.sub("", text).casefold().replace(",", ""))
    return " ".join(_ARTICLE.sub(" ", kept).split())


def f1(text: str, known: Sequence[str]) -> float:
    """Return the best F1 of shared words between a text and the known answers."""
    said = plain(text).split()
    best = 0.0
    for answer in known:
        wanted = plain(answer).split()
        shared = sum((Counter(said) & Counter(wanted)).values())
        if shared:
            best = max(best, 2 * shared / (len(said) + len(wanted)))
    return best


def figures(text: str, scale: float | None = None) -> list[Figure]:
    """Return the numbers of a text; `scale` is that of numbers which name none."""
    found = []
    for match in _FIGURE.finditer(_MARK.sub("", text)):
        word = (match.group(2) or "").lower().rstrip("s")
        percent = word in ("%", "percent", "per cent")
        named = _SCALES.get(_SCALE_WORDS.get(word, word))
        value = float(match.group(1).replace(",", ""))
        found.append(Figure(value, None if percent else named or scale, percent))
    return found


def scale_named(text: str) -> float | None:
    """Return the scale that a text names, such as "USD millions", or None when it names none or several."""
    found = {_SCALES[unit] for unit in units(text) if unit in _SCALES}
    return found.pop() if len(found) == 1 else None


def is_right(text: str, known: Sequence[str], question: str, around: str = "") -> bool:
    """Return whether a text gives one of the known answers.

    A known answer that is a number must be one of the text's numbers, scale included; numbers that name no scale have the
    one named in `question` (of the known answer) or `around` (of the text: a table's caption). Other answers must stand
    in the text, or share enough words with it.
    """
    for answer in filter(plain, known):
        wanted = figures(answer, scale_named(question))
        if len(wanted) == 1 and len(plain(re.sub(r"[\d.,]+", " ", answer)).split()) <= 3:
            if any(_same(figure, wanted[0]) for figure in figures(text, scale_named(around))):
                return True
        elif f" {plain(answer)} " in f" {plain(text)} " or f1(text, [answer]) >= ENOUGH_SHARED:
            return True
    return False


def _same(one: Figure, known: Figure) -> bool:
    if one.percent != known.percent and (one.scale is not None or known.scale is not None):
        return False

    def near(a: float, b: float) -> bool:
        return abs(a - b) <= TOLERANCE * abs(b)

    if one.scale is not None and known.scale is not None:
        return near(one.value * one.scale, known.value * known.scale)
    return near(one.value, known.value)


def supported(text: str, question: str, cited: Sequence[str]) -> float:
    """Return the share of an answer's statements whose numbers and words stand in what is cited, or in the question."""
    body = " ".join([*cited, question])
    there, figures_there = {stem(word) for word in content_words(body)}, numbers(body)
    said = _MARK.sub("", text)
    held, total = 0, 0
    for start, end in sentences(said):
        words = [stem(word) for word in content_words(said[start:end])]
        total += 1
        share = sum(word in there for word in words) / len(words) if words else 1.0
        held += numbers(said[start:end]) <= figures_there and share >= SUPPORTED_SHARE
    return held / total if total else 0.0


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927); (0, 1) when nothing was counted."""
    if of == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, middle - reach), min(1.0, middle + reach)
