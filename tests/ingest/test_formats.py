"""Which reader reads a file, and which files are refused before any reader sees them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from ingest.errors import UnreadableFile
from ingest.formats import SUFFIXES, check_name, detect

MAIL = b"From a@example.org Fri Mar  1 10:00:00 2024\nFrom: a@example.org\nTo: b@example.org\nSubject: x\n\nwords\n\n"


def _zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")
    return path


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", b"plain words", "text"),
        ("a.MD", b"# Title", "markdown"),
        ("a.csv", b"a,b\n1,2\n", "csv"),
        ("a.tsv", b"a\tb\n", "csv"),
        ("a.html", b"<p>words</p>", "html"),
        ("a.eml", b"From: a@example.org\r\nSubject: x\r\n\r\nwords", "eml"),
        ("a.pdf", b"%PDF-1.7\n", "pdf"),
        ("late.pdf", b"junk in front\n" * 20 + b"%PDF-1.4\n", "pdf"),
        ("wide.txt", "words without a mark, in UTF-16".encode("utf-16-le"), "text"),
        ("misnamed.txt", b"%PDF-1.7\n", "pdf"),
        ("README", b"Some words of an introduction.", "text"),
        ("notes.xyz", b"words in a file of an unknown kind", "text"),
        ("page", b"<!doctype html><title>x</title><p>words", "html"),
        ("mail", b"From: a@example.org\nTo: b@example.org\nSubject: x\n\nwords", "eml"),
        ("feed.dat", b"<?xml version='1.0'?><rows><row>1</row></rows>", "xml"),
        ("letter.doc", b"{\\rtf1\\ansi words}", "rtf"),
        ("export.xls", b"a\tb\n1\t2\n3\t4\n", "csv"),
        ("data", b'{"name": "value"}', "json"),
        ("one", MAIL, "eml"),
        ("box", MAIL * 2, "mbox"),
        ("one.mbox", MAIL, "mbox"),
        ("photo.txt", b"\x89PNG\r\n\x1a\n" + bytes(30), "image"),
        ("renamed.pdf", b"A report of many words about the harbour, its ferries and their crews. " * 3, "text"),
        ("page.md", b"<html> in Markdown is quoted, not a page", "markdown"),
        ("saved-from-web.docx", b"<!DOCTYPE html><html><body>x</body></html>", "html"),
    ],
)
def test_format_follows_suffix_and_content(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    """The suffix names the format, and certain content overrules it."""
    path = tmp_path / name
    path.write_bytes(content)
    assert detect(path) == expected


def test_zipped_formats_are_told_apart_by_their_parts(tmp_path: Path) -> None:
    """A workbook named .docx is still a workbook."""
    assert detect(_zip(tmp_path / "a.docx", "word/document.xml")) == "docx"
    assert detect(_zip(tmp_path / "b.pptx", "ppt/presentation.xml")) == "pptx"
    assert detect(_zip(tmp_path / "c.docx", "xl/workbook.xml")) == "xlsx"
    assert detect(_zip(tmp_path / "d.epub", "META-INF/container.xml")) == "epub"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.pdf", b"", "empty"),
        ("photo.heic", bytes(4) + b"ftypheic" + bytes(40), "HEIC"),
        ("tool", b"\x7fELF" + bytes(60), "ELF program"),
        ("film.pdf", bytes(4) + b"ftypisom" + bytes(40), "video"),
        ("letters.dat", b"wOF2" + bytes(60), "font"),
        ("store.db", b"SQLite format 3\x00" + bytes(60), "SQLite"),
        ("packed.rar", b"Rar!\x1a\x07\x01\x00" + bytes(60), "RAR"),
        ("nothing.xyz", bytes(range(256)) * 4, "binary data"),
        ("broken.zip", b"PK\x03\x04 and then nothing", "ZIP archive is damaged"),
        ("not.pdf", b"just words", "not what its name says"),
        ("not.xlsx", b"just words", "not what its name says"),
        ("binary.txt", bytes(range(256)) * 4, "binary data"),
        ("words.eml", b"just some words. And more", "no header lines"),
        ("broken.docx", b"PK\x03\x04 and then nothing", "ZIP container"),
        ("old.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "OLE container"),
    ],
)
def test_refused_with_reason_and_remedy(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    """Each file that can't be read says why and what to do."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=reason) as caught:
        detect(path)
    assert caught.value.remedy


def test_suffixes_are_those_of_readers(tmp_path: Path) -> None:
    """Each supported suffix promises a format; a suffix that isn't known promises none and is no error."""
    for suffix in SUFFIXES:
        (tmp_path / f"a{suffix}").write_bytes(b"x")
        assert check_name(tmp_path / f"a{suffix}")
    (tmp_path / "a.xyz").write_bytes(b"x")
    assert check_name(tmp_path / "a.xyz") == ""


def test_archive_is_known_and_bomb_refused(tmp_path: Path) -> None:
    """A ZIP archive is recognised whatever its name, and one that unpacks to far too much is not unpacked."""
    assert detect(_zip(tmp_path / "a.docx", "notes.txt")) == "zip"
    with zipfile.ZipFile(tmp_path / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(60_000_000))
    with pytest.raises(UnreadableFile, match="bomb"):
        detect(tmp_path / "bomb.docx")


def test_missing_and_special_files_are_refused(tmp_path: Path) -> None:
    """A file that is gone, a folder and a pipe give an error and don't block."""
    with pytest.raises(UnreadableFile, match="does not exist"):
        detect(tmp_path / "gone.txt")
    (tmp_path / "folder.txt").mkdir()
    os.mkfifo(tmp_path / "pipe.txt")
    for name in ("folder.txt", "pipe.txt"):
        with pytest.raises(UnreadableFile, match="not a regular file"):
            detect(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file_is_refused(tmp_path: Path) -> None:
    """A file without read permission gives an error that says so."""
    path = tmp_path / "a.txt"
    path.write_text("x")
    path.chmod(0)
    with pytest.raises(UnreadableFile, match="permission denied"):
        detect(path)
