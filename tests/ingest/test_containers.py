"""Files inside files: archives, mailboxes, Office files and PDFs, and what hostile ones of them cost."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import lzma
import os
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import py7zr
import pytest
from pypdf import PdfWriter
from reportlab.pdfgen.canvas import Canvas

from ingest.container import read
from ingest.elements import MAX_DEPTH, Reading
from ingest.errors import UnreadableFile
from ingest.read import Limits, Reader
from ingest.unpack import sweep


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    made = Reader([sys.executable, "-m", "ingest.child"], Limits(seconds=120))
    yield made
    made.close()


def _zip(path: Path, files: dict[str, bytes], packed: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def _names(reading: Reading) -> list[str]:
    return [member.name for member in reading.members]


def test_archive_lists_its_documents(tmp_path: Path) -> None:
    """Members have their size and hash; hidden, system and lock files and folders are none."""
    files = {"a.txt": b"first words", "deep/b.md": b"# Second", "__MACOSX/._a.txt": b"x", ".hidden": b"x"}
    files |= {"~$a.docx": b"x", "deep/Thumbs.db": b"x", "deep/.git/config": b"x"}
    archive = _zip(tmp_path / "a.zip", files)
    reading = read(archive)
    assert _names(reading) == ["a.txt", "deep/b.md"]
    assert reading.members[0].size == 11
    assert reading.members[0].sha256 == hashlib.sha256(b"first words").hexdigest()
    assert reading.metadata["format"] == "zip"
    assert read(archive, ("deep/b.md",)).text == "Second"


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.bz2", "tar.xz", "7z"])
def test_every_kind_of_archive(tmp_path: Path, suffix: str) -> None:
    """TAR, compressed or not, and 7Z archives hold the same files."""
    (tmp_path / "note.txt").write_text("words in an archive")
    path = tmp_path / f"a.{suffix}"
    if suffix == "7z":
        with py7zr.SevenZipFile(path, "w") as seven:
            seven.write(tmp_path / "note.txt", "folder/note.txt")
    else:
        mode = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}[suffix]
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            archive.add(tmp_path / "note.txt", "folder/note.txt")
            link = tarfile.TarInfo("link.txt")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
    assert _names(read(path)) == ["folder/note.txt"]
    assert read(path, ("folder/note.txt",)).text == "words in an archive"


@pytest.mark.parametrize(("suffix", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_a_single_packed_file(tmp_path: Path, suffix: str, pack: object) -> None:
    """A packed file holds one file of its own name."""
    assert callable(pack)
    (tmp_path / f"note.txt.{suffix}").write_bytes(pack(b"packed words"))
    assert _names(read(tmp_path / f"note.txt.{suffix}")) == ["note.txt"]
    assert read(tmp_path / f"note.txt.{suffix}", ("note.txt",)).text == "packed words"


def test_locked_members_say_so(tmp_path: Path) -> None:
    """An encrypted member is listed without a hash, and reading it names the reason; the others are read."""
    archive = _zip(tmp_path / "a.zip", {"secret.txt": b"hidden", "open.txt": b"shown"}, zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    archive.write_bytes(data)
    reading = read(archive)
    assert [(member.name, bool(member.sha256)) for member in reading.members] == [
        ("secret.txt", False),
        ("open.txt", True),
    ]
    with pytest.raises(UnreadableFile, match="encrypted"):
        read(archive, ("secret.txt",))
    with py7zr.SevenZipFile(tmp_path / "b.7z", "w", password="p") as seven:
        seven.writestr(b"hidden", "secret.txt")
    assert [member.sha256 for member in read(tmp_path / "b.7z").members] == [""]


def test_names_lead_nowhere_else(tmp_path: Path) -> None:
    """Paths out of the archive, drives, control characters and repeated names become harmless and unique."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("../../etc/x.txt", "/abs.txt", "C:\\temp\\y.txt", "same.txt", "same.txt", "li\nne » z.txt"):
            info = tarfile.TarInfo(name)
            info.size = 5
            archive.addfile(info, io.BytesIO(b"words"))
    names = _names(read(path))
    assert names == ["etc/x.txt", "abs.txt", "temp/y.txt", "same.txt", "same (2).txt", "li ne - z.txt"]
    assert all(read(path, (name,)).text == "words" for name in names)


