"""Finds passages: keyword and vector search, their scores added, steered by the documents that a question names."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

from ingest.pipeline import embedded_text
from ingest.ports import Embedder, Vectors
from rag.catalog import Catalog
from rag.filters import Filter, Scope, documents_scope
from rag.former import AsOf
from rag.one_sentence import best_sentences
from rag.passages import Passage
from rag.question import Glossary, Question, understand
from rag.rerank import Reranker
from rag.vectors import Neighbours
from rag.words import stem

Search = Literal["keyword", "vector"]

NAMED_CLEARLY = 0.5
"""Documents named less clearly than this, compared with the one named best, are not searched by themselves."""
COMPARED = 10_000
"""Chunks of a filter's scope that are compared one by one, at most (0013)."""
CHEAPLY_ASKED = 3_000
"""Neighbours that the index gives faster than a scope is compared one by one."""
MOST_ASKED = 10_000
"""Neighbours that the index is asked for, at most, when a filter leaves out many of them."""
LANGUAGES_OF = 20
"""Passages found by keyword whose languages are looked at."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much in a passage's score (docs/decisions/0003-fusion.md, 0013-named-documents.md).

    `keyword`: the keyword score's share in the sum with the cosine; `foreign`: the same where keywords find documents in
    languages that the embedder was not trained on; `sentence`: added for the share of the question's words
    that stand together in one sentence, which is looked at in the first `looked_into` passages; `named`: added for a document
    that the question names, at most.
    """

    keyword: float = 0.5
    foreign: float = 0.7
    sentence: float = 0.1
    named: float = 0.3
    looked_into: int = 40


