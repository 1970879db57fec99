"""Works on ingest jobs where no server runs: starts a worker process and publishes what it finishes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ingest.walk import walk
from ingest.worker import skip_unchanged
from rag.build import build_recipe, child_command, embedder_environment
from rag.errors import HomeUnusable, ReadingRoomError
from rag.intake import Intake
from rag.jobs import Jobs
from rag.publish import Publisher
from rag.report_shapes import JobStatus
from rag.settings import Settings
from rag.store import Store

WORKER_TRIES = 3
"""Workers that may crash over one job; the next one puts aside a job that they crashed over while listing."""
ENDED = ("done", "cancelled", "paused")


class OwnWorker:
    """Follows jobs to their end with a worker process of this process's own."""

    def __init__(self, settings: Settings, store: Store, publisher: Publisher) -> None:
        self._settings, self._store, self._publisher = settings, store, publisher
        self._jobs = Jobs(store)

    def follow(self, job_id: str, progress: Callable[[JobStatus], None]) -> JobStatus:
        """Work until a job is done, cancelled or paused; older jobs come first. Raises when workers end without having
        finished."""
        if self._jobs.unfinished()[:1] == [job_id]:
            self._nothing_new(job_id)
        tries = 0
        worker = None
        try:
            while (status := self._jobs.status(job_id)).stage not in ENDED:
                progress(status)
                if not self._publisher.run():
                    time.sleep(0.2)
                if worker is None and status.stage != "publishing":
                    worker = self._start()
                code = worker.poll() if worker else None
                if code is not None and self._jobs.status(job_id).stage not in (*ENDED, "publishing"):
                    tries += 1
                    if code == os.EX_IOERR or tries > WORKER_TRIES:
                        raise self._failed(code)
                    worker = self._start()
            progress(status)
            return status
        finally:
            if worker is not None:
                _end(worker)

    def _nothing_new(self, job_id: str) -> None:
        """Finish a job here when its files are all as the catalog knows them: a worker takes seconds to start."""
        recipe = build_recipe(self._settings)
        intake = Intake(self._store, recipe.embedder.fingerprint, self._settings.ingest.keep_versions)
        job = intake.next_job()
        if job is None:
            return
        if job.job_id != job_id or job.stage != "queued":
            intake.release(job)
            return
        try:
            intake.list_files(job, walk([Path(path) for path in job.paths]))
        except (OSError, ValueError, RuntimeError):  # the worker's problem, which may crash over it
            intake.release(job)
            return
        if skip_unchanged(intake, job, recipe.fingerprint):
            intake.remove_missing(job)
            intake.start_embedding(job)
            if not intake.texts_to_embed(job, 1):
                intake.finish(job)
                return
        intake.release(job)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "READINGROOM_HOME": str(self._settings.home),
            "READINGROOM_CONFIG": str(self._settings.config),
            **embedder_environment(self._settings),
        }
        if not self._settings.config.exists():
            del environment["READINGROOM_CONFIG"]
        return subprocess.Popen(child_command("worker", "--until-idle"), env=environment, stdin=subprocess.DEVNULL)

    def _failed(self, code: int) -> ReadingRoomError:
        if code == os.EX_IOERR:
            return HomeUnusable(
                f"The home folder {self._settings.home} can't be written any more: its disk is full or read-only.",
                "Free some space and run the same command again: it goes on where it stopped.",
            )
        return ReadingRoomError(
            f"The ingestion worker ended {WORKER_TRIES + 1} times (last with code {code}).",
            "Run the same command again: it goes on where it stopped. `readingroom doctor` may say more.",
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
