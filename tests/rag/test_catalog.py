"""The catalog with the real embedder and the real vector index: visibility, replacement, forgetting, rebuilding."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from ingest.elements import INSIDE, Member
from ingest.pipeline import Failed, Recipe, prepare
from ingest.ports import Copied, Job, Task, Version
from ingest.read import PARSER
from rag.build import build_embedder, build_reader, open_store
from rag.catalog import Catalog
from rag.errors import ReadingRoomError
from rag.intake import Intake
from rag.job_rows import MOST_INSIDE
from rag.jobs import Jobs
from rag.library import Library
from rag.publish import Publisher
from rag.schema import chunks, documents, embeddings, versions
from rag.settings import Settings
from rag.store import Store
from rag.vectors import VectorIndex
from rag.version_rows import document_id

MARKER = "qxvandrelark"


@pytest.fixture
def room(settings: Settings) -> Iterator[Library]:
    """An empty library, open."""
    with Library(settings, "tests") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two short documents."""
    place = tmp_path / "docs"
    place.mkdir()
    (place / "harbour.md").write_text("# Harbour\n\nThe pilot boat is called Teal and has two engines.\n")
    (place / "tower.txt").write_text("The tower clock is wound every Monday by the verger.\n")
    return place


class Desk:
    """What the worker holds: a store, an intake, the reader and the embedder, without a process of its own."""

    job: Job

    def __init__(self, settings: Settings) -> None:
        self.store = open_store(settings)
        self.embedder = build_embedder(settings)
        self.intake = Intake(self.store, self.embedder.fingerprint)
        self.catalog = Catalog(self.store)
        self.index = VectorIndex(settings.home / "chroma", self.embedder.fingerprint)
        self.publisher = Publisher(self.store, self.index, self.embedder.fingerprint)
        self._reader = build_reader(settings)

    def version(self, path: Path) -> Version:
        name = document_id("documents", str(path))
        recipe = Recipe(PARSER, self.embedder, 1_000_000)
        made = prepare(Task(str(path), str(path)), name, None, self._reader.read, recipe)
        assert isinstance(made, Version)
        return made

    def close(self) -> None:
        self._reader.close()
        self.index.close()
        self.store.close()


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    opened = Desk(settings)
    Jobs(opened.store).add("documents", ["/nowhere"])
    job = opened.intake.next_job()
    assert job is not None
    opened.job = job
    yield opened
    opened.close()


def text_of(store: Store) -> list[tuple[str, str]]:
    """Return (version text, joined chunk texts) of each document, as one reader sees them."""
    with store.read() as connection:
        found = []
        for row in connection.execute(select(versions.c.document_id, versions.c.text)).all():
            parts = connection.scalars(
                select(chunks.c.text).where(chunks.c.document_id == row.document_id).order_by(chunks.c.ordinal)
            )
            found.append((row.text, "".join(parts)))
        return found


def test_a_version_is_visible_in_one_commit(desk: Desk, folder: Path) -> None:
    """A reader that began before sees the old version whole; one that begins after sees the new one whole."""
    path = folder / "tower.txt"
    desk.intake.list_files(desk.job, [path])
    desk.intake.make_visible(desk.job, Task(str(path), str(path)), desk.version(path))
    path.write_text("The tower clock is electric now and nobody winds it.\n")
    new = desk.version(path)
    with desk.store.read() as before:
        assert before.scalar(select(func.count()).select_from(versions)) == 1  # the reader's view begins here
        desk.intake.make_visible(desk.job, Task(str(path), str(path)), new)
        assert before.scalars(select(chunks.c.text)).all() == before.scalars(select(versions.c.text)).all()
        assert "verger" in str(before.scalar(select(versions.c.text)))
    ((text, joined),) = text_of(desk.store)
    assert text == joined and "electric" in text


