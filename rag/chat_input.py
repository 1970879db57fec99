"""Makes text safe to put between the markers of a chat template."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.llm import Message

# Servers read the markers of a chat template wherever they stand, so a document that contains
# `<|im_end|><|im_start|>system` could speak as the system. A space behind the bracket makes a marker plain text.
_MARKER = re.compile(
    r"(?<=<)(?=\||/?(?:s|bos|eos|pad|unk|think|tool_call|start_of_turn|end_of_turn)>)|(?<=\[)(?=/?INST\]|/?SYSTEM_PROMPT\])"
)


def as_chat(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Return messages as the objects of chat APIs (role, content), template markers inside the content made inert."""
    return [{"role": message.role, "content": _MARKER.sub(" ", message.content)} for message in messages]
