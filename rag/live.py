"""What answers with one embedder: its searches and answers over a catalog, made when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.ports import Embedder
from rag.catalog import Catalog
from rag.llm import LanguageModel
from rag.report_shapes import DocumentStatus, DocumentText
from rag.rerank import Reranker
from rag.settings import Settings
from rag.shapes import SearchResult
from rag.vectors import Neighbours

if TYPE_CHECKING:
    from rag.answer import Answerer
    from rag.evidence import Support
    from rag.filters import Filter
    from rag.retrieve import Retriever
    from rag.routing import Candidate
    from rag.span_reader import SpanReader

MOST_FOUND = 200
"""Passages that hits are made of."""


class Live:
    """Searches and answers with one embedder and its index. Another one takes its place whole, so that what began with
    this one ends with it."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        embedder: Embedder,
        index: Neighbours,
        reranker: Callable[[], Reranker],
        models: Callable[[], LanguageModel | None] = lambda: None,
        route: Callable[[str, Sequence[Support]], Iterator[Candidate]] | None = None,
        reader: Callable[[], SpanReader | None] = lambda: None,
    ) -> None:
        self.settings, self.catalog, self.embedder, self.index = settings, catalog, embedder, index
        self._reranker, self._models, self._route, self._reader = reranker, models, route, reader

    @cached_property
    def retriever(self) -> Retriever:
        """What finds passages."""
        from rag.question import load_glossary
        from rag.retrieve import Retriever

        search = self.settings.search
        return Retriever(
            self.catalog,
            self.index,
            self.embedder,
            load_glossary(*self._glossaries()),
            self._reranker(),
            search.candidates,
            search.rerank,
        )

    def _glossaries(self) -> list[Path]:
        from rag.question import GLOSSARY

        own = self.settings.search.glossary
        return [GLOSSARY, *([self.settings.path(own)] if own else [])]

    @cached_property
    def answerer(self) -> Answerer:
        from rag.answer import Answerer, Limits
        from rag.calibrate import gate_of
        from rag.question import load_labels

        answer = self.settings.answer
        gate, own = gate_of(self.catalog.store)
        before_model, alone = own or (answer.min_evidence, answer.min_evidence_alone)
        limits = Limits(
            answer.passages,
            answer.passage_tokens,
            answer.max_tokens,
            before_model,
            alone,
            answer.hidden_text,
            answer.unsupported == "leave_out",
            answer.figures == "cell",
        )
        labels = load_labels(*self._glossaries())
        return Answerer(
            self.retriever, self.catalog, self.embedder, self._models, limits, self._route, gate, labels, self._reader()
        )

    def search(
        self,
        question: str,
        collections: Sequence[str] = (),
        limit: int | None = None,
        wanted: Filter | None = None,
        per_document: int | None = None,
        widen: int = 0,
    ) -> SearchResult:
        """Return the best passages for a question, as hits: see `Library.search`."""
        from rag.hits import joined_hits  # with retrieval, which commands that only list don't need
        from rag.join import join
        from rag.unread import unread
        from rag.widen import widen_hits
        from rag.words import search_words

        limit = limit or self.settings.search.results
        found, laps = self.retriever.find(question, collections, MOST_FOUND, wanted)
        paged = self.catalog.paged([item.passage.document_id for item in found])
        spread = 0 if per_document else self.settings.search.spread
        joined = join(found, limit, paged, per_document, spread)
        if widen:
            widen_hits(joined, self.catalog.passages_of, self.embedder.count, widen)
        hits = joined_hits(self.catalog, joined)
        return SearchResult(
            question=question,
            hits=hits,
            unread=unread(self.catalog, search_words(question), collections) if wanted is None else [],
            timings_ms=laps,
        )

    def documents(self) -> list[DocumentStatus]:
        """Return all documents."""
        return self.catalog.documents()

    def text(self, document_id: str) -> DocumentText:
        """Return the extracted text of a document's live version."""
        return self.catalog.text(document_id)
