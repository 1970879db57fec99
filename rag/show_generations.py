"""Prints for a person at a terminal which index generations there are and how they compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from rag.generation_shapes import Dropped, GenerationStatus, Parity, Switched
from rag.show import note, out

_MEASURES = ("page@1", "page@5", "quote@10", "ndcg@10", "mrr")


def generations(found: Sequence[GenerationStatus]) -> None:
    """Print a table of generations, and the comparison of each that was built beside the live one."""
    if not found:
        note("Nothing was ingested yet.")
        return
    table = Table("model", "backend", "state", "vectors", "missing", "MB", "texts/s", box=None)
    for item in found:
        speed = "" if item.texts_per_second is None else str(item.texts_per_second)
        numbers = str(item.vectors), str(item.missing), f"{item.bytes / 1e6:.1f}", speed
        table.add_row(item.model, item.backend, item.state, *numbers)
    out.print(table)
    for item in found:
        if item.beyond:
            note(f"{item.beyond} texts are longer than {item.model} reads: their ends are found by words only.")
        if item.parity is not None and item.state != "live":
            parity(item.model, item.parity)
        if item.problem:
            note(f"{item.model} was not compared: {item.problem}")
        if item.state == "built":
            note(f"`readingroom reindex --switch` lets {item.model} answer.")


def parity(model: str, found: Parity) -> None:
    """Print how a generation compared with the one that was live."""
    how = "made by rule" if found.made_by_rule else "of the file"
    note(f"{model} against the live embedder, {found.questions} questions {how}:")
    note(
        f"  overlap@10: {found.overlap_vectors:.2f} of the vectors' neighbours, {found.overlap_found:.2f} of what is found"
    )
    table = Table("", "live", model, "difference (95 %)", box=None)
    for name in _MEASURES:
        step = found.difference[name]
        shown = f"{step['difference']:+.3f} ({step['low']:+.3f} to {step['high']:+.3f})"
        table.add_row(name, f"{found.live.quality[name]:.3f}", f"{found.new.quality[name]:.3f}", shown)
    for title, one, other in (
        ("texts/s", found.live.texts_per_second, found.new.texts_per_second),
        ("ms a search", found.live.search_ms, found.new.search_ms),
        ("MB of vectors", round(found.live.bytes / 1e6, 1), round(found.new.bytes / 1e6, 1)),
    ):
        table.add_row(title, str(one), str(other), "")
    out.print(table)


def switched(found: Switched, config: Path | None) -> None:
    """Print which embedder answers now, and what has to be written into the settings for the next start."""
    note(f"{found.live} answers now; {found.before} is kept: `readingroom reindex --back` returns to it.")
    if found.embedded:
        note(f"{found.embedded} texts that came since it was built were embedded.")
    if found.beyond:
        note(f"{found.beyond} texts are longer than it reads: their ends are found by words only.")
    if config is not None:
        model, backend = found.settings["model"], found.settings["backend"]
        note(f"Write it into {config} before the next start: `embedding`, model: {model}, backend: {backend}.")


def dropped(found: Dropped) -> None:
    """Print what was removed."""
    if not found.embedders:
        note("No generation answered before: there is nothing to remove.")
    for name in found.embedders:
        note(f"Removed {name}.")
    if found.embedders:
        note(f"{found.vectors} vectors were removed from the catalog, which uses their room again.")