@dataclass(frozen=True, slots=True)
class Found:
    """A passage with its score, the searches that found it, the reranker's score where one read it, and whether the question
    names its document."""

    passage: Passage
    score: float
    found_by: tuple[Search, ...]
    reranked: float | None = None
    named: bool = False


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches one catalog and its vector index; each search contributes so many `candidates`, and so many of the best
    (`rerank`) are put in order by the reranker."""

    catalog: Catalog
    index: Neighbours
    embedder: Embedder
    glossary: Glossary
    reranker: Reranker
    candidates: int
    rerank: int
    weights: Weights = Weights()

    def find(
        self,
        question: str,
        collections: Sequence[str],
        limit: int,
        wanted: Filter | None = None,
        as_of: AsOf | None = None,
        hidden: bool = True,
    ) -> tuple[list[Found], dict[str, float]]:
        """Return the best passages that pass a filter, live ones or those of a date, of hidden text only if wanted, and the
        milliseconds each step took.

        The keyword score is BM25 as a share of what the question's words could reach, the vector score the cosine: both
        mean the same in every collection, so that their sum needs no ranks.
        """
        names = self.catalog.require_collections(collections)
        clock = Clock()
        if as_of is not None:
            scope: Scope | None = as_of.live  # its filter is in it
        else:
            scope = self.catalog.scope(wanted, names) if wanted is not None else None
        asked = understand(question, self.glossary)
        with ThreadPoolExecutor(1) as beside:
            by_words = beside.submit(self._keyword, asked, names, scope)
            vector = self.embedder.embed_question(question)
            clock.lap("embed")
            cosines = self._nearest(vector, names, scope)
            clock.lap("vector")
            named, keyword, others = by_words.result()
        clearly = self._clearly(named)
        for name in clearly:
            cosines |= self._nearest_in(_within(name, scope), vector, self.candidates // 2)
        clock.lap("keyword")
        lacking = [key for key in cosines if key not in keyword]
        rest = self.catalog.keywords.left_out(asked.words, asked.other, lacking, scope)
        live = {key: passage for key, (passage, _) in keyword.items()}
        live |= self.catalog.passages([key for key in cosines if key not in live])
        likeness = {key: float(other @ vector) for key, other in others.items() if key not in cosines} | cosines
        if as_of is not None:
            former = self.catalog.former.search(
                as_of, asked.words, asked.other, vector, self.candidates, self.embedder.fingerprint
            )
            live |= former.passages
            theirs = {passage.document_id for passage in former.passages.values()}
            by_name = self.catalog.naming.documents(asked.text, names)
            named |= {item.document_id: item.share for item in by_name if item.document_id in theirs}
            keyword |= {key: (former.passages[key], score) for key, score in former.keyword.items()}
            cosines, likeness = cosines | former.cosines, likeness | former.cosines
        likeness = {key: self.embedder.likeness(cosine) for key, cosine in likeness.items()}
        live = {key: passage for key, passage in live.items() if hidden or not passage.hidden}
        share = self._keyword_share(question, list(keyword.values()))
        found = []
        for key, passage in live.items():
            score = share * (keyword[key][1] if key in keyword else rest.get(key, 0.0))
            score += (1 - share) * likeness.get(key, 0.0)
            score += self.weights.named * named.get(passage.document_id, 0.0)
            by: list[Search] = []
            if key in keyword:
                by.append("keyword")
            if key in cosines:
                by.append("vector")
            found.append(Found(passage, score, tuple(by), named=passage.document_id in clearly))
        found = self._look_into(asked, sorted(found, key=_order))
        clock.lap("fuse")
        if self.reranker.name:
            found = self._rerank(question, found)
            clock.lap("rerank")
        return found[:limit], clock.laps

    def _keyword(
        self, asked: Question, names: Sequence[str], scope: Scope | None
    ) -> tuple[dict[str, float], dict[str, tuple[Passage, float]], dict[str, Vectors]]:
        """Return the documents that are named, and passages by keyword with their vectors: from everywhere, and from each
        clearly named document."""
        allowed = None if scope is None else set(scope.document_ids)
        documents = {
            item.document_id: item.share
            for item in self.catalog.naming.documents(asked.text, names)
            if allowed is None or item.document_id in allowed
        }
        found = self.catalog.keyword_search(asked.words, names, self.candidates, asked.other, scope, asked.whole)
        for name in self._clearly(documents):
            within = _within(name, scope)
            found += self.catalog.keyword_search(
                asked.words, names, self.candidates // 2, asked.other, within, asked.whole
            )
        passages = {passage.chunk_id: (passage, score) for passage, score in found}
        # here, while the question is embedded
        return documents, passages, self.catalog.vectors(list(passages), self.embedder.fingerprint)

    def _keyword_share(self, question: str, keyword: Sequence[tuple[Passage, float]]) -> float:
        """Return the keyword score's share: the less the embedder was trained on what is asked and found, the more.

        In which language a question is asked, the documents tell that its words stand in.
        """
        if not self.embedder.reads(question):
            return 1.0
        if not self.embedder.languages:
            return self.weights.keyword
        best = [passage for passage, _ in sorted(keyword, key=lambda pair: (-pair[1], pair[0].chunk_id))[:LANGUAGES_OF]]
        spoken = self.catalog.languages([passage.document_id for passage in best])
        known = self.embedder.languages | {None}
        foreign = sum(spoken.get(passage.document_id) not in known for passage in best)
        return self.weights.foreign if 2 * foreign > len(best) else self.weights.keyword

    def _clearly(self, named: Mapping[str, float]) -> list[str]:
        """Return the documents that are named nearly as clearly as the one named best."""
        best = max(named.values(), default=0.0)
        return [name for name, share in named.items() if share >= NAMED_CLEARLY * best]

    def _nearest(self, vector: Vectors, names: Sequence[str], scope: Scope | None) -> dict[str, float]:
        """Return the nearest chunks with their cosines, those that a filter leaves alone.

        The index does not know the filter: it is asked for more neighbours, the fewer the filter leaves. Where it would have to
        be asked for too many, or gave too few, a scope that is not too large is compared one by one.
        """
        wanted = self.candidates
        if scope is None:
            return dict(self._from_index(vector, names, wanted)[:wanted])
        share = max(1e-6, scope.chunks / max(1, sum(self.index.count(name) for name in names)))
        asked = int(2 * wanted / share) + 1
        near: list[tuple[str, float]] = []
        if asked <= CHEAPLY_ASKED or scope.chunks > COMPARED:
            near = self._from_index(vector, names, min(MOST_ASKED, asked))[:MOST_ASKED]
            if scope.whole:  # a chunk's id begins with its document's
                documents = frozenset(scope.document_ids)
                near = [pair for pair in near if pair[0].partition(".")[0] in documents]
            else:
                inside = self.catalog.in_scope([key for key, _ in near], scope)
                near = [pair for pair in near if pair[0] in inside]
        if len(near) < min(wanted, scope.chunks) and scope.chunks <= COMPARED:
            return self._nearest_in(scope, vector, wanted)
        return dict(near[:wanted])

    def _from_index(self, vector: Vectors, names: Sequence[str], limit: int) -> list[tuple[str, float]]:
        near = [pair for name in names for pair in self.index.nearest(name, vector, limit)]
        return sorted(near, key=lambda pair: (-pair[1], pair[0]))

    def _nearest_in(self, scope: Scope, vector: Vectors, limit: int) -> dict[str, float]:
        return self.catalog.nearest_in(scope, vector, limit, self.embedder.fingerprint)

    def _look_into(self, asked: Question, found: list[Found]) -> list[Found]:
        """Add to the best passages what their best sentence says of the question."""
        rarity = {stem(word): value for word, value in self.catalog.rarity(asked.words).items()}
        shares = best_sentences((item.passage.text for item in found[: self.weights.looked_into]), rarity)
        best = [
            replace(item, score=item.score + self.weights.sentence * share)
            for item, share in zip(found, shares, strict=False)
        ]
        return sorted(best, key=_order) + found[self.weights.looked_into :]

    def _rerank(self, question: str, found: list[Found]) -> list[Found]:
        """Put the best passages in the reranker's order, before the others."""
        best = found[: self.rerank]
        texts = [embedded_text(item.passage.context, item.passage.text) for item in best]
        scores = self.reranker.scores(question, texts)
        read = [replace(item, reranked=score) for item, score in zip(best, scores, strict=True)]
        read.sort(key=lambda pair: -(pair.reranked or 0.0))  # equal scores stay in the order of fusion
        return read + found[self.rerank :]


def _order(item: Found) -> tuple[float, str]:
    return -item.score, item.passage.chunk_id


def _within(document_id: str, scope: Scope | None) -> Scope:
    """Return the scope of one document, or of what a filter leaves of it."""
    return replace(scope or documents_scope(()), document_ids=(document_id,), chunks=0)


class Clock:
    """Measures the steps of a question in milliseconds."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._began = self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Note the time since the last lap under `name`, and the time since the beginning as `total`."""
        now = time.perf_counter()
        self.laps[name] = round(self.laps.get(name, 0.0) + (now - self._last) * 1000, 2)
        self.laps["total"] = round((now - self._began) * 1000, 2)
        self._last = now
