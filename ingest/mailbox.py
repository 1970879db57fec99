"""Divides a mailbox file into its mails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.errors import UnreadableFile
from ingest.formats import unopened
from ingest.mail import header, parse

_MAX_MAIL = 200_000_000
_DATED = re.compile(
    rb"From \S+ +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d (?:\S+ )?\d{4}\s*$"
)


def messages(path: Path, most: int = _MAX_MAIL) -> Iterator[tuple[str, list[bytes]]]:
    """Yield ("0001 Subject.eml", content) of each message in a mailbox file, no more than `most` bytes of it.

    UnreadableFile at the end names those that are longer.
    """
    cut: list[str] = []
    for number, (data, size) in enumerate(_split(path, most), start=1):
        if size > len(data):
            cut.append(f"{number:04d}")
        subject = re.sub(r'[\\/:*?"<>|]+', " ", header(parse(data[:65536]), "Subject"))
        yield f"{number:04d} {' '.join(subject.split())[:100] or 'message'}.eml", [data]
    if cut:
        which = ", ".join(cut[:10]) + (", ..." if len(cut) > 10 else "")
        raise UnreadableFile(
            f"Of mails with more than {most / 1e6:g} MB only the beginning was read (number {which}).",
            "Save their attachments from your mail program and ingest them.",
        )


def _split(path: Path, most: int) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of each message of a mailbox, and how many it has.

    "From " lines divide them: those after a blank line, and those that end with a moment as mail programs write it.
    """
    lines: list[bytes] = []
    size, blank = 0, True
    try:
        with path.open("rb") as file:
            for line in file:
                if line.startswith(b"From ") and ((blank and re.search(rb"\d", line)) or _DATED.match(line)):
                    if size:
                        yield b"".join(lines), size
                    lines, size = [], 0
                    continue
                blank = not line.strip()
                meant = line[1:] if re.match(rb">+From ", line) else line
                size += len(meant)
                if size <= most:
                    lines.append(meant)
    except OSError as error:
        raise unopened(error) from error
    if size > most or any(line.strip() for line in lines):
        yield b"".join(lines), size
