"""The evidence gate and the extractive reader: signs of an answer, calibration, short answers, what was searched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rag.answer_type import candidates, kind_asked
from rag.calibrate import FACT, Judged, calibrate, gate_of, keep, kept, reset
from rag.claim import adds
from rag.errors import ReadingRoomError, UsageError
from rag.evidence import Asked, Features, Support
from rag.extract import cell, extract, span
from rag.gate import DEFAULT, SIGNS, Signs, signs
from rag.library import Library
from rag.logistic import auc, errors, fit, threshold
from rag.marks import marks, of_another
from rag.passages import Passage
from rag.quotable import is_of_little, may_be_quoted
from rag.retrieve import Found
from rag.settings import Settings
from rag.statements import Said
from rag.words import content_words, stem
from tests.conftest import Run
from tests.in_process import Room

PLAIN = Features(own=1, passage=1, likeness=0.8, names=1, figures=1, focus=1, kind=1, states=1)


def support(text: str, line: str, context: str = "", heading: str = "") -> Support:
    """Return a support for one line of a passage."""
    passage = Passage("d.v.0", "c", "d", "v", "a.pdf", 1, heading, context, text, 100, 100 + len(text))
    at = 100 + text.index(line)
    return Support(Found(passage, 0.7, ("keyword",)), at, at + len(line), PLAIN, 0.9)


def asked(question: str, *words: str, number: bool = False, figures: tuple[str, ...] = ()) -> Asked:
    return Asked({word: 2.0 for word in words}, frozenset(), frozenset(figures), number, number, None)


@pytest.mark.parametrize(
    ("question", "sentence", "answers"),
    [
        ("When did it begin?", "It began on 3 May 2021 in Bergen.", ["3 May 2021"]),
        ("When did it begin?", "It began in the late 11th century.", ["the late 11th century"]),
        ("In which year was the pier built?", "The pier of 1890 was built anew in 1987.", ["1890", "1987"]),
        ("Who leads the yard?", "The yard is led by Ingrid Solheim of Bergen.", ["Ingrid Solheim of Bergen"]),
        ("How long is the notice?", "The notice is at least 30 working days.", ["at least 30 working days"]),
        ("How much does it cost?", "It costs EUR 9,980 a year.", ["EUR 9,980"]),
        ("What percentage is kept?", "Of each invoice 5 % is kept.", ["5 %"]),
        ("How heavy may a vehicle be?", "8.2 A vehicle may weigh 3.5 t at most in 2024.", ["3.5 t"]),
        ("How many have been found?", "Of serial numbers 40-2210 to 40-2388, 12 have been found.", ["12"]),
        ("Who leads it, and how many are there?", "Ingrid Solheim leads the 12 of them.", []),
        ("Why is it kept?", "Of each invoice 5 % is kept.", []),
    ],
)
def test_words_of_the_kind_that_is_asked_for(question: str, sentence: str, answers: list[str]) -> None:
    """Dates, names, durations, money and shares are found as they stand, and nothing where no form tells the kind."""
    found = [sentence[item.start : item.end] for item in candidates(kind_asked(question), sentence, question)]
    assert found == answers


@pytest.mark.parametrize(
    ("question", "place", "around", "another"),
    [
        ("How soon is a fault of severity 3 mended?", "Severity 1 is mended within 4 hours.", "", True),
        ("How soon is a fault of severity 3 mended?", "Severity 1 and severity 3 are mended at once.", "", False),
        ("How soon is a fault of severity 3 mended?", "It is mended within 4 hours.", "", False),
        ("How soon is a fault of severity 3 mended?", "Severity 1 is mended first.", "Severity 3 waits a week.", False),
        ("What does the E200 cost?", "The E300 costs EUR 29,500.", "", True),
        ("What does the E200 cost?", "The E200 and the E300 cost EUR 29,500.", "", False),
        ("What was planned in FY2021?", "In 2020, EUR 2,021 were planned.", "", True),
        ("What was planned in 2021?", "EUR 2,021 were planned, 1.2020 of them at once.", "", False),
        ("What must be paid within 30 days?", "It must be paid within 60 days.", "", False),
        ("What does ISO 27001 ask for?", "ISO 9001 asks for a manual.", "", True),
        ("Who built pier B?", "Pier A was built by Nordvik.", "", True),
        ("What is the third instalment?", "The second instalment is EUR 9,000.", "", True),
        ("What is the third instalment?", "The 3rd instalment is EUR 9,000.", "", False),
        ("What is the third instalment?", "It is paid by a third party.", "", False),
        ("What were sales in the fourth quarter?", "Sales in Q3 were EUR 9,000.", "", True),
        ("What were sales in the fourth quarter?", "Sales in Q4 were EUR 9,000.", "", False),
        ("What happened in World War 2?", "In World War II the yard was closed.", "", False),
        ("Who drives V-105?", "It drives 5 km a day.", "", False),  # a name, not the fifth drive
        ("Was gilt für Gerät 3?", "Für Gerät 4 gilt eine Frist.", "", True),
    ],
)
def test_another_of_the_kind(question: str, place: str, around: str, another: bool) -> None:
    """Numbers, letters, codes and years tell things of a kind apart; what the place's surroundings name counts for it."""
    assert of_another(marks(question), place, f"{place}\n{around}") is another


