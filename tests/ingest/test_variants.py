"""Files as other programs than the usual ones write them, slightly wrong ones too, are read all the same."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import struct
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest
from docx import Document
from openpyxl import Workbook
from pptx import Presentation
from reportlab.pdfgen.canvas import Canvas

from ingest.cell_format import shown
from ingest.container import read
from ingest.elements import Reading
from tests.ingest.test_beside import W

# What python-docx, pandas and dateparser warn of at import is not what this suite checks.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

WORD, SLIDES, BOOK = "wordprocessingml.document", "presentationml.presentation", "spreadsheetml.sheet"
STRICT = (
    (b"http://schemas.openxmlformats.org/officeDocument/2006/", b"http://purl.oclc.org/ooxml/officeDocument/"),
    (b"http://schemas.openxmlformats.org/presentationml/2006/", b"http://purl.oclc.org/ooxml/presentationml/"),
    (b"http://schemas.openxmlformats.org/spreadsheetml/2006/", b"http://purl.oclc.org/ooxml/spreadsheetml/"),
    (b"http://schemas.openxmlformats.org/drawingml/2006/", b"http://purl.oclc.org/ooxml/drawingml/"),
)


def _read(path: Path, content: str | bytes) -> Reading:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(path)


def _saved(document: object) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


def _word(text: str = "Words of the document") -> bytes:
    document = Document()
    document.add_paragraph(text)
    return _saved(document)


def _slides() -> bytes:
    slides = Presentation()
    for text in ("First slide", "Second slide"):
        slide = slides.slides.add_slide(slides.slide_layouts[5])
        assert slide.shapes.title is not None
        slide.shapes.title.text = text
    return _saved(slides)


def _book() -> bytes:
    book = Workbook()
    assert book.active is not None
    book.active.append(["Name", "Amount"])
    book.active.append(["Bolt", 7])
    return _saved(book)


def _changed(
    data: bytes,
    swaps: tuple[tuple[bytes, bytes], ...] = (),
    names: tuple[str, str] = ("", ""),
    parts: dict[str, bytes | None] | None = None,
) -> bytes:
    """Return an Office file with bytes swapped in all its parts, their names changed, some replaced or left out (None)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(buffer, "w") as copy:
        for name in dict.fromkeys([*archive.namelist(), *(parts or {})]):
            content = (parts or {}).get(name, b"") if name in (parts or {}) else archive.read(name)
            if content is None:
                continue
            for old, new in swaps:
                content = content.replace(old, new)
            copy.writestr(name.replace(*names) if names[0] else name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.docm", f"vnd.openxmlformats-officedocument.{WORD}.main", "vnd.ms-word.document.macroEnabled.main"),
        ("a.dotx", f"{WORD}.main", "wordprocessingml.template.main"),
        ("a.ppsx", f"{SLIDES}.main", "presentationml.slideshow.main"),
        ("a.potx", f"{SLIDES}.main", "presentationml.template.main"),
    ],
)  # fmt: skip
def test_macro_files_templates_and_shows(tmp_path: Path, name: str, old: str, new: str) -> None:
    """A document with macros, a template and a slide show are read as the document they are."""
    data = _word() if name.startswith("a.do") else _slides()
    text = _read(tmp_path / name, _changed(data, ((old.encode(), new.encode()),))).text
    assert "Words of the document" in text or "Second slide" in text


@pytest.mark.parametrize(("name", "data"), [("a.xlsx", _book()), ("a.pptx", _slides()), ("a.docx", _word())])
def test_iso_strict_files(tmp_path: Path, name: str, data: bytes) -> None:
    """Files in the strict form of ISO 29500 are read."""
    text = _read(tmp_path / name, _changed(data, STRICT)).text
    assert any(words in text for words in ("| Bolt | 7 |", "Second slide", "Words of the document"))


def test_packages_with_odd_names_and_dead_relations(tmp_path: Path) -> None:
    """Parts are found whatever their case and the sign between folders; a relation to nothing costs nothing."""
    assert "Bolt" in _read(tmp_path / "a.xlsx", _changed(_book(), names=("/", "\\"))).text
    assert "Bolt" in _read(tmp_path / "b.xlsx", _changed(_book(), names=("sharedStrings", "SharedStrings"))).text
    dead = b'<Relationship Id="rId99" Type="http://schemas.openxmlformats.org/x/image" Target="NULL"/></Relationships>'
    assert "Words" in _read(tmp_path / "c.docx", _changed(_word(), ((b"</Relationships>", dead),))).text
    reading = _read(tmp_path / "d.pptx", _changed(_slides(), parts={"ppt/slides/slide2.xml": None}))
    assert "First slide" in reading.text and "Second" not in reading.text
    untyped = {"word/embeddings/a.odd": b"x"}
    assert "Words" in _read(tmp_path / "e.docx", _changed(_word(), parts=dict(untyped))).text


