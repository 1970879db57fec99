"""Says whether words lack the figure, the share or the time that a question asks for."""

from __future__ import annotations

import re

from rag.answer_type import COUNT, CURRENCY, FORMS, MANY, MANY_OF, PAID, SPAN, asks_two
from rag.quantities import with_units
from rag.words import MONTHS, WEEKDAYS, content_words, stem

_BETWEEN = r"(?:(?!(?:of|for|to|in|from|on|by|with|behind|and|or)\b)[\w’'&.-]+ )"
_AMOUNTS = (
    r"(?:salary|wages?|price|fee|rent|costs?|revenues?|(?:net )?sales|(?:net |operating )?income|earnings|cash flow|budget"
    r"|population|percentage|(?<!exchange )rate|margin)"
)
_WANTS_FIGURE = re.compile(
    rf"\bhow (?:many|much)\b|\bwhat (?:is|was|were|are) {_BETWEEN}{{0,6}}?{_AMOUNTS}"
    r"(?=\W*$|,| (?:of|for|in|on|at|from|by|to|as|during|per|under|after|before|since|until|with)\b)"
    r"|\b(?:in|of) (?:what|which) year\b"
    r"|\bhow (?:high|tall|deep|wide|thick|heavy|loud)\b"
    r"|\bwhat (?:is|was) the (?:[\w-]+ )?(?:height|depth|width|length|weight|diameter|thickness|mileage) of\b",
    re.IGNORECASE,
)
_ASKS_SHARE = re.compile(
    r"\b(?:what|which) (?:percentage|proportion|share) of\b"
    r"|\bwhat (?:\w+ ){0,2}?(?:interest|tax) rate\b|\bhow (?:many|much) per ?cent\b",
    re.IGNORECASE,
)
_HAS_SHARE = re.compile(
    r"%|\bper ?cent|\bpercentage|\b(?:half|halves|thirds?|quarters?|fourths?|fifths?|tenths?|hundredths?|all|most|majority"
    r"|minority|none|nothing|nobody|zero|entire|whole|in|of)\b",
    re.IGNORECASE,
)
_BY_SHARE = re.compile(r"\bby (?:what|which) (?:percentage|per ?cent)\b", re.IGNORECASE)
_BY_SO_MUCH = re.compile(
    r"%|\bper ?cent|\b(?:half|thirds?|quarters?|doubl\w+|tripl\w+)\b|^\W*\d+(?:[.,]\d+)?\W*$", re.IGNORECASE
)
_ASKS_DATE = re.compile(r"\b(?:which|what) (?:date|day|weekday|month)\b", re.IGNORECASE)
_HAS_DATE = re.compile(rf"\d|\b(?:{'|'.join([*MONTHS, *WEEKDAYS])})s?\b", re.IGNORECASE)
_ASKS_WHEN = re.compile(
    r"^\W*(?:\w+ )?when (?:is|was|are|were|did|does|do|will|would|can|could|must|may|might|shall|should|has|have|had)\b",
    re.IGNORECASE,
)
_HAS_TIME = re.compile(
    r"\d|\b(?:after|before|until|till|on|in|during|once|when|while|if|within|upon|by|since|at|as|from|between|following|prior|end"
    r"|beginning|start|spring|summer|autumn|fall|winter|season|days?|nights?|mornings?|afternoons?|evenings?|noon|midnight|ages?|eras?"
    r"|period|times?|centur(?:y|ies)|decades?|years?|months?|weeks?|today|yesterday|tomorrow|annual(?:ly)?|yearly|daily|monthly|weekly"
    r"|quarterly|immediately|always|never|now|soon|later|earlier"
    rf"|{'|'.join([*MONTHS, *WEEKDAYS])})\b",
    re.IGNORECASE,
)
_ASKS_PAID = re.compile(
    rf"\bwhat {_BETWEEN}{{0,3}}?(?:charge|fee|price|rent|fine|penalty|deposit) .*"
    r"\b(?:pays?|paid|payable|charged?|due|owed?|cost)\b",
    re.IGNORECASE,
)
_HAS_FIGURE = re.compile(
    r"\d|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty"
    r"|hundreds?|thousands?|millions?|billions?|dozens?|half|third|quarter|both|single|once|twice|none|nothing|free)\b",
    re.IGNORECASE,
)
_SCALE_ALONE = re.compile(r"\W*(?:in )?(?:thousands|millions|billions)\W*", re.IGNORECASE)
"""Of how many there may be millions; of an amount it is only the scale of its table."""
_COUNT_ALONE = re.compile(r"\W*(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\W*", re.IGNORECASE)
"""No price: "to one undertenant"."""
_ASKS_TIME = re.compile(
    r"\bhow (?:many|much) (?:[\w-]+ ){0,2}?(?:seconds|minutes|hours|days|weeks|months|quarters|years|decades|time)\b|\byear\b"
    r"|\bhow much (?:[\w-]+ ){0,2}?(?:notice|leave|vacation|holiday|overtime|rest|warning|experience)\b",
    re.IGNORECASE,
)
_YEARS = re.compile(r"(?:1\d|20)\d\d(?:\s*(?:[–-]|to|and)\s*(?:(?:1\d|20)\d\d))?")
_SO_MANY = re.compile(
    r"\b(?:about|around|approximately|over|more than|nearly|almost|some|at most|at least|up to)\s+$", re.I
)
_CODE = re.compile(rf"\b(?:\d+-[A-Z]+|(?!{CURRENCY}\d)[A-Z]+-?\d+)\b(?!\s?%)")
_TIME = re.compile(rf"(?:{COUNT}[\s-]*(?:,|and|or)\s*)?{MANY}[\s-]*{SPAN}\b", re.IGNORECASE)


