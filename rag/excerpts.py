"""Chooses what of the passages may support an answer and go to the model: the sentences around the best, no instructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from ingest.ports import Embedder
from rag.answer_type import lacks_name, with_date
from rag.catalog import Catalog
from rag.evidence import SURE, Asked, Support, weigh
from rag.figure_asked import lacks_figure, lacks_share, lacks_time
from rag.hits import hit
from rag.instructions import instructions, without
from rag.passages import Passage
from rag.prompt import Excerpt
from rag.quantities import with_units
from rag.retrieve import Found
from rag.rows import caption, header_row
from rag.shapes import Answer, Hit, Side
from rag.span_reader import Marked, SpanReader
from rag.words import sentences

READ = 4
"""Passages that the reader reads."""
EVIDENCE = 6.0
"""What a sentence's own chance to answer counts beside the reader's score, where several passages have marks."""
UNSURE = 2 * SURE
"""The reader's score where what it marked can't be the answer."""
READ_LANGUAGES = ("en", None)
"""Languages that the reader was trained on; where a text is too short to tell, it is read."""
Spot = tuple[str, str, int, int]
"""Document, version, and the characters [start, end) of its text."""
NOWHERE: Spot = ("", "", 0, 0)
LATEST = 0.5
"""Of the best sentence's chance to answer, what one of the latest document must have to be taken instead."""


def sources(found: Sequence[Found], catalog: Catalog) -> tuple[list[Found], list[Found]]:
    """Return what may be quoted, and descriptions of pictures, which may not: in the place of each stands the text of its page,
    where there is any."""
    kept: dict[str, Found] = {}
    described = []
    for item in found:
        passage = item.passage
        if not passage.made_by:
            kept.setdefault(passage.chunk_id, item)
            continue
        described.append(item)
        for near in catalog.passages_of(passage.document_id):
            if near.page == passage.page and not near.made_by and not near.hidden:
                kept.setdefault(near.chunk_id, replace(item, passage=near))
    return list(kept.values()), described


def support(
    question: str,
    asked: Asked,
    found: Sequence[Found],
    catalog: Catalog,
    embedder: Embedder,
    reader: SpanReader | None,
    guarded: bool = True,
) -> tuple[list[Support], bool]:
    """Return the sentences that may support an answer, best first, and whether any was left out as an instruction. Those of
    older documents are left out where a question asks for the latest."""
    supports = weigh(question, asked, found, embedder)
    kept = [one for one in supports if not guarded or not orders(one.found.passage, one.start, one.end)]
    latest = _latest(question, kept, catalog)
    return (read(question, latest, catalog, reader) if reader else latest), len(kept) < len(supports)


def read(question: str, supports: list[Support], catalog: Catalog, reader: SpanReader) -> list[Support]:
    """Return the supports as the reader sees them: the sentences that it finds an answer in say so, and the best of them comes
    first, unless a table row does. It reads the passages of the best supports, those in a language that it was trained on."""
    passages: dict[str, Passage] = {}
    for one in supports:
        passages.setdefault(one.found.passage.text, one.found.passage)
    chosen = list(passages.values())[:READ]
    spoken = catalog.languages([passage.document_id for passage in chosen])
    chosen = [passage for passage in chosen if spoken.get(passage.document_id) in READ_LANGUAGES]
    parts = [[(one.start - p.start, one.end - p.start) for one in supports if one.found.passage is p] for p in chosen]
    found = reader.read(question, [passage.text for passage in chosen], parts)
    marks = {
        (passage.chunk_id, *part): mark
        for passage, some, marked in zip(chosen, parts, found, strict=True)
        for part, mark in zip(some, marked, strict=True)
    }
    seen = [_marked(question, one, marks) for one in supports]
    sure = [one for one in seen if one.read is not None and one.read >= SURE and one.features.states]  # no headings
    if not sure or seen[0].text.startswith("|"):
        return seen
    best = max(sure, key=lambda one: (one.read or 0.0) + EVIDENCE * one.score)
    return [best, *(one for one in seen if one is not best)]


def _marked(question: str, one: Support, marks: Mapping[tuple[str, int, int], Marked | None]) -> Support:
    """Return a support with what the reader marked in it; it is sure of no words that lack the figure, share, time or person's
    name that is asked for."""
    start = one.found.passage.start
    mark = marks.get((one.found.passage.chunk_id, one.start - start, one.end - start))
    if mark is None:
        return one
    text = one.found.passage.text
    words = with_date(text, *with_units(text, mark.start, mark.end))
    lacking = lacks_figure(question, words) or lacks_name(question, words) or lacks_time(question, words)
    if lacking or (not one.text.startswith("|") and lacks_share(question, words)):  # a row's header may say the unit
        return replace(one, read=min(mark.score, UNSURE))
    return replace(one, marked=(start + mark.start, start + mark.end), read=mark.score)