def test_a_version_that_cannot_be_stored_changes_nothing(desk: Desk, folder: Path) -> None:
    """When storing a version fails in the middle, the old version stays, whole and found by its words."""
    path = folder / "tower.txt"
    desk.intake.list_files(desk.job, [path])
    desk.intake.make_visible(desk.job, Task(str(path), str(path)), desk.version(path))
    path.write_text("An electric clock.\n")
    good = desk.version(path)
    twice = replace(good, chunks=good.chunks + good.chunks)
    with pytest.raises(ReadingRoomError):
        desk.intake.make_visible(desk.job, Task(str(path), str(path)), twice)
    ((text, joined),) = text_of(desk.store)
    assert text == joined and "verger" in text
    assert desk.catalog.keyword_search(["verger"], ["documents"], 5)
    assert not desk.catalog.keyword_search(["electric"], ["documents"], 5)


def test_words_are_found_before_vectors_exist(desk: Desk, folder: Path) -> None:
    """A document is searchable by keyword as soon as it is read, and ready once its vectors are published."""
    path = folder / "harbour.md"
    desk.intake.list_files(desk.job, [path])
    desk.intake.make_visible(desk.job, Task(str(path), str(path)), desk.version(path))
    desk.publisher.run()
    assert desk.catalog.documents()[0].state == "searchable"
    assert desk.catalog.keyword_search(["engines"], ["documents"], 5)
    texts = desk.intake.texts_to_embed(desk.job, 100)
    vectors = desk.embedder.embed([text for _, text in texts])
    desk.intake.put_vectors(desk.job, list(zip([key for key, _ in texts], vectors, strict=True)))
    desk.publisher.run()
    assert desk.catalog.documents()[0].state == "ready"
    assert desk.index.count("documents") == len(texts) == 1


def test_publishing_twice_changes_nothing(desk: Desk, folder: Path) -> None:
    """A publication that is repeated, as after a kill, leaves the same vectors."""
    path = folder / "harbour.md"
    desk.intake.list_files(desk.job, [path])
    desk.intake.make_visible(desk.job, Task(str(path), str(path)), desk.version(path))
    texts = desk.intake.texts_to_embed(desk.job, 100)
    desk.intake.put_vectors(desk.job, [(key, desk.embedder.embed([text])[0]) for key, text in texts])
    desk.publisher.run()
    with desk.store.write() as connection:
        connection.execute(documents.update().values(state="embedded"))
    desk.publisher.run()
    assert desk.index.count("documents") == 1 and desk.catalog.documents()[0].state == "ready"


def test_changed_and_removed_files(room: Library, folder: Path) -> None:
    """Ingesting a folder again replaces what changed, adds what is new and removes what is gone, everywhere."""
    assert room.ingest([folder], "documents").added == 2
    (folder / "harbour.md").write_text("# Harbour\n\nThe pilot boat was sold and a drone took its place.\n")
    (folder / "tower.txt").unlink()
    (folder / "bridge.txt").write_text("The bridge opens at high water.\n")
    report = room.ingest([folder], "documents")
    assert (report.added, report.updated, report.unchanged, report.removed) == (1, 1, 0, 1)
    hits = room.search("pilot boat engines, verger and tower clock").hits
    assert {Path(hit.path).name for hit in hits} == {"harbour.md", "bridge.txt"}
    assert not any("engines" in hit.text or "verger" in hit.text for hit in hits)
    assert room.publisher.rebuild() == sum(item.chunks for item in room.documents()) == len(hits)


def test_forgetting_leaves_no_trace(room: Library, folder: Path, home: Path) -> None:
    """After forgetting, no file of the home folder holds the document's words: index, log, vectors and answers included."""
    secret = f"The {MARKER} protocol is signed in Reykholt. " * 40
    (folder / "secret.txt").write_text(secret + "\n\n" + f"Only {MARKER.upper()} may open it.\n")
    room.ingest([folder], "documents")
    assert room.search(f"{MARKER} protocol").hits[0].path.endswith("secret.txt")
    assert room.ask(f"Where is the {MARKER} protocol signed?").citations
    assert traces(home, MARKER) != []
    room.forget([str(folder / "secret.txt")])
    assert traces(home, MARKER) == []
    room.close()
    assert traces(home, MARKER) == []
    assert {Path(item.path).name for item in Catalog(open_store(room.settings)).documents()} == {
        "harbour.md",
        "tower.txt",
    }