def test_nesting_has_an_end(tmp_path: Path) -> None:
    """Archives in archives are opened down to the deepest level, where a sentence says what was left out."""
    content, name = b"the deepest words", "deepest.txt"
    for level in range(MAX_DEPTH + 2):
        content = _zip(tmp_path / "x.zip", {name: content}).read_bytes()
        name = f"{level}.zip"
    (tmp_path / "a.zip").write_bytes(content)
    inside: tuple[str, ...] = ()
    reading = read(tmp_path / "a.zip")
    while reading.members:
        inside = (*inside, reading.members[0].name)
        try:
            reading = read(tmp_path / "a.zip", inside)
        except UnreadableFile as error:
            assert f"more than {MAX_DEPTH} levels deep" in error.reason
            break
    assert len(inside) == MAX_DEPTH


def test_bombs_are_not_unpacked(tmp_path: Path) -> None:
    """Archives that unpack to far more than they hold are refused, as a whole or as a member."""
    bomb = gzip.compress(bytes(200_000_000), 9)
    (tmp_path / "a.gz").write_bytes(bomb)
    with pytest.raises(UnreadableFile, match="bomb"):
        read(tmp_path / "a.gz")
    outer = _zip(tmp_path / "b.zip", {"ok.txt": b"fine", "bomb.gz": bomb}, zipfile.ZIP_STORED)
    assert _names(read(outer)) == ["ok.txt", "bomb.gz"]
    with pytest.raises(UnreadableFile, match="bomb"):
        read(outer, ("bomb.gz",))


def test_too_many_files_are_no_bomb(tmp_path: Path) -> None:
    """An archive with more files than are read is refused for their number: it is no bomb, and there is a way to read it."""
    many = _zip(tmp_path / "a.zip", {f"{number}.txt": b"x" for number in range(20_001)})
    with pytest.raises(UnreadableFile, match="holds 20,001 files, more than 20,000") as refused:
        read(many)
    assert refused.value.remedy == "Unpack it and ingest the folder."