def _latest(question: str, supports: list[Support], catalog: Catalog) -> list[Support]:
    """Return the supports without those of older documents, where a question asks for the latest and that one says about as
    much."""
    kept = catalog.naming.without_older(question, [item.found.passage.document_id for item in supports])
    newest = [item for item in supports if item.found.passage.document_id in kept]
    return newest if newest and newest[0].score >= LATEST * supports[0].score else supports


def orders(passage: Passage, start: int, end: int) -> tuple[tuple[int, int], ...]:
    """Return the instructions within the characters [start, end) of a passage's version, as places in them."""
    low, high = start - passage.start, end - passage.start
    given = instructions(passage.text)
    return tuple((max(a, low) - low, min(b, high) - low) for a, b in given if a < high and b > low)


def shown(
    supports: Sequence[Support],
    catalog: Catalog,
    embedder: Embedder,
    most: int,
    tokens: int,
    before: Sequence[Spot] = (),
) -> list[tuple[Found, Hit]]:
    """Return the passages to send, best support first, each cut to the sentences around its best one, or as it was sent
    `before` where that has its best one; a text that stands in several documents is sent once."""
    chosen: dict[str, Support] = {}
    for one in supports:
        chosen.setdefault(one.found.passage.text, one)
    return [
        (one.found, hit(catalog, one.found, rank, *_window(one, embedder, tokens, before)))
        for rank, one in enumerate(list(chosen.values())[:most], start=1)
    ]


def in_place(sent: Sequence[tuple[Found, Hit]], before: Sequence[Spot]) -> list[tuple[Found, Hit]]:
    """Return passages in their order in the prompt: first those that the prompt `before` began with, as they stood there, so
    that a model's server has read them, then the others by rank."""
    left = {place(item): (found, item) for found, item in sent}
    same = takewhile(left.__contains__, dict.fromkeys(before))
    return [*(left.pop(spot) for spot in same), *left.values()]


def sent_in(answer: Answer) -> list[Spot]:
    """Return the passages that a model was sent for an answer, in their order in the prompt."""
    ranks = answer.generation.passages if answer.generation else []
    spots = {item.rank: place(item) for item in answer.passages}
    return [spots[rank] for rank in ranks]


def place(item: Hit | Side) -> Spot:
    """Return where a text stands."""
    return item.document_id, item.version, item.start, item.end


def excerpt(found: Found, item: Hit, guarded: bool = True) -> Excerpt:
    """Return a passage for the prompt, without the instructions in it; one that begins inside a table gets the table's
    caption and header row in front."""
    above = (caption(found.passage, item.start), header_row(found.passage, item.start))
    if not guarded:
        return Excerpt(item.path, item.page, item.heading, "\n".join([*filter(None, above), item.text]))
    told = instructions(Path(item.path).stem.replace("_", " "))
    text = without(item.text, orders(found.passage, item.start, item.end))
    return Excerpt(
        f"document{Path(item.path).suffix}" if told else item.path,
        item.page,
        "" if instructions(item.heading) else item.heading,
        "\n".join([*(line for line in above if line and not instructions(line)), text]),
    )


def _again(one: Support, before: Sequence[Spot], embedder: Embedder, most: int) -> tuple[int, int] | None:
    """Return the characters that were sent before of a support's passage, where they hold its sentence, within a limit."""
    passage = one.found.passage
    for document_id, version, start, end in before:
        if (document_id, version) == (passage.document_id, passage.version) and (
            passage.start <= start <= one.start and one.end <= end <= passage.end
        ):
            text = passage.text[start - passage.start : end - passage.start]
            return (start, end) if embedder.count([text])[0] <= most else None
    return None


def _window(one: Support, embedder: Embedder, most: int, before: Sequence[Spot]) -> tuple[int, int]:
    """Return what was sent before; else grow from the best sentence to its neighbours, in turn before and after, within the
    token limit."""
    if again := _again(one, before, embedder, most):
        return again
    passage = one.found.passage
    spans = [(passage.start + start, passage.start + end) for start, end in sentences(passage.text)]
    tokens = embedder.count([passage.text[a - passage.start : b - passage.start] for a, b in spans])
    at = spans.index((one.start, one.end))
    low, high, size = at, at, tokens[at]
    grew = True
    while grew:
        grew = False
        for step in (-1, 1):
            near = low - 1 if step < 0 else high + 1
            if 0 <= near < len(spans) and size + tokens[near] <= most:
                low, high, size, grew = min(low, near), max(high, near), size + tokens[near], True
    return spans[low][0], spans[high][1]
