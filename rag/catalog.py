"""The reading side of the catalog: documents, text, pages and passages."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Row, and_, case, func, or_, select, text

from ingest.ports import Vectors
from rag.errors import NotFound
from rag.filters import Filter, Scope, scope_of
from rag.former import Former
from rag.keywords import Keywords
from rag.naming import Naming
from rag.passages import Passage, live_passages, nearest_in, passages_of, vectors_of
from rag.schema import (
    chunks,
    documents,
    embeddings,
    former_versions,
    jobs,
    pages,
    versions,
)
from rag.shapes import (
    CollectionStatus,
    DocumentStatus,
    DocumentText,
    FailedFile,
)
from rag.store import Store
from rag.version_rows import below
from rag.whole import Whole


@dataclass(frozen=True, slots=True)
class Source:
    """Where a live version came from: the file on disk, the way to a member of it, and the SHA-256 of its bytes."""

    path: Path
    inside: tuple[str, ...]
    sha256: str
    format: str
    version: str


@dataclass(frozen=True, slots=True)
class Life:
    """Of a document: its live version, since when it is live, and since when the document is known."""

    version: str | None
    since: float | None
    known_since: float | None


_HIDDEN = """
SELECT start, "end" FROM hidden_spans WHERE document_id = ? AND version = ?
UNION SELECT c.start, c."end" FROM former_versions f JOIN former_chunks c ON c.former_id = f.former_id
WHERE f.document_id = ? AND f.version = ? AND c.hidden ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Facets:
    """Whose a document is, of which period and kind, and its date: its own, else the day on which its file was changed last."""

    organisation: str
    period: str
    kind: str
    date: str


