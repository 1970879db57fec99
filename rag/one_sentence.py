"""Says how much of a question stands together in one sentence of a passage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from rag.words import sentences, stem, stems


def best_sentences(texts: Iterable[str], rarity: Mapping[str, float]) -> list[float]:
    """Return for each text the largest share of a question's words that stand in one of its sentences; `rarity` has the
    words' stems and what each weighs.

    A sentence has the stems of what stands between its spaces. These repeat from sentence to sentence, so that few are
    looked at twice.
    """
    total = sum(rarity.values()) or 1.0
    seen = _Seen(rarity)
    return [seen.best(text) / total for text in texts]


class _Seen:
    """The pieces of text that were looked at for one question: those that say a word of it, with its stems, and the others."""

    def __init__(self, rarity: Mapping[str, float]) -> None:
        self._rarity, self._wanted = rarity, frozenset(rarity)
        self._saying: dict[str, frozenset[str]] = {}
        self._others: set[str] = set()

    def best(self, text: str) -> float:
        """Return what the words in the best sentence of a text weigh together."""
        best = 0.0
        for start, end in sentences(text):
            together: frozenset[str] = frozenset()
            for piece in set(text[start:end].split()) - self._others:
                together |= self._said(piece)
            if together:
                best = max(best, sum(value for word, value in self._rarity.items() if word in together))
        return best

    def _said(self, piece: str) -> frozenset[str]:
        said = self._saying.get(piece)
        if said is None:
            said = self._wanted & _stems(piece)
            if said:
                self._saying[piece] = said
            else:
                self._others.add(piece)
        return said


@lru_cache(maxsize=65536)
def _stems(piece: str) -> frozenset[str]:
    """Return the stems of what stands between two spaces."""
    word = piece.strip(".,;:()\"'")
    return frozenset((stem(word),)) if word.isascii() and word.isalpha() else frozenset(stems(piece))
