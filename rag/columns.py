"""Finds the column of a table row that a question asks for: the one it names, or the one of its period."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from rag.answer_type import MANY_OF, PAID, is_date, kind_asked
from rag.evidence import Asked
from rag.figure_asked import asks_share
from rag.instructions import instructions
from rag.naming import asks_quarter
from rag.quantities import quantities
from rag.words import PERIODS, STOP_WORDS, numbers, stem, stems, tokens, units

CURRENCIES = ("USD", "EUR", "GBP", "NOK", "CHF", "JPY")
_MUCH = re.compile(r"\bhow much\b", re.I)
_PER = re.compile(r"\bper \w+", re.I)
_SHARE = re.compile(r"\bper ?cent|\bshare\b|\bproportion\b|\brate\b", re.I)
_PRICES = stems("value cost price fee amount rent salary revenue charge rate tariff fare")
_OF_PERIODS = stems(" ".join(PERIODS | STOP_WORDS))
LONGEST = 60
"""Characters of a column's header; a longer one is not a header but text in a badly read table."""
QUARTERLY = re.compile(r"\b(?:three months|quarter|Q[1-4]|13 weeks|thirteen weeks)\b", re.I)
_YEARLY = re.compile(r"\b(?:twelve months|years? ended|fiscal years?|full year|52 weeks|FY)\b", re.I)
_SPAN = re.compile(r"\b(?:months|weeks|quarter|years?|YTD|Q[1-4])\b", re.I)
_QUARTER = re.compile(r"\bquarter\b", re.I)
_ANNUAL = re.compile(r"\b(?:FY ?'?\d\d|fiscal (?:year )?(?:19|20)\d\d|annual|full[- ]year)\b", re.I)
CHANGE = re.compile(r"\bchange|\bvs\b|\bversus\b|\bvariance|\bincrease|\bgrowth|^\W*%\W*$", re.I)
"""Titles of columns and groups that hold changes or shares, not the figures themselves."""
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DATE = re.compile(rf"\b({'|'.join(_MONTHS)})[a-z]*\.?\s+(\d{{1,2}}),?(?:\s+((?:19|20)\d\d))?", re.I)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_NUMBERS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
LENGTH = re.compile(rf"\b(\d{{1,2}}|{_NUMBERS})[\s-](month|week)s?\b", re.I)
"""A length of time that names columns: "nine months", "39 weeks"."""
_ENDED = re.compile(rf"{LENGTH.pattern}(?=,? (?:period )?(?:end(?:ed|ing)|to|of (?:19|20)\d\d)\b)", re.I)
_WEEKS_OF_MONTHS = {"13": "3", "14": "3", "26": "6", "27": "6", "39": "9", "40": "9", "52": "12", "53": "12"}


def column(question: str, asked: Asked, header: Sequence[str], row: Sequence[str]) -> int | None:
    """Return the number of the column that a question asks for: the one that it names best, the only one that is filled, or the
    one of its period, else of the latest; None where several could be meant."""
    if len(row) < 2 or len(row) != len(header):
        return None
    named = [at for at in range(1, len(row)) if len(header[at]) <= LONGEST and not instructions(header[at])]
    filled = [at for at in named if row[at] and fits(question, asked, row[at])]
    quarter, told, years = asks_quarter(question), set(_YEAR.findall(" ".join(header))), set(_YEAR.findall(question))
    if told and years and not told & years and not quarter:
        return None  # a year that the table doesn't have; a fiscal quarter may lie in another calendar year
    if days := _days(question):  # another day is another period
        filled = [at for at in filled if not _days(header[at]) or days & _days(header[at])]
    lengths = _lengths(question)  # three months are not nine, though they end on the same day
    if lengths and any(_lengths(header[at]) for at in filled):
        filled = [at for at in filled if lengths & _lengths(header[at])]
    filled = [at for at in filled if not is_of_other_kind(question, f"{header[at]} {row[at]}")]
    if lacks_cell(question, asked, header, row):
        return None
    if len(filled) == 1:
        return filled[0]
    if not CHANGE.search(question):
        filled = [at for at in filled if not CHANGE.search(header[at])]
    if (quarter or _QUARTER.search(question)) and any(_SPAN.search(header[at]) for at in filled):
        filled = [at for at in filled if QUARTERLY.search(header[at])]
    titled = {at: said_by(question, asked, header[at], stems(row[0])) for at in filled}
    best = max(titled.values(), default=0.0)
    left = [at for at in filled if titled[at] == best]
    if len(left) == 1 and best > 0:
        return left[0]
    if _ANNUAL.search(question) and any(_YEARLY.search(header[at]) for at in left):
        left = [at for at in left if _YEARLY.search(header[at])]
    dates = {at: _date(header[at]) for at in left}
    latest = max(dates.values(), default=(0, 0, 0))
    newest = [at for at in left if dates[at] == latest]
    if len(newest) > 1:  # a report for a quarter says it beside the months since the year began
        newest = [at for at in newest if QUARTERLY.search(header[at])]
    return newest[0] if len(newest) == 1 and latest > (0, 0, 0) else None