def test_shapes_in_alternatives(tmp_path: Path) -> None:
    """A shape that a slide holds in two forms, for newer and older programs, is read once."""
    with zipfile.ZipFile(io.BytesIO(_slides())) as archive:
        slide = archive.read("ppt/slides/slide1.xml")
    begin, end = slide.index(b"<p:sp>"), slide.index(b"</p:sp>") + len(b"</p:sp>")
    shape = slide[begin:end]
    wrapped = (
        b'<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice Requires="p14">'
        + shape + b"</mc:Choice><mc:Fallback>" + shape + b"</mc:Fallback></mc:AlternateContent>"
    )  # fmt: skip
    parts: dict[str, bytes | None] = {"ppt/slides/slide1.xml": slide[:begin] + wrapped + slide[end:]}
    assert _read(tmp_path / "a.pptx", _changed(_slides(), parts=parts)).text.count("First slide") == 1


def test_charts_diagrams_word_art_and_choices_of_word(tmp_path: Path) -> None:
    """Figures of charts, nodes of diagrams, WordArt and the chosen entry of a list are part of a Word file's text."""
    chart = (
        '<c:chartSpace xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"><c:chart><c:plotArea><c:barChart><c:ser>'
        "<c:tx><c:v>Revenue</c:v></c:tx><c:cat><c:v>Spring</c:v></c:cat><c:val><c:v>4711</c:v></c:val></c:ser></c:barChart>"
        "</c:plotArea></c:chart></c:chartSpace>"
    )
    diagram = (
        '<d:dataModel xmlns:d="http://schemas.openxmlformats.org/drawingml/2006/diagram" '
        'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><d:ptLst><d:pt><d:t><a:p><a:r><a:t>Node of a diagram'
        "</a:t></a:r></a:p></d:t></d:pt></d:ptLst></d:dataModel>"
    )
    added = (
        f'<w:p {W} xmlns:v="urn:schemas-microsoft-com:vml"><w:r><w:pict><v:shape><v:textpath string="Drawn title"/></v:shape>'
        '</w:pict></w:r></w:p><w:p><w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:ddList><w:result w:val="1"/>'
        '<w:listEntry w:val="Red"/><w:listEntry w:val="Green"/></w:ddList></w:ffData></w:fldChar></w:r></w:p>'
        f'<w:p {W}><w:r><w:sym w:font="Symbol" w:char="F0B3"/></w:r><w:r><w:t> 5</w:t></w:r></w:p>'
    )
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relations = (
        f'<Relationship Id="rC" Type="{kind}/chart" Target="charts/c.xml"/>'
        f'<Relationship Id="rD" Type="{kind}/diagramData" Target="diagrams/d.xml"/></Relationships>'
    )
    with zipfile.ZipFile(io.BytesIO(_word())) as archive:
        main = archive.read("word/document.xml").replace(b"<w:sectPr", added.encode() + b"<w:sectPr", 1)
        rels = archive.read("word/_rels/document.xml.rels").replace(b"</Relationships>", relations.encode())
    parts: dict[str, bytes | None] = {
        "word/document.xml": main,
        "word/_rels/document.xml.rels": rels,
        "word/charts/c.xml": chart.encode(),
        "word/diagrams/d.xml": diagram.encode(),
    }
    text = _read(tmp_path / "a.docx", _changed(_word(), parts=parts)).text
    for words in ("| Spring | 4711 |", "Node of a diagram", "Drawn title", "Green", "≥ 5"):
        assert words in text
    assert "Red" not in text


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [
        (-1234.5, "#,##0.00_);(#,##0.00)", "(1,234.50)"),
        (0, '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)', "-"),
        (1.5e10, "0.00E+00", "1.50E+10"),
        (0.0525, "0.0%", "5.3%"),
        (2.5, "# ?/?", "2 1/2"),
        (1234567, '#,##0,"k"', "1,235k"),
        (5, '0" units"', "5 units"),
        (1.5, '#,##0.00 "EUR"', "1.50 EUR"),
        (-3, "[$$-409]#,##0.00", "-$3.00"),
        (123456789, "000-00-0000", "123-45-6789"),
        (12, "00000", "00012"),
        (-0.004, "0.00", "0.00"),
        (5, "0.##", "5"),
        (7, 'General" kg"', "7 kg"),
        (dt.time(14, 30), "hh:mm", "14:30"),
        (dt.timedelta(hours=36), "[h]:mm", "36:00"),
        (dt.datetime(2024, 3, 9), "dd.mm.yyyy", "09.03.2024 (2024-03-09)"),
        (dt.datetime(2024, 3, 9), "m/d/yyyy", "3/9/2024 (2024-03-09)"),
        (dt.datetime(2024, 3, 9, 15, 45), "d mmm yyyy h:mm AM/PM", "9 Mar 2024 3:45 PM"),
        (dt.datetime(2024, 3, 9, 15, 45), "yyyy-mm-dd", "2024-03-09"),
        (dt.datetime(2024, 3, 9), '[$-409]dddd", "mmmm d, yyyy', "Saturday, March 9, 2024"),
        (dt.datetime(2024, 3, 9), "mmm-yy", "Mar-24 (2024-03)"),
        (dt.datetime(2024, 3, 9), 'yyyy"年"m"月"d"日"', "2024年3月9日"),
        (dt.datetime(2024, 3, 9), "[$-407]d. mmmm yyyy", "2024-03-09"),  # its months are German
        (dt.datetime(2024, 3, 9), "mm-dd-yy", "2024-03-09"),  # what the machine likes
        (dt.datetime(2024, 3, 9, 15, 45), "General", "2024-03-09 15:45"),
        (dt.datetime(2024, 3, 9, 15, 45, 7), "mm:ss.0", "45:07.0 (2024-03-09)"),
        ("a_x000D_b", "General", "a b"),
    ],
)
def test_numbers_as_shown(value: object, pattern: str, expected: str) -> None:
    """A number or date stands as its format shows it; a date that is not clear by itself with its ISO form."""
    assert shown(value, pattern) == expected


