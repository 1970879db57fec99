"""Cuts text into sentences by the rules of Kiss and Strunk's Punkt, without a trained model.

The same as NLTK's untrained `PunktSentenceTokenizer`, which llama-index takes where it is given nothing else. Importing NLTK
takes 1.5 s and 150 MB (it loads scipy, scikit-learn and pandas), so the rules that are left without a model stand here.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from itertools import pairwise, zip_longest

_NO_WORD = r"[)\";}\]*:@'({\[‘’“”«»?!]"
_MANY = r"(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)"
_CANDIDATE = re.compile(rf"[.?!](?=(?P<after>{_NO_WORD}|\s+(?P<next>\S+)))")
_TOKEN = re.compile(
    rf"({_MANY}|(?=[^(\"`{{\[:;&#*@)}}\]\-,])\S+?(?=\s|$|{_NO_WORD}|{_MANY}|,(?=$|\s|{_NO_WORD}|{_MANY}))|\S)"
)
_CLOSING = re.compile(r"[\"')\]}‘’“”«»]+?(?:\s+|(?=--)|$)", re.MULTILINE)
_NUMBER = re.compile(r"-?[.,]?\d[\d,.-]*\.?$")
_INITIAL = re.compile(r"[^\W\d]\.$")
_MARKS = frozenset(";:,.!?")


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, each up to where the next begins; all of a text that does not begin with white space."""
    starts = [start for start, _ in _realigned(text)]
    if not starts:
        return []
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _realigned(text: str) -> Iterator[tuple[int, int]]:
    """Yield sentences with the closing quotes and brackets behind them."""
    spans, shift = list(_spans(text)), 0
    for (begun, end), following in zip_longest(spans, spans[1:]):
        start = begun + shift
        closing = _CLOSING.match(text[slice(*following)]) if following else None
        shift = closing.end() if closing else 0
        if closing and following:
            yield start, following[0] + len(closing[0].rstrip())
        elif text[start:end]:
            yield start, end


def _spans(text: str) -> Iterator[tuple[int, int]]:
    begun = 0
    for match, context in _candidates(text):
        if _breaks(context):
            yield begun, match.end()
            begun = match.start("next") if match["next"] else match.end()
    yield begun, len(text.rstrip())


def _candidates(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Yield the marks that may end a sentence, of several behind one word the last, with the words around."""
    word, before = (0, 0), None
    for match in _CANDIDATE.finditer(text):
        space = max(text.rfind(white, word[1], match.start()) for white in string.whitespace)
        this = (space + 1 if space > word[1] else word[0], match.start())
        if before is not None and word[1] <= this[0]:
            yield before, text[slice(*word)] + before[0] + before["after"]
        before, word = match, this
    if before is not None:
        yield before, text[slice(*word)] + before[0] + before["after"]


def _breaks(context: str) -> bool:
    """Say whether a sentence ends in front of the last of some words."""
    words = [word for line in context.split("\n") if line.strip() for word in _TOKEN.findall(line)]
    return any(_ends(word, following) for word, following in pairwise(words))


def _ends(word: str, following: str) -> bool:
    if word in ("?", "!"):
        return True
    if word != "." and (not word.endswith(".") or word.endswith("..")):
        return False
    initial = _INITIAL.match(word) is not None
    if not initial and not _NUMBER.match(word):
        return True
    # "J. Bach", "3. of May": an initial or a number before a small letter or a mark, an initial before a capital one
    return not (following in _MARKS or following[0].islower() or (initial and following[0].isupper()))
