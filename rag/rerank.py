"""The port to rerankers: a question and texts in, a score for each text out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Reads a question together with each of some texts, on this machine: slower than comparing vectors, and more exact."""

    @property
    def name(self) -> str:
        """The model's name; empty where nothing is reranked."""
        ...

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """Return for each text how well it answers the question, in order; higher is better, the scale is the model's own."""
        ...


class NoReranker:
    """Leaves the order of fusion as it is: all texts are alike to it."""

    name = ""

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """Return 0 for each text."""
        return [0.0] * len(texts)
