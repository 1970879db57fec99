"""What is known of documents, each with its live version: the query for it, and its rows in the shapes of the API."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, and_, func, select

from rag.report_shapes import DocumentStatus, FileReport
from rag.schema import chunks, documents, pages, versions

LOW_CONFIDENCE = 0.8
"""A page whose text was read from an image with less than this is flagged."""


def document_facts() -> Any:
    """Return the query for all that is known of documents, each with its live version."""
    sizes = (
        select(
            chunks.c.document_id,
            func.count().label("chunks"),
            func.sum(chunks.c.end - chunks.c.start).label("indexed"),
        )
        .group_by(chunks.c.document_id)
        .subquery()
    )
    paged = (
        select(
            pages.c.document_id,
            func.count().label("pages"),
            func.sum(pages.c.ocr).label("ocr_pages"),
            func.sum(pages.c.confidence < LOW_CONFIDENCE).label("low_confidence_pages"),
        )
        .group_by(pages.c.document_id)
        .subquery()
    )
    live = and_(versions.c.document_id == documents.c.document_id, versions.c.version == documents.c.version)
    return (
        select(
            documents,
            versions.c.problems,
            versions.c.details,
            versions.c.format,
            versions.c.beyond,
            func.length(versions.c.text).label("characters"),
            sizes.c.chunks,
            sizes.c.indexed,
            paged.c.pages,
            paged.c.ocr_pages,
            paged.c.low_confidence_pages,
        )
        .outerjoin(versions, live)
        .outerjoin(sizes, sizes.c.document_id == documents.c.document_id)
        .outerjoin(paged, paged.c.document_id == documents.c.document_id)
    )


def facts_of(row: Row[Any]) -> dict[str, Any]:
    """Return the fields that documents and the files of a report share, from a row of `document_facts`."""
    problems = list(json.loads(row.problems)) if row.problems else []
    if row.reason:
        stale = "The file changed and can't be read any more; its last good version is shown. " if row.version else ""
        problems.insert(0, f"{stale}{row.reason} {row.remedy}".strip())
    return {
        "path": row.path,
        "state": "searchable" if row.state == "embedded" else row.state,
        "format": row.format or "",
        "language": json.loads(row.details).get("language") if row.details else None,
        "pages": row.pages or 0,
        "ocr_pages": row.ocr_pages or 0,
        "low_confidence_pages": row.low_confidence_pages or 0,
        "chunks": row.chunks or 0,
        "characters_extracted": row.characters or 0,
        "characters_indexed": row.indexed or 0,
        "tokens_beyond_embedder": row.beyond or 0,
        "problems": problems,
    }


def file_report(row: Row[Any], known: Row[Any] | None) -> FileReport:
    """Return what a job made of a file, from its row there and, when there still is its document, that of `document_facts`."""
    missed = [f"{row.reason} {row.remedy}"] if row.outcome == "gone" else []  # its document need not say so
    if known is None:
        nothing = dict.fromkeys(
            ("pages", "ocr_pages", "low_confidence_pages", "chunks", "characters_extracted", "characters_indexed",
             "tokens_beyond_embedder"), 0,
        )  # fmt: skip
        return FileReport(
            path=row.path, outcome=row.outcome, state="forgotten", format="", language=None, problems=missed, **nothing
        )
    facts = facts_of(known)
    return FileReport(outcome=row.outcome, **facts | {"problems": [*facts["problems"], *missed]})


def document_status(row: Row[Any]) -> DocumentStatus:
    """Return a document with what it is about; a year is left out beside a quarter of it."""
    details = json.loads(row.details) if row.details else {}
    periods = details.get("period", "").split()
    return DocumentStatus(
        organisation=details.get("organisation", "").splitlines(),
        period=[name for name in periods if not any(other.startswith(f"{name}Q") for other in periods)],
        kind=details.get("kind"),
        date=details.get("date"),
        thread=details.get("thread"),
        document_id=row.document_id,
        collection=row.collection,
        version=row.version,
        container=row.container,
        **facts_of(row),
    )
