"""`readingroom eval`: the formats of the independent scorer, a user's own questions, the gate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import UsageError
from rag.eval_report import compare, losses, report_html, run_questions
from rag.evaluate import ask_pages, ask_set, read_lines, read_qrels, score_pages, score_ranking, write_hits, write_run
from rag.library import Library
from rag.questions_file import make_questions, read_questions, write_questions
from rag.settings import Settings
from tests.in_process import Room

TEXTS = {
    "d1": ("Harbours", "The pilot boat of the harbour is moored at the northern pier during storms."),
    "d2": ("Orchards", "Apple trees are pruned in late winter, before the buds begin to swell."),
    "d3": ("Clocks", "The verger winds the tower clock of the village church every Friday morning."),
}


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """A set in BEIR's form with three texts and two questions."""
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": key, "title": title, "text": text} for key, (title, text) in TEXTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = [{"_id": "q1", "text": "Who winds the clock?"}, {"_id": "q2", "text": "When are apple trees pruned?"}]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td3\t1\nq2\td2\t2\nq2\td1\t0\n")
    return folder


def test_a_set_is_asked_in_a_home_of_its_own(settings: Settings, beir: Path, tmp_path: Path) -> None:
    """The right text comes first, the ranking is written as the scorer reads it, vectors are kept, the home is untouched."""
    answers, judged = ask_set(settings, beir, "test", tmp_path / "cache", lambda line: None)
    assert score_ranking(answers, judged)["ndcg@10"] == [1.0, 1.0]
    write_run(tmp_path / "run.tsv", answers)
    first = (tmp_path / "run.tsv").read_text().splitlines()[0].split("\t")
    assert first[:3] == ["q1", "d3", "1"] and float(first[3]) > 0
    assert list((tmp_path / "cache").glob("*.npz")) and not settings.home.exists()
    again, _ = ask_set(settings, beir, "test", tmp_path / "cache", lambda line: None)
    assert [item.ranked for item in again] == [item.ranked for item in answers]


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("corpus.jsonl", '{"_id": "d1"}', "line 1, has no `text`"),
        ("corpus.jsonl", "not json", "line 1, is not JSON"),
        ("queries.jsonl", '{"_id": "q1", "text": "Who?"}', "no question `q2`"),
        ("qrels/test.tsv", "a\tb\tc\nq1 d3 1\n", "line 2"),
        ("qrels/test.tsv", "a\tb\tc\nq1\td3\t0\n", "judges nothing"),
    ],
)
def test_a_broken_set_is_refused(settings: Settings, beir: Path, file: str, content: str, says: str) -> None:
    """What is wrong is named with its file and line, before anything is embedded."""
    (beir / file).write_text(content)
    with pytest.raises(UsageError, match=says):
        ask_set(settings, beir, "test", None, lambda line: None)


def test_pages_are_scored(settings: Settings, tmp_path: Path) -> None:
    """Hits name the file without its suffix and the page; a wrong page counts for the document only."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for key, (_, text) in TEXTS.items():
        (folder / f"{key}.txt").write_text(text)
    with Room(settings) as room:
        room.ingest(folder)
    questions = [
        {"id": "1", "question": "Who winds the clock?", "doc": "d3", "gold_pages": [1]},
        {"id": "2", "question": "When are apple trees pruned?", "doc": "d2", "gold_pages": [7]},
    ]
    with Library(settings, "tests") as library:
        answers = ask_pages(library, questions, [], lambda line: None)
    measures = score_pages(answers, questions)
    assert measures["page@1"] == [1.0, 0.0] and measures["document@1"] == [1.0, 1.0]
    write_hits(tmp_path / "hits.jsonl", answers)
    assert read_lines(tmp_path / "hits.jsonl", ("id", "hits"))[0]["hits"][0] == {"doc": "d3", "page": 1}


def test_own_questions_are_made_edited_run_and_gated(settings: Settings, tmp_path: Path) -> None:
    """Questions come from the documents, survive a round trip through the file, and a loss closes the gate."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for key, (_, text) in TEXTS.items():
        (folder / f"{key}.txt").write_text(f"{text} It cost {len(key)}400 euros in the year 1987 after long talks.")
    hidden = "The secret surcharge came to 9900 euros in the year 1999 after dark."
    page = f"<html><body><p>The quay is long and old.</p><p style='display:none'>{hidden}</p></body></html>"
    (folder / "page.html").write_text(page)
    with Room(settings) as room:
        room.ingest(folder)
    with Library(settings, "tests") as library:
        made = make_questions(library, [], 10)
        assert not any("secret" in f"{one.question} {one.quote}" for one in made)  # no answer may quote it
        assert made and made == make_questions(library, [], 10)
        write_questions(tmp_path / "q.yaml", made)
        assert read_questions(tmp_path / "q.yaml") == made
        run = run_questions(library, made, [])
        named = [replace(one, document=Path(one.document).name, quote="", answers=("x",)) for one in made]
        by_name = run_questions(library, named, [])["means"]
    assert run["means"]["document@10"] == 1.0
    assert by_name == {**run["means"], "quote@10": run["means"]["page@10"]}
    assert losses(compare(run, run)) == []
    worse = json.loads(json.dumps(run))
    for row in worse["questions"]:
        row["page@1"] = 0.0
    lost = losses(compare(run, worse))
    assert [line.split()[0] for line in lost] == (["page@1"] if run["means"]["page@1"] == 1.0 else [])
    page = report_html([("one", run), ("two <b>", worse)], compare(run, worse))
    assert "<svg" in page and "two &lt;b&gt;" in page and "<script" not in page and "http" not in page


def test_a_broken_question_file_names_the_entry(tmp_path: Path) -> None:
    """The number of the entry and what it lacks are said."""
    (tmp_path / "q.yaml").write_text("- {question: 'What?', document: a, page: 0, quote: b}\n")
    with pytest.raises(UsageError, match="page of question 1"):
        read_questions(tmp_path / "q.yaml")
    with pytest.raises(UsageError, match=r"qrels|can't be read"):
        read_qrels(tmp_path / "none.tsv")
