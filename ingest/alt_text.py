"""Says which alternative texts of pictures are content: those that describe what a picture shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

PICTURE = "Picture: "
"""What the alternative text of a picture begins with in a document's text."""

_BY_MACHINE = re.compile(
    r"\s*(?:[(]?(?:description|beschreibung) (?:automatically|automatisch) (?:generated|generiert)[^.\n]*[.)]?"
    r"|AI-generated content may be incorrect[.]?|[(]?KI-generierte Inhalte[^.\n]*[.)]?)\s*",
    re.I,
)
_FILE = re.compile(r"[^\n]*[.](?:png|jpe?g|gif|bmp|svg|webp|tiff?|emf|wmf|ico|heic|pdf)", re.I)
_ADDRESS = re.compile(r"(?:https?://|www[.]|data:|cid:)\S*", re.I)
_EMPTY_WORDS = frozenset(
    "a an the of for and in on to your our this picture image img photo photograph pic logo icon graphic graphics figure fig "
    "screenshot chart diagram graph table map illustration spacer bullet arrow line banner avatar thumbnail untitled "
    "placeholder shape group object rectangle oval bild grafik foto abbildung avec image1 here click".split()
)
_NO_SPACES = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_FEWEST_WORDS, _FEWEST_SIGNS = 2, 6
_LINKED_WORDS = 6


def described(text: str | None, linked: bool = False) -> str:
    """Return "Picture: " with an alternative text that describes something; "" for names of files, decoration and none.

    Words that only say that there is a picture don't count. One that is `linked` is mostly a button: only a longer text
    describes it.
    """
    words = " ".join(_BY_MACHINE.sub(" ", text or "").split())
    if not words or _FILE.fullmatch(words) or _ADDRESS.fullmatch(words):
        return ""
    told = [word for word in re.findall(r"\w+", words.lower()) if word not in _EMPTY_WORDS and not word.isdigit()]
    if not told:
        return ""
    if len(_NO_SPACES.findall(words)) >= _FEWEST_SIGNS and not linked:
        return PICTURE + words
    count = len(words.split())
    enough = count >= _LINKED_WORDS if linked else len(told) >= _FEWEST_WORDS or count >= 2 * _FEWEST_WORDS
    return PICTURE + words if enough else ""


def is_decorative(node: Node) -> bool:
    """Say whether an Office file marks a picture as decoration."""
    return any(str(part.tag).endswith("}decorative") and part.get("val") in ("1", "true") for part in node.iter())


def told_by(root: Node) -> list[str]:
    """Return the alternative texts of the pictures, charts and shapes on a slide or sheet, each once."""
    named = (node for node in root.iter() if str(node.tag).endswith("}cNvPr") and not is_decorative(node))
    return [text for text in dict.fromkeys(described(node.get("descr")) for node in named) if text]
