"""Decodes the bytes of a text in whichever encoding they are: marked, declared, or told by statistics."""

from __future__ import annotations

import codecs

from ingest.errors import UnreadableFile
from ingest.signatures import has_stray_nuls, utf16_without_mark, with_escapes

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"))
_BOMS_16 = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_STATEFUL = {"iso2022_jp", "iso2022_kr", "hz", "iso2022_jp_2", "utf-7"}
_BROWSER = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-11": "cp874",
    "iso-8859-8-i": "cp1255",
    "iso8859-8": "cp1255",
    "ks_c_5601-1987": "cp949",
    "x-sjis": "cp932",
    "windows-874": "cp874",
}
"""Names of encodings → the larger ones that are really meant, as the Encoding Standard of browsers has it."""
_LIKELY = tuple(
    "cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp437 cp850 cp852 cp866 cp874 tis_620 iso8859_1 iso8859_2 "
    "iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_15 koi8_r koi8_u mac_roman mac_cyrillic "
    "big5 cp950 gb18030 hz euc_jp cp932 iso2022_jp iso2022_kr cp949".split()
)
"""Encodings that texts are found in; statistics of a sentence or two also fit rarer ones, which nobody writes."""
_COMMON = frozenset("äöüÄÖÜßéèêëàâáçñóòôíîïúùûåøæÅØÆÉÈÀÇÑœŒ’‘“”–—…€£§°©®\xa0«»·")
_DRAWN = frozenset("─│┌┐└┘├┤┬┴┼═║╔╗╚╝╠╣╦╩╬█▄▀░▒▓")
"""Signs of Western texts beside ASCII, and those that draw boxes in texts of DOS."""


def decode(  # noqa: PLR0911 - one return for each way to know
    data: bytes, declared: str | None = None
) -> tuple[str, str | None]:
    """Return the text of bytes and, when its encoding had to be guessed, that encoding's name.

    Order: byte order mark, UTF-8 (few other texts happen to be valid UTF-8), the declared encoding if it fits, UTF-16
    without a mark, then charset-normalizer. A declaration is distrusted where its text would be rubbish.
    """
    for mark, name in _BOMS + _BOMS_16:
        if data.startswith(mark):
            return _lines(data.decode(name, errors="replace")), None
    name = _known(declared)
    if name in _STATEFUL and b"\x1b" in data:
        return _lines(data.decode(name, errors="replace")), None
    for candidate in filter(None, ("utf-8", name)):
        try:
            text = data.decode(candidate)
        except (UnicodeDecodeError, LookupError):
            continue
        if candidate == "utf-8" and (shifted := with_escapes(data)):
            return _lines(shifted), None
        if "\x00" not in text and (candidate == "utf-8" or _plausible(text)):
            return _lines(text), None
        if candidate == "utf-8" and "\x00" in text and utf16_without_mark(data) is None and has_stray_nuls(data):
            return _lines(text.replace("\x00", " ")), None
    if name in ("utf-8", "") and b"\x00" not in data and (mixed := _nearly(data)) is not None:
        return _lines(mixed), None
    wide = utf16_without_mark(data)
    if wide:
        return _lines(data.decode(wide, errors="replace")), None
    return _guess(data)


def _known(declared: str | None) -> str:
    """Return Python's name of a declared encoding as browsers understand it, "" when it is unknown."""
    label = (declared or "").strip().strip("\"'").lower()
    try:
        name = codecs.lookup(_BROWSER.get(label, label)).name if label else ""
    except (LookupError, ValueError):  # the bytes decide then
        return ""
    return _BROWSER.get(name, name)


