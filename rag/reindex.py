"""Builds an index generation: embeds every text with another embedder, beside the live one, and goes on where it stopped."""

from __future__ import annotations

import difflib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ingest.ports import Embedder
from rag.errors import HomeLocked, NotFound, UsageError
from rag.generations import Generations
from rag.home import Home
from rag.model_store import ModelStore
from rag.settings import Embedding, EmbeddingBackend

READ_AHEAD, EMBEDDED_AT_ONCE = 512, 64
Progress = Callable[[str, int, int], None]


def wanted_embedding(models: ModelStore, name: str, backend: EmbeddingBackend | None, like: Embedding) -> Embedding:
    """Return the settings of an embedder by its name; raise for one that is unknown, not here, or of another backend.

    What a server has (backends ollama and openai) only the server knows: it is asked when the embedder is opened.
    """
    if backend in ("ollama", "openai"):
        return like.model_copy(update={"model": name, "backend": backend})
    kinds = {key: item.kind for item in models.list() for key in (item.name, item.alias) if key}
    known = sorted(key for key, kind in kinds.items() if kind == "embedder")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        what = f"{name} is a language model, not an embedder." if name in kinds else f"There is no embedder `{name}`."
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise NotFound(what, f"{hint}There are: {', '.join(known)}; `readingroom models list` shows all.")
    folder = models.path(name)
    fits: list[EmbeddingBackend] = []
    if (folder / "model.onnx").exists():
        fits.append("onnx")
    if (folder / "modules.json").exists():
        fits.append("sentence-transformers")
    if backend is None and fits:
        backend = fits[0]
    if backend not in fits:
        raise UsageError(
            f"The model {name} can't be run by the backend {backend}.",
            f"It fits --backend {' or '.join(fits) or 'none'}.",
        )
    return like.model_copy(update={"model": name, "backend": backend})


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Keep other builds out; the kernel lets go when the process ends, however it ends."""
    with open(home.folder / "reindex.lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise HomeLocked(
                f"Another `readingroom reindex` is building in {home.folder} (process {file.read() or 'unknown'}).",
                "Wait until it is done, or stop it: the next one goes on where it was.",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def build(
    generations: Generations,
    embedder: Embedder,
    embedding: Embedding,
    *,
    cut: bool,
    progress: Progress = lambda *_: None,
) -> None:
    """Embed every live text with another embedder and keep the vectors beside the live ones.

    Nothing that answers is touched. Texts that are ingested meanwhile are embedded too, until there are none. Raise
    UsageError when it is live already, or when it reads less of the texts than they have (unless `cut`).
    """
    if generations.live() == embedder.fingerprint:
        raise UsageError(f"{embedding.model} is live already (`{embedder.fingerprint}`).", "There is nothing to build.")
    if generations.live() is None:
        raise UsageError("The home folder is empty.", "Set `embedding` in config.yaml, and ingest with it.")
    beyond = count_beyond(generations, embedder, cut=cut, progress=progress)
    generations.begin(embedder.fingerprint, embedding)
    generations.counted(embedder.fingerprint, beyond)
    while True:
        embed_missing(generations, embedder, progress, counted=True)
        if generations.finish(embedder.fingerprint):
            return


def count_beyond(generations: Generations, embedder: Embedder, *, cut: bool, progress: Progress) -> int:
    """Return how many texts are longer than an embedder reads; raise UsageError for any unless they may be `cut`."""
    total, longest, beyond, last = 0, 0, 0, ""
    while some := generations.texts(READ_AHEAD, after=last):
        last = some[-1][0]
        counts = embedder.count([text for _, text in some])
        total += len(some)
        longest = max(longest, *counts)
        beyond += sum(count > embedder.max_tokens for count in counts)
        progress("counting", total, total)
    if beyond and not cut:
        raise UsageError(
            f"This embedder reads {embedder.max_tokens} tokens of a text, and {beyond} of {total} texts are longer "
            f"(up to {longest}): what comes after that would be found by its words only.",
            "Texts are split when a file is read, and the catalog does not keep what would be needed to split them anew. "
            f"Choose an embedder that reads at least {longest} tokens, or accept it with --cut and look at the report.",
        )
    return beyond


def embed_missing(
    generations: Generations, embedder: Embedder, progress: Progress = lambda *_: None, *, counted: bool = False
) -> int:
    """Embed the texts that have no vector of this embedder, until there are none; return their number.

    Every batch is a commit. `counted` says that those that are too long are known.
    """
    name, done, last = embedder.fingerprint, 0, ""
    total = generations.missing(name)
    while (some := generations.texts(READ_AHEAD, without=name, after=last)) or last:
        last = some[-1][0] if some else ""  # at the end once more from the beginning: texts may have come meanwhile
        some.sort(key=lambda pair: len(pair[1]))  # texts of one length waste no padding
        for at in range(0, len(some), EMBEDDED_AT_ONCE):
            batch = some[at : at + EMBEDDED_AT_ONCE]
            texts = [text for _, text in batch]
            began = time.perf_counter()
            vectors = embedder.embed(texts)
            seconds = time.perf_counter() - began
            beyond = 0 if counted else sum(count > embedder.max_tokens for count in embedder.count(texts))
            generations.put(name, list(zip([key for key, _ in batch], vectors, strict=True)), seconds, beyond)
            done += len(batch)
            progress("embedding", done, max(total, done))
    return done
