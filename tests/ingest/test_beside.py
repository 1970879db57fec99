"""Text that stands beside the main text of a file, or in a corner that libraries overlook, is read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import py7zr
import pytest
from docx import Document
from docx.oxml import parse_xml
from openpyxl import Workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from pypdf import PdfWriter
from pypdf.annotations import FreeText, Text
from reportlab.pdfgen.canvas import Canvas

from ingest.container import read
from ingest.elements import Reading
from ingest.errors import UnreadableFile
from tests.ingest.test_more_formats import NAMESPACES

# What python-docx, pandas and dateparser warn of at import is not what this suite checks.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
M = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'


def _read(path: Path, content: str | bytes) -> Reading:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(path)


def test_fields_formulas_symbols_and_ruby_of_word(tmp_path: Path) -> None:
    """The result of a field, a formula, signs of symbol fonts and text with reading aids stand in their paragraph."""
    document = Document()
    run = f"<w:r {W}>"
    for added in (
        f'<w:fldSimple {W} w:instr="DATE">{run}<w:t>on 3 March</w:t></w:r></w:fldSimple>',
        f"<m:oMath {M}><m:r><m:t>E=mc</m:t></m:r><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:oMath>",
        f'{run}<w:t>angle </w:t><w:sym w:font="Symbol" w:char="F061"/><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>',
        f"{run}<w:ruby><w:rt>{run}<w:t>kanji</w:t></w:r></w:rt><w:rubyBase>{run}<w:t>漢字</w:t></w:r></w:rubyBase></w:ruby></w:r>",
    ):
        document.add_paragraph("See ")._p.append(parse_xml(added))
    header = document.sections[0].header.paragraphs[0]
    header._p.append(
        parse_xml(f"<w:sdt {W}><w:sdtContent>{run}<w:t>The title of the series</w:t></w:r></w:sdtContent></w:sdt>")
    )
    document.save(str(tmp_path / "a.docx"))
    text = read(tmp_path / "a.docx").text
    for words in ("See on 3 March", "See E=mc2", "See angle α☑", "See 漢字", "The title of the series"):
        assert text.count(words) == 1


def test_comments_charts_and_formulas_of_a_workbook(tmp_path: Path) -> None:
    """Comments say where they hang, charts their titles, and formulas without a value are counted."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Item", "Sold"], ["Bolt", 7], ["Nut", "=B2*2"]):
        sheet.append(row)
    sheet["B2"].comment = Comment("Counted twice", "Ann")
    chart = BarChart()
    chart.title = "Sales of small parts"
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=2), titles_from_data=True)
    sheet.add_chart(chart, "F2")
    book.save(tmp_path / "a.xlsx")
    reading = read(tmp_path / "a.xlsx")
    assert "| Bolt | 7 |" in reading.text
    assert "Comment on B2: Counted twice" in reading.text and "Sales of small parts" in reading.text
    assert any(problem.startswith("1 formulas have no saved value") for problem in reading.problems)


def _open(kind: str, body: str, mime: str = "") -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{mime or kind}")
        inner = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
        archive.writestr("content.xml", f"<office:document-content {NAMESPACES}>{inner}</office:document-content>")
    return held.getvalue()


def test_comments_and_shapes_of_open_document_files(tmp_path: Path) -> None:
    """Comments on cells, text boxes over a sheet, shapes in a text, and drawings are read."""
    note = "<office:annotation><text:p>Counted twice</text:p></office:annotation>"
    box = "<draw:frame><draw:text-box><text:p>A box over the sheet</text:p></draw:text-box></draw:frame>"
    row = f"<table:table-row><table:table-cell/><table:table-cell>{note}<text:p>7</text:p></table:table-cell></table:table-row>"
    sheet = f'<table:table table:name="S"><table:shapes>{box}</table:shapes>{row}</table:table>'
    text = _read(tmp_path / "a.ods", _open("spreadsheet", sheet)).text
    assert "Comment on B1: Counted twice" in text and text.count("A box over the sheet") == 1
    shape = "<text:p>Before <draw:rect><text:p>In a shape</text:p></draw:rect>after</text:p>"
    assert _read(tmp_path / "a.odt", _open("text", shape)).text == "Before after\n\nIn a shape"
    page = "<draw:page><draw:g><draw:rect><text:p>On a plan</text:p></draw:rect></draw:g></draw:page>"
    assert _read(tmp_path / "a.odg", _open("drawing", page, "graphics")).text == "On a plan"


