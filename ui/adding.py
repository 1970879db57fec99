"""Adds documents: a folder of this machine or uploaded files, followed until each is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from ui.client import Api, ApiProblem, FailedFile, Job
from ui.inert import show, show_problem, table_html

DEFAULT = "documents"
EVERY = 0.7
"""Seconds between two looks at a job."""
STAGES = {
    "queued": "Waiting for the worker",
    "reading": "Reading",
    "embedding": "Embedding",
    "publishing": "Publishing",
}


@dataclass(slots=True)
class Work:
    """The jobs that this session started and the files that were not even accepted."""

    jobs: dict[str, Job | None] = field(default_factory=dict)
    refused: list[FailedFile] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Whether a job is not done yet."""
        return any(job is None or not job.finished for job in self.jobs.values())


def work() -> Work:
    """Return this session's work."""
    found: Work = st.session_state.setdefault("work", Work())
    return found


def forms(api: Api, collection: str | None) -> None:
    """Draw the two forms to add documents with."""
    folder, upload = st.tabs(["Add a folder of this machine", "Upload files"])
    with folder, st.form("folder", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            path = st.text_input("Folder or file", placeholder="/home/ada/contracts", autocomplete="off")
            into = st.text_input("Into collection", collection or DEFAULT, key=f"folder-into-{collection}", width=220)
            asked = st.form_submit_button("Add", type="primary")
        if asked:
            _add_folder(api, path.strip(), into.strip())
    with upload, st.form("upload", clear_on_submit=True, border=False):
        files = st.file_uploader("Files", accept_multiple_files=True)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            into = st.text_input("Into collection", collection or DEFAULT, key=f"upload-into-{collection}", width=220)
            asked = st.form_submit_button("Upload", type="primary")
        if asked:
            _upload(api, files, into.strip())


def _add_folder(api: Api, path: str, collection: str) -> None:
    if not path:
        show_problem(ApiProblem("No path was given.", "Name a file or a folder."))
        return
    try:
        job_id = api.ingest(path, collection)
    except ApiProblem as problem:
        show_problem(problem)
        return
    st.session_state["work"] = Work({job_id: None})


def _upload(api: Api, files: Iterable[Any], collection: str) -> None:
    chosen = list(files or ())
    if not chosen:
        show_problem(ApiProblem("No file was chosen.", "Choose one or more files."))
        return
    fresh, bar = Work(), st.progress(0.0, "Uploading…")
    for number, file in enumerate(chosen, start=1):
        try:
            fresh.jobs[api.upload(file.name, file, collection)] = None
        except ApiProblem as problem:
            fresh.refused.append(FailedFile(file.name, problem.detail, problem.remedy))
        bar.progress(number / len(chosen), f"Uploaded {number} of {len(chosen)}")
    bar.empty()
    st.session_state["work"] = fresh


def follow(api: Api) -> None:
    """Draw the progress of this session's work, live, or its report."""
    current = work()
    if current.running:
        st.fragment(_progress, run_every=EVERY)(api)
    elif current.jobs or current.refused:
        _report(current)


def _progress(api: Api) -> None:
    current = work()
    try:
        for job_id, job in current.jobs.items():
            if job is None or not job.finished:
                current.jobs[job_id] = api.job(job_id)
    except ApiProblem as problem:
        show_problem(problem)
        return
    if not current.running:
        st.rerun()
    known = [job for job in current.jobs.values() if job is not None]
    files, done = sum(job.files for job in known), sum(job.files_done for job in known)
    stage = next(job.stage for job in known if not job.finished)
    embedded = sum(job.chunks_embedded for job in known)
    said = f"{STAGES.get(stage, stage)}: {done:,} of {files:,} files read, {embedded:,} passages embedded"
    st.progress(min(1.0, done / files) if files else 0.0, said)


def _report(current: Work) -> None:
    jobs = [job for job in current.jobs.values() if job is not None]
    failed = [*current.refused, *(file for job in jobs for file in job.failed)]
    with st.container(border=True):
        outcomes = ("added", "updated", "unchanged", "removed")
        counts = [f"{sum(getattr(job, name) for job in jobs):,} {name}" for name in outcomes]
        counts.append(f"{len(failed):,} failed")
        show(f"Done: {', '.join(counts)}.")
        pages, passages, seconds = (sum(getattr(job, name) for job in jobs) for name in ("pages", "chunks", "seconds"))
        show(f"{pages:,} pages, {passages:,} passages, {seconds:,.1f} seconds", "rr-small")
        for job in jobs:
            if job.stage == "failed":
                show_problem(ApiProblem(f"The job failed: {job.reason}", "Add the folder again."))
        if failed:
            rows = [(file.path, file.reason, file.remedy) for file in failed]
            st.html(table_html(("File", "Why it was not read", "What to do"), rows))
        if st.button("Close the report"):
            st.session_state["work"] = Work()
            st.rerun()
