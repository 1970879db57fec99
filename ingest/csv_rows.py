"""Reads CSV and TSV files as one table, whatever parts their cells."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from ingest.elements import Reading, Writer
from ingest.errors import UnreadableFile
from ingest.plain import load
from ingest.tables import Cell, add_table, clean

_SNIFF = 65536
_NONE = "\x1f"  # parts nothing
_RAGGED, _HEADED, _BETTER = 0.5, 0.2, 0.05
_APOSTROPHES = re.compile(r"(?:^|[,;\t|])'[^'\n]*[,;\t|][^'\n]*'(?:$|[,;\t|])", re.M)


def read_csv(path: Path) -> Reading:
    """Read a CSV or TSV file as one table; its first full row is the header row, lone cells above it are captions."""
    text, problems = load(path)
    csv.field_size_limit(10_000_000)
    told = re.match(r"sep=([,;\t|])\n", text)  # Excel's own first line
    text = text[told.end() :] if told else text
    delimiter = told[1] if told else _separator(text[:_SNIFF])
    quote = "'" if '"' not in text and _APOSTROPHES.search(text[:_SNIFF]) else '"'
    try:
        rows = _rows(text, delimiter, quote)
    except csv.Error as error:
        raise UnreadableFile(f"The CSV file is malformed: {error}.", "Save it again from a spreadsheet.") from error
    writer = Writer()
    while len(rows) > 1 and sum(map(bool, rows[0])) == 1 and max(len(row) for row in rows) > 1:
        writer.add("caption", next(filter(None, rows.pop(0))))
    add_table(writer, [[Cell(cell) for cell in row] for row in rows], header=len(rows) > 1)
    return writer.reading(problems=problems)


def _rows(text: str, delimiter: str, quote: str) -> list[list[str]]:
    """Return the rows of a text that have a filled cell; a quote that is never closed is a sign like others."""
    lines = io.StringIO(text, newline="")
    read = csv.reader(lines, delimiter=delimiter, quotechar=quote, skipinitialspace=delimiter != "\t")
    rows = [row for row in read if any(row)]
    if text.count(quote) % 2 and len(rows) < 0.7 * sum(1 for line in text.split("\n") if line.strip()):
        plain = csv.reader(text.split("\n"), delimiter=delimiter, quoting=csv.QUOTE_NONE)
        rows = [[_unquoted(cell.strip(), quote) for cell in row] for row in plain]
    return [row for row in ([clean(cell) for cell in row] for row in rows) if any(row)]


def _unquoted(cell: str, quote: str) -> str:
    """Return a cell without the quotes around it."""
    whole = len(cell) > 1 and cell.startswith(quote) and cell.endswith(quote)
    return cell[1:-1].replace(quote * 2, quote) if whole else cell


def _separator(text: str) -> str:
    """Return what parts the cells of a CSV text: what gives most rows, the first one too, the same number of cells.

    Commas may be decimal, and stand in prose: they come last. A text without a separator is a column of cells.
    """
    best, separator = 0.0, _NONE
    for sign in "\t;|,":
        if sign not in text:
            continue
        try:
            widths = [len(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=sign) if any(row)][:200]
        except csv.Error:
            continue
        several = [width for width in widths if width > 1]
        if not several:
            continue
        most = max(set(several), key=several.count)
        score = len(several) / len(widths) * (0.5 + 0.5 * several.count(most) / len(several))
        if score < _RAGGED:
            continue
        score += _HEADED if widths[0] == most else 0.0
        if score > best + _BETTER:
            best, separator = score, sign
    return separator