def test_the_number_in_a_row_says_which_of_its_kind_it_is() -> None:
    """The column's title and the row's number belong together: "Severity" and "2"."""
    table = "| Severity | First response |\n| --- | --- |\n| 1 | 30 minutes |\n| 2 | 2 hours |"
    question = "How fast is the first response for severity 1?"
    about = replace(asked(question, "first", "respons", "sever"), marks=marks(question))
    first, second = support(table, "| 1 | 30 minutes |"), support(table, "| 2 | 2 hours |")
    assert not about.is_another(first.found, first.start, first.end)
    assert about.is_another(second.found, second.start, second.end)
    rows = "| Instalment | Amount |\n| --- | --- |\n| Second | 9,000 |\n| Third | 8,000 |"
    question = "What is the second instalment?"
    about = replace(asked(question, "second", "instal"), marks=marks(question))
    second, third = support(rows, "| Second | 9,000 |"), support(rows, "| Third | 8,000 |")
    assert about.is_another(third.found, third.start, third.end)
    assert not about.is_another(second.found, second.start, second.end)
    fault = support("| 1 | No depth reading |", "| 1 | No depth reading |")
    assert signs(question, [fault]).negated == 0.0, "a row denies nothing as a whole"


def test_a_sentence_about_another_code_is_about_another() -> None:
    """What is said of LUMEN-2 says nothing of LUMEN-3, though its document is about that; a row may name both."""
    text = "In LUMEN-2 a dose of 20 mg was given to 146 patients.\nOf those screened, 812 were randomised."
    question = "How many patients were randomised in LUMEN-3?"
    about = replace(asked(question, "patient", "randomis"), marks=marks(question))
    other, right = (support(text, line, heading="Study LUMEN-3") for line in text.split("\n"))
    assert about.is_another(other.found, other.start, other.end)
    assert not about.is_another(right.found, right.start, right.end)


CLOSINGS = "A part of what was paid at the first closing of the sale on 29 May, is recognised until the second closing."


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("What share of the salary is paid in the second year?", "70 per cent"),
        ("What share of the salary is paid in the third year?", "100 per cent"),  # the clause is not there: as marked
        ("What share of the salary is paid?", "100 per cent"),
    ],
)
def test_the_clause_that_names_the_one_that_is_asked_about(question: str, value: str) -> None:
    """Of several values in one sentence, the one whose clause names the year that is asked about."""
    text = (
        "For 26 weeks it pays 100 per cent of the salary, for 26 more 80 per cent, and in the second year 70 per cent."
    )
    start = text.index("100 per cent")
    marked = replace(support(text, text), marked=(100 + start, 100 + start + 12), read=5.0)
    assert extract(question, asked(question, "salari", "pai"), [marked])[0].text == value