def test_cells_that_pandas_would_change(tmp_path: Path) -> None:
    """ "N/A" and errors are texts, and so are numbers with zeros in front."""
    book = Workbook()
    assert book.active is not None
    for row in (["007", "N/A"], ["1e5", "null"], ["12.50", "#DIV/0!"]):
        book.active.append(row)
    text = _read(tmp_path / "a.xlsx", _saved(book)).text
    for words in ("007 | N/A", "1e5 | null", "12.50 | #DIV/0!"):
        assert words in text


def test_a_workbook_with_odd_styles(tmp_path: Path) -> None:
    """What a library refuses in styles, names and rules of a workbook costs no cell."""
    styles = (
        b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><fonts><font><family val="99"/></font>'
        b'</fonts><cellXfs count="1"><xf numFmtId="0"/></cellXfs></styleSheet>'
    )
    assert "Bolt | 7" in _read(tmp_path / "a.xlsx", _changed(_book(), parts={"xl/styles.xml": styles})).text
    rule = ((b"</sheetData>", b'</sheetData><pageSetup orientation="askew"/>'),)
    assert "Bolt | 7" in _read(tmp_path / "b.xlsx", _changed(_book(), rule)).text


def test_large_and_wide_sheets(tmp_path: Path) -> None:
    """A sheet of many cells is one table; columns far to the right are no thousands of empty cells."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Data")
    for number in range(7_000):
        sheet.append([f"id {number}", number, number * 2])
    reading = _read(tmp_path / "a.xlsx", _saved(book))
    assert [e.kind for e in reading.elements].count("table") == 1 and "| id 6999 | 6999 | 13998 |" in reading.text
    book = Workbook()
    assert book.active is not None
    book.active["A1"], book.active["SZ1"], book.active["A2"] = "near", "far", "below"
    assert len(_read(tmp_path / "b.xlsx", _saved(book)).text) < 200


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("支払期限は翌月末とします。".encode("iso2022_jp"), "支払期限は翌月末"),
        (b"First line of a log\x00\nand the second line\n" * 20, "and the second line"),
        ("Договор поставки вступает в силу.\r\nСумма договора велика.\r\n".encode("utf-16-le"), "Сумма договора"),
        ("Résumé de l’année: déjà vu\rDeuxième ligne\r".encode("mac_roman"), "déjà vu\nDeuxième ligne"),
        ("Öl und Gas ab März. ".encode() * 200 + b"a \xff byte", "Öl und Gas ab März"),
    ],
)
def test_rare_encodings(tmp_path: Path, data: bytes, expected: str) -> None:
    """Text with escapes, stray NULs, without a mark, of an old Mac or with a broken byte is read."""
    assert expected in _read(tmp_path / "a.txt", data).text


def test_xml_in_any_encoding_and_cut(tmp_path: Path) -> None:
    """XML that the parser can't decode is decoded first; what is no XML is read as text, and said so."""
    text = '<?xml version="1.0" encoding="{}"?><r><x>{}</x></r>'
    assert "x: 支払" in _read(tmp_path / "a.xml", text.format("Shift_JIS", "支払期限").encode("cp932")).text
    assert "x: Größe" in _read(tmp_path / "b.xml", text.format("UTF-8", "Größe é").encode("latin-1")).text
    cut = _read(tmp_path / "c.xml", '<?xml version="1.0"?><r><x>words here</x><y>more wor')
    assert "more wor" in cut.text and "malformed" in cut.problems[0]


