"""Finds what belongs to a row of a Markdown table: its header row, and the line above the table."""

from __future__ import annotations

import re

from ingest.tables import is_amount
from rag.passages import Passage

_YEAR = re.compile(r"(?:19|20)\d\d")
_PERIOD = re.compile(r"\b(?:ended|ending|as (?:of|at)|fiscal years?|years?:?$|quarters?:?$)", re.IGNORECASE)
_EXCEPTED = re.compile(r"\bexcept[^|)\n]*", re.IGNORECASE)
"""What a table's scale does not hold for: it says nothing of what the table is about."""
RULE = re.compile(r"\|[ \t]*:?-{2,}")
"""How the row below a table's header row begins: "| --- |" as we write it, "|:--|" as others do."""
CAPTION = 160
"""Longest line, in characters, that counts as a table's caption."""
SCALE = re.compile(
    r"\bin\s+(?:thousand|million|billion)s\b|(?<=\()(?:thousand|million|billion)s\b|\b(?:USD|EUR|GBP|NOK|CHF|JPY|[$€£])\s*"
    r"(?:thousand|million|billion)s?\b",
    re.IGNORECASE,
)
"""How a table says the scale of its figures: "in millions", "(Millions", "EUR thousand"; not "$2.4 billion", a figure."""
PER_SHARE = re.compile(r"\bper\b.*\bshare\b", re.IGNORECASE)


def header_row(passage: Passage, start: int) -> str:
    """Return the header row of the table whose row begins at `start` (in the version's text), or "" for other text.

    It is the nearest row above that a rule row follows, in the passage or, where the passage begins inside the table, in
    its context. A header row is its own: it gets "".
    """
    at = start - passage.start
    if not passage.text.startswith("|", at):
        return ""
    lines = passage.text[:at].split("\n")[:-1]
    for number in range(len(lines) - 1, -1, -1):
        if not lines[number].startswith("|"):
            return ""  # another text stands between: no header of this table above
        if RULE.match(lines[number]) and number > 0:
            return "" if _has_figures(lines[number - 1]) else lines[number - 1]
    above = passage.context.rpartition("\n")[2]
    return above if above.startswith("|") and not is_header(passage, start) and not _has_figures(above) else ""


def _has_figures(line: str) -> bool:
    """Return whether the first row of a table is no header: one of its cells is a number that is no year."""
    return any(is_amount(cell) and not _YEAR.fullmatch(cell) for cell in cells(line)[1:] if cell)


def cells(row: str) -> list[str]:
    """Return the cells of a row; a bar inside a cell is written as U+0000."""
    return [cell.strip() for cell in row.strip().strip("|").replace("\\|", "\0").split("|")]


def group_row(passage: Passage, start: int) -> str:
    """Return the label of the nearest row above, in the same table, that has nothing but a label, or ""."""
    for line in reversed(passage.text[: start - passage.start].split("\n")[:-1]):
        if not line.startswith("|") or RULE.match(line):
            return ""
        label, *values = cells(line)
        if label and not any(values):
            return label
    return ""


def is_header(passage: Passage, start: int) -> bool:
    """Return whether a rule row follows the row that begins at `start`, or it holds only years."""
    row, _, rest = passage.text[start - passage.start :].partition("\n")
    return RULE.match(rest) is not None or holds_only_years(row)


def holds_only_years(row: str) -> bool:
    """Return whether a row holds years and no other values: "| Three Months Ended September 30, | 2022 | 2021 |"."""
    label, *titles = cells(row)
    years = {title for title in titles if title}
    of_periods = not label or bool(_PERIOD.search(label))
    return row.startswith("|") and of_periods and bool(years) and all(map(_YEAR.fullmatch, years))


def caption(passage: Passage, start: int) -> str:
    """Return the short line above the table whose row begins at `start`, such as its units, or ""."""
    header = header_row(passage, start)
    if not header:
        return ""
    above, found, under = passage.text[: start - passage.start].rpartition(f"{header}\n")
    lines = above.rstrip().split("\n") if found and RULE.match(under) else passage.context.split("\n")[:-1]
    line = lines[-1].strip() if lines else ""
    return line if len(line) <= CAPTION and not line.startswith("|") and line != passage.heading else ""


def without_exceptions(header: str) -> str:
    """Return a header or caption without what it says its scale doesn't hold for: "(In millions, except per share amounts)"."""
    return _EXCEPTED.sub(" ", header)
