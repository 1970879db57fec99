"""Takes out of a sheet's rows what it does not show: hidden rows and columns, white or tiny letters, empty formats."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROW = re.compile(rb"<(?:\w+:)?row\s[^>]*>")
_COLUMN = re.compile(rb"<(?:\w+:)?col\s[^>]*>")
_HIDDEN = re.compile(rb"""\shidden=["'](?:1|true)["']""")
_NUMBER = re.compile(rb"""\s(r|min|max)=["'](\d+)["']""")
_MOST_COLUMNS = 16_384
_TINY = 2.0
_WHITE = re.compile("(?:FF|00)?(?:[Ff][0-9A-Fa-f]){3}")


class Hides:
    """What one sheet hides; `found` grows row by row: (how, text of the cells)."""

    def __init__(self, path: Path, part: str) -> None:
        self.found: list[tuple[str, str]] = []
        self._rows, self._columns = _hidden(path, part)
        self._styles: dict[int, str] = {}

    def shown(self, number: int, cells: Sequence[Any], texts: list[str | None]) -> list[str | None]:
        """Return a row (from 0) without the texts that are hidden."""
        ways = ["" if text is None else self._how(number, at, cells[at]) for at, text in enumerate(texts)]
        for how in dict.fromkeys(filter(None, ways)):
            words = [text for text, way in zip(texts, ways, strict=True) if way == how and text]
            self.found.append((how, " | ".join(words)))
        return [None if way else text for text, way in zip(texts, ways, strict=True)]

    def _how(self, row: int, column: int, cell: Any) -> str:
        if row + 1 in self._rows:
            return "in a hidden row"
        if column + 1 in self._columns:
            return "in a hidden column"
        style = getattr(cell, "_style_id", 0)
        if style not in self._styles:
            try:
                self._styles[style] = _style(cell)
            except IndexError:  # a style that the workbook doesn't have
                self._styles[style] = ""
        return self._styles[style]


def _style(cell: Any) -> str:
    """Return how a cell's style hides its text, "" when it does not; a cell with a colour behind it shows white letters."""
    if (cell.number_format or "").replace(" ", "") == ";;;":
        return "in a format that shows nothing"
    font, fill = cell.font, cell.fill
    if font is None:
        return ""
    if font.sz is not None and font.sz <= _TINY:
        return "tiny"
    filled = fill is not None and (fill.fill_type not in (None, "none"))
    colour = font.color
    if filled or colour is None:
        return ""
    white = (colour.type == "rgb" and _WHITE.fullmatch(str(colour.rgb))) or (
        colour.type == "theme" and colour.theme == 0 and not colour.tint
    )
    return "white on white" if white else ""


def _hidden(path: Path, part: str) -> tuple[set[int], set[int]]:
    """Return the numbers (from 1) of hidden rows and columns, read from the sheet's part: openpyxl drops them when it streams."""
    rows, columns = set[int](), set[int]()
    with zipfile.ZipFile(path) as archive, archive.open(part.lstrip("/")) as stream:
        rest = b""
        while piece := stream.read(1 << 20):
            text = rest + piece
            for pattern in (_ROW, _COLUMN):
                for match in pattern.finditer(text):
                    if not _HIDDEN.search(match[0]):
                        continue
                    named = {name: int(value) for name, value in _NUMBER.findall(match[0])}
                    if b"r" in named:
                        rows.add(named[b"r"])
                    elif b"min" in named and b"max" in named:
                        columns.update(range(named[b"min"], min(named[b"max"], _MOST_COLUMNS) + 1))
            rest = text[max(text.rfind(b"<"), len(text) - 2000) :]
    return rows, columns
