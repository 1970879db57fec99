"""Reads plain text, Markdown and reStructuredText files into elements."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from ingest.elements import Kind, Reading, Writer
from ingest.errors import UnreadableFile
from ingest.formats import unopened
from ingest.signatures import has_stray_nuls, utf16_without_mark, with_escapes

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"))
_BOMS_16 = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*")
_RST = re.compile(r"([=\-~^\"'`#*+.:_<>])\1{2,}")
_STATEFUL = {"iso2022_jp", "iso2022_kr", "hz", "iso2022_jp_2", "utf-7"}
_BROWSER = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-11": "cp874",
    "iso-8859-8-i": "cp1255",
    "iso8859-8": "cp1255",
    "ks_c_5601-1987": "cp949",
    "x-sjis": "cp932",
    "windows-874": "cp874",
}
"""Names of encodings → the larger ones that are really meant, as the Encoding Standard of browsers has it."""
_COMMON = frozenset("äöüÄÖÜßéèêëàâáçñóòôíîïúùûåøæÅØÆÉÈÀÇÑœŒ’‘“”–—…€£§°©®\xa0«»·")
_DRAWN = frozenset("─│┌┐└┘├┤┬┴┼═║╔╗╚╝╠╣╦╩╬█▄▀░▒▓")
"""Signs of Western texts beside ASCII, and those that draw boxes in texts of DOS."""


def decode(  # noqa: PLR0911 - one return for each way to know
    data: bytes, declared: str | None = None
) -> tuple[str, str | None]:
    """Return the text of bytes and, when its encoding had to be guessed, that encoding's name.

    Order: byte order mark, UTF-8 (few other texts happen to be valid UTF-8), the declared encoding if it fits, UTF-16
    without a mark, then charset-normalizer. A declaration is distrusted where its text would be rubbish.
    """
    for mark, name in _BOMS + _BOMS_16:
        if data.startswith(mark):
            return _lines(data.decode(name, errors="replace")), None
    name = _known(declared)
    if name in _STATEFUL and b"\x1b" in data:
        return _lines(data.decode(name, errors="replace")), None
    for candidate in filter(None, ("utf-8", name)):
        try:
            text = data.decode(candidate)
        except (UnicodeDecodeError, LookupError):
            continue
        if candidate == "utf-8" and (shifted := with_escapes(data)):
            return _lines(shifted), None
        if "\x00" not in text and (candidate == "utf-8" or _plausible(text)):
            return _lines(text), None
        if candidate == "utf-8" and "\x00" in text and utf16_without_mark(data) is None and has_stray_nuls(data):
            return _lines(text.replace("\x00", " ")), None
    if name in ("utf-8", "") and b"\x00" not in data and (mixed := _nearly(data)) is not None:
        return _lines(mixed), None
    wide = utf16_without_mark(data)
    if wide:
        return _lines(data.decode(wide, errors="replace")), None
    return _guess(data)


def _known(declared: str | None) -> str:
    """Return Python's name of a declared encoding as browsers understand it, "" when it is unknown."""
    label = (declared or "").strip().strip("\"'").lower()
    try:
        name = codecs.lookup(_BROWSER.get(label, label)).name if label else ""
    except (LookupError, ValueError):  # the bytes decide then
        return ""
    return _BROWSER.get(name, name)


