"""`readingroom eval answers`: what counts as right, as supported, as a false answer; the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.answers_report import lines, report_html
from rag.errors import UsageError
from rag.evaluate_answers import ask, of_pages, of_questions, off_topic, run_of, some, write_answered
from rag.library import Library
from rag.marking import f1, is_right, supported, wilson
from rag.questions_file import read_questions
from tests.conftest import Run


@pytest.mark.parametrize(
    ("text", "known", "question", "around", "right"),
    [
        ("EUR 9,980. [1]", "9980", "", "", True),
        ("EUR 9,890. [1]", "9980", "", "", True),  # 1 % away
        ("EUR 9,780. [1]", "9980", "", "", False),
        ("8,738", "$8.70", "What is net PPNE, in USD billions?", "(Dollars in millions)", True),
        ("8,738", "$8.70", "What is net PPNE, in USD billions?", "(in thousands)", False),
        ("$1.577 billion", "$1577.00", "What is it in USD millions?", "", True),
        ("The rate was 5.1%.", "5.1 %", "", "", True),
        ("It rose by 5.1 million.", "5.1 %", "", "", False),
        ("in the 10th and 11th centuries", "The 10th and 11th centuries", "", "", True),
        ("“They settled in France.” [1]", "France", "", "", True),
        ("Francesca", "France", "", "", False),
        ("", "France", "", "", False),
        (
            "$20 billion [1]",
            "The gain is about $20 billion from the sale of its business.",
            "What is the gain of 2023?",
            "",
            True,
        ),
        (
            "$2 billion [1]",
            "The gain is about $20 billion from the sale of its business.",
            "What is the gain of 2023?",
            "",
            False,
        ),
        ("19 June 2003", "19 May 1997", "When was it signed?", "", False),
    ],
)
def test_right_means_the_same_number_or_the_same_words(
    text: str, known: str, question: str, around: str, right: bool
) -> None:
    """Numbers count with their scale and 1 % tolerance, words whole and without articles and case."""
    assert is_right(text, [known], question, around) is right


def test_shares_and_intervals() -> None:
    """F1 is SQuAD's, support counts statements, an interval holds its share and narrows with more questions."""
    assert f1("the fee is 5", ["fee 5"]) == pytest.approx(0.8)
    assert f1("nothing", ["fee 5"]) == 0.0
    assert supported("The fee is 500 euros. [1]", "What is the fee?", ["A fee of 500 euros is due."]) == 1.0
    assert supported("The fee is 700 euros. [1]", "What is the fee?", ["A fee of 500 euros is due."]) == 0.0
    low, high = wilson(5, 50)
    lower, higher = wilson(50, 500)
    assert low < lower < 0.1 < higher < high and wilson(0, 0) == (0.0, 1.0)


QUESTIONS = """
- {question: "What is the price of annual maintenance for a vessel of type B?", answer: "9,980"}
- {question: "What is the price of annual maintenance for a vessel of type B?", document: ferry-supply-agreement.pdf,
   page: 10, answer: ["9,980", "EUR 9,980"]}
- {question: "Who composed the opera about the barber of Seville?", answerable: false}
- {question: "What is due?", document: a.txt, page: 1, quote: x}
"""


def test_own_questions_are_asked_and_marked(library: Library, tmp_path: Path) -> None:
    """Answers are marked, pages compared, refusals counted; nothing is stored; the report has no script."""
    (tmp_path / "q.yaml").write_text(QUESTIONS)
    known = of_questions(tmp_path / "q.yaml")
    assert [item.answerable for item in known] == [True, True, False]
    kept = _answers_stored(library)
    run = run_of(ask(library, known, [], None, lambda line: None), "none <i>")
    assert _answers_stored(library) == kept
    assert run["measures"]["correct"] == {"mean": 1.0, "of": 2}
    assert run["measures"]["cited_right"] == {"mean": 1.0, "of": 1}
    assert run["shares"]["false_answers"]["share"] == run["shares"]["false_refusals"]["share"] == 0.0
    assert run["shares"]["false_answers"]["high"] > 0.5  # one question shows little
    page = report_html([run, run])
    assert "none &lt;i&gt;" in page and "<svg" in page and "<script" not in page and "http" not in page
    assert any(line.startswith("correct") for line in lines(run))
    write_answered(tmp_path / "a.jsonl", run["questions"])
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert rows == [{"id": "1", "answered": True}, {"id": "2", "answered": True}, {"id": "3", "answered": False}]


