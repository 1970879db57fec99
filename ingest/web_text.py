"""Takes the text out of elements of a web page's tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu ol option p pre section summary table tbody td "
    "tfoot th thead tr ul".split()
)


def texts_in(node: Any) -> Iterator[str]:
    """Yield the text in an element, however deep; line breaks and the ends of blocks part words."""
    waiting = [node]  # elements and texts, the next one last
    while waiting:
        here = waiting.pop()
        if isinstance(here, str):
            yield here
            continue
        inside: list[Any] = [here.text or ""]
        for child in here:
            tag = tag_of(child)
            edge = "\n" if tag == "br" or tag in BLOCKS else ""
            inside += [edge] if tag == "br" else [edge, child, edge] if tag else []
            inside.append(child.tail or "")
        waiting += reversed(inside)


def tag_of(node: Any) -> str:
    """Return an element's name in lower case without its prefix, "" for comments."""
    return node.tag.lower().rpartition("}")[2] if isinstance(node.tag, str) else ""


def has_block(node: Any) -> bool:
    """Say whether an inline element holds blocks, as in real pages it may."""
    return any(tag_of(inner) in BLOCKS for inner in node.iterdescendants())


def linked_in(node: Any) -> int:
    """Return how many characters of an element are links."""
    return sum(len("".join(texts_in(a))) for a in node.iter("a"))


def squeeze(text: str) -> str:
    """Return text with single spaces and no empty lines."""
    return "\n".join(line for line in (" ".join(part.split()) for part in text.split("\n")) if line)