def _nearly(data: bytes, sample: int = 200_000) -> str | None:
    """Return text that is UTF-8 but for a few places, or for pieces in cp1252 that were pasted in; None for other bytes."""
    if len(data) > sample and _nearly(data[:sample]) is None:
        return None
    strange: list[str] = []

    def western(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        sign = data[error.start : error.start + 1].decode("cp1252", "replace")
        strange.append(sign)
        return sign, error.start + 1

    codecs.register_error("as-cp1252", western)
    text = data.decode("utf-8", errors="as-cp1252")
    right = sum(sign > "\x7f" for sign in text) - len(strange)
    if len(strange) <= 0.1 * right:
        return text
    common = sum(sign in _COMMON for sign in strange)
    return text if len(strange) <= 1.2 * right and common >= 0.9 * len(strange) else None


def _plausible(text: str) -> bool:
    """Say whether decoded text looks written: no control characters of the second set, accents among plain letters."""
    if any("\x80" <= c <= "\x9f" for c in text[:100_000]):
        return False
    letters = [c for c in text[:100_000] if c.isalpha()]
    latin = [c for c in letters if "\xa0" <= c <= "\u024f"]
    return len(latin) <= 0.4 * len(letters)


def _guess(data: bytes) -> tuple[str, str]:
    """Return text in a legacy encoding, and which one it was taken for."""
    from charset_normalizer import from_bytes  # only needed for the few files that aren't UTF-8

    if data.count(0) > 0.001 * len(data) and not has_stray_nuls(data):
        raise UnreadableFile("The file holds binary data, not text.", "Export it as PDF or text and ingest that.")
    data = data.replace(b"\x00", b" ")
    if b"\r" in data and b"\n" not in data and sum(byte > 127 for byte in data) < 0.2 * len(data):
        return _lines(data.decode("mac_roman")), "mac_roman"  # only old Macs end lines so
    if data.count(0x40) > 0.05 * len(data) and data.count(0x20) < 0.01 * len(data):
        return _lines(data.decode("cp037").replace("\x85", "\n")), "cp037"  # a mainframe's: its space is "@" elsewhere
    if _is_dos(data):
        return _lines(data.decode("cp437")), "cp437"
    if _is_western(data):
        return _lines(data.decode("cp1252")), "cp1252"
    best = from_bytes(data[:200_000]).best()
    if best is None:
        return _lines(data.decode("cp1252", errors="replace")), "cp1252"
    return _lines(data.decode(best.encoding, errors="replace")), best.encoding


def _is_western(data: bytes) -> bool:
    """Say whether few accented letters stand among ASCII ones: too little for statistics, and typical of cp1252."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    high = [c for c in text if ord(c) > 127]
    common = sum(c in "äöüÄÖÜßéèêëàâáçñóòôíìîïúùûåøæÅØÆÉÈÀÇÑœŒ’‘“”–—…€£§°©®\xa0«»·" for c in high)
    return common >= 0.9 * len(high) and len(high) <= 0.3 * len(text)


def _is_dos(data: bytes) -> bool:
    """Say whether a text draws boxes, and its other signs are Western in the code page of DOS."""
    data = data[:200_000]
    high = [c for c in data.decode("cp437") if c > "\x7f"]
    letters = [c for c in high if c not in _DRAWN]
    drawn = len(high) - len(letters)
    return drawn > 0 and sum(c in _COMMON for c in letters) >= 0.9 * len(letters) and len(letters) <= 0.2 * len(data)


def _lines(text: str) -> str:
    """Return text with "\\n" line ends and without NUL characters."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").removeprefix("\ufeff")


