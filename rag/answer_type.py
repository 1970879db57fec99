"""Says what kind of answer a question asks for, and finds words of that kind in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rag.words import MONTHS, STOP_WORDS, content_words, stem

Kind = Literal["date", "duration", "money", "share", "number", "person", "place", "name", "words"]
"""`name`: any name; `words`: a reason, a definition or another phrase, which no form tells."""

_MONTH = f"(?:{'|'.join(month.title() for month in MONTHS)})"
COUNT = (
    r"(?:\d[\d,]*(?:\.\d+)?|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
    r"|sixty|seventy|eighty|ninety)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?)"
)
_SCALE = r"(?:\s*(?:hundred|thousand|million|billion|trillion))?"
MANY = rf"(?:(?:about|around|approximately|over|nearly|almost|at most|at least|up to)\s+)?{COUNT}{_SCALE}"
CURRENCY = r"(?:US\$|A\$|[$€£¥]|EUR|USD|GBP|NOK|CHF|JPY)"
SPAN = r"(?:seconds?|minutes?|hours?|(?:working |business |calendar )?days?|weeks?|months?|years?|decades?|centuries)"

_ORDINAL = r"\d{1,2}(?:st|nd|rd|th)"
_ABOUT = r"\b(?:the\s+)?(?:(?:early|mid|late)[- ])?"
_DATES = (
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH}(?:,?\s+\d{{4}})?",
    rf"\b{_MONTH}(?:\s+\d{{1,2}}(?:st|nd|rd|th)?)?(?:,?\s+\d{{4}})?\b",
    r"\b\d{4}-\d\d-\d\d\b",
    r"\b\d{1,2}[./]\d{1,2}[./]\d{4}\b",
    rf"{_ABOUT}(?:1\d|20)\d0s\b",
    rf"{_ABOUT}{_ORDINAL}\s+(?:(?:and|to)\s+{_ORDINAL}\s+)?centur(?:y|ies)\b",
    r"\b\d{1,4}\s+(?:BC|AD|BCE|CE)\b",
    r"\b(?:1\d|20)\d\d(?:\s*(?:[–-]|to|and)\s*(?:1\d|20)?\d\d)?\b(?!\s*%)",
    r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b",
    r"\b\d{1,2}:\d\d(?:\s*[ap]\.?m\.?)?",
)
PAID = r"(?:dollars|euros?|pounds|yen|francs|kroner|cents|EUR|USD|GBP|NOK)"
FORMS: dict[Kind, re.Pattern[str]] = {
    "date": re.compile("|".join(_DATES)),
    "duration": re.compile(rf"\b{MANY}(?:\s+(?:to|or|and)\s+{COUNT})?[\s-]{SPAN}\b", re.IGNORECASE),
    "money": re.compile(
        rf"{CURRENCY}\s?\d[\d,]*(?:\.\d+)?{_SCALE}|\b\d[\d,]*(?:\.\d+)?{_SCALE}\s+{PAID}\b",
    ),
    "share": re.compile(rf"\b{COUNT}\s?(?:%|percent\b|per cent\b)", re.IGNORECASE),
    "number": re.compile(rf"(?<![\w.])(?<!\d-){MANY}\b(?!\s?%|-\d{{3}})", re.IGNORECASE),  # no part of 40-2210
    "name": re.compile(
        r"(?:\b[A-ZÀ-Þ][\w’'.&-]*(?:\s+(?:of|the|de|la|von|van|der|di|du|and|&)(?=\s+[A-ZÀ-Þ]))*(?:\s+(?=[A-ZÀ-Þ])|\b))+"
    ),
}

_NOUNS: dict[Kind, str] = {
    "share": "percent percentage proportion share",
    "date": "year date day month century decade time era period",
    "person": "person man woman king queen president author scientist leader emperor actor singer writer philosopher "
    "mathematician director chairman manager",
    "place": "country countries city cities town state place region location continent river port street island county capital",
    "name": "company organization organisation group school university team party church language book film movie song album "
    "newspaper network treaty war battle religion people dynasty",
    "number": "number population amount temperature size height length area rate ratio distance speed capacity",
}


def _asks(kind: Kind, form: str = "") -> tuple[Kind, re.Pattern[str]]:
    """Return the form of questions for a kind: its nouns after "what" or "which", or another form."""
    nouns = _NOUNS.get(kind, "").replace(" ", "|")
    named = rf"\b(?:what|which|whose) (?:(?:is|was|are|were) )?(?:the )?(?:\w+ )?(?:{nouns})\b" if nouns else ""
    return kind, re.compile("|".join(filter(None, (form, named))), re.IGNORECASE)


_IS = "(?:does|did|will|was|is|are)"
_UNIT_OF_TIME = "(?:seconds|minutes|hours|days|weeks|months|years|decades)"
_ASKS = (
    _asks(
        "money",
        r"\bhow much (?:money|(?:does|did|will|was|is|are) .+ (?:cost|paid)"
        r"|(?:\w+ ){0,2}(?:revenues?|sales|income|profits?|cash|debt|tax|dividends?))\b|\b(?:price|fee|salary|rent|cost|budget)\b"
        r"|\bamount of (?:\w+ ){0,3}(?:cash|proceeds|gain|loss|payments?|charges?|income|revenue|debt|dividends?)\b",
    ),
    _asks("share", r"\bhow (?:many|much) percent\b|\b(?:interest|tax) rate\b"),
    _asks("duration", rf"\bhow (?:long|soon|quickly)\b|\bhow many (?:\w+ )?{_UNIT_OF_TIME}\b|\bnotice period\b"),
    _asks("number", r"\bhow (?:many|much|often|large|big|high|tall|deep|fast|wide|far|old|hot|cold|heavy)\b"),
    _asks("date", r"^\W*(?:\w+ )?when\b|\b(?:and|since|until|by|or) when\b"),
    _asks("person", r"\bwho(?:m|se)?\b"),
    _asks("place", r"\bwhere\b"),
    _asks("name", r"\bname of\b|\bnamed\b|\bcalled\b"),
)
_TWO = re.compile(
    r"(?:,|\band\b).*\b(?:and|or) (?:\w+ )?(?:how|what|which|who|when|where|why)\b|\band why\b", re.IGNORECASE
)
_ANALYSIS = re.compile(
    r"\b(?:compar(?:e[sd]?|ing|ison)|analy[sz]e|analysis|assess|evaluate|examine|correlat\w+|relationship|relates? to|align\w*"
    r"|trends?|patterns?|evol(?:ve|ved|ution)|fluctuat\w+|over time|across (?:the |these )?(?:quarters|periods|years)"
    r"|summari[sz]e|outline the|implications?|suggest about|stack up)\b"
    r"|\bhow (?:did|do|does|has|have) .+ (?:change[ds]?|var(?:y|ied)|shift(?:ed)?|differ(?:ed)?)\b",
    re.IGNORECASE,
)
_POSTS = frozenset(
    """
    officer president vice chief executive financial principal duly authorized authorised director directors chairman chair
    manager managing secretary treasurer counsel senior general board accounting operating technology corporate company
    registrant head deputy member partner auditor accountant mr mrs ms dr prof
    """.split()
)
"""Words of posts, which are no names."""
_CHOOSES = re.compile(
    r"\bor\b|\b(?:which|whether)\b|(?:^\W*|,\s+)(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|shall|should|may"
    r"|might|must)\b",
    re.IGNORECASE,
)
"""Questions whose answer may stand in them."""
_ONE = r"(?:quarter|year|period|filing|report|10-[KQ]|document|company|organi[sz]ation|contract|lease|invoice)"
_SEVERAL = re.compile(
    rf"\b(?:across|throughout|between|versus|vs|(?:each|every) (?:of (?:the|these) )?(?:\w+ )?{_ONE}|(?:which|what) {_ONE}"
    rf"|{_ONE} (?:by|to|over|after) {_ONE}|quarters|periods|filings|10-[KQ]s|companies|organi[sz]ations"
    r"|(?:quarterly|annual) reports|(?:all|both|these|those|over|past|last|previous|prior|different) (?:the )?(?:\w+ )?"
    r"(?:years|reports|documents|contracts|leases|invoices))\b",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"\s?(?:°\s?[CF]|(?:square |cubic )?(?:kilo|centi|milli)?(?:met(?:re|er)|gram|lit(?:re|er)|watt|volt|hertz)s?|tonnes?|tons?"
    r"|miles?|feet|foot|inches|acres?|hectares?|knots?|degrees?|[A-Za-zµ]{1,3}(?:/[a-z]+)?)\b"
)
NOT_QUANTITY = re.compile(
    rf"\b{_MONTH}\s+\d{{1,2}}\b|\b\d{{1,2}}\.?\s+{_MONTH}\b|\b(?:19|20)\d\d\b|"
    r"\b(?:note|item|section|page|part|annex|table|article|form)\s+\d+\w*|^\d+(?:\.\d+)*\s",
    re.IGNORECASE | re.MULTILINE,
)
"""Dates, years, section numbers and references: numbers, but not how much of something."""
MANY_OF = re.compile(r"\bhow many\b(?! per ?cent)", re.IGNORECASE)
"""Asks for a count, which no share and no price is."""
_YEAR_ALONE = re.compile(r"(?:1[5-9]|20)\d\d")

_FORM_OF: dict[Kind, tuple[Kind, ...]] = {
    "date": ("date",),
    "duration": ("duration",),
    "money": ("money",),
    "share": ("share",),
    "number": ("share", "money", "duration", "number"),
    "person": ("name",),
    "place": ("name",),
    "name": ("name",),
    "words": (),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """Words of a sentence, [start, end), that have the form of an answer."""

    start: int
    end: int
    kind: Kind


def asks_two(question: str) -> bool:
    """Return whether a question asks for two things at once: how and when, what and why."""
    return bool(_TWO.search(question))


def kind_asked(question: str) -> Kind:
    """Return what kind of answer a question asks for; a question for two things at once has no kind."""
    if asks_two(question):
        return "words"
    return next((kind for kind, form in _ASKS if form.search(question)), "words")


def with_date(text: str, start: int, end: int) -> str:
    """Return the words of a text at [start, end), and the whole date where they are a part of one: "2, 2022" of "July 2, 2022".
    A year alone is whole."""
    dates = [match for match in FORMS["date"].finditer(text) if match.start() < end and start < match.end()]
    if not dates or _YEAR_ALONE.fullmatch(text, start, end):
        return text[start:end]
    return text[min(start, dates[0].start()) : max(end, dates[-1].end())]


def lacks_name(question: str, words: str) -> bool:
    """Return whether a question asks who somebody is, and these words are only a post: "Principal Financial Officer"."""
    named = [word for word in re.findall(r"[^\W\d_]{2,}", words) if word.lower() not in STOP_WORDS]
    return kind_asked(question) == "person" and bool(named) and all(word.lower() in _POSTS for word in named)


def needs_own_words(question: str) -> bool:
    """Return whether an answer has to say something that the question doesn't: it asks neither for yes or no nor to choose."""
    return not _CHOOSES.search(question)


