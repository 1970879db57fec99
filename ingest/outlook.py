"""Reads Outlook's mails (MSG) by turning them into Internet mails."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from ingest.elements import MAX_DEPTH, Reading
from ingest.encodings import decode
from ingest.mail import POLICY
from ingest.ole import opened, stream

_TEXT = "__substg1.0_{:04X}001F"
_BYTES = "__substg1.0_{:04X}001E"
_BINARY = "__substg1.0_{:04X}0102"
_SUBJECT, _HEADERS, _BODY, _HTML, _RTF = 0x0037, 0x007D, 0x1000, 0x1013, 0x1009
_SENDER, _SENDER_MAIL, _SENDER_SMTP, _TO, _CC = 0x0C1A, 0x0C1F, 0x5D01, 0x0E04, 0x0E03
_MESSAGE_ID, _REPLY, _REFERENCES = 0x1035, 0x1042, 0x1039
_SENT, _DELIVERED, _CODE_PAGE = 0x0039, 0x0E06, 0x3FDE
_FILE, _LONG_FILE, _DATA, _MIME, _CONTENT_ID = 0x3704, 0x3707, 0x3701, 0x370E, 0x3712
_EMBEDDED = "__substg1.0_3701000D"


def read_msg(path: Path) -> Reading:
    """Read one mail of Outlook: its headers and its body."""
    from ingest.mail import read_message

    return read_message(message_of(path))


def message_of(path: Path) -> EmailMessage:
    """Return an MSG file as an Internet mail with its attachments; mails in it are parts of type message/rfc822."""
    with opened(path) as container:
        return _message(container, [], 0)


def _message(container: Any, at: list[str], depth: int) -> EmailMessage:
    """Return the message in a storage."""
    fixed = _fixed(container, at, 32 if not at else 24)
    page = fixed.get(_CODE_PAGE)
    charset = f"cp{int.from_bytes(page[:4], 'little')}" if page else None

    def text(tag: int) -> str:
        return _text(container, at, tag, charset)

    made = EmailMessage(policy=POLICY)
    _add_headers(made, text, fixed)
    plain, page_text = text(_BODY), _html(container, at, charset)
    if not plain and not page_text:
        plain = _from_rtf(stream(container, *at, _BINARY.format(_RTF)))
    if plain or not page_text:
        made.set_content(plain)
        if page_text:
            made.add_alternative(page_text, subtype="html")
    else:
        made.set_content(page_text, subtype="html")
    for folder in _folders(container, at):
        _attach(made, container, [*at, folder], charset, depth)
    return made


def _add_headers(made: EmailMessage, text: Any, fixed: dict[int, bytes]) -> None:
    """Add the headers: those that came over the Internet, else what Outlook knows."""
    from ingest.mail import header, parse

    sent = parse(text(_HEADERS).encode("utf-8", "replace"))
    address = text(_SENDER_SMTP) or text(_SENDER_MAIL)
    sender = " ".join(filter(None, (text(_SENDER), f"<{address}>" if "@" in address else "")))
    values = {
        "From": sender,
        "To": text(_TO),
        "Cc": text(_CC),
        "Subject": text(_SUBJECT),
        "Date": _date(fixed.get(_SENT) or fixed.get(_DELIVERED)),
        "Message-ID": text(_MESSAGE_ID),
        "In-Reply-To": text(_REPLY),
        "References": text(_REFERENCES),
    }
    for name, value in values.items():
        first, second = (value, header(sent, name)) if name == "Subject" else (header(sent, name), value)
        shown = " ".join(re.sub(r"[\x00-\x1f]", " ", first or second).split())
        if shown:
            made[name] = shown


def _date(value: bytes | None) -> str:
    """Return a Windows time (100 ns since 1601) as a mail header's date."""
    if not value or len(value) < 8:
        return ""
    try:
        moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=int.from_bytes(value[:8], "little") // 10)
    except OverflowError:  # a year that no mail was sent in: the mail is read without its date
        return ""
    return format_datetime(moment)


