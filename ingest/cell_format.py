"""Writes a cell's value as a spreadsheet program shows it."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from ingest.date_format import shown_date, shown_time

_CURRENCY = re.compile(r'(?:\[\$([^\]-]*)[^\]]*\]|"([$€£¥])"|\\?([$€£¥]))')
_PLACES = re.compile(r"[#0?](?:[#0?,. ]*[#0?,.])?(?:[Ee][+-][#0?]+)?")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)[^\]]*\]|\[[^\]]*\]|_.|\*.', re.S)
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.I)


def shown(value: object, number_format: str) -> str | None:
    """Return a cell's value as a spreadsheet program shows it, for the common formats; None for an empty text.

    A date that does not say by itself what is day, month and year is followed by its ISO form (`ingest.date_format`).
    """
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (dt.datetime, dt.date)):
        return shown_date(value, number_format)
    if isinstance(value, dt.time):
        return shown_time(value, number_format)
    if isinstance(value, dt.timedelta):
        return _elapsed(value, number_format)
    if isinstance(value, (int, float)):
        return _number(value, number_format)
    text = " ".join(_ESCAPED.sub(_character, str(value)).split())
    # openpyxl would take a text that begins with "=" for a formula when it is written again.
    return (" " + text if text.startswith("=") else text) or None


def _character(match: re.Match[str]) -> str:
    """Return the character that a workbook writes as _x000D_; a surrogate stays as it is written."""
    code = int(match[1], 16)
    return match[0] if 0xD800 <= code <= 0xDFFF else chr(code) if code >= 32 or code in (9, 10, 13) else " "


def _elapsed(value: dt.timedelta, number_format: str) -> str:
    """Return a length of time: hours may be more than 24."""
    seconds = round(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    asked = _ELAPSED.search(number_format)
    if asked and asked[1][0].lower() == "m":
        return f"{sign}{seconds // 60}:{seconds % 60:02d}"
    if asked and asked[1][0].lower() == "s":
        return f"{sign}{seconds}"
    text = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}"
    return text + f":{seconds % 60:02d}" if "s" in number_format.lower() or seconds % 60 else text


def _number(value: int | float, number_format: str) -> str:
    """Return a number with the decimals, separators, signs and words that its format asks for."""
    if not math.isfinite(value):
        return str(value)
    parts = number_format.split(";")
    if any("[<" in part or "[>" in part or "[=" in part for part in parts):
        parts = parts[:1]
    chosen = parts[0]
    own_sign = False
    if value < 0 and len(parts) > 1 and parts[1].strip():
        chosen, own_sign = parts[1], True
    elif value == 0 and len(parts) > 2 and parts[2].strip():
        chosen = parts[2]
    bare = _LITERAL.sub("", chosen)
    if bare.strip() in ("@", "") and not chosen.strip("@ "):
        return _general(value)
    general = re.search("general", chosen, re.I)
    if general:
        places, begin, end = _general(abs(value)), general.start(), general.end()
        before, after = _words(chosen[:begin]), _words(chosen[end:])
    else:
        # Literals are masked, so that no digit or sign inside them is taken for a place.
        masked = _LITERAL.sub(lambda match: "\x00" * len(match[0]), chosen)
        found = list(_PLACES.finditer(masked))
        if not found:
            return _words(chosen) or _general(value)
        if "/" in masked:
            return ("-" if value < 0 and not own_sign else "") + _fraction(abs(value), masked)
        if value == 0 and not re.search("[0#]", masked):  # places that show nothing for zero, as in "-"??
            return _words(_PLACES.sub("", chosen))
        first, last = found[0], found[-1]
        if len(found) > 1:  # a telephone number or the like, whose places are parted by signs
            places = _split_places(abs(value), chosen, masked)
            before, after = _words(chosen[: first.start()]), _words(chosen[last.end() :])
        else:
            places = _places(abs(value) * (100 if "%" in masked else 1), first[0].strip())
            before, after = _words(chosen[: first.start()]), _words(chosen[first.end() :])
    negative = value < 0 and not own_sign and bool(re.search("[1-9]", places))
    return " ".join(f"{'-' if negative else ''}{before}{places}{after}".split())


def _words(part: str) -> str:
    """Return the signs and words that a part of a format shows as they stand."""
    return _LITERAL.sub(lambda m: m[1] or m[2] or m[3] or "", part).replace("@", "")


def _places(value: int | float, pattern: str) -> str:
    """Return a number that is not negative in places such as #,##0.00, 0.0,, or 0.00E+00."""
    if "E" in pattern.upper():
        mantissa, _, exponent = re.split("([Ee][+-])", pattern)
        digits = len(mantissa.partition(".")[2])
        text, power = f"{value:.{digits}e}".split("e")
        return f"{text}E{power[0]}{power[1:].lstrip('0').rjust(len(exponent), '0')}"
    whole, _, decimals = pattern.partition(".")
    thousands = len(pattern.rstrip("0#?")) and len(pattern) - len(pattern.rstrip(","))
    scaled = Decimal(repr(value)) / (Decimal(1000) ** thousands)
    decimals = decimals.rstrip(", ")
    most, least = len(decimals), len(decimals.rstrip("#?"))
    rounded = scaled.quantize(Decimal(1).scaleb(-most), ROUND_HALF_UP) if scaled.adjusted() < 25 else scaled
    grouping = "," if re.search(r"[#0?],[#0?]", whole) else ""
    text = f"{rounded:{grouping}f}"
    if most > least and "." in text:
        kept = text.rstrip("0")
        text = kept.ljust(text.index(".") + 1 + least, "0").rstrip(".")
    wanted = whole.count("0")
    front, dot, back = text.partition(".")
    if not grouping and len(front) < wanted:
        front = front.rjust(wanted, "0")
    return front + dot + back


