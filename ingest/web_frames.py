"""Puts pages that stand inside a web page (`srcdoc`) into their places, and shows its `noscript` where it says no more."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_SEEN = "//body//text()[not(ancestor::script|ancestor::style|ancestor::noscript|ancestor::noframes|ancestor::template)]"
_NOTICE = 60
"""Words of a notice that a page needs JavaScript; longer ones say more than that."""
_FRAMES = 3


def put_frames(root: Any, parsed: Callable[[str], Any], depth: int = 0) -> bool:
    """Put the pages that stand inside a page's tree in the places of their frames; say whether there were any.

    `parsed` gives the tree of a page, or None.
    """
    frames = root.xpath("//iframe[@srcdoc]")
    for frame in frames:
        inner = parsed(frame.get("srcdoc"))
        if inner is None:
            continue
        if depth < _FRAMES:
            put_frames(inner, parsed, depth + 1)
        body = inner.find("body")
        _stand_in(frame, body if body is not None else inner)
    return bool(frames)


def show_fallback(root: Any) -> None:
    """Show what a page says to browsers without scripts, where it says nothing else: scripts would draw the rest. That it
    needs JavaScript is no content."""
    fallbacks = root.xpath("//noscript|//noframes")
    if not fallbacks or "".join(root.xpath(_SEEN)).strip():
        return
    for fallback in fallbacks:
        words = " ".join(fallback.itertext()).split()
        if words and not (len(words) < _NOTICE and re.search("java ?script", " ".join(words), re.I)):
            _stand_in(fallback, fallback)


def _stand_in(node: Any, content: Any) -> None:
    """Put an element with some content in a node's place, hidden where the node is."""
    looks = {name: value for name, value in node.attrib.items() if name in ("style", "class", "id", "hidden")}
    place = node.makeelement("div", looks)
    place.text, place.tail = content.text, node.tail
    place.extend(list(content))
    node.getparent().replace(node, place)
