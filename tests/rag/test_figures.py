"""Questions for a figure: the row that is asked for, the column of its period, wordings of tables, and what is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest.ports import Vectors
from rag.columns import column
from rag.evidence import Asked
from rag.extract import extract
from rag.figures import figure
from rag.passages import Passage
from rag.question import GLOSSARY, Labels, load_glossary, load_labels
from rag.retrieve import Found
from rag.words import content_words, numbers, stem

INCOME = """\
INCOME STATEMENTS
| (In millions, except per share amounts) | Three Months Ended March 31, 2023 | Three Months Ended March 31, 2022 \
| Nine Months Ended March 31, 2023 | Nine Months Ended March 31, 2022 |
| --- | --- | --- | --- | --- |
| Net sales: |  |  |  |  |
| Boats | 15,588 | 17,366 | 47,846 | 54,776 |
| Total net sales | 52,857 | 49,360 | 155,726 | 146,405 |
| Research and development | 6,984 | 6,306 | 20,456 | 17,663 |
| Net income (loss) | (18,299) | 16,728 | (52,280) | 55,998 |
| Earnings per share: |  |  |  |  |
| Diluted | 2.45 | 2.22 | 6.97 | 7.41 |
| Effective tax rate | 19% | 17% | 19% | 13% |"""
FLOWS = """\
| (In millions) | Nine Months Ended March 31, 2023 | Nine Months Ended March 31, 2022 |
| --- | --- | --- |
| Net income (loss) | (52,280) | 55,998 |
| Purchases of property and equipment | (18,935) | (17,015) |"""
PROSE = "Net sales of boats increased 7% or $3.5 billion, driven by the boats of the year."


class Alike:
    """An embedder for which all texts are alike."""

    fingerprint = "alike"
    max_tokens = 256

    def embed(self, texts: list[str]) -> Vectors:
        return np.ones((len(texts), 1), dtype=np.float32)

    def embed_question(self, question: str) -> Vectors:
        return self.embed([question])[0]

    def likeness(self, cosine: float) -> float:
        return cosine

    def count(self, texts: list[str]) -> list[int]:
        return [len(text.split()) for text in texts]


def found(text: str, document: str = "d") -> Found:
    return Found(
        Passage(f"{document}.v.0", "c", document, "v", "a.pdf", 1, "", "", text, 100, 100 + len(text)), 1.0, ()
    )


def asked(question: str) -> Asked:
    weights = {stem(word): 1.0 for word in content_words(question)}
    return Asked(weights, frozenset(), frozenset(numbers(question)), True, True, None)


def answer(question: str, *passages: str, labels: Labels | None = None) -> str | None:
    """Return what is said of the row that is found."""
    known = load_labels(GLOSSARY) if labels is None else labels
    row = figure(question, asked(question), [found(text) for text in passages], (), known, Alike())
    return extract(question, asked(question), [row])[0].text if row else None


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What were total net sales in the third quarter of 2023?", "52,857 (in millions)"),
        ("How much did it spend on R&D in Q3 2022?", "6,306 (in millions)"),
        ("How much revenue came from boats in Q3 2023?", "15,588 (in millions)"),
        ("What was the Co.'s research and development in Q3 2023?", "6,984 (in millions)"),
        ("What was the net loss in Q3 2023?", "(18,299) (in millions)"),
        ("What were diluted earnings per share in Q3 2023?", "2.45"),
        ("What was the effective tax rate in Q3 2023?", "19%"),
        ("What was the net income for the quarter ended March 31, 2022?", "16,728 (in millions)"),
    ],
)
def test_the_row_and_the_column_that_are_asked_for(question: str, said: str) -> None:
    """The row whose label is asked for, in its own or other words, in the column of the quarter, with its scale."""
    text = answer(question, PROSE, FLOWS, INCOME)
    assert text is not None and text.endswith(f": {said}") and "Three Months Ended" in text


def test_the_end_is_not_the_beginning_and_the_rest_not_the_whole() -> None:
    """Rows that differ from what is asked by one such word are other rows."""
    table = (
        "| (In millions) | 2023 |\n| --- | --- |\n| Cash, beginning of period | 19 |\n| Cash, end of period | 20 |\n"
        "| Other current assets | 3 |\n| Total current assets | 13 |\n| Other comprehensive income | 156 |"
    )
    for question, figure_of in (
        ("What was cash at the end of the period in 2023?", "20"),
        ("What was cash at the beginning of the period in 2023?", "19"),
        ("What were other current assets in 2023?", "3"),
        ("What were total current assets in 2023?", "13"),
        ("What was total comprehensive income in 2023?", None),
    ):
        text = answer(question, table)
        assert text is None if figure_of is None else text is not None and text.endswith(f": {figure_of} (in millions)")


def test_a_column_of_another_span_is_no_quarter() -> None:
    """A quarter is not answered by nine months; those are found when they are asked for."""
    assert answer("What was capex in Q3 2023?", FLOWS) is None
    text = answer("What was capex in the nine months ended March 31, 2023?", FLOWS)
    assert text == "Purchases of property and equipment, Nine Months Ended March 31, 2023: (18,935) (in millions)"


def test_months_that_are_asked_for_are_not_answered_by_a_quarter() -> None:
    """Spans of other lengths that end on the same day are other columns, however they are written, also the only one."""
    quarter = INCOME.replace("Nine Months Ended March 31, 2023", "Change in %").replace(
        "Nine Months Ended", "Three Months Ended"
    )
    for question in (
        "What were diluted earnings per share for the nine months ended March 31, 2023?",
        "What were diluted earnings per share in the first 9 months of 2023?",
        "What were diluted earnings per share for the 39 weeks ended March 31, 2023?",
    ):
        text = answer(question, INCOME)
        assert text is not None and text.endswith(", Nine Months Ended March 31, 2023: 6.97")
        assert answer(question, quarter) is None
    text = answer("What were diluted earnings per share for the three months ended March 31, 2022?", quarter, INCOME)
    assert text is not None and text.endswith(", Three Months Ended March 31, 2022: 2.22")


def test_a_row_of_another_term_is_another_row() -> None:
    """Rows that differ in a length of time are told apart by it; that of the accounts in the question is no row's."""
    prices = """\
| Cover | 2023 | 2022 |
| --- | --- | --- |
| Extended warranty, 24 months | 60 | 50 |
| Extended warranty, 36 months | 90 | 80 |"""
    for question, told in (
        ("How much is the extended warranty for 36 months?", "36 months, 2023: 90"),
        ("How much was the 24 months extended warranty in 2022?", "24 months, 2022: 50"),
        (
            "How much was the 36 months extended warranty in the nine months ended May 31, 2022?",
            "36 months, 2022: 80",
        ),
    ):
        assert answer(question, prices) == f"Extended warranty, {told}"
    assert answer("How much is the extended warranty for 48 months?", prices) is None