def test_the_value_of_the_year_stays_where_a_sentence_lists_two() -> None:
    """Which of two values is meant is told by their order, not by the clause that the year stands in."""
    question = "What share of sales came from abroad in the first quarter of fiscal year 2024?"
    text = "Sales abroad were 67% and 77% of sales for the first quarter of fiscal years 2024 and 2023, respectively."
    marked = replace(support(text, text), marked=(100 + text.index("77"), 100 + text.index("77") + 3), read=5.0)
    assert extract(question, asked(question, "sale", "abroad"), [marked])[0].text == "67%"


@pytest.mark.parametrize(
    ("question", "text", "words", "quoted"),
    [
        ("When is the second closing?", CLOSINGS, "29 May", False),
        ("When is the first closing?", CLOSINGS, "29 May", True),
        ("When is the closing?", CLOSINGS, "29 May", True),
        ("What does type A cost?", "Types differ: type A and type B cost EUR 5.", "EUR 5", True),
        ("What does type A cost?", "Type B costs EUR 5, and type A is free.", "EUR 5", False),
        ("What is paid on class B?", "A dividend of EUR 5 was declared on class A and class B.", "EUR 5", True),
        ("What is it in zone 3?", "EUR 50 are due for zone 1, zone 2 and zone 3.", "EUR 50", True),
        ("What is it in zone 3?", "From zone 1 to zone 3 EUR 50 are due.", "EUR 50", True),
        ("What does type A cost?", "It costs EUR 5, as type A and type B do.", "EUR 5", True),
    ],
)
def test_what_is_told_of_another_is_not_quoted(question: str, text: str, words: str, quoted: bool) -> None:
    """Words whose clause is about another one of the kind, where the one that is asked for comes later, are not its value."""
    start = text.index(words)
    marked = replace(support(text, text), marked=(100 + start, 100 + start + len(words)), read=5.0)
    assert may_be_quoted(question, replace(asked(question, "x"), marks=marks(question)), [marked]) is quoted


def test_a_row_that_says_little_is_not_quoted_alone() -> None:
    """A row without the noun that is asked for must have half of the question, another one a quarter of it; and the names."""
    question, about = "What is the rent?", asked("What is the rent?", "rent")
    row = support("| Rent deposit | GBP 21,625 |", "| Rent deposit | GBP 21,625 |")
    for own, focus, little in ((0.2, 1.0, True), (0.3, 1.0, False), (0.4, 0.0, True), (0.6, 0.0, False)):
        assert is_of_little(question, about, replace(row, features=replace(PLAIN, own=own, focus=focus))) is little
    little_said = replace(row, features=replace(PLAIN, own=0.1))
    assert not may_be_quoted(question, about, [little_said])
    assert may_be_quoted(question, about, [replace(little_said, figure=True)])
    of_garage = replace(about, names=frozenset(["garag"]))
    assert is_of_little(question, of_garage, row)
    assert not is_of_little(question, of_garage, support("| Garage | 5 |", "| Garage | 5 |"))
    assert not is_of_little(question, of_garage, support("The garage\n\n| Rent | 5 |", "| Rent | 5 |"))


FARES = (
    "| Route | Adult return | Child single | Permit |\n| --- | --- | --- | --- |\n"
    "| Brennau | 30.00 | 8.40 | – |\n| 50 mg | 4 | 5 | 6 |"
)


@pytest.mark.parametrize(
    ("question", "line", "quoted"),
    [
        ("What is the adult return to Brennau?", "| Brennau | 30.00 | 8.40 | – |", True),
        ("What is the child return to Brennau?", "| Brennau | 30.00 | 8.40 | – |", False),
        ("What is the permit for Brennau?", "| Brennau | 30.00 | 8.40 | – |", False),
        ("What is the adult return of 150 mg?", "| 50 mg | 4 | 5 | 6 |", False),
        ("What does Brennau cost?", "| Brennau | 30.00 | 8.40 | – |", False),
    ],
)
def test_a_row_without_the_cell_is_not_quoted(question: str, line: str, quoted: bool) -> None:
    """Titles that have the question's words one each, a dash below the right one, a label with another number, no price."""
    about = asked(question, *map(stem, content_words(question)))
    assert may_be_quoted(question, about, [support(FARES, line)]) is quoted