def test_notes_headers_and_boxes_of_rtf(tmp_path: Path) -> None:
    """Footnotes, comments, headers and text boxes follow the text, each once, in their own code page."""
    text = (
        rb"{\rtf1\ansi\ansicpg1252{\header Harbour rules\par}{\header Harbour rules\par}"
        rb"Ships wait{\footnote \pard For the \{green\} light.} outside{\*\annotation \pard Since 1990?}.\par "
        rb"{\shp{\*\shpinst\shpleft0{\sp{\sn x}{\sv 1}}{\shptxt \pard Gr\'fcn means go.\par}}}End.\par}"
    )
    assert _read(tmp_path / "a.rtf", text).text.split("\n\n") == [
        "Ships wait outside.",
        "End.",
        "Harbour rules",
        "Footnote 1: For the {green} light.",
        "Comment 1: Since 1990?",
        "Grün means go.",
    ]


def test_frames_of_a_saved_page(tmp_path: Path) -> None:
    """The pages in the frames of a saved page follow it."""
    parts = [
        f"Content-Type: text/html\r\n\r\n<html><body><p>{words}</p></body></html>" for words in ("A page.", "A frame.")
    ]
    body = "".join(f"--B\r\n{part}\r\n" for part in parts)
    head = (
        "From: <A browser>\r\nSubject: Page\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=B\r\n\r\n"
    )
    assert _read(tmp_path / "a.mhtml", f"{head}{body}--B--\r\n").text == "A page.\n\nA frame."


def test_chapters_that_are_drawings_or_missing(tmp_path: Path) -> None:
    """A page of a book that is one drawing is read; one that the book has no file for is counted."""
    with zipfile.ZipFile(tmp_path / "a.epub", "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        container = '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        book.writestr("META-INF/container.xml", f'{container}<rootfile full-path="b.opf"/></rootfiles></container>')
        item = '<item id="s" href="s.svg" media-type="image/svg+xml"/>'
        spine = '<spine><itemref idref="s"/><itemref idref="none"/></spine>'
        package = '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
        book.writestr("b.opf", f"{package}{item}</manifest>{spine}</package>")
        book.writestr("s.svg", '<svg xmlns="http://www.w3.org/2000/svg"><text>A map of the bay</text></svg>')
    reading = read(tmp_path / "a.epub")
    assert reading.text == "A map of the bay"
    assert reading.problems[0].startswith("1 of the 2 chapters could not be read")


def test_a_bad_line_of_json_costs_only_itself(tmp_path: Path) -> None:
    """The other lines are a table; the bad one is kept as it stands, and its number is told."""
    reading = _read(tmp_path / "a.jsonl", '{"a": 1, "b": 2}\n{"a": 3, "b":\n{"a": 5, "b": 6}\n')
    assert "| 5 | 6 |" in reading.text and '{"a": 3, "b":' in reading.text
    assert any("(line 2)" in problem for problem in reading.problems)


def test_deep_files_are_read_as_text(tmp_path: Path) -> None:
    """What is nested very deeply is no reason to lose it."""
    reading = _read(tmp_path / "a.json", '{"a":' * 200 + '"words at the bottom"' + "}" * 200)
    assert "words at the bottom" in reading.text and any("nested" in problem for problem in reading.problems)
    html = "<div>" * 3000 + "words at the bottom<br>of it" + "</div>" * 3000
    assert _read(tmp_path / "a.html", f"<html><body>{html}</body></html>").text == "words at the bottom\nof it"
    assert "words at the bottom" in _read(tmp_path / "a.xml", "<a>" * 200 + "words at the bottom" + "</a>" * 200).text


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        (
            "a.csv",
            'Name;Note\nAnn;"one; ""two"", three\nlines"\nBob;x\n',
            ['| Ann | one; "two", three lines |', "| Bob | x |"],
        ),
        ("b.csv", "sep=;\nName;Sum\nAnn;1,5\nBob;2,5\n", ["| Name | Sum |", "| Ann | 1,5 |"]),
        ("c.tsv", "a\tb\n1\n2\t3\t4\n", ["| a | b |  |", "| 1 |  |  |", "| 2 | 3 | 4 |"]),
    ],
)
def test_separators_and_quotes(tmp_path: Path, name: str, content: str, rows: list[str]) -> None:
    """Quotes in quotes, line ends in cells, Excel's line that names the separator, and rows of other lengths."""
    text = _read(tmp_path / name, content).text
    assert all(row in text for row in rows) and "sep=" not in text


