"""Says how much of the last prompt a model's process may keep, so that the same prompt gets the same words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


def to_forget(kept: Sequence[int], tokens: Sequence[int], batch: int) -> list[int] | None:
    """Return a prompt that makes the process forget all but whole batches of what its last prompt and the next begin with
    alike, or None where it keeps no more than that.

    The numbers that a batch gives depend a little on how many tokens are in it. So the same prompt would get other words by
    what was asked before it; with the same batches it gets the same.
    """
    common = next(
        (at for at, (a, b) in enumerate(zip(kept, tokens, strict=False)) if a != b), min(len(kept), len(tokens))
    )
    whole = min(common, len(tokens) - 1) // batch * batch
    if whole == common and common < len(kept):
        return None
    if not kept:
        return None
    other = next(token for token in tokens if token != tokens[whole])
    return [*tokens[:whole], other]


@dataclass(slots=True)
class KeptPrompt:
    """The prompt that a process read last, `batch` tokens at a time."""

    batch: int
    reader: object = None
    tokens: list[int] = field(default_factory=list)

    def give_way(self, reader: object, tokens: Sequence[int]) -> list[int] | None:
        """Return what a process has to read before its next prompt (see `to_forget`)."""
        return to_forget(self.tokens if reader is self.reader else [], tokens, self.batch)

    def note(self, reader: object, tokens: list[int]) -> None:
        """Note the prompt that a process reads now."""
        self.reader, self.tokens = reader, tokens
