"""Lets files into the queue: paths and uploads are checked before anything is stored."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ingest.walk import walk
from rag.catalog import Catalog
from rag.errors import Forbidden, NotFound, UsageError
from rag.home import Home, unusable
from rag.jobs import Jobs, check_collection
from rag.settings import Settings
from rag.version_rows import document_id


@dataclass(frozen=True, slots=True)
class Admission:
    """Checks what is to be ingested into a home, and queues it."""

    settings: Settings
    home: Home
    catalog: Catalog
    jobs: Jobs

    def start(self, paths: Sequence[str | Path], collection: str, *, any_path: bool, allow_empty: bool = False) -> str:
        """Queue files and folders for ingestion; return the job's id. Raise before anything is stored when one is missing,
        none holds a file (unless `allow_empty`), or (unless `any_path`) one is outside `ingest.roots`."""
        absolute = [Path(os.path.normpath(Path(path).expanduser().absolute())) for path in paths]
        if not absolute:
            raise UsageError("No path was given.", "Name a file or a folder.")
        for path in absolute:
            if not any_path:
                self._check_root(path)
            if not os.path.exists(path):
                raise NotFound(f"There is no file or folder {path}.", self._if_gone(path) or "Check the path.")
        for path in absolute:
            known = allow_empty and bool(self.catalog.find(str(path)))
            if next(walk([path]), None) is None and not known:
                raise UsageError(
                    f"There is no file to read in {path}.",
                    self._if_gone(path) or "Hidden files are left out; nothing was changed.",
                )
        return self.jobs.add(collection, [str(path) for path in absolute], allow_empty)

    def upload(self, name: str, content: BinaryIO, collection: str) -> tuple[str, str]:
        """Keep an uploaded file below the home folder and queue it; return (document id, job id)."""
        plain = _upload_name(name)
        check_collection(collection)
        folder = self.home.uploads / document_id(collection, "")
        target, partial = folder / plain, folder / f".{uuid.uuid4().hex}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(partial, "wb") as file:
                shutil.copyfileobj(content, file)
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise unusable(self.home.folder, error) from error
        return document_id(collection, str(target)), self.start([target], collection, any_path=False)

    def _check_root(self, path: Path) -> None:
        roots = [self.settings.path(root) for root in self.settings.ingest.roots] + [self.home.uploads]
        found = path.resolve()
        # The home folder lies below a root by default; what it holds, the owner's token above all, is not for readers.
        own = found.is_relative_to(self.home.folder.resolve()) and not found.is_relative_to(self.home.uploads.resolve())
        if own or not any(found.is_relative_to(root.resolve()) for root in roots):
            raise Forbidden(
                f"{path} is outside the folders that the API may ingest.",
                f"Add its folder to `ingest.roots` in {self.settings.config}, or use `readingroom ingest` in a terminal.",
            )

    def _if_gone(self, path: Path) -> str:
        """Return what to do when files that are known are not there any more: a disk may only not be mounted."""
        known = len(self.catalog.find(str(path)))
        if not known:
            return ""
        return f"{known} documents of it are known and were kept; `readingroom forget {path}` removes them."


def _upload_name(name: str) -> str:
    """Return the last part of an uploaded file's name, safe as a file name; raise UsageError when nothing is left."""
    plain = Path(name.replace("\\", "/")).name.strip()
    if not plain or plain.startswith(".") or len(plain.encode()) > 200 or any(ord(letter) < 32 for letter in plain):
        raise UsageError("The uploaded file has no usable name.", "Give it a visible name of at most 200 bytes.")
    return plain
