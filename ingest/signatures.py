"""Recognises what bytes are by what stands at their beginning, whatever the file is called."""

from __future__ import annotations

import bz2
import codecs
import json
import lzma
import re
import unicodedata
import zlib
from collections.abc import Callable

from ingest.zstandard import MARK, begins

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF87a", "image"),
    (b"GIF89a", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"II+\x00", "image"),
    (b"{\\rtf", "rtf"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08", "zip"),
)
_AS_PDF = "Convert it to PDF and ingest that."
_EXPORT = "Export what matters from it as PDF, CSV or text."
_NO_TEXT = "Only documents can be ingested; leave it out."
_PROGRAM, _FONT, _SOUND, _VIDEO = "a program", "a font", "a sound recording", "a video"
_OTHERS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x7fELF", "an ELF program", _NO_TEXT),
    (0, b"\xcf\xfa\xed\xfe", "a macOS program", _NO_TEXT),
    (0, b"\xce\xfa\xed\xfe", "a macOS program", _NO_TEXT),
    (0, b"\xca\xfe\xba\xbe", "a compiled Java or macOS program", _NO_TEXT),
    (0, b"\x00asm", "a WebAssembly program", _NO_TEXT),
    (0, b"SQLite format 3\x00", "a SQLite database", _EXPORT),
    (4, b"Standard Jet DB", "an Access database", _EXPORT),
    (4, b"Standard ACE DB", "an Access database", _EXPORT),
    (0, b"!BDN", "an Outlook mail store (PST)", "Export its mails as eml, msg or mbox."),
    (0, b"PAR1", "a Parquet table", _EXPORT),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 data file", _EXPORT),
    (0, b"\x93NUMPY", "a NumPy array", _EXPORT),
    (8, b"AVI ", _VIDEO, _NO_TEXT),
    (0, b"\x1aE\xdf\xa3", _VIDEO, _NO_TEXT),
    (0, b"\x00\x00\x01\xba", _VIDEO, _NO_TEXT),
    (0, b"FLV\x01", _VIDEO, _NO_TEXT),
    (0, b"0&\xb2u\x8ef\xcf\x11", "a Windows Media file", _NO_TEXT),
    (8, b"WAVE", _SOUND, _NO_TEXT),
    (0, b"ID3", _SOUND, _NO_TEXT),
    (0, b"\xff\xfb", _SOUND, _NO_TEXT),
    (0, b"\xff\xf3", _SOUND, _NO_TEXT),
    (0, b"OggS", _SOUND, _NO_TEXT),
    (0, b"fLaC", _SOUND, _NO_TEXT),
    (0, b"MThd", "a MIDI file", _NO_TEXT),
    (0, b"wOFF", _FONT, _NO_TEXT),
    (0, b"wOF2", _FONT, _NO_TEXT),
    (0, b"OTTO\x00", _FONT, _NO_TEXT),
    (0, b"\x00\x01\x00\x00\x00", _FONT, _NO_TEXT),
    (0, b"ttcf", _FONT, _NO_TEXT),
    (0, b"8BPS", "a Photoshop picture", "Export it as PDF or PNG."),
    (0, b"\x00\x00\x01\x00", "an icon", _NO_TEXT),
    (128, b"DICM", "a medical picture (DICOM)", _NO_TEXT),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture", "Save it as PNG or JPEG."),
    (0, b"\xff\x0a", "a JPEG XL picture", "Save it as PNG or JPEG."),
    (0, b"Rar!\x1a\x07", "a RAR archive", "Unpack it, or pack it again as ZIP."),
    (0, b"\x04\x22\x4d\x18", "an LZ4 archive", "Unpack it, or pack it again as ZIP."),
    (0, b"\x1f\x9d", "an old compress archive (.Z)", "Unpack it, or pack it again as ZIP."),
    (2, b"-lh", "an LHA archive", "Unpack it, or pack it again as ZIP."),
    (0, b"MSCF", "a Windows cabinet archive", "Unpack it, or pack it again as ZIP."),
    (0, b"!<arch>\n", "a Debian package or library archive", _NO_TEXT),
    (0, b"\xed\xab\xee\xdb", "an RPM package", _NO_TEXT),
    (32769, b"CD001", "a disc image", "Copy the files out of it and ingest them."),
    (0, b"%!PS", "a PostScript file", _AS_PDF),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript file", _AS_PDF),
    (0, b"AT&TFORM", "a DjVu document", _AS_PDF),
    (60, b"BOOKMOBI", "a Kindle book", "Convert it to EPUB."),
    (0, b"ITSF", "a Windows help file", "Convert it to HTML or PDF."),
    (0, b"\xffWPC", "a WordPerfect document", _AS_PDF),
    (0, b"AC10", "an AutoCAD drawing", _AS_PDF),
    (0, b"\xd7\xcd\xc6\x9a", "a Windows metafile picture", "Save it as PNG."),
    (40, b" EMF", "a Windows metafile picture", "Save it as PNG."),
    (0, b"\x78\x9f\x3e\x22", "a winmail.dat of Outlook (TNEF)", "Ask for the mail in Internet format, or as msg."),
    (0, b"L\x00\x00\x00\x01\x14\x02\x00", "a Windows shortcut", "Ingest the file that it points to."),
    (0, b"bplist00", "a binary property list of macOS", _NO_TEXT),
    (0, b"\x80\x04\x95", "a Python pickle", _NO_TEXT),
    (0, b"GGUF", "the weights of a language model", _NO_TEXT),
)
_BOXES = {b"heic": "picture", b"heix": "picture", b"mif1": "picture", b"avif": "picture", b"M4A ": "sound"}
_MOST_NULS, _SAMPLE = 0.35, 1_000_000
_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_HTML = re.compile(r"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_FRAGMENT = re.compile(
    r"(?:<!--.*?-->\s*)*<(?:table|meta|style|title|link|div|center|font|p|h[1-6]|ul|ol|span|b|br)\b[^<>]*>", re.I | re.S
)
"""How pages begin that programs save as a workbook or a document, without a root."""
_XML_ROOT = re.compile(
    r"(?:<\?.*?\?>\s*|<!--.*?-->\s*|<!doctype[^\[>]*(?:\[.*?\]\s*)?>\s*)*<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)",
    re.I | re.S,
)
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*):[ \t\r\n]")
_MAIL_HEADERS = frozenset(
    "from to cc subject date message-id mime-version received return-path reply-to delivered-to content-type sender "
    "x-mailer in-reply-to references bcc content-transfer-encoding dkim-signature".split()
)
_MBOX = re.compile(r"From \S+ .*(?:\d\d:\d\d|\d{4}).*\r?\n[A-Za-z][A-Za-z0-9-]*:")