def test_forgetting_leaves_no_trace_of_the_name(room: Library, folder: Path, home: Path) -> None:
    """After forgetting a document the home folder doesn't know its file name any more."""
    (folder / f"{MARKER}.txt").write_text("A document whose name is telling.\n")
    room.ingest([folder], "documents")
    room.forget([str(folder / f"{MARKER}.txt")])
    assert traces(home, MARKER) == []


def test_forgetting_leaves_no_trace_of_earlier_versions(room: Library, folder: Path, home: Path) -> None:
    """After forgetting, the words of versions that were replaced before are gone from the home folder too."""
    (folder / "tower.txt").write_text(f"The {MARKER} rings at noon.\n")
    room.ingest([folder], "documents")
    (folder / "tower.txt").write_text("Nothing rings at noon.\n")
    room.ingest([folder], "documents")
    room.forget([str(folder / "tower.txt")])
    assert traces(home, MARKER) == []


def traces(home: Path, marker: str) -> list[str]:
    """Return the files below `home` that hold the marker in any case, in UTF-8 or UTF-16, cut short or not."""
    wanted = marker[1:-2].lower()  # a keyword index stems words and leaves out the letters that two of them share
    needles = [wanted.encode(), wanted.encode("utf-16-le")]
    files = [file for file in home.rglob("*") if file.is_file()]
    return [file.name for file in files if any(needle in file.read_bytes().lower() for needle in needles)]


def test_same_content_is_embedded_once(room: Library, folder: Path) -> None:
    """Two files with the same content are two documents with one set of vectors; forgetting one keeps them for the other."""
    shutil.copy(folder / "harbour.md", folder / "copy.md")
    room.ingest([folder], "documents")
    with room.store.read() as connection:
        hashes = connection.scalars(select(chunks.c.text_hash)).all()
        assert connection.scalar(select(func.count()).select_from(embeddings)) == len(set(hashes)) == len(hashes) - 1
    first = room.search("pilot boat").hits[0]
    assert {Path(place.path).name for place in (first, *first.also)} == {"harbour.md", "copy.md"}
    room.forget([str(folder / "copy.md")])
    top = room.search("pilot boat").hits[0]
    assert Path(top.path).name == "harbour.md" and set(top.found_by) == {"keyword", "vector"}


def test_moved_folder_embeds_nothing_again(room: Library, folder: Path, tmp_path: Path) -> None:
    """The same files under another path reuse the vectors that the catalog has."""
    room.ingest([folder], "documents")
    with room.store.read() as connection:
        before = set(connection.execute(select(embeddings.c.text_hash, embeddings.c.vector)).all())
    folder.rename(tmp_path / "moved")
    room.ingest([tmp_path / "moved"], "documents")
    with room.store.read() as connection:
        assert set(connection.execute(select(embeddings.c.text_hash, embeddings.c.vector)).all()) == before


def test_a_file_that_becomes_unreadable_keeps_its_last_version(room: Library, folder: Path) -> None:
    """When a file can't be read any more, its last good version stays searchable and the document says so."""
    room.ingest([folder], "documents")
    (folder / "tower.txt").write_bytes(b"")
    assert [Path(item.path).name for item in room.ingest([folder], "documents").failed] == ["tower.txt"]
    found = next(item for item in room.documents() if item.path.endswith("tower.txt"))
    assert found.state == "ready" and "last good version" in found.problems[0]
    assert room.search("verger").hits[0].path.endswith("tower.txt")


