"""Finds out by rules what a document is about: whose it is, which period, what kind, what date."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePath

from ingest.elements import Reading

HEAD = 6000
"""Characters at a document's beginning that say what it is."""
_COUNTED = 60_000
"""Characters in which names of organisations are counted."""
MAX_ORGANISATIONS = 2
_OFTEN = 3
"""How often an organisation has to be named, at the beginning counted threefold."""

_SUFFIX = (
    r"(?:Inc|INC|Incorporated|Corp|CORP|Corporation|CORPORATION|Company|COMPANY|Co|plc|PLC|Ltd|LTD|Limited|LIMITED|LLC|LLP|L\.P|"
    r"GmbH|AG|SE|S\.A|SA|S\.p\.A|N\.V|NV|B\.V|BV|AB|ASA|AS|A/S|Oyj|Oy|KG|SARL|Pty)"
)
_WORD = r"(?:[A-Z0-9][\w'’.-]*\w|[A-Z0-9])"
_ORGANISATION = re.compile(
    rf"(?<![\w&])({_WORD}(?:(?:,?[ ]|[ ]?&[ ]?|[ ](?:and|of|de|for)[ ]){_WORD}){{0,4}}),?[ ]{_SUFFIX}(?![\w&-])"
)
_NOT_THEIRS = re.compile(
    r"stock exchange|nasdaq|nyse|edgar|bank trust|depository|trust company|deloitte|pricewaterhouse|ernst|kpmg|securities",
    re.I,
)
_LEAD = re.compile(r"^(?:(?:The|At|In|By|For|Of|And|With|From|Commission File Number [\w-]+)\b\s*)+", re.I)
_NO_NAME = frozenset("the this our its parent holding company reporting smaller limited liability a an".split())
_REGISTRANT = re.compile(r"([^\n|]{2,80})\s*\n+\s*\(\s*Exact name of (?:the )?registrant", re.I)
_TICKER = re.compile(r"\(\s*(?:NASDAQ|NYSE|LSE|XETRA|OSE|TSX|Nasdaq|NYSE American|ASX)[^:)]{0,12}:\s*([A-Z]{1,5})\b")
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_ENDED = re.compile(
    rf"(fiscal year|quarter|quarterly period|year|three months|twelve months|weeks|months)\s+ended\s+{_MONTH}\.?\s+\d{{1,2}},?\s+"
    r"((?:19|20)\d\d)",
    re.I,
)
_QUARTERS = {"first": 1, "second": 2, "third": 3, "fourth": 4}
_QUARTER_WORDS = re.compile(
    r"\b(first|second|third|fourth)[- ]quarter(?:[ ](?:of[ ])?(?:fiscal[ ](?:year[ ])?)?((?:19|20)\d\d))?", re.I
)
_YEAR_QUARTER = re.compile(
    r"(?<![0-9])((?:19|20)\d\d)[ _-]?Q([1-4])(?![0-9])|(?<![A-Za-z0-9])Q([1-4])[ _-]?(?:FY)?((?:19|20)\d\d)"
)
_YEAR = re.compile(r"(?<![0-9])(?:FY[ _-]?)?((?:19|20)\d\d)(?![0-9])")
_DATE = re.compile(r"(?<![0-9])((?:19|20)\d\d)[-_.](\d\d)[-_.](\d\d)(?![0-9])")

_WRITTEN = (
    r"(?:(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)-(?P<day>\d\d)|(?P<day2>\d{1,2})\.\s?(?P<month2>\d{1,2})\.\s?(?P<year2>(?:19|20)\d\d)"
    rf"|(?P<day3>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?P<name3>{_MONTH})\.?,?\s+(?P<year3>(?:19|20)\d\d)"
    rf"|(?P<name4>{_MONTH})\.?\s+(?P<day4>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year4>(?:19|20)\d\d))(?!\d)"
)
_LABELLED = re.compile(
    r"^\W{0,6}(?:(?:date(?: of (?:issue|publication))?|dated|issued(?: on)?|effective(?: date| from| as of)?|valid from"
    rf"|published(?: on)?|last updated|version of|datum|stand)\b\W{{0,6}}){_WRITTEN}",
    re.I | re.M,
)
_ENDS_TITLE = re.compile(rf"^(?!.*\b(?:birth|born)\b).*?(?<!\d){_WRITTEN}[)*_\s]*$", re.I)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()

_FORMS = ("10-K", "10-Q", "8-K", "20-F", "40-F", "6-K", "S-1", "DEF 14A")
_FORM = re.compile(r"(?:\bFORM|^[^\w\n]*[Ff]orm)\s+(10-[KQ]|8-K|20-F|40-F|6-K|S-1|DEF\s?14A)\b", re.M)
"""How a cover names its form. "Our Quarterly Report on Form 10-Q" in a sentence speaks of another document."""
_FILE_FORM = re.compile(r"(?<![A-Za-z0-9])(10-?[KQ]|8-?K|20-?F|6-?K)(?![A-Za-z0-9])", re.I)
_KINDS: tuple[tuple[str, str], ...] = (
    (
        "earnings release",
        r"\b(?:reports?|announces?)\b[^\n]{0,60}\b(?:quarter|full[- ]year|fiscal)[^\n]{0,40}\bresults\b|_EARNINGS",
    ),
    ("annual report", r"\bannual report\b|\bGeschäftsbericht\b|\brapport annuel\b"),
    ("quarterly report", r"\bquarterly report\b|\bQuartalsbericht\b"),
    ("contract", r"\b(?:agreement|contract|lease|\w*vertrag|contrat)\b"),
    ("invoice", r"\b(?:invoice|\w*rechnung|facture)\b"),
    ("policy", r"\b(?:policy|policies|Richtlinie|code of conduct|handbook)\b"),
    ("minutes", r"\b(?:minutes of|Protokoll|procès-verbal)\b"),
    ("manual", r"\b(?:user manual|manual|instructions for use|Handbuch)\b"),
)
KINDS = (*_FORMS, "e-mail", *(kind for kind, _ in _KINDS))
"""Every kind that a document can be of: forms of the SEC, and what documents call themselves."""
_TITLE_LINES = 400
"""Characters in which a document of those kinds names itself."""


