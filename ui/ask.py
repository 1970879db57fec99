"""The page Ask: a question, the answer as it is written, the places it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import Any

import streamlit as st

from ui import filters
from ui.client import Api
from ui.inert import answer_html, html, label, show, show_problem, show_text, statements_html
from ui.place import name, show_place
from ui.shapes import Answer, ApiProblem, Candidate, Event, Filter, Hit, Model, Place, Searched

OUTCOMES = {
    "answered": "Answered.",
    "partial": "Partly answered.",
    "not_found": "",  # the answer says it
    "clarify": "Choose one, or write which one.",
}


def page(api: Api, collection: str | None) -> None:
    """Draw the page."""
    st.title("Ask your documents")
    with st.form("question", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        question = st.text_input(
            "Question", placeholder="For example: When does the agreement end?", autocomplete="off", key="asked"
        )
        asked = st.form_submit_button("Ask", type="primary")
    try:
        wanted, asked_of = filters.choose(api, collection)
    except ApiProblem as problem:
        show_problem(problem)
        return
    answers: list[Answer] = st.session_state.setdefault("answers", [])
    chosen: Candidate | None = st.session_state.pop("candidate", None)
    if answers and not asked and chosen is None:
        answers[:] = _kept(api, answers)
    begin = st.empty()  # filled when the answer is there: the first one too can be left behind
    if asked or chosen is not None:
        place = st.empty()
        with place.container():
            answer = _follow(api, chosen.label if chosen else question, [collection] if collection else [], wanted)
        if answer is None:
            return
        place.empty()
        answers.insert(0, answer)
        st.session_state.setdefault("asked-of", {})[answer.id] = asked_of
        st.session_state["earlier"] = 0
    if answers:
        begin.button("New conversation", type="tertiary", on_click=_begin_anew)
        _show(api, answers[_choose(answers)])


def _choose(answers: list[Answer]) -> int:
    """Return which answer to show; with more than one there is a box to choose from."""
    if len(answers) == 1:
        return 0
    chosen = st.selectbox(
        "Questions of this session",
        range(len(answers)),
        key="earlier",
        format_func=lambda at: f"{len(answers) - at}. {answers[at].question}",
    )
    return int(chosen)


def _kept(api: Api, answers: list[Answer]) -> list[Answer]:
    """Return the conversation as it is kept now: what was forgotten is gone, what changed since is marked."""
    try:
        return api.conversation(str(st.session_state["conversation"]))[::-1]
    except ApiProblem as problem:
        show_problem(problem)
        return answers


def _begin_anew() -> None:
    """Let the next question stand alone."""
    st.session_state["answers"] = []
    st.session_state["conversation"] = None


def _choose_candidate(candidate: Candidate) -> None:
    st.session_state["candidate"] = candidate


def _follow(api: Api, question: str, collections: list[str], wanted: Filter | None) -> Answer | None:
    """Show what is being done and the text as it comes; return the answer, or None when a problem was shown."""
    try:
        if not st.session_state.get("conversation"):
            st.session_state["conversation"] = api.begin()
        conversation = str(st.session_state["conversation"])
        with closing(api.ask(question, collections, wanted, conversation)) as events:  # type: ignore[type-var]
            with st.spinner("Searching the documents…", show_time=True):
                first = next(events)
            hits = first if isinstance(first, tuple) else ()
            found = "1 passage" if len(hits) == 1 else f"{len(hits)} passages"
            reading = st.empty()
            with st.spinner(f"{found} found, asking the model…", show_time=True):
                lines = [f"{hit.rank}. {name(hit.place.path)}, page {hit.place.page}" for hit in hits]
                reading.html(html("\n".join(lines), "rr-small"))
                second = next(events)
            reading.empty()
            return _write(chain([second], events))
    except ApiProblem as problem:
        show_problem(problem)
        return None


def _write(events: Iterator[Event]) -> Answer:
    draft, place = "", st.empty()
    with st.spinner("Writing; the quotes are checked at the end…"):
        for event in events:
            if isinstance(event, Answer):
                return event
            if isinstance(event, str):
                draft += event
                place.html(answer_html(draft, "rr-draft"))
    raise ApiProblem("The answer broke off before its end.", "Ask again.")


def _show(api: Api, answer: Answer) -> None:
    left, right = st.columns([5, 6], gap="large")
    with left:
        show(answer.question, "rr-question")
        if answer.standalone not in ("", answer.question):
            show(f"Understood as: {answer.standalone}", "rr-small")
        if asked_of := st.session_state.get("asked-of", {}).get(answer.id):
            show(asked_of, "rr-small")
        supported = all(item.supported for item in answer.statements)
        st.html(answer_html(answer.text) if supported else statements_html(answer.statements))
        for number, candidate in enumerate(answer.candidates):
            said = f"{label(candidate.label)} · {label(name(candidate.path))}"
            st.button(said, key=f"candidate-{answer.id}-{number}", on_click=_choose_candidate, args=(candidate,))
        if any(citation.stale for citation in answer.citations):
            show(
                "A document has changed since this answer; the quotes are of the version that it was made from.",
                "rr-stale",
            )
        _show_disagreements(answer)
        show(f"{OUTCOMES.get(answer.outcome, answer.outcome)} {_writer(answer)} {answer.note}".strip(), "rr-small")
        if answer.searched is not None:
            _show_searched(api, answer.standalone or answer.question, answer.searched)
        place = _pick(answer)
        if answer.passages:
            title = "Text of the nearest passages" if answer.outcome == "not_found" else "Passages that were read"
            with st.expander(f"{title} ({len(answer.passages)})"):
                for hit in answer.passages:
                    _show_passage(hit)
        if answer.model.backend != "extractive":
            with st.expander("Which model, exactly"):
                show(_model_lines(answer.model), "rr-small")
        show(_small_print(answer), "rr-small")
    with right:
        if place is not None:
            show_place(api, place)


def _show_disagreements(answer: Answer) -> None:
    for sides in answer.disagreements:
        only_former = all(side.until for side in sides[1:])
        show("A former version said otherwise:" if only_former else "The documents disagree:", "rr-stale")
        for side in sides:
            when = f"until {side.until}" if side.until else side.date or "no date"
            show(f"{when}, {name(side.place.path)}, page {side.place.page}", "rr-small")
            show_text(side.place.quote)


def _show_searched(api: Api, question: str, searched: Searched) -> None:
    """Say what was searched, which files could not be or wait to be read, and which pages of these have the question's words."""
    passing = " that pass the filter" if searched.filtered else ""
    show(f"Searched: {searched.documents} documents{passing} in {', '.join(searched.collections)}.", "rr-small")
    if searched.waiting:
        show(f"Not searched yet, because a job has still to read them: {searched.waiting:,} of the files.", "rr-small")
        for found in [] if searched.filtered else api.unread(question, searched.collections):
            show(f"{name(found.path)}, page {found.page} (plain text, no quote)", "rr-small")
            show_text(found.text)
    if searched.failures:
        with st.expander(f"Files that could not be read, so were not searched ({searched.failures})"):
            for path, reason in searched.failed:
                show(name(path))
                show(f"{path}\n{reason}", "rr-small")


