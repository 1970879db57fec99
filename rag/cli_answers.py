"""The commands that measure answers and fit when to give none: `readingroom eval answers`, `readingroom calibrate`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag.errors import UsageError
from rag.settings import Settings, load_settings

if TYPE_CHECKING:
    from rag.calibrate import Calibration
    from rag.evaluate_answers import Known

Collection = Annotated[list[str] | None, typer.Option("--collection", help="Only this collection; may be repeated.")]
Model = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="Answer with this model (a value of `answer.model`, or BACKEND:NAME); may be repeated to compare.",
    ),
]


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _with_model(settings: Settings, name: str | None) -> Settings:
    """Return settings that ask one model alone: a value of `answer.model`, or BACKEND:NAME."""
    if name is None:
        return settings
    backend, colon, model = name.partition(":")
    alone: dict[str, str] = {"ollama_model": "", "openai_host": ""}
    if colon and backend == "ollama":
        alone["ollama_model"] = model
    elif colon and backend == "openai":
        alone = {"ollama_model": "", "openai_model": model}
    else:
        alone["model"] = model if backend == "embedded" else name
    routing = settings.routing.model_copy(update={"small": "", "large": ""})
    return settings.model_copy(update={"answer": settings.answer.model_copy(update=alone), "routing": routing})


def answers(
    questions: Annotated[
        Path | None, typer.Option("--questions", help="Your file of questions, with `answer` or `unanswerable`.")
    ] = None,
    beir: Annotated[Path | None, typer.Option(help="A set in BEIR's form whose questions have `answers`.")] = None,
    pages: Annotated[
        Path | None, typer.Option(help="Questions about this home: id, question, answer, doc, gold_pages (JSONL).")
    ] = None,
    off_topic: Annotated[
        Path | None, typer.Option(help="Questions that the documents don't answer: question or text (JSONL).")
    ] = None,
    split: Annotated[str, typer.Option(help="Which judgements of the set.")] = "test",
    cache: Annotated[Path | None, typer.Option(help="A folder that keeps the set's vectors for the next time.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask so many, spread over all questions.")] = None,
    model: Model = None,
    answered: Annotated[
        Path | None, typer.Option(help='Where to write {"id", "answered"} (JSONL), of the first model.')
    ] = None,
    out: Annotated[Path, typer.Option(help="The report; the runs are kept beside it as JSON.")] = Path("answers.html"),
    collection: Collection = None,
) -> None:
    """Ask questions whose answers are known; report right, supported, cited, false answers and false refusals."""
    from rag import answers_report
    from rag import evaluate_answers as evaluate

    if sum(item is not None for item in (questions, beir, pages, off_topic)) == 0 or (
        beir is not None and (questions is not None or pages is not None)
    ):
        raise UsageError(
            "Give --questions FILE, --pages FILE or --off-topic FILE of this home, or --beir DIR.",
            "See `readingroom eval answers --help`.",
        )
    known: list[Known] = []
    if questions is not None:
        known += evaluate.of_questions(questions)
    if pages is not None:
        known += evaluate.of_pages(pages)
    if beir is not None:
        known += evaluate.of_set(beir, split)
    if off_topic is not None:
        known += evaluate.off_topic(off_topic)
    known = evaluate.some(known, limit)
    runs = []
    names: Sequence[str | None] = model or [None]
    for name in names:
        rows = _asked(_with_model(load_settings(), name), known, beir, cache, collection or [])
        runs.append(evaluate.run_of(rows, name or load_settings().answer.model))
        typer.echo(f"{runs[-1]['title']}: {len(rows)} questions, answered by {', '.join(runs[-1]['models'])}")
        for line in answers_report.lines(runs[-1]):
            typer.echo(line)
    for line in answers_report.side_by_side(runs) if len(runs) > 1 else ():
        typer.echo(line)
    if answered is not None:
        evaluate.write_answered(answered, runs[0]["questions"])
    kept = out.with_suffix(".json")
    kept.write_text(json.dumps(runs, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    out.write_text(answers_report.report_html(runs), encoding="utf-8")
    typer.echo(f"The report is {out}, the runs {kept}.")


def _asked(
    settings: Settings, known: Sequence[Known], beir: Path | None, cache: Path | None, collections: Sequence[str]
) -> list[dict[str, Any]]:
    from rag import evaluate
    from rag.evaluate_answers import ask
    from rag.library import Library  # half a second, for those who evaluate

    if beir is not None:
        with evaluate.open_set(settings, beir, cache, _say) as (library, names):
            return ask(library, known, [], names, _say)
    with Library(settings, "eval") as library:
        return ask(library, known, collections, None, _say)


def calibrate(
    questions: Annotated[
        Path | None, typer.Option("--questions", help="Your file of questions, with `answer` or `unanswerable`.")
    ] = None,
    pages: Annotated[
        Path | None, typer.Option(help="Questions about this home: id, question, answer, doc, gold_pages (JSONL).")
    ] = None,
    off_topic: Annotated[
        Path | None, typer.Option(help="Questions that the documents don't answer: question or text (JSONL).")
    ] = None,
    max_refusals: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of answerable questions that may be refused.")
    ] = 0.10,
    show: Annotated[bool, typer.Option("--show", help="Only print what is stored.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Go back to the defaults.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit to your own questions when the answer is "not found"; print what it costs; keep it for this home."""
    from rag import calibrate as fitting
    from rag import evaluate_answers as evaluate
    from rag.library import Library  # half a second, for those who calibrate

    given = [item for item in (questions, pages, off_topic) if item is not None]
    if sum((bool(given), show, reset)) != 1:
        raise UsageError(
            "Give --questions FILE (or --pages FILE with --off-topic FILE), or --show, or --reset.",
            "See `readingroom calibrate --help`.",
        )
    known: list[Known] = []
    if questions is not None:
        known += evaluate.of_questions(questions)
    if pages is not None:
        known += evaluate.of_pages(pages)
    if off_topic is not None:
        known += evaluate.off_topic(off_topic)
    with Library(load_settings(), "calibrate") as library:
        if reset:
            fitting.reset(library.store)
        elif not show:
            fitting.keep(library.store, fitting.calibrate(fitting.look(library, known, _say), max_refusals))
        _print(fitting.kept(library.store), as_json)


def _print(found: Calibration | None, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found) if found else None))
        return
    if found is None:
        typer.echo("This home has no calibration: the defaults hold, with the thresholds of config.yaml.")
        return

    def said(share: tuple[float, float, float]) -> str:
        return f"{share[0]:.3f} (95 %: {share[1]:.3f} to {share[2]:.3f})"

    typer.echo(
        f"Calibrated on {found.questions} questions, {found.made}. Each share is of questions the fit did not see."
    )
    typer.echo(f"false refusals       {said(found.false_refusals)}")
    typer.echo(f"false answers        {said(found.false_answers)}")
    typer.echo(f"... with the default {said(found.false_answers_default)} at as many refusals")
    typer.echo(f"AUC                  {found.auc:.3f}, default {found.auc_default:.3f}")
    typer.echo(f"thresholds           {found.before_model:.3f} before a model, {found.alone:.3f} for quoted sentences")
