"""Says whether a place tells by how much an amount rose or fell, as a question asks: in its direction, and of the same part."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.rows import cells
from rag.signed import FALLS
from rag.words import STOP_WORDS, stem, stems

AMOUNT = r"(revenues?|sales|income|profits?|loss(?:es)?|costs?|expenses?|turnover|earnings|margins?)"
_UP = r"increase[sd]?|rise|rose|risen|grow|grew|grown|gain(?:ed)?|climb(?:ed)?|expand(?:ed)?|improved?"
_DOWN = r"decreased?|fall|fell|fallen|decline[sd]?|drop(?:ped)?|shrink|shrank|shrunk"
_ASKS = re.compile(
    rf"\b(?:how (?:much|many)|(?:what|which) (?:percentage|per ?cent))\b[^?]*\b(?:did|has|have|had|does|do|will)\b"
    rf"[^?]*\b{AMOUNT} (?:(?P<up>{_UP})|(?P<down>{_DOWN})|changed?)\b",
    re.IGNORECASE,
)
_SHARE = re.compile(r"\b(?:percentage|per ?cent)\b", re.IGNORECASE)
_RISES = re.compile(
    r"\b(?:increas\w*|ris(?:es?|en|ing)|rose|grow\w*|grew|gain\w*|higher|up|climb\w*|expan\w*|improv\w*|more|above|doubl\w*|tripl\w*"
    r"|jump\w*|surg\w*)\b",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(r"^\W*[(\-−–]")
_AT = re.compile(
    rf"(?:([\w&-]+)(?:['’]s)? )?(?:(?:net|gross|operating|total|segment) )*\b{AMOUNT}\b"
    r"(?: (?:from|of|for) (?:the |our |its )?([\w&-]+))?",
    re.IGNORECASE,
)
"""An amount with the words that may say of what part it is."""
_CAUSE = re.compile(
    r"\b(?:driven|due|because|owing|offset|reflect\w*|attribut\w*|as a result|result(?:ed|ing) from)\b", re.IGNORECASE
)
_OF_ALL = stems(
    "company consolidated overall worldwide global total record annual quarterly yearly increased decreased higher lower "
    "compared period quarter year month week"
)


@dataclass(frozen=True, slots=True)
class Change:
    """The stem of the amount whose change a question asks for; whether it may have risen and fallen; whether that is asked as a
    share; and the stems of the question's words."""

    amount: str
    up: bool
    down: bool
    share: bool
    said: frozenset[str]

    def is_lacking(self, place: str, part: frozenset[str], named: frozenset[str]) -> bool:
        """Return whether a sentence, or the row that `place` begins with, tells no such change, or none of the part with these
        stems, or of all when there are none; `named` are the stems that name its document."""
        if place.startswith("|"):
            label, *values = cells(place.split("\n", 1)[0])
            shares = [value for value in values if "%" in value]
            fits = all(self.down if _NEGATIVE.match(value) else self.up for value in shares)
            return not (shares and fits) if self.share else not self._tells(label)
        return not self._tells(place) or self._is_of_other_part(place, part, named)

    def _tells(self, text: str) -> bool:
        return bool((self.up and _RISES.search(text)) or (self.down and FALLS.search(text)))

    def _is_of_other_part(self, sentence: str, part: frozenset[str], named: frozenset[str]) -> bool:
        """Return whether no amount in a sentence, the causes left out, is of the part that is asked about, or of all."""
        known = named | self.said | _OF_ALL
        for match in _AT.finditer(_CAUSE.split(sentence)[0]):
            around = {word for word in stems(f"{match[1] or ''} {match[3] or ''}") - STOP_WORDS if word.isalpha()}
            if around & part if part else around <= known:
                return False
        return True


def change(question: str) -> Change | None:
    """Return the change that a question asks for; None when it asks for none."""
    match = _ASKS.search(question)
    if match is None:
        return None
    share = bool(_SHARE.search(question))
    return Change(stem(match[1].lower()), not match["down"], not match["up"], share, frozenset(stems(question)))
