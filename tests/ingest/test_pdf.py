"""PDFs: text, structure, places on the page, and files that can't be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter
from reportlab.lib.colors import black
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import SimpleDocTemplate, Table, TableStyle

from ingest.elements import Box, Reading, Run
from ingest.errors import UnreadableFile
from ingest.layout import Word, is_prose
from ingest.pdf import read_pdf, render_page
from ingest.pdf_info import inspect
from ingest.regrid import regrid
from ingest.ruled import Rule, grids
from tests.processes import PROJECT

SAMPLES = PROJECT / "samples" / "documents"
Draw = Callable[[Canvas], None]


def _draw(path: Path, *pages: Draw, title: str | None = None) -> Path:
    canvas = Canvas(str(path), pagesize=A4)
    if title:
        canvas.setTitle(title)
        canvas.setAuthor("A. Clerk")
    for page in pages:
        page(canvas)
        canvas.showPage()
    canvas.save()
    return path


def _letter(canvas: Canvas) -> None:
    canvas.setFont("Helvetica-Bold", 20)
    canvas.drawString(72, A4[1] - 90, "Annual Leave")
    canvas.setFont("Helvetica", 11)
    for number, line in enumerate(
        ["Every employee has thirty days of paid leave in a year,", "and up to five days may be carried over to March."]
    ):
        canvas.drawString(72, A4[1] - 140 - 14 * number, line)


def _figures(canvas: Canvas) -> None:
    canvas.setFont("Helvetica", 10)
    rows = [
        ("", "2023", "2022"),
        ("Net sales", "82,959", "81,434"),
        ("Cost of sales", "(47,074)", "(46,179)"),
        ("Gross margin", "35,885", "35,255"),
        ("Operating expenses", "12,809", "11,129"),
        ("Operating income", "23,076", "24,126"),
    ]
    for number, (label, *values) in enumerate(rows):
        y = A4[1] - 200 - 16 * number
        canvas.drawString(72, y, label)
        for value, right in zip(values, (360, 460), strict=True):
            canvas.drawRightString(right, y, value)


def _box(reading: Reading, word: str) -> Run:
    return next(run for run in reading.runs if reading.text[run.start : run.end] == word)


def _rows(reading: Reading) -> list[str]:
    tables = [reading.text[e.start : e.end] for e in reading.elements if e.kind == "table"]
    return [row for table in tables for row in table.split("\n")]


def test_heading_paragraph_and_places(tmp_path: Path) -> None:
    """A heading and a paragraph come out in order, and each word's box is where it was drawn."""
    reading = read_pdf(_draw(tmp_path / "a.pdf", _letter, title="Leave Policy"))
    assert [(e.kind, e.page) for e in reading.elements] == [("heading", 1), ("paragraph", 1)]
    assert reading.text.startswith("Annual Leave\n\nEvery employee has thirty days")
    assert "year, and up to five days" in reading.text
    assert (reading.title, reading.metadata["author"]) == ("Leave Policy", "A. Clerk")
    assert (round(reading.pages[0].width), round(reading.pages[0].height)) == (round(A4[0]), round(A4[1]))
    box = _box(reading, "Every").box
    assert abs(box.x0 - 72) < 2 and box.y0 < 140 < box.y1 + 2 and box.page == 1
    assert _box(reading, "Annual").box.y1 < box.y0 < _box(reading, "carried").box.y0


def test_every_word_has_a_box(tmp_path: Path) -> None:
    """No word of a page is without a place, in text and in tables."""
    reading = read_pdf(_draw(tmp_path / "a.pdf", _letter, _figures))
    covered = {at for run in reading.runs for at in range(run.start, run.end)}
    plain = [i for i, c in enumerate(reading.text) if c.isalnum()]
    assert [reading.text[i] for i in plain if i not in covered] == []


def test_table_of_figures(tmp_path: Path) -> None:
    """Figures stand in their rows and columns, under the years, with boxes at their places."""
    reading = read_pdf(_draw(tmp_path / "a.pdf", _figures))
    rows = _rows(reading)
    assert "| Net sales | 82,959 | 81,434 |" in rows
    assert "| Cost of sales | (47,074) | (46,179) |" in rows
    assert rows[0].endswith("| 2023 | 2022 |")
    box = _box(reading, "82,959").box
    assert abs(box.x1 - 360) < 3 and box.y0 < 216 < box.y1 + 3


