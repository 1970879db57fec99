"""Divides RTF into what is shown and what is hidden: marked as hidden, white, or tiny."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_TOKEN = re.compile(rb"\\([a-zA-Z]{1,32})(-?\d{1,9})? ?|\\'[0-9a-fA-F]{2}|\\.|[{}]|[^\\{}\r\n]+|[\r\n]+", re.DOTALL)
_COLOURS = re.compile(rb"\\colortbl([^{}]*)\}")
_PART = re.compile(rb"\\(red|green|blue)(\d{1,3})")
_MAYBE = re.compile(rb"\\v1?(?![a-z0-9])|\\fs[0-4](?!\d)")
_TINY, _USUAL = 4, 24
"""Half points."""
_WHITE = 0xF0
_SIGNS = frozenset(b"u tab line emdash endash emspace enspace qmspace bullet lquote rquote ldblquote rdblquote".split())
"""Control words that stand for text."""
_COLOURED = frozenset((b"highlight", b"cb", b"chcbpat", b"cbpat", b"clcbpat"))
_PATTERNED = frozenset((b"chshdng", b"shading", b"clshdng"))
"""In hundredths of a percent; "solid" is black, or a colour, without a ground."""
_SEEN_ON = 2000
_OF_LETTERS = frozenset((b"highlight", b"cb", b"chcbpat", b"chshdng"))
_OF_PARAGRAPH = frozenset((b"cbpat", b"shading"))
_OF_CELLS = frozenset((b"clcbpat", b"clshdng"))
IN_DRAWING = b"\\ofdrawing "
"""A control word of our own, to be put before text that is taken out of a drawing: what is behind it isn't known."""
_CELLS = {b"cell": b"\\par ", b"row": b"", b"nestcell": b"\\par ", b"nestrow": b""}


@dataclass(frozen=True, slots=True)
class _State:
    """How text looks. `ground` are the control words that colour what is behind it; `table` is set within the file's tables."""

    marked: bool = False
    colour: int = -1
    size: int = _USUAL
    ground: frozenset[bytes] = frozenset()
    table: bool = False

    def how(self, whites: set[int]) -> str:
        """Say how text is hidden; "" for text that is shown."""
        if self.marked:
            return "marked as hidden"
        if self.size <= _TINY:
            return f"in letters of {self.size / 2:g} points"
        return "white on white" if self.colour in whites and not self.ground else ""


def divided(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Return RTF without hidden text, and for each way in which some is hidden the RTF of that alone."""
    whites = _whites(data)
    if not (_MAYBE.search(data) or any(b"\\cf%d" % at in data for at in whites)):
        return data, {}
    ways = {how for _, _, how in _tokens(data, whites) if how}
    hidden = {how: b"".join(_only(data, whites, how)) for how in sorted(ways)}
    return b"".join(_only(data, whites, "")), hidden


def _only(data: bytes, whites: set[int], way: str) -> Iterator[bytes]:
    """Give the tokens of RTF without text that isn't hidden in this way; what is hidden is no cell of a table."""
    for token, state, how in _tokens(data, whites):
        word = token[1:].strip()
        if state.table or how is None:
            yield _CELLS.get(word, token) if way else token
        elif how == way:
            yield token


def _tokens(data: bytes, whites: set[int]) -> Iterator[tuple[bytes, _State, str | None]]:
    """Give each token with the state it stands in, and for those that are text how they are hidden."""
    state, outer = _State(), list[_State]()
    for match in _TOKEN.finditer(data):
        token, word = match[0], match[1]
        how: str | None = None
        if token == b"{":
            outer.append(state)
        elif token == b"}":
            state = outer.pop() if outer else state
        elif word is not None and word not in _SIGNS:
            state = _changed(state, word, int(match[2]) if match[2] else None, whites)
        elif not token.isspace() and token != b"\\*":
            how = state.how(whites)
        yield token, state, how


def _changed(state: _State, word: bytes, number: int | None, whites: set[int]) -> _State:
    """Return the state after a control word."""
    match word:
        case b"v":
            changed = replace(state, marked=number != 0)
        case b"cf":
            changed = replace(state, colour=number or 0)
        case b"fs":
            changed = replace(state, size=_USUAL if number is None else number)
        case b"plain":
            changed = replace(state, marked=False, colour=-1, size=_USUAL, ground=state.ground - _OF_LETTERS)
        case b"pard" | b"trowd":
            changed = replace(state, ground=state.ground - (_OF_PARAGRAPH if word == b"pard" else _OF_CELLS))
        case b"fonttbl" | b"colortbl" | b"stylesheet":
            changed = replace(state, table=True)
        case b"ofdrawing" | b"viewbksp":  # a page with a background
            changed = replace(state, ground=state.ground | {word} if number != 0 else state.ground)
        case _ if word in _COLOURED | _PATTERNED:
            dyed = (number or 0) >= _SEEN_ON if word in _PATTERNED else bool(number) and number not in whites
            rest = state.ground if word in _OF_CELLS else state.ground - {word}  # which cell is whose isn't known
            changed = replace(state, ground=rest | {word} if dyed else rest)
        case _:
            changed = state
    return changed


def _whites(data: bytes) -> set[int]:
    """Return the numbers of the colours that are as good as white."""
    found = _COLOURS.search(data)
    whites = set[int]()
    for number, colour in enumerate(found[1].split(b";")[:-1] if found else ()):
        parts = {name: int(value) for name, value in _PART.findall(colour)}
        if len(parts) == 3 and min(parts.values()) >= _WHITE:
            whites.add(number)
    return whites
