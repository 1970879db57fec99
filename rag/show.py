"""Prints results for a person at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from rag.errors import ReadingRoomError
from rag.shapes import Answer, DocumentStatus, Finding, SearchResult, Status

if TYPE_CHECKING:
    from rag.model_store import ModelStatus

_CONTROL = {code: 0x2400 + code for code in range(32) if code not in (9, 10)} | {
    code: 0xFFFD
    for code in (*range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
"""Control characters, and those that turn the direction of writing → a sign that stands for them: no escape sequence in a
document's text or name may reach the terminal."""


class _Terminal(Console):
    """A console that writes no control character but its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(segment.text.translate(_CONTROL), segment.style)


out = _Terminal(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 200)
err = _Terminal(stderr=True, highlight=False, markup=False, emoji=False)


def note(line: str) -> None:
    """Print one line."""
    out.print(line, soft_wrap=True)


def error(found: ReadingRoomError) -> None:
    """Print an error and its remedy to stderr."""
    err.print(Text(found.message, style="bold red"), soft_wrap=True)
    if found.remedy:
        err.print(found.remedy, soft_wrap=True)


def search_result(result: SearchResult) -> None:
    """Print hits with their places."""
    if not result.hits:
        note("Nothing found.")
    for hit in result.hits:
        out.print(
            Text(f"{hit.rank}. {Path(hit.path).name}, page {hit.page}", style="bold"),
            Text(f"{'  (hidden text)' if hit.hidden else ''}  {hit.heading}", style="dim"),
        )
        note(f"   {' '.join(hit.text.split())[:400]}")
    note(f"{result.timings_ms.get('total', 0):.0f} ms")


@contextmanager
def drafting() -> Iterator[Callable[[str, Any], None]]:
    """Give a function that shows on a terminal what happens while an answer is made; what is printed in the end is checked."""
    with err.status("searching", spinner="line") as line:
        draft = ""

        def update(name: str, value: Any) -> None:
            nonlocal draft
            draft += value if name == "token" else ""
            line.update(Text(f"{len(value)} passages found, reading them" if name == "passages" else f"draft: {draft}"))

        yield update


def answer(answer: Answer) -> None:
    """Print an answer with its citations, and who answered."""
    note(answer.answer)
    for citation in answer.citations:
        note(f"  [{citation.n}] {Path(citation.path).name}, page {citation.page}: “{' '.join(citation.quote.split())}”")
    if answer.outcome == "not_found":
        for hit in answer.passages[:3]:
            note(f"  nearest: {Path(hit.path).name}, page {hit.page}: {' '.join(hit.text.split())[:100]}…")
    who = f"{answer.model.backend} ({answer.model.name})"
    out.print(
        Text(
            f"  {answer.outcome}; answered by {who} in {answer.timings_ms.get('total', 0) / 1000:.1f} s. {answer.note}",
            style="dim",
        )
    )


def documents(found: Sequence[DocumentStatus]) -> None:
    """Print a table of documents."""
    table = Table("id", "collection", "document", "state", "pages", "chunks", "problems", box=None)
    for item in found:
        table.add_row(
            item.document_id,
            item.collection,
            Text(Path(item.path).name),
            item.state,
            str(item.pages),
            str(item.chunks),
            Text("\n".join(item.problems)),
        )
    out.print(table)


def status(found: Status) -> None:
    """Print the numbers of a home folder."""
    for name, value in found.model_dump().items():
        note(f"{name.replace('_', ' ')}: {value}")


def findings(found: Sequence[Finding]) -> None:
    """Print doctor's findings, each with its remedy."""
    styles = {"ok": "green", "warning": "yellow", "error": "bold red"}
    for finding in found:
        line = Text(f"{finding.severity:8}", style=styles[finding.severity])
        line.append(f"{finding.subject}: {finding.message}", style="default")
        out.print(line, soft_wrap=True)
        if finding.remedy:
            note(f"          {finding.remedy}")


def models(found: Sequence[ModelStatus]) -> None:
    """Print a table of models."""
    table = Table("model", "alias", "kind", "installed", "MB", "licence", "for", box=None)
    for item in found:
        table.add_row(
            item.name,
            item.alias,
            item.kind,
            "yes" if item.installed else "no",
            f"{item.bytes / 1e6:.0f}",
            item.licence,
            item.purpose,
        )
    out.print(table)


@contextmanager
def pull_progress(name: str, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows how far a download is, on stderr."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=err, disable=quiet, transient=True
    ) as bars:
        task = bars.add_task(name, total=None)

        def update(stage: str, done: int, total: int) -> None:
            bars.update(task, description=f"{name}: {stage}", total=total or None, completed=done)

        yield update
