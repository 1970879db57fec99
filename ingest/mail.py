"""Reads e-mails: the headers, the body, then each attachment as a section of its own."""

from __future__ import annotations

import email
import email.policy
import re
import tempfile
from collections.abc import Callable, Iterable
from email.message import EmailMessage
from pathlib import Path

from ingest.elements import Reading, Writer
from ingest.errors import UnreadableFile
from ingest.formats import SUFFIXES, unopened
from ingest.plain import add_paragraphs, decode

_MAX_DEPTH = 3
_MAX_ATTACHMENTS = 200
_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_ENCRYPTED = {"multipart/encrypted", "application/pgp-encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"}

ReadInner = Callable[[Path, int], Reading]
"""Reads a file at a depth of attachments; raises UnreadableFile."""


def read_mail(path: Path, depth: int, read_inner: ReadInner) -> Reading:
    """Read one e-mail; attachments go to `read_inner`, down to 3 levels; those not read are named as problems."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unopened(error) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = decode(data)[0].encode()
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    if message.get_content_type() in _ENCRYPTED:
        raise UnreadableFile("The e-mail is encrypted.", "Decrypt it in your mail program and save the readable copy.")
    writer, problems = Writer(), list[str]()
    headers = {name: _header(message, name) for name in _HEADERS}
    writer.add("paragraph", "\n".join(f"{name}: {value}" for name, value in headers.items() if value))
    body = _add_body(writer, message)
    _add_attachments(writer, message, body, problems=problems, depth=depth, read_inner=read_inner)
    if not writer.elements:
        raise UnreadableFile("The e-mail has no text.", "Check where it came from.")
    if body is None:
        problems.append("The e-mail has no text of its own, only attachments or pictures.")
    metadata = {"author": headers["From"], "created": headers["Date"]}
    return writer.reading(
        title=headers["Subject"] or None, problems=problems, metadata={k: v for k, v in metadata.items() if v}
    )


def _header(message: EmailMessage, name: str) -> str:
    """Return a header's decoded text on one line; an empty text when it is missing or malformed."""
    try:
        values = message.get_all(name) or []
    except (ValueError, IndexError, TypeError, AttributeError):
        # The standard library's header parser raises any of these for malformed headers.
        return ""
    return ", ".join(" ".join(str(value).split()) for value in values)


def _add_body(writer: Writer, message: EmailMessage) -> EmailMessage | None:
    """Append the body, plain text before HTML; return the part that it came from."""
    for kind in ("plain", "html"):
        part = message.get_body(preferencelist=(kind,))
        if part is None:
            continue
        assert isinstance(part, EmailMessage)
        before = len(writer.elements)
        if kind == "plain":
            add_paragraphs(writer, _text(part))
        else:
            from ingest.office import add_html  # a plain mail must not pay for the import of unstructured

            add_html(writer, _text(part).encode())
        if len(writer.elements) > before:
            return part
    return None


def _text(part: EmailMessage) -> str:
    """Return a text part decoded by its declared character set, or by its bytes where that is wrong."""
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    text, _ = decode(data, part.get_content_charset())
    if part.get_content_subtype() == "html":
        # The text goes on as UTF-8, so a declaration of another character set in it is no longer true.
        text = re.sub(r"""(<meta[^>]*?charset\s*=\s*["']?)[^"'\s;>]+""", r"\1utf-8", text, flags=re.I)
    return text


def _add_attachments(
    writer: Writer,
    message: EmailMessage,
    body: EmailMessage | None,
    *,
    problems: list[str],
    depth: int,
    read_inner: ReadInner,
) -> None:
    """Append every attachment that can be read under a heading with its name."""
    parts = [part for part in _leaves(message) if part is not body and _is_attachment(part)]
    if len(parts) > _MAX_ATTACHMENTS:
        problems.append(f"Only the first {_MAX_ATTACHMENTS} of {len(parts)} attachments were read.")
    for number, part in enumerate(parts[:_MAX_ATTACHMENTS], start=1):
        name = _name(part, number)
        if Path(name).suffix.lower() not in SUFFIXES:
            problems.append(f'The attachment "{name}" was not read: its format is not supported.')
            continue
        if depth >= _MAX_DEPTH:
            problems.append(f'The attachment "{name}" was not read: it is nested more than {_MAX_DEPTH} levels deep.')
            continue
        try:
            inner = _read_attachment(part, name, depth, read_inner)
        except UnreadableFile as error:
            problems.append(f'The attachment "{name}" was not read: {error.reason}')
            continue
        _append(writer, name, inner)
        problems.extend(f'Attachment "{name}": {problem}' for problem in inner.problems)


def _leaves(message: EmailMessage) -> Iterable[EmailMessage]:
    """Yield the parts that hold content; an attached e-mail is one part, not opened here."""
    if message.get_content_type() == "message/rfc822" or not message.is_multipart():
        yield message
        return
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        yield from _leaves(part)


def _is_attachment(part: EmailMessage) -> bool:
    """Say whether a part is a file of its own and not the body's other form."""
    named = part.get_filename() is not None or part.get_content_type() == "message/rfc822"
    return named or part.get_content_disposition() == "attachment"


def _name(part: EmailMessage, number: int) -> str:
    """Return an attachment's file name without folders; a made-up one when it has none."""
    if part.get_content_type() == "message/rfc822" and not (part.get_filename() or "").lower().endswith(".eml"):
        return f"message-{number}.eml"
    name = (part.get_filename() or f"attachment-{number}").replace("\\", "/").rsplit("/", 1)[-1]
    return " ".join(name.split())[:200] or f"attachment-{number}"


def _read_attachment(part: EmailMessage, name: str, depth: int, read_inner: ReadInner) -> Reading:
    """Read one attachment through a private temporary file, which is gone afterwards."""
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload(0) if part.is_multipart() else None
        data = inner.as_bytes(policy=email.policy.compat32) if isinstance(inner, EmailMessage) else b""
    else:
        payload = part.get_payload(decode=True)
        data = payload if isinstance(payload, bytes) else b""
    with tempfile.TemporaryDirectory(prefix="reading-") as folder:
        # The name in the mail is not trusted with a place on the disk: only its suffix is used.
        file = Path(folder) / f"attachment{Path(name).suffix.lower()}"
        file.write_bytes(data)
        return read_inner(file, depth + 1)


def _append(writer: Writer, name: str, inner: Reading) -> None:
    """Append an attachment's elements below a heading; its pages are not pages of the mail, so it has no boxes."""
    writer.add("heading", f"Attachment: {name}", level=1)
    for element in inner.elements:
        level = min(6, element.level + 1) if element.kind == "heading" else element.level
        writer.add(element.kind, inner.text[element.start : element.end], 1, level, element.header_rows)
