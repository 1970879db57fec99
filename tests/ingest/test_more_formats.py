"""RTF, OpenDocument, JSON, XML, code, saved web pages, articles, and old Office files inside the shared hard set."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from docx import Document
from openpyxl import Workbook

from ingest.container import read
from ingest.elements import Reading
from ingest.errors import UnreadableFile

# What python-docx, pandas and dateparser warn of at import is not what this suite checks.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def _parts(reading: Reading) -> list[tuple[str, str]]:
    return [(e.kind, reading.text[e.start : e.end]) for e in reading.elements]


def test_rtf_in_two_code_pages(tmp_path: Path) -> None:
    """RTF is read whatever its code page; pictures in it are left out, tables kept."""
    cell = r"\trowd\cellx100\cellx200 Day\cell Open\cell\row\trowd\cellx100\cellx200 Monday\cell 9-17\cell\row"
    picture = r"{\pict\pngblip " + "89504e47" * 400 + "}"
    text = (
        r"{\rtf1\ansi\ansicpg1252{\info{\title Harbour rules}}Gr\'fcn\par " + cell + r"\pard " + picture + r"End\par}"
    )
    (tmp_path / "a.rtf").write_text(text)
    reading = read(tmp_path / "a.rtf")
    assert reading.title == "Harbour rules"
    assert ("paragraph", "Grün") in _parts(reading) and "| Monday | 9-17 |" in reading.text
    assert "89504e47" not in reading.text
    (tmp_path / "b.rtf").write_bytes(rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e8\'e2\'e5\'f2\par}")
    assert read(tmp_path / "b.rtf").text == "Привет"


NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name if name != "draw" else "drawing"}:1.0"'
    for name in ("office", "text", "table", "draw", "presentation", "style")
)


def _odf(path: Path, kind: str, body: str, styles: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        name = {"odt": "text", "ods": "spreadsheet", "odp": "presentation"}[kind]
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{name}")
        content = f"<office:body><office:{name}>{body}</office:{name}></office:body>"
        archive.writestr(
            "content.xml", f"<office:document-content {NAMESPACES}>{styles}{content}</office:document-content>"
        )
    return path


def test_open_document_text(tmp_path: Path) -> None:
    """Headings, lists, tables with merged cells and footnotes of an ODT; deleted text is left out."""
    body = (
        '<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes><text:h text:outline-level="2">Rules</text:h>'
        "<text:p>Be<text:s/>kind.<text:note text:note-class='footnote'><text:note-body><text:p>Always.</text:p>"
        "</text:note-body></text:note></text:p><text:list><text:list-item><text:p>First</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell table:number-rows-spanned='2'><text:p>North</text:p>"
        "</table:table-cell><table:table-cell><text:p>1</text:p></table:table-cell></table:table-row><table:table-row>"
        "<table:covered-table-cell/><table:table-cell><text:p>2</text:p></table:table-cell></table:table-row></table:table>"
    )
    assert _parts(read(_odf(tmp_path / "a.odt", "odt", body))) == [
        ("heading", "Rules"),
        ("paragraph", "Be kind."),
        ("list_item", "First"),
        ("table", "| North | 1 |\n| --- | --- |\n| North | 2 |"),
        ("paragraph", "Footnote 1: Always."),
    ]


def test_open_document_sheets_and_slides(tmp_path: Path) -> None:
    """Each sheet is a page, a hidden one says so; each slide is a page with its title and notes."""
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    row = f"<table:table-row>{cell}{cell}</table:table-row>"
    sheet = row.format("Item", "Share") + row.format("Rent", "12.5 %")
    style = "<style:style style:name='ta2'><style:table-properties table:display='false'/></style:style>"
    body = f"<table:table table:name='Budget'>{sheet}</table:table>"
    body += f"<table:table table:name='Old' table:style-name='ta2'>{sheet}</table:table>"
    reading = read(_odf(tmp_path / "a.ods", "ods", body, style))
    assert [text for kind, text in _parts(reading) if kind == "heading"] == ["Budget"]
    assert {e.hidden for e in reading.elements if e.page == 2} == {"on a hidden sheet"}
    assert "Old (hidden sheet)" in reading.text and "Old" not in reading.shown
    assert "| Rent | 12.5 % |" in reading.text
    slide = (
        "<draw:page><draw:frame presentation:class='title'><draw:text-box><text:p>Sales</text:p></draw:text-box></draw:frame>"
        "<draw:frame><draw:text-box><text:p>grew</text:p></draw:text-box></draw:frame>"
        "<presentation:notes><text:p>Smile</text:p></presentation:notes></draw:page>"
    )
    reading = read(_odf(tmp_path / "b.odp", "odp", slide * 2))
    assert [(e.kind, e.page) for e in reading.elements] == [
        (kind, page) for page in (1, 2) for kind in ("heading", "paragraph", "paragraph")
    ]


def test_json_and_lines_of_json(tmp_path: Path) -> None:
    """Records become a table, other values lines with the names that lead to them; malformed JSON is read as text."""
    value = {
        "title": "Stock",
        "site": {"name": "North"},
        "parts": [{"id": 1, "name": "bolt"}, {"id": 2, "name": "nut"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(value))
    reading = read(tmp_path / "a.json")
    assert reading.title == "Stock"
    assert "site.name: North" in reading.text and "| 2 | nut |" in reading.text
    (tmp_path / "b.jsonl").write_text('{"id": 1, "name": "bolt"}\n{"id": 2, "name": "nut"}\n')
    assert "| 1 | bolt |" in read(tmp_path / "b.jsonl").text
    (tmp_path / "c.json").write_text('{"name": "cut')
    reading = read(tmp_path / "c.json")
    assert "cut" in reading.text and "malformed" in reading.problems[0]


def test_xml_and_drawings(tmp_path: Path) -> None:
    """XML is read with the names of its elements; entities are refused, nothing is fetched."""
    (tmp_path / "a.xml").write_text('<order id="7"><item>Rope &amp; hook</item><note>by <b>Friday</b></note></order>')
    text = read(tmp_path / "a.xml").text
    assert 'order id="7"' in text and "item: Rope & hook" in text and "note: by Friday" in text
    (tmp_path / "b.xml").write_text('<!DOCTYPE a [<!ENTITY x SYSTEM "http://example.org/x">]><a>&x;</a>')
    with pytest.raises(UnreadableFile, match="entities"):
        read(tmp_path / "b.xml")
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><title>Plan</title><text>Deck <tspan>A</tspan></text></svg>'
    (tmp_path / "c.svg").write_text(svg)
    assert [text for _, text in _parts(read(tmp_path / "c.svg"))] == ["Plan", "Deck A"]


def test_code_and_restructured_text(tmp_path: Path) -> None:
    """Source code and settings are code, verbatim; titles of reStructuredText are headings by their marks."""
    (tmp_path / "a.py").write_text("def a():\n    return 1\n\n\nB = 2\n")
    assert _parts(read(tmp_path / "a.py")) == [("code", "def a():\n    return 1"), ("code", "B = 2")]
    (tmp_path / "b.yaml").write_text("name: harbour\nports: [1, 2]\n")
    assert _parts(read(tmp_path / "b.yaml")) == [("code", "name: harbour\nports: [1, 2]")]
    (tmp_path / "c.rst").write_text("=====\nGuide\n=====\n\nIntro.\n\nFirst\n-----\n\nWords.\n\n- item\n")
    reading = read(tmp_path / "c.rst")
    assert [(e.kind, e.level) for e in reading.elements] == [
        ("heading", 1),
        ("paragraph", 0),
        ("heading", 2),
        ("paragraph", 0),
        ("list_item", 0),
    ]


PROSE = "The harbour office moved its counter to the old customs house, where all papers are kept since the spring. "


def _page(article: str) -> str:
    links = "".join(
        f'<li><a href="http://example.org/{i}">Menu entry number {i} of the site</a></li>' for i in range(40)
    )
    return (
        f"<html><head><title>News</title></head><body><div class='menu'><ul>{links}</ul></div><article><h1>Move</h1>"
        f"{article}</article><div class='footer'><ul>{links}</ul></div>"
        '<img src="http://example.org/p.png"><script src="http://example.org/s.js"></script></body></html>'
    )


def test_an_article_is_read_without_the_menu(tmp_path: Path) -> None:
    """Of a page with a menu the article is read, with its headings, lists and tables."""
    table = "<table><tr><th>Day</th><th>Open</th></tr><tr><td>Monday</td><td>9-17</td></tr></table>"
    article = "".join(f"<p>{PROSE * 3}{i}</p>" for i in range(6)) + f"<h2>Hours</h2>{table}<p>{PROSE}</p>"
    (tmp_path / "a.html").write_text(_page(article))
    reading = read(tmp_path / "a.html")
    assert "Menu entry" not in reading.text
    assert ("heading", "Move") in _parts(reading) and "| Monday | 9-17 |" in reading.text
    mht = "From: <Saved by Blink>\r\nSnapshot-Content-Location: http://example.org/\r\nSubject: News\r\nMIME-Version: 1.0\r\n"
    mht += 'Content-Type: multipart/related; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n'
    (tmp_path / "b.mhtml").write_text(f"{mht}{_page(article)}\r\n--b--\r\n")
    assert read(tmp_path / "b.mhtml").text == reading.text


def test_merged_cells_repeat_their_value(tmp_path: Path) -> None:
    """Word, web pages and workbooks: a merged cell's value stands in every cell that it covers; a title stands once."""
    html = (
        "<table><tr><td colspan=3>Fares of the year</td></tr><tr><th rowspan=2>North</th><td>Adult</td><td>7</td></tr>"
        "<tr><td>Child</td><td>3</td></tr><tr><td colspan=2>South</td><td>9</td></tr></table>"
    )
    (tmp_path / "a.html").write_text(html)
    assert read(tmp_path / "a.html").text.split("\n")[2:] == [
        "| North | Adult | 7 |",
        "| North | Child | 3 |",
        "| South | South | 9 |",
    ]
    document = Document()
    table = document.add_table(rows=2, cols=2)
    table.cell(0, 0).merge(table.cell(1, 0)).text = "North"
    table.cell(0, 1).text, table.cell(1, 1).text = "7", "3"
    document.save(str(tmp_path / "b.docx"))
    assert "| North | 3 |" in read(tmp_path / "b.docx").text
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Region", "Fare"], ["North", 7], [None, 3], ["South", 9]):
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    book.create_sheet("Old").sheet_state = "hidden"
    book.save(tmp_path / "c.xlsx")
    reading = read(tmp_path / "c.xlsx")
    assert "| North | 3 |" in reading.text
    assert "Old (hidden sheet)" in reading.text and "Hidden sheets were read too: Old." in reading.problems