def test_chunks_partition_the_text(library: Library) -> None:
    """The chunks of every document, put together, are its extracted text, each at its own place."""
    assert all(text == joined for text, joined in text_of(library.store))
    with library.store.read() as connection:
        for row in connection.execute(select(chunks.c.document_id, chunks.c.start, chunks.c.end, chunks.c.text)):
            assert library.text(row.document_id).text[row.start : row.end] == row.text


def test_no_chunk_is_longer_than_the_embedder_reads(library: Library, settings: Settings) -> None:
    """What is embedded for a chunk, context and text, has at most the 254 tokens that the embedder reads."""
    embedder = build_embedder(settings)
    with library.store.read() as connection:
        rows = connection.execute(select(chunks.c.context, chunks.c.text)).all()
    assert len(rows) > 40
    assert max(embedder.count([f"{row.context}\n{row.text}" for row in rows])) <= 254 == embedder.max_tokens


def test_rebuild_gives_identical_results(filled_home: Path, settings: Settings) -> None:
    """Rebuilt from the catalog, the index gives the same hits with the same scores, and no vector is computed again."""
    questions = ["annual maintenance fee", "who voted against the purchase", "hydrophone drift", "severity 2 response"]
    with Library(settings, "tests") as opened:
        before = [opened.search(question).hits for question in questions]
        vectors = opened.status().vectors_in_catalog
        assert opened.rebuild().vectors == opened.status().chunks
        assert [opened.search(question).hits for question in questions] == before
        assert opened.status().vectors_in_catalog == vectors


def test_the_catalog_is_sound(filled: Path) -> None:
    """SQLite finds nothing wrong with the catalog, its foreign keys or its keyword index."""
    connection = sqlite3.connect(f"file:{filled / 'catalog.sqlite'}?immutable=1", uri=True)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_archives_in_archives_have_an_end(desk: Desk, folder: Path) -> None:
    """Of one file at most 10,000 files inside are noted, at all levels together, read or copied; each container says so."""
    path = folder / "tower.txt"
    desk.intake.list_files(desk.job, [path])
    made = desk.version(path)

    def unpacked(task: Task, number: int) -> Version:
        inside = tuple(Member(f"{n:05}.zip", 1, f"{n:064}") for n in range(number))
        identity = document_id("documents", task.path)
        version = replace(
            made, document_id=identity, version=f"{number:024}", reading=replace(made.reading, members=inside)
        )
        desk.intake.make_visible(desk.job, task, version)
        return version

    outer = Task(str(path), str(path))
    unpacked(outer, 6)
    first, second, third = (replace(outer, path=f"{path}{INSIDE}{n:05}.zip", inside=(f"{n:05}.zip",)) for n in range(3))
    big = unpacked(first, 5990)
    unpacked(second, 5000)
    assert desk.intake.adopt(desk.job, third, Copied(big.version, big.seen), "reader")
    with desk.store.read() as connection:
        inside = connection.scalar(select(func.count()).select_from(documents).where(documents.c.path.like("% » %")))
        rows = connection.execute(select(versions.c.document_id, versions.c.problems)).all()
    said = {row.document_id: row.problems for row in rows}
    assert inside == MOST_INSIDE
    problems = [said[document_id("documents", task.path)] for task in (outer, first, second, third)]
    assert [json.loads(text) for text in problems[:2]] == [[], []]
    assert "996 of the 5,000 files inside were left out" in problems[2]
    assert "5,990 of the 5,990 files inside were left out" in problems[3]


def test_a_file_above_the_limit_says_both_sizes(desk: Desk, folder: Path) -> None:
    """The size and the limit are told apart where they are near each other."""
    (folder / "big.txt").write_bytes(b"x" * 1_300_000)
    with pytest.raises(Failed) as refused:
        desk.version(folder / "big.txt")
    assert refused.value.error.reason == "The file has 1.3 MB, the limit is 1 MB."
