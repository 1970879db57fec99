"""Makes a PDF's characters plain text: ligatures, soft hyphens, letters drawn twice, words broken at a line's end."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence, Set

from ingest.tables import Spot

_PLAIN = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)} | {0xAD: ""}
"""Latin ligatures as their letters, soft hyphens as nothing."""
_DOUBLED = re.compile(r"(?<!\w)(?:([^\W\d_])\1){3,}(?!\w)")
_EDGES = " .,;:!?()[]{}\"'“”‘’„«»*"


def plain(text: str) -> str:
    """Return text without ligatures, soft hyphens and words whose every letter is written twice ("BBOOLLDD")."""
    return _DOUBLED.sub(_once, text if text.isascii() else text.translate(_PLAIN))


def _once(found: re.Match[str]) -> str:
    """Return every second letter of a word of doubled letters; one of a single letter stays as it is ("IIIIII")."""
    word = found[0]
    return word[::2] if len(set(word.lower())) > 2 else word


def vocabulary(words: Iterable[str]) -> set[str]:
    """Return the words of a document in lower case, without the punctuation around them."""
    return {word.strip(_EDGES).lower() for word in set(words)}


def hyphenated(
    text: str, spots: Sequence[Spot], breaks: Sequence[int], known: Set[str]
) -> tuple[str, tuple[Spot, ...]]:
    """Return a text and its places with the hyphens back that belong to words: "long-" at a line's end and "term".

    liteparse leaves out the hyphen at each of `breaks`. It belongs to the word when the document has the word with it
    elsewhere and not without; when the document has it neither way, when both halves are words of the document.
    """
    for at in sorted(breaks, reverse=True):
        left = re.search(r"\S*$", text[:at])
        right = re.match(r"\S*", text[at:])
        assert left is not None and right is not None
        first, second = left[0].lstrip(_EDGES).lower(), right[0].rstrip(_EDGES).lower()
        if not first or not second or first + second in known:
            continue
        if f"{first}-{second}" in known or (min(len(first), len(second)) > 2 and {first, second} <= known):
            text = f"{text[:at]}-{text[at:]}"
            spots = [(a + (a >= at), b + (b >= at), box) for a, b, box in spots]
    return text, tuple(spots)
