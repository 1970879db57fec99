"""Shows the place a statement rests on: the page with the quote marked, or the text around it."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from ui.client import Api
from ui.inert import RULE, marked_html, show, show_problem, show_text
from ui.shapes import ApiProblem, Document, Place

INSIDE = " » "
AROUND = 300
"""Characters shown before and after a quote."""


def name(path: str) -> str:
    """Return a file's name without its folders; that of a file inside another begins with the outermost one's."""
    outer, mark, inside = path.partition(INSIDE)
    return (PurePath(outer).name or outer) + mark + inside


def show_place(api: Api, place: Place) -> None:
    """Show the page or the text that a quote stands in, if the document is still the one that was cited."""
    try:
        document = api.document(place.document_id)
        if document.version != place.version:
            _show_former(api, place)
        elif PurePath(place.path).suffix.lower() == ".pdf":
            _show_pages(api, place, document)
        else:
            _show_text(api, place)
    except ApiProblem as problem:
        show(f"{name(place.path)}, page {place.page}", "rr-question")
        show_text(place.quote)
        show_problem(problem)


def _show_pages(api: Api, place: Place, document: Document) -> None:
    """Show the cited page, with buttons to the pages before and after."""
    key = f"page-{place.document_id}-{place.start}"
    page = int(st.session_state.get(key, place.page))
    image = api.page_image(place.document_id, page, [(place.start, place.end)] if page == place.page else [])
    show(name(place.path), "rr-question")
    show_text(place.quote, "rr-small")
    with st.container(horizontal=True, vertical_alignment="center"):
        show(f"Page {page} of {document.pages}", "rr-small")
        for text, to in (("Previous page", page - 1), ("Cited page", place.page), ("Next page", page + 1)):
            inside = 1 <= to <= document.pages and to != page
            st.button(text, key=f"{key}-{text}", disabled=not inside, type="tertiary", on_click=_turn, args=(key, to))
    st.image(image, width="stretch", output_format="PNG", alt=f"Page {page} of {name(place.path)}; the quote is marked")
    show(place.path, "rr-small")


def _turn(key: str, page: int) -> None:
    st.session_state[key] = page


def _show_former(api: Api, place: Place) -> None:
    """Show the quote in the version that it was made from; without the text around it where that version is not kept."""
    show("The document has changed since this answer. This is the text that the answer was made from.", "rr-stale")
    try:
        _show_text(api, place)
    except ApiProblem as problem:
        if problem.status != 404:
            raise
        show(f"{name(place.path)}, page {place.page}", "rr-question")
        show_text(place.quote)


def _show_text(api: Api, place: Place) -> None:
    """Show the quote marked within the text around it."""
    found = api.text(place.document_id, place.version)
    text, start, end = found.text, place.start, place.end
    before, after = _around(_covered(text, found.hidden, start, end), start, end)
    show(name(place.path), "rr-question")
    show(f"Page {place.page}", "rr-small")
    st.html(marked_html(before, text[place.start : place.end], after))
    show(place.path, "rr-small")


def _covered(text: str, hidden: tuple[tuple[int, int], ...], start: int, end: int) -> str:
    """Return text in which only spaces stand for what the document does not show, [start, end) left as it is."""
    for low, high in hidden:
        for first, last in ((low, min(high, start)), (max(low, end), high)):
            if first < last:
                text = text[:first] + " " * (last - first) + text[last:]
    return text


def _around(text: str, start: int, end: int) -> tuple[str, str]:
    """Return the text before and after [start, end), cut between words, in tables between rows; a table keeps its header."""
    low, high = max(0, start - AROUND), min(len(text), end + AROUND)
    line = text.rfind("\n", 0, low) + 1
    if text.startswith("|", line):
        low = line
    elif low:
        low = text.find(" ", low, start) + 1 or low
    if high < len(text):
        row_ends = text.find("\n", high)
        in_row = text.startswith("|", text.rfind("\n", 0, high) + 1) and row_ends >= 0
        high = row_ends if in_row else max(text.rfind(" ", end, high), end)
    before = text[low:start]
    if text.startswith("|", low):
        header = _header(text, low)
        before = f"{header}{before}"
        opening = "… \n" if low and not header else ""
    else:
        opening = "… " if low else ""
    closing = "" if high == len(text) else "\n…" if text[:high].endswith("|") else " …"
    return opening + before, text[end:high].rstrip() + closing


def _header(text: str, row: int) -> str:
    """Return the first two lines of the table that the row at `row` is inside, header and rule, or "" where it is the first."""
    first = text[:row].rfind("\n\n") + 2 if "\n\n" in text[:row] else 0
    while first < row and not text.startswith("|", first):
        first = text.find("\n", first, row) + 1 or row
    lines = text[first:row].split("\n")
    return "\n".join(lines[:2]) + "\n" if len(lines) > 2 and RULE.fullmatch(lines[1]) else ""
