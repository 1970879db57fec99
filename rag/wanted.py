"""Says whether a place lacks what a question asks for: what is counted, whose amount, per what, which post, or the month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rag.change import AMOUNT, Change, change
from rag.quantities import dates, units_in
from rag.rows import without_exceptions
from rag.words import MONTHS, PERIODS, STOP_WORDS, WEEKDAYS, stem, stems, tokens

_FORM = 4
"""First letters that forms of a word share: "employees" and "employed"."""
_COUNTED = re.compile(
    r"\bhow many ((?:[\w&-]+ ){1,4}?)(?=(?:did|does|do|is|are|was|were|has|have|had|can|could|may|must|will|would|shall|should"
    r"|in|of|at|on|from|for|per|a|an|the|to|with|that|which|who)\b)",
    re.IGNORECASE,
)
_COUNTED_AT_ONCE = re.compile(r"\bhow many ((?:[\w-]+ )??[\w-]*s)\b", re.IGNORECASE)
"""Where no word that we know follows: "how many engineers work on it?"."""
_PER = re.compile(
    r"(?<!^)(?<!\bas )\bper (?!(?:the|this|that|our|your|my|its|company|clause|section|article|paragraph|policy|contract|lease"
    r"|agreement)\b)([^\W\d_]{3,}(?: [^\W\d_]{3,})?)",
    re.IGNORECASE,
)
"""An amount for each of something; not "as per the lease", "per clause 7", "Per company policy, ...": according to it."""
_WHO = re.compile(
    r"\bwho(?:['’]s| is| was| are| were| serves as| served as| acts as| acted as) (?:[^?]*['’]s? )?"
    r"([^?.,;:]+?)(?=\s+(?:of|at|for|in|on|from|since|until|as|when|and|or)\b|\s*[?.,;:]|\s*$)",
    re.IGNORECASE,
)
_RATE = re.compile(
    r"\bwhat(?:['’]s| is| was| are| were) [^?,]*?\b(?!(?:average|annual|current|estimated|effective|standard|total|base|same|high"
    r"|highest|lowest|higher|lower|fixed|variable|flat|applicable|overall|maximum|minimum|normal|first|second|usual|relevant|hourly"
    r"|daily|weekly|monthly|quarterly|yearly)\b)([a-z]{4,}) rates?\b",
    re.IGNORECASE,
)
"""Of what a rate is: "the forfeiture rate"."""
_CAPITAL = r"(?:[A-Z][\w&-]*|[a-z][A-Z]\w*)"
_NAMES = rf"({_CAPITAL}(?:(?:,| and| &)? {_CAPITAL})*)"
_AMOUNT_OF = re.compile(
    rf"(?<=\s){_NAMES} (?:(?:net|gross|operating|total|segment|product|service|advertising) )*{AMOUNT}\b"
    rf"|\b{AMOUNT} from {_NAMES}"
)
"""Of what an amount is: "Data Center revenue", "revenue from Rivian"."""
_COST = re.compile(
    r"\b(?:how much|what) (?:does|do|did|would|will) (?:the |a |an |one |each |any )?((?:[\w-]+ ){1,4}?)"
    r"(?:(?:for|of|in|at|by|from|with|on|to)\b[^?]*)?costs?\b",
    re.IGNORECASE,
)
_SIZED = re.compile(
    r"\bhow (?!much|many)[a-z]+ (?:is|are|was|were) (?:the|a|an) ((?:[\w-]+ ){0,3}?[a-z]+)\b"
    r"(?= (?:on|of|in|at|for|to|from)\b|\W*$)",
    re.IGNORECASE,
)
"""Of what a measure is: "how thick is the zinc coating on it"."""
_ACTS_AS = re.compile(r"\bwho\b[^?]* as (?:a |an |the )?([a-z]{4,})\W*$", re.IGNORECASE)
"""As what somebody does something: "who signed it as witness"."""
_OWNED = re.compile(
    r"\bwho(?:['’]s| is| was| are| were) [^?]*?['’]s? ([a-z]{4,})\W*(?:$|(?:of|at|for|in|on|as|under)\b)", re.IGNORECASE
)
_OF = re.compile(r"\bwho(?:['’]s| is| was| are| were) the ((?:[\w-]+ ){0,2}[a-z]{4,}) (?:of|for)\b", re.IGNORECASE)
"""Who somebody is to another: "the landlord's insurer", "the maker of the lift"."""
_ACTS = {
    form: act
    for act in ("pay pays paid", "owe owes owed", "buy buys bought acquire acquires acquired purchase purchases purchased",
                "sue sues sued", "hire hires hired appoint appoints appointed", "award awards awarded")
    for form in act.split()
}  # fmt: skip
"""What is done to somebody who stands right behind it, by form."""
_DONE = re.compile(rf"\b({'|'.join(_ACTS)}) {_NAMES}(?!['’\w])")
"""What is done to whom: "what fee must Intel pay Mobileye"."""
_ASKS = re.compile(r"\b(?:what|which|when|where|how|why)\b", re.IGNORECASE)
_ROLES = stems(
    "landlord tenant lessor lessee buyer seller purchaser vendor supplier customer client contractor employer employee company "
    "licensor licensee lender borrower owner agent party provider user member insurer insured guarantor charterer carrier"
)
"""Names of parties in contracts: "Buyer shall pay Seller"."""
_POSTS = frozenset(
    "officer president director manager chairman chairwoman chair secretary treasurer counsel head master auditor".split()
)
_ANYBODY = stems("people person persons individuals times others more other units items pieces")
_OF_NOW = stems("current present new former acting interim responsible external independent statutory company")
_RATES = frozenset("cent centum annum capita diem second minute hour day night week month quarter year".split())
_NO_NAMES = STOP_WORDS | PERIODS | {"total", "net", "gross", "operating"}
_EACH = stems("each every apiece EPS")
"""Words with which a place says an amount per something without its noun."""
_ALIKE = tuple(
    map(
        stems,
        (
            "employees staff personnel workforce headcount workers people FTE FTEs",
            "holidays leave vacation",
            "children child kids",
            "women woman female",
            "men man male",
            "cars vehicles",
            "stores shops outlets branches",
            "sheets pages",
            "bolts screws",
            "types kinds sorts",
            "revenue revenues sales turnover",
            "income profit profits earnings loss losses",
            "cost costs expense expenses spending expenditure",
        ),
    )
)
"""Nouns by which documents call what a question asks for otherwise."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Stems of what a question counts, or asks the rate of, and of what it asks an amount per, of which a place must have one; of
    what, written as a name, the amount is, all of which it must have, and of that amount; of the words of a post, all of which
    must stand around it; months with their years, as year times 12 and month; and of what it asks the cost, or who somebody is to
    another, or the size, which a row must have: it is about what it names; and what is done, with the names of those to whom: a
    sentence where it is done to others must have them; and the change that it must tell."""

    counted: frozenset[str] = frozenset()
    per: frozenset[str] = frozenset()
    post: tuple[str, ...] = ()
    months: frozenset[int] = frozenset()
    amount_of: tuple[str, ...] = ()
    amount: str = ""
    of_row: str = ""
    done: str = ""
    to: tuple[str, ...] = ()
    change: Change | None = None

    def is_lacking(self, place: str, above: str, around: str, named: frozenset[str] = frozenset()) -> bool:
        """Return whether a sentence, or a row with its header, caption and group, lacks it. `above` are its headings, `around`
        the text that it stands in, `named` the stems that name its document; what a row counts, and whose amount it is, is said
        at the row, not around it."""
        near = stems(f"{without_exceptions(place)} {above}")
        row = place.startswith("|")
        of_other_row = row and self.of_row and self.of_row[:_FORM] not in {word[:_FORM] for word in near}
        to_others = self.to and not row and (near | named).isdisjoint(self.to) and self._is_done_to_others(place)
        other_change = self.change is not None and self.change.is_lacking(place, frozenset(self.amount_of), named)
        if of_other_row or to_others or other_change or self._is_of_other_year(place, above):
            return True
        initials = "".join(word[0] for word in self.amount_of)
        if not set(self.amount_of) <= near | named and (len(initials) < 2 or initials not in near):
            return True
        if self.amount and not _called(self.amount) & (near | stems(around) if row else near):
            return True
        counted = near if row else near | stems(around)
        if self.counted and not {word[:_FORM] for word in self.counted} & {word[:_FORM] for word in counted}:
            return not any(self.counted & alike and alike & counted for alike in _ALIKE)
        if self.per and not (self.per & near or _EACH & stems(place)):
            return True
        there = near | stems(around)
        short, joined = "".join(word[0] for word in self.post), stem("".join(self.post) or "-")
        return bool(self.post) and not set(self.post) <= there and there.isdisjoint((short, joined))

    def _is_done_to_others(self, sentence: str) -> bool:
        """Return whether a sentence has what is done right before another name, and none that may be short for it."""
        others = [_named(match[2]) for match in _DONE.finditer(sentence) if _ACTS[match[1]] == self.done]
        short = "".join(word[0] for word in self.to)
        return any(
            name and short != "".join(name) and self.to != ("".join(word[0] for word in name),) for name in others
        )

    def _is_of_other_year(self, place: str, above: str) -> bool:
        """Return whether a place has dates of a month that is asked about, all in other years, and none that span it."""
        if not self.months:
            return False
        there = _months(place)
        same = {month for month in there if any(month % 12 == one % 12 for one in self.months)}
        known = _months(above)
        return bool(same) and not any(min(there) <= month <= max(there) or month in known for month in self.months)


@lru_cache(maxsize=4096)
def wanted(question: str) -> Wanted:
    """Return what a place must have in words to answer a question. Lengths of time and measures may be told in other units,
    people and posts of one word by other names."""
    counted = _COUNTED.search(question) or _COUNTED_AT_ONCE.search(question)
    words = tokens(counted[1]) if counted else []
    while words[-1:] and words[-1][-1] != "s" and any(word[-1] == "s" for word in words):
        words.pop()  # a verb: "how many engineers work on it?"
    nouns = [stem(word) for word in words]
    if counted and (any(units_in(word) for word in words) or _ANYBODY.intersection(nouns)):
        nouns = []
    if not counted and (rate := _RATE.search(question)):
        nouns = [stem(rate[1].lower())]
    per = _PER.search(question)
    of = [word.lower() for word in tokens(per[1])] if per else []
    of = [word for word in of if word not in STOP_WORDS]
    if not _RATES.isdisjoint(of) or not _ANYBODY.isdisjoint(map(stem, of)) or units_in(" ".join(of)):
        of = []
    who = _WHO.search(question)
    post = [word.lower() for word in tokens(who[1])] if who else []
    post = [word for word in post if word not in STOP_WORDS and stem(word) not in _OF_NOW]
    named = tuple(map(stem, post)) if len(post) > 1 and post[-1] in _POSTS else ()
    nouns = [word for word in nouns if word not in STOP_WORDS]
    amount = _AMOUNT_OF.search(question)
    names = tokens(amount[1] or amount[4]) if amount else []
    whose = [word for word in names if word.lower() not in _NO_NAMES]
    # short forms and codes may be written otherwise in the document
    whose = [] if any(word.isupper() or any(map(str.isdigit, word)) for word in whose) else whose
    changed = change(question)
    whole = stem(amount[2] or amount[3]) if amount and whose else changed.amount if changed else ""
    told = next((found for form in (_COST, _OWNED, _OF, _SIZED) if (found := form.search(question))), None)
    thing = [word for word in tokens(told[1] if told else "") if word.lower() not in STOP_WORDS]
    of_row = stem(thing[-1]) if thing else ""
    if acts := _ACTS_AS.search(question):
        named = (*named, stem(acts[1].lower()))
    done = _DONE.search(question) if _ASKS.search(question) else None
    to = _named(done[2]) if done else ()
    return Wanted(
        frozenset(nouns),
        frozenset(map(stem, of)),
        named,
        _months(question),
        tuple(map(stem, whose)),
        whole,
        of_row,
        _ACTS[done[1]] if done and to else "",
        to,
        changed,
    )


def _named(words: str) -> tuple[str, ...]:
    """Return the stems of a name; none of a date, an amount of money, or a party that a contract calls by its role."""
    name = tuple(stem(word) for word in tokens(words.lower()) if word not in STOP_WORDS)
    if (
        not name
        or words.split(maxsplit=1)[0].lower() in {*MONTHS, *WEEKDAYS}
        or units_in(words)
        or not _ROLES.isdisjoint(name)
    ):
        return ()
    return name


def _called(noun: str) -> frozenset[str]:
    """Return the stem of a noun, and of those that documents use for it."""
    return frozenset({noun}).union(*(alike for alike in _ALIKE if noun in alike))


def _months(text: str) -> frozenset[int]:
    return frozenset(12 * date.year + date.month for date in dates(text) if date.year and date.month)
