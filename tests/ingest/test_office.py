"""Word, slides, workbooks, web pages, books and mail; and that reading them needs no network."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest
from docx import Document
from openpyxl import Workbook
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingest.container import read
from ingest.elements import Reading
from ingest.errors import UnreadableFile
from ingest.formats import detect, read_as

# unstructured's and spaCy's own dependencies warn at import; what this suite checks is our reading.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

ROOT = Path(__file__).parents[2]


def _read(path: Path) -> Reading:
    return read_as(path, detect(path))


def _parts(reading: Reading) -> list[tuple[str, str]]:
    return [(e.kind, reading.text[e.start : e.end]) for e in reading.elements]


def _word(path: Path) -> Path:
    document = Document()
    document.core_properties.title = "Leave Policy"
    document.add_heading("Annual leave", level=1)
    document.add_paragraph("Every employee has thirty days of paid leave in a year.")
    document.add_heading("Carrying over", level=2)
    document.add_paragraph("Up to five days are carried over.", style="List Bullet")
    table = document.add_table(rows=2, cols=3)
    texts = ["Group", "Days", "Note", "Staff", "30", "a|b"]
    for cell, text in zip([cell for row in table.rows for cell in row.cells], texts, strict=True):
        cell.text = text
    document.save(str(path))
    return path


def test_word_document(tmp_path: Path) -> None:
    """Headings keep their depth, lists and tables their kind, and the title comes from the properties."""
    reading = _read(_word(tmp_path / "a.docx"))
    assert reading.title == "Leave Policy"
    assert _parts(reading) == [
        ("heading", "Annual leave"),
        ("paragraph", "Every employee has thirty days of paid leave in a year."),
        ("heading", "Carrying over"),
        ("list_item", "Up to five days are carried over."),
        ("table", "| Group | Days | Note |\n| --- | --- | --- |\n| Staff | 30 | a/b |"),
    ]
    assert [e.level for e in reading.elements if e.kind == "heading"] == [1, 2]


def _rewrite(
    source: Path, target: Path, name: str, change: dict[str, str], extra: dict[str, str] | None = None
) -> Path:
    """Copy a zipped document with text replaced in one part."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            part = old.read(member).decode() if member.filename == name else None
            for before, after in change.items() if part is not None else ():
                assert part is not None and before in part
                part = part.replace(before, after)
            new.writestr(member.filename, old.read(member) if part is None else part)
        for extra_name, content in (extra or {}).items():
            new.writestr(extra_name, content)
    return target


def test_tracked_changes_are_accepted(tmp_path: Path) -> None:
    """Inserted text is in the reading, deleted text is not."""
    run = "<w:r><w:t>Every employee has thirty days of paid leave in a year.</w:t></w:r>"
    changed = (
        '<w:r><w:t xml:space="preserve">Every employee has </w:t></w:r>'
        '<w:ins w:id="1" w:author="x"><w:r><w:t>forty</w:t></w:r></w:ins>'
        '<w:del w:id="2" w:author="x"><w:r><w:delText>thirty</w:delText></w:r></w:del>'
        '<w:r><w:t xml:space="preserve"> days.</w:t></w:r>'
    )
    path = _rewrite(_word(tmp_path / "a.docx"), tmp_path / "b.docx", "word/document.xml", {run: changed})
    text = _read(path).text
    assert "Every employee has forty days." in text and "thirty" not in text


def test_footnotes_are_read(tmp_path: Path) -> None:
    """A footnote's text follows the body, with its number."""
    notes = (
        '<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        '<w:footnote w:type="separator" w:id="-1"><w:p/></w:footnote>'
        '<w:footnote w:id="1"><w:p><w:r><w:t>Part-time staff: in proportion.</w:t></w:r></w:p></w:footnote>'
        "</w:footnotes>"
    )
    path = _rewrite(
        _word(tmp_path / "a.docx"), tmp_path / "b.docx", "word/document.xml", {}, {"word/footnotes.xml": notes}
    )
    assert _read(path).text.endswith("Footnote 1: Part-time staff: in proportion.")


def test_slides_are_pages(tmp_path: Path) -> None:
    """Slide numbers are page numbers; titles, bullets, notes and charts are read."""
    deck = Presentation()
    for number in (1, 2):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = f"Quarter {number}"
        slide.placeholders[1].text = f"Sales grew by {number} per cent this quarter."
    slide.notes_slide.notes_text_frame.text = "Say that the growth came from the north."
    data = CategoryChartData()
    data.categories = ["North", "South"]
    data.add_series("Units", (19, 21))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(4), Inches(3), Inches(2), data)
    deck.save(str(tmp_path / "a.pptx"))
    reading = _read(tmp_path / "a.pptx")
    headings = {e.page: reading.text[e.start : e.end] for e in reading.elements if e.kind == "heading"}
    assert headings == {1: "Quarter 1", 2: "Quarter 2"}
    second = " ".join(reading.text[e.start : e.end] for e in reading.elements if e.page == 2)
    for expected in ("2 per cent", "from the north", "| North | 19", "| South | 21"):
        assert expected in second
    assert [page.number for page in reading.pages] == [1, 2]


