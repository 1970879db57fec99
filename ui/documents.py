"""The page Documents: what is in the collections, what is wrong with it, adding and removing."""

from __future__ import annotations

from collections import Counter

import streamlit as st

from ui import adding
from ui.client import Api
from ui.inert import show, show_problem, table_html
from ui.place import name
from ui.shapes import Answer, ApiProblem, Document, Receipt

STATES = {
    "ready": "ready",
    "searchable": "by keyword, vectors follow",
    "queued": "waiting",
    "failed": "failed",
}
ROWS = 100
"""Documents on one page of the table."""
EVERY = 2.0
"""Seconds between two looks at the documents while they are being read."""


def page(api: Api, collection: str | None) -> None:
    """Draw the page."""
    st.title("Documents")
    adding.forms(api, collection)
    adding.join(api)
    adding.follow(api)
    st.divider()
    _receipt()
    st.fragment(_table, run_every=EVERY if adding.work().running else None)(api, collection)
    _remove(api, collection)


def _receipt() -> None:
    """Say once what a removal removed, and whether anything of it was found afterwards."""
    receipt: Receipt | None = st.session_state.pop("receipt", None)
    if receipt is None:
        return
    if receipt.traces:
        show_problem(ApiProblem(f"Text of the document is left in: {', '.join(receipt.traces)}.", "Remove it again."))
    else:
        show(
            f"Removed {receipt.documents:,} document(s). {receipt.samples:,} pieces of the text were looked for in "
            f"{receipt.bytes_searched:,} bytes of the home folder: none is left."
        )


def _table(api: Api, collection: str | None) -> None:
    try:
        documents = api.documents(collection)
    except ApiProblem as problem:
        show_problem(problem)
        return
    if not documents:
        show("There are no documents yet. Add a folder or upload files above.")
        return
    counts = Counter(document.state for document in documents)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        state = st.radio(
            "State",
            ["", *STATES],
            format_func=lambda state: STATES.get(state, "all"),
            horizontal=True,
            key="state-filter",  # no counts in the labels: a label that changes loses the choice
        )
        wanted = st.text_input("Name contains", key="name-filter", autocomplete="off", width=260)
    shown = [
        document
        for document in documents
        if state in ("", document.state) and wanted.strip().lower() in document.path.lower()
    ]
    summary = [f"{counts[state]:,} {meaning}" for state, meaning in STATES.items() if counts[state]]
    show(f"{len(documents):,} documents: {', '.join(summary)}", "rr-small")
    _rows(shown)


def _rows(documents: list[Document]) -> None:
    first = 0
    if len(documents) > ROWS:
        starts = range(0, len(documents), ROWS)
        first = st.selectbox(
            "Rows", starts, format_func=lambda at: f"{at + 1:,} to {min(at + ROWS, len(documents)):,}", width=200
        )
    rows = [
        (
            (name(document.path), document.path.removesuffix(name(document.path))),
            (document.about, " ".join(filter(None, [document.format, document.language]))),
            document.collection,
            STATES.get(document.state, document.state),
            document.pages,
            document.chunks,
            "\n".join(document.problems),
        )
        for document in documents[first : first + ROWS]
    ]
    if rows:
        st.html(table_html(("Document", "About", "Collection", "State", "Pages", "Passages", "Problems"), rows))
    else:
        show("No document fits this filter.")


def _remove(api: Api, collection: str | None) -> None:
    try:
        documents = {document.document_id: document for document in api.documents(collection)}
    except ApiProblem:
        return  # the table has shown it
    if not documents:
        return

    def described(document_id: str) -> str:
        document = documents.get(document_id)
        return f"{name(document.path)} ({document.collection}, {document.path})" if document else ""

    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Remove a document",
            list(documents),
            index=None,
            format_func=described,
            placeholder="Choose a document",
            key="to-remove",
            filter_mode="contains",
        )
        asked = st.button("Remove…", disabled=chosen not in documents)
    if asked and chosen in documents:
        st.dialog("Remove this document?")(_confirm)(api, documents[chosen])


def _confirm(api: Api, document: Document) -> None:
    show(name(document.path), "rr-question")
    show(
        f"From the collection {document.collection}: its text, index entries and vectors go, and so do the answers "
        "that cite it. Your own file stays where it is; a copy that was uploaded is deleted."
    )
    with st.container(horizontal=True):
        if st.button("Remove", type="primary"):
            try:
                receipt = api.forget(document.document_id)
            except ApiProblem as problem:
                show_problem(problem)
                return
            _drop_answers(document.document_id)
            st.session_state["receipt"] = receipt
            st.rerun()
        if st.button("Keep"):
            st.rerun()


def _drop_answers(document_id: str) -> None:
    """Forget the answers of this session that quote a removed document."""
    answers: list[Answer] = st.session_state.get("answers", [])
    st.session_state["answers"] = [
        answer for answer in answers if all(place.document_id != document_id for place in answer.places)
    ]