def test_no_word_is_lost_or_doubled(tmp_path: Path) -> None:
    """The words of the file and of the reading are the same, each as often."""
    path = _draw(tmp_path / "a.pdf", _letter, _figures)
    drawn = " ".join(page.extract_text() for page in PdfReader(path).pages).split()
    read = [word for word in read_pdf(path).text.split() if word not in ("|", "---")]
    assert sorted(read) == sorted(drawn)


def test_turned_text_is_read(tmp_path: Path) -> None:
    """Text that runs up the page is words, not letters."""

    def side(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 12)
        canvas.rotate(90)
        canvas.drawString(200, -300, "Received with thanks")

    assert "Received with thanks" in read_pdf(_draw(tmp_path / "a.pdf", side)).text


def test_pages_without_text_are_named(tmp_path: Path) -> None:
    """Pages that are only pictures are a problem sentence; a file of nothing else is unreadable."""

    def picture(canvas: Canvas) -> None:
        canvas.drawImage(ImageReader(Image.new("RGB", (200, 200), "navy")), 100, 100, 200, 200)

    reading = read_pdf(_draw(tmp_path / "a.pdf", _letter, picture, _letter, picture, picture))
    assert reading.problems == (
        "Pages 2, 4-5 have no text layer, and OCR found no text in the picture; they were not read.",
    )
    assert {e.page for e in reading.elements} == {1, 3} and len(reading.pages) == 5
    with pytest.raises(UnreadableFile, match="OCR found no text"):
        read_pdf(_draw(tmp_path / "b.pdf", picture))


def test_a_long_pdf_is_read_to_its_end(tmp_path: Path) -> None:
    """No page of a long file is left out, running headers are, and page numbers are right."""

    def page(number: int) -> Draw:
        def draw(canvas: Canvas) -> None:
            canvas.drawString(72, A4[1] - 30, "Ledger of the harbour office")
            canvas.drawString(72, 400, f"Entry {number} of the book")

        return draw

    reading = read_pdf(_draw(tmp_path / "a.pdf", *[page(number) for number in range(1, 1051)]))
    assert [reading.text[e.start : e.end] for e in reading.elements if "Entry" in reading.text[e.start : e.end]] == [
        f"Entry {number} of the book" for number in range(1, 1051)
    ]
    assert [page.number for page in reading.pages] == list(range(1, 1051))
    assert reading.elements[-1].page == 1050 and "Ledger" not in reading.text


def test_a_footer_above_the_edge_is_left_out(tmp_path: Path) -> None:
    """The lowest line of pages is a footer when it comes back and counts the pages, also where the page ends early; a last
    line that comes back on few pages, or whose number does not count, is text."""

    def page(number: int) -> Draw:
        def draw(canvas: Canvas) -> None:
            canvas.setFont("Helvetica", 9)
            for line in range(9):
                canvas.drawString(
                    72, 700 - 14 * line, f"Ship {number * 31 + line * 7} came to quay {line} of the harbour office."
                )
            if number < 3:
                canvas.drawString(72, 560, f"All {number} masters signed.")
            if number > 3:
                canvas.drawString(72, 560, f"Dues of {number * number * 10} kroner were paid.")
            canvas.drawString(250, 520, f"Harbour office | Form 9 | {number}")

        return draw

    text = read_pdf(_draw(tmp_path / "a.pdf", *[page(number) for number in range(1, 21)])).text
    assert "Harbour office | Form 9" not in text and text.count("came to quay") == 180
    assert text.count("masters signed") == 2 and text.count("kroner were paid") == 17


