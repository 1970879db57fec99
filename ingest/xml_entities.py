"""Puts the harmless entities of an XML text in their places before it is parsed: no bombs, and nothing from outside."""

from __future__ import annotations

import re
from html.entities import name2codepoint

_SUBSET = re.compile(r"(<!DOCTYPE\s[^\[>]*)\[(.*?)\]\s*>", re.S)
_ENTITY = re.compile(r"""<!ENTITY\s+([\w:.-]+)\s+(?:"([^"]*)"|'([^']*)')\s*>""")
_OUTSIDE = re.compile(r"<!ENTITY\s+(?:%\s|[\w:.-]+\s+(?:SYSTEM|PUBLIC)\b)|%[\w:.-]+;")
_USED = re.compile(r"<!\[CDATA\[.*?\]\]>|<!--.*?-->|&([A-Za-z_][\w:.-]*);", re.S)
_BARE = re.compile(r"<!\[CDATA\[.*?\]\]>|<!--.*?-->|&(?!#?\w+;)", re.S)
_CODE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,6})|(\d{1,7}));")
_OWN = frozenset("amp lt gt quot apos".split())
_DEEPEST = 8
_LARGEST = 100_000
_OFTEN = 3
_TIMES = 10


class Bomb(Exception):
    """Raised when entities expand to far more than the text that they stand in, or to themselves."""


def with_entities(text: str) -> str | None:
    """Return an XML text with its own entities, and those of HTML, replaced by what they stand for.

    None when it asks for something outside the file, which is never opened. Raises Bomb.
    """
    subset = _SUBSET.search(text[:200_000])
    declared = subset[2] if subset else ""
    if _OUTSIDE.search(re.sub(r"<!--.*?-->", "", declared, flags=re.S)):
        return None
    values = {m[1]: _CODE.sub(_sign, m[2] if m[2] is not None else m[3] or "") for m in _ENTITY.finditer(declared)}
    if subset:
        text = text[: subset.start()] + text[subset.end() :]
    limit = max(_LARGEST, _TIMES * len(text))
    sizes: dict[str, int] = {}
    total = len(text) + sum(_size(m[1], values, sizes, limit, 0) for m in _USED.finditer(text) if m[1])
    if total > limit:
        raise Bomb
    before = ""
    while text != before:  # as deep as entities lie in each other, which was counted
        before, text = text, _USED.sub(lambda m: _value(m, values), text)
    return _BARE.sub(lambda m: m[0] if len(m[0]) > 1 else "&amp;", text)


def _size(name: str, values: dict[str, str], sizes: dict[str, int], limit: int, depth: int) -> int:
    """Return how long an entity is with all entities in it. Raises Bomb."""
    if name not in values or name in _OWN:
        return 1
    if depth > _DEEPEST:
        raise Bomb
    if name not in sizes:
        inner = [m[1] for m in _USED.finditer(values[name]) if m[1]]
        if any(inner.count(part) > _OFTEN and "&" in values.get(part, "") for part in set(inner)):
            raise Bomb  # too small to harm, but made to grow
        sizes[name] = len(values[name]) + sum(_size(part, values, sizes, limit, depth + 1) for part in inner)
        if sizes[name] > limit:
            raise Bomb
    return sizes[name]


def _value(match: re.Match[str], values: dict[str, str]) -> str:
    """Return what a reference stands for; sections that are taken as they are, comments and unknown names stay."""
    name = match[1]
    if not name or name in _OWN:
        return match[0]
    if name in values:
        value = values[name]
        return value if "<" in value else value.replace('"', "&quot;").replace("'", "&apos;")
    return chr(name2codepoint[name]) if name in name2codepoint else match[0]


def _sign(match: re.Match[str]) -> str:
    """Return the character of a number in an entity's value; those that would be markup stay numbers."""
    code = int(match[1], 16) if match[1] else int(match[2])
    if code in (0x26, 0x3C) or not (code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0x110000):
        return match[0]
    return chr(code)
