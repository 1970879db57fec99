"""Measures models through the port: load, first token, prompt and generation speed, memory."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from rag.errors import ModelError
from rag.llm import Completion, LanguageModel, Message

_TEXT = (
    "The tenant shall keep the premises in good repair and pay the agreed rent by the third working day of each month. "
)
SENTENCES = 16
"""About 380 tokens: long enough for a steady speed, short enough for a slow machine."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one model. `memory_mb` is 0 where its server doesn't say; `error` says why there are no numbers."""

    model: str
    backend: str
    quantisation: str
    load_seconds: float = 0.0
    prompt_tokens: int = 0
    first_token_seconds: float = 0.0
    prompt_tokens_per_second: float = 0.0
    generated: int = 0
    tokens_per_second: float = 0.0
    memory_mb: int = 0
    error: str = ""


def measure(model: LanguageModel, load: Callable[[], object], memory: Callable[[], int], tokens: int = 32) -> Measured:
    """Load a model, ask it about a page, and return what both took.

    The page begins with random signs, so that no prefix cache helps. `memory` gives its bytes while it is loaded.
    """
    try:
        began = time.monotonic()
        load()
        loading = time.monotonic() - began
        page = f"{secrets.token_hex(8)} {_TEXT * SENTENCES}\n\nWrite what the tenant must do, in many words."
        began, first = time.monotonic(), 0.0
        done: Completion | None = None
        for piece in model.stream([Message("user", page)], max_tokens=tokens):
            first = first or time.monotonic() - began
            done = piece if isinstance(piece, Completion) else done
        took = time.monotonic() - began
    except ModelError as error:
        return Measured(model.card.name, model.card.backend, model.card.quantisation, error=str(error))
    card = model.card
    read = done.evaluated or done.sent if done else 0
    made = done.generated if done else 0
    return Measured(
        card.name,
        card.backend,
        card.quantisation,
        round(loading, 2),
        read,
        round(first, 2),
        round(read / max(first, 1e-6), 1),
        made,
        round((made - 1) / max(took - first, 1e-6), 1) if made > 1 else 0.0,
        memory() // 1_000_000,
    )
