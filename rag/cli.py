"""The command line: `readingroom`."""

from __future__ import annotations

from rag import privacy

privacy.seal()

import json  # noqa: E402 - nothing may be imported before the seal
import re  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from datetime import datetime  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Annotated, Any  # noqa: E402

import typer  # noqa: E402
from pydantic import BaseModel  # noqa: E402
from typer.core import TyperGroup  # noqa: E402

from rag import cli_answers, cli_eval, cli_models, cli_reindex, show, show_answers, show_jobs  # noqa: E402
from rag.errors import ReadingRoomError, SettingsError, UsageError  # noqa: E402
from rag.settings import Settings, load_settings  # noqa: E402

if TYPE_CHECKING:
    from rag.filters import Filter
    from rag.jobs import Jobs
    from rag.library import Library
    from rag.remote import Remote, RemoteJobs
    from rag.shapes import Conversation, IngestReport, JobStatus
    from rag.store import Store

DONE, FAILED, USAGE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


class _Commands(TyperGroup):
    """All commands; Ctrl-C ends each with 130 and a line that says what is kept. Typer itself would say nothing."""

    def invoke(self, ctx: Any) -> Any:  # of click's types, which typer keeps to itself
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print(_stopped(ctx.invoked_subcommand or ""), file=sys.stderr)  # noqa: T201 - standard output may be JSON
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Answers from your own documents, with the exact place each statement rests on. Nothing leaves this machine.",
)
app.add_typer(cli_models.commands, name="models")
app.add_typer(cli_eval.commands, name="eval")
app.command()(cli_reindex.reindex)
app.command()(cli_answers.calibrate)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
JobId = Annotated[str, typer.Argument(help="The job's id; see `readingroom jobs`.")]
Conditions = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="KEY=VALUE",
        help="Only documents with type=pdf, kind=10-K, language=de, path='*/contracts/*', date=2022-01-01..2022-12-31, "
        "document=ID, collection=NAME, and of them pages=10..20; may come several times.",
    ),
]
Collections = Annotated[list[str] | None, typer.Option("--collection", help="Only this collection; may be repeated.")]


def main() -> None:
    """Run the command line; exit codes: 0 done, 1 failed, 2 wrong usage, 3 some files failed, 130 Ctrl-C."""
    try:
        app()
    except ReadingRoomError as error:
        show.error(error)
        wrong_usage = isinstance(error, SettingsError) or (isinstance(error, UsageError) and type(error) is UsageError)
        sys.exit(USAGE if wrong_usage else FAILED)


def _stopped(name: str) -> str:
    """Return what a person reads after Ctrl-C: what is kept, and what to run to go on."""
    from rag.home import Home

    if name in ("ingest", "retry", "resume") and Home(_settings().home).running_api():
        return "The server goes on with the job: `readingroom jobs` shows it, `readingroom cancel JOB` ends it."
    if name in ("ingest", "retry", "resume", "reindex"):
        return "Stopped. What was finished is kept. Run the same command again to go on."
    return "Stopped before the end. Run the same command again to do it whole."


def _settings() -> Settings:
    settings = load_settings()
    privacy.seal(settings.network.allowed_hosts)
    return settings


@contextmanager
def _room(role: str) -> Iterator[Library | Remote]:
    """Give the running server that holds the home folder, or open the home folder ourselves."""
    from rag.home import Home

    settings = _settings()
    running = Home(settings.home).running_api()
    if running:
        from rag.remote import Remote

        with Remote(*running) as remote:
            yield remote
    else:
        from rag.library import Library  # loads the catalog and all that answers questions

        with Library(settings, f"readingroom {role}") as library:
            yield library


@contextmanager
def _store() -> Iterator[Store]:
    """Open the catalog alone, which is safe beside a process that holds the home folder, as its worker shows."""
    from rag.build import open_store

    store = open_store(_settings())
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _jobs() -> Iterator[Jobs | RemoteJobs]:
    """Give the jobs of the running server, or those in the catalog, whoever works on them."""
    from rag.home import Home

    running = Home(_settings().home).running_api()
    if running:
        from rag.remote import Remote

        with Remote(*running) as remote:
            yield remote.jobs
    else:
        from rag.jobs import Jobs

        with _store() as store:
            yield Jobs(store)


def _print(value: BaseModel | Sequence[BaseModel]) -> None:
    rows = [item.model_dump(mode="json") for item in ([value] if isinstance(value, BaseModel) else value)]
    plain = rows[0] if isinstance(value, BaseModel) else rows
    # json escapes the control characters below 32; a terminal obeys some of the others too
    text = re.sub(
        "[\x7f-\x9f\u202a-\u202e\u2066-\u2069]", lambda c: f"\\u{ord(c[0]):04x}", json.dumps(plain, ensure_ascii=False)
    )
    print(text)  # noqa: T201