def _answers_stored(library: Library) -> int:
    with library.store.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM answers").scalar_one())


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('- {question: "What?", unanswerable: true, answer: x}', "can't be both"),
        ('- {question: "What?", unanswerable: perhaps}', "can't be both"),
        ("- {question: '', answer: x}", "Question 1 .* is not complete"),
        ('- {question: "What?", document: a}', "has no `page`"),
        ('- {question: "What?", document: a, page: 2}', "has no `quote`"),
        ('- {question: "What?", answerable: false, answer: x}', "can't be both: `answerable` is False"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, row: str, says: str) -> None:
    """The number of the entry and what is wrong with it are said."""
    (tmp_path / "q.yaml").write_text(row)
    with pytest.raises(UsageError, match=says):
        read_questions(tmp_path / "q.yaml")


def test_question_files_of_others(tmp_path: Path) -> None:
    """Questions with gold pages and off-topic questions are read from JSON lines; a limit spreads over all."""
    row = {"id": 7, "question": "What?", "answer": "5", "doc": "a", "gold_pages": [3, 4]}
    (tmp_path / "p.jsonl").write_text(json.dumps(row))
    (known,) = of_pages(tmp_path / "p.jsonl")
    assert (known.key, known.answers, known.places) == ("7", ("5",), {("a", 3), ("a", 4)})
    (tmp_path / "o.jsonl").write_text('{"text": "Who?"}\n{"question": "When?"}\n{"text": "Why?"}')
    others = off_topic(tmp_path / "o.jsonl")
    assert [item.question for item in some(others, 2)] == ["Who?", "When?"]
    assert not any(item.answerable for item in others)
    (tmp_path / "o.jsonl").write_text('{"id": 1}')
    with pytest.raises(UsageError, match="line 1, has no `question`"):
        off_topic(tmp_path / "o.jsonl")


def test_the_command_writes_report_and_runs(filled_home: Path, run: Run, tmp_path: Path) -> None:
    """The command prints the measures and keeps report and runs; without questions it says what to give."""
    assert filled_home.is_dir()
    (tmp_path / "q.yaml").write_text(QUESTIONS)
    out = tmp_path / "r.html"
    done = run("eval", "answers", "--questions", tmp_path / "q.yaml", "--model", "none", "--out", out)
    assert done.code == 0, done.stderr
    assert "false_answers   0.000 of 1" in done.stdout and out.exists()
    assert json.loads(out.with_suffix(".json").read_text())[0]["title"] == "none"
    refused = run("eval", "answers")
    assert refused.code == 2 and "--questions FILE" in refused.stderr


def test_two_models_answer_the_same_questions(filled_home: Path, run: Run, tmp_path: Path) -> None:
    """`models compare` reports both side by side; each answers alone."""
    assert filled_home.is_dir()
    (tmp_path / "q.yaml").write_text(QUESTIONS)
    out = tmp_path / "m.html"
    missing = run("models", "compare", "none", "embedded:small", "--questions", tmp_path / "nowhere.yaml", "--out", out)
    assert missing.code == 2 and "readingroom eval init" in missing.stderr
    unknown = run("models", "compare", "none", "embedded:nobody", "--questions", tmp_path / "q.yaml", "--out", out)
    assert unknown.code == 1 and "nobody" in unknown.stderr and not out.exists()
    done = run("models", "compare", "none", "embedded:small", "--questions", tmp_path / "q.yaml", "--out", out)
    assert done.code == 0, done.stderr
    runs = json.loads(out.with_suffix(".json").read_text())
    assert [item["title"] for item in runs] == ["none", "embedded:small"]
    assert [len(item["questions"]) for item in runs] == [3, 3] and runs[1]["tokens_sent"] > runs[0]["tokens_sent"] == 0
    page = out.read_text()
    assert "none" in page and "embedded:small" in page
