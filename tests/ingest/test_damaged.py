"""What is lost in files that are damaged in part is said, and the rest of them is read."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from docx import Document
from pypdf import PdfWriter
from reportlab.pdfgen.canvas import Canvas

from ingest.container import read
from ingest.errors import UnreadableFile

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
