"""Splits a reading into chunks that the embedder reads whole, along the document's own structure.

The document is cut into units (paragraphs, list items, headings, table rows; over-long ones into sentences), and units
are packed in order into chunks. A chunk never crosses a page, a new section starts a new chunk, text that is hidden in the
document stands in chunks of its own, and the chunks partition the text: each begins where the one before ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from ingest.elements import DESCRIBED, Element, Reading
from ingest.ports import Chunk
from ingest.sentences import sentences

Count = Callable[[Sequence[str]], list[int]]
"""Numbers of tokens of some texts, special tokens not counted."""

CHUNK_TOKENS = 200
"""Longest text of a chunk. MiniLM reads 256 tokens, two of them special; the rest is room for the context."""
CONTEXT_TOKENS = 52
"""Longest context in front of a chunk: heading path, table caption and table header."""
SECTION_TOKENS = 50
"""A section shorter than this is joined with the next one instead of standing alone."""
UNIT_CHARACTERS = 4000
"""Longest unit in characters: a tokenizer may count a run of any length without spaces as one unknown token."""

COUNTED_AT_ONCE = 500
"""Texts whose tokens are counted in one call; what the tokenizer keeps of each is ten times its size."""

_CONTENTS = re.compile(
    r"\W*(table of )?contents\W*|\W*(inhalt(sverzeichnis)?|sommaire|índice|indice)\W*", re.IGNORECASE
)

SPLITTER = f"split-4/{CHUNK_TOKENS}/{CONTEXT_TOKENS}/{SECTION_TOKENS}"
"""Fingerprint of these rules; part of a version's identity."""


@dataclass(frozen=True, slots=True)
class _Unit:
    start: int
    end: int
    page: int
    heading: str
    opens_section: bool = False
    table_header: str = ""  # for a table row: what a chunk that starts with it has to repeat
    tokens: int = 0
    apart: str = ""  # text of another kind: hidden, or made by a model


def split(reading: Reading, count: Count) -> tuple[Chunk, ...]:
    """Return the chunks of a reading; their spans partition its text, and context + text has at most 252 tokens."""
    firsts = [group[0] for group in _pack(_measured(reading, count))]
    if not firsts:
        return ()
    starts = [0, *(first.start for first in firsts[1:]), len(reading.text)]
    contexts = _contexts(firsts, count)
    return tuple(
        Chunk(ordinal, start, end, firsts[ordinal].page, firsts[ordinal].heading, contexts[ordinal])
        for ordinal, (start, end) in enumerate(pairwise(starts))
    )


def _measured(reading: Reading, count: Count) -> Iterator[_Unit]:
    """Yield units of a length that a chunk can hold, measured some at a time: a long document has a hundred thousand."""
    units = _units(reading)
    while some := list(islice(units, COUNTED_AT_ONCE)):
        yield from _shorten(_measure(some, reading.text, count), reading.text, count)


def _units(reading: Reading) -> Iterator[_Unit]:
    path: list[tuple[int, str]] = []
    before: Element | None = None
    headers: dict[int, str] = {}  # of the tables so far, by their start: a table goes on over pages
    for element in reading.elements:
        text = reading.text[element.start : element.end]
        if element.hidden:  # it is no heading, caption or header of what is shown
            kind = DESCRIBED if element.hidden.startswith(DESCRIBED) else "hidden"
            yield _Unit(element.start, element.end, element.page, "", apart=kind)
            continue
        if before is not None and element.page != before.page:  # a table of contents is no section for what follows
            path = [entry for entry in path if not _CONTENTS.fullmatch(entry[1])]
        opens = element.kind in ("title", "heading")
        if opens:
            level = max(1, element.level)
            path = [entry for entry in path if entry[0] < level] + [(level, " ".join(text.split()).strip("# "))]
        heading = " > ".join(name for _, name in path)
        above = headers.get(element.continues, "")
        if element.kind == "table" and (element.header_rows or above):
            header = _table_header(text, _caption(before, element, reading.text)) if element.header_rows else above
            if element.continues in headers and element.header_rows:
                header = above if header in above else header  # the same header again: the first one has the caption
            headers[element.start] = header
            yield from _table_units(element, text, heading, header)
        else:
            yield _Unit(element.start, element.end, element.page, heading, opens)
        before = element


def _caption(before: Element | None, table: Element, text: str) -> str:
    """Return the short line in front of a table, such as its units, or nothing."""
    if before is None or before.page != table.page or before.kind == "table" or before.end - before.start > 160:
        return ""
    return " ".join(text[before.start : before.end].split())


def _table_header(text: str, caption: str) -> str:
    """Return what a chunk that starts inside a table has to repeat: its caption and its header row."""
    return "\n".join(part for part in (caption, text.partition("\n")[0]) if part)


def _table_units(element: Element, text: str, heading: str, header: str) -> Iterator[_Unit]:
    lines = text.split("\n")
    at = element.start
    first = (
        1 + element.header_rows
    )  # the first row goes with the Markdown rule below it, a header with the row after it
    for number, line in enumerate(lines):
        end = at + len(line)
        if number == 0:
            end = at + len("\n".join(lines[: first + 1]))
            opening = (
                header if not element.header_rows else header.rpartition("\n")[0] if element.continues >= 0 else ""
            )
        if number == 0 or number > first:
            yield _Unit(at, min(end, element.end), element.page, heading, False, header if number else opening)
            at = end + 1


