"""Notices a reply in another language than its question: by its script, or by the words that it took from nowhere."""

from __future__ import annotations

from ingest.language import language, scripts
from rag.words import content_words, stem, stems

FEWEST_OWN = 30
"""Letters of its own, in words that stand neither in the question nor in the quote, from which an answer's language is judged."""

FAMILIAR = 0.25
"""An answer with this share of letters in scripts of the question or the quote is not foreign for its names in another script."""


def other_language(question: str, quote: str, answer: str) -> str | None:
    """Return what an answer is written in, as an ISO 639-1 code or a script's name, when neither the question nor the quote is.

    An answer may be in the language of the document: it is to say what stands there. Short answers in the letters of the question
    are not judged, a guess would be wrong too often.
    """
    written = scripts(answer)
    main = max(written, key=lambda name: written[name])
    around = scripts(f"{question} {quote}")
    familiar = sum(letters for name, letters in written.items() if around[name])
    if written[main] > 1 and not around[main] and familiar < FAMILIAR * sum(written.values()):
        return language(answer) or main
    known = stems(f"{question} {quote}")
    own = " ".join(word for word in content_words(answer) if stem(word) not in known)
    if sum(map(str.isalpha, own)) < FEWEST_OWN:
        return None
    allowed = {language(question), language(quote)} - {None}
    found = language(answer)
    return found if allowed and found not in allowed and found == language(own) else None