def test_running_text_is_no_row_of_a_table() -> None:
    """Words that follow each other without gaps over several lines are text, with gaps between columns they are not."""

    def words(gap: float) -> list[Word]:
        return [
            Word(
                "term",
                Box(
                    1, 20 + 30 * at + gap * (at // 4), 100 + 12 * line, 45 + 30 * at + gap * (at // 4), 110 + 12 * line
                ),
            )
            for line in range(5)
            for at in range(12)
        ]

    assert is_prose(words(gap=0)) and not is_prose(words(gap=30)) and not is_prose(words(gap=0)[:24])


def _statement(canvas: Canvas) -> None:
    """Draw a statement whose figures stand far from their labels, with years above them."""
    canvas.setFont("Helvetica", 8)
    canvas.drawString(72, 700, "Balance of the harbour office")
    for x, year in ((400, "2023"), (500, "2022")):
        canvas.drawRightString(x, 676, year)
    labels = ["Cash and deposits", "Securities", "Quays and cranes", "Other assets", "Total assets", "Debts to banks"]
    for number, label in enumerate(labels):
        y = 660 - 13 * number
        canvas.drawString(72, y, label)
        canvas.drawRightString(400, y, f"{1234 + 1111 * number:,}")
        canvas.drawRightString(500, y, f"({2345 + 111 * number:,})")


def test_a_statement_is_a_table(tmp_path: Path) -> None:
    """Labels and figures that stand far apart are rows, below their years, and no word is lost or doubled."""
    path = _draw(tmp_path / "a.pdf", _statement)
    rows = _rows(read_pdf(path))
    assert rows[0] == "|  | 2023 | 2022 |"
    assert "| Quays and cranes | 3,456 | (2,567) |" in rows and "| Debts to banks | 6,789 | (2,900) |" in rows
    drawn = " ".join(page.extract_text() for page in PdfReader(path).pages).split()
    assert sorted(word for word in read_pdf(path).text.split() if word not in ("|", "---")) == sorted(drawn)


def _short_table(canvas: Canvas) -> None:
    """Draw text and a table of two rows below titles."""
    canvas.setFont("Helvetica", 8)
    canvas.drawString(72, 720, "Operating expenses of the harbour office went up, as the table shows.")
    for x, year in ((400, "2023"), (500, "2022")):
        canvas.drawRightString(x, 690, year)
    rows = [("Pilots and tugs", "863,568", "577,799"), ("As a share of fees", "7%", "6%")]
    for number, row in enumerate(rows):
        canvas.drawString(72, 676 - 13 * number, row[0])
        canvas.drawRightString(400, 676 - 13 * number, row[1])
        canvas.drawRightString(500, 676 - 13 * number, row[2])


def test_two_rows_below_titles_are_a_table(tmp_path: Path) -> None:
    """Two rows of figures are a table where titles stand above their columns."""
    rows = _rows(read_pdf(_draw(tmp_path / "a.pdf", _short_table)))
    assert rows[0] == "|  | 2023 | 2022 |"
    assert rows[2:] == ["| Pilots and tugs | 863,568 | 577,799 |", "| As a share of fees | 7% | 6% |"]


def _two_spans(canvas: Canvas) -> None:
    """Draw a table with two columns for each of two spans, below three lines of titles that begin left of the figures."""
    canvas.setFont("Helvetica", 8)
    canvas.drawString(72, 740, "The harbour's income of both spans is shown below, in the order of its kinds.")
    for x, span in ((300, "Three Months Ended"), (460, "Nine Months Ended")):
        canvas.drawString(x, 710, span)
    for at, x in enumerate((320, 400, 480, 560)):
        canvas.drawRightString(x - 6, 698, "October 30," if at % 2 == 0 else "October 31,")
        canvas.drawRightString(x - 22, 686, "2022" if at % 2 == 0 else "2021")
    rows = [("Quay fees", "31", "42", "93", "81"), ("Pilots", "27", "29", "84", "88"), ("Tugs", "19", "18", "55", "51")]
    for number, (label, *values) in enumerate([*rows, ("Sum", "77", "89", "232", "220")]):
        canvas.drawString(72, 672 - 13 * number, label)
        for x, value in zip((320, 400, 480, 560), values, strict=True):
            canvas.drawRightString(x, 672 - 13 * number, value)


def test_titles_that_begin_left_of_the_figures(tmp_path: Path) -> None:
    """Spans, days and years above short figures are titles of their columns, each of its own."""
    rows = _rows(read_pdf(_draw(tmp_path / "a.pdf", _two_spans)))
    three, nine = "Three Months Ended October", "Nine Months Ended October"
    assert rows[0] == f"|  | {three} 30, 2022 | {three} 31, 2021 | {nine} 30, 2022 | {nine} 31, 2021 |"
    assert rows[2] == "| Quay fees | 31 | 42 | 93 | 81 |" and rows[-1] == "| Sum | 77 | 89 | 232 | 220 |"


def _one_below_another(canvas: Canvas) -> None:
    """Draw two tables of the same columns, the second with titles of its own close below the first."""
    canvas.setFont("Helvetica", 8)
    lines = [
        ("", "May 4,", "June 9,"),
        ("Ropes", "1,311", "1,422"),
        ("Sails", "1,271", "1,292"),
        ("Masts", "1,191", "1,181"),
    ]
    lines += [
        ("", "July 7,", "August 8,"),
        ("Quay fees", "2,311", "2,422"),
        ("Pilots", "2,271", "2,292"),
        ("Tugs", "2,191", "2,181"),
    ]
    for number, (label, *values) in enumerate(lines):
        canvas.drawString(72, 700 - 12 * number, label)
        for x, value in zip((400, 500), values, strict=True):
            canvas.drawRightString(x, 700 - 12 * number, value)


def test_rows_of_the_table_above_are_no_titles(tmp_path: Path) -> None:
    """A row with figures does not become part of the header of the table below."""
    rows = _rows(read_pdf(_draw(tmp_path / "a.pdf", _one_below_another)))
    assert not any("1,191" in row and ("July" in row or "2,311" in row) for row in rows)
    assert "| Masts | 1,191 | 1,181 |" in rows and "| Quay fees | 2,311 | 2,422 |" in rows


def test_labels_that_are_figures() -> None:
    """Years at the left edge, and the figure that ends a label of two lines, are labels; words over figures are cells."""
    table = [
        ("Term of quays", "11 years", "12 years"),
        ("2024", "1,847", "1,595"),
        ("2025", "1,533", "1,603"),
        ("Paid before, net of tax of $39 and", "", ""),
        ("$136", "(537)", "(752)"),
        ("Sum", "9,371,000", "13,642,000"),
    ]

    def words(text: str, y: float, left: float | None, right: float) -> list[Word]:
        at = left if left is not None else right - 5 * len(text)
        starts = [at + 5 * sum(len(word) + 1 for word in text.split()[:n]) for n in range(len(text.split()))]
        pairs = zip(text.split(), starts, strict=True)
        return [Word(word, Box(1, x, y, x + 5 * len(word), y + 10)) for word, x in pairs]

    placed = [
        word
        for number, (label, quays, cranes) in enumerate(table)
        for text, left, right in ((label, 20.0, 0.0), (quays, None, 400.0), (cranes, None, 500.0))
        for word in words(text, 100 + 14 * number, left, right)
    ]
    grid = regrid(placed)
    assert grid is not None
    assert [tuple(cell.text for cell in row) for row in grid.rows] == [
        *table[:3],
        ("Paid before, net of tax of $39 and $136", "(537)", "(752)"),
        table[5],
    ]


def test_a_table_over_pages_is_one_table(tmp_path: Path) -> None:
    """Rows on the next page belong to the header of the page before, though digits apart they look like headers."""

    def part(first: int, last: int, header: bool) -> Draw:
        def draw(canvas: Canvas) -> None:
            canvas.setFont("Helvetica", 10)
            top = A4[1] - 60
            if header:
                canvas.drawString(72, top, "Berth")
                canvas.drawRightString(360, top, "Price")
                canvas.drawRightString(460, top, "Tax")
            for place, number in enumerate(range(first, last), start=1):
                y = top - 14 * place
                canvas.drawString(72, y, f"Berth number {number}")
                canvas.drawRightString(360, y, f"{1000 + 37 * number:,}")
                canvas.drawRightString(460, y, f"{100 + 3 * number}")

        return draw

    reading = read_pdf(_draw(tmp_path / "a.pdf", part(0, 50, True), part(50, 100, False), part(100, 150, False)))
    tables = [element for element in reading.elements if element.kind == "table"]
    assert [(t.page, t.header_rows, t.continues) for t in tables] == [(1, 1, -1), (2, 0, 0), (3, 0, 0)]
    assert [row for row in _rows(reading) if "number" in row] == [
        f"| Berth number {n} | {1000 + 37 * n:,} | {100 + 3 * n} |" for n in range(150)
    ]


def test_a_turned_page_is_read_upright(tmp_path: Path) -> None:
    """A page whose text runs down is read line by line, and the boxes stand where a reader sees the words."""

    def down(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 12)
        canvas.translate(0, A4[1])
        canvas.rotate(-90)
        for number, line in enumerate(["The lease of the quay ends in May,", "and the crane is sold before that."]):
            canvas.drawString(72, 400 - 16 * number, line)

    reading = read_pdf(_draw(tmp_path / "a.pdf", down))
    assert reading.text == "The lease of the quay ends in May, and the crane is sold before that."
    first, last = _box(reading, "The").box, _box(reading, "that.").box
    assert abs(first.y0 - 72) < 3 and 395 < first.x0 < 415 and last.x0 < first.x0 and last.y0 > 200
    assert (round(reading.pages[0].width), round(reading.pages[0].height)) == (round(A4[0]), round(A4[1]))


def test_words_broken_at_line_ends(tmp_path: Path) -> None:
    """A word broken at a line's end is joined; one that the document has with a hyphen keeps it."""

    def page(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 11)
        for number, line in enumerate(
            [
                "The company has several kinds of long-term debt, and shows it all in the state-",
                "ment of its income. All other borrowings of the company are counted as long-",
                "term debt too, and nothing at all is left out by the person who has written it.",
            ]
        ):
            canvas.drawString(72, 700 - 14 * number, line)

    text = " ".join(read_pdf(_draw(tmp_path / "a.pdf", page)).text.split())
    assert "in the statement of its income" in text and "counted as long-term debt too" in text


def test_page_numbers_of_a_short_document(tmp_path: Path) -> None:
    """ "Page 1 of 2" at the foot of a page is no text of it."""

    def page(number: int) -> Draw:
        def draw(canvas: Canvas) -> None:
            _letter(canvas)
            canvas.drawString(270, 30, f"Page {number} of 2")

        return draw

    text = read_pdf(_draw(tmp_path / "a.pdf", page(1), page(2))).text
    assert "Annual Leave" in text and "of 2" not in text


def test_page_labels(tmp_path: Path) -> None:
    """The printed page numbers are kept beside the counted ones."""
    writer = PdfWriter(clone_from=_draw(tmp_path / "a.pdf", _letter, _letter, _letter))
    writer.set_page_label(0, 1, style="/r")
    writer.set_page_label(2, 2, style="/D", start=1)
    writer.write(tmp_path / "b.pdf")
    assert [(p.number, p.label) for p in read_pdf(tmp_path / "b.pdf").pages] == [(1, "i"), (2, "ii"), (3, "1")]


def _encrypted(tmp_path: Path, user: str) -> Path:
    writer = PdfWriter(clone_from=_draw(tmp_path / "plain.pdf", _letter))
    writer.encrypt(user, "owner", algorithm="AES-256")
    writer.write(tmp_path / "locked.pdf")
    return tmp_path / "locked.pdf"


def test_encrypted_pdf_needs_its_password(tmp_path: Path) -> None:
    """Without or with a wrong password the error says so; with the right one the text is there."""
    path = _encrypted(tmp_path, "secret")
    with pytest.raises(UnreadableFile, match="needs a password"):
        read_pdf(path)
    with pytest.raises(UnreadableFile, match="password given is wrong"):
        read_pdf(path, "guess")
    assert "Annual Leave" in read_pdf(path, "secret").text
    assert render_page(path, 1, 50, "secret").startswith(b"\x89PNG")


def test_password_that_must_be_prepared(tmp_path: Path) -> None:
    """A password opens a file as it was typed, whichever form of its letters the file was locked with."""
    path = _encrypted(tmp_path, "SaSLprep")
    typed = "S\u00aaSL\u00adprep"
    assert "Annual Leave" in read_pdf(path, typed).text
    assert render_page(path, 1, 50, typed).startswith(b"\x89PNG")


def test_empty_user_password_opens(tmp_path: Path) -> None:
    """A PDF that is only protected against changes opens without a password."""
    path = _encrypted(tmp_path, "")
    assert inspect(path).encrypted
    assert "Annual Leave" in read_pdf(path).text


def test_damaged_pdf(tmp_path: Path) -> None:
    """A file that breaks off after its signature is unreadable with a reason."""
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog")
    with pytest.raises(UnreadableFile, match=r"damaged|no pages"):
        read_pdf(tmp_path / "a.pdf")


def test_render_gives_one_page_of_the_asked_size(tmp_path: Path) -> None:
    """The image has the page's size at the asked resolution; a page that isn't there is an error."""
    path = _draw(tmp_path / "a.pdf", _letter, _letter)
    image = render_page(path, 2, 72)
    assert image.startswith(b"\x89PNG")
    width, height = int.from_bytes(image[16:20]), int.from_bytes(image[20:24])
    assert abs(width - A4[0]) <= 2 and abs(height - A4[1]) <= 2
    with pytest.raises(UnreadableFile, match="no page 3"):
        render_page(path, 3, 72)


def test_statements_of_real_reports(data: Path) -> None:
    """Statements whose figures the parser sets apart from their labels are tables."""
    reading = read_pdf(data / "financebench" / "pdfs" / "NETFLIX_2017_10K.pdf")
    rows = [row for e in reading.elements if e.page == 45 for row in reading.text[e.start : e.end].split("\n")]
    assert any(row.startswith("| Total assets | $19,012,742 | $13,586,610 |") for row in rows)


def test_rows_around_a_table_are_in_it(data: Path) -> None:
    """Rows that the parser sets as text above a table that it has belong to the table, below the titles of its columns."""
    reading = read_pdf(data / "kgrag_sec10q" / "docs" / "2022 Q3 AMZN.pdf")
    table = next(reading.text[e.start : e.end] for e in reading.elements if e.kind == "table" and e.page == 3)
    rows = table.split("\n")
    periods = "Three Months Ended September 30, 2021 | Three Months Ended September 30, 2022"
    assert rows[0].startswith(f"| (in millions) (unaudited) | {periods} |")
    assert "| Net income (loss) | 3,156 | 2,872 | 19,041 | (3,000) | 26,263 | 11,323 |" in rows


def test_a_real_filing(data: Path) -> None:
    """The income statement of a real filing has its figures under the right period."""
    reading = read_pdf(data / "kgrag_sec10q" / "docs" / "2022 Q3 AAPL.pdf")
    tables = [reading.text[e.start : e.end] for e in reading.elements if e.kind == "table" and e.page == 4]
    row = next(line for line in tables[0].split("\n") if line.startswith("| Total net sales"))
    assert row == "| Total net sales | 82,959 | 81,434 | 304,182 | 282,457 |"
    assert "Three Months Ended June 25, 2022" in tables[0].split("\n")[0].split(" | ")[1]


def _words(*texts: tuple[str, float, float]) -> list[Word]:
    return [Word(text, Box(1, x, y, x + 5 * len(text), y + 10)) for text, x, y in texts]


def _drawn(xs: Sequence[float], ys: Sequence[float]) -> list[Rule]:
    return [Rule(xs[0], y, xs[-1], y) for y in ys] + [Rule(x, ys[0], x, ys[-1]) for x in xs]


def test_two_ruled_tables_with_text_between_are_two_tables() -> None:
    """What liteparse reads as one table, with its first row in the header, comes out as it is drawn."""
    reading = read_pdf(SAMPLES / "ferry-supply-agreement.pdf")
    parts = [(one.kind, reading.text[one.start : one.end]) for one in reading.elements if one.page == 11]
    kinds, texts = [kind for kind, _ in parts], [text for _, text in parts]
    assert kinds == ["heading", "paragraph", "table", "paragraph", "table", "paragraph"]
    assert texts[2].startswith("| Severity | Meaning | First response | Technician on board | Target for repair |\n")
    assert (
        "\n| 3 | Reduced function without effect on safe navigation | 8 working hours | At the next port call"
        in texts[2]
    )
    assert texts[3].startswith("Times run from the moment at which the report has been received by the support desk.")
    assert texts[4].endswith("\n| Preventive visits made as planned | 97 % | Contract Year | Yearly |")


def test_full_grids_of_lines_are_tables() -> None:
    """Each cell has the words between its lines; what stands close belongs together; two grids are two."""
    rules = [*_drawn((0, 100, 200), (0, 30, 60)), *_drawn((0, 60, 120), (90, 110, 130))]
    first, second = grids(rules)
    assert (first.xs, first.ys, second.ys) == ((0, 100, 200), (0, 30, 60), (90, 110, 130))
    rows = first.rows(
        _words(("Day", 5, 5), ("rate", 22, 5), (".", 42.2, 5), ("EUR", 110, 5), ("of", 5, 35), ("it", 5, 46))
    )
    assert rows is not None and [[cell.text for cell in row] for row in rows] == [["Day rate.", "EUR"], ["of it", ""]]
    assert [box.x0 for _, _, box in rows[0][0].spots] == [5, 22, 42.2]


def test_lines_that_are_no_grid_are_left_alone() -> None:
    """Cells that are no rectangles, forms, frames, underlines, words across a line, unparted rows: others know better."""
    corner = [*_drawn((0, 200), (0, 60)), Rule(0, 30, 100, 30), Rule(100, 0, 100, 30), Rule(150, 30, 150, 60)]
    form = [
        *_drawn((0, 300), (0, 20, 40, 60)),
        *(Rule(x, 20 * at, x, 20 * at + 20) for at, x in enumerate((60, 120, 240))),
    ]
    assert grids(corner) == [] and grids(form) == []
    assert grids(_drawn((0, 200), (0, 60))) == [] and grids([Rule(0, 9, 90, 9)]) == []
    (grid,) = grids(_drawn((0, 100, 200), (0, 30, 90)))
    assert grid.rows(_words(("across-the-line", 70, 5))) is None
    column = [(str(at), x, 32.0 + 11 * at) for x in (5.0, 105.0) for at in range(5)]
    assert grid.rows(_words(*column)) is None


def test_merged_cells_of_a_grid_are_repeated() -> None:
    """A value stands in each place that its cell covers, a title over the whole table once; two rows of titles are one."""
    rules = [rule for rule in _drawn((0, 60, 120, 180), (0, 20, 40, 60, 80, 100)) if rule.level]
    rules = [rule for rule in rules if rule.y0 not in (20, 60)] + [Rule(60, 20, 180, 20), Rule(60, 60, 180, 60)]
    rules += [Rule(0, 0, 0, 100), Rule(60, 0, 60, 80), Rule(120, 20, 120, 80), Rule(180, 0, 180, 100)]
    (grid,) = grids(rules)
    words = [("Port", 5, 15), ("Tolls", 85, 5), ("2022", 65, 25), ("2023", 125, 25), ("Aa", 5, 55), ("1", 65, 45)]
    words += [("2", 125, 45), ("3", 65, 65), ("4", 125, 65), ("Notes", 85, 85)]
    rows = grid.rows(_words(*words))
    assert rows is not None and [[cell.text for cell in row] for row in rows] == [
        ["Port", "Tolls 2022", "Tolls 2023"],
        ["Aa", "1", "2"],
        ["Aa", "3", "4"],
        ["Notes", "", ""],
    ]
    assert rows[1][0].spots == rows[2][0].spots != ()


def test_a_column_that_is_taken_for_text_is_in_its_table_alone(tmp_path: Path) -> None:
    """A grid of texts over three pages is one table with its header; no column of it stands beside it once more."""
    duties = [
        [f"{at}.1", f"The tenant keeps item{at} in good order", "Monthly" if at % 2 else "Yearly"] for at in range(90)
    ]
    table = Table([["Clause", "Duty of the tenant", "Term"], *duties], colWidths=[50, 260, 80], repeatRows=1)
    table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, black)]))
    SimpleDocTemplate(str(tmp_path / "grid.pdf"), pagesize=A4).build([table])
    reading = read_pdf(tmp_path / "grid.pdf")
    assert len(reading.pages) == 3 and [one.kind for one in reading.elements] == ["table"] * 3
    assert [one.continues for one in reading.elements] == [-1, 0, 0]
    assert all(f"| {' | '.join(row)} |" in reading.text for row in duties) and reading.text.count("Monthly") == 45
