"""Reads numbers with their units, scales and signs, and dates, and says whether a place states those of an answer exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rag import scripts
from rag.signed import FALLS, is_signed

_DIMENSIONS: Mapping[str, Mapping[str, str]] = {
    "currency": {
        "USD": "$ usd us$ dollar dollars", "EUR": "€ eur euro euros", "GBP": "£ gbp pound pounds", "NOK": "nok krone kroner",
        "CHF": "chf franc francs", "JPY": "¥ jpy yen", "SEK": "sek krona kronor", "DKK": "dkk", "INR": "₹ inr rupee rupees",
        "CNY": "cny rmb yuan", "cent": "cent cents",
    },
    "scale": {
        "hundred": "hundred hundreds", "thousand": "thousand thousands tausend", "million": "million millions mn mio",
        "billion": "billion billions bn", "trillion": "trillion trillions",
    },
    "share": {"%": "% percent", "‰": "‰", "basis point": "bp bps"},
    "time": {
        "second": "second seconds", "minute": "minute minutes min", "hour": "hour hours h hr hrs", "day": "day days",
        "week": "week weeks", "month": "month months", "year": "year years", "decade": "decade decades",
    },
    "measure": {
        "mm": "mm millimetre millimetres millimeter millimeters", "cm": "cm centimetre centimetres centimeter centimeters",
        "m": "m metre metres meter meters", "km": "km kilometre kilometres kilometer kilometers", "mile": "mile miles mi",
        "foot": "foot feet ft", "inch": "inch inches", "g": "g gram grams", "kg": "kg kilogram kilograms",
        "t": "t ton tons tonne tonnes", "lb": "lb lbs", "l": "l litre litres liter liters", "gallon": "gallon gallons",
        "W": "w watt watts", "kW": "kw kilowatt kilowatts", "MW": "mw megawatt megawatts", "GW": "gw gigawatt gigawatts",
        "kWh": "kwh", "MWh": "mwh", "GWh": "gwh", "V": "v volt volts", "A": "ampere amperes amp amps",
        "°C": "°c celsius", "°F": "°f fahrenheit", "Hz": "hz", "kHz": "khz", "MHz": "mhz", "GHz": "ghz",
        "kB": "kb", "MB": "mb", "GB": "gb", "TB": "tb", "bar": "bar", "psi": "psi", "kPa": "kpa", "dB": "db",
    },
}  # fmt: skip
_KINDS = {"currency", "share", "measure"}
"""Units of one of these kinds say that a column has none of another kind."""
_SPELT = {
    spelling: (dimension, unit)
    for dimension, units in _DIMENSIONS.items()
    for unit, spellings in units.items()
    for spelling in spellings.split()
}
_ANY_UNIT = "|".join(
    rf"{re.escape(word)}(?!\w)" if word[-1].isalpha() else re.escape(word) for word in sorted(_SPELT, key=len)[::-1]
)
_UNIT = re.compile(rf"(?<![^\W\d_])(?:{_ANY_UNIT})", re.IGNORECASE)
_AFTER = re.compile(
    r"(?:\s*\([^()]{1,12}\))?[\s-]*"
    r"(?:(?:calendar|working|business|full|consecutive|further|additional|more|Swiss|US|cubic|square) ){0,2}"
    rf"({_ANY_UNIT})",
    re.IGNORECASE,
)
_BEFORE = re.compile(rf"(?<!\w)({_ANY_UNIT})\s*[-−(]?\s*$", re.IGNORECASE)
_AT_LETTER = re.compile(r"[\d(/]\s*$")
_SERIES = re.compile(r"\s*(?:,|and|or|to|und|oder|bis|[-–/])\s*", re.IGNORECASE)

_ONES = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: at for at, word in enumerate(_ONES.split(), start=2)}
_WORDS |= {word: 10 * at for at, word in enumerate(_TENS.split(), start=2)}
_WORDS |= {f"{ten}{between}{one}": _WORDS[ten] + at for ten in _TENS.split() for between in "- "
           for at, one in enumerate(f"one {_ONES}".split()[:9], start=1)}  # fmt: skip
_NUMBER = re.compile(
    rf"(?:(?<![^\W\d_])|(?<=[{scripts.SPACELESS}]))\d+(?:[.,]\d+)*|(?<!\w)(?:{'|'.join(sorted(_WORDS, key=len)[::-1])})(?![\w])",
    re.IGNORECASE,
)
_NUMBER_OF = re.compile(rf"\d+(?:[.,]\d+)*[\s-]*(?:{_ANY_UNIT})", re.IGNORECASE)
_MINUS = re.compile(r"(?<![\w)])[-−](?:US\$|[$€£¥])?$")
_BRACKET = re.compile(r"\(\s*(?:US\$|[$€£¥])?\s*$")

_MONTHS = (
    "Jan(?:uary?)? Feb(?:ruary?)? Mar(?:ch)?|März Apr(?:il)? May|Mai June?|Juni July?|Juli Aug(?:ust)? "
    "Sept?(?:ember)? O[ck]t(?:ober)? Nov(?:ember)? De[cz](?:ember)?"
).split()
_MONTH = rf"({'|'.join(_MONTHS)})\.?(?!\w)"
_YEAR = r"((?:19|20)\d\d)(?!\d)"
_DAY = r"(?<![\d.,])(\d{1,2})(?:st|nd|rd|th|\.)?"
_DATES = (
    (re.compile(rf"{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s+{_YEAR})?"), "dmy"),
    (re.compile(rf"(?<!\w){_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?(?![\d.%]|,\d)(?:,?\s+{_YEAR})?"), "mdy"),
    (re.compile(rf"(?<!\w){_MONTH},?\s+{_YEAR}"), "my"),
    (re.compile(r"(?<!\d)((?:19|20)\d\d)[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)"), "ymd"),
    (re.compile(r"(?<![\d.])(\d{1,2})[./](\d{1,2})[./]((?:19|20)\d\d)(?!\d)"), "dmy"),
    (re.compile(r"(?<![\d.])(\d{1,2})[./](\d{1,2})[./]((?:19|20)\d\d)(?!\d)"), "mdy"),
)  # fmt: skip
IS_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True, slots=True)
class Date:
    """A date, or what a text says of one; 0 is what it doesn't say."""

    day: int
    month: int
    year: int


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as a text has it, without thousands separators, with the units that stand at it: dimension → unit. `lent` are
    those of the next number of a series: "20 to 30 km"; `bracketed` is as accounts write what is negative."""

    number: str
    units: Mapping[str, str]
    lent: Mapping[str, str] = field(default_factory=dict)
    minus: bool = False
    bracketed: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """What a claim is compared with: the text of the sentence or row, what stands above it (headers, caption, headings), all that
    stands around it, and, of a row, the cells with the titles of their columns."""

    text: str
    above: str
    around: str
    columns: Sequence[tuple[str, str]] = ()


def units_in(text: str) -> dict[str, set[str]]:
    """Return the units that a text names, by dimension."""
    found: dict[str, set[str]] = {}
    plain = _plain(text)
    for match in _UNIT.finditer(plain):
        if len(match.group()) == 1 and match.group().isalpha() and not _AT_LETTER.search(plain[: match.start()]):
            continue
        dimension, unit = _SPELT[match.group().lower()]
        found.setdefault(dimension, set()).add(unit)
    return found


def quantities(text: str) -> list[Quantity]:
    """Return the numbers of a text, in digits or words, with their units; those of dates are left out."""
    plain = _plain(text)
    taken = [span for span, _ in _dated(plain)]
    matches = [
        match
        for match in _NUMBER.finditer(plain)
        if not any(low < match.end() and match.start() < high for low, high in taken)
    ]
    found: list[Quantity] = []
    for at in range(len(matches) - 1, -1, -1):
        match = matches[at]
        units = _units_at(plain, match.start(), match.end())
        lent: dict[str, str] = {}
        if found and _SERIES.fullmatch(re.sub(_UNIT, "", plain[match.end() : matches[at + 1].start()])):
            lent = {**found[-1].lent, **found[-1].units}
        number = str(_WORDS.get(match.group().lower(), match.group())).replace(",", "")
        before = plain[max(0, match.start() - 8) : match.start()]
        found.append(Quantity(number, units, lent, bool(_MINUS.search(before)), bool(_BRACKET.search(before))))
    return found[::-1]


def with_units(text: str, start: int, end: int) -> tuple[int, int]:
    """Return where the number at [start, end) stands together with all its units; other words stay as they are."""
    sign = re.match(r"(?:(?:US|A)?[$€£¥]|[A-Z]{3})\s?", text[start:end])  # of "$18 million"
    number = _NUMBER.match(text, start + (sign.end() if sign else 0), end)
    if number is None or _behind_units(text, start, number.end(), end) < end:
        return start, end
    if (before := _BEFORE.search(text, max(0, start - 16), start)) and _SPELT[before[1].lower()][0] == "currency":
        start = before.start()
    return start, _behind_units(text, start, end, len(text))


def _behind_units(text: str, start: int, at: int, end: int) -> int:
    """Return the end of the units at `at` that begin before `end`, of a number at `start`: no time of money or of a share."""
    while at < end and (match := _AFTER.match(text, at)):
        if _SPELT[match[1].lower()][0] == "time" and units_in(text[start:at]).keys() & {"share", "currency"}:
            break  # "5% year over year"
        at = match.end()
    return at


def dates(text: str) -> list[Date]:
    """Return the dates of a text; one whose order of day and month can't be told comes in both."""
    return [date for _, date in _dated(_plain(text))]


