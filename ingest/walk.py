"""Lists the files below some paths, without what `.readingroomignore` files leave out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

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
        for found in _below(path, ()) if os.path.isdir(path) else (path,):
            if found not in seen:
                seen.add(found)
                yield found


def left_out(name: str) -> bool:
    """Say whether a file's or folder's name alone keeps it out: hidden ones, and lock files of Office programs."""
    return name.startswith((".", "~$")) or (name.startswith("~") and name.lower().endswith(".tmp"))


def _below(folder: Path, rules: tuple[tuple[Path, GitIgnoreSpec], ...]) -> Iterator[Path]:
    """Yield what is below one folder; `rules` are the patterns of the folders above it, the nearest last."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        if any(entry.name == IGNORE_FILE for entry in entries):
            rules = (*rules, (folder, _patterns(folder / IGNORE_FILE)))
    except (
        OSError,
        ValueError,
    ):  # a pattern can be malformed; not knowing what is in it, or what to leave out, the folder itself is reported
        yield folder
        return
    for entry in entries:
        if left_out(entry.name):
            continue
        here = folder / entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if rules and _ignored(here, is_folder, rules):
            continue
        if is_folder:
            yield from _below(here, rules)
        elif not (entry.is_symlink() and os.path.isdir(here)):
            yield here


def _ignored(path: Path, is_folder: bool, rules: tuple[tuple[Path, GitIgnoreSpec], ...]) -> bool:
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