class Catalog:
    """Reads of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keywords = Keywords(store)
        self.naming = Naming(store)
        self.former = Former(store)

    @property
    def store(self) -> Store:
        """The database that it reads."""
        return self._store

    # documents

    def documents(self, collection: str | None = None, document_id: str | None = None) -> list[DocumentStatus]:
        """Return the documents in order of their paths. Raise NotFound for an unknown collection or document."""
        query = document_facts().order_by(documents.c.collection, documents.c.path)
        if collection is not None:
            self.require_collections([collection])
            query = query.where(documents.c.collection == collection)
        if document_id is not None:
            query = query.where(documents.c.document_id == document_id)
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        if document_id is not None and not rows:
            raise NotFound(f"There is no document {document_id}.", "List them with `readingroom documents`.")
        return [_document(row) for row in rows]

    def find(self, name: str) -> list[str]:
        """Return the ids of the documents that `name` means: an id, a path in any collection, or a folder of documents."""
        if not name.strip():
            return []
        path = os.path.abspath(Path(name).expanduser())
        inside = documents.c.path.in_({name, path})
        with self._store.read() as connection:
            found = connection.scalars(
                select(documents.c.document_id).where(or_(documents.c.document_id == name, inside))
            ).all()
            return list(found or connection.scalars(select(documents.c.document_id).where(below(path))))

    def failed_files(self, collections: Sequence[str]) -> list[FailedFile]:
        """Return the files of some collections that could not be read when last looked at, in order of their paths."""
        query = select(documents.c.path, documents.c.reason, documents.c.remedy).order_by(documents.c.path)
        with self._store.read() as connection:
            rows = connection.execute(
                query.where(documents.c.collection.in_(list(collections)), documents.c.reason != "")
            ).all()
        return [FailedFile(path=row.path, reason=row.reason, remedy=row.remedy) for row in rows]

    def searchable(self, collections: Sequence[str], wanted: Filter | None) -> int:
        """Return how many documents of some collections have a live version and pass a filter."""
        if wanted is not None:
            return len(self.scope(wanted, collections).document_ids)
        live = and_(documents.c.collection.in_(list(collections)), documents.c.version.is_not(None))
        with self._store.read() as connection:
            return connection.scalar(select(func.count()).select_from(documents).where(live)) or 0

    def text(self, document_id: str, version: str | None = None) -> DocumentText:
        """Return the extracted text of the live version, or of another one that is kept."""
        if version is not None:
            return self._text_of(document_id, version)
        with self._store.read() as connection:
            row = connection.execute(
                select(versions.c.version)
                .join(
                    documents,
                    and_(documents.c.document_id == versions.c.document_id, documents.c.version == versions.c.version),
                )
                .where(documents.c.document_id == document_id)
            ).first()
        if row is None:
            self.documents(document_id=document_id)
            raise NotFound(f"Document {document_id} has no text.", "See its state with `readingroom documents`.")
        return self._text_of(document_id, row.version)

    def _text_of(self, document_id: str, version: str) -> DocumentText:
        with self._store.read() as connection:
            found = None
            for table in (versions, former_versions):
                mine = (table.c.document_id == document_id) & (table.c.version == version)
                found = connection.scalar(select(table.c.text).where(mine).limit(1)) if found is None else found
            hidden = [(row[0], row[1]) for row in connection.exec_driver_sql(_HIDDEN, (document_id, version) * 2)]
        if found is None:
            self.documents(document_id=document_id)
            raise NotFound(
                f"The version {version[:12]} of the document {document_id} is not kept.",
                "How many former versions of a document are kept says `ingest.keep_versions`.",
            )
        return DocumentText(document_id=document_id, version=version, text=found, hidden=hidden)

    def source(self, document_id: str) -> Source:
        """Return where the live version came from; raise NotFound when there is none."""
        with self._store.read() as connection:
            row = connection.execute(
                document_facts()
                .add_columns(versions.c.source_sha256)
                .where(documents.c.document_id == document_id, documents.c.version.is_not(None))
            ).first()
        if row is None:
            raise NotFound(f"There is no readable document {document_id}.", "List them with `readingroom documents`.")
        return Source(Path(row.source), tuple(json.loads(row.inside)), row.source_sha256, row.format, row.version)

    def facets(self, document_ids: Sequence[str]) -> dict[str, Facets]:
        """Return what the live versions of documents are about."""
        live = and_(versions.c.document_id == documents.c.document_id, versions.c.version == documents.c.version)
        query = select(documents.c.document_id, documents.c.modified_ns, versions.c.details).outerjoin(versions, live)
        found = {}
        with self._store.read() as connection:
            for row in connection.execute(query.where(documents.c.document_id.in_(list(document_ids)))):
                details = json.loads(row.details or "{}")
                changed = date.fromtimestamp(row.modified_ns / 1e9).isoformat() if row.modified_ns else ""
                said = details.get("date") or changed
                organisation, period, kind = (details.get(name, "") for name in ("organisation", "period", "kind"))
                found[row.document_id] = Facets(organisation, period, kind, said)
        return found

    def life(self, document_id: str) -> Life | None:
        """Return since when a document and its live version are known, or None for one that is not there."""
        live = and_(versions.c.document_id == documents.c.document_id, versions.c.version == documents.c.version)
        query = select(documents.c.version, versions.c.created, documents.c.known_since)
        with self._store.read() as connection:
            row = connection.execute(
                query.outerjoin(versions, live).where(documents.c.document_id == document_id)
            ).first()
        return None if row is None else Life(row.version, row.created, row.known_since)

    def packed_runs(self, wanted: Sequence[tuple[str, str, int]]) -> dict[tuple[str, str, int], bytes]:
        """Return where the characters of some pages (document, version, number) stand, as `ingest.runs` packs it, live pages
        or former ones."""
        with self._store.read() as connection:
            found = {
                (row[0], row[1], row[2]): row[3]
                for row in connection.exec_driver_sql(_RUNS, (json.dumps(sorted(set(wanted))),))
            }
            for page in set(wanted) - found.keys():
                kept = connection.exec_driver_sql(_FORMER_RUNS, page).first()  # a version may have been live twice
                if kept is not None:
                    found[page] = kept[0]
        return found

    def collections(self) -> list[CollectionStatus]:
        """Return the collections in order of their names."""
        with self._store.read() as connection:
            rows = connection.execute(
                select(documents.c.collection, func.count(documents.c.document_id).label("documents")).group_by(
                    documents.c.collection
                )
            ).all()
            sizes: dict[str, int] = dict(
                connection.execute(select(chunks.c.collection, func.count()).group_by(chunks.c.collection)).all()
            )
        return [
            CollectionStatus(name=row.collection, documents=row.documents, chunks=sizes.get(row.collection, 0))
            for row in sorted(rows, key=lambda row: str(row.collection))
        ]

    def require_collections(self, names: Sequence[str]) -> list[str]:
        """Return `names`, or all collections when it is empty; raise NotFound naming one that doesn't exist."""
        with self._store.read() as connection:
            known = [row[0] for row in connection.exec_driver_sql(_COLLECTIONS)]
        for name in names:
            if name not in known:
                listed = ", ".join(known) or "none yet"
                raise NotFound(f"There is no collection `{name}`.", f"There are: {listed}.")
        return list(names) or known

    # passages

    def keyword_search(
        self,
        words: Sequence[str],
        collections: Sequence[str],
        limit: int,
        other: Sequence[str] = (),
        scope: Scope | None = None,
        whole: Sequence[Whole] = (),
    ) -> list[tuple[Passage, float]]:
        """Return live passages with any of the words, best first, within a scope where one is given: see `Keywords.search`."""
        return self._keywords.search(words, other, collections, limit, scope, whole)

    def scope(self, wanted: Filter, collections: Sequence[str]) -> Scope:
        """Return what a filter leaves of some collections."""
        with self._store.read() as connection:
            return scope_of(connection, wanted, collections)

    def rarity(self, words: Sequence[str]) -> dict[str, float]:
        """Return how rare each word is among the live passages: see `Keywords.rarity`."""
        return self._keywords.rarity(words)

    def passages(self, chunk_ids: Sequence[str]) -> dict[str, Passage]:
        """Return those of the chunks that are live: a vector of an old version finds nothing here."""
        with self._store.read() as connection:
            return live_passages(connection, chunk_ids)

    def passages_of(self, document_id: str) -> list[Passage]:
        """Return the live passages of a document, in order."""
        with self._store.read() as connection:
            return passages_of(connection, document_id)

    def vectors(self, chunk_ids: Sequence[str], embedder: str) -> dict[str, Vectors]:
        """Return the vectors of live chunks, each of shape (dimension,), those that have one."""
        with self._store.read() as connection:
            return vectors_of(connection, chunk_ids, embedder)

    def languages(self, document_ids: Sequence[str]) -> dict[str, str | None]:
        """Return the language of the live version of each of the documents, None where it is not known."""
        return self._keywords.languages(document_ids)

    def paged(self, document_ids: Sequence[str]) -> set[str]:
        """Return those of the documents that have more than one page."""
        return self._keywords.paged(document_ids)

    def in_scope(self, chunk_ids: Sequence[str], scope: Scope) -> set[str]:
        """Return those of the chunks that are in a scope."""
        query = "SELECT c.chunk_id FROM chunks c WHERE c.chunk_id IN (SELECT value FROM json_each(:keys)) AND "
        with self._store.read() as connection:
            rows = connection.execute(
                text(query + scope.condition), {"keys": json.dumps(list(chunk_ids)), **scope.values}
            )
            return {row[0] for row in rows}

    def nearest_in(self, scope: Scope, vector: Vectors, limit: int, embedder: str) -> dict[str, float]:
        """Return the nearest live chunks of a scope with their cosines, by comparing with each: no index, nothing missed."""
        with self._store.read() as connection:
            return nearest_in(connection, scope, vector, limit, embedder)

    def document_frequency(self, words: Sequence[str]) -> tuple[dict[str, int], int]:
        """Return for each word how many live passages contain it, and the number of live passages."""
        return self._keywords.counts(words)

    # numbers

    def numbers(self) -> dict[str, Any]:
        """Return counts for `status`."""
        with self._store.read() as connection:
            exposed = case((documents.c.state == "embedded", "searchable"), else_=documents.c.state)
            states = connection.execute(select(exposed, func.count()).group_by(exposed)).all()
            return {
                "documents": dict(states),
                "chunks": connection.scalar(select(func.count()).select_from(chunks)) or 0,
                "vectors_in_catalog": connection.scalar(select(func.count()).select_from(embeddings)) or 0,
                "jobs_unfinished": connection.scalar(
                    select(func.count()).select_from(jobs).where(jobs.c.stage.not_in(["done", "cancelled"]))
                )
                or 0,
            }


# what every search asks, as text: SQLAlchemy takes longer to put such a query together than SQLite to answer it

_COLLECTIONS = """
WITH RECURSIVE known(name) AS (
    SELECT min(collection) FROM documents
    UNION ALL SELECT (SELECT min(collection) FROM documents WHERE collection > known.name) FROM known WHERE name IS NOT NULL
) SELECT name FROM known WHERE name IS NOT NULL
"""
_RUNS = """
SELECT p.document_id, p.version, p.number, p.runs FROM json_each(?) w CROSS JOIN pages p
ON p.document_id = json_extract(w.value, '$[0]') AND p.version = json_extract(w.value, '$[1]')
AND p.number = json_extract(w.value, '$[2]')
"""
_FORMER_RUNS = """
SELECT p.runs FROM former_versions v JOIN former_pages p ON p.former_id = v.former_id
WHERE v.document_id = ? AND v.version = ? AND p.number = ? LIMIT 1
"""

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


def _document(row: Row[Any]) -> DocumentStatus:
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