def _measure(units: list[_Unit], text: str, count: Count) -> list[_Unit]:
    """Return units with their numbers of tokens, counted together: a call for each costs more than the counting."""
    measured: list[_Unit] = []
    for at in range(0, len(units), COUNTED_AT_ONCE):
        some = units[at : at + COUNTED_AT_ONCE]
        tokens = count([text[unit.start : unit.end] for unit in some])
        measured += [replace(unit, tokens=number) for unit, number in zip(some, tokens, strict=True)]
    return measured


def _shorten(units: list[_Unit], text: str, count: Count) -> list[_Unit]:
    """Cut the units that are too long into sentences, or where there are none, words."""
    parts: dict[int, list[_Unit]] = {}
    for number, unit in enumerate(units):
        if unit.tokens > CHUNK_TOKENS or unit.end - unit.start > UNIT_CHARACTERS:
            cuts = _sentence_cuts(text[unit.start : unit.end], unit.tokens, count)
            parts[number] = [
                replace(unit, start=unit.start + a, end=unit.start + b, opens_section=unit.opens_section and a == 0)
                for a, b in pairwise(cuts)
            ]
    sizes = iter(_measure([part for some in parts.values() for part in some], text, count))
    return [
        part
        for number, unit in enumerate(units)
        for part in ([next(sizes) for _ in parts[number]] if number in parts else [unit])
    ]


def _sentence_cuts(text: str, tokens: int, count: Count) -> list[int]:
    # llama-index reports offsets by searching for the text, which goes wrong on repeated sentences, so only its strings
    # are used and a cursor of our own keeps the place. Imported here: it takes a second, and only long paragraphs need it.
    from llama_index.core.node_parser import SentenceSplitter

    found = sentences(text)
    known = dict(zip(found, count(found), strict=True)) | {text: tokens}  # it asks for the whole first, then for each
    splitter = SentenceSplitter(
        chunk_size=CHUNK_TOKENS,
        chunk_overlap=0,
        tokenizer=lambda piece: [0] * (known.get(piece) or count([piece])[0]),
        chunking_tokenizer_fn=sentences,
        include_metadata=False,
    )
    cuts, cursor = [0], 0
    for piece in splitter.split_text(text):
        at = text.find(piece.strip(), cursor)
        if at > cuts[-1]:
            cuts.append(at)
        if at >= 0:
            cursor = at + len(piece.strip())
    cuts.append(len(text))
    return [cut for start, end in pairwise(cuts) for cut in range(start, end, UNIT_CHARACTERS)] + [len(text)]


def _pack(units: Iterable[_Unit]) -> Iterator[list[_Unit]]:
    group: list[_Unit] = []
    size = 0
    for unit in units:
        full = size + unit.tokens > CHUNK_TOKENS
        new_section = unit.opens_section and size >= SECTION_TOKENS
        if group and unit.apart != group[0].apart:
            yield group
            group, size = [], 0
        if group and (full or new_section or unit.page != group[0].page):
            carried = _trailing_headings(group) if full and unit.page == group[0].page else []
            if carried and len(carried) < len(group) and sum(u.tokens for u in carried) + unit.tokens <= CHUNK_TOKENS:
                group = group[: -len(carried)]
                yield group
                group = carried
            else:
                yield group
                group = []
            size = sum(u.tokens for u in group)
        group.append(unit)
        size += unit.tokens
    if group:
        yield group


def _trailing_headings(group: Sequence[_Unit]) -> list[_Unit]:
    """Return the headings at the end of a group: they belong to what follows them."""
    number = 0
    while number < len(group) and group[-1 - number].opens_section:
        number += 1
    return list(group[len(group) - number :])


def _contexts(firsts: Sequence[_Unit], count: Count) -> list[str]:
    """Return for each chunk's first unit what goes in front of the chunk for embedding, cut to its limit."""
    contexts = [_context(first) for first in firsts]
    distinct = sorted(set(contexts))
    sizes = [n for at in range(0, len(distinct), COUNTED_AT_ONCE) for n in count(distinct[at : at + COUNTED_AT_ONCE])]
    fitting = {
        context: context if size <= CONTEXT_TOKENS else _cut_context(context, count)
        for context, size in zip(distinct, sizes, strict=True)
    }
    return [fitting[context] for context in contexts]


def _context(first: _Unit) -> str:
    """Return the heading path and the table header."""
    above = first.heading
    if first.opens_section:  # its own heading is in the text already
        above = above.rpartition(" > ")[0]
    return "\n".join(part for part in (above, first.table_header) if part)


def _cut_context(context: str, count: Count) -> str:
    """Return the longest run of words from the end that fits: the nearest headings matter most. Of a table header alone the
    label's title goes first, so that its columns stay."""
    header = context.rpartition("\n")[2]
    if header.startswith("| ") and count([header])[0] > CONTEXT_TOKENS:
        context = header = f"|  |{header[2:].partition(' |')[2]}"
    words = context.split(" ")
    low, high = 0, len(words)
    while low < high:
        middle = (low + high) // 2
        if count([" ".join(words[middle:])])[0] <= CONTEXT_TOKENS:
            high = middle
        else:
            low = middle + 1
    left = " ".join(words[low:])
    return header if len(left) < len(header) and count([header])[0] <= CONTEXT_TOKENS else left
