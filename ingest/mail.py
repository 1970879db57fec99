"""Reads e-mails and saved web pages in MIME form: headers and body; attachments are files inside them."""

from __future__ import annotations

import binascii
import contextlib
import email
import email.errors
import re
from collections.abc import Iterable, Iterator
from email.message import EmailMessage
from email.policy import EmailPolicy, compat32
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from ingest import tnef
from ingest.elements import Reading, Writer
from ingest.encodings import decode
from ingest.errors import UnreadableFile, is_ours
from ingest.formats import unopened
from ingest.plain import add_paragraphs

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_THREAD = {"message_id": "Message-ID", "in_reply_to": "In-Reply-To", "references": "References"}
_ENCRYPTED = {"multipart/encrypted", "application/pgp-encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"}
_SIGNATURES = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
_REPORTS = ("message/delivery-status", "message/rfc822-headers", "message/disposition-notification")
_SMALL_PICTURE = 20_000
_CUT = UnreadableFile("The attachment is damaged: it can't be decoded.", "Save it from your mail program.")
_DAMAGED = "Save it again in your mail program."
_STUB = re.compile(r"\b(?:html|browser|mail (?:client|program|reader)|e-?mail client)\b", re.I)


class _Lenient(EmailPolicy):
    """Takes a header that the standard library's parser fails on as it stands: it raises any of these for them."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        try:
            return super().header_fetch_parse(name, value)
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, email.errors.MessageError):
            return " ".join(value.split())

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        try:
            return super().header_store_parse(name, value)
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, email.errors.MessageError):
            return name, " ".join(str(value).split())


POLICY = _Lenient()
"""How mails are parsed; one malformed header costs neither the mail nor its own text."""


def load(path: Path) -> EmailMessage:
    """Return a mail file's message; its parts are not decoded yet."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unopened(error) from error
    return parse(data)


def parse(data: bytes) -> EmailMessage:
    """Return the message that bytes hold; mails saved as UTF-16 are taken for what they show."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data[:200]:
        data = decode(data)[0].encode()
    message = email.message_from_bytes(data.lstrip(b"\r\n\t \xef\xbb\xbf"), policy=POLICY)
    assert isinstance(message, EmailMessage)
    for part in message.walk():
        if part.get_content_maintype() == "multipart" and isinstance(part.get_payload(), str):
            part.set_type("text/plain")  # it names no boundary, or none that is there: what it holds is one text
    return message


def read_eml(path: Path) -> Reading:
    """Read one e-mail: its headers and its body, plain text before HTML."""
    return read_message(load(path))


def read_message(message: EmailMessage) -> Reading:
    """Return the reading of a message. UnreadableFile: it is encrypted, or holds nothing."""
    if message.get_content_type() in _ENCRYPTED and message.get_param("smime-type") != "signed-data":
        raise UnreadableFile("The e-mail is encrypted.", "Decrypt it in your mail program and save the readable copy.")
    writer, problems = Writer(), list[str]()
    headers = {name: header(message, name) for name in _HEADERS}
    writer.add("paragraph", "\n".join(f"{name}: {value}" for name, value in headers.items() if value))
    body = _add_body(writer, message, problems)
    for part in _leaves(message):
        if part.get_content_type() in _REPORTS:  # what a mail server says of a mail that it could not deliver
            held = part.get_payload()
            texts = held if isinstance(held, list) else [held]
            writer.add("paragraph", "\n\n".join(filter(None, (str(text).strip() for text in texts))))
    if not writer.elements:
        raise UnreadableFile("The e-mail has no text.", "Check where it came from.")
    if not body:
        problems.append("The e-mail has no text of its own, only attachments or pictures.")
    metadata = {"author": headers["From"], "created": _iso(headers["Date"]), "body": body}
    metadata |= {key: header(message, name) for key, name in _THREAD.items()}
    before = f"{metadata['references']} {metadata['in_reply_to']} {metadata['message_id']}".split()
    metadata["thread"] = before[0] if before else ""  # the mail that it began with
    return writer.reading(
        title=headers["Subject"] or None, problems=problems, metadata={k: v for k, v in metadata.items() if v}
    )


def read_mhtml(path: Path) -> Reading:
    """Read a web page saved as one file."""
    from ingest.web import add_html

    message = load(path)
    pages = [part for part in message.walk() if part.get_content_type() in ("text/html", "application/xhtml+xml")]
    if not pages:
        return read_message(message)
    writer, titles = Writer(), list[str | None]()
    for number, part in enumerate(pages):  # the page comes first, then the pages in its frames
        assert isinstance(part, EmailMessage)
        titles.append(add_html(writer, _text(part, "html").encode(), declared="utf-8", article=number == 0))
    if not writer.elements:
        raise UnreadableFile("The page has no text.", "Print it to PDF in a browser and ingest that.")
    return writer.reading(title=titles[0])


def _iso(date: str) -> str:
    """Return a Date header as ISO 8601, as it is when it is malformed."""
    try:
        return parsedate_to_datetime(date).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return date


def header(message: EmailMessage, name: str) -> str:
    """Return a header's decoded text on one line; raw 8-bit headers are decoded by their bytes."""
    values = [str(value) for value in message.get_all(name) or []]
    if any("\ufffd" in value or re.search("[\udc80-\udcff]", value) for value in values):
        raw = [str(value) for key, value in message.raw_items() if key.lower() == name.lower()]
        values = [decode(value.encode("utf-8", "surrogateescape"))[0] for value in raw]
    return ", ".join(" ".join(value.split()) for value in values)