@pytest.mark.parametrize(
    ("text", "read", "quoted"),
    [
        ("It was late because of the frost.", -9.0, True),
        ("The pumps are of type K.", -1.0, False),
        ("The pumps are of type K.", 1.0, True),
    ],
)
def test_why_needs_a_reason(text: str, read: float, quoted: bool) -> None:
    """A sentence without a word for a reason is quoted only where the reader is sure of it."""
    one = replace(support(text, text), read=read, marked=(100, 104))
    assert may_be_quoted("Why was it late?", asked("Why was it late?", "late"), [one]) is quoted


def test_one_of_several_amounts() -> None:
    """Of two sums that the reader marked together the one nearest to the question's words is the answer."""
    text = "The insurer paid EUR 41,300 for the damage to equipment and EUR 12,850 for lost production."
    start, end = text.index("EUR 41"), text.index(" for lost")
    marked = replace(support(text, text), marked=(100 + start, 100 + end), read=5.0)
    question = "How much was paid for lost production?"
    assert extract(question, asked(question, "lost", "product"), [marked])[0].text == "EUR 12,850"


def test_the_cell_that_the_reader_marked() -> None:
    """Where the reader marked words of one cell, that is the cell, whatever the titles say; the header says a unit once."""
    table = "| Part | Rating 2023 | Defect |\n| --- | --- | --- |\n| Pier 3 | 4 | Scour hole 1.7 m deep |"
    line = table.rsplit("\n", maxsplit=1)[-1]
    row = support(table, line)
    at = row.start + line.index("1.7 m")
    question = "How deep is the scour hole in 2023?"
    assert cell(question, asked(question, "deep", number=True), row) == "Pier 3, Rating 2023: 4"
    row = replace(row, marked=(at, at + 5), read=2.0)
    assert cell(question, asked(question, "deep", number=True), row) == "Pier 3, Defect: Scour hole 1.7 m deep"
    money = "| Item | Price (EUR) |\n| --- | --- |\n| Bracket | 64.00 |"
    question = "What is the price of the bracket?"
    assert (
        cell(question, asked(question, "bracket"), support(money, "| Bracket | 64.00 |"))
        == "Bracket, Price (EUR): 64.00"
    )


@pytest.mark.parametrize(
    ("answer", "stands"),
    [
        ("The desk answers in Norwegian and English.", True),
        ("Norwegian, English.", True),
        ("According to clause 6, it is answered in Norwegian.", True),  # few words of its own that the place has not
        ("Yes.", True),
        ("The languages of the desk in Halden correlate.", False),  # only repeats the question
        ("The desk provides guidance by detailing procedures of each department.", False),
    ],
)
def test_an_answer_adds_what_its_place_says(answer: str, stands: bool) -> None:
    """What is said beyond the question must stand at the place; one that only repeats the question must stand there whole."""
    line = "The support desk answers in Norwegian and English."
    place = support(line, line)
    question = "Which languages of the desk in Halden correlate?"
    assert adds(answer, question, place.found, (place.start, place.end)) is stands


def test_the_nearest_words_are_the_answer() -> None:
    """Among several dates the one beside the question's words is taken; numbers stay exactly as written."""
    question = "When was the harbour opened?"
    sentence = "The town was founded in 1624, the harbour was opened in 1891."
    assert span(question, asked(question, "harbour", "open"), sentence) == "1891"
    assert span("How much is due?", asked("", "due"), "A sum of EUR 1,234.50 is due.") == "EUR 1,234.50"
    assert span("Why?", asked(""), sentence) is None


TABLE = "Sales (in thousands)\n\n| EUR | 2023 | 2024 |\n| --- | --- | --- |\n| North | 412 | 455 |\n| South | 380 | |"


