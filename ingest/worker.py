"""The worker: takes jobs from the catalog, reads all their files, then embeds all their chunks.

Every file is searchable by keyword before the first vector is computed. Each step ends in one commit, so a worker that
is killed goes on where it was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from ingest.errors import UnreadableFile
from ingest.pipeline import Unchanged, prepare
from ingest.ports import Catalog, Embedder, FileReader, Job, Version
from ingest.split import SPLITTER
from ingest.walk import walk

EMBED_AT_ONCE = 128
"""Texts between two commits: at about 25 a second, a killed worker repeats at most some five seconds of work."""
FILES_AT_ONCE = 64

Log = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Worker:
    """Everything a worker needs, handed in. `readers` are used side by side, one file each."""

    catalog: Catalog
    embedder: Embedder
    readers: Sequence[FileReader]
    parser: str
    identify: Callable[[str, str], str]
    max_bytes: int
    stop: threading.Event
    log: Log

    def run(self, until_idle: bool, poll_seconds: float = 0.5) -> None:
        """Work on jobs until told to stop, or until there are none."""
        try:
            while not self.stop.is_set():
                job = self.catalog.next_job()
                if job is not None:
                    self._run_job(job)
                elif until_idle:
                    return
                else:
                    self.stop.wait(poll_seconds)
        finally:
            for reader in self.readers:
                reader.close()

    def _run_job(self, job: Job) -> None:
        began = time.monotonic()
        if job.stage != "embedding":
            self.catalog.list_files(job, walk([Path(path) for path in job.paths]))
            files = self._read_files(job)
            if self.stop.is_set():
                return
            self.catalog.remove_missing(job)
            self.catalog.set_stage(job, "embedding")
            self.log("read", job=job.job_id, files=files, ms=round((time.monotonic() - began) * 1000))
        began = time.monotonic()
        texts = self._embed(job)
        if self.stop.is_set():
            return
        self.catalog.set_stage(job, "publishing")
        self.log("embedded", job=job.job_id, texts=texts, ms=round((time.monotonic() - began) * 1000))

    def _read_files(self, job: Job) -> int:
        done = 0
        free: SimpleQueue[FileReader] = SimpleQueue()
        for reader in self.readers:
            free.put(reader)
        with ThreadPoolExecutor(len(self.readers)) as pool:
            while not self.stop.is_set() and (paths := self.catalog.pending_files(job, FILES_AT_ONCE)):
                for path, future in self._ahead(pool, free, job, paths):
                    self._commit(job, path, future)
                    done += 1
        return done

    def _ahead(
        self, pool: ThreadPoolExecutor, free: SimpleQueue[FileReader], job: Job, paths: Sequence[str]
    ) -> Iterator[tuple[str, Future[Version | Unchanged]]]:
        """Yield finished files in order while the readers are already at the next ones."""
        waiting: list[tuple[str, Future[Version | Unchanged]]] = []
        for path in paths:
            waiting.append((path, pool.submit(self._prepare, free, job, path)))
            if len(waiting) > len(self.readers):
                yield waiting.pop(0)
            if self.stop.is_set():
                break
        yield from waiting

    def _prepare(self, free: SimpleQueue[FileReader], job: Job, path: str) -> Version | Unchanged:
        reader = free.get()
        try:
            known = self.catalog.known(job.collection, path)
            identity = self.identify(job.collection, path)
            return prepare(Path(path), identity, known, reader, self.parser, self.embedder, self.max_bytes)
        finally:
            free.put(reader)

    def _commit(self, job: Job, path: str, future: Future[Version | Unchanged]) -> None:
        try:
            found = future.result()
        except UnreadableFile as error:
            self.catalog.set_failed(job, path, error.reason, error.remedy)
            return
        except ValueError as error:  # a reader or the splitter broke its promise: this file's problem, not the batch's
            self.log("reader_bug", job=job.job_id, kind=type(error).__name__)
            self.catalog.set_failed(job, path, "Reading this file went wrong inside Reading Room.", "Please report it.")
            return
        if isinstance(found, Unchanged):
            self.catalog.keep_unchanged(job, path, found.size, found.modified_ns, f"{self.parser}+{SPLITTER}")
        else:
            self.catalog.make_visible(job, path, found)

    def _embed(self, job: Job) -> int:
        done = 0
        self.catalog.put_vectors([])  # documents whose texts all have vectors already need no embedding
        while not self.stop.is_set() and (texts := self.catalog.texts_to_embed(job, EMBED_AT_ONCE)):
            vectors = self.embedder.embed([text for _, text in texts])
            self.catalog.put_vectors(list(zip([key for key, _ in texts], vectors, strict=True)))
            done += len(texts)
        return done