def _split_places(value: int | float, chosen: str, masked: str) -> str:
    """Return a whole number with the signs that stand between its places, as in 000-00-0000."""
    digits = str(int(Decimal(repr(value)).quantize(Decimal(1), ROUND_HALF_UP)))
    holes = [at for at, sign in enumerate(masked) if sign in "#0?"]
    front, digits = digits[: max(0, len(digits) - len(holes))], digits[-len(holes) :].rjust(len(holes))
    filled = {at: (digit if digit != " " else "0" if masked[at] == "0" else "")
              for at, digit in zip(holes, digits, strict=True)}  # fmt: skip
    filled[holes[0]] = front + filled[holes[0]]
    shown_signs, at = list[str](), holes[0]
    while at <= holes[-1]:
        literal = _LITERAL.match(chosen, at)
        if literal:
            shown_signs.append(_words(literal[0]))
            at = literal.end()
            continue
        shown_signs.append(filled.get(at, chosen[at]))
        at += 1
    return "".join(shown_signs)


def _fraction(value: int | float, masked: str) -> str:
    """Return a number as a fraction, with its whole part apart where the format has a place for it."""
    top, _, bottom = masked.partition("/")
    bottom = bottom.strip(" \x00")
    fixed = re.match(r"[1-9]\d*", bottom)
    most = int(fixed[0]) if fixed else 10 ** max(1, min(3, len(re.match(r"[#0?]*", bottom)[0]))) - 1  # type: ignore[index]
    exact = Fraction(value)
    apart = len(top.split()) > 1
    whole = int(exact) if apart else 0
    rest = exact - whole
    best = Fraction(round(rest * most), most) if fixed else rest.limit_denominator(most)
    if apart and best >= 1:
        whole, best = whole + 1, Fraction(0)
    above, below = (round(rest * most), most) if fixed else (best.numerator, best.denominator)
    if apart and not best:
        return str(whole)
    return f"{whole} {above}/{below}" if whole else f"{above}/{below}"


def _general(value: int | float) -> str:
    """Return a number without a format: no more than 12 significant digits, no ".0"."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.12g}"
    return text if "e" in text else text.removesuffix(".0")