def _text(container: Any, at: list[str], tag: int, charset: str | None) -> str:
    """Return a text property, "" when it is missing."""
    wide = stream(container, *at, _TEXT.format(tag))
    if wide:
        return wide.decode("utf-16-le", "replace").rstrip("\x00")
    narrow = stream(container, *at, _BYTES.format(tag))
    return decode(narrow, charset)[0].rstrip("\x00") if narrow else ""


def _html(container: Any, at: list[str], charset: str | None) -> str:
    """Return the HTML body, "" when there is none."""
    data = stream(container, *at, _BINARY.format(_HTML))
    if not data:
        return _text(container, at, _HTML, charset)
    declared = re.search(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]+)", data[:4000], re.I)
    return decode(data, declared[1].decode() if declared else charset)[0]


def _from_rtf(data: bytes) -> str:
    """Return the text of a compressed RTF body."""
    from ingest.rtf import text_of

    plain = _decompressed(data)
    return text_of(plain) if plain.startswith(b"{\\rtf") else ""


_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbol"
    rb"ArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


def _decompressed(data: bytes) -> bytes:
    """Return RTF from Outlook's compressed form (MS-OXRTFCP: LZ with a ring of 4,096 bytes)."""
    if len(data) < 16:
        return b""
    size, kind = struct.unpack_from("<I", data, 4)[0], data[8:12]
    if kind == b"MELA":
        return data[16 : 16 + size]
    ring = bytearray(_DICTIONARY.ljust(4096, b"\x00"))
    at, write, out = 16, len(_DICTIONARY), bytearray()
    while at < len(data) and len(out) < min(size, 50_000_000):
        control = data[at]
        at += 1
        for bit in range(8):
            if at >= len(data):
                break
            piece = data[at : at + 1]
            if control >> bit & 1:
                pair = int.from_bytes(data[at : at + 2], "big")
                at += 2
                start, length = pair >> 4, (pair & 15) + 2
                if start == write:
                    return bytes(out)
                for i in range(length):
                    byte = ring[(start + i) % 4096]
                    out.append(byte)
                    ring[write] = byte
                    write = (write + 1) % 4096
                continue
            at += 1
            out += piece
            ring[write] = piece[0]
            write = (write + 1) % 4096
    return bytes(out)


def _fixed(container: Any, at: list[str], header: int) -> dict[int, bytes]:
    """Return the properties of fixed size: tag to eight bytes."""
    data = stream(container, *at, "__properties_version1.0")
    return {struct.unpack_from("<H", data, i + 2)[0]: data[i + 8 : i + 16] for i in range(header, len(data) - 15, 16)}


def _folders(container: Any, at: list[str]) -> Iterator[str]:
    """Yield the storages of the attachments."""
    inner = {
        entry[len(at)]
        for entry in container.listdir(streams=True, storages=True)
        if entry[: len(at)] == at and len(entry) > len(at)
    }
    yield from sorted(name for name in inner if name.startswith("__attach_version1.0_"))


def _attach(made: EmailMessage, container: Any, at: list[str], charset: str | None, depth: int) -> None:
    """Add one attachment."""
    name = _text(container, at, _LONG_FILE, charset) or _text(container, at, _FILE, charset)
    name = re.sub(r"[\x00-\x1f]", " ", name)
    if container.exists([*at, _EMBEDDED]):
        if depth <= MAX_DEPTH:  # one level more than is read, so that what is left out is counted there
            made.add_attachment(_message(container, [*at, _EMBEDDED], depth + 1))
        return
    data = stream(container, *at, _BINARY.format(_DATA))
    main, _, sub = (_text(container, at, _MIME, charset) or "application/octet-stream").partition("/")
    if (
        not re.fullmatch(r"[\w.+-]+", main)
        or not re.fullmatch(r"[\w.+-]+", sub)
        or main in ("text", "message", "multipart")
    ):
        main, sub = "application", "octet-stream"
    shown = _text(container, at, _CONTENT_ID, charset) and main == "image"
    made.add_attachment(
        data, maintype=main, subtype=sub, filename=name or None, disposition="inline" if shown else "attachment"
    )