def load(path: Path) -> tuple[str, list[str]]:
    """Return a file's text and the problem sentences that its encoding gives rise to."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unopened(error) from error
    text, guessed = decode(data)
    if not text.strip():
        raise UnreadableFile("The file has no text: it holds only white space.", "Check where it came from.")
    problems = [f"The text encoding was not stated and was taken to be {guessed}."] if guessed else []
    return text, problems


def add_paragraphs(writer: Writer, text: str, page: int = 1) -> None:
    """Append the paragraphs of plain text, which blank lines or form feeds divide."""
    for part in re.split(r"\n[ \t]*\n|\f", text):
        writer.add("paragraph", part.strip("\n").rstrip(), page=page)


def read_text(path: Path) -> Reading:
    """Read a plain text file: its paragraphs, verbatim."""
    text, problems = load(path)
    writer = Writer()
    add_paragraphs(writer, text)
    return writer.reading(problems=problems)


def read_code(path: Path) -> Reading:
    """Read source code or a configuration file: its blocks, verbatim."""
    text, problems = load(path)
    writer = Writer()
    for part in re.split(r"\n[ \t]*\n|\f", text):
        writer.add("code", part.strip("\n").rstrip())
    return writer.reading(problems=problems)


def read_rst(path: Path) -> Reading:
    """Read reStructuredText: underlined titles are headings, levels in the order in which their marks appear."""
    text, problems = load(path)
    writer = Writer()
    marks: list[str] = []
    for part in re.split(r"\n[ \t]*\n", text):
        lines = [line.rstrip() for line in part.strip("\n").split("\n")]
        over = len(lines) > 2 and _RST.fullmatch(lines[0]) and lines[0][:1] == lines[2][:1]
        if over:
            lines = lines[1:]
        if len(lines) > 1 and _RST.fullmatch(lines[1]) and 0 < len(lines[0].strip()) <= len(lines[1]) + 1:
            mark = lines[1][0] * (2 if over else 1)
            if mark not in marks:
                marks.append(mark)
            writer.add("heading", lines[0].strip(), level=min(6, marks.index(mark) + 1))
            lines = lines[2:]
        kind: Kind = "list_item" if lines and _ITEM.match(lines[0]) else "paragraph"
        writer.add(kind, "\n".join(lines).rstrip())
    top = next((e for e in writer.elements if e.kind == "heading"), None)
    whole = "".join(writer.parts)
    return writer.reading(title=whole[top.start : top.end] if top else None, problems=problems)


def read_markdown(path: Path) -> Reading:
    """Read a Markdown file: headings without their marks, everything else verbatim."""
    text, problems = load(path)
    writer = Writer()
    add_markdown(writer, text)
    top = next((e for e in writer.elements if e.kind == "heading" and e.level == 1), None)
    whole = "".join(writer.parts)
    return writer.reading(title=whole[top.start : top.end] if top else None, problems=problems)


def add_markdown(writer: Writer, text: str) -> None:
    """Append the blocks of Markdown text as elements."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        at = _block(writer, lines, at)


def _block(writer: Writer, lines: list[str], at: int) -> int:
    """Append the block that begins at a line that isn't blank; return the line after it."""
    line = lines[at]
    heading = _HEADING.fullmatch(line)
    if heading:
        writer.add("heading", heading[2] or "", level=len(heading[1]))
        return at + 1
    if _FENCE.match(line):
        end = _fence_end(lines, at)
        writer.add("code", "\n".join(lines[at:end]))
        return end
    if "|" in line and at + 1 < len(lines) and "-" in lines[at + 1] and _TABLE_RULE.fullmatch(lines[at + 1]):
        end = _while(lines, at + 2, lambda s: "|" in s)
        writer.add("table", "\n".join(lines[at:end]), header_rows=1)
        return end
    if _ITEM.match(line) and not _RULE.fullmatch(line):
        end = _while(lines, at + 1, lambda s: not _starts_block(s))
        writer.add("list_item", "\n".join(lines[at:end]).rstrip())
        return end
    if at + 1 < len(lines) and _UNDERLINE.fullmatch(lines[at + 1]) and not _RULE.fullmatch(line):
        writer.add("heading", line.strip(), level=1 if "=" in lines[at + 1] else 2)
        return at + 2
    end = _while(lines, at + 1, lambda s: not _starts_block(s))
    writer.add("paragraph", "\n".join(lines[at:end]).rstrip())
    return end


def _starts_block(line: str) -> bool:
    """Say whether a line interrupts the paragraph or list item before it."""
    return bool(_HEADING.fullmatch(line) or _FENCE.match(line) or _ITEM.match(line))


def _while(lines: list[str], at: int, belongs: object) -> int:
    """Return the first line from `at` on that is blank or doesn't belong to the block."""
    assert callable(belongs)
    while at < len(lines) and lines[at].strip() and belongs(lines[at]):
        at += 1
    return at


def _fence_end(lines: list[str], at: int) -> int:
    """Return the line after the fence that closes the one at `at`; the end of the file when none does."""
    opened = _FENCE.match(lines[at])
    mark = opened[1] if opened else "```"
    for number in range(at + 1, len(lines)):
        if lines[number].strip().startswith(mark) and not lines[number].strip().strip(mark[0]):
            return number + 1
    return len(lines)
