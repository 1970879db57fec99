"""Takes the words of a page of liteparse, and says how the page is turned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingest.elements import Box
from ingest.layout import Word
from ingest.pdf_text import plain


@dataclass(frozen=True, slots=True)
class Turn:
    """How a page was turned before it was read: its text runs `angle` degrees clockwise on the page of the given size."""

    angle: int
    width: float
    height: float

    def back(self, box: Box) -> Box:
        """Return where a box of the upright page stands on the page that a reader sees."""
        page, x0, y0, x1, y1 = box
        if self.angle == 90:
            return Box(page, self.width - y1, x0, self.width - y0, x1)
        if self.angle == 270:
            return Box(page, y0, self.height - x1, y1, self.height - x0)
        return Box(page, self.width - x1, self.height - y1, self.width - x0, self.height - y0)


def turned(pages: Sequence[Any]) -> dict[int, Turn]:
    """Return how those of liteparse's pages are turned on which most text does not run from left to right."""
    found = {}
    for page in pages:
        angle, most = max(page.letters.items(), key=lambda entry: entry[1], default=(0, 0))
        if angle and most > 0.6 * sum(page.letters.values()):
            found[page.page_num] = Turn(angle, page.width, page.height)
    return found


def words_of(page: int, items: Sequence[Any]) -> list[Word]:
    """Return the words of liteparse's text items on a page; an item without word boxes is one word."""
    found: list[Word] = []
    for number, item in enumerate(items, start=1):
        # In text turned by 90 or 270 degrees liteparse's "words" are single letters.
        if 45 < item.rotation % 180 < 135:
            found += _turned(page, number, item)
            continue
        words = item.words
        for piece in words or [item]:
            text = piece.text
            if not text.isalnum():
                text = "".join(text.split()) if words else text.strip()
            if len(text) > 5 or not text.isascii():
                text = plain(text)
            if text:
                x, y = piece.x, piece.y
                found.append(Word(text, Box(page, x, y, x + piece.width, y + piece.height)))
    return found


def _turned(page: int, number: int, item: Any) -> list[Word]:
    """Return the words of an item that runs down or up the page; each gets its share of the item's height."""
    found = []
    said = plain(item.text)
    length = max(1, len(said))
    for match in re.finditer(r"\S+", said):
        first, last = match.start() / length, match.end() / length
        if item.rotation % 360 > 180:  # runs upwards
            first, last = 1 - last, 1 - first
        top, bottom = item.y + first * item.height, item.y + last * item.height
        found.append(Word(match[0], Box(page, item.x, top, item.x + item.width, bottom), number))
    return found