def _pick(answer: Answer) -> Place | None:
    """Return the place to show beside the answer, chosen among its citations or, without any, its passages."""
    cited = [(f"[{item.n}] stale" if item.stale else f"[{item.n}]", item.place) for item in answer.citations]
    near = [(f"{hit.rank}.", hit.place) for hit in answer.passages]
    places = cited or near
    if not places:
        return None

    def described(at: int) -> str:
        sign, place = places[at]
        return f"{label(sign)} {label(name(place.path))} page {place.page}"

    heading = "Citations" if cited else "Passages" if answer.outcome == "clarify" else "Nearest passages"
    chosen: Any = st.radio(heading, range(len(places)), format_func=described, key=f"place-{answer.id}")
    return places[int(chosen)][1]


def _writer(answer: Answer) -> str:
    model = f"the language model {answer.model.name} ({answer.model.backend})"
    if answer.outcome in ("not_found", "clarify"):
        asked = answer.model.backend != "extractive"
        return f"Asked: {model}." if asked else "No language model wrote this."
    if answer.model.backend != "extractive":
        return f"Written by {model}."
    return "Sentences quoted from the documents; no language model wrote this."


def _model_lines(model: Model) -> str:
    """Return what is on record of the model that answered, a line each; what its server doesn't say is named as unknown."""
    lines = [
        f"{model.name}, run by {model.runtime or 'an unknown program'} ({model.backend})",
        f"Weights: {model.digest or 'digest unknown'}, {model.quantisation or 'quantisation unknown'}",
        f"Chat template: {model.template or 'unknown'}",
        f"Asked with temperature {model.temperature:g}, seed {model.seed}, at most {model.max_tokens} tokens, "
        f"in a window of {model.window:,} tokens",
        model.note,
    ]
    return "\n".join(line for line in lines if line)


def _show_passage(hit: Hit) -> None:
    where = f"{hit.rank}. {name(hit.place.path)}, page {hit.place.page}"
    show(where + (f" · {hit.heading}" if hit.heading else ""))
    by = f"found by {' and '.join(hit.found_by)}" + (
        ", put in order by the reranker" if hit.reranked is not None else ""
    )
    show(f"{hit.place.path} · collection {hit.collection} · {by}", "rr-small")
    if hit.made_by:
        show(f"A description of a picture, made by {hit.made_by}: not text of the document.", "rr-small")
    show_text(hit.place.quote)
    if hit.also:
        show(f"Also: {'; '.join(_also(hit))}", "rr-small")


def _also(hit: Hit) -> list[str]:
    """Return where else the same text stands, or more was found on the page, each place once."""
    here = (hit.place.document_id, hit.place.page)
    said = (
        "further on this page" if (at.document_id, at.page) == here else f"{name(at.path)}, page {at.page}"
        for at in hit.also
    )
    return list(dict.fromkeys(said))


def _small_print(answer: Answer) -> str:
    laps = sorted(answer.timings_ms.items(), key=lambda lap: lap[0] == "total")
    said = [f"{lap} {milliseconds:,.0f} ms" for lap, milliseconds in laps]
    if answer.tokens_sent:
        said += [f"{answer.tokens_sent:,} tokens sent", f"{answer.tokens_generated:,} written"]
    return " · ".join(said)
