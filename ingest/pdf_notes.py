"""Takes the comments on a PDF page, and the entries of its form that its text has not got."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_NOT_SAID = {"link", "popup", "widget", "fileattachment", "watermark"}
"""Kinds of annotations that are no comment of a person's."""
_DRAWN = {"freetext"}
"""Kinds whose text stands on the page; others show it when somebody opens them."""
_TYPED = {"text", "combobox", "listbox"}
_CHECKED = {"checkbox", "radio"}
_SPACES = re.compile(r"\s+")


def notes_of(page: Any, text: str) -> Iterator[tuple[str, str]]:
    """Yield how it is hidden ("" when it is not) with "Comment: ..." or "name of a field: entry" for a page of liteparse;
    `text` is what was read of it.

    An entry is drawn on the page by the program that filled the form, but not by all of them.
    """
    known = _SPACES.sub("", text)
    for note in page.annotations:
        said = " ".join((note.contents or "").split())
        if said and note.subtype not in _NOT_SAID and _SPACES.sub("", said) not in known:
            yield "" if note.subtype in _DRAWN else "in a comment", f"Comment: {said}"
    for entry in page.form_fields:
        name = " ".join((entry.alternate_name or (entry.name or "").rpartition(".")[2]).split())
        value = " ".join((entry.value or "").split())
        if entry.type in _TYPED and value and _SPACES.sub("", value) not in known:
            yield "", f"{name}: {value}" if name else value
        elif entry.type in _CHECKED and entry.checked and value not in ("", "Off") and name:
            yield "", f"{name}: checked" if value in ("Yes", "On", "1") else f"{name}: checked ({value})"
