"""Decides for each PDF page where its text comes from: its text layer, PDFium's plain words, or OCR."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest import ocr
from ingest.errors import UnreadableFile
from ingest.ocr_page import Line
from ingest.pdf_hidden import Glance
from ingest.pdf_liteparse import in_doubt
from ingest.pdfium import Look, image_of, lines_of, look, opened, without_ink

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_WORD = re.compile(r"\w+")
_CID = re.compile(r"\(cid:\d+\)")
_LATIN = "abcdefghijklmnopqrstuvwxyz"
_VOWELS = "aeiouy"
_FEW_WORDS = 20
_AGREES = 0.6
_SURE = 0.8
_PICTURE = 0.01


@dataclass(frozen=True, slots=True)
class BarePage:
    """A page that liteparse has not read: its number and its size in points."""

    page_num: int
    width: float
    height: float
    text: str = ""
    page_label: str | None = None
    words: tuple[Any, ...] = ()
    letters: Mapping[int, int] = field(default_factory=dict)
    blocks: tuple[Any, ...] = ()
    annotations: tuple[Any, ...] = ()
    form_fields: tuple[Any, ...] = ()


@dataclass(slots=True)
class Sources:
    """The lines that stand instead of liteparse's text on some pages, and what a person should know about them.

    `confidence` has the pages read by OCR, `empty` those in which OCR found nothing, `hidden` those whose invisible
    text is not what the page shows, `skipped` those past the limit, `unseen` those that PDFium can't draw; `layered`
    counts pages of mostly invisible text, and `suspect` says that the last one checked was wrong.
    """

    lines: dict[int, Sequence[Line]] = field(default_factory=dict)
    confidence: dict[int, float] = field(default_factory=dict)
    empty: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    unseen: list[int] = field(default_factory=list)
    tried: int = 0
    layered: int = 0
    suspect: bool = False

    def problems(self) -> list[str]:
        """Return sentences for a person."""
        found = []
        if self.hidden:
            found.append(
                f"Invisible text was left out (page {_numbers(self.hidden)}): it differs from what the page shows, "
                "which was read by OCR instead."
            )
        if self.skipped:
            found.append(
                f"Scanned pages after the first {ocr.MOST_PAGES} were not read (page {_numbers(self.skipped)}). "
                "Split the file into smaller ones."
            )
        if self.unseen:
            found.append(
                f"What is drawn could not be looked at (page {_numbers(self.unseen)}): text in pictures is missing, and "
                "text that nobody can see may be among what was read. Open the file in a PDF viewer, print or save it as "
                "a new PDF, and ingest that."
            )
        return found


def _numbers(pages: Sequence[int]) -> str:
    """Return page numbers, no more than ten of them."""
    return ", ".join(map(str, pages[:10])) + (", ..." if len(pages) > 10 else "")


def choose(
    sources: Sources,
    source: Path | bytes,
    password: str | None,
    pages: Sequence[Any],
    seen: Mapping[int, Glance],
    spoilt: Collection[int] = (),
) -> None:
    """Add what stands instead of liteparse's text on those of some pages where that is missing or can't be trusted.

    `seen` says what is drawn on each page that could be looked at. `spoilt` pages still hold hidden text: of them only what
    is seen is read.
    """
    bare = {page.page_num for page in pages if isinstance(page, BarePage)}
    asked = [page.page_num for page in pages if page.page_num not in bare and _may_need(page, seen.get(page.page_num))]
    wanted = bare | in_doubt(source, password, asked) | set(spoilt)
    doubtful = [page for page in pages if page.page_num in wanted]
    if not doubtful:
        return
    try:
        with opened(source, password) as document:
            for page in doubtful:
                drawn = look(document, page.page_num)
                if drawn is None:
                    sources.unseen.append(page.page_num)
                    continue
                if page.page_num in spoilt:
                    _read(sources, document, page.page_num, ())
                    continue
                if len(drawn.hidden) > drawn.shown:
                    sources.layered += 1
                check = sources.suspect or sources.layered in (1, 2) or sources.layered % 10 == 0
                sources.suspect = _source(sources, document, page, drawn, check)
    except UnreadableFile:  # PDFium can't open what liteparse could
        sources.unseen += [page.page_num for page in doubtful]


def _may_need(page: Any, glance: Glance | None) -> bool:
    """Say whether another source than liteparse's text may be better: there is no text, it is codes, nobody sees it, or there is
    hardly any beside pictures. Asking liteparse itself about every page takes a fifth of its time."""
    text = page.text
    if glance is None or glance.invisible or not _WORD.search(text) or garbled(text):
        return True
    return glance.pictures and len(_WORD.findall(text)) < _FEW_WORDS


def _source(sources: Sources, document: PdfDocument, page: Any, seen: Look, check: bool) -> bool:
    """Choose one page's text; returns whether its invisible text was found wrong, so that the next is checked too.

    Text in invisible ink is what a scanner's OCR leaves, or a trap: nobody sees it. It is kept when the page has ink
    where it stands and, on the pages that are checked, our own OCR reads mostly the same words.
    """
    number = page.page_num
    text = page.text
    if isinstance(page, BarePage):
        plain = lines_of(document, number) or []
        text = " ".join(word.text for line in plain for word in line.words)
        if text.strip():
            sources.lines[number] = plain
    words = _WORD.findall(text)
    if not words:
        if seen.drawn or seen.shown or seen.hidden:
            _read(sources, document, number, ())
            if number in sources.empty and seen.images < _PICTURE:
                sources.empty.remove(number)  # a ruler or a frame on an empty page
        return False
    if garbled(text):
        _read(sources, document, number, ())
        return False
    if seen.hidden:
        blank = without_ink(document, number, seen.hidden)
        if blank is None:
            sources.unseen.append(number)
            return False
        if blank > 0.1 or (check and len(seen.hidden) > seen.shown):
            return _read(sources, document, number, words, hidden=True)
        return False
    if seen.images > 0.5 and len(words) < _FEW_WORDS:
        _read(sources, document, number, words)
    return False


def _read(sources: Sources, document: PdfDocument, number: int, layer: Sequence[str], hidden: bool = False) -> bool:
    """Read a page by OCR and take its lines, unless the words of its `layer` are as good; True when they differ."""
    if sources.tried >= ocr.MOST_PAGES:
        sources.skipped.append(number)
        return False
    sources.tried += 1
    found = image_of(document, number, ocr.DPI)
    if found is None:
        sources.unseen.append(number)
        return False
    seen = ocr.see(found[0], number, found[1])
    if not seen.words:
        if not layer:
            sources.empty.append(number)
        elif hidden:  # nothing that anybody could see
            sources.lines[number] = ()
            sources.hidden.append(number)
        return hidden
    if layer and not hidden and (seen.words < 1.5 * len(layer) + 5 or seen.confidence < _SURE):
        return False  # a picture behind little text
    if hidden and agreement(layer, [w.text for line in seen.lines for w in line.words]) >= _AGREES:
        return False
    sources.lines[number] = seen.lines
    sources.confidence[number] = round(seen.confidence, 3)
    if hidden:
        sources.hidden.append(number)
    return True


def agreement(layer: Sequence[str], read: Sequence[str]) -> float:
    """Return the share of words, of the longer of two lists, that stand in both; case and punctuation don't count."""
    ours, theirs = (Counter(_WORD.findall(" ".join(words).casefold())) for words in (read, layer))
    return sum((ours & theirs).values()) / max(1, ours.total(), theirs.total())


def garbled(text: str) -> bool:
    """Say whether a text layer has codes instead of letters: unmapped characters, or letters without vowels."""
    signs = Counter(text)
    solid = sum(count for sign, count in signs.items() if not sign.isspace())
    strange = sum(count for sign, count in signs.items() if not sign.isspace() and _is_strange(sign))
    strange += sum(len(code) for code in _CID.findall(text))
    if strange > 0.15 * max(1, solid):
        return True
    folded = Counter(text.casefold())
    letters = sum(folded[letter] for letter in _LATIN)
    return letters > 200 and letters > 0.5 * solid and sum(folded[vowel] for vowel in _VOWELS) < 0.22 * letters


def _is_strange(sign: str) -> bool:
    return sign == "\ufffd" or unicodedata.category(sign) in ("Cc", "Co", "Cn", "Cs")