def signature(head: bytes) -> str | None:
    """Return the format that the first 64 KiB of a file prove, "ole" and "zip" for containers of many; None if none."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n\x00")
    if start.startswith(b"%PDF-"):
        return "pdf"
    for mark, form in _STARTS:
        if head.startswith(mark) or (form == "rtf" and start.startswith(mark)):
            return form
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image"
    if head[:2] == b"BM" and head[6:10] == bytes(4) and b"\x00" in head[10:18]:
        return "image"
    if head[257:262] == b"ustar":
        return "tar"
    return compressed(head)


def compressed(head: bytes) -> str | None:
    """Return "gz", "bz2", "xz" or "zst" for a compressed file, "tar" when a tar archive is in it, None for other bytes."""
    makers: dict[str, tuple[bytes, Callable[[], bytes]]] = {
        "gz": (b"\x1f\x8b\x08", lambda: zlib.decompressobj(31).decompress(head, 1024)),
        "bz2": (b"BZh", lambda: bz2.BZ2Decompressor().decompress(head, 1024)),
        "zst": (MARK, lambda: begins(head, 1024)),
        "xz": (b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(memlimit=256_000_000).decompress(head, 1024)),
    }
    for form, (mark, unpack) in makers.items():
        if head.startswith(mark) and (form != "bz2" or head[4:10] in (b"1AY&SY", b"\x17rE8P\x90")):
            try:
                inner = unpack()
            except (zlib.error, OSError, lzma.LZMAError, EOFError):
                return form  # its reader says what is wrong with it
            return "tar" if inner[257:262] == b"ustar" else form
    return None


def refused(head: bytes) -> tuple[str, str] | None:
    """Return ("a font", what to do) for a file of a kind that holds no readable text; None for all others."""
    if head[4:8] == b"ftyp":
        kind = _BOXES.get(head[8:12], "video")
        if kind == "picture":
            return "a HEIC or AVIF picture", "Save it as PNG or JPEG."
        return ("a sound recording" if kind == "sound" else _VIDEO), _NO_TEXT
    if head[:2] == b"MZ" and b"\x00" in head[:64]:
        return "a Windows program", _NO_TEXT
    for at, mark, what, remedy in _OTHERS:
        if head[at : at + len(mark)] == mark and (mark[0] < 128 or b"\x00" in head or len(mark) > 2):
            return what, remedy
    return None


def is_text(head: bytes) -> bool:
    """Say whether bytes may be text: few control characters, no NULs, or NULs on one side only as in UTF-16."""
    if head.startswith(_BOMS):
        return True
    if b"\x00" in head:
        return utf16_without_mark(head) is not None or has_stray_nuls(head)
    controls = sum(byte < 32 and byte not in (0, 8, 9, 10, 11, 12, 13, 14, 15, 26, 27) for byte in head)
    return controls / max(1, len(head)) < 0.02


def has_stray_nuls(data: bytes) -> bool:
    """Say whether bytes are text with NULs in it, as some programs leave in logs, and fill fields with in exports."""
    nuls = (data := data[:_SAMPLE]).count(0)
    printed = sum(byte >= 32 or byte in (9, 10, 12, 13) for byte in data)
    if nuls > _MOST_NULS * len(data) or printed + nuls < 0.999 * len(data):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return nuls <= 0.03 * len(data) and sum(byte > 127 for byte in data) <= 0.1 * len(data)
    return True


def utf16_without_mark(data: bytes) -> str | None:
    """Return "utf-16-le" or "utf-16-be" when NULs stand in only one byte of each pair, else None."""
    sample = data[:4096]
    if b"\x00" not in sample:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    pairs = max(1, len(sample) // 2)
    if odd > 0.3 * pairs and even < 0.02 * pairs:
        return "utf-16-le"
    if even > 0.3 * pairs and odd < 0.02 * pairs:
        return "utf-16-be"
    if bool(even) != bool(odd) and not has_stray_nuls(sample):  # scripts whose letters have no NULs; spaces have
        name = "utf-16-le" if odd else "utf-16-be"
        return name if _is_written(sample[: len(sample) // 2 * 2].decode(name, "replace")) else None
    return None


def _is_written(text: str) -> bool:
    """Say whether text is letters, digits, punctuation and spaces, nearly all, and long enough to say so."""
    good = sum(unicodedata.category(sign)[0] in "LMNPZ" or sign in "\r\n\t" for sign in text)
    return len(text) >= 20 and good >= 0.99 * len(text)


def with_escapes(data: bytes) -> str | None:
    """Return text that is 7 bits wide and switches to Japanese, Korean or Chinese by escapes; None for other bytes."""
    for mark, name in ((b"\x1b$B", "iso2022_jp_2"), (b"\x1b$@", "iso2022_jp_2"), (b"\x1b$)C", "iso2022_kr")):
        if mark in data:
            try:
                return data.decode(name)
            except UnicodeDecodeError:
                continue
    return None


def beginning(head: bytes) -> str:
    """Return the beginning of a text file, good enough to look for ASCII in it."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return head.decode("utf-32", errors="replace").lstrip()
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", errors="replace").lstrip()
    return head.decode(utf16_without_mark(head) or "utf-8-sig", errors="replace").lstrip()


