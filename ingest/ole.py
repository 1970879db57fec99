"""Opens OLE containers, in which old Office files and Outlook's mails are kept (the only file that imports olefile)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.errors import UnreadableFile, is_ours
from ingest.formats import unopened

_DAMAGED = "Open it in the program it comes from, save it again, and ingest that."
_SHORT = (struct.error, IndexError, UnicodeError)
"""What reading binary data raises where they end too early or lead nowhere."""
_OLEFILE = (ValueError, KeyError, TypeError, AttributeError, OverflowError)
"""What olefile raises for damaged files beside its own errors."""
_YEAR_1980, _YEAR_2100 = 119_600_064_000_000_000, 157_469_184_000_000_000
_CUT = UnreadableFile("The file inside the document is damaged.", "Get a good copy of the document.")
_KINDS = (
    ("worddocument", "doc"),
    ("workbook", "xls"),
    ("book", "xls"),
    ("powerpoint document", "ppt"),
    ("pp97_dualstorage", "ppt"),
    ("__properties_version1.0", "msg"),
    ("__substg1.0_", "msg"),
)
_OTHERS = (
    ("visiodocument", "a Visio drawing", "Save it as PDF."),
    ("quill", "a Publisher document", "Save it as PDF."),
    ("hwpsummaryinformation", "a Hangul document (hwp)", "Save it as docx or PDF."),
    ("catalog", "a cache of thumbnails", "Leave it out."),
    ("matost", "a Works document", "Save it as docx or PDF."),
)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Give olefile's view of a container for a while; what is wrong with the file becomes UnreadableFile.

    That is what olefile raises, and, of what a reader raises meanwhile, errors that say that the bytes end too early.
    """
    import olefile

    damaged = UnreadableFile("The file is damaged: its OLE container can't be read.", _DAMAGED)
    try:
        with olefile.OleFileIO(str(path)) as container:
            yield container
    except OSError as error:  # olefile's own errors are some without a number
        raise (damaged if error.errno is None else unopened(error)) from error
    except _SHORT as error:
        raise damaged from error
    except _OLEFILE as error:
        if is_ours(error):
            raise
        raise damaged from error


def kind_of(path: Path) -> str:
    """Return the format of an OLE container: doc, xls, ppt or msg. UnreadableFile names what else it is."""
    with opened(path) as container:
        names = {entry[0].lower().lstrip("\x05\x01") for entry in container.listdir(streams=True, storages=True)}
    if "encryptedpackage" in names:
        raise UnreadableFile(
            "The Office file is encrypted and needs a password.", "Save a copy without a password and ingest that."
        )
    for name, form in _KINDS:
        if any(found == name or (name.endswith("_") and found.startswith(name)) for found in names):
            return form
    for name, what, remedy in _OTHERS:
        if name in names:
            raise UnreadableFile(f"The file is {what}, which can't be read.", remedy)
    raise UnreadableFile("The file is in an old binary format that is not known.", "Save it as docx, xlsx or PDF.")


def stream(container: Any, *names: str) -> bytes:
    """Return a stream's bytes, empty when there is none of that name."""
    return bytes(container.openstream(list(names)).read()) if container.exists(list(names)) else b""


def properties(container: Any) -> dict[str, str]:
    """Return title, author and dates from the summary of an old Office file, those that it has.

    olefile's own reader of summaries believes any number of properties, and then takes minutes over a damaged one.
    """
    data = stream(container, "\x05SummaryInformation")
    found: dict[str, str] = {}
    values = dict(_summary(data)) if len(data) >= 56 else {}
    page = int.from_bytes(values.get(1, b"\xe4\x04")[:2], "little")
    for number, name in ((2, "title"), (4, "author"), (12, "created"), (13, "modified")):
        value = values.get(number)
        if value is not None and number >= 12:
            ticks = int.from_bytes(value[:8], "little")
            if _YEAR_1980 < ticks < _YEAR_2100:
                found[name] = (datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)).isoformat()
        elif value is not None and (text := " ".join(_decoded(value, page).replace("\x00", " ").split())):
            found[name] = text
    return found


def _summary(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (number, value) of the numbers, texts and times of a property set (MS-OLEPS 2.20)."""
    at = struct.unpack_from("<I", data, 44)[0]
    if at + 8 > len(data):
        return
    count = struct.unpack_from("<I", data, at + 4)[0]
    for i in range(min(count, 100)):
        if at + 16 + 8 * i > len(data):
            return
        number, place = struct.unpack_from("<II", data, at + 8 + 8 * i)
        value = data[at + place : at + place + 70_000]
        kind = int.from_bytes(value[:2], "little")
        length = int.from_bytes(value[4:8], "little")
        if kind in (2, 3, 64):
            yield number, value[4:12]
        elif kind in (30, 31):
            yield number, value[8 : 8 + min(length * (kind - 29), 65_536)]


def _decoded(value: bytes, page: int) -> str:
    """Return a property's text; 1200 is UTF-16, 65001 UTF-8, others are Windows code pages."""
    encoding = {1200: "utf-16-le", 65001: "utf-8"}.get(page, f"cp{page}")
    try:
        return value.decode(encoding, "replace")
    except LookupError:  # a code page that Python doesn't know: Windows' usual one reads most of it
        return value.decode("cp1252", "replace")


def packaged(data: bytes) -> tuple[str, bytes] | None:
    """Return (name, content) of the file that an embedded OLE object holds, None for an object of a program.

    Of such an object (an equation, say) the Office file shows the picture. UnreadableFile: it is damaged.
    """
    import io

    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            for name, made in (("Package", "embedded"), ("CONTENTS", "embedded.pdf")):
                content = stream(container, name)
                if content and (name == "Package" or content.startswith(b"%PDF")):
                    return made, content
            native = stream(container, "\x01Ole10Native")
            if native:
                return _native(native)
            for name, suffix in (("WordDocument", "doc"), ("Workbook", "xls"), ("PowerPoint Document", "ppt")):
                if container.exists(name):
                    return f"embedded.{suffix}", data
    except (OSError, *_SHORT, *_OLEFILE) as error:
        if is_ours(error) and not isinstance(error, IndexError):
            raise
        raise _CUT from error
    return None


def _native(data: bytes) -> tuple[str, bytes] | None:
    """Return (name, content) of an Ole10Native stream: length, flags, label, file name, place, content.

    None when it holds something else (an equation); UnreadableFile when the content is cut.
    """
    at = 6
    end = data.find(b"\x00", at)
    label = data[at:end]
    path_end = data.find(b"\x00", end + 1)
    at = path_end + 1 + 4
    if end < 0 or path_end < 0 or at + 4 > len(data):
        return None
    length = struct.unpack_from("<I", data, at)[0]
    at += 4 + length
    size = struct.unpack_from("<I", data, at)[0] if at + 4 <= len(data) else len(data)
    if size > len(data) - at - 4:
        raise _CUT
    try:
        name = label.decode("utf-8")
    except UnicodeDecodeError:
        name = label.decode("cp1252", "replace")
    return name or "embedded", data[at + 4 : at + 4 + size]
