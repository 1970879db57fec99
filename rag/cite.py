"""Gives an answer the citations that it rests on, with page and boxes, and one that found nothing what was looked through."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rag.catalog import Catalog
from rag.filters import Filter
from rag.former import AsOf
from rag.places import boxes
from rag.shapes import Citation, Searched
from rag.statements import Stand
from rag.unread import waiting
from rag.words import content_words, stem, stems

FAILED_SHOWN = 10
"""Files that could not be read, of those that an answer "not found" names."""


def cited(stands: Sequence[Stand], catalog: Catalog) -> list[Citation]:
    """Return the citations of the places that an answer rests on, numbered from 1: the very characters of the version's text."""
    return [
        Citation(
            n=number,
            document_id=found.passage.document_id,
            version=found.passage.version,
            path=found.passage.path,
            page=found.passage.page,
            quote=found.passage.text[start - found.passage.start : end - found.passage.start],
            start=start,
            end=end,
            boxes=boxes(catalog, found.passage, start, end),
        )
        for number, (found, start, end) in enumerate(stands, start=1)
    ]


def looked_through(
    catalog: Catalog, collections: Sequence[str], wanted: Filter | None, as_of: AsOf | None, question: str
) -> Searched:
    """Return what a question was asked of, and the files that could not be read, those with its words in their names first."""
    names = catalog.require_collections(collections)
    asked = {stem(word) for word in content_words(question)}
    failed = catalog.failed_files(names)
    failed.sort(key=lambda item: -len(asked & stems(Path(item.path).stem.replace("_", " "))))
    return Searched(
        collections=names,
        documents=catalog.searchable(names, wanted) if as_of is None else as_of.documents,
        filtered=wanted is not None,
        failures=len(failed),
        failed=failed[:FAILED_SHOWN],
        waiting=waiting(catalog, names),
    )
