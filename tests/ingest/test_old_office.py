"""Outlook's mails and old PowerPoint files, written here byte by byte; encrypted and unknown OLE containers."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ingest.container import read
from ingest.errors import UnreadableFile
from tests.ingest.compound import Tree, compound


def _text(**values: str) -> Tree:
    tags = {
        "subject": "0037",
        "body": "1000",
        "sender": "0C1A",
        "mail": "5D01",
        "to": "0E04",
        "id": "1035",
        "reply": "1042",
    }
    return {f"__substg1.0_{tags[name]}001F": value.encode("utf-16-le") for name, value in values.items()}


def _properties(header: int) -> bytes:
    sent = 133_536_456_000_000_000  # 2024-03-01, in 100 ns since 1601
    return bytes(header) + struct.pack("<HHIQ", 0x40, 0x39, 6, sent)


def _attachment(name: str, content: bytes | Tree) -> Tree:
    held: Tree = {"__substg1.0_37010102": content} if isinstance(content, bytes) else {"__substg1.0_3701000D": content}
    return held | {"__substg1.0_3707001F": name.encode("utf-16-le"), "__properties_version1.0": bytes(8)}


def test_outlook_mail_with_attachments(tmp_path: Path) -> None:
    """Headers, body and thread of an MSG; its attachments and the mails attached to it are files inside it."""
    inner = _text(subject="Earlier", body="Is Friday free?") | {"__properties_version1.0": _properties(24)}
    mail = _text(subject="Grüße", body="See you on Friday.\r\n\r\nKim", sender="Kim Doe", mail="kim@example.org", to="Lee",
                 id="<2@example.org>", reply="<1@example.org>")  # fmt: skip
    mail |= {
        "__properties_version1.0": _properties(32),
        "__attach_version1.0_#00000000": _attachment("menu.txt", b"soup and bread " * 400),
        "__attach_version1.0_#00000001": _attachment("", inner),
    }
    (tmp_path / "a.msg").write_bytes(compound(mail))
    reading = read(tmp_path / "a.msg")
    assert reading.title == "Grüße"
    assert "From: Kim Doe <kim@example.org>" in reading.text and "See you on Friday." in reading.text
    assert reading.metadata["in_reply_to"] == "<1@example.org>" and reading.metadata["created"].startswith("2024-0")
    assert [member.name for member in reading.members] == ["menu.txt", "Earlier.eml"]
    assert read(tmp_path / "a.msg", ("menu.txt",)).text.startswith("soup and bread")
    assert "Is Friday free?" in read(tmp_path / "a.msg", ("Earlier.eml",)).text


def test_mails_in_mails_in_mails_are_counted_where_they_end(tmp_path: Path) -> None:
    """Of eight mails, each attached to the one before, five inner ones are read, and the fifth says that there are more."""
    mail: Tree = _text(subject="Mail 8", body="The words of mail 8.") | {"__properties_version1.0": _properties(24)}
    for number in range(7, 0, -1):
        outer = _text(subject=f"Mail {number}", body=f"The words of mail {number}.")
        header = _properties(24 if number > 1 else 32)
        mail = outer | {"__properties_version1.0": header, "__attach_version1.0_#00000000": _attachment("", mail)}
    (tmp_path / "a.msg").write_bytes(compound(mail))
    inside: tuple[str, ...] = ()
    reading = read(tmp_path / "a.msg")
    while reading.members:
        inside = (*inside, reading.members[0].name)
        reading = read(tmp_path / "a.msg", inside)
    assert len(inside) == 5 and "The words of mail 6." in reading.text
    assert any("1 files inside were left out" in problem for problem in reading.problems)


def test_outlook_mail_in_compressed_rtf(tmp_path: Path) -> None:
    """A mail that has its text only as RTF is read from it."""
    rtf = rb"{\rtf1\ansi The counter is closed on Monday.\par}"
    body = struct.pack("<II4sI", len(rtf) + 12, len(rtf), b"MELA", 0) + rtf
    mail: Tree = _text(subject="Hours") | {"__substg1.0_10090102": body, "__properties_version1.0": bytes(32)}
    (tmp_path / "a.msg").write_bytes(compound(mail))
    assert "The counter is closed on Monday." in read(tmp_path / "a.msg").text


def _record(kind: int, content: bytes, instance: int = 0, version: int = 0) -> bytes:
    return struct.pack("<HHI", instance << 4 | version, kind, len(content)) + content


def test_old_slides(tmp_path: Path) -> None:
    """Slides of a PPT are pages, their titles headings; the texts of shapes follow."""
    texts = b""
    for number in (1, 2):
        texts += _record(1011, struct.pack("<IIIII", 10 + number, 0, 0, 255 + number, 0))
        texts += _record(3999, struct.pack("<I", 0)) + _record(4000, f"Größe {number}".encode("utf-16-le"))
        texts += _record(3999, struct.pack("<I", 1)) + _record(4008, b"first point\rsecond point")
    document = _record(1000, _record(4080, texts, 0, 15), 0, 15)
    (tmp_path / "a.ppt").write_bytes(compound({"PowerPoint Document": document, "Current User": bytes(24)}))
    reading = read(tmp_path / "a.ppt")
    assert [(e.kind, e.page, reading.text[e.start : e.end]) for e in reading.elements] == [
        (kind, page, text)
        for page in (1, 2)
        for kind, text in (("heading", f"Größe {page}"), ("paragraph", "first point"), ("paragraph", "second point"))
    ]


def test_slides_that_are_cut_off_are_told(tmp_path: Path) -> None:
    """A presentation whose last record goes on after the end of the file is read as far as it goes, and says so."""
    texts = _record(1011, struct.pack("<IIIII", 11, 0, 0, 256, 0)) + _record(4008, b"first point")
    document = _record(1000, _record(4080, texts, 0, 15), 0, 15)
    cut = document + _record(1006, bytes(5000), 0, 15)[:900]
    (tmp_path / "a.ppt").write_bytes(compound({"PowerPoint Document": cut, "Current User": bytes(24)}))
    reading = read(tmp_path / "a.ppt")
    assert reading.text == "first point" and "damaged" in reading.problems[0]


def test_an_old_word_file_that_ends_too_early_is_damaged(tmp_path: Path) -> None:
    """A document without a header is damaged; it is no error of the reader."""
    (tmp_path / "a.doc").write_bytes(compound({"WordDocument": bytes(8), "0Table": bytes(100)}))
    with pytest.raises(UnreadableFile, match="damaged"):
        read(tmp_path / "a.doc")


@pytest.mark.parametrize(
    ("streams", "reason"),
    [
        ({"EncryptedPackage": b"x" * 5000}, "encrypted"),
        ({"VisioDocument": b"x" * 5000}, "Visio"),
        ({"Something": b"x" * 5000}, "old binary format"),
    ],
)
def test_other_containers_are_named(tmp_path: Path, streams: Tree, reason: str) -> None:
    """Encrypted Office files and files of other programs say what they are."""
    (tmp_path / "a.doc").write_bytes(compound(streams))
    with pytest.raises(UnreadableFile, match=reason):
        read(tmp_path / "a.doc")
