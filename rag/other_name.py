"""Says whether a claim repeats a sentence with another name in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from rag.words import MONTHS, STOP_WORDS, WEEKDAYS, stem

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_FEWEST, _REPEATED = 4, 0.6
"""A claim repeats a sentence that has this many of its words, and this share of them, in their order."""
_SHORT = 5
"""Words that are changed for others at one place, at most: more is another wording."""
_BEGINNING = 4
"""First letters that forms of a name share: "Scotland" and "Scottish"."""
_NO_NAMES = STOP_WORDS.union(MONTHS, WEEKDAYS)
_POINTS = frozenset("the this that our such its their said a an".split())


def puts_other_name(claim: str, quoted: str) -> bool:
    """Return whether a claim has the words of a sentence in their order, but another name at the place of one of its names.

    Short forms ("SNP", "Scottish" for "Scotland"), names that stand elsewhere in the sentence, and names for what it only
    calls by a word with a capital ("the Supplier") are no other names. Rows of tables never have one.
    """
    if quoted.startswith("|"):
        return False
    mine, theirs = _WORD.findall(claim), _WORD.findall(quoted)
    keys = [stem(word) for word in mine], [stem(word) for word in theirs]
    steps = SequenceMatcher(None, *keys, autojunk=False).get_opcodes()
    repeated = sum(end - start for kind, start, end, _, _ in steps if kind == "equal")
    if repeated < max(_FEWEST, _REPEATED * len(mine)):
        return False
    return any(
        kind == "replace"
        and end - start <= _SHORT
        and stop - first <= _SHORT
        and _differ(_names(mine, start, end), _names(theirs, first, stop), keys[1], theirs[max(0, first - 1) : stop])
        for kind, start, end, first, stop in steps
    )


def _names(words: Sequence[str], start: int, end: int) -> list[str]:
    """Return the words with a capital among words[start:end]; the first of a sentence only where the next has one, too."""
    return [
        word
        for at, word in enumerate(words[start:end], start=start)
        if word[0].isupper()
        and word.lower() not in _NO_NAMES
        and (at > 0 or (len(words) > 1 and words[1][0].isupper()))
    ]


def _differ(mine: Sequence[str], theirs: Sequence[str], sentence: Sequence[str], around: Sequence[str]) -> bool:
    """Return whether the names at a place of a claim are others than those at the same place of a sentence."""
    if not mine or not theirs or any(stem(word) in sentence for word in mine):
        return False
    if len(theirs) == 1 and not theirs[0].isupper() and around[around.index(theirs[0]) - 1].lower() in _POINTS:
        return False  # a defined term: "the Supplier"
    if {word[:_BEGINNING].lower() for word in mine} & {word[:_BEGINNING].lower() for word in theirs}:
        return False
    return not (_short(mine) & {"".join(theirs).lower()} or _short(theirs) & {"".join(mine).lower()})


def _short(names: Sequence[str]) -> set[str]:
    return {"".join(name[0] for name in names).lower()}
