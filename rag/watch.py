"""Follows folders: ingests them again whenever something in them changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ingest.walk import IGNORE_FILE, left_out
from rag.errors import UsageError

QUIET_MS = 400
"""A burst of changes ends when nothing changed for this long, or after four times as long."""


def watch(folders: Sequence[Path], ingest: Callable[[], None], stop: threading.Event) -> None:
    """Call `ingest` now and after each burst of changes below the folders, until `stop` is set.

    A change that comes while `ingest` runs is followed by another call, so the end state is that of the files.
    """
    import watchfiles  # native library; only this command needs it

    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder.", "Only folders can be watched.")
    changed = threading.Event()
    changed.set()
    listening = threading.Event()
    failure: list[BaseException] = []

    def listen() -> None:
        try:
            for changes in watchfiles.watch(
                *folders,
                watch_filter=_matters,
                debounce=4 * QUIET_MS,
                step=QUIET_MS,
                rust_timeout=500,
                yield_on_timeout=True,
                stop_event=stop,
                raise_interrupt=False,
            ):
                listening.set()
                if changes:
                    changed.set()
        except (OSError, RuntimeError) as error:  # e.g. no more inotify watches
            failure.append(error)
        listening.set()
        changed.set()

    thread = threading.Thread(target=listen, daemon=True, name="watch")
    thread.start()
    listening.wait()
    while not stop.is_set():
        changed.wait()
        changed.clear()
        if failure:
            raise UsageError(
                f"The folders can't be watched: {failure[0]}.",
                "Raise fs.inotify.max_user_watches, or run `readingroom ingest` from time to time.",
            ) from failure[0]
        if not thread.is_alive():
            return
        ingest()


def _matters(_change: object, path: str) -> bool:
    """Say whether a change may matter: hidden and temporary names don't, the file of ignored names does."""
    name = Path(path).name
    return name == IGNORE_FILE or not left_out(name)
