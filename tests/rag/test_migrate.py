"""Homes of earlier schemas: opened with everything in them, or refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import inspect

from rag.answers import Answers
from rag.build import build_embedder, open_store
from rag.errors import HomeMismatch
from rag.generations import LIVE
from rag.home import Home
from rag.schema import SCHEMA_VERSION
from rag.settings import Settings
from rag.shapes import Answer

SCHEMA_3 = Path(__file__).with_name("schema_3.sql")


def old_home(settings: Settings, schema: str) -> None:
    """Make a home as Reading Room made it with schema 3, with a document and a kept answer."""
    home = Home(settings.home)
    home.create()
    answer = Answer.model_validate(
        {
            "id": "a1", "question": "When?", "outcome": "answered", "answer": "Monday.", "citations": [], "passages": [],
            "model": {"backend": "extractive", "name": "", "digest": ""}, "tokens": {}, "timings_ms": {},
        }
    )  # fmt: skip
    fields = {"id", "question", "outcome", "answer", "citations", "passages", "model", "tokens", "timings_ms", "note"}
    connection = sqlite3.connect(home.catalog)
    connection.executescript(SCHEMA_3.read_text(encoding="utf-8"))
    facts = [("schema", schema), (LIVE, build_embedder(settings).fingerprint)]
    connection.executemany("INSERT INTO facts VALUES (?, ?)", facts)
    connection.execute(
        "INSERT INTO documents (document_id, collection, path, state, reason, remedy, source, inside, sha256, tried, size,"
        " modified_ns, reader, updated, version) VALUES ('d1', 'c', '/a', 'ready', '', '', '/a', '[]', '', 'v', 1, 1, '', 9, 'v')"
    )
    connection.execute(
        "INSERT INTO versions (document_id, version, source_sha256, format, text, problems, details, beyond, created)"
        " VALUES ('d1', 'v', '', 'txt', 'A text.', '[]', '{}', 0, 7)"
    )
    connection.execute("INSERT INTO answers VALUES ('a1', 8, ?)", (answer.model_dump_json(include=fields),))
    connection.commit()
    connection.close()


def test_a_home_of_schema_3_opens(settings: Settings) -> None:
    """Its documents and answers are there, the new columns are filled, and it has the very tables of a new home."""
    old_home(settings, "3")
    store = open_store(settings)
    kept = Answers(store).get("a1")
    assert kept.answer.answer == "Monday." and kept.record is None and kept.created == 8
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT known_since FROM documents").scalar_one() == 7
        assert (
            connection.exec_driver_sql("SELECT value FROM facts WHERE name = 'schema'").scalar_one() == SCHEMA_VERSION
        )
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    new = open_store(settings.model_copy(update={"home": settings.home.with_name("new")}))
    for name in inspect(new.engine).get_table_names():
        columns = [
            {item["name"]: str(item["type"]) for item in inspect(one.engine).get_columns(name)} for one in (store, new)
        ]
        indexes = [{item["name"] for item in inspect(one.engine).get_indexes(name)} for one in (store, new)]
        keys = [
            {tuple(item["constrained_columns"]) for item in inspect(one.engine).get_foreign_keys(name)}
            for one in (store, new)
        ]
        assert columns[0] == columns[1] and indexes[0] == indexes[1] and keys[0] == keys[1], name
    store.close()
    new.close()
    open_store(settings).close()  # and once more, when nothing is left to do


@pytest.mark.parametrize("schema", ["2", "99"])
def test_another_schema_is_refused_and_left_as_it_is(settings: Settings, schema: str) -> None:
    """A home that is too old or too new is refused with both versions named."""
    old_home(settings, schema)
    with pytest.raises(HomeMismatch, match=f"`{schema}`"):
        open_store(settings)
