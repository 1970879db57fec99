"""Writes a cell's date or time as a spreadsheet program shows it, and in ISO form where that says too little."""

from __future__ import annotations

import datetime as dt
import re

_TOKEN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]|AM/PM|A/P|y+|m+|d+|h+|s+(?:[.,]0+)?|.', re.I | re.S)
_SILENT = {"general", "@", ""}
_LOCALE = {"mm-dd-yy", "m/d/yy", "m/d/yy h:mm", "m/d/yyyy h:mm"}
"""Formats that say nothing of dates, and those whose look depends on the machine."""
_FOREIGN = re.compile(r"\[\$[^\]-]*-([0-9A-Fa-f]+)\]")
_ENGLISH = 0x09
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = "January February March April May June July August September October November December".split()
_MIDNIGHT = dt.time(0, 0)


def shown_date(value: dt.date, number_format: str) -> str:
    """Return a date as its format shows it; followed by its ISO form, in brackets, unless it is clear by itself.

    Clear is a year of four digits with the month's name, with month and day after it, or without a day. A format that depends
    on the machine's language, and one that names months in another language than English, gives the ISO form alone.
    """
    moment = value if isinstance(value, dt.datetime) else dt.datetime.combine(value, _MIDNIGHT)
    chosen = number_format.partition(";")[0].strip()
    tokens = _tokens(chosen)
    kinds = {token[0].lower() for token in tokens if _is_place(token)}
    if chosen.lower() in _SILENT or not kinds:
        return _iso(moment, moment.time() != _MIDNIGHT)
    if chosen.lower() in _LOCALE or _is_foreign(chosen, tokens):
        return _iso(moment, "h" in kinds)
    text = " ".join(_written(moment, tokens).split())
    if _is_clear(tokens):
        return text
    return f"{text} ({moment:%Y-%m-%d})" if "d" in kinds or "m" not in kinds else f"{text} ({moment:%Y-%m})"


def shown_time(value: dt.time, number_format: str) -> str:
    """Return a time of day as its format shows it, with hours and minutes at least."""
    tokens = _tokens(number_format.partition(";")[0])
    if not any(_is_place(token) and token[0] in "hH" for token in tokens):
        return value.strftime("%H:%M:%S" if value.second else "%H:%M")
    return " ".join(_written(dt.datetime.combine(dt.date(1900, 1, 1), value), tokens).split())


def _iso(moment: dt.datetime, timed: bool) -> str:
    """Return a date in ISO form, with its time when that is wanted."""
    return moment.strftime("%Y-%m-%d" + (" %H:%M" if timed else "") + (":%S" if timed and moment.second else ""))


def _tokens(chosen: str) -> list[str]:
    """Return the parts of a format; minutes, which have the letter of months, as "n"."""
    tokens = _TOKEN.findall(chosen)
    places = [at for at, token in enumerate(tokens) if _is_place(token)]
    for number, at in enumerate(places):
        if tokens[at][0] in "mM" and len(tokens[at]) <= 2:
            before = tokens[places[number - 1]][0].lower() if number else ""
            after = tokens[places[number + 1]][0].lower() if number + 1 < len(places) else ""
            if before == "h" or after == "s":
                tokens[at] = "n" * len(tokens[at])
    return tokens


def _is_place(token: str) -> bool:
    """Say whether a part of a format stands for a part of a date, not for itself."""
    return token[0] in "yYmMdDhHsSn" and not token.startswith(("\\", '"'))


def _is_foreign(chosen: str, tokens: list[str]) -> bool:
    """Say whether a format asks for another language's names, another calendar, or what the machine likes."""
    named = any(_is_place(token) and token[0] in "mMdD" and len(token) > 2 for token in tokens)
    codes = [int(code, 16) for code in _FOREIGN.findall(chosen)]
    return any(code >= 0xF000 or code >> 16 or (named and code and code & 0xFF != _ENGLISH) for code in codes)


def _is_clear(tokens: list[str]) -> bool:
    """Say whether a format leaves no doubt what is year, month and day."""
    places = [token.lower() for token in tokens if _is_place(token)]
    order = "".join(dict.fromkeys(token[0] for token in places if token[0] in "ymd" and token not in ("ddd", "dddd")))
    named = any(token in ("mmm", "mmmm") for token in places)
    return any(token.startswith("yyy") for token in places) and (named or order == "ymd" or "d" not in order)


def _written(moment: dt.datetime, tokens: list[str]) -> str:
    """Return a moment in the parts of a format."""
    halves = any(token.upper() in ("AM/PM", "A/P") for token in tokens)
    return "".join(_part(moment, token, halves) for token in tokens)


def _part(moment: dt.datetime, token: str, halves: bool) -> str:  # noqa: PLR0911 - one return for each kind of part
    """Return what one part of a format shows of a moment."""
    if token.upper() in ("AM/PM", "A/P"):
        sign = "AM" if moment.hour < 12 else "PM"
        return sign if len(token) > 3 else sign[0]
    if token[0] in '"\\':
        return token.strip('"') if token[0] == '"' else token[1:]
    if token[0] in "_*[" and len(token) > 1:
        return " " if token[0] == "_" else ""
    size = len(token)
    hour = (moment.hour % 12 or 12) if halves else moment.hour
    numbers = {"y": moment.year, "m": moment.month, "d": moment.day, "h": hour, "n": moment.minute, "s": moment.second}
    letter = token[0].lower()
    if letter not in numbers:
        return token
    if letter == "y":
        return f"{moment.year:04d}" if size > 2 else f"{moment.year % 100:02d}"
    if letter == "m" and size > 2:
        name = _MONTHS[moment.month - 1]
        return name[:3] if size == 3 else name[0] if size == 5 else name
    if letter == "d" and size > 2:
        return _DAYS[moment.weekday()][:3] if size == 3 else _DAYS[moment.weekday()]
    seconds, dot, places = re.sub("[,]", ".", token).partition(".")
    fraction = f".{moment.microsecond:06d}"[: len(places) + 1] if dot else ""
    return f"{numbers[letter]:0{min(2, len(seconds))}d}{fraction}"
