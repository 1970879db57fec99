"""Finds where the words of a block stand on a PDF page."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import NamedTuple

from ingest.elements import Box
from ingest.tables import Spot

_TOKEN = re.compile(r"\S+")
_HYPHENS = "-\u00ad\u2010"
_left = attrgetter("box.x0")
MARGIN = 1.5
"""How far beside an area, in points, the middle of a word may lie that belongs to it."""
_LONG_LINE = 8
_FEW_LINES = 3
_GAP = 1.5
"""Heights between two words from which on there is a gap between columns."""


class Word(NamedTuple):
    """A word of a page and where it stands."""

    text: str
    box: Box
    turned: int = 0
    """Number of the upright run of text that it belongs to; 0 for text that runs from left to right."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle on one page, in points from its top left corner."""

    x0: float
    y0: float
    x1: float
    y1: float

    @classmethod
    def of(cls, box: Box) -> Area:
        """Return the area of a box."""
        return cls(box.x0, box.y0, box.x1, box.y1)

    def holds(self, box: Box) -> bool:
        """Say whether the middle of a box lies inside, or no more than MARGIN beside."""
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        return self.x0 - MARGIN <= x <= self.x1 + MARGIN and self.y0 - MARGIN <= y <= self.y1 + MARGIN


@dataclass(slots=True)
class _Claim:
    """A text, its tokens, and the numbers of the words that each token is."""

    text: str
    area: Box
    found: list[list[int]]
    tokens: list[tuple[int, int]]


