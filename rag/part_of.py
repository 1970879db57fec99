"""Says whether the figure of an answer is that of a whole which only includes what is asked about."""

from __future__ import annotations

import re

from rag.words import content_words, numbers, stem, stems

_INCLUDES = re.compile(r"\b(?:which includes?d?|including|inclusive of|such as)\b[^,;()]*", re.IGNORECASE)


def is_of_whole(answer: str, question: str, quoted: str) -> bool:
    """Return whether names of a question stand in a sentence only where it says what something includes, and none of the answer's
    figures stands there: "companies, which include our investment in Rivian, represent $4.5 billion" for the investment in
    Rivian."""
    asked = {stem(word) for word in content_words(question)[1:] if word[0].isupper()}
    parts = _INCLUDES.findall(quoted)
    named = asked & stems(" ".join(parts))
    if not named or named & stems(_INCLUDES.sub(" ", quoted)):
        return False
    said = numbers(answer) - numbers(question)
    return bool(said) and said.isdisjoint(numbers(" ".join(parts)))
