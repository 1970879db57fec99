"""The entry of the page that Streamlit runs: navigation, the choice of collection, the state of the server."""

from __future__ import annotations

import os
import time

import streamlit as st

from ui import ask, documents
from ui.client import Api
from ui.inert import show, show_problem, style
from ui.shapes import ApiProblem, Collection, Status

STATUS_SECONDS = 15.0  # the server measures its home folder for it (a docstring here would be drawn on the page)


def connect(url: str) -> Api:
    """Open the client; it is shared by all sessions."""
    return Api(url)


def main() -> None:
    """Draw the page."""
    st.set_page_config(page_title="Reading Room", layout="wide", initial_sidebar_state="auto")
    style()
    url = os.environ.get("READINGROOM_API", "http://127.0.0.1:8000")
    api: Api = st.cache_resource(connect, show_spinner=False)(url)
    chosen: list[str | None] = [None]
    pages = [
        st.Page(lambda: ask.page(api, chosen[0]), title="Ask", url_path="ask", default=True),
        st.Page(lambda: documents.page(api, chosen[0]), title="Documents", url_path="documents"),
    ]
    page = st.navigation(pages)
    try:
        collections = api.collections()
        status, missing = _state(api)
    except ApiProblem as problem:
        show_problem(problem)
        st.button("Try again")
        return
    with st.sidebar:
        chosen[0] = _pick(collections)
        _describe(api, status, missing)
    page.run()


def _pick(collections: list[Collection]) -> str | None:
    """Return the chosen collection, None for all."""
    counts = {collection.name: collection.documents for collection in collections}
    names = ["", *counts]  # counts stay out of the labels: a label that changes loses the choice
    chosen = st.selectbox("Collection", names, format_func=lambda name: name or "All collections", key="collection")
    count = counts.get(chosen, 0) if chosen else sum(counts.values())
    show("1 document" if count == 1 else f"{count:,} documents", "rr-small")
    return chosen or None


def _state(api: Api) -> tuple[Status, list[str]]:
    """Return the server's state, asked for anew every few seconds only."""
    kept = st.session_state.get("state")
    if kept is None or time.monotonic() - kept[0] > STATUS_SECONDS:
        kept = st.session_state["state"] = (time.monotonic(), api.status(), api.missing())
    return kept[1], kept[2]


def _describe(api: Api, status: Status, missing: list[str]) -> None:
    st.divider()
    show("Nothing leaves this machine.", "rr-small")
    show(f"Home folder: {status.home}\nServer: {api.url}\n{status.chunks:,} passages", "rr-small")
    for sentence in missing:
        show(sentence, "rr-problem", "rr-small")


main()
