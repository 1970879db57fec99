"""Keeps the record of index generations: which embedder is live, which one is being built beside it, which came before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, Table, and_, delete, exists, func, insert, select, union, update

from ingest.pipeline import embedded_text
from ingest.ports import Vectors
from rag.errors import HomeMismatch, NotFound, UsageError
from rag.schema import chunks, documents, embeddings, facts, former_chunks, generations
from rag.settings import Embedding, EmbeddingBackend
from rag.store import Store

LIVE = "embedder"
"""The fact that says which embedder's vectors answer."""

State = Literal["live", "before", "built", "building"]


@dataclass(frozen=True, slots=True)
class Generation:
    """One embedder's vectors of this home. `texts` and `seconds` are what `reindex` embedded, `beyond` what it cut."""

    embedder: str
    backend: EmbeddingBackend
    model: str
    state: State
    vectors: int
    bytes: int
    missing: int
    texts: int
    seconds: float
    beyond: int
    report: str


def live_embedder(connection: Connection) -> str | None:
    """Return the fingerprint of the embedder whose vectors answer; None in a home that is not made yet."""
    return connection.scalar(select(facts.c.value).where(facts.c.name == LIVE))


class Generations:
    """The generations of one home. The catalog alone says which is live; Chroma is filled to match."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def agree(self, fingerprint: str, embedding: Embedding) -> None:
        """Make the settings' embedder the live one of a new home, or raise HomeMismatch when another one is live."""
        with self._store.write() as connection:
            live = live_embedder(connection)
            if live is None:
                connection.execute(facts.insert().values(name=LIVE, value=fingerprint))
            if live in (None, fingerprint):
                _note(connection, fingerprint, embedding, whole=True)
                return
            mine = generations.c.embedder == fingerprint
            known = connection.scalar(select(generations.c.embedder).where(mine, generations.c.built.is_not(None)))
        raise self._mismatch(str(live), fingerprint, embedding, built=known is not None)

    def _mismatch(self, live: str, fingerprint: str, embedding: Embedding, *, built: bool) -> HomeMismatch:
        model, backend = named_in(live)
        backed = f" --backend {embedding.backend}" if embedding.backend != "onnx" else ""  # else what fits the model
        asked = f"readingroom reindex --embedder {embedding.model}{backed}"
        change = f"`{asked} --switch`" if built else f"`{asked}` and then `readingroom reindex --switch`"
        return HomeMismatch(
            f"The home folder {self._store.home.folder} answers with the embedder `{live}`, the settings say `{fingerprint}`.",
            f"Set `embedding` in config.yaml back (model: {model}, backend: {backend}), or change the home with {change}, "
            "or ingest into a new home folder (READINGROOM_HOME).",
        )

    # looked at

    def live(self) -> str | None:
        """Return the fingerprint of the live embedder, None in a home that is not made yet."""
        with self._store.read() as connection:
            return live_embedder(connection)

    def all(self) -> list[Generation]:
        """Return all generations, the live one first, with what they hold."""
        with self._store.read() as connection:
            live = live_embedder(connection)
            sizes = {
                row[0]: (row[1], row[2])
                for row in connection.execute(
                    select(embeddings.c.embedder, func.count(), func.sum(func.length(embeddings.c.vector))).group_by(
                        embeddings.c.embedder
                    )
                )
            }
            rows = connection.execute(select(generations).order_by(generations.c.started)).all()
            found = [
                _generation(row, live, sizes.get(row.embedder, (0, 0)), _missing(connection, row.embedder))
                for row in rows
            ]
        return sorted(found, key=lambda item: item.state != "live")

    def get(self, fingerprint: str) -> Generation:
        """Return one generation."""
        return next(item for item in self.all() if item.embedder == fingerprint)

    def choose(self, name: str | None) -> Generation:
        """Return the generation to switch to: by model or fingerprint, else the one that was built and never live."""
        found = [item for item in self.all() if item.state != "live"]
        if name is not None:
            named = [item for item in found if name in (item.model, item.embedder)]
            ready = [item for item in named if item.state != "building"]
            if not ready:
                if named:
                    raise UsageError(
                        f"The generation of {name} is only half built.", f"Run `{_build(named[0])}` first."
                    )
                raise NotFound(
                    f"There is no built generation of {name}.", f"Build it: `readingroom reindex --embedder {name}`."
                )
            return ready[-1]
        built = [item for item in found if item.state == "built"]
        if len(built) == 1:
            return built[0]
        if built:
            raise UsageError(
                f"Several generations are built: {', '.join(item.model for item in built)}.",
                "Name one with --embedder.",
            )
        half = [item for item in found if item.state == "building"]
        if half:
            raise UsageError(
                f"The generation of {half[0].model} is only half built.", f"Run `{_build(half[0])}` first."
            )
        raise NotFound(
            "No generation is built beside the live one.", "Build one: `readingroom reindex --embedder NAME`."
        )

    def before(self) -> Generation:
        """Return the generation that was live before; raise NotFound when there is none any more."""
        last = select(generations.c.embedder).where(generations.c.live_until.is_not(None))
        with self._store.read() as connection:
            others = last.where(generations.c.embedder != live_embedder(connection))
            found = connection.scalar(others.order_by(generations.c.live_until.desc()).limit(1))
        if found is None:
            raise NotFound(
                "There is no generation to go back to.", "Nothing was switched yet, or it was removed with --drop-old."
            )
        return self.get(found)

    def to_drop(self, name: str | None) -> list[Generation]:
        """Return the generations that were live before, or the one of that name; raise for the live one and an unknown one."""
        found = self.all()
        if name is None:
            return [item for item in found if item.state == "before"]
        named = [item for item in found if name in (item.model, item.embedder)]
        if not named:
            raise NotFound(f"There is no generation of {name}.", "List them with `readingroom reindex`.")
        others = [item for item in named if item.state != "live"]
        if not others:
            raise UsageError(f"The generation of {name} is live.", "Switch to another one first, or go `--back`.")
        return others

    # built

    def begin(self, fingerprint: str, embedding: Embedding) -> None:
        """Note that a generation is being built, or goes on being built."""
        with self._store.write() as connection:
            _note(connection, fingerprint, embedding, whole=False)

    def counted(self, fingerprint: str, beyond: int) -> None:
        """Note how many texts are longer than the embedder reads."""
        self._set(fingerprint, beyond=beyond)

    def finish(self, fingerprint: str) -> bool:
        """Note that a generation is built, unless a text came meanwhile that has no vector yet: then return False."""
        with self._store.write() as connection:
            if _missing(connection, fingerprint):
                return False
            mine = generations.c.embedder == fingerprint
            connection.execute(update(generations).where(mine).values(built=time.time()))
            return True

    def report(self, fingerprint: str, report: str) -> None:
        """Keep how a generation compares with the live one, as JSON."""
        self._set(fingerprint, report=report)

    def _set(self, fingerprint: str, **values: Any) -> None:
        with self._store.write() as connection:
            connection.execute(update(generations).where(generations.c.embedder == fingerprint).values(**values))

    def missing(self, fingerprint: str) -> int:
        """Return how many distinct texts have no vector of this embedder."""
        with self._store.read() as connection:
            return _missing(connection, fingerprint)

    def texts(self, limit: int, without: str | None = None, after: str = "") -> list[tuple[str, str]]:
        """Return (hash, text) of distinct texts, live and former, in order of their hashes, those without a vector of an
        embedder alone."""
        texts: dict[str, Row[Any]] = {}
        with self._store.read() as connection:
            for table in (chunks, former_chunks):
                key = table.c.text_hash
                query = select(key, table.c.context, table.c.text).where(key > after).group_by(key)
                if without is not None:
                    query = query.where(~_has_vector(without, table))
                texts |= {row.text_hash: row for row in connection.execute(query.order_by(key).limit(limit))}
        rows = [texts[key] for key in sorted(texts)[:limit]]
        return [(row.text_hash, embedded_text(row.context, row.text)) for row in rows]

    def put(self, fingerprint: str, vectors: Sequence[tuple[str, Vectors]], seconds: float, beyond: int = 0) -> None:
        """Keep vectors, but for those of texts that were forgotten meanwhile, and the seconds that they took."""
        keys = [key for key, _ in vectors]
        with self._store.write() as connection:
            kept: set[str] = set()
            for table in (chunks, former_chunks):
                kept.update(connection.scalars(select(table.c.text_hash).where(table.c.text_hash.in_(keys))))
            rows = [
                {"text_hash": key, "embedder": fingerprint, "vector": vector.astype("<f4").tobytes()}
                for key, vector in vectors
                if key in kept
            ]
            if rows:
                connection.execute(insert(embeddings).prefix_with("OR IGNORE"), rows)
            connection.execute(
                update(generations)
                .where(generations.c.embedder == fingerprint)
                .values(
                    texts=generations.c.texts + len(vectors),
                    seconds=generations.c.seconds + seconds,
                    beyond=generations.c.beyond + beyond,
                )
            )

    # changed

    def make_live(self, fingerprint: str) -> bool:
        """Let another generation answer, in one commit; False when a document that is searched has a text without a vector."""
        with self._store.write() as connection:
            live = documents.c.state.in_(["ready", "embedded"])
            mine = and_(documents.c.document_id == chunks.c.document_id, documents.c.version == chunks.c.version)
            lacking = select(chunks.c.id).join(documents, mine).where(live, ~_has_vector(fingerprint)).limit(1)
            if connection.scalar(lacking) is not None:
                return False
            now = time.time()
            old = generations.c.embedder == live_embedder(connection)
            connection.execute(update(generations).where(old).values(live_until=now))
            connection.execute(update(generations).where(generations.c.embedder == fingerprint).values(live_since=now))
            connection.execute(update(facts).where(facts.c.name == LIVE).values(value=fingerprint))
            return True

    def drop(self, fingerprint: str) -> int:
        """Remove a generation that is not live from the catalog, in one commit; return the number of its vectors."""
        with self._store.write() as connection:
            if live_embedder(connection) == fingerprint:
                raise UsageError("This generation is live.", "Switch to another one first, or go `--back`.")
            removed = connection.execute(delete(embeddings).where(embeddings.c.embedder == fingerprint)).rowcount
            connection.execute(delete(generations).where(generations.c.embedder == fingerprint))
            return removed