def test_workbook_shows_what_a_person_sees(tmp_path: Path) -> None:
    """Numbers and dates are read in their cell's format; every sheet is a page with its name as heading."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Budget"
    sheet.append(["Item", "Amount", "Share", "Due"])
    sheet.append(["Rent", 12345.5, 0.125, dt.datetime(2024, 3, 1)])
    sheet.append(["007", 3, 1, None])
    for cell, number_format in (("B2", '#,##0.00 "EUR"'), ("C2", "0.0%"), ("D2", "yyyy-mm-dd"), ("B3", "$#,##0")):
        sheet[cell].number_format = number_format
    hidden = book.create_sheet("Hidden")
    hidden.append(["secret", "plan"])
    hidden.append(["a", "b"])
    hidden.sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    reading = _read(tmp_path / "a.xlsx")
    table = next(text for kind, text in _parts(reading) if kind == "table")
    assert table.split("\n")[0] == "| Item | Amount | Share | Due |"
    assert "| Rent | 12,345.50 EUR | 12.5% | 2024-03-01 |" in table and "| 007 | $3 | 1 |  |" in table
    assert [(p.number, p.label) for p in reading.pages] == [(1, "Budget"), (2, "Hidden")]
    assert "secret" in reading.text


def test_web_page(tmp_path: Path) -> None:
    """Headings, lists, tables and the title are read; scripts and navigation are not."""
    page = """<html><head><title>Help &amp; answers</title><script>var tracked = 1;</script></head><body>
    <nav>Menu entry</nav><h1>Help</h1><p>The office opens at nine in the morning.</p><h2>Rooms</h2>
    <ul><li>Blue room</li></ul><table><tr><th>Day</th><th>Open</th></tr><tr><td>Monday</td><td>9-17</td></tr></table>
    </body></html>"""
    (tmp_path / "a.html").write_text(page)
    reading = _read(tmp_path / "a.html")
    assert reading.title == "Help & answers"
    assert _parts(reading) == [
        ("heading", "Help"),
        ("paragraph", "The office opens at nine in the morning."),
        ("heading", "Rooms"),
        ("list_item", "Blue room"),
        ("table", "| Day | Open |\n| --- | --- |\n| Monday | 9-17 |"),
    ]


def test_web_page_in_a_declared_or_wrong_encoding(tmp_path: Path) -> None:
    """The declared encoding counts when it fits the bytes, and not when it doesn't."""
    page = '<html><head><meta charset="{}"></head><body><p>Die Straße führt über die Brücke.</p></body></html>'
    (tmp_path / "right.html").write_bytes(page.format("iso-8859-1").encode("iso-8859-1"))
    (tmp_path / "wrong.html").write_bytes(page.format("utf-8").encode("cp1252"))
    for name in ("right.html", "wrong.html"):
        assert "Die Straße führt über die Brücke." in _read(tmp_path / name).text


CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>Two Tales</dc:title></metadata><manifest>
<item id="b" href="second%20tale.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="first.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="a"/><itemref idref="b"/></spine></package>"""


def _book(path: Path, container: str = CONTAINER) -> Path:
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("META-INF/container.xml", container.replace("<container>", '<container xmlns="urn:x">'))
        book.writestr("OEBPS/book.opf", PACKAGE)
        head = '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><body>'
        book.writestr("OEBPS/first.xhtml", f"{head}<h1>One</h1><p>It begins in the morning.</p></body></html>")
        book.writestr("OEBPS/second tale.xhtml", f"{head}<h1>Two</h1><p>It ends at night.</p></body></html>")
    return path


def test_book_follows_its_spine(tmp_path: Path) -> None:
    """Chapters come in the order of the spine, each as a page."""
    reading = _read(_book(tmp_path / "a.epub"))
    assert reading.title == "Two Tales"
    assert [(e.page, reading.text[e.start : e.end]) for e in reading.elements if e.kind == "heading"] == [
        (1, "One"),
        (2, "Two"),
    ]


def test_entities_are_not_resolved(tmp_path: Path) -> None:
    """A book that asks for a local file through an XML entity is refused."""
    evil = '<!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + CONTAINER.replace("<rootfiles>", "&x;<rootfiles>")
    with pytest.raises(UnreadableFile, match="declares XML entities"):
        _read(_book(tmp_path / "a.epub", evil))


def _mail(*attachments: tuple[str, bytes]) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "Grüner <a@example.org>", "b@example.org"
    message["Subject"], message["Date"] = "Lunch on Friday", "Fri, 01 Mar 2024 10:00:00 +0000"
    message.set_content("Let us meet at noon.\n\nBring the figures.")
    for name, content in attachments:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


def test_mail_with_attachments(tmp_path: Path) -> None:
    """Headers and body are the mail's text; attachments are files inside it, their names without folders."""
    message = _mail(("../../notes.md", b"# Notes\n\nWe agreed."), ("broken.pdf", b"no pdf"))
    message["Message-ID"], message["In-Reply-To"] = "<2@example.org>", "<1@example.org>"
    message.add_attachment(b"\x89PNG logo", "image", "png", cid="<logo>", disposition="inline")
    (tmp_path / "a.eml").write_bytes(message.as_bytes())
    mail = read(tmp_path / "a.eml")
    parts = [text for _, text in _parts(mail)]
    assert parts[0].startswith("From: Grüner <a@example.org>\nTo: b@example.org\nDate: ")
    assert parts[1:] == ["Let us meet at noon.", "Bring the figures."]
    assert mail.title == "Lunch on Friday" and mail.metadata["created"] == "2024-03-01T10:00:00+00:00"
    assert (mail.metadata["message_id"], mail.metadata["in_reply_to"]) == ("<2@example.org>", "<1@example.org>")
    assert mail.metadata["thread"] == "<1@example.org>"
    assert [member.name for member in mail.members] == ["notes.md", "broken.pdf"]
    assert read(tmp_path / "a.eml", ("notes.md",)).text == "Notes\n\nWe agreed."
    with pytest.raises(UnreadableFile, match="not what its name says"):
        read(tmp_path / "a.eml", ("broken.pdf",))
    assert not (tmp_path.parent / "notes.md").exists()


