"""Says whether a figure stands in another column, or in the row of another name, than a question asks for."""

from __future__ import annotations

from rag.columns import column, names_period
from rag.evidence import Asked
from rag.passages import Passage
from rag.rows import caption, cells, group_row, header_row
from rag.words import numbers, stems


def is_of_other(answer: str, question: str, asked: Asked, passage: Passage, start: int, end: int) -> bool:
    """Return whether the row at [start, end) has an answer's figure in another column than that of the period which the question
    names, or is not the row of a name in the question that another row of the passage has. Other text never is."""
    text = passage.text[start - passage.start : end - passage.start]
    said = numbers(answer) - numbers(question)
    if not text.startswith("|") or not said:
        return False
    row, header = cells(text), cells(header_row(passage, start))
    at = column(question, asked, header, row) if names_period(question) else None
    if at is not None and said.isdisjoint(numbers(row[at])) and any(said & numbers(cell) for cell in row[1:]):
        return True
    names = asked.names - asked.naming.get(passage.document_id, frozenset())
    if names & stems(f"{text} {group_row(passage, start)} {caption(passage, start)} {header_row(passage, start)}"):
        return False
    return any(names & stems(cells(line)[0]) for line in passage.text.split("\n") if line.startswith("|"))
