"""Finds the exact characters of a passage that a quote stands for."""

from __future__ import annotations

import unicodedata

_FOLD = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "‑": "-", "−": "-"})


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Return (start, end) of `quote` in `text`, or None where it does not stand there.

    White space, table bars, typographic quotes and dashes, case and the stops at either end may differ; every letter,
    digit and other sign must be there, in order and without gaps. `text[start:end]` is what may be shown as the quote.
    """
    wanted = _letters(quote.strip().strip("….,;: ").strip())[0]
    if len(wanted) < 2:
        return None
    letters, places = _letters(text)
    at = letters.find(wanted)
    while at >= 0:
        start, end = places[at], places[at + len(wanted) - 1] + 1
        if _whole(text, start, end):
            return start, end
        at = letters.find(wanted, at + 1)
    return None


def _letters(text: str) -> tuple[str, list[int]]:
    """Return the compared signs of a text and where each stands."""
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        if letter.isspace() or letter in "|\u00ad":
            continue
        for folded in unicodedata.normalize("NFKC", letter.translate(_FOLD)).casefold():
            if not folded.isspace():
                letters.append(folded)
                places.append(place)
    return "".join(letters), places


def _whole(text: str, start: int, end: int) -> bool:
    """Return whether no word or number is cut at either end: "5" is not a quote of "25", nor "1.5" of "1.50"."""
    return not _joined(text[max(0, start - 2) : start][::-1], text[start]) and not _joined(
        text[end : end + 2], text[end - 1]
    )


def _joined(outside: str, inside: str) -> bool:
    """Return whether the sign at the end of a span and those outside it (nearest first) belong to one word or number."""
    if not inside.isalnum() or not outside:
        return False
    if outside[0].isalnum():
        return True
    return inside.isdigit() and outside[0] in ".," and outside[1:2].isdigit()