def named_in(fingerprint: str) -> tuple[str, str]:
    """Return the model and the backend that a fingerprint names."""
    for backend in ("sentence-transformers", "ollama", "openai"):
        name, mark, _ = fingerprint.rpartition(f"/{backend}/")
        if mark:
            return name.rpartition("/")[0], backend
    return fingerprint.partition("/")[0], "onnx"


def _build(item: Generation) -> str:
    return f"readingroom reindex --embedder {item.model} --backend {item.backend}"


def _note(connection: Connection, fingerprint: str, embedding: Embedding, *, whole: bool) -> None:
    now = time.time()
    row = {
        "embedder": fingerprint, "backend": embedding.backend, "model": embedding.model, "started": now,
        "built": now if whole else None, "live_since": now if whole else None,
    }  # fmt: skip
    connection.execute(insert(generations).prefix_with("OR IGNORE").values(**row))


def _has_vector(fingerprint: str, table: Table = chunks) -> Any:
    return exists().where(embeddings.c.text_hash == table.c.text_hash, embeddings.c.embedder == fingerprint)


def _missing(connection: Connection, fingerprint: str) -> int:
    lacking = [select(table.c.text_hash).where(~_has_vector(fingerprint, table)) for table in (chunks, former_chunks)]
    return connection.scalar(select(func.count()).select_from(union(*lacking).subquery())) or 0


def _generation(row: Row[Any], live: str | None, size: tuple[int, int], missing: int) -> Generation:
    state: State = "building" if row.built is None else "built" if row.live_until is None else "before"
    if row.embedder == live:
        state = "live"
    return Generation(
        row.embedder, row.backend, row.model, state, size[0], size[1], missing, row.texts, row.seconds, row.beyond, row.report
    )  # fmt: skip
