"""The port to language models: messages in, a stream of text out, tokens counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Backend = Literal["ollama", "openai", "embedded", "transformers"]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Which model answers, as far as its server says it: "" is unknown.

    `digest` is sha256:… of its weights, `window` the number of tokens that prompt and answer share, `runtime` the program
    that runs it with its version, `template` the SHA-256 of its chat template, `quantisation` like Q4_K_M.
    """

    backend: Backend
    name: str
    digest: str
    window: int
    quantisation: str = ""
    runtime: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """How a generation ended: the whole text, and token counts (`sent` as counted by us before sending, `evaluated` as the
    server reported it, prompt cache included; `cached` of them were in that cache, 0 where it doesn't say). `thinking` is
    what the model wrote for itself; it is no part of the text.
    `note` says what was done otherwise than asked."""

    text: str
    sent: int
    evaluated: int
    generated: int
    finish: str
    thinking: str = ""
    note: str = ""
    cached: int = 0


class LanguageModel(Protocol):
    """A chat model on this machine. Raises `rag.errors.ModelError` (or a subclass) with a remedy when it can't answer."""

    @property
    def card(self) -> ModelCard: ...

    def count(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens, chat template included, by the model's own tokenizer."""
        ...

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        schema: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> Iterator[str | Completion]:
        """Yield pieces of text as they come, then one Completion, last. Temperature 0. `schema` constrains the output to
        JSON of that schema. Closing the iterator stops the generation."""
        ...

    def close(self) -> None:
        """Release the model's process or connection."""
        ...
