"""Reads plain text, Markdown and reStructuredText files into elements."""

from __future__ import annotations

import re
from pathlib import Path

from ingest.elements import Kind, Reading, Writer
from ingest.encodings import decode
from ingest.errors import UnreadableFile
from ingest.formats import unopened

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*")
_RST = re.compile(r"([=\-~^\"'`#*+.:_<>])\1{2,}")


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
