"""Reads Word's old binary files (DOC): text through the piece table, paragraphs with their styles, tables, notes."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.elements import Reading, Writer
from ingest.errors import UnreadableFile
from ingest.ole import opened, properties, stream
from ingest.tables import Cell, add_table, clean

_REMEDY = "Save it as docx or PDF and ingest that."
_PARTS = ("body", "Footnote", "Header", "macros", "Comment", "Endnote", "Text box", "Text box")
_IN_TABLE, _ROW_END, _OUTLINE = 0x2416, 0x2417, 0x2640
_SIZES = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}
_DELETED, _HIDDEN = 0x0800, 0x083C
_CLX, _PARAGRAPHS, _STYLES, _CHARACTERS = 33, 13, 1, 12


@dataclass(slots=True)
class Piece:
    """A run of characters as the file stores it: from `start`, at a byte offset, one or two bytes a character."""

    start: int
    end: int
    offset: int
    wide: bool


@dataclass(slots=True)
class Looks:
    """What formatting says of a paragraph: its style's number, whether it is in a table, ends a row, is a list item."""

    style: int = 0
    in_table: bool = False
    row_end: bool = False
    outline: int = 9
    listed: bool = False


@dataclass(slots=True)
class _Row:
    cells: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    ended: bool = False


class Document:
    """A DOC file's text and the formatting of its paragraphs."""

    def __init__(self, main: bytes, table: bytes) -> None:
        self._main, self._table = main, table
        self.cut = False
        self.pieces = list(self._read_pieces())
        self._looks_at, self._looks = self._ranges(_PARAGRAPHS, self._paragraph)
        self._gone_at, self._gone = self._ranges(_CHARACTERS, self._is_gone)

    def place(self, number: int) -> tuple[int, int]:
        """Return offset and length of one of the tables that the file's header lists."""
        words = struct.unpack_from("<H", self._main, 32)[0]
        longs = 34 + 2 * words
        pairs = longs + 2 + 4 * struct.unpack_from("<H", self._main, longs)[0] + 2
        return struct.unpack_from("<II", self._main, pairs + 8 * number)

    def lengths(self) -> list[int]:
        """Return the number of characters of the body, footnotes, headers, macros, comments, endnotes, boxes."""
        longs = 36 + 2 * struct.unpack_from("<H", self._main, 32)[0]
        return [max(0, n) for n in struct.unpack_from("<8i", self._main, longs + 12)]

    def _read_pieces(self) -> Iterator[Piece]:
        at, length = self.place(_CLX)
        clx = self._table[at : at + length]
        at = 0
        while at < len(clx) and clx[at] == 1:
            at += 3 + struct.unpack_from("<H", clx, at + 1)[0]
        if at >= len(clx) or clx[at] != 2:
            raise UnreadableFile("The Word file is damaged: its text can't be found.", _REMEDY)
        size = struct.unpack_from("<I", clx, at + 1)[0]
        plc = clx[at + 5 : at + 5 + size]
        count = (len(plc) - 4) // 12
        ends = struct.unpack_from(f"<{count + 1}I", plc)
        for i in range(count):
            where = struct.unpack_from("<I", plc, 4 * (count + 1) + 8 * i + 2)[0]
            wide = not where & 0x40000000
            yield Piece(ends[i], ends[i + 1], (where & 0x3FFFFFFF) if wide else (where & 0x3FFFFFFF) // 2, wide)

    def text(self, start: int, end: int) -> Iterator[tuple[str, int]]:
        """Yield (character, byte offset) of the characters [start, end), deleted and hidden ones left out."""
        for piece in self.pieces:
            first, last = max(start, piece.start), min(end, piece.end)
            if first >= last:
                continue
            width = 1 + piece.wide
            begin = piece.offset + (first - piece.start) * width
            data = self._main[begin : begin + (last - first) * width]
            self.cut = self.cut or len(data) < (last - first) * width
            decoded = data.decode("utf-16-le", "surrogatepass") if piece.wide else data.decode("cp1252", "replace")
            if piece.wide and len(decoded) != last - first:  # characters beyond the first plane take two places
                decoded = "".join(map(chr, struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])))
            for i, character in enumerate(decoded):
                offset = begin + i * width
                if self._is_shown(offset):
                    yield character, offset

    def looks(self, offset: int) -> Looks:
        """Return the formatting of the paragraph whose end mark stands at a byte offset."""
        i = bisect_right(self._looks_at, offset) - 1
        found: Looks = self._looks[i] if i >= 0 else Looks()
        return found

    def _is_shown(self, offset: int) -> bool:
        i = bisect_right(self._gone_at, offset) - 1
        return i < 0 or not self._gone[i]

    def _ranges(self, which: int, read: Any) -> tuple[list[int], list[Any]]:
        """Return where ranges of one formatting begin, and their formatting (pages of 512 bytes, MS-DOC 2.9.54)."""
        at, length = self.place(which)
        plc = self._table[at : at + length]
        count = (len(plc) - 4) // 8
        found: list[tuple[int, Any]] = []
        for i in range(max(0, count)):
            page = struct.unpack_from("<I", plc, 4 * (count + 1) + 4 * i)[0] & 0x3FFFFF
            block = self._main[page * 512 : page * 512 + 512]
            runs = block[511] if len(block) == 512 else 0
            bounds = struct.unpack_from(f"<{runs + 1}I", block)
            for j in range(runs):
                found.append((bounds[j], read(block, runs, j)))
        found.sort(key=lambda pair: pair[0])
        return [start for start, _ in found], [value for _, value in found]

    def _paragraph(self, block: bytes, runs: int, number: int) -> Looks:
        looks = Looks()
        at = 2 * block[4 * (runs + 1) + 13 * number]
        if not at:
            return looks
        size = 2 * block[at] - 1 if block[at] else 2 * block[at + 1]
        body = block[at + (1 if block[at] else 2) :][:size]
        if len(body) < 2:
            return looks
        looks.style = struct.unpack_from("<H", body)[0]
        for code, value in _changes(body[2:]):
            if code == _IN_TABLE:
                looks.in_table = bool(value[:1] != b"\x00")
            elif code == _ROW_END:
                looks.row_end = value[:1] != b"\x00"
            elif code == _OUTLINE:
                looks.outline = value[0]
            elif code == 0x460B:
                looks.listed = value[:2] not in (b"\x00\x00", b"\x01\xf8")
        return looks

    def _is_gone(self, block: bytes, runs: int, number: int) -> bool:
        at = 2 * block[4 * (runs + 1) + number]
        if not at:
            return False
        body = block[at + 1 : at + 1 + block[at]]
        return any(code in (_DELETED, _HIDDEN) and value[:1] == b"\x01" for code, value in _changes(body))

    def headings(self) -> dict[int, int]:
        """Return the level of every heading style by its number: built-in styles have fixed identifiers."""
        at, length = self.place(_STYLES)
        sheet = self._table[at : at + length]
        found: dict[int, int] = {}
        at = 2 + struct.unpack_from("<H", sheet)[0] if len(sheet) > 4 else len(sheet)
        number = 0
        while at + 2 <= len(sheet):
            size = struct.unpack_from("<H", sheet, at)[0]
            if size >= 2:
                name = struct.unpack_from("<H", sheet, at + 2)[0] & 0xFFF
                if 1 <= name <= 9:
                    found[number] = name
                elif name == 62:
                    found[number] = 1
            at += 2 + size + (size & 1)
            number += 1
        return found


