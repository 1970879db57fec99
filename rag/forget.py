"""Forgets documents, and looks through the home folder whether anything of their text is left."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from sqlalchemy import Connection, Table, func, select

from rag.catalog import Catalog
from rag.erase import erase_documents, forget_vanished, tidy, vanished, with_members
from rag.errors import NotFound
from rag.home import Home
from rag.report_shapes import Forgotten, Receipt
from rag.schema import answers, chunks, documents, embeddings, former_chunks, former_versions, pages, versions
from rag.schema_jobs import unread_pages
from rag.store import Store

SAMPLES = 12
"""Pieces of removed text that are looked for in the home folder, from as many places of the documents; as many of their
former versions."""
SAMPLE_CHARACTERS = 24
_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed from the catalog, and pieces of its text that no other document has."""

    forgotten: list[Forgotten]
    vectors: int
    answers: int
    files: list[Path]
    samples: list[bytes]


class Forgetter:
    """Removes documents by id, path or folder; the files that were uploaded into the home folder too."""

    def __init__(self, store: Store, catalog: Catalog, home: Home) -> None:
        self._store, self._catalog, self._home = store, catalog, home

    def erase(self, names: Sequence[str]) -> Erased:
        """Remove documents, and the names of files that vanished before a job read them; all or, when one is unknown, none;
        NotFound names it."""
        ids = {name: self._catalog.find(name) for name in names}
        found = list(dict.fromkeys(chain.from_iterable(ids.values())))
        with self._store.read() as connection:
            unknown = next((name for name in names if not ids[name] and not vanished(connection, name)), None)
        if unknown is not None:
            raise NotFound(
                f"There is no document {unknown}.", "List them with `readingroom documents`; nothing was removed."
            )
        with self._store.write() as connection:
            for name in names:
                forget_vanished(connection, name)
            found = with_members(connection, found)
            forgotten = [_facts(connection, identity) for identity in found]
            pieces = [list(_pieces(connection, found, table)) for table in (versions, former_versions, unread_pages)]
            before = _count(connection, embeddings), _count(connection, answers)
            erase_documents(connection, found)
            tidy(connection)
            after = _count(connection, embeddings), _count(connection, answers)
            files = [Path(item.path) for item in forgotten if Path(item.path).is_relative_to(self._home.uploads)]
            files = [file for file in files if file.is_file()]
            for file in files:  # before the commit: killed in between, the document is still there to be forgotten
                file.unlink(missing_ok=True)
            samples = [piece for some in pieces for piece in islice(_own(connection, some), SAMPLES)]
        self._home.make_temporary()  # sweeps what readers that were killed have left there
        self._store.forget_traces()
        return Erased(forgotten, before[0] - after[0], before[1] - after[1], files, samples)

    def receipt(self, erased: Erased) -> Receipt:
        """Search the home folder for what was removed; return what was removed and found."""
        searched, traces = 0, []
        for file in sorted(self._home.folder.rglob("*")):
            if file.is_file() and not file.is_symlink():
                size, hit = _search(file, erased.samples)
                searched += size
                if hit:
                    traces.append(str(file.relative_to(self._home.folder)))
        return Receipt(
            forgotten=erased.forgotten,
            vectors=erased.vectors,
            answers=erased.answers,
            files=[str(file) for file in erased.files],
            samples=len(erased.samples),
            bytes_searched=searched,
            traces=traces,
        )


def _facts(connection: Connection, identity: str) -> Forgotten:
    row = connection.execute(
        select(documents.c.path, func.length(versions.c.text).label("characters"))
        .outerjoin(versions, versions.c.document_id == documents.c.document_id)
        .where(documents.c.document_id == identity)
    ).one()
    counts = {
        name: connection.scalar(select(func.count()).select_from(table).where(table.c.document_id == identity)) or 0
        for name, table in (("chunks", chunks), ("pages", pages), ("former_versions", former_versions))
    }
    return Forgotten(document_id=identity, path=row.path, characters=row.characters or 0, **counts)


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _pieces(connection: Connection, ids: Sequence[str], table: Table) -> Iterator[str]:
    """Yield pieces of the documents' text, as a table of versions has it, from places spread over all of it, always the
    same ones."""
    chosen = random.Random(len(ids)).sample(list(ids), min(len(ids), SAMPLES))
    for identity in chosen:
        texts = connection.scalars(select(table.c.text).where(table.c.document_id == identity).limit(SAMPLES)).all()
        parts = max(1, 2 * SAMPLES // (len(chosen) * max(1, len(texts))))
        for text in texts:
            places = range(0, max(1, len(text) - SAMPLE_CHARACTERS), max(1, len(text) // parts))
            yield from (piece for at in places if len(piece := _piece(text, at)) >= SAMPLE_CHARACTERS // 2)


def _piece(text: str, at: int) -> str:
    """Return some characters of one line that begin with a word."""
    start = text.find(" ", at) + 1
    return text[start : start + SAMPLE_CHARACTERS].split("\n", maxsplit=1)[0]


def _own(connection: Connection, pieces: Sequence[str]) -> Iterator[bytes]:
    return (piece.encode() for piece in pieces if not _stands_elsewhere(connection, piece))


def _stands_elsewhere(connection: Connection, piece: str) -> bool:
    for table in (chunks, former_chunks, unread_pages):
        if connection.scalar(select(table.c.id).where(func.instr(table.c.text, piece) > 0).limit(1)) is not None:
            return True
    return False


def _search(file: Path, wanted: Sequence[bytes]) -> tuple[int, bool]:
    """Return how many bytes a file has and whether it holds one of the pieces."""
    size, found = 0, False
    overlap = max((len(piece) for piece in wanted), default=1) - 1
    tail = b""
    for block in _blocks(file):
        size += len(block)
        window = tail + block
        found = found or any(piece in window for piece in wanted)
        tail = window[-overlap:] if overlap else b""
    return size, found


def _blocks(file: Path) -> Iterator[bytes]:
    try:
        with open(file, "rb") as stream:
            while block := stream.read(_BLOCK):
                yield block
    except FileNotFoundError:  # another process removed it: then there is nothing in it
        return
