"""What is lost in files that are damaged in part is said, and the rest of them is read."""

from __future__ import annotations

import io
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from docx import Document
from pypdf import PdfWriter
from reportlab.pdfgen.canvas import Canvas

from ingest.container import read
from ingest.elements import table_markdown
from ingest.errors import UnreadableFile, is_ours
from ingest.mailbox import messages
from ingest.ole import opened
from ingest.pdf import read_pdf
from ingest.pdf_objects import broken_pages
from ingest.pdf_source import BarePage, Sources, choose
from tests.ingest.compound import compound

CHAPTER = "<html><body><p>{}</p></body></html>"


def _spoil(path: Path, marker: bytes) -> None:
    """Overwrite bytes that a file holds, at the same length."""
    data = path.read_bytes()
    assert marker in data
    path.write_bytes(data.replace(marker, b"\xff" * len(marker)))


def test_a_damaged_header_does_not_end_a_tar_in_silence(tmp_path: Path) -> None:
    """The files before it are listed, and a sentence says that there were more."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("first.txt", "second.txt", "third.txt"):
            info = tarfile.TarInfo(name)
            info.size = 5
            archive.addfile(info, io.BytesIO(b"words"))
    _spoil(path, b"second.txt")
    reading = read(path)
    assert [member.name for member in reading.members] == ["first.txt"]
    assert any("Only a part" in problem for problem in reading.problems)


def test_a_damaged_chapter_costs_only_itself(tmp_path: Path) -> None:
    """The other chapters of a book are read, and the lost one is counted."""
    path = tmp_path / "a.epub"
    items = "".join(f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in (1, 2))
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="b.opf"/></rootfiles></container>',
        )
        book.writestr(
            "b.opf",
            f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest>'
            '<spine><itemref idref="c1"/><itemref idref="c2"/></spine></package>',
        )
        book.writestr("c1.xhtml", CHAPTER.format("The words of the first"))
        book.writestr("c2.xhtml", CHAPTER.format("The words of the second"))
    _spoil(path, b"words of the second")
    reading = read(path)
    assert "first" in reading.text and "second" not in reading.text
    assert any("1 of the 2 chapters" in problem for problem in reading.problems)


def test_a_damaged_file_inside_an_office_file_is_named(tmp_path: Path) -> None:
    """The document is read, its damaged member is listed, and reading that names the cause."""
    path = tmp_path / "a.docx"
    document = Document()
    document.add_paragraph("The words of the letter.")
    document.save(str(path))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("word/embeddings/table.xlsx", b"cells that are damaged")
    _spoil(path, b"cells that are damaged")
    reading = read(path)
    assert "The words of the letter." in reading.text
    assert [member.name for member in reading.members] == ["table.xlsx"]
    with pytest.raises(UnreadableFile, match="damaged"):
        read(path, ("table.xlsx",))


def test_attachments_that_cannot_be_listed_are_a_problem(tmp_path: Path) -> None:
    """A PDF whose list of attachments is damaged says so beside its text."""
    page = Canvas(str(tmp_path / "plain.pdf"))
    page.drawString(72, 700, "The words of the page.")
    page.save()
    writer = PdfWriter(clone_from=str(tmp_path / "plain.pdf"))
    writer.add_attachment("note.txt", b"attached words")
    writer.write(str(tmp_path / "a.pdf"))
    data = (tmp_path / "a.pdf").read_bytes()
    at = data.index(b"/EmbeddedFiles")
    spoilt = data[:at] + data[at:].replace(b"/Names [", b"/Names 7 ", 1)
    (tmp_path / "a.pdf").write_bytes(spoilt)
    reading = read(tmp_path / "a.pdf")
    assert "The words of the page." in reading.text
    assert reading.members or any("could not be listed" in problem for problem in reading.problems)


def test_a_mail_part_in_an_unknown_encoding_is_kept(tmp_path: Path) -> None:
    """The text of a part whose declared encodings exist nowhere is read as it stands."""
    path = tmp_path / "a.eml"
    path.write_bytes(
        b"From: ada@example.com\r\nSubject: Plan\r\nDate: Mon, 1 Jan 2024 10:00:00 +99999999999999999999\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=no-such\r\nContent-Transfer-Encoding: none-such\r\n"
        b"\r\nThe words of the mail.\r\n"
    )
    assert "The words of the mail." in read(path).text


def _three_pages(path: Path) -> bytes:
    """Write a PDF of three pages with compressed content; return its bytes."""
    canvas = Canvas(str(path), pageCompression=0)
    for number in ("first", "second", "third"):
        for line in range(40):
            canvas.drawString(72, 780 - 18 * line, f"Words of the {number} page, line {line}, {line * 7919 % 1000}.")
        canvas.showPage()
    canvas.save()
    writer = PdfWriter(clone_from=str(path))
    for page in writer.pages:
        page.compress_content_streams()
    writer.write(str(path))
    return path.read_bytes()


def _contents(data: bytes | bytearray) -> list[int]:
    """Return where the content of each page begins."""
    return [match.end() for match in re.finditer(rb"(?<!end)stream\r?\n", data)]


@pytest.mark.parametrize("begin", [2, 150])
def test_a_page_whose_content_does_not_unpack_is_named(tmp_path: Path, begin: int) -> None:
    """Damage inside a page, in a file whose structure is whole, is told, with what to do; the other pages are read."""
    path = tmp_path / "a.pdf"
    data = bytearray(_three_pages(path))
    at = _contents(data)[1] + begin
    data[at : at + 10] = b"\xff" * 10
    path.write_bytes(data)
    reading = read_pdf(path)
    assert "first page, line 39" in reading.text and "third page, line 39" in reading.text
    (problem,) = reading.problems
    assert "missing or wrong on page 2." in problem and "save it as a new PDF" in problem


def test_a_page_whose_content_is_gone_is_named(tmp_path: Path) -> None:
    """A page that seems blank because its content is not in the file is no empty page."""
    path = tmp_path / "a.pdf"
    data = _three_pages(path)
    numbers = re.findall(rb"/Contents (\d+) 0 R", data)
    path.write_bytes(data.replace(b"/Contents " + numbers[1], b"/Contents " + b"9" * len(numbers[1])))
    reading = read_pdf(path)
    assert "first page" in reading.text and "second page" not in reading.text
    assert any("missing or wrong on page 2." in problem for problem in reading.problems)


def test_an_empty_page_is_no_damage(tmp_path: Path) -> None:
    """A page without content costs no sentence."""
    canvas = Canvas(str(tmp_path / "a.pdf"))
    canvas.drawString(72, 700, "The words of the page.")
    canvas.showPage()
    canvas.showPage()
    canvas.save()
    assert read_pdf(tmp_path / "a.pdf").problems == ()


def test_pages_that_cannot_be_listed_are_said(tmp_path: Path) -> None:
    """A file whose list of pages is gone is known to be damaged without a page's number."""
    path = tmp_path / "a.pdf"
    path.write_bytes(_three_pages(path).replace(b"/Type /Catalog", b"/Type /Nothing").replace(b"/Pages ", b"/Pagez "))
    assert not broken_pages(path, None).listed