def test_mail_whose_two_forms_differ_says_which_was_read(tmp_path: Path) -> None:
    """A mail is read once: from its plain text, or from the HTML when the plain text only says to look there."""
    message = _mail()
    message.add_alternative("<p>Quite another message about the harbour and its ferries.</p>", subtype="html")
    (tmp_path / "a.eml").write_bytes(message.as_bytes())
    mail = read(tmp_path / "a.eml")
    assert "noon" in mail.text and "harbour" not in mail.text
    assert mail.metadata["body"] == "plain" and "differ" in mail.problems[0]
    message = EmailMessage()
    message["Subject"] = "News"
    message.set_content("Your mail client does not show HTML.")
    message.add_alternative("<p>The ferry to the northern islands leaves an hour later in winter.</p>", subtype="html")
    (tmp_path / "b.eml").write_bytes(message.as_bytes())
    assert "northern islands" in read(tmp_path / "b.eml").text


def test_html_mail_and_encrypted_mail(tmp_path: Path) -> None:
    """A mail that has only HTML is read from it; an encrypted one is refused."""
    message = EmailMessage()
    message["Subject"] = "News"
    page = "<html><body><h1>News</h1><p>Die Tür ist offen.</p></body></html>"
    message.set_content(page, subtype="html", charset="cp1252")
    (tmp_path / "a.eml").write_bytes(message.as_bytes())
    assert "Die Tür ist offen." in _read(tmp_path / "a.eml").text
    (tmp_path / "b.eml").write_bytes(
        b'Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/encrypted; boundary="y"\n\n--y\n\nVersion: 1\n--y--\n'
    )
    with pytest.raises(UnreadableFile, match="encrypted"):
        _read(tmp_path / "b.eml")


@pytest.mark.parametrize("suffix", ["docx", "pptx", "xlsx"])
def test_damaged_office_files_are_refused(tmp_path: Path, suffix: str) -> None:
    """An Office container whose parts are rubbish is unreadable with a reason, not a vendor's error."""
    inner = {"docx": "word/document.xml", "pptx": "ppt/presentation.xml", "xlsx": "xl/workbook.xml"}[suffix]
    with zipfile.ZipFile(tmp_path / f"a.{suffix}", "w") as archive:
        archive.writestr(inner, "<rubbish")
    with pytest.raises(UnreadableFile, match="damaged"):
        _read(tmp_path / f"a.{suffix}")


SEALED = """
import socket, subprocess, sys
def refuse(*a, **k): raise SystemExit("a connection was attempted")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from pathlib import Path
from ingest.container import read
from ingest.formats import detect, read_as
for name in sys.argv[1:]:
    print(len(read_as(Path(name), detect(Path(name))).text) > 0)
"""


def test_reading_needs_no_network(tmp_path: Path) -> None:
    """A fresh process without any network reads Word and HTML files: no telemetry, no model download."""
    page = "<html><body><div>The committee has decided to wait until May.</div></body></html>"
    (tmp_path / "a.html").write_text(page)
    command = [sys.executable, "-c", SEALED, str(_word(tmp_path / "a.docx")), str(tmp_path / "a.html")]
    if shutil.which("unshare") and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0:
        command = ["unshare", "-rn", *command]
    kept = {k: v for k, v in os.environ.items() if k not in ("SCARF_NO_ANALYTICS", "DO_NOT_TRACK")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=kept)
    assert done.stdout.split() == ["True", "True"], done.stderr[-800:]
    assert "Unstructured" not in done.stdout + done.stderr