def test_a_cell_comes_with_its_headers_unit_and_scale() -> None:
    """The column that the question names is taken, with none named the latest; a year that the table lacks has no answer."""
    north, south = support(TABLE, "| North | 412 | 455 |"), support(TABLE, "| South | 380 | |")
    in_2024 = asked("", "north", "2024", number=True, figures=("2024",))
    assert cell("How much did the North sell in 2024?", in_2024, north) == "North, 2024: 455 EUR (in thousands)"
    assert (
        cell("How much did the North sell?", asked("", "north", number=True), north)
        == "North, 2024: 455 EUR (in thousands)"
    )
    in_2025 = asked("", "north", "2025", number=True, figures=("2025",))
    assert cell("How much did the North sell in 2025?", in_2025, north) is None
    assert (
        cell("How much did the South sell?", asked("", "south", number=True), south)
        == "South, 2023: 380 EUR (in thousands)"
    )


def test_a_sentence_that_asks_is_not_the_answer() -> None:
    """A question that a document repeats is passed over for a statement, and quoted only where there is nothing else."""
    text = "What does the buoy cost?\nThe green buoy is dear."
    question, statement = support(text, "What does the buoy cost?"), support(text, "The green buoy is dear.")
    wanted = asked("Why is the buoy dear?", "buoy", "dear")
    (said,) = extract("Why is the buoy dear?", wanted, [question, statement])
    assert said == Said("“The green buoy is dear.”", (statement.found, statement.start, statement.end))
    assert [one.stands for one in extract("Why is the buoy dear?", wanted, [question])] == [
        (question.found, question.start, question.end)
    ]


def test_a_row_of_dashes_is_not_the_answer() -> None:
    """A row that has a dash in the column that counts answers no question but one for its figure."""
    table = "| EUR | 2023 | 2024 |\n| --- | --- | --- |\n| Buoys laid in Norway | 12 | $ - |"
    text = f"{table}\n\nBuoys are laid in Norway and Denmark."
    row, sentence = (
        support(text, "| Buoys laid in Norway | 12 | $ - |"),
        support(text, "Buoys are laid in Norway and Denmark."),
    )
    question = "What are the countries in which buoys are laid?"
    wanted = asked(question, "countries", "buoys", "laid")
    assert extract(question, wanted, [row, sentence])[0].stands == (sentence.found, sentence.start, sentence.end)
    assert extract(question, wanted, [row])[0].stands == (row.found, row.start, row.end)
    figure = replace(row, figure=True)
    assert extract(question, wanted, [figure, sentence])[0].stands == (row.found, row.start, row.end)


def test_signs_against_an_answer() -> None:
    """A sentence that denies what is asked, or says the opposite of one of its words, shows it."""
    first = support("The ferry is the first vessel of the fleet.", "The ferry is the first vessel of the fleet.")
    found = signs("Which ferry was the last vessel?", [first])
    assert (found.opposed, found.negated, found.retrieved, found.ahead) == (1.0, 0.0, 0.7, 1.0)
    found = signs("When was it not a ferry?", [first])
    assert (found.opposed, found.negated) == (0.0, 1.0)


def test_the_default_gate_tells_topics_apart(library: Library) -> None:
    """What the documents answer has a higher chance than what has nothing to do with them; the answer carries it."""
    good = library.draft("What is the price of annual maintenance for a vessel of type B?")
    bad = library.draft("Who composed the opera about the barber of Seville?")
    assert good.outcome == "answered" and bad.outcome == "not_found"
    assert 0 <= bad.evidence < 0.5 * good.evidence <= 0.5


def judged(number: int) -> list[Judged]:
    """Return questions of both kinds, of which one sign tells four in five apart."""
    found = []
    for at in range(number):
        answerable = at % 2 == 0
        right = answerable if at % 5 else not answerable
        values = dict.fromkeys(SIGNS, 0.5) | {"likeness": 0.8 if right else 0.3, "ahead": (at * 7 % 10) / 10}
        found.append(Judged(f"question {at}", Signs(**values), answerable))
    return found


