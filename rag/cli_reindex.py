"""The command `readingroom reindex`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from rag.errors import UsageError
from rag.settings import EmbeddingBackend, Settings, load_settings

if TYPE_CHECKING:
    from rag.generation_shapes import Dropped, GenerationStatus, Switched
    from rag.library import Library
    from rag.remote import Remote


def reindex(
    embedder: Annotated[str | None, typer.Option(help="The model to embed every text with; see `models list`.")] = None,
    backend: Annotated[
        str | None, typer.Option(help="onnx, sentence-transformers, ollama or openai; what fits when absent.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(help="Questions to compare with; see `eval init`. Made by rule when absent.")
    ] = None,
    cut: Annotated[bool, typer.Option("--cut", help="Also when it reads less of a text than there is.")] = False,
    switch: Annotated[bool, typer.Option("--switch", help="Let what was built answer from now on.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Let the embedder before answer again.")] = False,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Remove the vectors of those that answered before.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Change the embedder without a pause: build beside and compare, then --switch, --back, --drop-old; or list."""
    if switch + back + drop_old > 1:
        raise UsageError("Give one of --switch, --back and --drop-old.", "See `readingroom reindex --help`.")
    if back and embedder:
        raise UsageError("--back takes no --embedder.", "Use --switch to change to one by name.")
    if backend not in (None, *get_args(EmbeddingBackend)):
        raise UsageError(f"There is no backend {backend}.", f"There are {', '.join(get_args(EmbeddingBackend))}.")
    settings = load_settings()
    if embedder and not drop_old and not (switch and _is_built(settings, embedder)):
        built = _build(settings, embedder, backend, questions, cut, quiet=as_json or switch)  # type: ignore[arg-type]  # checked
        if not switch:
            _show(built, as_json)
            return
    if switch or back:
        with _owner(settings) as room:
            _switched(room.switch(embedder, back=back), settings, as_json)
    elif drop_old:
        with _owner(settings) as room:
            _dropped(room.drop(embedder), as_json)
    else:
        _show(_list(settings), as_json)


@contextmanager
def _owner(settings: Settings) -> Iterator[Library | Remote]:
    """Give the running server, or open the home folder whatever embedder is live in it."""
    from rag.home import Home

    running = Home(settings.home).running_api()
    if running:
        from rag.remote import Remote

        with Remote(*running) as remote:
            yield remote
    else:
        from rag.library import Library

        with Library(settings, "readingroom reindex", switching=True) as library:
            yield library


def _is_built(settings: Settings, name: str) -> bool:
    return any(name in (item.model, item.embedder) and item.state in ("built", "before") for item in _list(settings))


def _list(settings: Settings) -> list[GenerationStatus]:
    from rag.build import open_any_store
    from rag.generations import Generations
    from rag.parity import status

    store = open_any_store(settings)
    try:
        return [status(item) for item in Generations(store).all()]
    finally:
        store.close()


def _build(
    settings: Settings, name: str, backend: EmbeddingBackend | None, questions: Path | None, cut: bool, *, quiet: bool
) -> GenerationStatus:
    """Build a generation beside whoever serves the home, and compare it with the live one."""
    from rag import show
    from rag.build import build_embedder, model_store, open_any_store
    from rag.generations import Generations
    from rag.parity import compare_with_live, status
    from rag.questions_file import read_questions
    from rag.reindex import alone, build, wanted_embedding

    if questions is not None:
        read_questions(questions)  # refused before hours of embedding
    embedding = wanted_embedding(model_store(settings), name, backend, settings.embedding)
    store = open_any_store(settings)
    try:
        os.nice(10)  # whoever answers and ingests comes first
        generations = Generations(store)
        new = build_embedder(settings.model_copy(update={"embedding": embedding}))
        with alone(store.home), show.pull_progress(name, quiet=quiet) as progress:
            build(generations, new, embedding, cut=cut, progress=progress)
            compare_with_live(settings, store, new, questions)
        return status(generations.get(new.fingerprint))
    finally:
        store.close()


def _show(found: list[GenerationStatus] | GenerationStatus, as_json: bool) -> None:
    if as_json:
        import json

        plain = [item.model_dump() for item in found] if isinstance(found, list) else found.model_dump()
        typer.echo(json.dumps(plain, ensure_ascii=False))
        return
    from rag import show_generations

    show_generations.generations(found if isinstance(found, list) else [found])


def _switched(found: Switched, settings: Settings, as_json: bool) -> None:
    if as_json:
        typer.echo(found.model_dump_json())
        return
    from rag import show_generations

    embedding = settings.embedding
    agree = found.settings == {"backend": embedding.backend, "model": embedding.model}
    show_generations.switched(found, None if agree else settings.config)


def _dropped(found: Dropped, as_json: bool) -> None:
    if as_json:
        typer.echo(found.model_dump_json())
        return
    from rag import show_generations

    show_generations.dropped(found)
