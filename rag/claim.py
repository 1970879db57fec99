"""Checks what a model's reply claims against the passages: where it may stand, and whether that place says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rag.instructions import instructions, without
from rag.passages import Passage
from rag.prompt import Reply
from rag.quote import locate
from rag.retrieve import Found
from rag.rows import caption, header_row
from rag.shapes import Hit
from rag.words import content_words, denies, numbers, sentences, stem, stems, units

OWN_WORDS = 0.5
"""Share of an answer's words that must stand in its passage, its headings or the question."""
SAID_SHARE = 0.6
"""Share of a statement's words that must stand in the sentence or row that says it, its header, caption or headings."""
FEW_WORDS = 3
"""Fewer words than these may say the same in other words, or in another language."""
_ADDRESS = re.compile(r"https?:\S+|www\.\S+|[\w.+-]+@[\w-]+\.\w+|\b[\w-]+\.(?:com|net|org|io|xyz|info|biz|ru|cn)\b")


def places(reply: Reply, found: Found, item: Hit) -> Iterator[tuple[Found, tuple[int, int]]]:
    """Yield the sentences or rows of a sent passage that a reply may rest on: where its quote stands, and the table rows that
    have all of the answer's numbers."""
    passage = found.passage
    if place := locate(reply.quote, item.text):
        yield found, whole(passage, item.start + place[0], item.start + place[1])
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
    around = f"{above} {passage.context} {without(passage.text, instructions(passage.text))}"
    if not _own_words(answer, f"{around} {Path(passage.path).stem} {question}"):
        return False
    return numbers(answer) <= numbers(f"{quoted} {above} {question}") and units(answer) <= units(f"{around} {question}")


def holds(statement: str, question: str, found: Found, place: tuple[int, int]) -> bool:
    """Return whether the sentence or row at a place says a statement: its numbers and units (see `states`), most of its words,
    its names, and a denial only where the place denies too."""
    passage = found.passage
    quoted = passage.text[place[0] - passage.start : place[1] - passage.start]
    if not states(statement, question, found, place) or denies(statement) != denies(quoted):
        return False
    there = stems(f"{quoted} {header_row(passage, place[0])} {caption(passage, place[0])} {passage.heading}")
    around = there | stems(f"{passage.context} {Path(passage.path).stem} {question}")
    words = content_words(statement)
    names = {stem(word) for word in words[1:] if word[0].isupper()}
    share = sum(stem(word) in there for word in words) / len(words)
    return names <= around and share >= SAID_SHARE


def adds(answer: str, question: str, found: Found, place: tuple[int, int]) -> bool:
    """Return whether what an answer says beyond its question stands at a place: a figure of its own (see `states`), or most of
    its own words. One that only repeats the question must have most of its words there."""
    if numbers(answer) - numbers(question):
        return True
    passage = found.passage
    quoted = passage.text[place[0] - passage.start : place[1] - passage.start]
    there = stems(f"{quoted} {header_row(passage, place[0])} {caption(passage, place[0])} {passage.heading}")
    said = stems(" ".join(content_words(answer)))
    own = said - stems(question) or said
    return len(own) < FEW_WORDS or len(own & there) >= SAID_SHARE * len(own)


def _own_words(answer: str, around: str) -> bool:
    """Return whether an answer is made of the words around its quote, and names no address that isn't there: one that is not
    says something else, or says it in another writing."""
    if any(address not in around.lower() for address in _ADDRESS.findall(answer.lower())):
        return False
    said = stems(" ".join(content_words(answer)))
    return len(said) < FEW_WORDS or len(said & stems(around)) >= OWN_WORDS * len(said)


def whole(passage: Passage, start: int, end: int) -> tuple[int, int]:
    """Widen a span to whole sentences or table rows, so that a quote can't leave out what follows in its sentence."""
    touched = [
        (passage.start + a, passage.start + b)
        for a, b in sentences(passage.text)
        if passage.start + a < end and passage.start + b > start
    ]
    return (min(start, touched[0][0]), max(end, touched[-1][1])) if touched else (start, end)
