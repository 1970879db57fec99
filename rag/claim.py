"""Checks whether what a model claims rests on a passage: its quote, its numbers, its units."""

from __future__ import annotations

from collections.abc import Iterator

from rag.passages import Passage
from rag.prompt import Reply
from rag.quote import locate
from rag.retrieve import Found
from rag.rows import caption, header_row
from rag.shapes import Hit
from rag.words import numbers, sentences, units


def places(reply: Reply, found: Found, item: Hit) -> Iterator[tuple[Found, tuple[int, int]]]:
    """Yield the sentences or rows of a sent passage that a reply may rest on: where its quote stands, and the table rows that
    have all of the answer's numbers."""
    passage = found.passage
    if place := locate(reply.quote, item.text):
        yield found, _sentences_of(passage, item.start + place[0], item.start + place[1])
    wanted = numbers(reply.answer)
    for start, end in sentences(item.text):
        row = item.text[start:end]
        if wanted and row.startswith("|") and wanted <= numbers(row):
            yield found, (item.start + start, item.start + end)


def states(answer: str, question: str, found: Found, place: tuple[int, int]) -> bool:
    """Return whether the numbers of an answer stand at a place, or above it or in the question, and its units around it."""
    passage = found.passage
    quoted = passage.text[place[0] - passage.start : place[1] - passage.start]
    above = f"{header_row(passage, place[0])} {caption(passage, place[0])} {passage.heading}"
    # a unit may stand in another row: accounts write the currency in the first row only
    around = f"{above} {passage.context} {passage.text}"
    return numbers(answer) <= numbers(f"{quoted} {above} {question}") and units(answer) <= units(f"{around} {question}")


def _sentences_of(passage: Passage, start: int, end: int) -> tuple[int, int]:
    """Widen a span to whole sentences or table rows, so that a quote can't leave out what follows in its sentence."""
    touched = [
        (passage.start + a, passage.start + b)
        for a, b in sentences(passage.text)
        if passage.start + a < end and passage.start + b > start
    ]
    return (min(start, touched[0][0]), max(end, touched[-1][1])) if touched else (start, end)
