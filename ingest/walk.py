"""Lists the files below some paths, without what `.readingroomignore` files leave out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    Rules = tuple[tuple[Path, GitIgnoreSpec], ...]
    """Folders with the patterns that hold below them, the nearest last."""

IGNORE_FILE = ".readingroomignore"
"""Patterns in gitignore syntax; those in a folder hold for everything below it."""


def walk(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files in sorted order, each once: hidden files, Office lock files, ignored files and symbolic links to
    folders left out.

    A path that is itself a file is yielded as it is. Other things than regular files are yielded too, so that the
    report can name them; so are folders that can't be listed.
    """
    seen: set[Path] = set()
    for path in paths:
        for found in _below(path) if os.path.isdir(path) else (path,):
            if found not in seen:
                seen.add(found)
                yield found


def left_out(name: str) -> bool:
    """Say whether a file's or folder's name alone keeps it out: hidden ones, and lock files of Office programs."""
    return name.startswith((".", "~$")) or (name.startswith("~") and name.lower().endswith(".tmp"))


def _below(top: Path) -> Iterator[Path]:
    """Yield what is below one folder, in the order of names, however deep it goes."""
    waiting: list[tuple[Path, Rules | None]] = [(top, ())]  # the last is next; only folders have rules
    while waiting:
        here, rules = waiting.pop()
        if rules is None:
            yield here
            continue
        try:
            with os.scandir(here) as listing:
                entries = sorted(
                    ((entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in listing),
                    reverse=True,
                )
            if any(name == IGNORE_FILE for name, _, _ in entries):
                rules = (*rules, (here, _patterns(here / IGNORE_FILE)))
        except (OSError, ValueError):
            # A pattern can be malformed. Not knowing what is in it, or what to leave out, the folder itself is reported.
            yield here
            continue
        for name, is_folder, is_link in entries:
            path = here / name
            if not (
                left_out(name) or (rules and _ignored(path, is_folder, rules)) or (is_link and os.path.isdir(path))
            ):
                waiting.append((path, rules if is_folder else None))


def _ignored(path: Path, is_folder: bool, rules: Rules) -> bool:
    """Say what the last matching pattern says, looked for from the nearest folder upwards, as git does."""
    for folder, spec in reversed(rules):
        found = spec.check_file(path.relative_to(folder).as_posix() + "/" * is_folder).include
        if found is not None:
            return found
    return False


def _patterns(file: Path) -> GitIgnoreSpec:
    """Return the patterns of one file; OSError when it can't be read."""
    from pathspec import GitIgnoreSpec  # only folders with such a file need it

    return GitIgnoreSpec.from_lines(file.read_text(encoding="utf-8", errors="replace").splitlines())
