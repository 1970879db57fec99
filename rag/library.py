"""The façade behind every door: what one can do with a home folder. CLI and API hold no logic of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ingest.ports import Embedder
from rag.admission import Admission
from rag.answers import Answers
from rag.build import (
    build_choice,
    build_embedder,
    build_reader,
    build_reranker,
    build_span_reader,
    check_models,
    open_any_store,
    open_store,
    with_embedder,
)
from rag.catalog import Catalog
from rag.forget import Forgetter
from rag.generation_shapes import Dropped, GenerationStatus, Switched
from rag.generations import Generations, named_in
from rag.home import Home, HomeLock, lock_holder
from rag.jobs import Jobs
from rag.live import Live
from rag.publish import Publisher
from rag.question import check_question
from rag.report_shapes import (
    CollectionStatus,
    DocumentStatus,
    DocumentText,
    IngestReport,
    JobStatus,
    Rebuilt,
    Receipt,
    Status,
)
from rag.settings import Settings
from rag.shapes import Answer, Replay, SearchResult
from rag.vectors import VectorIndex

if TYPE_CHECKING:
    from rag.answer import Event
    from rag.asking import Asking
    from rag.evidence import Support
    from rag.filters import Filter
    from rag.page_image import PageImages
    from rag.rerank import Reranker
    from rag.retrieve import Found, Retriever
    from rag.routing import Candidate
    from rag.span_reader import SpanReader
    from rag.stop import Stop

DEFAULT_COLLECTION = "documents"


class Library:
    """One home folder, opened and locked. Close it, or use it in a `with` statement."""

    def __init__(self, settings: Settings, role: str, *, switching: bool = False) -> None:
        """Open it. `switching` opens a home whatever embedder is live in it, only to change that."""
        self.settings = settings
        self.home = Home(settings.home)
        self._lock = HomeLock(self.home, role)
        self._changing = threading.Lock()  # one change of generations at a time
        try:
            embedder = build_embedder(settings)
            self.store = open_any_store(settings) if switching else open_store(settings, embedder)
        except BaseException:
            self._lock.release()
            raise
        self.catalog = Catalog(self.store)
        self.jobs = Jobs(self.store)
        self._admission = Admission(settings, self.home, self.catalog, self.jobs)
        self.answers = Answers(self.store)
        self.generations = Generations(self.store)
        self._forgetter = Forgetter(self.store, self.catalog, self.home)
        live = self.generations.live() or embedder.fingerprint
        self._index = VectorIndex(self.home.chroma, live)
        self.publisher = Publisher(self.store, self._index, live)
        self.publisher.run()  # what a killed process left unpublished
        self.models = build_choice(settings)
        self.live = self._answering(embedder)

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close everything that was opened, and let go of the home folder."""
        self.models.close()
        if "_images" in self.__dict__:
            self._images.close()
        self._index.close()
        self.store.close()
        self._lock.release()

    # made when first needed: a command imports only what it uses

    @property
    def embedder(self) -> Embedder:
        """The embedder whose vectors answer."""
        return self.live.embedder

    @property
    def retriever(self) -> Retriever:
        """What finds passages."""
        return self.live.retriever

    @cached_property
    def _reranker(self) -> Reranker:
        return build_reranker(self.settings)

    def _span_reader(self) -> SpanReader | None:
        return build_span_reader(self.settings)

    def _answering(self, embedder: Embedder) -> Live:
        return Live(
            self.settings,
            self.catalog,
            embedder,
            self._index,
            lambda: self._reranker,
            self.models,
            self._route,
            self._span_reader,
        )

    @property
    def _asking(self) -> Asking:
        from rag.asking import Asking

        live = self.live  # another one may take its place meanwhile
        return Asking(live.settings, self.catalog, self.answers, live.answerer)

    def _route(self, question: str, supports: Sequence[Support]) -> Iterator[Candidate]:
        from rag.routing import difficulty  # with retrieval

        return self.models.candidates(difficulty(question, supports, self.settings.routing))

    @cached_property
    def _images(self) -> PageImages:
        from rag.page_image import PageImages

        return PageImages(self.catalog, build_reader(self.settings))

    # questions

    def search(
        self,
        question: str,
        collections: Sequence[str] = (),
        limit: int | None = None,
        wanted: Filter | None = None,
        per_document: int | None = None,
        widen: int = 0,
    ) -> SearchResult:
        """Return the best passages for a question among the documents that pass a filter, at most so many of each document, and
        each with so many tokens (`widen`) of the text around it in its section."""
        return self.live.search(check_question(question), collections, limit, wanted, per_document, widen)

    def found(self, question: str, collections: Sequence[str], limit: int, hidden: bool = True) -> list[Found]:
        """Return passages as they are ranked, before they are joined to hits; those of hidden text if wanted."""
        return self.retriever.find(check_question(question), collections, limit, hidden=hidden)[0]

    def ask_stream(
        self,
        question: str,
        collections: Sequence[str] = (),
        wanted: Filter | None = None,
        as_of: date | None = None,
        conversation_id: str | None = None,
        stop: Stop | None = None,
    ) -> Iterator[Event]:
        """Yield the events of an answer (see `rag.answer.Event`); the answer is stored before it is yielded.

        With `as_of` it rests on the versions that were live at the end of that day. In a conversation a follow-up is rewritten
        as a question that stands alone. `stop` ends it from another thread: it raises Stopped, and nothing is kept.
        """
        from rag.asking import Asked
        from rag.stop import Stop, stoppable

        asked = Asked(check_question(question), collections, wanted, as_of, conversation_id)
        with self.models.admit():
            yield from stoppable(self._asking.stream(asked), stop or Stop())

    def ask(
        self,
        question: str,
        collections: Sequence[str] = (),
        wanted: Filter | None = None,
        as_of: date | None = None,
        conversation_id: str | None = None,
        stop: Stop | None = None,
    ) -> Answer:
        """Return the answer to a question."""
        from rag.answer import last_answer

        return last_answer(self.ask_stream(question, collections, wanted, as_of, conversation_id, stop))

    def replay(self, answer_id: str, stop: Stop | None = None) -> Replay:
        """Ask the question of a kept answer again; return what differs, and why. `stop` ends it from another thread."""
        with self.models.admit():
            return self._asking.replay(answer_id, stop)

    def draft(self, question: str, collections: Sequence[str] = ()) -> Answer:
        """Return the answer to a question without storing it: for measuring."""
        from rag.answer import last_answer

        self.catalog.require_collections(collections)
        return last_answer(self.live.answerer.stream(check_question(question), collections, None))

    # documents

    def documents(self, collection: str | None = None) -> list[DocumentStatus]:
        """Return the documents of one collection or of all."""
        return self.catalog.documents(collection)

    def document(self, document_id: str) -> DocumentStatus:
        """Return one document."""
        return self.catalog.documents(document_id=document_id)[0]

    def text(self, document_id: str, version: str | None = None) -> DocumentText:
        """Return the extracted text of a document's live version, or of another one that is kept."""
        return self.catalog.text(document_id, version)

    def page_image(self, document_id: str, page: int, spans: Sequence[tuple[int, int]], dpi: float) -> bytes:
        """Return a page as PNG with the characters of `spans` marked."""
        return self._images.render(document_id, page, spans, dpi)

    def collections(self) -> list[CollectionStatus]:
        """Return the collections."""
        return self.catalog.collections()

    def forget(self, names: Sequence[str]) -> Receipt:
        """Remove documents by id, path or folder, with everything derived from them, and look whether anything is left."""
        erased = self._forgetter.erase(names)
        self.publisher.run()
        return self._forgetter.receipt(erased)

    def rebuild(self) -> Rebuilt:
        """Build the vector index anew from the catalog; nothing is embedded again."""
        return Rebuilt(vectors=self.publisher.rebuild())

    # generations

    def switch(self, name: str | None = None, *, back: bool = False) -> Switched:
        """Let another generation answer: the one that was built, the one of that name, or the one before. Questions are
        answered all the while."""
        from rag.switch import switch  # rarely

        with self._changing:
            embedder, switched = switch(self.settings, self.generations, self.publisher, self._index, name, back=back)
            self._index = self._index.beside(embedder.fingerprint)
            self.settings = with_embedder(self.settings, *named_in(embedder.fingerprint))
            self.live = self._answering(embedder)
            return switched

    def generations_status(self) -> list[GenerationStatus]:
        """Return the index generations, the live one first."""
        from rag.parity import status  # with all that evaluates

        return [status(item) for item in self.generations.all()]

    def drop(self, name: str | None = None) -> Dropped:
        """Remove the generations that answered before, or the one of that name, from catalog and index."""
        with self._changing:
            found = self.generations.to_drop(name)
            removed = 0
            for item in found:
                self.publisher.drop(self._index.beside(item.embedder))  # first: killed after it, the next try ends it
                removed += self.generations.drop(item.embedder)
            return Dropped(embedders=[item.embedder for item in found], vectors=removed)

    def status(self) -> Status:
        """Return the state of the home folder in numbers."""
        holder = lock_holder(self.home)
        return Status(
            home=str(self.home.folder),
            served_by=f"{holder.get('role')} (process {holder.get('pid')})" if holder else "nobody",
            embedder=self.embedder.fingerprint,
            bytes_on_disk=sum(file.stat().st_size for file in self.home.folder.rglob("*") if file.is_file()),
            **self.catalog.numbers(),
        )

    # ingest

    def start_job(
        self, paths: Sequence[str | Path], collection: str, *, any_path: bool, allow_empty: bool = False
    ) -> str:
        """Queue files and folders for ingestion; return the job's id. Raise before anything is stored when one is missing,
        none holds a file (unless `allow_empty`), or (unless `any_path`) one is outside `ingest.roots`."""
        return self._admission.start(paths, collection, any_path=any_path, allow_empty=allow_empty)

    def upload(self, name: str, content: BinaryIO, collection: str) -> tuple[str, str]:
        """Keep an uploaded file below the home folder and queue it; return (document id, job id)."""
        return self._admission.upload(name, content, collection)

    def missing(self) -> Sequence[str]:
        """Return what is missing to answer questions, as sentences."""
        return check_models(self.settings)

    def ingest(
        self,
        paths: Sequence[str | Path],
        collection: str,
        progress: Callable[[JobStatus], None] = lambda status: None,
        allow_empty: bool = False,
    ) -> IngestReport:
        """Ingest files and folders with a worker process of our own; return when all is searchable by vectors too."""
        return self.follow(self.start_job(paths, collection, any_path=True, allow_empty=allow_empty), progress).report

    def follow(self, job_id: str, progress: Callable[[JobStatus], None] = lambda status: None) -> JobStatus:
        """Work on a job until it ends, with a worker process of our own."""
        from rag.own_worker import OwnWorker  # only where no server runs

        return OwnWorker(self.settings, self.store, self.publisher).follow(job_id, progress)

    def retry(self) -> list[str]:
        """Queue the files that failed once more; return the jobs' ids."""
        return self.jobs.retry()
