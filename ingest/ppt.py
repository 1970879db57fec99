"""Reads PowerPoint's old binary files (PPT): the text atoms of each slide in order, and its notes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from ingest.elements import Page, Reading, Writer
from ingest.errors import UnreadableFile
from ingest.ole import opened, properties, stream

_DOCUMENT, _SLIDE, _NOTES, _NOTES_ATOM = 1000, 1006, 1008, 1009
_LIST, _PERSIST, _HEADER, _CHARS, _BYTES, _CODE = 4080, 1011, 3999, 4000, 4008, 61453
_TITLES = {0, 6}
_DIRECTORY, _EDIT = 6002, 4085
_MAX_DEPTH = 40
_CUT = (
    "The presentation is damaged: text of some slides may be missing. "
    "Open it in the program it comes from, save it again, and ingest that."
)


def read_ppt(path: Path) -> Reading:
    """Read a PPT file: slides as pages, their titles as headings, notes after each."""
    with opened(path) as container:
        data = stream(container, "PowerPoint Document")
        current = stream(container, "Current User")
        if current[12:16] == b"\xdf\xc4\xd1\xf3" or (len(current) > 16 and current[12:16] == b"\xf3\xd1\xc4\xdf"):
            raise UnreadableFile("The presentation is encrypted and needs a password.", "Save a copy without it.")
        metadata = properties(container)
        writer, pages = Writer(), _write(data, current)
        count = 0
        for count, (texts, notes) in enumerate(pages, start=1):
            titled = False
            for kind, text in texts:
                heading = kind in _TITLES and not titled
                titled = titled or heading
                _add(writer, text, heading, count)
            for _, text in notes:
                _add(writer, text, False, count)
    if not writer.elements:
        raise UnreadableFile("The presentation has no text.", "If it shows text as pictures, export it as PDF.")
    title = metadata.pop("title", None)
    problems = [_CUT] if _is_cut(data) else []
    return writer.reading([Page(number) for number in range(1, count + 1)], title, problems, metadata)


def _is_cut(data: bytes) -> bool:
    """Say whether the records of a presentation go on after its end, or something else than records comes in between."""
    end = 0
    for _, _, begin, stop in _records(data, 0, len(data)):
        length = struct.unpack_from("<I", data, begin - 4)[0]
        if stop - begin < length:
            return True
        end = stop
    return len(data) - end >= 8


Texts = list[tuple[int, str]]
"""(kind of text: 0 a title, 1 a body, 2 notes, 4 other, 6 a centred title; the text)."""


def _add(writer: Writer, text: str, heading: bool, page: int) -> None:
    """Append the paragraphs of one text."""
    if heading:
        writer.add("heading", " ".join(text.split()), page=page, level=1)
        return
    for part in text.split("\n"):
        writer.add("paragraph", part.strip(), page=page)


def _write(data: bytes, current: bytes) -> list[tuple[Texts, Texts]]:
    """Return (texts, notes) of each slide in the order in which they are shown."""
    places = _places(data, current)
    document = next((record for record in _records(data, 0, len(data)) if record[0] == _DOCUMENT), None)
    newest = places.get(1)
    if newest is not None:
        document = next(iter(_records(data, newest, len(data))), document)
    if document is None:
        return []
    slides: list[tuple[int, int, Texts]] = []
    notes: list[tuple[int, int, Texts]] = []
    for kind, instance, begin, end in _records(data, document[2], document[3]):
        if kind == _LIST and instance in (0, 2):
            target = slides if instance == 0 else notes
            target += _outline(data, begin, end)
    found = []
    noted = {_slide_of(data, places.get(persist)): places.get(persist) for persist, _, _ in notes}
    for persist, identifier, outline in slides:
        own = _shapes(data, places.get(persist), _SLIDE)
        known = {text for _, text in outline}
        texts = outline + [pair for pair in own if pair[1] not in known]
        beside = _shapes(data, noted.get(identifier), _NOTES)
        beside = [pair for pair in beside if pair[1].strip() not in ("", "*")]
        found.append((texts, beside))
    return found


def _slide_of(data: bytes, place: int | None) -> int:
    """Return the identifier of the slide that a notes page belongs to, 0 when it has none."""
    record = next(iter(_records(data, place, len(data))), None) if place is not None else None
    for kind, _, a, _ in _records(data, record[2], record[3]) if record is not None else ():
        if kind == _NOTES_ATOM:
            return int(struct.unpack_from("<I", data, a)[0])
    return 0


def _outline(data: bytes, begin: int, end: int) -> list[tuple[int, int, Texts]]:
    """Return (persist identifier, slide identifier, texts) of each slide in a list of slides."""
    found: list[tuple[int, int, Texts]] = []
    kind_of_text = 4
    for kind, _, a, b in _records(data, begin, end):
        if kind == _PERSIST:
            found.append((*struct.unpack_from("<I8xI", data, a), []))
        elif kind == _HEADER:
            kind_of_text = struct.unpack_from("<I", data, a)[0]
        elif kind in (_CHARS, _BYTES) and found:
            found[-1][2].append((kind_of_text, _text(data, kind, a, b)))
    return found


def _shapes(data: bytes, place: int | None, wanted: int) -> Texts:
    """Return the texts of the shapes of a slide or of its notes."""
    record = next(iter(_records(data, place, len(data))), None) if place is not None else None
    if record is None or record[0] != wanted:
        return []
    found: Texts = []
    kind_of_text = 4
    for kind, a, b in _deep(data, record[2], record[3], 0):
        if kind == _HEADER:
            kind_of_text = struct.unpack_from("<I", data, a)[0]
        elif kind in (_CHARS, _BYTES):
            found.append((kind_of_text, _text(data, kind, a, b)))
    return found


def _deep(data: bytes, begin: int, end: int, depth: int) -> Iterator[tuple[int, int, int]]:
    """Yield (type, begin, end) of all records in a container, those in containers within too."""
    for kind, _, a, b in _records(data, begin, end):
        nested = struct.unpack_from("<H", data, a - 8)[0] & 15 == 15 or kind == _CODE
        if nested and depth < _MAX_DEPTH:
            yield from _deep(data, a, b, depth + 1)
        else:
            yield kind, a, b


def _records(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (type, instance, begin, end) of the records that follow each other in a stretch of the stream."""
    at = begin
    while at + 8 <= min(end, len(data)):
        head, kind, length = struct.unpack_from("<HHI", data, at)
        stop = min(at + 8 + length, end)
        yield kind, head >> 4, at + 8, stop
        at = at + 8 + length