def test_comments_and_entries_of_a_pdf(tmp_path: Path) -> None:
    """Comments, and entries of a form that nobody drew on the page, follow the page's text; drawn ones come once."""
    canvas = Canvas(str(tmp_path / "form.pdf"))
    canvas.drawString(72, 750, "The words of the page.")
    canvas.acroForm.textfield(name="berth", value="Berth seven", x=72, y=700, width=200, height=20)
    canvas.acroForm.checkbox(name="paid", checked=True, x=72, y=650)
    canvas.showPage()
    canvas.drawString(72, 750, "The words of the next page.")
    canvas.save()
    assert read(tmp_path / "form.pdf").text.count("Berth seven") == 1
    writer = PdfWriter(clone_from=str(tmp_path / "form.pdf"))
    for held in writer.pages[0]["/Annots"]:
        held.get_object().pop("/AP")
    writer.add_annotation(0, FreeText(text="Too dear?", rect=(100, 500, 300, 550)))
    writer.add_annotation(0, Text(text="Ask the harbour master", rect=(100, 400, 120, 420)))
    writer.write(str(tmp_path / "a.pdf"))
    text = read(tmp_path / "a.pdf").text
    for words in ("Comment: Too dear?", "Comment: Ask the harbour master", "berth: Berth seven"):
        assert text.count(words) == 1 and text.index(words) < text.index("next page")


def test_a_pdf_without_pages_is_not_called_encrypted(tmp_path: Path) -> None:
    """What was wrong with the file before is not said of this one."""
    locked = PdfWriter()
    locked.add_blank_page(100, 100)
    locked.encrypt("secret")
    locked.write(str(tmp_path / "locked.pdf"))
    PdfWriter().write(str(tmp_path / "none.pdf"))
    with pytest.raises(UnreadableFile, match="encrypted"):
        read(tmp_path / "locked.pdf")
    with pytest.raises(UnreadableFile, match="no pages"):
        read(tmp_path / "none.pdf")


def test_the_report_of_a_mail_server_is_read(tmp_path: Path) -> None:
    """Which mail was not delivered, to whom and why follows the text of a bounce."""
    parts = (
        "text/plain\r\n\r\nIt was not delivered.",
        "message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; kim@example.org\r\nStatus: 5.1.1",
        "message/rfc822-headers\r\n\r\nSubject: The plan of the bay",
    )
    body = "".join(f"--B\r\nContent-Type: {part}\r\n" for part in parts)
    head = "From: mx@example.org\r\nSubject: Bounce\r\nContent-Type: multipart/report; boundary=B\r\n\r\n"
    reading = _read(tmp_path / "a.eml", f"{head}{body}--B--\r\n")
    for words in ("It was not delivered.", "kim@example.org", "Status: 5.1.1", "Subject: The plan of the bay"):
        assert reading.text.count(words) == 1
    assert reading.members == ()


def test_names_that_lead_out_of_a_7z_archive(tmp_path: Path) -> None:
    """The file with such a name is refused, the others are read."""
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.writestr(b"The words of the hostile file.", "a/../b.txt")
        archive.writestr(b"The words of the other file.", "c.txt")
    assert [member.name for member in read(tmp_path / "a.7z").members] == ["a/b.txt", "c.txt"]
    assert read(tmp_path / "a.7z", ("c.txt",)).text == "The words of the other file."
    with pytest.raises(UnreadableFile, match="leads out"):
        read(tmp_path / "a.7z", ("a/b.txt",))
