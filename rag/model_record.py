"""Puts on record which model answered and how it was asked, and compares it with the one that was pinned."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rag.errors import ModelError
from rag.llm import Completion, ModelCard
from rag.shapes import ModelUsed

PINNED = ("digest", "quantisation", "template")
"""What tells models of one name apart. Servers that say no digest (llama.cpp, LM Studio) often say the other two."""


def on_record(card: ModelCard, completion: Completion, max_tokens: int, seed: int = 0) -> ModelUsed:
    """Return what an answer says about its model. Adapters always ask at temperature 0."""
    return ModelUsed(
        backend=card.backend,
        name=card.name,
        digest=card.digest,
        quantisation=card.quantisation,
        runtime=card.runtime,
        template=card.template,
        window=card.window,
        temperature=0.0,
        seed=seed,
        max_tokens=max_tokens,
        note=completion.note,
    )


class Pins:
    """The models that a person has pinned, in one file of the home folder: `backend:name` → what it was then."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def all(self) -> dict[str, dict[str, str]]:
        """Return every pin; raise ModelError for a file that can't be read: nobody knows then what was approved."""
        try:
            found: dict[str, dict[str, str]] = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ModelError(
                f"The pins of models {self._file.name} can't be read: {error}.",
                "Run `readingroom models pin` again to approve the models as they are.",
            ) from error
        return found

    def pin(self, cards: list[ModelCard]) -> None:
        """Approve models as they are now; those pinned before and not named stay."""
        for card in cards:
            if not any(getattr(card, name) for name in PINNED):
                raise ModelError(
                    f"The server of {card.name} says nothing that tells it from another model.",
                    "It can't be pinned; use Ollama or the embedded model where that matters.",
                )
        try:
            known = self.all()
        except ModelError:
            known = {}  # unreadable: the remedy of that error is this command
        pins = known | {_key(card): {name: getattr(card, name) for name in PINNED} for card in cards}
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        fresh.write_text(json.dumps(pins, indent=1, sort_keys=True), encoding="utf-8")
        os.replace(fresh, self._file)

    def changed(self, card: ModelCard) -> str:
        """Return how a model differs from its pin, as a sentence, or "". What a side doesn't say is not compared."""
        pinned = self.all().get(_key(card), {})
        for name in PINNED:
            was, now = pinned.get(name, ""), str(getattr(card, name))
            if was and now and was != now:
                return f"The {name} of {card.name} ({card.backend}) was {was} when it was pinned and is {now} now."
        return ""


def _key(card: ModelCard) -> str:
    return f"{card.backend}:{card.name}"
