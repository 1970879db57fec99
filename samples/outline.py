"""Reads the small Markdown subset in which the long sample texts are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SOURCES = Path(__file__).parent / "sources"

Kind = Literal["heading", "paragraph", "bullets", "numbers", "table", "break"]


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a text: its lines, or its rows of cells when it is a table."""

    kind: Kind
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def text(self) -> str:
        """Return the lines as one."""
        return " ".join(self.lines)


def read_outline(name: str) -> list[Block]:
    """Return the blocks of a file in `sources/`; blank lines separate blocks."""
    text = (SOURCES / name).read_text(encoding="utf-8")
    return [_block(part.splitlines()) for part in re.split(r"\n{2,}", text.strip())]


def _block(lines: list[str]) -> Block:
    first = lines[0]
    if first.startswith("==="):
        return Block("break")
    if first.startswith("# "):
        return Block("heading", (first[2:],))
    if first.startswith("- "):
        return Block("bullets", tuple(line[2:] for line in lines))
    if first.startswith("1. "):
        return Block("numbers", tuple(line.split(". ", 1)[1] for line in lines))
    if first.startswith("|"):
        return Block("table", rows=tuple(tuple(cell.strip() for cell in line.strip("| ").split("|")) for line in lines))
    return Block("paragraph", tuple(lines))
