"""Lets another index generation answer: catches up with what was ingested meanwhile, fills its index, and commits."""

from __future__ import annotations

from ingest.ports import Embedder
from rag.build import build_embedder, with_embedder
from rag.errors import ModelError, ReadingRoomError
from rag.generation_shapes import Switched
from rag.generations import Generation, Generations
from rag.publish import Publisher
from rag.reindex import embed_missing
from rag.settings import Settings
from rag.vectors import VectorIndex

ROUNDS = 8
"""Times that what was ingested during the round before is caught up with, before the switch is given up."""


def switch(
    settings: Settings,
    generations: Generations,
    publisher: Publisher,
    index: VectorIndex,
    name: str | None,
    *,
    back: bool,
) -> tuple[Embedder, Switched]:
    """Make another generation live; return its embedder, loaded, and what changed. Raise, and nothing has changed.

    Killed at any time, the old one is live or the new one, whole: which, one commit decides.
    """
    target = generations.before() if back else generations.choose(name)
    old = generations.live() or ""
    embedder = _load(settings, target)
    other = index.beside(embedder.fingerprint)
    embedded = 0
    for _ in range(ROUNDS):
        embedded += embed_missing(generations, embedder)
        publisher.fill(other, embedder.fingerprint)
        if publisher.hand_over(other, embedder.fingerprint, lambda: generations.make_live(embedder.fingerprint)):
            now = generations.get(embedder.fingerprint)
            return embedder, Switched(
                live=embedder.fingerprint,
                before=old,
                embedded=embedded,
                beyond=now.beyond,
                settings={"backend": target.backend, "model": target.model},
            )
    raise ReadingRoomError(
        f"Texts are ingested faster than {target.model} reads them; the live embedder was not changed.",
        "Wait until the jobs are done or pause them (`readingroom jobs`, `readingroom pause JOB`), then switch again.",
    )


def _load(settings: Settings, target: Generation) -> Embedder:
    """Return a generation's embedder, with its model loaded: questions must not wait for it after the switch."""
    embedder = build_embedder(with_embedder(settings, target.model, target.backend))
    if embedder.fingerprint != target.embedder:
        raise ModelError(
            f"The model {target.model} is not the one that the generation was built with (`{embedder.fingerprint}` here, "
            f"`{target.embedder}` there).",
            f"Build it anew: `readingroom reindex --embedder {target.model} --backend {target.backend}`.",
        )
    embedder.embed(["loaded"])
    return embedder
