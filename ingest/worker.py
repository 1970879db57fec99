"""The worker: takes jobs from the catalog, looks at their PDFs, reads all their files, then embeds all their chunks.

Pages of PDFs are found by keyword once they were looked at, every file as it is read, before the first vector is computed. Each
step ends in one commit, so a worker that is killed goes on where it was.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from ingest.ahead import ahead
from ingest.describe import Describing
from ingest.elements import Reading
from ingest.errors import UnreadableFile
from ingest.first_look import first_look
from ingest.pictures import Pictures
from ingest.pipeline import Failed, Recipe, has_to_be_read, prepare
from ingest.ports import Catalog, Copied, FileReader, Job, JobGone, Known, Outcome, Seen, Task, Unchanged
from ingest.walk import walk

EMBED_AT_ONCE = 64
"""Texts between two commits: two to three seconds of work, which a killed worker repeats and a stopped one finishes."""
EMBED_AHEAD = 512
"""Texts that are sorted by length before they are embedded."""
FILES_AT_ONCE = 64
LOOK_AT_ONCE = 2000
"""Files whose size and time are compared with the catalog in one transaction."""

Log = Callable[..., None]
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Worker:
    """Everything a worker needs, handed in. `readers` are used side by side, one file each."""

    catalog: Catalog
    readers: Sequence[FileReader]
    recipe: Recipe
    identify: Callable[[str, str], str]
    stop: threading.Event
    log: Log
    looks_first: bool = True

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
        try:
            if job.stage != "embedding":
                began = time.monotonic()
                if job.stage == "queued":  # once: what was forgotten meanwhile must not come back in the same job
                    self.catalog.list_files(job, walk([Path(path) for path in job.paths]))
                skip_unchanged(self.catalog, job, self.recipe.fingerprint)
                if self.looks_first:
                    self._look_first(job)
                files = self._read_files(job)
                if self.stop.is_set():
                    return
                self.catalog.remove_missing(job)
                self.log("read", job=job.job_id, files=files, ms=round((time.monotonic() - began) * 1000))
                self.catalog.start_embedding(job)
            began = time.monotonic()
            texts = self._embed(job)
            if self.stop.is_set():
                return
            self.catalog.finish(job)
            self.log("embedded", job=job.job_id, texts=texts, ms=round((time.monotonic() - began) * 1000))
        except JobGone:
            self.log("job_left", job=job.job_id)

    def _look_first(self, job: Job) -> None:
        began = time.monotonic()
        with self._reading() as (pool, shared):

            def glance(task: Task) -> Sequence[str]:
                identity, known = self.identify(job.collection, task.path), self.catalog.known(job, [task.path])
                if _leads_out(task, job):
                    return []
                new = has_to_be_read(task, identity, known.get(task.path), self.recipe, self.catalog.has_version)
                return shared.look(Path(task.source)) if new else []

            files = first_look(self.catalog, job, glance, pool, len(self.readers), self.stop.is_set)
        self.log("looked", job=job.job_id, files=files, ms=round((time.monotonic() - began) * 1000))

    def _read_files(self, job: Job) -> int:
        done = 0
        with self._reading() as (pool, shared):
            while not self.stop.is_set() and (tasks := self.catalog.pending(job, FILES_AT_ONCE)):
                known = self.catalog.known(job, [task.path for task in tasks])

                def begin(task: Task, known: dict[str, Known] = known) -> Future[Outcome]:
                    return pool.submit(self._prepare, shared, job, task, known.get(task.path))

                for task, future in ahead(tasks, begin, len(self.readers) + 1, self.stop.is_set):
                    self._commit(job, task, future)
                    done += 1
        return done

    @contextmanager
    def _reading(self) -> Iterator[tuple[ThreadPoolExecutor, _Shared]]:
        """Give the readers and threads to ask them from; when told to stop, end what they are at."""
        shared = _Shared(SimpleQueue(), threading.Event())
        for reader in self.readers:
            shared.free.put(reader)
        pool = ThreadPoolExecutor(len(self.readers) + 1)  # one splits what was read while all readers read
        finished = False
        try:
            yield pool, shared
            finished = not self.stop.is_set()
        finally:
            pool.shutdown(wait=finished, cancel_futures=True)
            if not finished:  # what is being read now is read again later
                shared.left.set()
                for reader in self.readers:
                    reader.interrupt()
                pool.shutdown(wait=True)

    def _prepare(self, shared: _Shared, job: Job, task: Task, known: Known | None) -> Outcome:
        identity = self.identify(job.collection, task.path)
        if _leads_out(task, job):
            outside = "This is a link to a file outside of the folder."
            raise Failed(UnreadableFile(outside, "Ingest that file or its folder."), None, "")
        describing = self._describing(job, identity, shared)
        return prepare(task, identity, known, shared.read, self.recipe, self.catalog.has_version, describing)

    def _describing(self, job: Job, identity: str, shared: _Shared) -> Describing | None:
        """Return what describes the pictures of one file; None when no model is to."""
        describer, catalog = self.recipe.describer, self.catalog
        if describer is None:
            return None
        return Describing(
            describer,
            shared.pictures,
            self.recipe.most_pictures,
            known=lambda: catalog.descriptions(identity, describer.name),
            keep=lambda picture, said: catalog.keep_description(job, identity, describer.name, picture, said),
            stopped=self.stop.is_set,
        )

    def _commit(self, job: Job, task: Task, future: Future[Outcome]) -> None:
        reader = self.recipe.fingerprint
        try:
            found = future.result()
        except Failed as failed:
            self.catalog.set_failed(job, task, failed.error, failed.seen, failed.tried, reader)
            return
        except ValueError as error:  # a reader or the splitter broke its promise: this file's problem, not the batch's
            self.log("reader_bug", job=job.job_id, kind=type(error).__name__)
            broken = UnreadableFile("Reading this file went wrong inside Reading Room.", "Please report it.")
            self.catalog.set_failed(job, task, broken, None, "", reader)
            return
        if isinstance(found, Unchanged):
            self.catalog.keep_unchanged(job, [(task.path, found.seen)], reader)
        elif isinstance(found, Copied):
            if not self.catalog.adopt(job, task, found, reader):
                self.log("copy_gone", job=job.job_id)  # it stays pending and is read in the next round
        else:
            self.catalog.make_visible(job, task, found)

    def _embed(self, job: Job) -> int:
        """Embed the job's texts; while one part is embedded, the one before is committed."""
        done = 0
        with ThreadPoolExecutor(1) as writer:
            while not self.stop.is_set() and (texts := self.catalog.texts_to_embed(job, EMBED_AHEAD)):
                texts.sort(key=lambda pair: len(pair[1]))  # texts of one length waste no padding
                written: Future[None] | None = None
                for at in range(0, len(texts), EMBED_AT_ONCE):
                    if self.stop.is_set():
                        break
                    some = texts[at : at + EMBED_AT_ONCE]
                    vectors = self.recipe.embedder.embed([text for _, text in some])
                    if written is not None:
                        written.result()
                    keyed = list(zip([key for key, _ in some], vectors, strict=True))
                    written = writer.submit(self.catalog.put_vectors, job, keyed)
                    done += len(some)
                if written is not None:
                    written.result()
        return done


