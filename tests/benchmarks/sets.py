"""Opens the sets of real documents that the benchmarks ask about: where they lie, and the filings, ingested once."""

from __future__ import annotations

import sys
from pathlib import Path

from rag.library import Library
from rag.settings import PROJECT, load_settings

SHARED = PROJECT.parent / "shared"
WORK = PROJECT / "build" / "quality"


def say(line: str) -> None:
    """Print progress."""
    print(f"  {line}", file=sys.stderr, flush=True)


def filings(name: str, data: Path) -> Library:
    """Open a home that holds a set's documents, ingested as an admin would."""
    place = {"chunking": data / "chunking_eval" / "corpora", "kgrag": data / "kgrag_sec10q" / "docs"}.get(
        name, data / "financebench" / "pdfs"
    )
    home = WORK / ("texts" if name == "chunking" else "filings")
    settings = {
        "READINGROOM_HOME": str(home),
        "READINGROOM_INGEST__ROOTS": str(data),
        "READINGROOM_ANSWER__MODEL": "none",
    }
    library = Library(load_settings(settings), "quality")
    report = library.ingest([place], name)
    assert not report.failed, report.failed
    return library
