"""Finds the article in a web page through trafilatura (the only file that imports it)."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from ingest.elements import Kind
from ingest.merged import Span

_ARTICLE_WORDS = 60
_GRAM = 4
_LINKED = 0.05
_TABLES = 0.2
_PROSE = 0.15
_LONG = 20
"""Measured in docs/decisions/0006-formats.md."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page; `rows` are a table's, `picture` says that it is the alternative text of one."""

    kind: Kind
    text: str
    level: int = 0
    rows: tuple[tuple[Span, ...], ...] = ()
    linked: int = 0
    picture: bool = False


def article_of(page: str, blocks: list[Block]) -> list[Block]:
    """Return the blocks that are the page's article; all of them when it is no article with furniture around it."""
    size = sum(len(block.text) for block in blocks if not block.picture)
    linked = sum(block.linked for block in blocks if not block.picture)
    tables = sum(len(block.text) for block in blocks if block.kind == "table")
    if not size or linked / size < _LINKED or tables / size > _TABLES:
        return blocks
    article = _extracted(page)
    if len(article) < _ARTICLE_WORDS:
        return blocks
    grams = {tuple(article[i : i + _GRAM]) for i in range(len(article) - _GRAM + 1)}
    joined = f" {' '.join(article)} "
    kept = [not block.picture and _belongs(block, grams, joined) for block in blocks]
    prose = [
        i
        for i, b in enumerate(blocks)
        if b.linked < 0.2 * len(b.text) and len(b.text.split()) > _LONG and not b.picture
    ]
    taken = sum(len(blocks[i].text) for i in prose if kept[i])
    if True not in kept or taken < _PROSE * sum(len(blocks[i].text) for i in prose):
        return blocks
    first, last = kept.index(True), len(kept) - 1 - kept[::-1].index(True)
    # A table or picture with few links in the middle of an article is its own, whatever the extraction made of it.
    inner = [
        (b.kind == "table" or b.picture) and first < i < last and b.linked < 0.5 * len(b.text)
        for i, b in enumerate(blocks)
    ]
    return [block for i, block in enumerate(blocks) if kept[i] or inner[i]]


def _belongs(block: Block, grams: set[tuple[str, ...]], joined: str) -> bool:
    """Say whether a block's words are those of the article."""
    words = _words(block.text)
    if len(words) < 2 * _GRAM:
        return bool(words) and f" {' '.join(words)} " in joined
    own = [tuple(words[i : i + _GRAM]) for i in range(len(words) - _GRAM + 1)]
    return sum(gram in grams for gram in own) >= 0.5 * len(own)


def _words(text: str) -> list[str]:
    """Return the words of a text for comparison; single characters where a script has no spaces."""
    return re.findall(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+", text.lower())


def _extracted(page: str) -> list[str]:
    """Return the words of the page's article as trafilatura finds them; none when it finds no article."""
    import trafilatura  # takes half a second, and only pages with furniture need it

    # It logs what it does with a page, with pieces of the page; it fetches nothing when given the page itself.
    for name in ("trafilatura", "htmldate", "courlan", "justext"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        text = trafilatura.extract(
            page, output_format="txt", include_comments=False, include_tables=True, with_metadata=False
        )
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return []  # its rules assume pages that are made better; the whole page is kept then
    return _words(text or "")
