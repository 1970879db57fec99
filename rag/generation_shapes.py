"""The shapes of the API and of `--json` for index generations."""

from __future__ import annotations

from typing import Literal

from rag.shapes import Shape


class ParitySide(Shape):
    """One embedder in a comparison: quality on the questions, texts a second and milliseconds a search here and now."""

    embedder: str
    quality: dict[str, float]
    vectors: int
    bytes: int
    texts_per_second: float
    search_ms: float


class Parity(Shape):
    """How two embedders compare. Overlaps are shares of the first ten: of the vectors' neighbours, and of what is found.

    `difference` is new minus live for each measure, with its 95 % interval (paired bootstrap over the questions).
    """

    questions: int
    made_by_rule: bool
    overlap_vectors: float
    overlap_found: float
    live: ParitySide
    new: ParitySide
    difference: dict[str, dict[str, float]]


class GenerationStatus(Shape):
    """One embedder's vectors of this home: `before` was live and is kept, `built` was never live, `building` is half done.

    `missing` texts have no vector of it yet; `beyond` texts are longer than it reads. `problem` says why there is no `parity`.
    """

    embedder: str
    model: str
    backend: str
    state: Literal["live", "before", "built", "building"]
    vectors: int
    bytes: int
    missing: int
    beyond: int
    texts_per_second: float | None
    parity: Parity | None
    problem: str


class Switched(Shape):
    """Which embedder answers now, and which one did; `embedded` texts came since it was built, `beyond` of all it cuts."""

    live: str
    before: str
    embedded: int
    beyond: int
    settings: dict[str, str]


class Dropped(Shape):
    """The generations that were removed, and the number of their vectors."""

    embedders: list[str]
    vectors: int
