"""Collects a streamed reply: thinking kept apart from the answer, a reply without end or without words refused."""

from __future__ import annotations

import time

from rag.errors import ModelError
from rag.llm import Completion
from rag.model_profiles import Profile

# A server counts tokens, we see pieces: a piece is a token in most servers, several in some, a part of one in none.
PIECES_OVER = 64


class ReplyCollector:
    """One reply on its way in. `take` what the model says, then `complete` it; ModelError ends a reply that won't end.

    Thinking comes in two ways: in a field of its own (`think`), or in the text between the tags of the model's profile.
    Where the chat template has written the opening tag already (DeepSeek R1), the text begins as thinking; should the
    closing tag never come, it was the answer after all.
    """

    def __init__(
        self, name: str, profile: Profile, max_tokens: int, *, seconds: float, constrained: bool = False
    ) -> None:
        self._name, self._most = name, max_tokens
        self._open, self._close = profile.thinking_tags
        self._deadline, self._seconds = time.monotonic() + seconds, seconds
        self._pieces = 0
        self._held = ""  # the end of the text so far, as long as it may be the beginning of a tag
        # a schema leaves no room for thinking in the text
        self._inside = self._presumed = profile.thinking == "opened" and not constrained
        self._answer: list[str] = []
        self._thinking: list[str] = []

    def take(self, piece: str) -> str:
        """Take the next piece of text; return what of it (and of what was held back) belongs to the answer."""
        self._count()
        text, shown = self._held + piece, ""
        self._held = ""
        while text:
            tag = self._close if self._inside else self._open
            before, found, after = text.partition(tag)
            if not found:
                kept = _possible_tag(text, tag)
                before, self._held = text[: len(text) - kept], text[len(text) - kept :]
            shown += self._put(before)
            if not found:
                break
            self._inside = not self._inside
            self._presumed = False
            # the line breaks after the closing tag belong to it
            text = after.lstrip("\n") if not self._inside else after
        return shown

    def think(self, piece: str) -> None:
        """Take a piece of thinking that came in a field of its own."""
        self._count()
        self._thinking.append(piece)
        self._inside = self._presumed = False  # a server that keeps thinking apart sends no tags

    def rest(self) -> str:
        """Return what was held back to the end and is part of the answer after all."""
        held, self._held = self._held, ""
        if self._presumed:
            held, self._thinking = "".join(self._thinking) + held, []
            self._inside = self._presumed = False
        return self._put(held)

    def complete(self, sent: int, evaluated: int, generated: int, finish: str) -> Completion:
        """Return the completion; raise ModelError when the answer is empty."""
        text, thinking = "".join(self._answer), "".join(self._thinking)
        if not text.strip():
            if thinking.strip():
                raise ModelError(
                    f"The model {self._name} spent all {generated} tokens on thinking and gave no answer.",
                    "Raise `answer.max_tokens`, or set `answer.thinking` to off.",
                )
            raise ModelError(f"The model {self._name} gave an empty answer.", "Ask again, or choose another model.")
        return Completion(text, sent, evaluated, generated or self._pieces, finish, thinking)

    def _put(self, text: str) -> str:
        if self._inside:
            self._thinking.append(text)
            return ""
        if text:
            self._answer.append(text)
        return text

    def _count(self) -> None:
        self._pieces += 1
        if self._pieces > 2 * self._most + PIECES_OVER:
            raise ModelError(
                f"The model {self._name} went on after the {self._most} tokens that it was asked for.",
                "Its server ignores the limit: update it, or use another.",
            )
        if time.monotonic() > self._deadline:
            raise ModelError(
                f"The model {self._name} had not finished after {self._seconds:.0f} seconds.",
                "Ask again, choose a smaller model, or lower `answer.max_tokens`.",
            )


def _possible_tag(text: str, tag: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a tag."""
    return next((size for size in range(min(len(tag) - 1, len(text)), 0, -1) if tag.startswith(text[-size:])), 0)