def _places(data: bytes, current: bytes) -> dict[int, int]:
    """Return persist identifier → place in the stream, the newest edit counting."""
    places: dict[int, int] = {}
    edit = struct.unpack_from("<I", current, 16)[0] if len(current) >= 20 else 0
    seen: set[int] = set()
    while edit and edit not in seen and edit + 28 <= len(data):
        seen.add(edit)
        if struct.unpack_from("<H", data, edit + 2)[0] != _EDIT:
            break
        previous, directory, document = struct.unpack_from("<III", data, edit + 16)
        for kind, _, a, b in _records(data, directory, len(data)):
            if kind != _DIRECTORY:
                break
            for identifier, place in _entries(data, a, b):
                places.setdefault(identifier, place)
            break
        if document in places and 1 not in places:
            places[1] = places[document]
        edit = previous
    return places


def _entries(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (persist identifier, place) of one directory."""
    at = begin
    while at + 4 <= end:
        head = struct.unpack_from("<I", data, at)[0]
        first, count = head & 0xFFFFF, head >> 20
        at += 4
        for i in range(count):
            if at + 4 > end:
                return
            yield first + i, struct.unpack_from("<I", data, at)[0]
            at += 4


def _text(data: bytes, kind: int, begin: int, end: int) -> str:
    """Return the text of an atom with line ends."""
    raw = data[begin:end]
    text = raw.decode("utf-16-le", "replace") if kind == _CHARS else raw.decode("latin-1")
    return text.replace("\r", "\n").replace("\x0b", "\n").replace("\x00", "")