@pytest.mark.parametrize(
    "question",
    [
        "What were net sales of trains in Q3 2023?",
        "What were total net sales in 1999?",
        "Why did net sales increase?",
        "How did net sales change across quarters?",
        "What drove research and development?",
        "Which boats are sold?",
    ],
)
def test_other_questions_are_left_alone(question: str) -> None:
    """No row is taken for something else, another year, a reason or an analysis."""
    assert answer(question, PROSE, FLOWS, INCOME) is None


def test_amounts_are_no_shares_and_dividends_per_share_are_that() -> None:
    """How much was spent is no percentage, whether the cells say so or the caption; "per share" is asked of such rows only."""
    shares = """\
Expressed as a percentage of net sales
| Item | Three Months Ended March 31, 2023 | Three Months Ended March 31, 2022 |
| --- | --- | --- |
| Research and development | 12.7 | 17.2 |"""
    flows = """\
| (In millions) | Three Months Ended March 31, 2023 | Three Months Ended March 31, 2022 |
| --- | --- | --- |
| Dividends declared | (3,811) | (3,760) |
| Dividends declared per share | $0.24 | $0.23 |"""
    spent = answer("How much was spent on research and development in Q3 2023?", shares, INCOME)
    assert spent is not None and spent.endswith("6,984 (in millions)")
    assert answer("How much was spent on research and development in Q3 2023?", shares) is None
    dividend = answer("What dividend was declared per share in Q3 2023?", flows)
    assert dividend == "Dividends declared per share, Three Months Ended March 31, 2023: $0.24"


def test_only_documents_that_are_named() -> None:
    """A row of another document than the one that is named is not taken."""
    question = "What were total net sales in Q3 2023?"
    other = found(INCOME, "other")
    assert figure(question, asked(question), [other], {"d"}, {}, Alike()) is None
    row = figure(question, asked(question), [other], {"other"}, {}, Alike())
    assert row is not None and row.text.startswith("| Total net sales | 52,857 |")


def test_the_latest_column_where_no_period_is_named() -> None:
    """Without a period it is the latest column of several; a table without a header has none."""
    header = ["", "September 30, 2022", "December 31, 2021", "Change"]
    row = ["Long-term debt", "58,919", "48,744", "21%"]
    question = "What is the long-term debt?"
    assert column(question, asked(question), header, row) == 1
    assert (
        column("What was the long-term debt in 2021?", asked("What was the long-term debt in 2021?"), header, row) == 2
    )
    assert column(question, asked(question), [""], row) is None
    dated = "What was the long-term debt on December 31, 2021?"
    assert column(dated, asked(dated), header, row) == 2
    dated = "What was the long-term debt on June 30, 2022?"
    assert column(dated, asked(dated), header[:3], row[:3]) is None
    spans = ["", "Three Months Ended July 1, 2023", "Nine Months Ended July 1, 2023"]
    assert column(question, asked(question), spans, ["Net sales", "21,213", "62,886"]) == 1
    headless = "| Provision for taxes | $4,222 | $5,129 |\n| --- | --- | --- |\n| Effective tax rate | 14.9% | 17.0% |"
    assert answer("What was the effective tax rate?", headless) is None


def test_the_glossary_says_what_rows_are_called(tmp_path: Path) -> None:
    """An entry's `rows` are other labels of its terms; a glossary without them has none, and search reads the same file."""
    own = tmp_path / "glossary.yaml"
    own.write_text("- {terms: [crew], also: [sailors], rows: [hands on board]}\n- {terms: [keel], also: [hull]}\n")
    labels = load_labels(own)
    assert labels == {("crew",): (("hand", "board"),)} and load_glossary(own)[("crew",)] == ("sailors",)
    table = "| Ship | 2023 | 2022 |\n| --- | --- | --- |\n| Hands on board | 41 | 38 |"
    assert answer("How many crew in 2023?", table, labels=labels) == "Hands on board, 2023: 41"
    assert answer("How many crew in 2023?", table, labels={}) is None
