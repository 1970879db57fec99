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


def as_chat(messages: Sequence[Message], system: bool = True) -> list[dict[str, str]]:
    """Return messages as the objects of chat APIs (role, content), template markers inside the content made inert.

    Without `system` (a model whose template has no such role) the instructions are put in front of the first question.
    """
    chat = [{"role": message.role, "content": _MARKER.sub(" ", message.content)} for message in messages]
    if system or not chat or chat[0]["role"] != "system":
        return chat
    instructions, rest = chat[0]["content"], chat[1:]
    if not rest or rest[0]["role"] != "user":
        return [{"role": "user", "content": instructions}, *rest]
    return [{"role": "user", "content": f"{instructions}\n\n{rest[0]['content']}"}, *rest[1:]]