@dataclass(frozen=True, slots=True)
class _Shared:
    """The readers of one job, of which each call takes a free one; once `left` is set none is given out any more."""

    free: SimpleQueue[FileReader]
    left: threading.Event

    def read(self, path: Path, inside: Sequence[str]) -> Reading:
        """Read a file with the next reader that is free."""
        return self._with_one(lambda reader: reader.read(path, inside))

    def look(self, path: Path) -> list[str]:
        """Look at a PDF's pages with the next reader that is free."""
        return self._with_one(lambda reader: reader.look(path))

    def pictures(self, path: Path, most: int, inside: Sequence[str]) -> Pictures:
        """Return a file's pictures by the next reader that is free."""
        return self._with_one(lambda reader: reader.pictures(path, most, inside))

    def _with_one(self, work: Callable[[FileReader], _Read]) -> _Read:
        reader = self.free.get()
        try:
            if self.left.is_set():
                raise UnreadableFile("The worker stopped before it came to this file.", "Ingest it again.", again=True)
            return work(reader)
        finally:
            self.free.put(reader)


def skip_unchanged(catalog: Catalog, job: Job, reader: str) -> bool:
    """Note the files whose size and time of change are those that the catalog knows; say whether that was all of them.

    Files that failed for good with this content and these readers are among them: they fail as before.
    """
    after, all_of_them = "", True
    while tasks := catalog.pending(job, LOOK_AT_ONCE, after):
        after = tasks[-1].path
        known = catalog.known(job, [task.path for task in tasks])
        same = []
        for task in tasks:
            before = known.get(task.path)
            seen = None if task.inside else _look(task.source)
            if before and seen and before.tried and _matches(before, seen, reader):
                same.append((task.path, seen))
        if same:
            catalog.keep_unchanged(job, same, reader)
        all_of_them = all_of_them and len(same) == len(tasks)
    return all_of_them


def _leads_out(task: Task, job: Job) -> bool:
    """Say whether a file is a link that leads out of the folders that the job may read."""
    if task.source in job.paths or not os.path.islink(task.source):
        return False
    target = os.path.realpath(task.source)
    return not any(Path(target).is_relative_to(os.path.realpath(path)) for path in job.paths)


def _look(source: str) -> Seen | None:
    try:
        found = Path(source).stat()
    except OSError:  # said in full when the file is read
        return None
    return Seen(found.st_size, found.st_mtime_ns)


def _matches(known: Known, seen: Seen, reader: str) -> bool:
    return (known.size, known.modified_ns, known.reader) == (seen.size, seen.modified_ns, reader)
