"""The commands that ingest and steer jobs: `readingroom ingest`, `retry`, `jobs`, `pause`, `resume`, `cancel`, `report`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag import show, show_jobs
from rag.cli_room import SOME_FAILED, Json, opened_jobs, opened_room, print_found, print_json

if TYPE_CHECKING:
    from rag.library import Library
    from rag.remote import Remote
    from rag.report_shapes import IngestReport, JobStatus

_ENDED = ("done", "cancelled", "paused")

JobId = Annotated[str, typer.Argument(help="The job's id; see `readingroom jobs`.")]


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    collection: Annotated[str, typer.Option(help="The collection to put them into.")] = "documents",
    watch: Annotated[bool, typer.Option("--watch", help="Go on following the folders until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Read files and folders, and make them searchable; what is unchanged is left as it is."""
    with opened_room("ingest") as room:
        if watch:
            _watch(room, paths, collection, as_json)
            return
        earlier = [job.job_id for job in reversed(room.jobs.list()) if job.stage not in _ENDED]
        with show_jobs.ingest_progress(quiet=as_json) as progress:

            def follow(status: JobStatus) -> None:
                """Show the job that is worked on: those that were stopped come first."""
                progress(next((job for job in map(room.jobs.status, earlier) if job.stage not in _ENDED), status))

            report = room.ingest(paths, collection, follow)
        finished = [job for job in map(room.jobs.status, earlier) if job.stage == "done"]
    for job in finished if not as_json else ():
        show_jobs.finished_first(job)
    _end_with(report, as_json)


def _watch(room: Library | Remote, paths: Sequence[Path], collection: str, as_json: bool) -> None:
    """Ingest folders after every burst of changes, and print what each brought; SIGTERM and Ctrl-C end it."""
    import signal
    import threading

    from rag.watch import watch

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def again() -> None:
        report = room.ingest(paths, collection, allow_empty=True)
        if as_json:
            print(report.model_dump_json(), flush=True)  # noqa: T201
        else:
            show_jobs.ingest_report(report)

    watch([path.expanduser().absolute() for path in paths], again, stop)


def _end_with(report: IngestReport, as_json: bool) -> None:
    print_found(report, as_json, show_jobs.ingest_report)
    if report.failed:
        raise typer.Exit(SOME_FAILED)


def retry(as_json: Json = False) -> None:
    """Read the files that failed once more, those put aside after three crashes too."""
    with opened_room("retry") as room, show_jobs.ingest_progress(quiet=as_json) as progress:
        ended = [room.follow(job_id, progress) for job_id in room.retry()]
    if as_json:
        print_json([status.report for status in ended])
    elif not ended:
        show.note("No file has failed.")
    else:
        for status in ended:
            show_jobs.ingest_report(status.report)
    if any(status.report.failed for status in ended):
        raise typer.Exit(SOME_FAILED)


def jobs(as_json: Json = False) -> None:
    """List the ingest jobs on record, the newest first."""
    with opened_jobs() as queue:
        found = queue.list()
    print_found(found, as_json, show_jobs.jobs)


def pause(job_id: JobId, as_json: Json = False) -> None:
    """Let the worker drop a job after the file or batch it is at; `resume` goes on there."""
    with opened_jobs() as queue:
        _print_job(queue.pause(job_id), as_json)


def resume(job_id: JobId, as_json: Json = False) -> None:
    """Go on with a paused job, until it ends."""
    with opened_room("resume") as room, show_jobs.ingest_progress(quiet=as_json) as progress:
        room.jobs.resume(job_id)
        report = room.follow(job_id, progress).report
    _end_with(report, as_json)


def cancel(job_id: JobId, as_json: Json = False) -> None:
    """End a job: what was read stays searchable, the rest is as if it had not been asked for."""
    with opened_jobs() as queue:
        _print_job(queue.cancel(job_id), as_json)


def _print_job(status: JobStatus, as_json: bool) -> None:
    if as_json:
        print_json(status)
    else:
        show_jobs.jobs([status])


def report(
    job_id: Annotated[str | None, typer.Argument(help="The job's id; the newest when absent.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table with a row a file.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a job made of every file: pages, characters, OCR, problems with what to do about them."""
    with opened_jobs() as queue:
        found = queue.report(job_id)
    if as_json:
        print_json(found)
    elif as_csv:
        from rag.report_csv import report_csv

        sys.stdout.write(report_csv(found))
    else:
        show_jobs.job_report(found)
