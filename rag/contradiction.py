"""Says whether a claim contradicts the sentence or row that it rests on: what is counted, per what, which way, or denied."""

from __future__ import annotations

import re

from rag.quantities import quantities, units_in
from rag.words import STOP_WORDS, content_words, denies, numbers, stem, stems, tokens

_NUMBER = r"\d+(?:[.,]\d+)*"
_WORD = re.compile(rf"{_NUMBER}|[^\W\d_]+(?:['’-][^\W\d_]+)*|[,;.:!?](?!\d)")
_RATE = re.compile(
    r"(?:\bper\s+|/\s?|\d(?:[^\d.;,]|[.,]\d){0,30}?\s(?:an?|each|every)\s+)(second|minute|hour|day|week|month|quarter|year|annum)\b"
    r"(?!\s+(?:ago|earlier|before|later))",
    re.IGNORECASE,
)
_TIMES = re.compile(r"\btimes\s+(?:an?|per|each|every)\b", re.IGNORECASE)
_RATE_WORDS = {
    "second": "second seconds",
    "minute": "minute minutes",
    "hour": "hour hours hourly",
    "day": "day days daily",
    "week": "week weeks weekly",
    "month": "month months monthly",
    "quarter": "quarter quarters quarterly",
    "year": "year years yearly annual annually annum",
    "annum": "year years yearly annual annually annum",
}
_RISES = (
    r"\b(?:rose|ris(?:e[sn]?|ing)|increas\w*|gr(?:ew|ow(?:s|n|ing|th)?)|climb\w*|higher|went up)\b"
    r"|(?:%|\d|percent)\s+(?:more|up)\b(?! to)"
)
_FALLS = (
    r"\b(?:fell|fall(?:s|en|ing)?|decreas\w*|declin\w*|dropp?\w*|lower|shr[aiu]nk\w*|went down)\b"
    r"|(?:%|\d|percent)\s+(?:less|fewer|down)\b"
)
_RISING = re.compile(rf"{_RISES}|\b(?:rise|grow)\b", re.IGNORECASE)
_UP, _DOWN = re.compile(_RISES, re.IGNORECASE), re.compile(_FALLS, re.IGNORECASE)
_ASKED_WAY = re.compile(
    rf"\b(?:did|does|do|has|have)\b.*?(?P<way>{_RISES}|{_FALLS}|\b(?:rise|fall|grow|drop|shrink)\b)", re.IGNORECASE
)
_ROLE = re.compile(
    rf"\b(from|to|by)\s+(?:about |around |approximately |only )?(?:[A-Z]{{3}}\s?|(?:US)?[$€£¥]\s?)?({_NUMBER})(?![\w-])",
    re.IGNORECASE,
)
_BY_HOW_MUCH = re.compile(r"\bby how (?:much|many)\b", re.IGNORECASE)
_HOW_MANY = re.compile(
    r"\bhow many (?:of (?:the |its |their |these |those )?\w+ (?:are|were|is|was) )?([^\W\d_]+)", re.IGNORECASE
)
_MANY = re.compile(r"\bhow many ((?:[^\W\d_]+\s?){1,3})", re.IGNORECASE)
_THINGS = (
    r"(?:\s?(?:thousand|[mbtr]+illion|bn|mn|m)\b)? (?:of (?:its|the|their|our) )?(?:[a-z]+ )?"
    r"(?:shares|units|people|employees|customers|users|stores|vehicles|subscribers|members|devices|warrants|options|votes)\b"
)
"""What a number counts, behind it."""
_DENIAL = re.compile(r"\b(?:not|never|cannot)\b|n['’]t\b", re.IGNORECASE)
_YES = re.compile(r"^\W*yes\b", re.IGNORECASE)
_MEASURED = frozenset("more less later earlier exceed fewer least greater longer necessarily yet only limited".split())
"""Words behind "not" that deny nothing of what is told: "not more than 5 days"."""
_WHAT = re.compile(r"\b(?:what|which|who|whom|where|when)\b", re.IGNORECASE)
_OF_A_SENTENCE = 5
"""Words that say something by themselves; fewer only complete what is asked."""
_LOSS = re.compile(r"\b(?:loss(?:es)?|deficit|negative|minus)\b", re.IGNORECASE)


def contradicts(claim: str, question: str, quoted: str, above: str) -> bool:
    """Return whether a claim says otherwise than a sentence or row does, with the same numbers and words.

    `above` is what stands over a row: its header, caption and headings.
    """
    return (
        _other_rate(claim, quoted, f"{above} {question}")
        or _other_way(claim, question, quoted, above)
        or _other_role(claim, question, quoted)
        or _other_counted(claim, question, quoted)
        or _counts_money(claim, question, quoted)
        or _undenied(claim, question, quoted)
        or _undenied(quoted, "", claim)
    )


