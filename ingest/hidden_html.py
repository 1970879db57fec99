"""Takes what is hidden out of the tree of a web page: by style, by colour, off the screen, in comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_FEWEST_WORDS = 4
"""Comments with fewer words are marks of programs; so are those with markup or code in them."""
_CODE = re.compile(r"[<>{}=\[\]|]|https?:|/\w+/|\.(?:js|css|html?|php)\b")
_MEDIA = re.compile(r"@[\w-]+[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SIMPLE = re.compile(r"(?P<tag>[a-z][\w-]*)?(?P<mark>[.#])(?P<name>[\w-]+)", re.IGNORECASE)
_RGB = re.compile(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)(?:[\s,/]+([\d.]+%?))?\s*\)")
_HEX = re.compile(r"#([0-9a-f]{3,8})")
_LENGTH = re.compile(r"^(-?[\d.]+)(px|pt|em|rem|%|)$")
_NAMED = {"white": (255, 255, 255), "snow": (255, 250, 250), "ivory": (255, 255, 240), "black": (0, 0, 0)}
_ALIKE = 12
_TINY = {"px": 2.5, "pt": 2.0, "em": 0.15, "rem": 0.15, "%": 15.0, "": 0.0}
_AWAY = {"px": 500.0, "pt": 400.0, "em": 30.0, "rem": 30.0, "%": 100.0}

Style = dict[str, str]
Colour = tuple[int, int, int]


def take_hidden(root: Any, markup: str) -> list[tuple[str, str]]:
    """Take hidden elements out of a page's tree; return (how, text) of each that has text, then of its comments.

    Styles are those of the element, and of rules in the page for one class or identifier. A white text is hidden where its
    background is known to be white: none is set around it, and no style sheet outside the page could set one.
    """
    rules = _rules(root)
    outside = bool(root.xpath("//link[contains(translate(@rel,'STYLEHT','styleht'),'stylesheet')]"))
    found = list(_walk(root, rules, None if outside else (255, 255, 255), None))
    taken = []
    for node, how in found:
        text = " ".join(" ".join(node.itertext()).split())
        if text:
            taken.append((how, text))
        if node.getparent() is not None:
            node.drop_tree()
    return taken + [("in a comment", text) for text in _comments(markup)]


def _comments(markup: str) -> Iterator[str]:
    for match in _COMMENT.finditer(markup):
        text = " ".join(match[1].split())
        if len(text.split()) >= _FEWEST_WORDS and not _CODE.search(text):
            yield text


def _rules(root: Any) -> dict[str, Style]:
    """Return the styles of classes (".name") and identifiers ("#name") in the page's own style sheets."""
    found: dict[str, Style] = {}
    for sheet in root.iter("style"):
        text = re.sub(r"/\*.*?\*/", "", sheet.text or "", flags=re.DOTALL)
        for match in _RULE.finditer(_MEDIA.sub("", text)):
            style = _declarations(match[2])
            for selector in match[1].split(","):
                simple = _SIMPLE.fullmatch(selector.strip())
                if simple and style:
                    found.setdefault(simple["mark"] + simple["name"], {}).update(style)
    return found


def _declarations(text: str) -> Style:
    pairs = (part.partition(":") for part in text.lower().replace("!important", "").split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if value.strip()}


def _style(node: Any, rules: dict[str, Style]) -> Style:
    style: Style = {}
    for name in (node.get("class") or "").split():
        style |= rules.get(f".{name}", {})
    style |= rules.get(f"#{node.get('id')}", {})
    if node.tag == "font" and node.get("color"):
        style["color"] = node.get("color").lower()
    if node.get("bgcolor"):
        style["background-color"] = node.get("bgcolor").lower()
    return style | _declarations(node.get("style") or "")


def _walk(node: Any, rules: dict[str, Style], ground: Colour | None, ink: Colour | None) -> Iterator[tuple[Any, str]]:
    """Yield the outermost hidden elements; `ground` is the colour behind the element, None when it isn't known."""
    waiting = [(node, ground, ink)]
    while waiting:
        node, ground, ink = waiting.pop()
        if not isinstance(node.tag, str):
            continue
        style = _style(node, rules)
        how = _how(node, style)
        behind = style.get("background-color") or style.get("background")
        if behind and behind not in ("none", "transparent", "inherit", "initial"):
            ground = _colour(behind)
        ink = _colour(style["color"]) if "color" in style else ink
        if (
            not how
            and ink
            and ground
            and not _recoloured(node, rules)
            and all(abs(a - b) <= _ALIKE for a, b in zip(ink, ground, strict=True))
        ):
            how = "in the colour of its background"
        if how and node.tag not in ("html", "body"):
            yield node, how
            continue
        waiting += [(child, ground, ink) for child in node]


def _recoloured(node: Any, rules: dict[str, Style]) -> bool:
    """Say whether something in an element has a colour of its own, so that it may be seen."""
    inner = (_style(child, rules) for child in node.iterdescendants() if isinstance(child.tag, str))
    return any("color" in style or "background" in style or "background-color" in style for style in inner)


def _how(node: Any, style: Style) -> str:
    """Return how an element's style hides it, "" when it does not."""
    font, opacity = style.get("font", ""), style.get("opacity", "1")
    ways = (
        ("not displayed", node.get("hidden") is not None or style.get("display") == "none"),
        ("invisible", style.get("visibility") in ("hidden", "collapse")),
        ("transparent", re.fullmatch(r"0*(\.0*)?%?", opacity) or "opacity(0)" in style.get("filter", "")),
        ("tiny", _at_most(style.get("font-size", ""), _TINY) or re.match(r"(?:\w+ )*0(?:px|pt|em)?[ /]", font)),
        ("off the screen", _is_away(style)),
        ("cut away", _is_cut(style)),
    )
    return next((way for way, is_so in ways if is_so), "")


def _is_away(style: Style) -> bool:
    edges = ("left", "top", "right", "bottom") if style.get("position") in ("absolute", "fixed") else ()
    return any(_away(style.get(edge, "")) for edge in (*edges, "text-indent", "margin-left"))


def _is_cut(style: Style) -> bool:
    sizes = [style.get(size, "") for size in ("width", "height", "max-height")]
    return bool(
        re.match(r"rect\(\s*(0|1px)", style.get("clip", ""))
        or re.match(r"inset\((50|100)%", style.get("clip-path", ""))
        or re.search(r"scale\(\s*0\s*[,)]", style.get("transform", ""))
        or (style.get("overflow") == "hidden" and any(re.fullmatch(r"[01](px|pt)?", size) for size in sizes))
    )


def _at_most(value: str, limits: dict[str, float]) -> bool:
    match = _LENGTH.match(value)
    return bool(match) and _number(match[1]) <= limits[match[2]] if match else False


def _away(value: str) -> bool:
    match = _LENGTH.match(value)
    return bool(match) and _number(match[1]) <= -_AWAY.get(match[2], 500.0) if match else False


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:  # "1.2.3"
        return 1.0


def _colour(value: str) -> Colour | None:
    """Return a colour; None for one that isn't known, such as that of a picture or a name that isn't in our short list."""
    if match := _RGB.search(value):
        return int(match[1]), int(match[2]), int(match[3])
    if match := _HEX.search(value):
        digits = match[1] if len(match[1]) in (6, 8) else "".join(2 * digit for digit in match[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
    return next((rgb for name, rgb in _NAMED.items() if re.search(rf"\b{name}\b", value)), None)