def test_pages_that_pdfium_cannot_draw_are_named(tmp_path: Path) -> None:
    """Pages, or a whole file, at which PDFium can't look are told: pictures on them were not read."""
    path = tmp_path / "a.pdf"
    _three_pages(path)
    sources = Sources()
    choose(sources, path, None, [BarePage(7, 595.0, 842.0)], {})
    assert "page 7" in sources.problems()[0] and "save it as a new PDF" in sources.problems()[0]
    path.write_bytes(b"%PDF-1.7 and nothing more")
    sources = Sources()
    choose(sources, path, None, [BarePage(1, 595.0, 842.0), BarePage(2, 595.0, 842.0)], {})
    assert "page 1, 2" in sources.problems()[0]


def test_plain_reading_says_what_it_lacks(tmp_path: Path) -> None:
    """A PDF that was read without its parser, which crashed on it, says so."""
    _three_pages(tmp_path / "a.pdf")
    reading = read_pdf(tmp_path / "a.pdf", plain=True)
    assert "third page, line 39" in reading.text
    assert "headings and tables were read as plain text" in reading.problems[0]


def test_a_damaged_file_is_not_called_empty(tmp_path: Path) -> None:
    """When nothing of any page can be read because all are damaged, the error says damaged."""
    path = tmp_path / "a.pdf"
    data = bytearray(_three_pages(path))
    for at in _contents(data):
        data[at : at + 20] = b"\xff" * 20
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match="damaged"):
        read_pdf(path)