def test_json_names_that_stand_twice(tmp_path: Path) -> None:
    """Both values of a name that is given twice are kept; so is an error that a notebook shows."""
    text = _read(tmp_path / "a.json", '{"name": "first", "name": "second"}').text
    assert "first" in text and "second" in text
    cells = [{"cell_type": "code", "source": "f()", "outputs": [{"ename": "ValueError", "evalue": "bad thing"}]}]
    assert "ValueError: bad thing" in _read(tmp_path / "b.ipynb", json.dumps({"nbformat": 4, "cells": cells})).text


def test_careless_mails_and_pages(tmp_path: Path) -> None:
    """A cut base64 text, a multipart mail without its boundary and a page saved by Word are read."""
    head = "From: a@example.com\nTo: b@example.com\nSubject: s\nMIME-Version: 1.0\n"
    packed = base64.b64encode(b"Words of this mail, all but the last").decode()[:-3]
    mail = f"{head}Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{packed}"
    assert "Words of this mail" in _read(tmp_path / "a.eml", mail).text
    assert "No boundary" in _read(tmp_path / "b.eml", f"{head}Content-Type: multipart/mixed\n\nNo boundary here").text
    page = (
        'MIME-Version: 1.0\nContent-Type: multipart/related; boundary="B"\n\nA page.\n\n--B\nContent-Type: text/html; '
        "charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n<html><body><p>caf=C3=A9</p></body></html>\n--B--\n"
    )
    assert _read(tmp_path / "c.mht", page).text == "café"


def test_attachments_in_a_winmail_dat(tmp_path: Path) -> None:
    """The files in a winmail.dat are files inside the mail, up to where it is cut."""

    def part(kind: int, content: bytes) -> bytes:
        return struct.pack("<BII", 2, kind, len(content)) + content + struct.pack("<H", sum(content) & 0xFFFF)

    packed = (
        struct.pack("<IH", 0x223E9F78, 1)
        + part(0x69002, bytes(14))
        + part(0x18010, b"a.txt\0")
        + part(0x6800F, b"Packed words")
    )
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "s"
    message.set_content("See file")
    message.add_attachment(packed + b"\x02\x03", maintype="application", subtype="ms-tnef", filename="winmail.dat")
    reading = _read(tmp_path / "a.eml", message.as_bytes())
    assert [member.name for member in reading.members] == ["a.txt"]
    assert read(tmp_path / "a.eml", ("a.txt",)).text == "Packed words"


def test_changes_objects_and_far_signs_of_rtf(tmp_path: Path) -> None:
    """Deleted text is left out, what an object shows is read, and signs beyond the first plane are whole."""
    rtf = r"{\rtf1\ansi Keep {\deleted gone}{\b\deleted too} {\object{\*\objdata 0105}{\result shown}} \u-10179?\u-8704? end}"
    text = _read(tmp_path / "a.rtf", rtf).text
    assert text.split() == ["Keep", "shown", "😀", "end"]


def test_a_pdf_under_another_name(tmp_path: Path) -> None:
    """A PDF is read whatever it is called."""
    canvas = Canvas(str(tmp_path / "a.pdf"))
    canvas.drawString(72, 700, "Words of the PDF")
    canvas.save()
    for name in ("a.txt", "a", "a.docx"):
        assert "Words of the PDF" in _read(tmp_path / name, (tmp_path / "a.pdf").read_bytes()).text


def test_an_archive_behind_other_bytes(tmp_path: Path) -> None:
    """A ZIP archive that unpacks itself, with a script before it, is opened."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "Words of the member")
    reading = _read(tmp_path / "a.zip", b"#!/bin/sh\nexit\n" + buffer.getvalue())
    assert [member.name for member in reading.members] == ["a.txt"]


def test_open_document_cells_without_text(tmp_path: Path) -> None:
    """A cell that holds a value and not the text that it shows is read by its value."""
    names = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in ("office", "table", "text"))
    cell = '<table:table-cell office:value-type="date" office:date-value="2024-03-09"/>'
    sheet = (
        f'<office:document {names} office:mimetype="application/vnd.oasis.opendocument.spreadsheet"><office:body>'
        f'<office:spreadsheet><table:table table:name="T"><table:table-row>{cell}</table:table-row></table:table>'
        "</office:spreadsheet></office:body></office:document>"
    )
    assert "2024-03-09" in _read(tmp_path / "a.fods", f'<?xml version="1.0"?>{sheet}').text
