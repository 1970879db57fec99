"""The reading side of the catalog: documents, text, pages and passages."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import and_, case, func, or_, select, text

from ingest.ports import Vectors
from rag.document_facts import document_facts, document_status
from rag.errors import NotFound
from rag.filters import Filter, Scope, scope_of
from rag.former import Former
from rag.keywords import Keywords
from rag.naming import Naming
from rag.passages import Passage, live_passages, nearest_in, passages_of, vectors_of
from rag.report_shapes import CollectionStatus, DocumentStatus, DocumentText
from rag.schema import chunks, documents, embeddings, versions
from rag.schema_jobs import jobs
from rag.shapes import FailedFile
from rag.store import Store
from rag.version_rows import below
from rag.version_texts import text_of
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
        self.store = store
        self.keywords = Keywords(store)
        self.naming = Naming(store)
        self.former = Former(store)

    # documents

    def documents(self, collection: str | None = None, document_id: str | None = None) -> list[DocumentStatus]:
        """Return the documents in order of their paths. Raise NotFound for an unknown collection or document."""
        query = document_facts().order_by(documents.c.collection, documents.c.path)
        if collection is not None:
            self.require_collections([collection])
            query = query.where(documents.c.collection == collection)
        if document_id is not None:
            query = query.where(documents.c.document_id == document_id)
        with self.store.read() as connection:
            rows = connection.execute(query).all()
        if document_id is not None and not rows:
            raise NotFound(f"There is no document {document_id}.", "List them with `readingroom documents`.")
        return [document_status(row) for row in rows]

    def find(self, name: str) -> list[str]:
        """Return the ids of the documents that `name` means: an id, a path in any collection, or a folder of documents."""
        if not name.strip():
            return []
        path = os.path.abspath(Path(name).expanduser())
        inside = documents.c.path.in_({name, path})
        with self.store.read() as connection:
            mine = or_(documents.c.document_id == name, inside)
            found = connection.scalars(select(documents.c.document_id).where(mine)).all()
            return list(found or connection.scalars(select(documents.c.document_id).where(below(path))))

    def failed_files(self, collections: Sequence[str]) -> list[FailedFile]:
        """Return the files of some collections that could not be read when last looked at, in order of their paths."""
        query = select(documents.c.path, documents.c.reason, documents.c.remedy).order_by(documents.c.path)
        with self.store.read() as connection:
            theirs = documents.c.collection.in_(list(collections))
            rows = connection.execute(query.where(theirs, documents.c.reason != "")).all()
        return [FailedFile(path=row.path, reason=row.reason, remedy=row.remedy) for row in rows]

    def searchable(self, collections: Sequence[str], wanted: Filter | None) -> int:
        """Return how many documents of some collections have a live version and pass a filter."""
        if wanted is not None:
            return len(self.scope(wanted, collections).document_ids)
        live = and_(documents.c.collection.in_(list(collections)), documents.c.version.is_not(None))
        with self.store.read() as connection:
            return connection.scalar(select(func.count()).select_from(documents).where(live)) or 0

    def text(self, document_id: str, version: str | None = None) -> DocumentText:
        """Return the extracted text of the live version, or of another one that is kept."""
        if version is not None:
            return self._text_of(document_id, version)
        with self.store.read() as connection:
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
        found = text_of(self.store, document_id, version)
        if found is None:
            self.documents(document_id=document_id)
            raise NotFound(
                f"The version {version[:12]} of the document {document_id} is not kept.",
                "How many former versions of a document are kept says `ingest.keep_versions`.",
            )
        return found

    def source(self, document_id: str) -> Source:
        """Return where the live version came from; raise NotFound when there is none."""
        with self.store.read() as connection:
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
        with self.store.read() as connection:
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
        with self.store.read() as connection:
            row = connection.execute(
                query.outerjoin(versions, live).where(documents.c.document_id == document_id)
            ).first()
        return None if row is None else Life(row.version, row.created, row.known_since)

    def collections(self) -> list[CollectionStatus]:
        """Return the collections in order of their names."""
        with self.store.read() as connection:
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
        with self.store.read() as connection:
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
        return self.keywords.search(words, other, collections, limit, scope, whole)

    def stands_in(self, word: str, ids: Sequence[str]) -> bool:
        """Return whether a live passage of one of these documents has a word."""
        return self.keywords.stands_in(word, ids)

    def scope(self, wanted: Filter, collections: Sequence[str]) -> Scope:
        """Return what a filter leaves of some collections."""
        with self.store.read() as connection:
            return scope_of(connection, wanted, collections)

    def rarity(self, words: Sequence[str]) -> dict[str, float]:
        """Return how rare each word is among the live passages: see `Keywords.rarity`."""
        return self.keywords.rarity(words)

    def passages(self, chunk_ids: Sequence[str]) -> dict[str, Passage]:
        """Return those of the chunks that are live: a vector of an old version finds nothing here."""
        with self.store.read() as connection:
            return live_passages(connection, chunk_ids)

    def passages_of(self, document_id: str) -> list[Passage]:
        """Return the live passages of a document, in order."""
        with self.store.read() as connection:
            return passages_of(connection, document_id)

    def vectors(self, chunk_ids: Sequence[str], embedder: str) -> dict[str, Vectors]:
        """Return the vectors of live chunks, each of shape (dimension,), those that have one."""
        with self.store.read() as connection:
            return vectors_of(connection, chunk_ids, embedder)

    def languages(self, document_ids: Sequence[str]) -> dict[str, str | None]:
        """Return the language of the live version of each of the documents, None where it is not known."""
        return self.keywords.languages(document_ids)

    def paged(self, document_ids: Sequence[str]) -> set[str]:
        """Return those of the documents that have more than one page."""
        return self.keywords.paged(document_ids)

    def in_scope(self, chunk_ids: Sequence[str], scope: Scope) -> set[str]:
        """Return those of the chunks that are in a scope."""
        query = "SELECT c.chunk_id FROM chunks c WHERE c.chunk_id IN (SELECT value FROM json_each(:keys)) AND "
        with self.store.read() as connection:
            rows = connection.execute(
                text(query + scope.condition), {"keys": json.dumps(list(chunk_ids)), **scope.values}
            )
            return {row[0] for row in rows}

    def nearest_in(self, scope: Scope, vector: Vectors, limit: int, embedder: str) -> dict[str, float]:
        """Return the nearest live chunks of a scope with their cosines, by comparing with each: no index, nothing missed."""
        with self.store.read() as connection:
            return nearest_in(connection, scope, vector, limit, embedder)

    def document_frequency(self, words: Sequence[str]) -> tuple[dict[str, int], int]:
        """Return for each word how many live passages contain it, and the number of live passages."""
        return self.keywords.counts(words)

    # numbers

    def numbers(self) -> dict[str, Any]:
        """Return counts for `status`."""
        with self.store.read() as connection:
            exposed = case((documents.c.state == "embedded", "searchable"), else_=documents.c.state)
            states = connection.execute(select(exposed, func.count()).group_by(exposed)).all()
            unfinished = jobs.c.stage.not_in(["done", "cancelled"])
            return {
                "documents": dict(states),
                "chunks": connection.scalar(select(func.count()).select_from(chunks)) or 0,
                "vectors_in_catalog": connection.scalar(select(func.count()).select_from(embeddings)) or 0,
                "jobs_unfinished": connection.scalar(select(func.count()).select_from(jobs).where(unfinished)) or 0,
            }


# what every search asks, as text: SQLAlchemy takes longer to put such a query together than SQLite to answer it

_COLLECTIONS = """
WITH RECURSIVE known(name) AS (
    SELECT min(collection) FROM documents
    UNION ALL SELECT (SELECT min(collection) FROM documents WHERE collection > known.name) FROM known WHERE name IS NOT NULL
) SELECT name FROM known WHERE name IS NOT NULL
"""