def _add_body(writer: Writer, message: EmailMessage, problems: list[str]) -> str:
    """Append the body; return "plain" or "html", whichever it was taken from, "" when there is none."""
    plain, page = (_form(message, kind) for kind in ("plain", "html"))
    if page.strip():
        from ingest.web import add_html  # a plain mail must not pay for the HTML reader

        other = Writer()
        add_html(other, page.encode(), declared="utf-8", article=False)
        words, html_words = plain.split(), "".join(other.parts).split()
        stub = len(words) < 60 and len(html_words) > len(words) and _STUB.search(plain)
        if not words or stub:
            for element, text in zip(other.elements, other.parts[::2], strict=True):
                writer.add(element.kind, text, level=element.level, header_rows=element.header_rows)
            return "html" if other.elements else ""
        if html_words and not _alike(words, html_words):
            problems.append("The plain text and the HTML form of this e-mail differ; the plain text was read.")
    if plain.strip():
        add_paragraphs(writer, plain)
        return "plain"
    return ""


def _alike(left: list[str], right: list[str]) -> bool:
    """Say whether two texts have nearly the same words, links and marks aside."""
    sets = [
        {w for word in words if "://" not in word for w in re.findall(r"\w+", word.lower())} for words in (left, right)
    ]
    return len(sets[0] & sets[1]) >= 0.8 * max(1, min(len(sets[0]), len(sets[1]))) and len(sets[0]) >= 0.5 * len(
        sets[1]
    )


def _form(message: EmailMessage, kind: str) -> str:
    """Return the body's text in one of its forms, all parts of it in order; an empty text when it hasn't that form."""
    texts = []
    for part in _leaves(message):
        if part.get_content_type() == f"text/{kind}" and not _is_attachment(part):
            texts.append(_text(part, kind))
    return "\n\n".join(texts)


def _text(part: EmailMessage, kind: str) -> str:
    """Return a text part decoded by its declared character set, or by its bytes where that is wrong."""
    try:
        payload = part.get_payload(decode=True)
    except (LookupError, ValueError, TypeError):  # an encoding that can't be told: the text as it stands in the file
        raw = part.get_payload()
        payload = raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else None
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64":
        payload = _base64(payload)
    text, _ = decode(payload if isinstance(payload, bytes) else b"", part.get_content_charset())
    if kind == "html":
        # The text goes on as UTF-8, so a declaration of another character set in it is no longer true.
        text = re.sub(r"""(<meta[^>]*?charset\s*=\s*["']?)[^"'\s;>]+""", r"\1utf-8", text, flags=re.I)
    return text


