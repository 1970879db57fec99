"""Says whether a figure stands in another column, or in the row of another name, than a question asks for."""

from __future__ import annotations

import re
from pathlib import Path

from rag.columns import CHANGE, column, names_period
from rag.evidence import Asked
from rag.passages import Passage
from rag.rows import caption, cells, group_row, header_row
from rag.words import numbers, stems

_CHANGES = re.compile(
    r"\b(?:gr[eo]w\w*|ris(?:e|en|ing)|rose|fall\w*|fell|drop\w*|declin\w*|decreas\w*|increas\w*|chang\w*)\b", re.I
)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def is_of_other(answer: str, question: str, asked: Asked, passage: Passage, start: int, end: int) -> bool:
    """Return whether the row at [start, end) has an answer's figure in another column than that of the one period that a question
    names, or is not the row of a name in the question that another row of the passage has and nothing above the table. Other
    text never is, nor is the column of changes where the question is about one."""
    text = passage.text[start - passage.start : end - passage.start]
    said = numbers(answer) - numbers(question)
    if not text.startswith("|") or not said:
        return False
    row, header = cells(text), cells(header_row(passage, start))
    years = set(_YEAR.findall(question)) & set(_YEAR.findall(" ".join(header)))
    at = column(question, asked, header, row) if names_period(question) and len(years) < 2 else None
    if at is not None and said.isdisjoint(numbers(row[at])):
        titles = [title for title, cell in zip(header[1:], row[1:], strict=True) if said & numbers(cell)]
        if any(not (_CHANGES.search(question) and CHANGE.search(title)) for title in titles):
            return True
    above = f"{passage.heading} {passage.context.partition('|')[0]} {Path(passage.path).stem.replace('_', ' ')}"
    names = asked.names - asked.naming.get(passage.document_id, frozenset()) - stems(above)
    if names & stems(f"{text} {group_row(passage, start)} {caption(passage, start)} {header_row(passage, start)}"):
        return False
    return any(names & stems(cells(line)[0]) for line in passage.text.split("\n") if line.startswith("|"))
