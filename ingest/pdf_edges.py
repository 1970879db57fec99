"""Recognises running headers, footers and page numbers among the lines at the edges of pages, and the outermost lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ingest.elements import Box
from ingest.layout import PageWords, Word

PAGE_NUMBER = re.compile(r"\W*(?:\w+\W{1,2})?\d{1,5}\s*(?:/|of|von|de|sur|di|van|из|\|)\s*\d{1,5}\W*", re.IGNORECASE)
"""A page's number with the number of all pages: "Page 1 of 2"."""
_DIGITS = re.compile(r"\d{1,18}")
_ENOUGH = 60
_BAND = 0.12
_SHARE = 0.25
"""Share of a document's pages from which on its outermost lines run: a title that comes back on some pages does not."""
_PHRASE = 3.0
"""Words of one phrase stand closer than this many heights: titles of columns do not."""
_LINES = 6
"""Lines on a page from which on its lowest one may be a footer, where it does not stand at the edge."""
_DEEP = 3
"""Lines that a running header or footer may have."""

Edges = dict[str, dict[int, list[int]]]
"""Lines at the edges of pages, digits as "#", with the pages they stand on and the numbers they have there."""


@dataclass(slots=True)
class Outer:
    """The outermost lines of a document's pages, as far as it was read."""

    edges: Edges = field(default_factory=dict)
    pages: int = 0

    def leave_out(self, pages: Mapping[int, tuple[PageWords, Any]]) -> dict[int, set[str]]:
        """Take the words of those outermost lines of pages that run, unless nothing else stands on their page; return
        these lines by page, as `squeezed` writes them.

        Outermost is the lowest line of a page wherever it stands, and the highest at the page's edge, whatever block
        liteparse has them in. What is left after that may have an outermost line that runs, too.
        """
        self.pages += len(pages)
        gone: dict[int, set[str]] = {}
        for _ in range(_DEEP):
            found = [(number, words, line) for number, (words, page) in pages.items() for line in _outer(words, page)]
            for number, words, line in found:
                _add(self.edges, [words.words[at] for at in line], number)
            least = min(_ENOUGH, _SHARE * self.pages)
            chrome = {text for text, seen in self.edges.items() if len(seen) >= least and _runs(seen)}
            taken = [one for one in found if pattern([one[1].words[at] for at in one[2]]) in chrome]
            for number, words, line in taken:
                words.taken.update(line)
                gone.setdefault(number, set()).add(squeezed(joined([words.words[at] for at in line])))
            if not taken:
                break
        return gone


def _outer(words: PageWords, page: Any) -> list[list[int]]:
    """Return the numbers of the words of a page's lowest line, and of its highest line at the edge, if they are phrases."""
    level = [at for at, word in enumerate(words.words) if not word.turned and at not in words.taken]
    found = []
    for order, above in ((level[::-1], False), (level, True)):
        if not order or (above and not at_edge(words.words[order[0]].box, page)):
            continue
        first = words.words[order[0]].box
        if not at_edge(first, page) and _heights([words.words[at].box for at in level], first) < _LINES:
            continue
        line = []
        for at in order:
            box = words.words[at].box
            if abs((box.y0 + box.y1) - (first.y0 + first.y1)) > first.y1 - first.y0:
                break
            line.append(at)
        line.sort(key=lambda at: words.words[at].box.x0)
        boxes = [words.words[at].box for at in line]
        phrase = all(after.x0 - now.x1 < _PHRASE * (now.y1 - now.y0) for now, after in pairwise(boxes))
        if phrase and len(line) < len(level):
            found.append(line)
    return found


def _heights(boxes: Sequence[Box], one: Box) -> int:
    """Return at how many heights boxes stand, counted in heights of one of them."""
    return len({round((box.y0 + box.y1) / max(1.0, one.y1 - one.y0)) for box in boxes})


def squeezed(text: str) -> str:
    """Return the letters and figures of a text alone."""
    return "".join(filter(str.isalnum, text))


def note(edges: Edges, lines: Sequence[Sequence[Word]], page: Any) -> None:
    """Add those of a page's lines that stand at its edges."""
    for line in lines:
        if at_edge(line[0].box, page):
            _add(edges, line, page.page_num)


def _add(edges: Edges, line: Sequence[Word], page: int) -> None:
    seen = edges.setdefault(pattern(line), {})
    if len(seen) < _ENOUGH:
        seen[page] = [int(digits) for digits in _DIGITS.findall(joined(line))]


def running(edges: Edges) -> set[str]:
    """Return the lines that are running headers and footers, as `pattern` writes them."""
    return {line for line, seen in edges.items() if _runs(seen)}


def pattern(line: Sequence[Word]) -> str:
    """Return a line's text with its digits made alike."""
    return _DIGITS.sub("#", joined(line))


def joined(line: Sequence[Word]) -> str:
    """Return a line's text."""
    return " ".join(word.text for word in line)


def _runs(seen: Mapping[int, Sequence[int]]) -> bool:
    """Say whether a line with these numbers on these pages is a running header or footer.

    On three pages or more, and each number mostly stays as it was or counts the pages; rows of a table do neither.
    """
    if len(seen) < 3:
        return False
    steps = list(pairwise(seen.items()))
    for at in range(len(steps[0][0][1])):
        steady = sum(after[at] - before[at] in (0, then - now) for (now, before), (then, after) in steps)
        if steady < 0.6 * len(steps):
            return False
    return True


def at_edge(box: Box, page: Any) -> bool:
    """Say whether a box begins in the top or bottom eighth of its page."""
    return bool(box.y0 < page.height * _BAND or box.y0 > page.height * (1 - _BAND))
