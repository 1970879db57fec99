"""Opens the catalog's database, with transactions that are safe beside another process."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.exc import DatabaseError

from rag.errors import HomeMismatch, HomeUnusable, ReadingRoomError
from rag.home import Home, unusable
from rag.migrate import migrate
from rag.schema import FORMER_INDEX, KEYWORD_INDEX, SCHEMA_VERSION, facts, metadata
from rag.schema_jobs import UNREAD_INDEX

CACHE_MB, WORKER_CACHE_MB = 64, 8
"""What a search reads again is kept in memory; what the worker writes is not read again: a long document would only fill it."""
CHECKPOINT_TRIES = 100
"""A tenth of a second apart."""


class Store:
    """The catalog's connections, each with a cache of `cache_mb`. Readers never wait for writers (WAL); writers queue for up
    to a minute."""

    def __init__(self, home: Home, cache_mb: int = CACHE_MB) -> None:
        self.home = home
        self.engine: Engine = create_engine(
            f"sqlite:///{home.catalog}", connect_args={"timeout": 60, "check_same_thread": False}
        )
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "connect", lambda one, _: one.execute(f"PRAGMA cache_size=-{cache_mb * 1024}"))

    def create(self) -> None:
        """Make the tables where they are missing and bring those of an earlier schema up to date, all or nothing; raise
        HomeMismatch for a catalog that is newer, or too old."""
        with self.write() as connection:
            migrate(connection)
            metadata.create_all(connection)
            connection.execute(text(KEYWORD_INDEX))
            connection.execute(text(FORMER_INDEX))
            connection.execute(text(UNREAD_INDEX))
        self.require("schema", SCHEMA_VERSION, "Use the version of Reading Room that made it, or a new home folder.")

    def require(self, name: str, value: str, remedy: str) -> None:
        """Record a fact this home was made with, or raise HomeMismatch naming both values."""
        with self.write() as connection:
            found = connection.scalar(select(facts.c.value).where(facts.c.name == name))
            if found is None:
                connection.execute(facts.insert().values(name=name, value=value))
            elif found != value:
                raise HomeMismatch(
                    f"The home folder {self.home.folder} was made with {name} `{found}`, the settings say `{value}`.",
                    remedy,
                )

    def fact(self, name: str) -> str | None:
        """Return a fact of this home, or None."""
        with self.read() as connection:
            return connection.scalar(select(facts.c.value).where(facts.c.name == name))

    def set_fact(self, name: str, value: str | None) -> None:
        """Record a fact of this home in place of what was known, or with None forget it."""
        with self.write() as connection:
            connection.execute(facts.delete().where(facts.c.name == name))
            if value is not None:
                connection.execute(facts.insert().values(name=name, value=value))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one consistent state."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are committed together, or not at all; translate a full or read-only disk."""
        try:
            with self.engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.commit()
                except BaseException:
                    connection.rollback()
                    raise
        except DatabaseError as error:
            raise _translated(self.home, error) from error

    def forget_traces(self) -> None:
        """Move the write-ahead log into the database and empty it, so that deleted text is gone from both.

        Waits for readers of older states; raises ReadingRoomError when one does not end.
        """
        for _ in range(CHECKPOINT_TRIES):
            if self.empty_log():
                return
            time.sleep(0.1)
        raise ReadingRoomError(
            "What was removed is gone from the catalog, but its log is still in use and could not be emptied.",
            "It is emptied when Reading Room stops, or with the next `readingroom forget`.",
        )

    def empty_log(self) -> bool:
        """Try once to move the write-ahead log into the database and empty it; False while somebody reads an older state."""
        with self.engine.connect() as connection:
            return not connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]

    def state(self) -> tuple[int, ...]:
        """Return what changes whenever anybody commits to the database: size and time of its file and of its log."""
        found: list[int] = []
        for file in (self.home.catalog, self.home.catalog.with_name(self.home.catalog.name + "-wal")):
            try:
                seen = file.stat()
            except FileNotFoundError:  # there is no log while nobody has the database open
                continue
            found += [seen.st_size, seen.st_mtime_ns]
        return tuple(found)

    def close(self) -> None:
        self.engine.dispose()


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves: the driver's way can't say IMMEDIATE
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "busy_timeout=60000",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _translated(home: Home, error: DatabaseError) -> ReadingRoomError:
    cause = error.orig
    words = str(cause)
    if any(sign in words for sign in ("full", "readonly", "disk I/O", "unable to open")):
        return unusable(home.folder, cause or error)
    if "locked" in words:
        return HomeUnusable(f"The catalog in {home.folder} stayed locked for a minute.", "See `readingroom status`.")
    if "malformed" in words or "not a database" in words:
        return HomeUnusable(
            f"The catalog {home.catalog} is damaged: {words}.",
            "Restore it from a backup, or ingest into a new home folder.",
        )
    return ReadingRoomError(f"The catalog refused a statement: {words}.", "Please report this as a bug.")
