"""Prints for a person at a terminal what ingest jobs do, did and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from rag.report_shapes import IngestReport, JobReport, JobStatus, Receipt
from rag.show import err, note, out


@contextmanager
def ingest_progress(quiet: bool) -> Iterator[Callable[[JobStatus], None]]:
    """Give a function that shows how far a job is, on stderr: files, pages, texts, rate and time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[more]}"),
    )
    with Progress(*columns, console=err, disable=quiet, transient=True) as bars:
        files = bars.add_task("files read", total=1, more="")
        texts = bars.add_task("texts embedded", total=1, more="")

        def update(status: JobStatus) -> None:
            report = status.report
            read = f"{report.pages} pages, {report.chunks} chunks, {len(report.failed)} failed"
            read += f", {status.files_looked_at} looked at" if status.files_looked_at else ""
            bars.update(
                files,
                total=max(1, status.files),
                completed=status.files_done,
                more=read + _rate(status.files_per_second),
            )
            left = "" if status.seconds_left is None else f", about {_duration(status.seconds_left)} left"
            bars.update(
                texts, total=max(1, status.texts), completed=status.texts_embedded,
                more=f"{status.stage}{_rate(status.texts_per_second)}{left}",
            )  # fmt: skip

        yield update


def _rate(value: float | None) -> str:
    return "" if value is None else f", {value:.1f}/s"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def ingest_report(report: IngestReport) -> None:
    """Print what a job did, and each file that failed with what to do."""
    note(
        f"{report.added} added, {report.updated} updated, {report.moved} moved, {report.unchanged} unchanged, "
        f"{report.removed} removed, {len(report.failed)} failed; {report.pages} pages, {report.chunks} chunks in "
        f"{report.seconds:.1f} s"
    )
    for path in report.gone:
        note(f"  gone: {path}\n        It vanished before it was read; where it is now, the next ingest finds it.")
    for failed in report.failed:
        note(f"  failed: {failed.path}\n          {failed.reason} {failed.remedy}")
    if report.failed:
        if not report.added + report.updated + report.moved + report.unchanged:
            note("None of the files could be read.")
        note("Failed files are left alone until they change; `readingroom retry` reads them again.")


def finished_first(status: JobStatus) -> None:
    """Print what a job did that was stopped, or began earlier, and came first."""
    begun = datetime.fromtimestamp(status.created).strftime("%Y-%m-%d %H:%M")
    note(f"The job of {begun} was not finished; it was finished first (`readingroom report {status.job_id}`):")
    ingest_report(status.report)
    note("Then this one:")


def jobs(found: Sequence[JobStatus]) -> None:
    """Print a table of jobs."""
    if not found:
        note("There was no ingest job yet.")
        return
    table = Table("job", "begun", "collection", "stage", "files", "failed", "pages", "chunks", "seconds", box=None)
    for item in found:
        table.add_row(
            item.job_id,
            datetime.fromtimestamp(item.created).strftime("%Y-%m-%d %H:%M"),
            Text(item.collection),
            item.stage,
            f"{item.files_done}/{item.files}",
            str(len(item.report.failed)),
            str(item.report.pages),
            str(item.report.chunks),
            f"{item.report.seconds:.0f}",
        )
    out.print(table)


def job_report(found: JobReport) -> None:
    """Print every file of a job, then what is wrong with which, then the sums."""
    table = Table(
        "file", "outcome", "state", "format", "lang", "pages", "chunks", "extracted", "indexed", "OCR", "unsure", "beyond",
        box=None,
    )  # fmt: skip
    for file in found.files:
        table.add_row(
            Text(file.path), file.outcome, file.state, file.format, file.language or "", str(file.pages),
            str(file.chunks), str(file.characters_extracted), str(file.characters_indexed), str(file.ocr_pages),
            str(file.low_confidence_pages), str(file.tokens_beyond_embedder),
        )  # fmt: skip
    out.print(table)
    for file in found.files:
        for problem in file.problems:
            note(f"  {file.path}: {problem}")
    ingest_report(found.job.report)


def receipt(found: Receipt) -> None:
    """Print what was forgotten, and whether anything of it is left."""
    for item in found.forgotten:
        note(f"Forgotten: {item.path} ({item.pages} pages, {item.chunks} chunks, {item.characters} characters)")
    note(
        f"Removed with them: {found.vectors} vectors, {found.answers} stored answers, {len(found.files)} uploaded files."
    )
    if found.traces:
        note(
            f"Text of them is LEFT in: {', '.join(found.traces)}. Run `readingroom forget` again when nothing else runs."
        )
    else:
        note(f"{found.samples} pieces of their text were looked for in {found.bytes_searched:,} bytes: none is left.")