def test_an_archive_that_holds_itself_ends(tmp_path: Path) -> None:
    """A gzip file that unpacks to itself has nothing in it that could be read."""
    quine = base64.b64decode(
        "H4sICAAAAAAA/3JlY3Vyc2l2ZQCSgQEAAAAA//8A"  # not a true quine: the damaged rest must not hurt either
    )
    (tmp_path / "r.gz").write_bytes(quine)
    reading = read(tmp_path / "r.gz")
    with pytest.raises(UnreadableFile):
        read(tmp_path / "r.gz", (reading.members[0].name,))


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    """What can be unpacked of a damaged archive is, and the rest is named."""
    whole = tmp_path / "a.tar.gz"
    with tarfile.open(whole, "w:gz") as archive:
        for number in range(20):
            info = tarfile.TarInfo(f"{number}.bin")
            info.size = 50_000
            archive.addfile(info, io.BytesIO(os.urandom(50_000)))
    whole.write_bytes(whole.read_bytes()[:500_000])
    reading = read(whole)
    assert 0 < len(reading.members) < 20
    assert reading.problems or not reading.members[-1].sha256
    (tmp_path / "b.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(60))
    with pytest.raises(UnreadableFile, match="7Z archive is damaged"):
        read(tmp_path / "b.7z")


def test_mailbox(tmp_path: Path) -> None:
    """Each message of a mailbox is a file in it, named by number and subject, with its own attachments."""
    parts = []
    for number in (1, 2):
        message = EmailMessage()
        message["From"], message["Subject"] = "a@example.org", f"Meeting {number}/24"
        message.set_content(f"Body {number}\n\nFrom here on it is quoted.\n")
        message.add_attachment(b"attached words", maintype="text", subtype="plain", filename="note.txt")
        body = message.as_bytes().replace(b"\nFrom here", b"\n>From here")
        parts.append(b"From a@example.org Fri Mar  1 10:00:00 2024\n" + body + b"\n")
    (tmp_path / "a.mbox").write_bytes(b"\n".join(parts))
    names = _names(read(tmp_path / "a.mbox"))
    assert names == ["0001 Meeting 1 24.eml", "0002 Meeting 2 24.eml"]
    mail = read(tmp_path / "a.mbox", (names[1],))
    assert "Body 2" in mail.text and "\nFrom here" in f"\n{mail.text}".replace("\n\n", "\n")
    assert read(tmp_path / "a.mbox", (names[1], "note.txt")).text == "attached words"


def test_attached_mails_are_files_inside(tmp_path: Path) -> None:
    """A forwarded mail is a file named by its subject."""
    inner, outer = EmailMessage(), EmailMessage()
    inner["Subject"], outer["Subject"] = "The inner one", "The outer one"
    inner.set_content("inner words")
    outer.set_content("outer words")
    outer.add_attachment(inner)
    (tmp_path / "a.eml").write_bytes(outer.as_bytes())
    reading = read(tmp_path / "a.eml")
    assert _names(reading) == ["The inner one.eml"] and "inner words" not in reading.text
    assert "inner words" in read(tmp_path / "a.eml", ("The inner one.eml",)).text


def test_pdf_attachments(tmp_path: Path, reader: Reader) -> None:
    """Files attached to a PDF are files inside it."""
    canvas = Canvas(str(tmp_path / "plain.pdf"))
    canvas.drawString(72, 720, "The figures are attached to this page.")
    canvas.save()
    writer = PdfWriter(clone_from=str(tmp_path / "plain.pdf"))
    writer.add_attachment("figures.csv", b"a,b\n1,2\n")
    writer.write(str(tmp_path / "a.pdf"))
    reading = reader.read(tmp_path / "a.pdf")
    assert "attached to this page" in reading.text and _names(reading) == ["figures.csv"]
    assert "| 1 | 2 |" in reader.read(tmp_path / "a.pdf", ("figures.csv",)).text


def test_pages_of_a_member_are_rendered(tmp_path: Path, reader: Reader) -> None:
    """A page of a PDF in an archive is shown as an image; other members have no pages to show."""
    canvas = Canvas(str(tmp_path / "page.pdf"))
    canvas.drawString(72, 720, "A page in an archive.")
    canvas.save()
    archive = _zip(tmp_path / "a.zip", {"page.pdf": (tmp_path / "page.pdf").read_bytes(), "note.txt": b"words"})
    assert reader.render(archive, 1, 40, ("page.pdf",)).startswith(b"\x89PNG")
    with pytest.raises(UnreadableFile, match="Only pages of PDFs"):
        reader.render(archive, 1, 40, ("note.txt",))


def test_a_thousand_members_are_unpacked_once(tmp_path: Path, reader: Reader) -> None:
    """The isolated reader reads each member of a compressed archive, and leaves nothing on the disk."""
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as archive:
        for number in range(1000):
            info = tarfile.TarInfo(f"{number}.txt")
            text = f"document number {number}".encode()
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    reading = reader.read(tmp_path / "a.tar.xz")
    assert len(reading.members) == 1000
    for member in reading.members[::50]:
        assert reader.read(tmp_path / "a.tar.xz", (member.name,)).text == f"document number {member.name[:-4]}"
    mine = f"readingroom-{reader._child.pid if reader._child else 0}-"
    assert not list(Path(tempfile.gettempdir()).glob(f"{mine}*"))


def test_what_a_killed_reader_left_is_removed(tmp_path: Path) -> None:
    """Temporary folders of processes that are gone are removed, those of living ones stay."""
    gone, alive = tmp_path / "readingroom-999999999-x", tmp_path / f"readingroom-{os.getpid()}-x"
    for folder in (gone, alive):
        folder.mkdir()
        (folder / "member.pdf").write_bytes(b"x")
    sweep(tmp_path)
    assert alive.exists() and not gone.exists()


def test_a_member_that_is_gone(tmp_path: Path) -> None:
    """A member that the container doesn't hold, and a file that holds none, give an error that says so."""
    archive = _zip(tmp_path / "a.zip", {"a.txt": b"words"})
    with pytest.raises(UnreadableFile, match="not in its container"):
        read(archive, ("b.txt",))
    with pytest.raises(UnreadableFile, match="no file inside"):
        read(archive, ("a.txt", "b.txt"))
