"""Finds what a question writes as one: codes, numbers with their sign or unit, words in quotation marks; says where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rag.scripts import fold
from rag.words import STOP_WORDS

MOST = 8
"""Pieces of one question that are looked for as written."""
_LONGEST = 200
_QUOTED = re.compile(
    rf'"([^"\n]{{2,{_LONGEST}}})"|“([^“”\n]{{2,{_LONGEST}}})”|„([^„“”\n]{{2,{_LONGEST}}})[“”]|«([^«»\n]{{2,{_LONGEST}}})»'
)
_PART = re.compile(r"\d+|[^\W\d_]+|\s+|.", re.S)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NUMBERS = re.compile(r"(?<![\w.,])\+?\d+(?:[ ]\d+)+(?![\w-]|[.,]\d)")
_BARE = re.compile(r"\d+")
_PERIOD = re.compile(
    r"(?:FY|Q[1-4]|[1-4]Q|[12]H|H[12])?[-/ ]?['’]?(?:(?:19|20)\d\d|\d\d)?(?:[-/ ]?(?:FY|Q[1-4]|[1-4]Q|[12]H|H[12]))?",
    re.I,
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_WITHOUT_NUMBER = re.compile(r"[^\W\d_]\w*(?:\+\+|#)|\w+(?:_\w+)+|\w{2,}(?:(?:\.|::|@)\w{2,})+(?:\(\))?|\.[A-Z]\w+")
_SIGN = re.compile(r"[§#$€£¥]+|No\.?|Nr\.?", re.I)
_WORD = re.compile(r"[^\W\d_][\w&/.³²-]*")
_APART = re.compile(r"(?<=[^\W\d_]) +(?=\d)|(?<=\d) +(?=[^\W\d_])")
_BREAKS = ("", ",", ";", ":", "?", "!", ")")
_PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Whole:
    """A piece of a question that a passage has as written, or not: `phrases` are ways to write its words, one of which the
    keyword index has wherever `pattern` is found."""

    text: str
    phrases: tuple[str, ...]
    pattern: re.Pattern[str]

    def stands_in(self, text: str) -> bool:
        """Return whether a text has it: not as part of a longer number, word or code."""
        return self.pattern.search(fold(text)) is not None


@lru_cache(maxsize=256)
def wholes(question: str) -> tuple[Whole, ...]:
    """Return what a question writes as one, in order: "§ 4.2", "€1.5m", "ISO 27001", "10-K", "30 days", "words in
    quotes"."""
    found = dict.fromkeys(piece for piece in _pieces(fold(question)) if any(sign.isalnum() for sign in piece))
    return tuple(_whole(piece) for piece in list(found)[:MOST])


def _pieces(question: str) -> Iterator[str]:
    for match in _QUOTED.finditer(question):
        inside = " ".join(next(filter(None, match.groups())).split())
        if " " in inside:
            yield inside.strip(" .,;:!?")
    yield from _NUMBERS.findall(question)
    written = question.split()
    pieces = [_stripped(piece) for piece in written]
    for at, piece in enumerate(pieces):
        number, code = _NUMBER.fullmatch(piece), _is_code(piece)
        if code or (number and not _BARE.fullmatch(piece)):
            yield piece
        if not (number or code) or _YEAR.fullmatch(piece):
            continue
        before = written[at - 1] if at and written[at][:1] == piece[:1] else ""
        after = pieces[at + 1] if written[at][-1:] == piece[-1:] and at + 1 < len(pieces) else ""
        named = before[:1].isupper() or not code  # "latest 10-K" is no name
        if _SIGN.fullmatch(before) or (named and before[-1:] not in _BREAKS and _is_word(pieces[at - 1])):
            yield f"{pieces[at - 1]} {piece}"
        if piece[-1:].isdigit() and not any(sign.isalpha() for sign in piece) and (after == "%" or _is_word(after)):
            yield f"{piece} {after}"


def _stripped(piece: str) -> str:
    """Return a piece without the signs of its sentence around it; brackets that belong to it stay."""
    piece = re.sub(r"['’]s$", "", piece.rstrip(".,;:!?\"'”’»").lstrip("\"'“‘«„¿¡"))
    for opened, closed in _PAIRS.items():
        if piece.startswith(opened) and piece.count(closed) <= 1:
            piece = piece[1:]
        if piece.endswith(closed) and piece.count(closed) > piece.count(opened):
            piece = piece[:-1]
    return piece.rstrip(".,;:!?\"'")


def _is_code(piece: str) -> bool:
    """Return whether a piece is a code, or a number with a sign or unit: no plain number, no year or quarter. What is one word
    of the keyword index ("E200") is whole there already."""
    if not any(sign.isdigit() for sign in piece):
        return _WITHOUT_NUMBER.fullmatch(piece) is not None
    return not (piece.isalnum() or _NUMBER.fullmatch(piece) or _PERIOD.fullmatch(piece))


def _is_word(piece: str) -> bool:
    return _WORD.fullmatch(piece) is not None and piece.lower() not in STOP_WORDS


def _whole(piece: str) -> Whole:
    """Return the piece with its pattern: between a number and letters or signs beside it there may be a space, or none."""
    parts = [part for part in _PART.findall(piece) if part]
    pattern = ""
    for at, part in enumerate(parts):
        if part.isspace():
            continue
        if at:
            pattern += _between(parts[at - 2 if parts[at - 1].isspace() else at - 1], part, parts[at - 1].isspace())
        pattern += "[-‐‑–]" if part == "-" else re.escape(part)
    front = r"(?<!\w)(?<!\d[.,])" if parts[0][0].isalnum() else ""
    behind = r"(?!\w)(?![.,]\d)" if parts[-1][0].isalnum() else r"(?![+#\w])"
    spaced = " ".join(part for part in parts if part[0].isalnum())
    written = "".join(part if part[0].isalnum() else " " for part in parts)
    joined = _APART.sub("", written)
    phrases = tuple(dict.fromkeys(" ".join(phrase.split()) for phrase in (written, spaced, joined)))
    return Whole(piece, phrases, re.compile(front + pattern + behind, re.I))


def _between(one: str, other: str, apart: bool) -> str:
    """Return what may stand between two parts of a piece."""
    letters, figures = (one.isalpha(), other.isalpha()), (one.isdigit(), other.isdigit())
    if all(letters) or all(figures):
        return r"\s+" if apart else ""
    joining = {one, other} & set("-./,:_'’@\\&")
    if joining and not apart:
        return ""
    return r"\s*"
