"""The commands `readingroom eval ...`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag import cli_answers
from rag.errors import UsageError
from rag.settings import load_settings

if TYPE_CHECKING:
    from rag.library import Library

GATE_CLOSED = 1

commands = typer.Typer(
    no_args_is_help=True, help="Measure search and answers: on public sets, and on questions about your own documents."
)
commands.command()(cli_answers.answers)

Collection = Annotated[list[str] | None, typer.Option("--collection", help="Only this collection; may be repeated.")]
Questions = Annotated[Path, typer.Option("--questions", help="The file of questions; see `eval init`.")]
QUESTIONS = Path("questions.yaml")


def _open() -> Library:
    """Open the home by itself: a run asks hundreds of questions, and needs what the API does not show."""
    from rag.library import Library  # half a second, for those who evaluate

    return Library(load_settings(), "eval")


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _table(measures: Mapping[str, Sequence[float]], more: Mapping[str, float]) -> None:
    for name, values in measures.items():
        one, other = values[::2], values[1::2]
        halves = " / ".join(f"{sum(half) / max(1, len(half)):.4f}" for half in (one, other))
        typer.echo(f"{name:12} {sum(values) / len(values):.4f}   halves {halves}   of {len(values)}")
    typer.echo("  ".join(f"{name} {value}" for name, value in more.items()))


@commands.command()
def retrieval(
    beir: Annotated[
        Path | None, typer.Option(help="A set in BEIR's form: corpus.jsonl, queries.jsonl, qrels/.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Where to write the ranking of a set (TSV).")] = None,
    split: Annotated[str, typer.Option(help="Which judgements of the set.")] = "test",
    cache: Annotated[Path | None, typer.Option(help="A folder that keeps the set's vectors for the next time.")] = None,
    pages: Annotated[
        Path | None, typer.Option(help="Questions about this home: id, question, doc, gold_pages (JSONL).")
    ] = None,
    hits: Annotated[Path | None, typer.Option(help="Where to write the hits of those questions (JSONL).")] = None,
    collection: Collection = None,
) -> None:
    """Measure on a public set (in a throw-away home), or on questions whose pages are known (in this home)."""
    from rag import evaluate

    if (beir is None) == (pages is None):
        raise UsageError("Give one of --beir DIR and --pages FILE.", "See `readingroom eval retrieval --help`.")
    if beir is not None:
        if not beir.is_dir():
            raise UsageError(f"There is no folder {beir}.", "Give the folder that holds corpus.jsonl.")
        answers, judged = evaluate.ask_set(load_settings(), beir, split, cache, _say)
        if run is not None:
            evaluate.write_run(run, answers)
        _table(evaluate.score_ranking(answers, judged), evaluate.milliseconds(answers))
    elif pages is not None:
        rows = evaluate.read_lines(pages, ("id", "question", "doc", "gold_pages"))
        with _open() as library:
            answers = evaluate.ask_pages(library, rows, collection or [], _say)
        if hits is not None:
            evaluate.write_hits(hits, answers)
        _table(evaluate.score_pages(answers, rows), evaluate.milliseconds(answers))


@commands.command()
def init(
    number: Annotated[int, typer.Option("-n", min=1, max=5000, help="How many questions.")] = 50,
    out: Annotated[Path, typer.Option(help="The file to make.")] = QUESTIONS,
    collection: Collection = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Make a file of questions about your own documents, with the places that answer them, to be edited."""
    from rag.questions_file import make_questions, write_questions

    if out.exists() and not force:
        raise UsageError(f"{out} exists already.", "Name another file with --out, or overwrite it with --force.")
    with _open() as library:
        made = make_questions(library, collection or [], number)
    if not made:
        raise UsageError("The documents hold no sentence that a question could be made of.", "Ingest some text first.")
    write_questions(out, made)
    typer.echo(f"{len(made)} questions in {out}. Edit them: they are made by rule.")


@commands.command("run")
def run_(
    questions: Questions = QUESTIONS,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Two runs (JSON): report the second against the first, ask nothing."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The report; the run itself is kept beside it as JSON.")] = Path(
        "evaluation.html"
    ),
    collection: Collection = None,
) -> None:
    """Ask the questions of your file; write a report with measures, plots, latency and the questions that fail."""
    from rag import eval_report
    from rag.questions_file import read_questions

    if compare is not None:
        runs = [(file.name, eval_report.read_run(file)) for file in compare]
        differences = eval_report.compare(runs[0][1], runs[1][1])
        out.write_text(eval_report.report_html(runs, differences), encoding="utf-8")
        for name, found in differences.items():
            typer.echo(f"{name:12} {found['difference']:+.4f}   95 % {found['low']:+.4f} to {found['high']:+.4f}")
        typer.echo(f"The report is {out}.")
        return
    wanted = read_questions(questions)
    with _open() as library:
        asked = eval_report.run_questions(library, wanted, collection or [])
    _keep(out.with_suffix(".json"), asked)
    out.write_text(eval_report.report_html([(questions.name, asked)], None), encoding="utf-8")
    for name, value in asked["means"].items():
        typer.echo(f"{name:12} {value:.4f}")
    typer.echo(
        f"p50_ms {asked['p50_ms']}  p95_ms {asked['p95_ms']}\nThe report is {out}, the run {out.with_suffix('.json')}."
    )


@commands.command()
def gate(
    baseline: Annotated[Path, typer.Option(help="The run (JSON) that must not be lost against.")],
    questions: Questions = QUESTIONS,
    collection: Collection = None,
) -> None:
    """Ask the questions again; end with status 1 when a measure fell against the baseline."""
    from rag import eval_report
    from rag.questions_file import read_questions

    before = eval_report.read_run(baseline)
    with _open() as library:
        now = eval_report.run_questions(library, read_questions(questions), collection or [])
    lost = eval_report.losses(eval_report.compare(before, now))
    for line in lost:
        typer.echo(line)
    if lost:
        raise typer.Exit(GATE_CLOSED)
    typer.echo(f"Nothing was lost against {baseline}.")


def _keep(file: Path, found: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