def _base64(payload: object) -> object:
    """Return what was decoded; where `email` gave up for a cut last group, all groups before it, decoded."""
    if (
        isinstance(payload, bytes)
        and re.fullmatch(rb"[A-Za-z0-9+/=\s]+", payload)
        and len(payload.split()) < 0.05 * len(payload)
    ):
        packed = b"".join(payload.split()).rstrip(b"=")
        with contextlib.suppress(binascii.Error):  # it was text that looks like it
            return binascii.a2b_base64(packed[: len(packed) // 4 * 4])
    return payload


def attachments(path: Path, form: str) -> Iterator[tuple[str, list[bytes] | UnreadableFile]]:
    """Yield (name, content) of the files attached to a mail; signatures and small pictures of its text left out."""
    if form == "msg":
        from ingest.outlook import message_of

        message = message_of(path)
    else:
        message = load(path)
    number = 0
    for part in _leaves(message):
        if not _is_attachment(part) or part.get_content_type() in _SIGNATURES:
            continue
        number += 1
        try:
            data = _content(part)
        except (LookupError, ValueError, TypeError, AttributeError) as error:  # what `email` raises for malformed parts
            if is_ours(error):
                raise
            yield _name(part, number), _CUT
            continue
        if not data or (_is_decoration(part) and len(data) < _SMALL_PICTURE):
            continue
        packed = list(tnef.files(data)) if data.startswith(tnef.MARK) else []
        if packed:
            yield from ((name, [content]) for name, content in packed)
            continue
        yield _name(part, number), [data]


def _leaves(message: EmailMessage) -> Iterable[EmailMessage]:
    """Yield the parts that hold content; an attached e-mail is one part, not opened here."""
    if message.get_content_type() in ("message/rfc822", *_REPORTS) or not message.is_multipart():
        yield message
        return
    for part in message.get_payload():
        if isinstance(part, EmailMessage):
            yield from _leaves(part)


def _is_attachment(part: EmailMessage) -> bool:
    """Say whether a part is a file of its own and not one of the body's forms."""
    if part.get_content_type() == "message/rfc822" or part.get_content_disposition() == "attachment":
        return True
    if part.get_content_maintype() == "text":
        return _filename(part) is not None or part.get_content_subtype() not in ("plain", "html")
    return part.get_content_maintype() in ("image", "application", "audio", "video")


def _is_decoration(part: EmailMessage) -> bool:
    """Say whether a part is a picture that the text shows inside itself."""
    shown = part.get("Content-ID") is not None or part.get_content_disposition() == "inline"
    return part.get_content_maintype() == "image" and shown


def _filename(part: EmailMessage) -> str | None:
    try:
        return part.get_filename()
    except (LookupError, ValueError, TypeError):  # only the name is lost: the part gets one that is made up
        return None


def _name(part: EmailMessage, number: int) -> str:
    """Return an attachment's file name without folders; a made-up one when it has none."""
    given = (_filename(part) or "").replace("\\", "/").rsplit("/", 1)[-1]
    given = " ".join(given.split())[:200]
    if part.get_content_type() == "message/rfc822" and not given.lower().endswith((".eml", ".msg")):
        inner = part.get_payload(0) if part.is_multipart() else None
        subject = header(inner, "Subject") if isinstance(inner, EmailMessage) else ""
        given = re.sub(r'[\\/:*?"<>|]+', " ", given or subject)[:100].strip() or f"message-{number}"
        return f"{given}.eml"
    import mimetypes

    return given or f"attachment-{number}{mimetypes.guess_extension(part.get_content_type()) or ''}"


def _content(part: EmailMessage) -> bytes:
    """Return an attachment's bytes; an attached mail as a mail file."""
    if part.get_content_type() == "message/rfc822" and part.is_multipart():
        inner = part.get_payload(0)
        return inner.as_bytes(policy=compat32) if isinstance(inner, EmailMessage) else b""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