def facets(reading: Reading, path: str) -> dict[str, str]:
    """Return what can be told of a document: `organisation`, `ticker`, `period`, `kind`, `date`, each only where found.

    `organisation` may be several, one a line; `period` is words such as "2022" and "2022 Q3"; `date` is ISO 8601.
    Source: the text's beginning, the file's name, the e-mail's date. The date is the one in the file's name, else the one that
    the text gives itself ("Date: 1 March 2024", or where its first line ends), else the one on which the file says it was made.
    """
    name = PurePath(path).stem
    head = f"{reading.title or ''}\n{reading.text[:HEAD]}"
    found = {
        "organisation": "\n".join(_organisations(head, reading.text[:_COUNTED])),
        "ticker": next(iter(_TICKER.findall(head)), ""),
        "period": " ".join(_periods(name, head)),
        "kind": _kind(name, reading, head),
        "date": _date(name, reading),
    }
    return {key: value for key, value in found.items() if value}


def _organisations(head: str, text: str) -> list[str]:
    """Return whose document it is: who says so on its cover, else who is named most, at least twice."""
    counts: Counter[str] = Counter()
    spelt: dict[str, str] = {}
    for match in _ORGANISATION.finditer(text):
        name = _LEAD.sub("", " ".join(match.group(1).split())).strip(" ,.&")
        if set(name.casefold().split()) - _NO_NAME and len(name) > 1 and not _NOT_THEIRS.search(match.group()):
            counts[name.casefold()] += 3 if match.start() < HEAD else 1
            spelt.setdefault(name.casefold(), name)
    if cover := _REGISTRANT.search(head):
        named = re.sub(rf",?\s+{_SUFFIX}\.?$", "", " ".join(cover.group(1).split()).strip(" ,.*"))
        if re.search(r"[A-Za-z]{2}|\d[A-Z]", named) and ":" not in named and named[0] != "(":
            return [_LEAD.sub("", named) or named]
    return [spelt[name] for name, count in counts.most_common(MAX_ORGANISATIONS) if count >= _OFTEN]


def _periods(name: str, head: str) -> list[str]:
    """Return the years and quarters that a document covers: from its file's name, else from what it says ended."""
    found: list[str] = []
    for year, quarter, quarter2, year2 in _YEAR_QUARTER.findall(name):
        found += [year or year2, f"{year or year2}Q{quarter or quarter2}"]
    if not found:
        plain = _DATE.sub(" ", name)
        found += _YEAR.findall(plain) or _YEAR.findall(name)
    ended = _ENDED.search(head)
    if ended:
        found.append(ended.group(2))
    if match := _QUARTER_WORDS.search(head[:1500]):
        quarter = _QUARTERS[match.group(1).lower()]
        year = match.group(2) or (ended.group(2) if ended else "")
        if year:
            found += [year, f"{year}Q{quarter}"]
    return list(dict.fromkeys(found))


def _kind(name: str, reading: Reading, head: str) -> str:
    if reading.metadata.get("body"):  # only mails have it
        return "e-mail"
    if form := _FILE_FORM.search(re.sub(r"_", " ", name)):
        return re.sub(r"^(\d+)-?", r"\1-", form.group(1).upper())
    if form := _FORM.search(head[:3000]):
        return " ".join(form.group(1).upper().split())
    opening = f"{name}\n{reading.title or ''}\n{reading.text[:_TITLE_LINES]}"
    return next((kind for kind, pattern in _KINDS if re.search(pattern, opening, re.I)), "")


def _date(name: str, reading: Reading) -> str:
    if match := _DATE.search(name):
        year, month, day = match.groups()
        if 1 <= int(month) <= 12 and 1 <= int(day) <= 31:
            return f"{year}-{month}-{day}"
    if not reading.metadata.get("body") and (written := _written(reading.text[:_TITLE_LINES])):
        return written
    created = reading.metadata.get("created", "")
    return created[:10] if re.match(r"\d{4}-\d\d-\d\d", created) else ""


def _written(opening: str) -> str:
    """Return the date that a document gives itself at its beginning, ISO 8601, or ""."""
    match = _LABELLED.search(opening) or _ENDS_TITLE.match(opening.lstrip().partition("\n")[0])
    if match is None:
        return ""
    parts = {name.rstrip("1234"): value for name, value in match.groupdict().items() if value}
    month = _MONTHS.index(parts["name"][:3].lower()) + 1 if "name" in parts else int(parts["month"])
    day = int(parts["day"])
    return f"{parts['year']}-{month:02}-{day:02}" if 1 <= month <= 12 and 1 <= day <= 31 else ""
