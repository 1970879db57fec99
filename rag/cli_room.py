"""Opens the home folder for a command, through the server that holds it or by itself, and prints what the command found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel

from rag import privacy
from rag.settings import Settings, load_settings

if TYPE_CHECKING:
    from rag.jobs import Jobs
    from rag.library import Library
    from rag.remote import Remote, RemoteJobs
    from rag.store import Store

DONE, FAILED, USAGE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def command_settings() -> Settings:
    """Return the settings; what they allow beyond this machine is open from here on."""
    settings = load_settings()
    privacy.seal(settings.network.allowed_hosts)
    return settings


@contextmanager
def opened_room(role: str) -> Iterator[Library | Remote]:
    """Give the running server that holds the home folder, or open the home folder ourselves."""
    from rag.home import Home

    settings = command_settings()
    running = Home(settings.home).running_api()
    if running:
        from rag.remote import Remote

        with Remote(*running) as remote:
            yield remote
    else:
        from rag.library import Library  # loads the catalog and all that answers questions

        with Library(settings, f"readingroom {role}") as library:
            yield library


@contextmanager
def opened_store() -> Iterator[Store]:
    """Open the catalog alone, which is safe beside a process that holds the home folder, as its worker shows."""
    from rag.build import open_store

    store = open_store(command_settings())
    try:
        yield store
    finally:
        store.close()


@contextmanager
def opened_jobs() -> Iterator[Jobs | RemoteJobs]:
    """Give the jobs of the running server, or those in the catalog, whoever works on them."""
    from rag.home import Home

    running = Home(command_settings().home).running_api()
    if running:
        from rag.remote import Remote

        with Remote(*running) as remote:
            yield remote.jobs
    else:
        from rag.jobs import Jobs

        with opened_store() as store:
            yield Jobs(store)


def print_json(value: BaseModel | Sequence[BaseModel]) -> None:
    """Print one JSON document that is harmless to a terminal."""
    rows = [item.model_dump(mode="json") for item in ([value] if isinstance(value, BaseModel) else value)]
    plain = rows[0] if isinstance(value, BaseModel) else rows
    # json escapes the control characters below 32; a terminal obeys some of the others too
    text = re.sub(
        "[\x7f-\x9f\u202a-\u202e\u2066-\u2069]", lambda c: f"\\u{ord(c[0]):04x}", json.dumps(plain, ensure_ascii=False)
    )
    print(text)  # noqa: T201


def print_found(found: Any, as_json: bool, printed: Callable[[Any], None]) -> None:
    """Print what a command found: as one JSON document, or for a person."""
    if as_json:
        print_json(found)
    else:
        printed(found)
