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

from ingest.elements import INSIDE
from rag.errors import ReadingRoomError
from rag.report_shapes import DocumentStatus, Finding, Status
from rag.shapes import Hit, SearchResult

if TYPE_CHECKING:
    from rag.hardware import Machine
    from rag.model_bench import Measured
    from rag.model_recommend import Recommendation
    from rag.model_store import ModelStatus

QUICK_SECONDS = 60
"""An answer that takes longer is no conversation."""

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


def file_name(path: str) -> str:
    """Return a file's name without its folders; that of a file inside another begins with the outermost one's."""
    outer, mark, inside = path.partition(INSIDE)
    return Path(outer).name + mark + inside


def search_result(result: SearchResult) -> None:
    """Print hits with their places."""
    if not result.hits:
        note("Nothing found.")
    for hit in result.hits:
        out.print(
            Text(f"{hit.rank}. {file_name(hit.path)}, page {hit.page}", style="bold"),
            Text(f"{mark(hit)}  {hit.heading}", style="dim"),
        )
        note(f"   {' '.join(hit.text.split())[:400]}")
        if hit.also:
            note(f"   also: {also(hit)}")
    if result.unread:
        note("Pages with these words in files that are not read yet (their plain text only, no quotes):")
    for page in result.unread:
        out.print(Text(f"   {file_name(page.path)}, page {page.page}", style="bold"))
        note(f"     {page.text}")
    reranked = f", {result.timings_ms['rerank']:.0f} of them reranking" if "rerank" in result.timings_ms else ""
    note(f"{result.timings_ms.get('total', 0):.0f} ms{reranked}")


def mark(hit: Hit) -> str:
    """Return what is to be said of a hit whose text is not simply the document's."""
    if hit.made_by:
        return f"  (description made by {hit.made_by})"
    return "  (hidden text)" if hit.hidden else ""


def also(hit: Hit) -> str:
    """Return where else the text of a hit stands, or more was found on its page, each place once."""
    said = [
        "further on this page"
        if (at.document_id, at.page) == (hit.document_id, hit.page)
        else f"{file_name(at.path)}, page {at.page}"
        for at in hit.also
    ]
    return "; ".join(dict.fromkeys(said))


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


def about(item: DocumentStatus) -> str:
    """Return in a line what a document is about: kind, organisations, periods, date."""
    said = [item.kind, *item.organisation]
    said += [f"for {' '.join(item.period)}" if item.period else "", f"dated {item.date}" if item.date else ""]
    return ", ".join(filter(None, said))


def documents(found: Sequence[DocumentStatus]) -> None:
    """Print a table of documents."""
    table = Table("id", "collection", "document", "type", "about", "state", "pages", "chunks", "problems", box=None)
    for item in found:
        table.add_row(
            item.document_id,
            item.collection,
            Text(file_name(item.path)),
            " ".join(filter(None, [item.format, item.language])),
            Text(about(item)),
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


def progress(line: str) -> None:
    """Say on stderr what is being done."""
    err.print(line, style="dim")


def measured(machine: Machine, found: Sequence[Measured]) -> None:
    """Print a table of what was measured of models, and whether the machine was free for that."""
    table = Table(
        "model",
        "load s",
        "first token s",
        "prompt tokens/s",
        "tokens/s",
        "MB",
        "problem" if any(item.error for item in found) else "",
        box=None,
    )
    for item in found:
        numbers = (item.load_seconds, item.first_token_seconds, item.prompt_tokens_per_second, item.tokens_per_second)
        shown = ["" if item.error else f"{number:g}" for number in numbers]
        table.add_row(f"{item.backend}:{item.model}", *shown, str(item.memory_mb or ""), Text(item.error))
    out.print(table)
    _busy(machine)


def _busy(machine: Machine) -> None:
    """Say that what was measured is too slow, where it is."""
    if machine.busy > 1:
        note(
            f"Other programs keep these cores busy ({machine.busy:g} for each): the speeds are lower than on an idle machine."
        )


def recommended(machine: Machine, found: Sequence[Recommendation]) -> None:
    """Print this machine and the models that fit it."""
    graphics = (
        f"{machine.graphics} with {machine.graphics_memory / 1e9:.0f} GB" if machine.graphics else "no graphics card"
    )
    note(
        f"{machine.cores} cores, {machine.memory / 1e9:.0f} GB of memory ({machine.memory_free / 1e9:.0f} free), {graphics}, "
        f"{machine.disk_free / 1e9:.0f} GB of disk free"
    )
    if found:
        window = max(item.window for item in found)
        note(
            f"What fits with a window of {window:,} tokens, in GB: weights as named first, KV cache, 0.4 for the runtime."
        )
    table = Table("model", "take", "also fit", "GB", "weights", "cache", "tokens/s", "answer s", "licence", box=None)
    for item in found:
        speed = (f"{item.tokens_per_second:g}", f"{item.seconds:.0f}") if item.tokens_per_second else ("?", "?")
        sizes = (f"{item.memory_gb:.1f}", f"{item.weights_gb:.1f}", f"{item.cache_gb:.2f}")
        others = ", ".join(name for name in item.quantisations.split(", ") if name != item.quantisation)
        table.add_row(item.model, f"{item.quantisation} ({item.where})", others, *sizes, *speed, item.licence)
    out.print(table)
    for item in found:
        note(f"{item.model}: {item.command}")
        sees = "; reads pictures" if item.vision else ""
        note(f"    languages: {item.languages}; good prompts: up to {item.good_prompt:,} tokens{sees}")
        if item.note:
            note(f"    {item.note}")
    if found:
        note(
            "`models pull ollama:...` needs an Ollama server; `models pull default` (1.5B) and `small` (135M) need none."
        )
    timed = [item for item in found if item.seconds]
    quick = next((item for item in timed if item.seconds <= QUICK_SECONDS), None)
    if quick is not None:
        note(f"The largest that would answer within {QUICK_SECONDS} s here: {quick.model}.")
    elif timed:
        best = min(timed, key=lambda item: item.seconds)
        note(f"None would answer within {QUICK_SECONDS} s here; {best.model} is nearest, with {best.seconds:.0f} s.")
    elif any(item.where == "memory" for item in found):
        note("?: not measured. `readingroom models pull small`, then leave out `--no-measure`, to have speeds.")
    if timed:
        _busy(machine)
    if not found:
        note("No model of the profiles fits; `readingroom models pull small` needs 0.3 GB of memory.")


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
