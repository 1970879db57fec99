"""A figure of the right table in another column or another row than the question asks for."""

from __future__ import annotations

import pytest

from rag.evidence import Asked
from rag.other_cell import is_of_other
from rag.passages import Passage
from rag.rows import is_header
from rag.words import content_words, numbers, stem

TABLE = """\
Revenue by product

| Three Months Ended September 30, | 2024 | 2023 |
| --- | --- | --- |
| Dinghies | 3,663 | 3,136 |
| Ferries | 2,928 | 2,656 |"""


@pytest.mark.parametrize(
    ("question", "row", "answer", "other"),
    [
        (
            "What revenue did Dinghies have in the three months ended September 30, 2023?",
            "Dinghies",
            "3,663 million.",
            True,
        ),
        (
            "What revenue did Dinghies have in the three months ended September 30, 2023?",
            "Dinghies",
            "3,136 million.",
            False,
        ),
        ("What revenue did Dinghies have in 2024?", "Dinghies", "3,663", False),
        ("What revenue did Dinghies have in 2024?", "Ferries", "2,928", True),
        ("What revenue did Dinghies have?", "Dinghies", "3,136", False),
        ("What revenue did small boats have in 2024?", "Dinghies", "3,663", False),
        ("What revenue did Nordvik have in 2024?", "Ferries", "2,928", False),
        ("What revenue did Dinghies have in 2024?", "Revenue by product", "3,663", False),
    ],
)
def test_a_figure_of_another_column_or_row(question: str, row: str, answer: str, other: bool) -> None:
    """The figure of another year in the right row, or of another product in the right column, is not what is asked for; where
    the question names no period or no row, any is left to the other checks."""
    words = content_words(question)
    names = frozenset(stem(word) for word in words[1:] if word[0].isupper())
    asked = Asked({stem(word): 1.0 for word in words}, names, frozenset(numbers(question)), True, True, None)
    passage = Passage("d.v.0", "c", "d", "v", "a.pdf", 1, "", "", TABLE, 100, 100 + len(TABLE))
    line = next(line for line in TABLE.split("\n") if row in line)
    start = 100 + TABLE.index(line)
    assert is_of_other(answer, question, asked, passage, start, start + len(line)) is other


OWED = """\
| In millions | 2019 | 2023 | % Change |
| --- | --- | --- | --- |
| Loan | 90 | 40 | (56)% |
| Norvik quay | 12 | 7 | (42)% |"""


@pytest.mark.parametrize(
    ("question", "answer", "other"),
    [
        ("How much was owed in 2019 on the loan due in 2023?", "90", False),
        ("By how much did the loan of Norvik fall in 2023?", "56%", False),
        ("How much was the loan of Norvik in 2023?", "56%", True),
        ("How much was the loan of Norvik in 2023?", "40", False),
        ("How much was the loan of Halden in 2023?", "40", False),
    ],
)
def test_figures_that_only_seem_to_be_of_another(question: str, answer: str, other: bool) -> None:
    """Where a question names two of the years any may be meant, a change stands in the column of changes, and a name that
    stands above the table is not that of a row alone."""
    words = content_words(question)
    names = frozenset(stem(word) for word in words[1:] if word[0].isupper())
    asked = Asked({stem(word): 1.0 for word in words}, names, frozenset(numbers(question)), True, True, None)
    passage = Passage("d.v.0", "c", "d", "v", "a.pdf", 1, "Norvik > Debt", "", OWED, 0, len(OWED))
    start = OWED.index("| Loan")
    assert is_of_other(answer, question, asked, passage, start, OWED.index("\n| Norvik")) is other


@pytest.mark.parametrize(
    ("row", "names_periods"),
    [
        ("| Three Months Ended September 30, | 2022 | 2021 |", True),
        ("| As of | 2022 |  |", True),
        ("|  | 2022 | 2021 |", True),
        ("| Gaming | 3,610 | 3,593 |", False),
        ("| Founded | 1998 | 2004 |", False),
        ("| Three Months Ended September 30, |  |  |", False),
        ("2022", False),
    ],
)
def test_a_second_header_row_is_known(row: str, names_periods: bool) -> None:
    """A row that only names periods states nothing, wherever it stands in a table."""
    text = f"| (In millions) |  |  |\n| --- | --- | --- |\n{row}\n| Devices | 1,448 | 1,414 |"
    passage = Passage("d.v.0", "c", "d", "v", "a.pdf", 1, "", "", text, 0, len(text))
    assert is_header(passage, text.index(row)) is names_periods
    assert is_header(passage, 0) and not is_header(passage, text.index("| Devices"))
