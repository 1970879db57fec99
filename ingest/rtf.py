"""Reads RTF files through striprtf (the only file that imports it), whatever code page they are written in."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from ingest.elements import Reading, Writer
from ingest.errors import UnreadableFile
from ingest.formats import unopened
from ingest.hidden_rtf import IN_DRAWING, divided
from ingest.tables import Cell, add_table, clean

_PICTURES = re.compile(rb"[0-9a-fA-F\s]{512,}")
_ASIDE = re.compile(rb"\{\s*\\(?:\*\\)?(footnote|annotation|header[lrf]?|footer[lrf]?|shptxt)(?![a-z]) ?")
_GONE = re.compile(rb"\{(?:\s*\\(?!deleted)[a-z]+-?\d* ?)*\s*\\deleted(?![a-z0-9])")
_OBJECT = re.compile(rb"\{\s*\\object(?![a-z])")
_RESULT = re.compile(rb"\{\s*\\result(?![a-z]) ?")
_LABELS = {b"footnote": b"Footnote", b"annotation": b"Comment"}
_BRACE = re.compile(rb"\\[\\{}]|[{}]")
_BIN = re.compile(rb"\\bin(\d+) ?")
_INFO = {"title": re.compile(r"\{\\title\s+([^{}\\]+)"), "author": re.compile(r"\{\\author\s+([^{}\\]+)")}


def read_rtf(path: Path) -> Reading:
    """Read an RTF file: its paragraphs and tables; pictures are left out."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unopened(error) from error
    shown, hidden = divided(_plainer(data.lstrip(b"\xef\xbb\xbf \t\r\n")))
    text, unseen = _text(shown), {how: _text(part) for how, part in hidden.items()}
    if not any(part.strip() for part in (text, *unseen.values())):
        raise UnreadableFile("The file has no text.", "If it shows text as pictures, export it as a searchable PDF.")
    writer = Writer()
    rows: list[list[str]] = []
    for line in [*text.split("\n"), ""]:
        # striprtf writes a table's row as cells that each end in "|".
        if line.count("|") > 1 and line.rstrip().endswith("|"):
            rows.append([clean(cell) for cell in line.rstrip()[:-1].split("|")])
            continue
        if rows:
            add_table(writer, [[Cell(cell) for cell in row] for row in rows])
            rows = []
        writer.add("paragraph", line.strip())
    for how, part in unseen.items():
        for line in part.split("\n"):
            writer.add("paragraph", line.strip(), hidden=how)
    head = data[:20_000].decode("latin-1")
    found = {name: match[1].strip() for name, pattern in _INFO.items() if (match := pattern.search(head))}
    return writer.reading(title=found.pop("title", None), metadata=found)


def text_of(data: bytes) -> str:
    """Return the text of RTF that is shown."""
    return _text(divided(_plainer(data))[0])


def _plainer(data: bytes) -> bytes:
    """Return RTF with all text where striprtf looks for it, without pictures.

    They are long runs of hexadecimal digits or raw bytes, which would be walked through one by one.
    """
    return _with_asides(_as_shown(_PICTURES.sub(b" ", _without_binaries(data))))


def _text(data: bytes) -> str:
    from striprtf import striprtf

    try:
        text = striprtf.rtf_to_text(data.decode("latin-1"), errors="replace")  # raises any of these for damaged files
    except (ValueError, LookupError, IndexError, TypeError, AttributeError) as error:
        raise UnreadableFile("The RTF file is damaged.", "Save it again as docx and ingest that.") from error
    # Signs beyond the first 65,536 are written as two halves.
    whole = str(text).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\x00", "")


def _with_asides(data: bytes) -> bytes:
    """Return RTF with its notes, comments, headers and text boxes as paragraphs at its end: striprtf leaves them out."""
    kept, asides, at = list[bytes](), dict[bytes, None](), 0
    counts = Counter[bytes]()
    for match in _ASIDE.finditer(data):
        if match.start() < at:
            continue  # inside the one before
        kept.append(data[at : match.start()])
        at = _group_end(data, match.start())
        counts[match[1]] += 1
        label = b"%s %d: " % (_LABELS[match[1]], counts[match[1]]) if match[1] in _LABELS else b""
        begin = b"{" + IN_DRAWING if match[1] == b"shptxt" else b"{"
        asides[b"\\par " + label + begin + data[match.end() : at]] = None  # headers are repeated for each section
    rest = b"".join([*kept, data[at:]])
    end = rest.rfind(b"}") if asides else len(rest)
    return b"".join([rest[:end], *asides, rest[end:]])


def _as_shown(data: bytes) -> bytes:
    """Return RTF without text that tracked changes delete, and with the result of embedded objects as plain text."""
    kept, at = list[bytes](), 0
    for match in _GONE.finditer(data):
        if match.start() >= at:
            kept.append(data[at : match.start()])
            at = _group_end(data, match.start())
    data = b"".join([*kept, data[at:]])
    kept, at = [], 0
    for match in _OBJECT.finditer(data):
        if match.start() < at:
            continue
        kept.append(data[at : match.start()])
        at = _group_end(data, match.start())
        result = _RESULT.search(data, match.start(), at)
        kept.append(b"{" + data[result.end() : _group_end(data, result.start())] if result else b"")
    return b"".join([*kept, data[at:]])


def _group_end(data: bytes, begin: int) -> int:
    """Return where the group ends that begins at a brace; the end of the data when it does not."""
    depth = 0
    for match in _BRACE.finditer(data, begin):
        depth += {b"{": 1, b"}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return len(data)


def _without_binaries(data: bytes) -> bytes:
    """Return RTF without the raw bytes that \\bin announces."""
    parts, at = [], 0
    for match in _BIN.finditer(data):
        if match.start() >= at:
            parts.append(data[at : match.start()])
            at = match.end() + int(match[1][:10])
    return b"".join([*parts, data[at:]])