def _nearly(data: bytes, sample: int = 200_000) -> str | None:
    """Return text that is UTF-8 but for a few places, or for pieces in cp1252 that were pasted in; None for other bytes."""
    if len(data) > sample and _nearly(data[:sample]) is None:
        return None
    strange: list[str] = []

    def western(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        sign = data[error.start : error.start + 1].decode("cp1252", "replace")
        strange.append(sign)
        return sign, error.start + 1

    codecs.register_error("as-cp1252", western)
    text = data.decode("utf-8", errors="as-cp1252")
    right = sum(sign > "\x7f" for sign in text) - len(strange)
    if len(strange) <= 0.1 * right:
        return text
    common = sum(sign in _COMMON for sign in strange)
    return text if len(strange) <= 1.2 * right and common >= 0.9 * len(strange) else None


def _plausible(text: str) -> bool:
    """Say whether decoded text looks written: no control characters of the second set, accents among plain letters."""
    if any("\x80" <= c <= "\x9f" for c in text[:100_000]):
        return False
    letters = [c for c in text[:100_000] if c.isalpha()]
    latin = [c for c in letters if "\xa0" <= c <= "\u024f"]
    return len(latin) <= 0.4 * len(letters)


def _guess(data: bytes) -> tuple[str, str]:
    """Return text in a legacy encoding, and which one it was taken for."""
    if data.count(0) > 0.001 * len(data) and not has_stray_nuls(data):
        raise UnreadableFile("The file holds binary data, not text.", "Export it as PDF or text and ingest that.")
    data = data.replace(b"\x00", b" ")
    if b"\r" in data and b"\n" not in data and sum(byte > 127 for byte in data) < 0.2 * len(data):
        return _lines(data.decode("mac_roman")), "mac_roman"  # only old Macs end lines so
    if data.count(0x40) > 0.05 * len(data) and data.count(0x20) < 0.01 * len(data):
        return _lines(data.decode("cp037").replace("\x85", "\n")), "cp037"  # a mainframe's: its space is "@" elsewhere
    if _is_dos(data):
        return _lines(data.decode("cp437")), "cp437"
    if _is_western(data):
        return _lines(data.decode("cp1252")), "cp1252"
    name = _by_statistics(data[:200_000])
    return _lines(data.decode(name, errors="replace")), name


def _by_statistics(data: bytes) -> str:
    """Return the encoding that charset-normalizer finds likeliest; one of those that are in use, where one fits."""
    from charset_normalizer import from_bytes  # only needed for the few files that aren't UTF-8

    best = from_bytes(data).best()
    if best is None or best.encoding not in _LIKELY:
        best = from_bytes(data, cp_isolation=list(_LIKELY)).best() or best
    if best is None:
        return "cp1252"
    # The kana of EUC-JP are single letters in Korea's encoding, which no Korean writes, and no less plausible to statistics.
    return "euc_jp" if best.encoding in ("cp949", "gb18030", "big5") and _has_kana(data) else best.encoding


def _has_kana(data: bytes) -> bool:
    """Say whether much of what isn't ASCII is kana when the bytes are read as EUC-JP."""
    text = data.decode("euc_jp", errors="replace")
    wide = [c for c in text if c > "\x7f"]
    return "\ufffd" not in text[:-1] and sum("\u3041" <= c <= "\u30ff" for c in wide) >= 0.1 * len(wide) > 0


def _is_western(data: bytes) -> bool:
    """Say whether few accented letters stand among ASCII ones: too little for statistics, and typical of cp1252."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    high = [c for c in text if ord(c) > 127]
    common = sum(c in _COMMON or c == "ì" for c in high)
    return common >= 0.9 * len(high) and len(high) <= 0.3 * len(text)


def _is_dos(data: bytes) -> bool:
    """Say whether a text draws boxes, and its other signs are Western in the code page of DOS."""
    data = data[:200_000]
    high = [c for c in data.decode("cp437") if c > "\x7f"]
    letters = [c for c in high if c not in _DRAWN]
    drawn = len(high) - len(letters)
    return drawn > 0 and sum(c in _COMMON for c in letters) >= 0.9 * len(letters) and len(letters) <= 0.2 * len(data)


def _lines(text: str) -> str:
    """Return text with "\\n" line ends and without NUL characters."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").removeprefix("\ufeff")
