"""Adds documents: a folder of this machine or uploaded files, followed until each is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import streamlit as st

from ui.client import Api
from ui.inert import show, show_problem, table_html
from ui.shapes import ApiProblem, FailedFile, Job

DEFAULT = "documents"
EVERY = 0.7
"""Seconds between two looks at a job."""
STAGES = {
    "queued": "Waiting for the worker",
    "reading": "Reading",
    "embedding": "Embedding",
    "publishing": "Publishing",
    "paused": "Paused",
}
ROWS = 200
"""Files of a report that the page shows; the CSV file has all."""


@dataclass(slots=True)
class Work:
    """The jobs that this session follows and the files that were not even accepted."""

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


def join(api: Api) -> None:
    """Follow the jobs that run already: others began them, or this session did before its page was loaded anew."""
    try:
        running = {job.job_id: job for job in api.unfinished()}
    except ApiProblem as problem:
        show_problem(problem)
        return
    if not running:
        return
    if not work().running:
        st.session_state["work"] = Work()
    for job_id, job in running.items():
        work().jobs.setdefault(job_id, job)


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
    """Draw the progress of the work that this session follows, live, or its report."""
    current = work()
    if current.running:
        st.fragment(_progress, run_every=EVERY)(api)
    elif current.jobs or current.refused:
        _report(api, current)


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
    known = [job for job in current.jobs.values() if job is not None and not job.finished]
    for job in known[:1]:  # the others wait for it
        st.progress(_share(job), progress_line(job))
        _buttons(api, job)
    if len(known) > 1:
        show(f"{len(known) - 1:,} more jobs wait.", "rr-small")


def _share(job: Job) -> float:
    if job.stage == "publishing":
        return 1.0
    done, total = (job.texts_embedded, job.texts) if job.texts else (job.files_done, job.files)
    return min(1.0, done / total) if total else 0.0


def progress_line(job: Job) -> str:
    """Return how far a job is: files, pages, passages, rate and time left."""
    said = f"{STAGES.get(job.stage, job.stage)}: {job.files_done:,} of {job.files:,} files, {job.pages:,} pages read"
    said += f", {job.chunks:,} passages" if job.chunks else ""
    if job.files_per_second and job.stage == "reading":
        said += f", {job.files_per_second:.1f} files a second"
    if job.files_looked_at:
        said += f"; {job.files_looked_at:,} PDFs looked at"
    if job.texts:
        said += f"; {job.texts_embedded:,} of {job.texts:,} passages embedded"
    if job.texts_per_second and job.stage == "embedding":
        said += f", {job.texts_per_second:.0f} a second"
    if job.seconds_left is not None:
        minutes, seconds = divmod(round(job.seconds_left), 60)
        said += f", about {minutes} min {seconds} s left" if minutes else f", about {seconds} s left"
    return said


def _buttons(api: Api, job: Job) -> None:
    paused = job.stage == "paused"
    with st.container(horizontal=True):
        asked: Literal["pause", "resume", "cancel"] | None = None
        if st.button("Resume" if paused else "Pause", key=f"pause-{job.job_id}"):
            asked = "resume" if paused else "pause"
        if st.button("Cancel", key=f"cancel-{job.job_id}"):
            asked = "cancel"
    if asked:
        try:
            api.change_job(job.job_id, asked)
        except ApiProblem as problem:  # e.g. it ended meanwhile
            show_problem(problem)


def _report(api: Api, current: Work) -> None:
    jobs = [job for job in current.jobs.values() if job is not None]
    failed = [*current.refused, *(file for job in jobs for file in job.failed)]
    with st.container(border=True):
        outcomes = ("added", "updated", "moved", "unchanged", "removed")
        counts = [f"{sum(getattr(job, name) for job in jobs):,} {name}" for name in outcomes]
        counts.append(f"{len(failed):,} failed")
        ended = "Cancelled" if any(job.stage == "cancelled" for job in jobs) else "Done"
        show(f"{ended}: {', '.join(counts)}.")
        pages, passages, seconds = (sum(getattr(job, name) for job in jobs) for name in ("pages", "chunks", "seconds"))
        show(f"{pages:,} pages, {passages:,} passages, {seconds:,.1f} seconds", "rr-small")
        if gone := [path for job in jobs for path in job.gone]:
            show(f"{len(gone):,} vanished before being read: {', '.join(gone[:ROWS])}", "rr-small")
        if failed:
            rows = [(file.path, file.reason, file.remedy) for file in failed]
            st.html(table_html(("File", "Why it was not read", "What to do"), rows))
        for job in jobs:
            _every_file(api, job)
        with st.container(horizontal=True):
            if failed and st.button("Try the failed files again"):
                _retry(api)
            if st.button("Close the report"):
                st.session_state["work"] = Work()
                st.rerun()


def _every_file(api: Api, job: Job) -> None:
    """Draw what came of each file of a job, folded, with the whole report to download."""
    with st.expander(f"Every file ({job.files:,})"):
        try:
            files, table = api.report(job.job_id), api.report_csv(job.job_id)
        except ApiProblem as problem:  # the server forgets old jobs
            show_problem(problem)
            return
        heads = ("File", "Outcome", "Pages", "Read by OCR", "Unsure", "Characters", "Indexed", "Passages", "Problems")
        rows = [
            (
                file.path, file.outcome, file.pages, file.ocr_pages, file.low_confidence_pages,
                file.characters_extracted, file.characters_indexed, file.chunks, "\n".join(file.problems),
            )
            for file in files[:ROWS]
        ]  # fmt: skip
        st.html(table_html(heads, rows))
        if len(files) > ROWS:
            show(f"The first {ROWS:,} of {len(files):,} files; the CSV file has all.", "rr-small")
        name = f"report-{job.job_id[:8]}.csv"
        st.download_button("Download as CSV", table, name, "text/csv", key=f"csv-{job.job_id}", on_click="ignore")


def _retry(api: Api) -> None:
    try:
        st.session_state["work"] = Work(dict.fromkeys(api.retry()))
    except ApiProblem as problem:
        show_problem(problem)
        return
    st.rerun()