def _show(found: Any, as_json: bool, printed: Callable[[Any], None]) -> None:
    """Print what a command found: as one JSON document, or for a person."""
    if as_json:
        _print(found)
    else:
        printed(found)


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    collection: Annotated[str, typer.Option(help="The collection to put them into.")] = "documents",
    watch: Annotated[bool, typer.Option("--watch", help="Go on following the folders until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Read files and folders, and make them searchable; what is unchanged is left as it is."""
    with _room("ingest") as room:
        if watch:
            _watch(room, paths, collection, as_json)
            return
        with show_jobs.ingest_progress(quiet=as_json) as progress:
            report = room.ingest(paths, collection, progress)
    _end_with(report, as_json)


def _watch(room: Library | Remote, paths: Sequence[Path], collection: str, as_json: bool) -> None:
    """Ingest folders after every burst of changes, and print what each brought; SIGTERM and Ctrl-C end it."""
    import signal
    import threading

    from rag.watch import watch

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def again() -> None:
        report = room.ingest(paths, collection, allow_empty=True)
        if as_json:
            print(report.model_dump_json(), flush=True)  # noqa: T201
        else:
            show_jobs.ingest_report(report)

    watch([path.expanduser().absolute() for path in paths], again, stop)


def _end_with(report: IngestReport, as_json: bool) -> None:
    _show(report, as_json, show_jobs.ingest_report)
    if report.failed:
        raise typer.Exit(SOME_FAILED)


@app.command()
def retry(as_json: Json = False) -> None:
    """Read the files that failed once more, those put aside after three crashes too."""
    with _room("retry") as room, show_jobs.ingest_progress(quiet=as_json) as progress:
        ended = [room.follow(job_id, progress) for job_id in room.retry()]
    if as_json:
        _print([status.report for status in ended])
    elif not ended:
        show.note("No file has failed.")
    else:
        for status in ended:
            show_jobs.ingest_report(status.report)
    if any(status.report.failed for status in ended):
        raise typer.Exit(SOME_FAILED)


@app.command()
def jobs(as_json: Json = False) -> None:
    """List the ingest jobs on record, the newest first."""
    with _jobs() as queue:
        found = queue.list()
    _show(found, as_json, show_jobs.jobs)


@app.command()
def pause(job_id: JobId, as_json: Json = False) -> None:
    """Let the worker drop a job after the file or batch it is at; `resume` goes on there."""
    with _jobs() as queue:
        _print_job(queue.pause(job_id), as_json)


@app.command()
def resume(job_id: JobId, as_json: Json = False) -> None:
    """Go on with a paused job, until it ends."""
    with _room("resume") as room, show_jobs.ingest_progress(quiet=as_json) as progress:
        room.jobs.resume(job_id)
        report = room.follow(job_id, progress).report
    _end_with(report, as_json)


@app.command()
def cancel(job_id: JobId, as_json: Json = False) -> None:
    """End a job: what was read stays searchable, the rest is as if it had not been asked for."""
    with _jobs() as queue:
        _print_job(queue.cancel(job_id), as_json)


def _print_job(status: JobStatus, as_json: bool) -> None:
    if as_json:
        _print(status)
    else:
        show_jobs.jobs([status])


@app.command()
def report(
    job_id: Annotated[str | None, typer.Argument(help="The job's id; the newest when absent.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table with a row a file.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a job made of every file: pages, characters, OCR, problems with what to do about them."""
    with _jobs() as queue:
        found = queue.report(job_id)
    if as_json:
        _print(found)
    elif as_csv:
        from rag.report_csv import report_csv

        sys.stdout.write(report_csv(found))
    else:
        show_jobs.job_report(found)


def _filter(conditions: list[str] | None) -> Filter | None:
    from rag.filters import parse_filter  # with the catalog, which not every command needs

    return parse_filter(conditions) if conditions else None


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="What you look for.")],
    collection: Collections = None,
    k: Annotated[int | None, typer.Option("-k", min=1, max=100, help="Number of hits.")] = None,
    conditions: Conditions = None,
    per_document: Annotated[int | None, typer.Option(min=1, help="Hits of one document at most.")] = None,
    as_json: Json = False,
) -> None:
    """Find passages."""
    wanted = _filter(conditions)
    with _room("search") as room:
        result = room.search(question, collection or [], k, wanted, per_document)
    _show(result, as_json, show.search_result)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    collection: Collections = None,
    conditions: Conditions = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="DATE", help="Answer from the versions live at the end of that day."
        ),
    ] = None,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with this conversation; see `readingroom conversations`.")
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Go on from the last question, in its conversation or a new one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Answer a question with citations, or say that the documents don't hold the answer."""
    from rag.answer import last_answer  # a third of a second, for those who ask

    wanted = _filter(conditions)
    with _room("ask") as room, show.drafting() as event:
        day = as_of.date() if as_of else None
        if go_on and conversation is None:
            last = room.answers.list(1)
            conversation = room.answers.begin(last[0].id if last else None).id
        answer = last_answer(room.ask_stream(question, collection or [], wanted, day, conversation), event)
    _show(answer, as_json, show_answers.answer)