def _changes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (code, operand) of a list of formatting changes."""
    at = 0
    while at + 2 <= len(data):
        code = struct.unpack_from("<H", data, at)[0]
        at += 2
        kind = code >> 13
        if kind == 6:
            if at >= len(data):
                return
            size = 1 + data[at]
            if code == 0xD608 and at + 2 <= len(data):
                size = 1 + struct.unpack_from("<H", data, at)[0]
        else:
            size = _SIZES[kind]
        yield code, data[at : at + size]
        at += size


def read_doc(path: Path) -> Reading:
    """Read a DOC file: headings, paragraphs, lists, tables; then foot- and endnotes, comments, text boxes, headers."""
    with opened(path) as container:
        main = stream(container, "WordDocument")
        flags = struct.unpack_from("<H", main, 10)[0]
        if flags & 0x100:
            raise UnreadableFile("The Word file is encrypted and needs a password.", "Save a copy without a password.")
        if struct.unpack_from("<H", main, 2)[0] < 0xC1 - 0x20:
            raise UnreadableFile("The file is from Word 95 or older, which can't be read.", _REMEDY)
        document = Document(main, stream(container, "1Table" if flags & 0x200 else "0Table"))
        writer = Writer()
        _write(writer, document)
        metadata = properties(container)
    if not writer.elements:
        raise UnreadableFile("The file has no text.", "If it shows text as pictures, export it as a searchable PDF.")
    cut = document.cut or sum(document.lengths()) > max([0, *(piece.end for piece in document.pieces)])
    problems = [f"The Word file is damaged: a part of its text is missing. {_REMEDY}"] * cut
    return writer.reading(title=metadata.pop("title", None), problems=problems, metadata=metadata)


def _write(writer: Writer, document: Document) -> None:
    """Append the parts of a document, notes after the body."""
    headings = document.headings()
    start = 0
    for part, length in zip(_PARTS, document.lengths(), strict=True):
        if part == "body":
            _body(writer, document, start, start + length, headings)
        elif part != "macros":
            number, seen = 0, set[str]()
            for text, _ in _paragraphs(document, start, start + length):
                if text and text not in seen:
                    seen.add(text)
                    number += 1
                    label = f"{part} {number}: " if part in ("Footnote", "Endnote", "Comment") else ""
                    writer.add("paragraph", label + text)
        start += length


def _body(writer: Writer, document: Document, start: int, end: int, headings: dict[int, int]) -> None:
    """Append the body's blocks."""
    rows: list[_Row] = []
    for text, (mark, offset) in _paragraphs(document, start, end):
        looks = document.looks(offset)
        if looks.in_table or mark == "\x07":
            if not rows or rows[-1].ended:
                rows.append(_Row())
            row = rows[-1]
            if looks.row_end:
                row.ended = True
                continue
            row.lines.append(text)
            if mark == "\x07":
                row.cells.append(" ".join(row.lines))
                row.lines = []
            continue
        _flush(writer, rows)
        level = headings.get(looks.style) or (looks.outline + 1 if looks.outline < 9 else 0)
        if level:
            writer.add("heading", text, level=min(6, level))
        else:
            writer.add("list_item" if looks.listed else "paragraph", text)
    _flush(writer, rows)


def _flush(writer: Writer, rows: list[_Row]) -> None:
    """Append the rows gathered so far as a table."""
    table = [[Cell(clean(cell)) for cell in row.cells] for row in rows]
    rows.clear()
    table = [row for row in table if any(cell.text for cell in row)]
    if table:
        add_table(writer, table)


def _paragraphs(document: Document, start: int, end: int) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield (text, (end mark, its byte offset)) of each paragraph and table cell; codes of fields left out."""
    run: list[str] = []
    fields: list[bool] = []
    offset = 0
    for character, offset in document.text(start, end):
        if character == "\x13":
            fields.append(True)
        elif character == "\x14" and fields:
            fields[-1] = False
        elif character == "\x15" and fields:
            fields.pop()
        elif character in "\r\x07\x0c":
            yield _tidy(run), (character, offset)
            run = []
        elif not any(fields):
            run.append(character)
    if run:
        yield _tidy(run), ("\r", offset)


def _tidy(run: list[str]) -> str:
    text = "".join(run).replace("\x0b", "\n").replace("\x1e", "-").replace("\x1f", "").replace("\xa0", " ")
    text = "".join(character for character in text if character >= " " or character in "\n\t")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