def asks_analysis(question: str) -> bool:
    """Return whether a question asks to compare, to follow over time, to sum up or to judge: no single sentence answers that."""
    return bool(_ANALYSIS.search(question))


def asks_several(question: str) -> bool:
    """Return whether a question is about several documents at once: all quarters, each company, or which of them."""
    return asks_analysis(question) or bool(_SEVERAL.search(question))


def candidates(kind: Kind, sentence: str, question: str) -> Iterator[Candidate]:
    """Yield the words of a sentence that have the form of an answer and say something the question doesn't, in order."""
    asked = {stem(word) for word in content_words(question)}
    taken: list[tuple[int, int]] = []
    forms = ("number",) if kind == "number" and MANY_OF.search(question) else _FORM_OF[kind]
    for form in forms:
        for match in FORMS[form].finditer(sentence):
            start, end = match.start(), match.start() + len(match.group().rstrip(" ,."))
            if form == "name":
                first = sentence[start:end].split(" ", maxsplit=1)[0]
                if start == _first_letter(sentence) and first.lower() in STOP_WORDS:
                    start += len(first) + 1  # a capital letter that only begins the sentence
            said = [word for word in content_words(sentence[start:end]) or sentence[start:end].split() if word]
            new = [word for word in said if stem(word) not in asked]
            if form == "number":
                end = _with_unit(sentence, end)
            passed = _reads_otherwise(form, sentence, start, end) or lacks_name(question, sentence[start:end])
            if start < end and new and not passed and not any(a < end and start < b for a, b in taken):
                taken.append((start, end))
                yield Candidate(start, end, form)


def _with_unit(sentence: str, end: int) -> int:
    """Return where a number's unit ends ("3.5 t", "0.7 dB"), or `end` where none follows."""
    match = _UNIT.match(sentence, end)
    return match.end() if match and match.group().strip().lower() not in STOP_WORDS - {"s", "t"} else end


def _reads_otherwise(form: Kind, sentence: str, start: int, end: int) -> bool:
    """Return whether words have the form of a name or number and are a month, or the number of a section."""
    if form == "name":
        return bool(FORMS["date"].fullmatch(sentence, start, end))
    if form == "number":
        return any(match.start() <= start < match.end() for match in NOT_QUANTITY.finditer(sentence))
    return False


def is_date(text: str) -> bool:
    """Return whether a text is a date and nothing else."""
    return bool(FORMS["date"].fullmatch(text.strip()))


def _first_letter(sentence: str) -> int:
    match = re.search(r"\w", sentence)
    return match.start() if match else 0
