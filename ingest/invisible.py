"""Takes characters out of a text that nobody sees, and reads what they spell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_FLAG = "\U0001f3f4"  # a black flag: tags behind it, up to a cancel tag, make the flag of England, Scotland or Wales
_TAGS = re.compile(f"{_FLAG}[\U000e0020-\U000e007e]{{1,6}}\U000e007f|[\U000e0000-\U000e007f]+")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
_UNSEEN = re.compile("[\u200b-\u200f\u2060-\u2064\u206a-\u206f\ufeff\u180e\u034f]{4,}")
_ANY = re.compile("[\u034f\u180e\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]")


class Seen(NamedTuple):
    """A text without such characters, what they spelt, and how many spelt nothing; `cuts` are the spans taken out."""

    text: str
    spelt: tuple[str, ...]
    dumb: int
    cuts: tuple[tuple[int, int], ...]

    def shifted(self, at: int) -> int:
        """Return where a place of the old text is in the new one."""
        return at - sum(min(at, end) - start for start, end in self.cuts if start < at)


WAY = "in characters that are not shown"
"""How text is hidden that such characters spell."""


def seen(text: str) -> Seen:
    """Return what is seen of a text.

    Tag characters (U+E0000) copy ASCII without being shown, variation selectors in a row carry bytes, and rows of four or
    more zero-width characters carry bits. One or a few of the latter are left: they shape words in Persian and in Indic scripts,
    and emoji.
    """
    if text.isascii() or not _ANY.search(text):
        return Seen(text, (), 0, ())
    found = [(m.start(), m.end(), _tags(m[0])) for m in _TAGS.finditer(text) if m[0][0] != _FLAG]
    found += [(m.start(), m.end(), _bytes(m[0])) for m in _SELECTORS.finditer(text)]
    found += [(m.start(), m.end(), "") for m in _UNSEEN.finditer(text)]
    found.sort()
    parts, at = [], 0
    for start, end, _ in found:
        parts.append(text[at:start])
        at = end
    spelt = tuple(words for _, _, words in found if words.strip())
    return Seen("".join([*parts, text[at:]]), spelt, len(found) - len(spelt), tuple((a, b) for a, b, _ in found))


def _tags(run: str) -> str:
    return "".join(chr(ord(sign) - 0xE0000) for sign in run if 0x20 <= ord(sign) - 0xE0000 < 0x7F)


def _bytes(run: str) -> str:
    """Return the text whose bytes a row of variation selectors carries, "" when they carry none."""
    values = bytes(ord(sign) - 0xFE00 if ord(sign) < 0xFF00 else ord(sign) - 0xE0100 + 16 for sign in run)
    try:
        return values.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def report(hidden: Sequence[tuple[int, str]], dumb: int) -> list[str]:
    """Return sentences for a person: how many passages of hidden text stand on which pages, and how they are hidden.

    `hidden` are (page, way) of each passage; `dumb` counts rows of characters that are not shown and spell nothing.
    """
    told = []
    for way in dict.fromkeys(way for _, way in hidden):
        pages = [page for page, how in hidden if how == way]
        distinct = sorted(set(pages))
        shown = ", ".join(map(str, distinct[:10])) + (", ..." if len(distinct) > 10 else "")
        passages = "1 passage" if len(pages) == 1 else f"{len(pages)} passages"
        told.append(
            f"{passages} of hidden text on page {shown}: {way}. Answers leave it out unless `answer.hidden_text` is true."
        )
    if dumb:
        told.append(f"Characters that are not shown were taken out of the text ({dumb} rows of them).")
    return told