def test_filing_tables_join_signs_and_spans(tmp_path: Path) -> None:
    """In filings a year spans a sign and a figure: one column comes out of them."""
    html = (
        "<table><tr><td></td><td colspan=2>2023</td><td colspan=2>2022</td></tr>"
        "<tr><td>Net sales</td><td>$</td><td>1,234</td><td>$</td><td>1,100</td></tr></table>"
    )
    (tmp_path / "a.html").write_text(html)
    assert read(tmp_path / "a.html").text == "|  | 2023 | 2022 |\n| --- | --- | --- |\n| Net sales | $1,234 | $1,100 |"


def test_text_boxes_controls_and_imported_parts_of_word(tmp_path: Path) -> None:
    """Content controls, text boxes and HTML imported into a Word file are in its text, once."""
    document = Document()
    document.add_paragraph("MARK")
    document.save(str(tmp_path / "a.docx"))
    added = (
        "<w:sdt><w:sdtContent><w:p><w:r><w:t>a controlled entry</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        '<w:p><w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        "<mc:Choice><w:txbxContent><w:p><w:r><w:t>a boxed remark</w:t></w:r></w:p></w:txbxContent></mc:Choice>"
        "<mc:Fallback><w:txbxContent><w:p><w:r><w:t>a boxed remark</w:t></w:r></w:p></w:txbxContent></mc:Fallback>"
        '</mc:AlternateContent></w:r></w:p><w:altChunk r:id="rIdX"/>'
    )
    with zipfile.ZipFile(tmp_path / "a.docx") as old, zipfile.ZipFile(tmp_path / "b.docx", "w") as new:
        for member in old.infolist():
            part = old.read(member)
            if member.filename == "word/document.xml":
                part = part.replace(b"<w:sectPr", added.encode() + b"<w:sectPr", 1)
            if member.filename == "word/_rels/document.xml.rels":
                kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
                chunk = f'<Relationship Id="rIdX" Type="{kind}/aFChunk" Target="part.html"/>'
                remote = f'<Relationship Id="rIdY" Type="{kind}/attachedTemplate" TargetMode="External" '
                remote += 'Target="http://example.org/t.dotm"/>'
                part = part.replace(b"</Relationships>", f"{chunk}{remote}</Relationships>".encode())
            if member.filename == "[Content_Types].xml":
                part = part.replace(b"<Override", b'<Default Extension="html" ContentType="text/html"/><Override', 1)
            new.writestr(member.filename, part)
        new.writestr("word/part.html", "<p>an imported page</p>")
    text = read(tmp_path / "b.docx").text
    for words in ("MARK", "a controlled entry", "a boxed remark", "an imported page"):
        assert text.count(words) == 1


def test_old_office_files_of_the_hard_set(data: Path) -> None:
    """DOC, XLS and PPT files, two of them inside other files, are read with their structure."""
    doc = read(data / "hard/office-legacy/docling__legacy_sample.doc")
    assert ("heading", "Let’s swim!") in _parts(doc) and ("list_item", "Wear sunglasses") in _parts(doc)
    assert "| Leaves | Ash, Elm, Maple | 50 |" in doc.text
    xls = read(data / "hard/pptx/tika__testPPT_various2.pptx", ("embedded.xls",))
    assert "| 15 | 225 |" in xls.text and [page.label for page in xls.pages] == ["Feuil1", "Feuil2", "Feuil3"]
    ppt = read(data / "hard/docx/tika__testWORD_2006ml.docx", ("embedded.ppt",))
    assert ("heading", "Sample Powerpoint Slide") in _parts(ppt)
