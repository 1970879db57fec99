"""Draws the filters of the page Ask: which documents a question is asked of."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import date

import streamlit as st

from ui.client import Api
from ui.place import name
from ui.shapes import Document, Filter

KEPT_SECONDS = 15.0
"""How long the list of documents is kept before it is asked for anew."""
FIRST, LAST = date(1900, 1, 1), date(2100, 12, 31)


def choose(api: Api, collection: str | None) -> tuple[Filter | None, str]:
    """Draw the filters, folded away until they are wanted; return what was chosen, also in words; None for all documents."""
    if not st.toggle("Ask only some of the documents", key="filtered"):
        return None, ""
    documents = _documents(api, collection)
    with st.container(border=True):
        first, second, third = st.columns(3)
        with first:
            types = _several("Type", (document.format for document in documents), collection)
        with second:
            kinds = _several("Kind", (document.kind for document in documents), collection)
        with third:
            languages = _several("Language", (document.language for document in documents), collection)
        first, second, third = st.columns(3)  # a second row: on a narrow screen the dates stand together
        with first:
            begin = st.date_input("Dated from", None, FIRST, LAST, key="dated-from", format="YYYY-MM-DD")
        with second:
            end = st.date_input("Dated until", None, FIRST, LAST, key="dated-until", format="YYYY-MM-DD")
        with third:
            path = st.text_input("Path pattern", placeholder="*/contracts/*", key="path-pattern", autocomplete="off")
        chosen = _these(documents, collection)
    found = Filter(
        documents=chosen,
        paths=(path.strip(),) if path.strip() else (),
        types=types,
        kinds=kinds,
        languages=languages,
        date_from=begin,
        date_to=end,
    )
    names = {document.document_id: name(document.path) for document in documents}
    return (found, _said(found, names)) if found.body else (None, "")


def _said(wanted: Filter, names: dict[str, str]) -> str:
    """Return a filter in words, documents by their names."""
    parts = [
        ("type", wanted.types),
        ("kind", wanted.kinds),
        ("language", wanted.languages),
        ("path", wanted.paths),
        ("document", [names.get(document, document) for document in wanted.documents]),
        ("dated from", [str(wanted.date_from)] if wanted.date_from else []),
        ("dated until", [str(wanted.date_to)] if wanted.date_to else []),
    ]
    return "Asked only of documents with " + "; ".join(f"{what} {' or '.join(some)}" for what, some in parts if some)


def _documents(api: Api, collection: str | None) -> list[Document]:
    """Return the documents that can be asked, asked for anew every few seconds only."""
    kept = st.session_state.get("documents-to-ask")
    if kept is None or kept[0] != collection or time.monotonic() - kept[1] > KEPT_SECONDS:
        found = [document for document in api.documents(collection) if document.version is not None]
        kept = st.session_state["documents-to-ask"] = (collection, time.monotonic(), found)
    documents: list[Document] = kept[2]
    return documents


def _several(title: str, values: Iterable[str | None], collection: str | None) -> tuple[str, ...]:
    options = sorted({value for value in values if value})
    return tuple(st.multiselect(title, options, key=f"{title}-{collection}", placeholder="All"))


def _these(documents: list[Document], collection: str | None) -> tuple[str, ...]:
    paths = {document.document_id: document.path for document in documents}
    chosen = st.multiselect(
        "Documents",
        list(paths),
        format_func=lambda document: f"{name(paths.get(document, ''))} ({paths.get(document, 'removed')})",
        key=f"documents-{collection}",
        placeholder="All",
    )
    return tuple(chosen)