def _raised(call: Callable[[], object]) -> Exception:
    """Return what a call raises."""
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def test_a_slip_of_ours_is_not_damage(tmp_path: Path) -> None:
    """An error counts as ours when our code raised it, and not when a library did over what a file holds."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", b"b")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert not is_ours(_raised(lambda: archive.read("not there")))
    assert is_ours(_raised(lambda: table_markdown([])))
    assert not is_ours(_raised((tmp_path / "none").read_bytes))
    (tmp_path / "a.ole").write_bytes(compound({"Something": b"x" * 5000}))
    with pytest.raises(ValueError, match="max"), opened(tmp_path / "a.ole"):
        table_markdown([])


def test_a_damaged_object_inside_an_office_file_is_named(tmp_path: Path) -> None:
    """A file that was put into a document as an object and is cut off is listed, and reading it names the cause."""
    path = tmp_path / "a.docx"
    document = Document()
    document.add_paragraph("The words of the letter.")
    document.save(str(path))
    native = b"\0" * 6 + b"plan.txt\0C:\\plan.txt\0" + bytes(4) + struct.pack("<I", 2) + b"p\0"
    whole, cut = native + struct.pack("<I", 5) + b"words", native + struct.pack("<I", 900) + b"words"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("word/embeddings/oleObject1.bin", compound({"\x01Ole10Native": whole}))
        archive.writestr("word/embeddings/oleObject2.bin", compound({"\x01Ole10Native": cut}))
        archive.writestr("word/embeddings/oleObject3.bin", compound({"Equation Native": bytes(100)}))
    assert [member.name for member in read(path).members] == ["plan.txt", "oleObject2.bin"]
    assert read(path, ("plan.txt",)).text == "words"
    with pytest.raises(UnreadableFile, match="damaged"):
        read(path, ("oleObject2.bin",))


def test_a_mail_over_the_limit_is_cut_and_named(tmp_path: Path) -> None:
    """The mails of a mailbox are all there; of one that is too long the beginning is, and its number is told."""
    long = "".join(f"Line {number} of a long mail.\n" for number in range(200))
    texts = ["Short words.\n", long, "The last words.\n"]
    mails = [f"From a@b Mon Jan  1 10:00:0{n} 2024\nSubject: Mail {n}\n\n{text}\n" for n, text in enumerate(texts)]
    (tmp_path / "a.mbox").write_text("".join(mails))
    found: list[tuple[str, bytes]] = []
    with pytest.raises(UnreadableFile, match="number 0002") as caught:
        found.extend((name, b"".join(data)) for name, data in messages(tmp_path / "a.mbox", most=1000))
    assert "Save their attachments" in caught.value.remedy
    assert [name for name, _ in found] == ["0001 Mail 0.eml", "0002 Mail 1.eml", "0003 Mail 2.eml"]
    assert b"Line 9 " in found[1][1] and b"Line 199" not in found[1][1] and b"The last words." in found[2][1]
