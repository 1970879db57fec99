"""Checks what a model's reply claims against the passages: where it may stand, and whether that place says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rag.answer_type import kind_asked, needs_own_words
from rag.contradiction import contradicts
from rag.instructions import instructions, without
from rag.other_name import puts_other_name
from rag.part_of import is_of_whole
from rag.passages import Passage
from rag.prompt import Reply
from rag.quantities import Place, exact, units_in
from rag.quote import locate
from rag.respectively import confuses
from rag.retrieve import Found
from rag.rows import PER_SHARE, SCALE, caption, cells, group_row, header_row
from rag.shapes import Hit
from rag.words import MONTHS, STOP_WORDS, content_words, denies, numbers, sentences, stem, stems, tokens

OWN_WORDS = 0.5
"""Share of an answer's words that must stand in its passage, its headings or the question."""
SAID_SHARE = 0.6
"""Share of a statement's words that must stand in the sentence or row that says it, its header, caption or headings."""
FEW_WORDS = 3
"""Fewer words than these may say the same in other words, or in another language."""
_FORM = 4
"""First letters that other forms of a word have, in languages whose endings we don't know."""
_COUNTED = re.compile(r"\d\s+([^\W\d_]{3,})")
_PRONOUN = re.compile(r"\W*(?:he|she|it|they|his|her|its|their|this|these|that|those|such|both|the)\b", re.IGNORECASE)
_PIECE = 8
"""Words of which a sentence has more: less is a line of a form, or of signatures."""
_BESIDE = 3
"""Lines beside a piece that belong to it."""
_NAME = re.compile(r"\b[A-ZÀ-Þ][^\W\d_]+(?: [A-Z]\.?)?(?: [A-ZÀ-Þ][^\W\d_]+)+")
_APART = 5
"""Words that the parts of one name may stand apart."""
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
    """Return whether a place says the numbers, units, dates and names of an answer (see `rag.quantities`), of the year that is
    meant, and most of its words stand around it."""
    passage = found.passage
    quoted = passage.text[place[0] - passage.start : place[1] - passage.start]
    above = "\n".join([header_row(passage, place[0]), caption(passage, place[0]), passage.heading])
    # a unit may stand in another row: accounts write the currency in the first row only
    around = f"{above}\n{passage.context}\n{without(passage.text, instructions(passage.text))}"
    known_above = f"{passage.context} {Path(passage.path).stem} {question}"
    known = f"{around} {known_above}"
    if (
        not _own_words(answer, known)
        or not _names(answer, question) <= stems(f"{_said_by(passage, place)} {above} {known_above}")
        or not _counted_there(answer, f"{quoted} {above} {passage.context} {question}")
        or not _in_one_name(answer, known)
        or confuses(answer, question, quoted)
        or contradicts(answer, question, quoted, above)
        or puts_other_name(answer, quoted)
        or is_of_whole(answer, question, quoted)
    ):
        return False
    return exact(
        answer, question, Place(quoted, above, f"{around} {Path(passage.path).stem}", _columns(passage, place, quoted))
    )


def _said_by(passage: Passage, place: tuple[int, int]) -> str:
    """Return the sentence or row at a place, with the lines beside it where it is only a piece or begins with a pronoun: who
    signs stands in the line above, who "she" is in the sentence before."""
    start, end = place[0] - passage.start, place[1] - passage.start
    quoted = passage.text[start:end]
    parts = list(sentences(passage.text))
    first = next((at for at, (_, stop) in enumerate(parts) if stop > start), 0)
    last = max((at for at, (begin, _) in enumerate(parts) if begin < end), default=first)
    piece = quoted.startswith("|") or len(quoted.split()) < _PIECE or quoted[-1:] not in ".!?;"
    if piece or _PRONOUN.match(quoted):
        first, last = max(0, first - _BESIDE), min(len(parts) - 1, last + (_BESIDE if piece else 0))
    return passage.text[min(start, parts[first][0]) : max(end, parts[last][1])] if parts else quoted


def _names(answer: str, question: str) -> set[str]:
    """Return the stems of the names in an answer: the words with a capital, of its first two only if that is what is asked for,
    or if both have one."""
    words = [word for word in tokens(answer) if word.lower() not in STOP_WORDS]
    counts = kind_asked(question) in ("person", "place") or all(word[0].isupper() for word in words[:2])
    return {stem(word) for word in (words if counts else words[1:]) if word[0].isupper()}


def _columns(passage: Passage, place: tuple[int, int], quoted: str) -> list[tuple[str, str]]:
    """Return the cells of a table row with what stands above each, with the scale of the whole table where it has one."""
    if not quoted.startswith("|"):
        return []
    row, header = cells(quoted), cells(header_row(passage, place[0]))
    titles = header if len(header) == len(row) else [""] * len(row)
    scale = SCALE.search(f"{titles[0]} {caption(passage, place[0])}")
    whole = scale.group() if scale and not PER_SHARE.search(f"{row[0]} {group_row(passage, place[0])}") else ""
    return [(cell, title if units_in(title) else f"{title} {whole}") for cell, title in zip(row, titles, strict=True)]


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
    share = sum(stem(word) in there for word in words) / len(words)
    return _names(statement, question) <= around and share >= SAID_SHARE


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
    if own == said and needs_own_words(question) and said <= stems(question):
        return False
    return len(own) < FEW_WORDS or len(own & there) >= SAID_SHARE * len(own)


def _own_words(answer: str, around: str) -> bool:
    """Return whether an answer is made of the words around its quote, and names no address that isn't there: one that is not
    says something else, or says it in another writing."""
    if any(address not in around.lower() for address in _ADDRESS.findall(answer.lower())):
        return False
    said, there = stems(" ".join(content_words(answer))), stems(around)
    return len(said) < FEW_WORDS or len(said & there) >= OWN_WORDS * len(said)


def _counted_there(answer: str, there: str) -> bool:
    """Return whether what a short answer counts stands where it is said to: no people in a row of euros."""
    if len(stems(" ".join(content_words(answer)))) >= FEW_WORDS:
        return True
    begun = {word[:_FORM] for word in stems(there)}
    return all(word[:_FORM] in begun for word in _counted(answer))


def _in_one_name(answer: str, around: str) -> bool:
    """Return whether the parts of each name in an answer stand together: "Ann Brown" is neither Ann Smith nor Tom Brown."""
    there = [stem(word) for word in tokens(around)]
    for run in _NAME.findall(answer):
        parts = [stem(word) for word in tokens(run)]
        first = [at for at, word in enumerate(there) if word == parts[0]]
        if (
            first
            and parts[-1] in there
            and not any(parts[-1] in there[max(0, at - _APART) : at + _APART + 1] for at in first)
        ):
            return False
    return True


def _counted(answer: str) -> list[str]:
    """Return the stems of the words behind numbers that say what is counted, units and months left out: "14,600 bicycles"."""
    words = [word.lower() for word in _COUNTED.findall(answer)]
    return [stem(word) for word in words if not (word in STOP_WORDS or word in MONTHS or units_in(word))]


def whole(passage: Passage, start: int, end: int) -> tuple[int, int]:
    """Widen a span to whole sentences or table rows, so that a quote can't leave out what follows in its sentence."""
    touched = [
        (passage.start + a, passage.start + b)
        for a, b in sentences(passage.text)
        if passage.start + a < end and passage.start + b > start
    ]
    return (min(start, touched[0][0]), max(end, touched[-1][1])) if touched else (start, end)