def has_headers(text: str, wanted: int) -> bool:
    """Say whether text begins with at least `wanted` header lines of an e-mail."""
    found = set()
    for line in text.split("\n\n", 1)[0].splitlines()[:200]:
        header = _HEADER.match(line + "\n")
        if header:
            found.add(header[1].lower())
        elif not line.startswith((" ", "\t", "From ", ">From ")):
            if not line.strip():
                break
            return False
    return len(found) >= wanted and (wanted == 1 or len(found & _MAIL_HEADERS) >= wanted)


def marked(text: str) -> str | None:
    """Return the format that the beginning of a text proves: html, xml, svg, mhtml, mbox or eml; None for others."""
    if _HTML.match(text):
        return "html"
    if text.startswith("<"):
        root = _XML_ROOT.match(text)
        if text.startswith("<?xml") or (root and root[2].lower() == "svg"):
            name = root[2].lower() if root else ""
            return name if name in ("svg", "html") else "xml"
    if _MBOX.match(text):
        # One mail as some programs save it, unless a second one follows or may follow.
        return "mbox" if re.search(r"\r?\n\r?\nFrom \S", text) or len(text) > 50_000 else "eml"
    if has_headers(text, 3):
        top = text[:4000].lower()
        saved = "snapshot-content-location:" in top or "from: <saved by" in top
        return "mhtml" if saved else "eml"
    if text[:13].lower() == "mime-version:" and "multipart/related" in text[:1000].lower():
        return "mhtml"  # as Word saves a page: it has no sender
    return None


def is_fragment(text: str) -> bool:
    """Say whether a text that is called an Office file is a page without a root."""
    return bool(_FRAGMENT.match(text))


def resembles(text: str) -> str:
    """Return the likeliest kind of a text whose name says nothing: json, jsonl, csv, markdown or text."""
    lines = [line for line in text.splitlines()[:41] if line.strip()]
    if len(lines) > 20:
        lines = lines[:-1]  # the last one may be cut
    if text.startswith(("{", "[")):
        whole = _parses(text)
        if whole or (len(text) > 30_000 and re.match(r'[{\[]\s*["{\[\d]', text)):
            return "json"
        if len(lines) > 1 and all(line.lstrip().startswith("{") and _parses(line) for line in lines[:5]):
            return "jsonl"
    for sign in "\t;,|":
        counts = {line.count(sign) for line in lines}
        if len(lines) >= 3 and len(counts) == 1 and min(counts) >= (1 if sign in "\t;" else 2):
            return "csv"
    marks = sum(bool(re.match(r"#{1,6} \S|```|\|.*\|$", line)) for line in lines)
    return "markdown" if marks >= 2 and not text.startswith("#!") else "text"


def is_rows(text: str) -> bool:
    """Say whether a text that is called a workbook is rows of cells: most lines have the same separator."""
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    return any(sum(sign in line for line in lines) > 0.6 * len(lines) for sign in "\t;,|")


def _parses(text: str) -> bool:
    """Say whether text is JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