def _other_rate(claim: str, quoted: str, around: str) -> bool:
    """Return whether a claim says "per day" where no day is told of: "24 m³ per hour", "a yearly fee"; or "5 times a year" where
    nothing is said to be so many times. Where the sentence has such words itself, those around it don't count."""
    said = _words(quoted)
    if not any(_words(forms) & said for forms in _RATE_WORDS.values()):
        said |= _words(around)
    if _TIMES.search(claim) and not said & {"times", "time", "twice", "once"}:
        return True
    return any(not said & _words(_RATE_WORDS[match[1].lower()]) for match in _RATE.finditer(claim))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.lower()))


def _other_way(claim: str, question: str, quoted: str, above: str) -> bool:
    """Return whether a claim, or one without a direction the question "why did it rise?", has something rise that falls, or fall
    that rises; or whether it tells a loss where there is none. A row's negative number may be told either way."""
    said = numbers(claim)
    if any(item.number in said and (item.minus or item.bracketed) for item in quantities(quoted)):
        return False
    up, down = bool(_UP.search(claim)), bool(_DOWN.search(claim))
    if not (up or down) and (asked := _ASKED_WAY.search(question)):
        up, down = bool(_RISING.search(asked["way"])), not _RISING.search(asked["way"])
    rises, falls = bool(_UP.search(quoted)), bool(_DOWN.search(quoted))
    if up != down and rises not in (falls, up):
        return True
    return quoted.startswith("|") and bool(_LOSS.search(claim)) and not _LOSS.search(f"{quoted} {above}")


def _other_role(claim: str, question: str, quoted: str) -> bool:
    """Return whether a number that a sentence gives as "from", "to" or "by" is given as another of these."""
    given: dict[str, set[str]] = {}
    for match in _ROLE.finditer(quoted):
        given.setdefault(match[2], set()).add(match[1].lower())
    said = {(match[2], match[1].lower()) for match in _ROLE.finditer(claim)}
    if not said and _BY_HOW_MUCH.search(question):
        said = {(number, "by") for number in re.findall(_NUMBER, claim)}
    return any(number in given and role not in given[number] for number, role in said)


def _other_counted(claim: str, question: str, quoted: str) -> bool:
    """Return whether a claim counts with its number what a sentence counts with another one: "212 women" where the sentence has
    "212 people, of whom 61 are women"."""
    if quoted.startswith("|"):
        return False
    there = _counted(quoted)
    asked = _HOW_MANY.search(question)
    for number, noun in _counted(claim) or [(number, "") for number in re.findall(_NUMBER, claim)]:
        counts = noun or (stem(asked[1]) if asked else "")
        own = {other for one, other in there if one == number}
        others = {one for one, other in there if other == counts} - {number}
        if counts and others and own and counts not in own:
            return True
    return False


def _counts_money(claim: str, question: str, quoted: str) -> bool:
    """Return whether a claim counts things with a number that is an amount of money where it stands: "26.9 billion shares" of
    "$26.9 billion remained"."""
    asked = _MANY.search(question)
    counts = bool(asked and not units_in(asked[1]))
    plain = claim.replace(",", "")
    for item in quantities(claim):
        there = [other for other in quantities(quoted) if other.number == item.number]
        if "currency" in item.units or not all("currency" in other.units for other in there):
            continue
        if there and (counts or re.search(rf"(?<![\d.,]){re.escape(item.number)}{_THINGS}", plain)):
            return True
    return False


def _counted(text: str) -> list[tuple[str, str]]:
    """Return the numbers of a text with the stem of the noun behind each: the next word, or the one after a function word."""
    words = _WORD.findall(text)
    found = []
    for at, word in enumerate(words):
        behind = words[at + 1 : at + 3]
        if word[0].isdigit() and behind and behind[0].lower() in STOP_WORDS:
            behind = behind[1:]
        if word[0].isdigit() and behind and behind[0][0].isalpha() and behind[0].lower() not in STOP_WORDS:
            found.append((word, stem(behind[0])))
    return found


def _undenied(claim: str, question: str, quoted: str) -> bool:
    """Return whether a claim says, without denying it, what a sentence says is not so. "Yes" says what the question asks, and a
    few words may name what is not so where that is asked for: "What can they not do?"
    """
    said = stems(f"{claim} {question}") if _YES.search(claim) else stems(claim)
    if denies(claim) or (denies(question) and _WHAT.search(question) and len(content_words(claim)) < _OF_A_SENTENCE):
        return False
    words = tokens(quoted)
    for match in _DENIAL.finditer(quoted):
        behind = [word for word in tokens(quoted[match.end() :]) if word.lower() not in STOP_WORDS][:1]
        for word in behind:
            if word.isalpha() and word.lower() not in _MEASURED and stem(word) in said:
                return sum(stem(other) == stem(word) for other in words) == 1
    return False
