"""Recognises running headers, footers and page numbers among the lines at the edges of pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ingest.elements import Box
from ingest.layout import Word

PAGE_NUMBER = re.compile(r"\W*(?:\w+\W{1,2})?\d{1,5}\s*(?:/|of|von|de|sur|di|van|из|\|)\s*\d{1,5}\W*", re.IGNORECASE)
"""A page's number with the number of all pages: "Page 1 of 2"."""
_DIGITS = re.compile(r"\d{1,18}")
_ENOUGH = 60
_BAND = 0.12

Edges = dict[str, dict[int, list[int]]]
"""Lines at the edges of pages, digits as "#", with the pages they stand on and the numbers they have there."""


def note(edges: Edges, lines: Sequence[Sequence[Word]], page: Any) -> None:
    """Add those of a page's lines that stand at its edges."""
    for line in lines:
        if at_edge(line[0].box, page):
            seen = edges.setdefault(pattern(line), {})
            if len(seen) < _ENOUGH:
                seen[page.page_num] = [int(digits) for digits in _DIGITS.findall(joined(line))]


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
