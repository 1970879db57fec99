"""Brings a catalog of an earlier schema up to date: one function a step."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, inspect, text


def migrate(connection: Connection) -> None:
    """Take the steps that a catalog has before it, in the caller's transaction; tables that are new are made by the caller.

    A new catalog has nothing to change. One whose schema no step begins with is left as it is: `Store.require` refuses it.
    """
    if not inspect(connection).has_table("facts"):
        return
    query = text("SELECT value FROM facts WHERE name = 'schema'")
    while (step := STEPS.get(str(connection.scalar(query)))) is not None:
        following, change = step
        change(connection)
        connection.execute(text("UPDATE facts SET value = :value WHERE name = 'schema'"), {"value": following})


def _from_3(connection: Connection) -> None:
    """Former versions, conversations and records of answers. What was replaced before is not known any more."""
    connection.execute(text("CREATE TABLE conversations (conversation_id VARCHAR PRIMARY KEY, created FLOAT NOT NULL)"))
    for column in (
        "record TEXT",
        "conversation_id VARCHAR REFERENCES conversations (conversation_id) ON DELETE CASCADE",
    ):
        connection.execute(text(f"ALTER TABLE answers ADD COLUMN {column}"))
    connection.execute(text("CREATE INDEX answers_conversation ON answers (conversation_id, created)"))
    connection.execute(text("CREATE INDEX answers_created ON answers (created)"))
    connection.execute(text("ALTER TABLE documents ADD COLUMN known_since FLOAT"))
    connection.execute(
        text(
            "UPDATE documents SET known_since = (SELECT min(created) FROM versions v "
            "WHERE v.document_id = documents.document_id)"
        )
    )


def _from_4(connection: Connection) -> None:
    """Descriptions of pictures, in a table that the caller makes: a program before it would take them for hidden text."""


def _from_5(connection: Connection) -> None:
    """Pages that were only looked at, in tables that the caller makes: a program before it would not forget them."""


STEPS: dict[str, tuple[str, Callable[[Connection], None]]] = {
    "3": ("4", _from_3),
    "4": ("5", _from_4),
    "5": ("6", _from_5),
}
"""Schema version → the next one, and what leads there."""
