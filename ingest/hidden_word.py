"""Takes hidden runs out of the parts of a Word file: marked as hidden, white, or tiny."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_VAL = f"{_W}val"
_MAYBE = re.compile(
    rb"<w:(?:vanish)\b|w:val=\"(?:[fF][0-9a-fA-F]){3}\"|<w:sz w:val=\"[0-4]\"|w:themeColor=\"(?:background|light)1\""
)
_TINY = 4
"""Half points."""
_WHITE = 0xF0

Styles = dict[str, str]
"""Name of a style → how it hides its text."""


def may_hide(part: bytes) -> bool:
    """Say whether a part has marks that may hide text: others need no look."""
    return bool(_MAYBE.search(part))


def hiding_styles(styles: Node | None) -> Styles:
    """Return the styles of a file whose text is hidden; what a style is based on counts."""
    if styles is None:
        return {}
    own: Styles = {}
    based: dict[str, str] = {}
    for style in styles.iter(f"{_W}style"):
        name = style.get(f"{_W}styleId", "")
        own[name] = _how(style.find(f"{_W}rPr"), plain=False)
        parent = style.find(f"{_W}basedOn")
        based[name] = parent.get(_VAL, "") if parent is not None else ""
    found = {}
    for name in own:
        at, seen = name, set[str]()
        while at in own and at not in seen and not own[at]:
            seen.add(at)
            at = based[at]
        if own.get(at):
            found[name] = own[at]
    return found


def take_hidden(root: Node, styles: Styles) -> list[tuple[str, str]]:
    """Take hidden runs out of a part; return (how, text) of each paragraph that had some."""
    found: list[tuple[str, str]] = []
    for paragraph, bare in _paragraphs(root, True):
        named = paragraph.find(f"{_W}pPr/{_W}pStyle")
        style = styles.get(named.get(_VAL, ""), "") if named is not None else ""
        plain = bare and paragraph.find(f"{_W}pPr/{_W}shd") is None
        parts: dict[str, str] = {}
        for holder, run in _runs(paragraph):
            how = _run_how(run, styles, style, plain)
            text = "".join(
                (t.text or "") if t.tag == f"{_W}t" else " " for t in run if t.tag in (f"{_W}t", f"{_W}tab", f"{_W}br")
            )
            if how and text:
                parts[how] = parts.get(how, "") + text
                holder.remove(run)
        found += [(how, " ".join(text.split())) for how, text in parts.items() if text.strip()]
    return found


def _paragraphs(root: Node, plain: bool) -> Iterator[tuple[Node, bool]]:
    """Yield paragraphs, and whether the paper behind them is known to be white: not in a table with colours, not in a drawing."""
    waiting = [(root, plain)]
    while waiting:
        node, plain = waiting.pop()
        if node.tag in (f"{_W}tbl", f"{_W}txbxContent", f"{_W}document"):
            dyed = node.find(f"{_W}background") is not None if node.tag == f"{_W}document" else True
            if node.tag == f"{_W}tbl":
                dyed = node.find(f"{_W}tblPr/{_W}tblStyle") is not None or next(node.iter(f"{_W}shd"), None) is not None
            plain = plain and not dyed
        if node.tag == f"{_W}p":
            yield node, plain
        waiting += [(child, plain) for child in reversed(node)]


def _runs(paragraph: Node) -> Iterator[tuple[Node, Node]]:
    """Yield the runs of a paragraph with what holds them: itself, or a link."""
    for child in list(paragraph):
        if child.tag == f"{_W}r":
            yield paragraph, child
        elif child.tag in (f"{_W}hyperlink", f"{_W}fldSimple"):
            for run in child.findall(f"{_W}r"):
                yield child, run


def _run_how(run: Node, styles: Styles, inherited: str, plain: bool) -> str:
    own = run.find(f"{_W}rPr")
    named = own.find(f"{_W}rStyle") if own is not None else None
    if own is not None:
        mark = own.find(f"{_W}vanish")
        if mark is not None and not _is_on(mark):
            inherited = ""
        if own.find(f"{_W}color") is not None or own.find(f"{_W}sz") is not None:
            inherited = inherited if inherited == "marked as hidden" else ""
    style = styles.get(named.get(_VAL, ""), "") if named is not None else ""
    how = _how(own, plain) or style or inherited
    return "" if how == "white on white" and not plain else how


def _how(properties: Node | None, plain: bool) -> str:
    """Return how run properties hide their text, "" when they don't; `plain` says that nothing is coloured behind it."""
    if properties is None:
        return ""
    if any(_is_on(mark) for mark in properties.findall(f"{_W}vanish")):
        return "marked as hidden"
    size = properties.find(f"{_W}sz")
    if size is not None and size.get(_VAL, "").isdigit() and int(size.get(_VAL, "")) <= _TINY:
        return "tiny"
    colour = properties.find(f"{_W}color")
    behind = properties.find(f"{_W}shd") is not None or properties.find(f"{_W}highlight") is not None
    return "white on white" if colour is not None and plain and not behind and _is_white(colour) else ""


def _is_on(mark: Node) -> bool:
    return mark.get(_VAL, "true") not in ("0", "false", "off")


def _is_white(colour: Node) -> bool:
    if colour.get(f"{_W}themeColor") in ("background1", "light1"):
        return colour.get(f"{_W}themeShade") is None
    value = colour.get(_VAL, "")
    return bool(re.fullmatch("[0-9A-Fa-f]{6}", value)) and all(int(value[i : i + 2], 16) >= _WHITE for i in (0, 2, 4))