def exact(answer: str, question: str, place: Place) -> bool:
    """Return whether a place states the dates, numbers, units, scales and signs of an answer.

    A share that the place writes as negative, "(5)%", is stated only by what says so: "-5 %", "fell by 5 %". What the question
    already says may stay out of the place when it can't be what was found there: a year, or, beside a figure of the answer's
    own, a number without a unit and a date where the place has none.
    """
    asked, said = quantities(question), quantities(answer)
    known = {item.number for item in asked}
    adds = any(item.number not in known for item in said) or bool(set(dates(answer)) - set(dates(question)))
    falls = bool(FALLS.search(f"{answer} {question}"))
    return all(_has_date(date, question, adds, place) for date in dates(answer)) and all(
        _has(item, place, falls) or (item.number in known and _may_lack(item, adds)) for item in said
    )


def _may_lack(item: Quantity, adds: bool) -> bool:
    return not item.units and not item.minus and (adds or bool(IS_YEAR.fullmatch(item.number)))


def _has_date(date: Date, question: str, adds: bool, place: Place) -> bool:
    there = dates(f"{place.text}\n{place.above}")
    if any(_is(date, other, f"{place.around} {question}") for other in there):
        return True
    return adds and date in dates(question) and not dates(place.text)


def _is(date: Date, other: Date, around: str) -> bool:
    """Return whether a date is another one; a year that one of them lacks may stand around it."""
    if (date.day, date.month) != (other.day if date.day else 0, other.month):
        return False
    return not date.year or date.year == other.year or (not other.year and str(date.year) in around)