def lacks_cell(question: str, asked: Asked, header: Sequence[str], row: Sequence[str]) -> bool:
    """Return whether no column is what a question asks for, though titles have its words: they are torn apart, or the cell below
    the best title is empty, holds a dash, or words where a price is asked for."""
    if len(row) < 2 or len(row) != len(header):
        return False
    label = stems(row[0])
    told: dict[bool, float] = {}
    for title, cell in zip(header[1:], row[1:], strict=True):
        filled = bool(cell.strip("-–— ")) and (kind_asked(question) != "money" or bool(numbers(cell)))
        told[filled] = max(told.get(filled, 0.0), said_by(question, asked, title, label))
    return is_torn(question, header) or told.get(False, 0.0) > told.get(True, 0.0)


def is_of_other_kind(question: str, cell: str) -> bool:
    """Return whether a cell with its title is an amount of money where a question asks how many, or no share where it asks for
    one."""
    if asks_share(question):
        return "%" not in cell and not _SHARE.search(cell)
    if not MANY_OF.search(question) or re.search(PAID, question, re.I):
        return False
    return bool(units(cell).intersection(CURRENCIES)) or bool(_PRICES & stems(cell) - stems(question))


def is_price(text: str) -> bool:
    """Return whether a text names a currency, or what is paid."""
    return bool(units(text).intersection(CURRENCIES) or _PRICES & stems(text))


def said_by(question: str, asked: Asked, title: str, label: set[str]) -> float:
    """Return how much of a question a column's title says beside the row's label: its words by their rarity, and its numbers. Per
    what it is says nothing of how much is asked for."""
    said = stems(_PER.sub(" ", title) if _MUCH.search(question) else title) - label
    told = sum(weight for word, weight in asked.weights.items() if word in said)
    return told + sum(1.0 for number in asked.numbers if number in numbers(title))


def is_torn(question: str, titles: Sequence[str]) -> bool:
    """Return whether two neighbouring words of a question stand in the titles of different columns, and in none together: of
    "adult return" and "child single" neither is "child return"."""
    words = [stem(word) for word in tokens(question)]
    said = [stems(title) for title in titles]
    for pair in pairwise(words):
        if any(word in _OF_PERIODS or word.isdigit() for word in pair):
            continue
        having = [{at for at, some in enumerate(said) if word in some} for word in pair]
        if all(having) and having[0].isdisjoint(having[1]):
            return True
    return False


def names_period(question: str) -> bool:
    """Return whether a question names a year, a day, a quarter or a length of time."""
    return bool(_YEAR.search(question) or _days(question) or _lengths(question)) or asks_quarter(question)


def is_of_another_number(question: str, label: str) -> bool:
    """Return whether a row's label has a number or a length of time that is not among those of a question: "25 mm" where 40 mm
    are asked for, "24 months" where 36 are."""
    named, asked = _numbered(label), _numbered(question)
    if named and asked and not named & asked:
        return True
    lasts, wanted = _terms(label), _terms(question)
    return bool({unit for _, unit in lasts} & {unit for _, unit in wanted}) and not lasts & wanted


@lru_cache(maxsize=4096)
def _numbered(text: str) -> frozenset[str]:
    """Return the numbers of a text that are no years and no lengths of time."""
    return frozenset(
        one.number for one in quantities(text) if "time" not in one.units and not _YEAR.fullmatch(one.number)
    )


def _terms(text: str) -> frozenset[tuple[str, str]]:
    """Return the lengths of time that a text names, without those of accounts: "nine months ended"."""
    return _spans(_ENDED.sub(" ", text))


@lru_cache(maxsize=4096)
def _spans(text: str) -> frozenset[tuple[str, str]]:
    """Return the lengths of time that a text names, as numbers and units."""
    return frozenset((one.number, one.units["time"]) for one in quantities(text) if "time" in one.units)


def fits(question: str, asked: Asked, value: str) -> bool:
    """Return whether a cell can be what is asked for: a date where a date is, a number that is none where a number is."""
    kind = kind_asked(question)
    if kind == "date":
        return is_date(value)
    if kind in ("money", "share", "number", "duration") or asked.wants_quantity:
        return bool(numbers(value)) and not is_date(value)
    return not asked.wants_number or bool(numbers(value))


def _days(text: str) -> set[tuple[str, str]]:
    """Return the months and days that a text names."""
    return {(match[1][:3].lower(), match[2]) for match in _DATE.finditer(text)}


def _lengths(text: str) -> set[tuple[str, str]]:
    """Return the lengths of time in months or weeks that a text names; the weeks that companies count for months are those."""
    found = {span for span in _spans(text) if span[1] in ("month", "week")}
    return {
        (_WEEKS_OF_MONTHS[number], "month") if unit == "week" and number in _WEEKS_OF_MONTHS else (number, unit)
        for number, unit in found
    }


def _date(header: str) -> tuple[int, int, int]:
    """Return the last year, month and day that a column's header names, 0 for what it doesn't."""
    match = next(_DATE.finditer(header), None)
    years = [int(year) for year in _YEAR.findall(header)]
    year = max(years, default=0)
    return (year, _MONTHS.index(match[1][:3].lower()) + 1, int(match[2])) if match else (year, 0, 0)
