"""Joins what was found into hits: neighbours grow together, a page comes once, the same text comes once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from rag.passages import Passage
from rag.retrieve import Found
from rag.shapes import Hit, Place
from rag.words import numbers

ALIKE = 0.9
"""Share of common words from which on two passages with the same numbers are one text."""
_COMPARED = 200
"""Passages that are looked through for one search."""


@dataclass(slots=True)
class Joined:
    """A hit in the making: the passage that was found best, the characters shown with their text, and other places that belong
    to it."""

    lead: Found
    start: int
    end: int
    text: str
    also: list[Passage] = field(default_factory=list)
    words: frozenset[str] = frozenset()
    _numbers: frozenset[str] | None = None

    def __post_init__(self) -> None:
        self.words = frozenset(self.lead.passage.text.casefold().split())

    @property
    def numbers(self) -> frozenset[str]:
        if self._numbers is None:
            self._numbers = frozenset(numbers(self.lead.passage.text))
        return self._numbers


def join(
    found: Sequence[Found],
    limit: int,
    paged: Collection[str],
    per_document: int | None = None,
    spread: int = 0,
    longest: int = 2000,
) -> list[Joined]:
    """Return at most `limit` hits in order of their best passages.

    Of a document with pages (`paged`) passages of one page are one hit: those that touch it make it longer, up to `longest`
    characters, the others are named as places of it. A passage that says what a hit before it says, numbers included, is a
    place of that hit. Hits of one document beyond `per_document` are left out; those beyond `spread` (0: any number) of a
    document that the question does not name come after the hits of others.
    """
    later: list[Joined] = []
    hits: list[Joined] = []
    by_page: dict[tuple[str, int, bool, str], Joined] = {}
    counts: dict[str, int] = {}
    for item in found[:_COMPARED]:
        passage = item.passage
        page = (passage.document_id, passage.page, passage.hidden, passage.made_by)
        if (there := by_page.get(page)) is not None:
            _take_in(there, passage, longest)
            continue
        hit = Joined(item, passage.start, passage.end, passage.text)
        if (same := _said_before(hit, [*hits, *later])) is not None:
            same.also.append(passage)
            continue
        before = counts.get(passage.document_id, 0)
        if len(hits) == limit or (per_document is not None and before >= per_document):
            continue
        (later if spread and before >= spread and not item.named else hits).append(hit)
        counts[passage.document_id] = before + 1
        if passage.document_id in paged:
            by_page[page] = hit
    return [*hits, *later][:limit]


def also_found(sent: Sequence[tuple[Found, Hit]], found: Sequence[Found], paged: Collection[str]) -> list[Hit]:
    """Return hits that go to a model with the other places that were found for them: where the same text stands, and, in a
    document with pages (`paged`), passages of the same page that are not sent themselves."""
    going = {lead.passage.chunk_id for lead, _ in sent}
    rest = [item.passage for item in found if item.passage.chunk_id not in going]
    hits = []
    for lead, hit in sent:
        mine = lead.passage
        places = [
            place_of(other)
            for other in rest
            if other.text == mine.text
            or (mine.document_id in paged and (other.document_id, other.page) == (mine.document_id, mine.page))
        ]
        hits.append(hit.model_copy(update={"also": places}))
    return hits


def place_of(passage: Passage) -> Place:
    """Return where a passage stands."""
    return Place(
        document_id=passage.document_id,
        version=passage.version,
        path=passage.path,
        page=passage.page,
        start=passage.start,
        end=passage.end,
    )


def _take_in(hit: Joined, passage: Passage, longest: int) -> None:
    """Make a hit longer by a passage that touches it, or note the passage as a place of it."""
    start, end = min(hit.start, passage.start), max(hit.end, passage.end)
    touches = passage.start in (hit.end, hit.start) or passage.end in (hit.start, hit.end)
    if touches and end - start <= longest:
        # both are cut out of the same text
        first, second = sorted(((hit.start, hit.text), (passage.start, passage.text)), key=lambda part: part[0])
        hit.text = first[1] + second[1][max(0, first[0] + len(first[1]) - second[0]) :]
        hit.start, hit.end = start, end
    else:
        hit.also.append(passage)


def _said_before(mine: Joined, hits: Sequence[Joined]) -> Joined | None:
    words, passage, size = mine.words, mine.lead.passage, len(mine.words)
    for hit in hits:
        # texts whose numbers of words differ so much can't share enough of them
        theirs = hit.words
        if not ALIKE * size <= len(theirs) <= size / ALIKE:
            continue
        other = hit.lead.passage
        if (passage.hidden, passage.made_by) != (other.hidden, other.made_by):
            continue  # what is shown does not become a place of what is hidden, or made by a model
        common = len(words & theirs)
        if common >= ALIKE * (size + len(theirs) - common) and mine.numbers == hit.numbers:
            return hit
    return None