@dataclass(slots=True)
class PageWords:
    """The words of one page in reading order; each is given to one block at most."""

    words: list[Word]
    taken: set[int] = field(default_factory=set)
    _levels: list[tuple[float, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._levels = sorted(((word.box.y0 + word.box.y1) / 2, i) for i, word in enumerate(self.words))

    def inside(self, area: Area, free: bool = True) -> list[int]:
        """Return the numbers of the words in an area; with `free` only of those that no block has taken."""
        first = bisect_left(self._levels, (area.y0 - MARGIN, -1))
        last = bisect_left(self._levels, (area.y1 + MARGIN, len(self.words)), first)
        left, right = 2 * (area.x0 - MARGIN), 2 * (area.x1 + MARGIN)
        found = []
        for _, i in self._levels[first:last]:
            box = self.words[i].box
            if left <= box.x0 + box.x1 <= right and not (free and i in self.taken):
                found.append(i)
        found.sort()
        return found

    def numbers(self, words: Iterable[Word]) -> list[int]:
        """Return the numbers of some of these words."""
        wanted = {id(word) for word in words}
        return [i for i, word in enumerate(self.words) if id(word) in wanted] if wanted else []

    def place(self, text: str, among: Sequence[int], area: Box) -> tuple[tuple[Spot, ...], list[int]]:
        """Return the places of the tokens of `text`, looked for among the given words, and take those words.

        Also return where in `text` a word that ends with a hyphen was joined with the next line.
        """
        claim = self._claims([(text, among, area)], among)[0]
        breaks = []
        for (start, _), hit in zip(claim.tokens, claim.found, strict=True):
            ends = accumulate((len(_letters(self.words[number].text)) for number in hit[:-1]), initial=start)
            for number, at in zip(hit, list(ends)[1:], strict=False):
                if self.words[number].text[-1] in _HYPHENS and text[at - 1 : at] not in _HYPHENS:
                    breaks.append(at)
        return self._spots(claim), breaks

    def places(self, parts: Sequence[tuple[str, Sequence[int], Box]], spare: Sequence[int]) -> list[tuple[Spot, ...]]:
        """Return the places of the tokens of each part (text, words to look among, area), and take those words.

        The k-th "the" of the text is the k-th "the" of the words, so one word more or less does no harm. A token that
        is no word there (a hyphen was dropped, two words were joined) gets the words left over that spell it, of its
        own part or of `spare`; when there are none it gets its neighbour's place, or the area.
        """
        return [self._spots(claim) for claim in self._claims(parts, spare)]

    def _claims(self, parts: Sequence[tuple[str, Sequence[int], Box]], spare: Sequence[int]) -> list[_Claim]:
        """Give each part its words, and take them."""
        claims = []
        for text, among, area in parts:
            tokens = [match.span() for match in _TOKEN.finditer(text)]
            claims.append(_Claim(text, area, self._claim([text[a:b] for a, b in tokens], among), tokens))
        for claim, (_, among, _) in zip(claims, parts, strict=True):
            self._fill(claim, among)
            self._fill(claim, spare)
        return claims

    def _claim(self, tokens: list[str], among: Sequence[int]) -> list[list[int]]:
        """Return for each token the word that it is, and take it."""
        words = self.words
        free = [i for i in among if i not in self.taken]
        if [words[i].text for i in free] == tokens:  # mostly a block is its words, in order
            self.taken.update(free)
            return [[i] for i in free]
        waiting: dict[str, deque[int]] = defaultdict(deque)
        for i in free:
            waiting[words[i].text].append(i)
        found: list[list[int]] = []
        for token in tokens:
            queue = waiting.get(token)
            found.append([queue.popleft()] if queue else [])
        self.taken.update(i for hit in found for i in hit)
        return found

    def _fill(self, claim: _Claim, among: Sequence[int]) -> None:
        """Give tokens without a word the leftover words that, joined, spell them; those after the last one first."""
        if all(claim.found):
            return
        rest = [i for i in among if i not in self.taken]
        before = -1
        for number, (start, end) in enumerate(claim.tokens):
            hit = claim.found[number]
            if not hit and rest:
                wanted = _letters(claim.text[start:end])
                for first in sorted(range(len(rest)), key=lambda k: rest[k] < before):
                    hit = self._spelled(rest[first:], wanted)
                    if hit:
                        claim.found[number] = hit
                        self.taken.update(hit)
                        rest = [i for i in rest if i not in self.taken]
                        break
            before = hit[-1] if hit else before

    def _spelled(self, numbers: list[int], wanted: str) -> list[int]:
        """Return the first words of `numbers` when they spell `wanted` together, else nothing."""
        spelled, used = "", list[int]()
        for number in numbers[:8]:
            spelled += _letters(self.words[number].text)
            used.append(number)
            if spelled == wanted:
                return used
            if not wanted.startswith(spelled):
                return []
        return []

    def _spots(self, claim: _Claim) -> tuple[Spot, ...]:
        """Return one place for each token and word; tokens without a word borrow a place."""
        spots: list[Spot] = []
        last = next((self.words[hit[0]].box for hit in claim.found if hit), claim.area)
        for (start, end), hit in zip(claim.tokens, claim.found, strict=True):
            if len(hit) == 1:
                last = self.words[hit[0]].box
                spots.append((start, end, last))
                continue
            at = start
            for position, number in enumerate(hit):
                box = self.words[number].box
                until = end if position == len(hit) - 1 else min(end, at + len(_letters(self.words[number].text)))
                spots.append((at, until, box))
                at, last = until, box
            if not hit:
                spots.append((start, end, last))
        return tuple(spots)

    def left(self) -> list[list[Word]]:
        """Return the words that no block has taken, line by line; each run of turned text is a line."""
        free = [word for i, word in enumerate(self.words) if i not in self.taken]
        texts = {word.text for word in free}
        taken = {_spot_key(self.words[i]) for i in self.taken if self.words[i].text in texts}
        free = [word for word in free if _spot_key(word) not in taken]
        turned: dict[int, list[Word]] = defaultdict(list)
        for word in free:
            if word.turned:
                turned[word.turned].append(word)
        return list(turned.values()) + lines([word for word in free if not word.turned])


def _letters(text: str) -> str:
    """Return text without hyphens, which are dropped where a word is joined again at a line end."""
    return "".join(c for c in text if c not in _HYPHENS)


def _spot_key(word: Word) -> tuple[str, int, int]:
    """Return what tells a word from its double: "fake bold" draws the same word twice, a fraction of a point apart."""
    return word.text, round(word.box.x0 / 3), round(word.box.y0 / 3)


def lines(words: Sequence[Word]) -> list[list[Word]]:
    """Return words as lines from top to bottom, each from left to right."""
    found: list[list[Word]] = []
    middle = height = 0.0
    levels = [((y0 + y1) / 2, number, y1 - y0) for number, (_, (_, _, y0, _, y1), _) in enumerate(words)]
    levels.sort()
    for centre, number, tall in levels:
        if not found or centre - middle > (tall if tall > height else height) / 2:
            found.append([words[number]])
            middle, height = centre, tall
        else:
            found[-1].append(words[number])
    for line in found:
        line.sort(key=_left)
    return found


def is_prose(words: Sequence[Word]) -> bool:
    """Say whether words run on from line to line without the gaps that columns have."""
    long = [line for line in lines(words) if len(line) >= _LONG_LINE]
    closed = sum(
        all(after.box.x0 - now.box.x1 < _GAP * (now.box.y1 - now.box.y0) for now, after in pairwise(line))
        for line in long
    )
    return len(long) >= _FEW_LINES and closed >= 0.8 * len(long)


def in_reading_order(words: Sequence[Word]) -> list[Word]:
    """Return words line by line, so that repeated words of a block are met in the order of its text."""
    level = [word for word in words if not word.turned]
    return [word for line in lines(level) for word in line] + [word for word in words if word.turned]


def hull(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around some boxes of one page."""
    if len(boxes) == 1:
        return boxes[0]
    pages, x0, y0, x1, y1 = zip(*boxes, strict=True)
    return Box(pages[0], min(x0), min(y0), max(x1), max(y1))