def test_a_fit_finds_the_sign_that_tells() -> None:
    """Scores on questions that the fit did not see separate as well as the sign does; the threshold keeps to the limit."""
    found = calibrate(judged(200), 0.25)
    assert found.auc == pytest.approx(0.8, abs=0.1) and found.auc >= found.auc_default - 0.05
    assert found.false_refusals[0] <= 0.25 and found.false_answers[0] < 0.35
    assert found.false_answers[1] < found.false_answers[0] < found.false_answers[2]
    assert found.before_model <= found.alone
    with pytest.raises(UsageError, match="5 answerable and 5 unanswerable"):
        calibrate(judged(10), 0.1)


def test_few_questions_leave_the_defaults() -> None:
    """Twenty questions move the weights a little only."""
    found = calibrate(judged(20), 0.1)
    moved = [abs(found.weights[name] - weight) for name, weight in zip(SIGNS, DEFAULT.weights, strict=True)]
    assert 0 < max(moved) < 2


def test_an_operating_point_is_kept_and_forgotten(settings: Settings) -> None:
    """What is stored is used from the next opening on; one of another version is refused with what to do."""
    with Room(settings) as room:
        assert kept(room.store) is None and gate_of(room.store) == (DEFAULT, None)
        found = calibrate(judged(60), 0.2)
        keep(room.store, found)
        assert kept(room.store) == found
        gate, own = gate_of(room.store)
        assert own == (found.before_model, found.alone) and gate.bias == found.bias
        room.store.set_fact(FACT, '{"weights": {}}')
        with pytest.raises(ReadingRoomError, match="--reset"):
            kept(room.store)
        reset(room.store)
        assert kept(room.store) is None


def test_regression_counts() -> None:
    """A fit recovers a slope, AUC counts ties half, a threshold refuses no more than it may."""
    rows = [[at / 10] for at in range(20)]
    slope, _ = fit(rows, [at >= 10 for at in range(20)], [0.0, 0.0], 0.1)
    assert slope > 1
    assert auc([0.1, 0.5, 0.5, 0.9], [False, False, True, True]) == 0.875
    values, labels = [0.1, 0.2, 0.3, 0.4, 0.25], [True, True, True, True, False]
    least = threshold(values, labels, 0.25)
    assert errors(values, labels, least) == (1, 4, 1, 1)


def test_not_found_says_what_was_searched(settings: Settings, tmp_path: Path) -> None:
    """Collections, number of documents, and the file that could not be read, the one named like the question first."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "harbour.txt").write_text("The pilot boat of the harbour is moored at the northern pier during storms.")
    for name in ("aaa.pdf", "opera-premiere.pdf"):
        (folder / name).write_bytes(b"%PDF-1.7\nbroken")
    with Room(settings) as room:
        room.ingest(folder)
    with Library(settings, "tests") as library:
        answer = library.ask("Who composed the opera about the barber of Seville?")
        found = library.ask("Where is the pilot boat of the harbour moored during storms?")
    assert answer.outcome == "not_found" and answer.searched is not None
    assert (answer.searched.documents, answer.searched.filtered, answer.searched.failures) == (1, False, 2)
    assert [Path(item.path).name for item in answer.searched.failed] == ["opera-premiere.pdf", "aaa.pdf"]
    assert answer.searched.failed[0].reason and answer.passages
    assert found.searched is None


QUESTIONS = "\n".join(
    f'- {{question: "{text}", {known}}}'
    for text, known in [
        *((f"What is the price of annual maintenance for type {at}?", 'answer: "9,980"') for at in "ABCDEFGHIJ"),
        *((f"Who composed the opera number {at} about Seville?", "unanswerable: true") for at in range(10)),
    ]
)


def test_the_command_calibrates_shows_and_resets(filled_home: Path, run: Run, tmp_path: Path) -> None:
    """The command prints both kinds of errors with intervals, stores the point, and takes it back."""
    assert filled_home.is_dir()
    (tmp_path / "q.yaml").write_text(QUESTIONS)
    done = run("calibrate", "--questions", tmp_path / "q.yaml")
    assert done.code == 0, done.stderr
    assert "false answers        0.000 (95 %: 0.000 to 0." in done.stdout and "20 questions" in done.stdout
    assert run("calibrate", "--show").stdout == done.stdout
    assert "no calibration" in run("calibrate", "--reset").stdout
    assert run("calibrate").code == 2
