"""Puts a follow-up's words in the place of those that they stand for in the question before: period for period, name for name."""

from __future__ import annotations

import re
from collections.abc import Callable

from rag.words import A_MONTH

_MONTH = rf"{A_MONTH}(?:\s+\d{{1,2}},)?"
PERIOD = re.compile(
    rf"\b(?:the\s+)?(?:(?:three|six|nine|twelve|\d+)\s+(?:months|weeks)|quarter|year)\s+ended\s+(?:on\s+)?{A_MONTH}\s+\d{{1,2}},?\s+\d{{4}}\b"
    r"|\b(?:the\s+)?first\s+(?:two|three|six|nine)\s+(?:months|quarters)\s+of\s+(?:fiscal\s+(?:year\s+)?)?(?:19|20)\d\d\b"
    rf"|(?:\bQ[1-4]\s*(?:of\s+)?|\b(?:first|second|third|fourth)\s+quarter\s+(?:of\s+)?|\b{_MONTH}\s+)?"
    r"\b(?:FY\s?'?|fiscal\s+(?:year\s+)?)?(?:(?:19|20)\d\d)\b|\bFY\s?'?\d\d\b|\bQ[1-4]\b"
    r"|\b(?:first|second|third|fourth)\s+quarter\b|\b(?:last|this|next)\s+(?:year|quarter|month)\b",
    re.I,
)
"""A year, quarter, month or span of months as questions write it."""
IN_PERIOD = re.compile(
    rf"(?P<what>.+?)\s+(?P<prep>in|for|during|at)\s+(?P<period>(?:the\s+)?(?:{PERIOD.pattern}))", re.I
)
_PREPOSITION = r"(?:for|in|of|at|with|from|on|by|during)"
_UP_TO = rf"(.+?)(?=\s+{_PREPOSITION}\s|,|$)"
_PART = re.compile(rf"(?P<head>.+?)\s+(?P<prep>{_PREPOSITION})\s+(?P<other>.+)", re.I)
_OF_PART = re.compile(
    rf"(['’]s?(?:\s+(?!{_PREPOSITION}\b)[\w-]+){{1,4}}?)\s+of\s+(?:.+?)(?=\s+{_PREPOSITION}\s|,|$)", re.I
)
_OWN = re.compile(r"^(?:its|their|his|her)\s+", re.I)
_FOCUS = re.compile(
    r"\b(?:is|are|was|were)\s+(?:(?:the|a|an|our|my)\s+)?((?:[\w'’-]+\s+){0,3}?[\w'’-]+)\s+(?=(?:of|for|in|on|at|by)\b)"
)
_POSSESSIVE = re.compile(r"['’]s?$")


def replaced(last: str, rest: str, prep: str | None, names: Callable[[str], bool]) -> str:
    """Put a follow-up's words where they belong in the question before: period for period, name for name, else the topic."""
    body = last.rstrip("?.! ")
    if is_period(rest):
        places = list(PERIOD.finditer(body))
        if places:
            return f"{body[: places[-1].start()]}{rest}{body[places[-1].end() :]}?"
        return f"{body} {prep or 'in'} {rest}?"
    if _OWN.match(rest):
        body = _OF_PART.sub(r"\1", body, count=1)  # its income, not that of a part of it
    bare = re.sub(r"^(?:the|a|an|its|their|his|her)\s+", "", rest, flags=re.I)
    bare = _POSSESSIVE.sub("", bare) if prep is None and bare[:1].isupper() else bare
    kind = bare.rpartition(" ")[0]
    if kind and (alike := re.search(rf"\b{re.escape(kind)}\s+[\w'’-]+", body, re.I)):
        return f"{body[: alike.start()]}{bare}{body[alike.end() :]}?"  # type A for type B
    if (part := _PART.match(bare)) and (place := _same_part(body, part.group("head"), part.group("prep"))):
        return f"{body[: place[0]]}{part.group('other')}{body[place[1] :]}?"  # in Bergen for in Oslo
    known: list[tuple[int, int]] = []
    parts = [part.span(1) for part in re.finditer(rf"\b{prep}\s+{_UP_TO}", body, re.I)] if prep else []
    parts = [(start, end) for start, end in parts if not names(body[start:end]) and not PERIOD.match(body, start)]
    if parts and not names(bare) and body[parts[-1][0]].isupper():  # of Products for of Services
        known = parts
    elif names(bare) or bare[:1].isupper():
        same = [(start, end) for start, end in _named(body) if names(body[start:end]) == names(bare)]
        known = same or _named(body)  # a document's name for one, another name for one that is none
    elif prep is None and (focus := _focus(body)) is not None:
        known = [focus]
    elif (prep or "").lower() in ("of", "for"):  # of the van for of the truck
        known, bare = [part.span(1) for part in re.finditer(rf"\b{prep}\s+{_UP_TO}", body, re.I)], rest
    if known:
        return f"{body[: known[-1][0]]}{bare}{body[known[-1][1] :]}?"
    return f"{body}, {prep + ' ' if prep else ''}{rest}?"


def is_period(words: str) -> bool:
    return bool(PERIOD.fullmatch(words) or PERIOD.fullmatch(re.sub(r"^the\s+", "", words, flags=re.I)))


def _same_part(body: str, head: str, prep: str) -> tuple[int, int] | None:
    """Return where the words stand that a preposition joins to a noun which the question before has, too."""
    noun = re.search(rf"\b{re.escape(head)}\b", body, re.I)
    if noun is None:
        return None
    found = list(re.finditer(rf"\b{prep}\s+{_UP_TO}", body[noun.end() :], re.I))
    return (noun.end() + found[-1].start(1), noun.end() + found[-1].end(1)) if found else None


def _named(body: str) -> list[tuple[int, int]]:
    """Return where capitalised words stand together, an owner by itself ("Intel's Notebook"); the first word of the question and
    periods left out."""
    periods = [at.span() for at in PERIOD.finditer(body)]
    found = re.finditer(r"(?<=[\s(])[A-Z][\w&.'’-]*(?:(?<!['’]s)\s+(?:&\s+|of\s+|and\s+)?[A-Z][\w&.'’-]*)*", body)
    return [
        (at.start(), at.start() + len(_POSSESSIVE.sub("", at.group())))
        for at in found
        if not any(start < at.end() and at.start() < end for start, end in periods)
    ]


def _focus(body: str) -> tuple[int, int] | None:
    """Return where the noun stands that "what is the X of ..." asks for."""
    match = _FOCUS.search(body)
    if match is None:
        return None
    owner = re.match(r".*['’]s?\s+", match.group(1))
    return match.start(1) + (owner.end() if owner else 0), match.end(1)