def wants_figure(question: str) -> bool:
    """Return whether a question asks how many or how much, or for an amount or a year, and for nothing else."""
    return bool(_WANTS_FIGURE.search(question)) and not asks_two(question)


def lacks_figure(question: str, words: str) -> bool:
    """Return whether a question asks how many or how much, or for an amount or a year, and these words hold no figure; dates,
    codes ("10-Q") and lengths of time are none where no time is asked for, prices and shares none of how many.

    What is paid may be told by words alone ("the market price"), but not by a date or a length of time; by what percentage, only
    by a share or a mere number.
    """
    if _BY_SHARE.search(question) and not asks_two(question):
        return not _BY_SO_MUCH.search(words)
    paid = _ASKS_PAID.search(question) and _HAS_FIGURE.search(words) and not asks_two(question)
    if not paid and not wants_figure(question):
        return False
    if not _ASKS_TIME.search(question) and not words.isdigit():
        words = _CODE.sub(" ", _TIME.sub(" ", _without_dates(question, words)))
    if not MANY_OF.search(question) and _SCALE_ALONE.fullmatch(words):
        return True
    if paid and _COUNT_ALONE.fullmatch(words):
        return True
    if MANY_OF.search(question) and not re.search(PAID, question, re.IGNORECASE):
        words = FORMS["share"].sub(" ", FORMS["money"].sub(" ", words))
    return not _HAS_FIGURE.search(words)


def lacks_share(question: str, words: str) -> bool:
    """Return whether a question asks what share of something, and these words of a sentence say none: "15" of "15 mg"."""
    return asks_share(question) and not _HAS_SHARE.search(words)


def asks_share(question: str) -> bool:
    """Return whether a question asks what share of something, and for nothing else."""
    return bool(_ASKS_SHARE.search(question)) and not asks_two(question)


def lacks_time(question: str, words: str) -> bool:
    """Return whether a question asks when, and these words name no time, event or condition, or which day, and no date."""
    if _ASKS_DATE.search(question) and not asks_two(question):
        return not _HAS_DATE.search(words)
    if not _ASKS_WHEN.search(question) or asks_two(question) or _HAS_TIME.search(words):
        return False
    return not any(word[0].isupper() for word in words.split())  # "World War I"


def _without_dates(question: str, words: str) -> str:
    """Return words without their dates. A number that could be a year is none where it has a unit ("€1500", "2000 W"), is only
    about so much, or counts a thing that the question names."""
    asked = {stem(word) for word in content_words(question)}

    def left(match: re.Match[str]) -> str:
        if not _YEARS.fullmatch(match.group()):
            return " "
        last = match.end() - 4, match.end()
        named = re.match(r"\s+([^\W\d_]+)", words[match.end() :])
        counts = named is not None and stem(named[1]) in asked
        about = _SO_MANY.search(words[: match.start()])
        return match.group() if counts or about or with_units(words, *last) != last else " "

    return FORMS["date"].sub(left, words)