def _has(item: Quantity, place: Place, falls: bool) -> bool:
    """Return whether a place states a quantity: its own text where the number stands in it, else what stands above."""
    parts = place.columns or ((place.text, ""),)
    own = [(other, units_in(title)) for value, title in parts for other in _with_dates(value)]
    same = [one for one in own if one[0].number == item.number]
    same = same or [(other, {}) for other in _with_dates(place.above) if other.number == item.number]
    if "share" in item.units and not (falls or item.minus):
        same = [(other, title) for other, title in same if not (other.minus or other.bracketed)]
    return any(_agrees(item, other, title, place, falls) for other, title in same)


def _with_dates(text: str) -> list[Quantity]:
    """Return the quantities of a text, with the days and years of its dates as plain numbers."""
    parts = {part for date in dates(text) for part in (date.day, date.year) if part}
    return [*quantities(text), *(Quantity(str(part), {}) for part in sorted(parts))]


def _agrees(item: Quantity, other: Quantity, title: Mapping[str, set[str]], place: Place, falls: bool) -> bool:
    """Return whether a place's number is a claim's, in the same units, scale and sign; `title` are the units of its column."""
    if item.minus and not (other.minus or other.bracketed):
        return False
    signed = other.bracketed and is_signed(place.columns[0][0]) if place.columns else other.minus
    if signed and not (item.minus or item.bracketed or falls):
        return False
    for own in (other.units, {**other.lent, **other.units}) if other.lent else (other.units,):
        if all(_same(dimension, unit, own, title, place) for dimension, unit in item.units.items()) and not (
            "scale" in own and "scale" not in item.units
        ):
            return "scale" in item.units or "currency" not in item.units or "scale" not in title
    return False


def _same(dimension: str, unit: str, own: Mapping[str, str], title: Mapping[str, set[str]], place: Place) -> bool:
    """Return whether a unit stands at a number, or else in its column's title, or else where units of tables and texts stand."""
    if dimension in own:
        return own[dimension] == unit
    if dimension in title:
        return unit in title[dimension]
    # a number of metres is none of euros, a column of francs holds no kilometres
    if dimension in _KINDS and _KINDS & {*own, *title}:
        return False
    text = " ".join(_NUMBER_OF.sub(" ", value) for value, _ in place.columns) if place.columns else place.text
    near = units_in(f"{text}\n{place.above}").get(dimension, set())
    if not place.columns and dimension == "scale":  # of another number of the sentence: not this one's
        near = further = units_in(place.above).get(dimension, set())
    elif place.columns and dimension == "measure":  # other rows measure in what they like
        further = near
    else:
        further = units_in(place.around).get(dimension, set())
    return unit in (near or further)


def _units_at(text: str, start: int, end: int) -> dict[str, str]:
    """Return the units before and behind the number at [start, end)."""
    found: dict[str, str] = {}
    if (before := _BEFORE.search(text, max(0, start - 16), start)) and _SPELT[before[1].lower()][0] == "currency":
        found["currency"] = _SPELT[before[1].lower()][1]
    while match := _AFTER.match(text, end):
        dimension, unit = _SPELT[match[1].lower()]
        if dimension in found:
            break
        found[dimension] = unit
        end = match.end()
    return found


def _dated(text: str) -> Iterator[tuple[tuple[int, int], Date]]:
    whole: list[tuple[int, int]] = []
    for pattern, order in _DATES:
        for match in pattern.finditer(text):
            if order == "my" and any(low <= match.start() and match.end() <= high for low, high in whole):
                continue
            parts = dict(zip(order, match.groups(), strict=True))
            month = parts["m"]
            named = (at for at, form in enumerate(_MONTHS, start=1) if re.fullmatch(form, month))
            number = int(month) if month.isdigit() else next(named)
            date = Date(int(parts.get("d") or 0), number, int(parts.get("y") or 0))
            if 1 <= date.month <= 12 and date.day <= 31:
                whole.append(match.span())
                yield match.span(), date


def _plain(text: str) -> str:
    return re.sub(r"\bper[ ]cent\b", "percent", scripts.fold(text))