@app.command()
def answers(
    answer_id: Annotated[str | None, typer.Argument(help="An answer's id: show this one whole.")] = None,
    limit: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many to list.")] = 20,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the answer instead.")] = False,
    as_json: Json = False,
) -> None:
    """List the kept answers, or show one with what it was made with; citations are marked whose document changed since."""
    if remove and answer_id is None:
        raise UsageError("No answer was named.", "Give the id of the answer to remove.")
    with _room("answers") as room:
        if answer_id is None:
            _show(room.answers.list(limit), as_json, show_answers.lines)
        elif remove:
            room.answers.remove(answer_id)
            show.note(f"The answer {answer_id} is removed.")
        else:
            _show(room.answers.get(answer_id), as_json, show_answers.stored)


@app.command()
def conversations(
    conversation_id: Annotated[str | None, typer.Argument(help="A conversation's id: show this one whole.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the conversation with its answers instead.")] = False,
    as_json: Json = False,
) -> None:
    """List conversations by their first question, or show or remove one; `ask --conversation ID` goes on with it."""
    if remove and conversation_id is None:
        raise UsageError("No conversation was named.", "Give the id of the conversation to remove.")
    with _room("conversations") as room:
        if conversation_id is None:
            _show(room.answers.conversations(1000), as_json, show_answers.conversations)
        elif remove:
            room.answers.remove_conversation(conversation_id)
            show.note(f"The conversation {conversation_id} is removed.")
        else:
            _show(room.answers.conversation(conversation_id), as_json, _turns)


def _turns(conversation: Conversation) -> None:
    for turn in conversation.turns:
        show.note(f"\n? {turn.question}")
        show_answers.answer(turn)


@app.command()
def replay(
    answer_id: Annotated[str, typer.Argument(help="The answer's id; see `readingroom answers`.")], as_json: Json = False
) -> None:
    """Ask the question of a kept answer again and show what differs, and why; the new answer is not kept."""
    with _room("replay") as room:
        found = room.replay(answer_id)
    _show(found, as_json, show_answers.replay)


@app.command()
def documents(
    collection: Annotated[str | None, typer.Option(help="Only this collection.")] = None, as_json: Json = False
) -> None:
    """List documents with their states and problems."""
    with _room("documents") as room:
        found = room.documents(collection)
    _show(found, as_json, show.documents)


@app.command()
def forget(
    documents: Annotated[
        list[str], typer.Argument(metavar="DOCUMENT_ID_OR_PATH...", help="Documents by id or path, or folders of them.")
    ],
    as_json: Json = False,
) -> None:
    """Remove documents with everything derived from them, look whether anything is left, and print a receipt."""
    with _room("forget") as room:
        receipt = room.forget(documents)
    _show(receipt, as_json, show_jobs.receipt)
    if receipt.traces:
        raise typer.Exit(FAILED)


@app.command()
def text(document_id: Annotated[str, typer.Argument(help="The document's id.")], as_json: Json = False) -> None:
    """Print a document's extracted text, exactly."""
    with _room("text") as room:
        found = room.text(document_id)
    if as_json:
        _print(found)
    else:
        sys.stdout.write(found.text)


@app.command()
def rebuild(as_json: Json = False) -> None:
    """Build the vector index anew from the catalog; nothing is embedded again."""
    with _room("rebuild") as room:
        result = room.rebuild()
    if as_json:
        _print(result)
    else:
        show.note(f"The index holds {result.vectors} vectors again.")


@app.command()
def status(as_json: Json = False) -> None:
    """Show what the home folder holds and who serves it."""
    with _room("status") as room:
        found = room.status()
    _show(found, as_json, show.status)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check models, privacy switches, ports, disk and the catalog; say what to do about each finding."""
    from rag.doctor import examine

    findings = examine(_settings())
    _show(findings, as_json, show.findings)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(FAILED)


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the API.")] = None,
    ui_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the page.")] = None,
    as_json: Json = False,
) -> None:
    """Serve the API and the page on this machine until Ctrl-C."""
    import os

    from rag import log
    from rag.serve import supervise

    log.configure("cli", verbose=False)

    if port:
        os.environ["READINGROOM_SERVER__PORT"] = str(port)
    if ui_port:
        os.environ["READINGROOM_SERVER__UI_PORT"] = str(ui_port)
    raise typer.Exit(supervise(_settings(), as_json))


@app.command(hidden=True)
def demo() -> None:
    """Ingest samples/ and ask the sample questions; part of `make run`."""
    from rag.demo import run

    raise typer.Exit(run(_settings()))


if __name__ == "__main__":
    main()
