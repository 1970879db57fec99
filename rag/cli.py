"""The command line: `readingroom`."""

from __future__ import annotations

from rag import privacy

privacy.seal()

import sys  # noqa: E402 - nothing may be imported before the seal
from datetime import date  # noqa: E402
from typing import TYPE_CHECKING, Annotated, Any  # noqa: E402

import typer  # noqa: E402
from typer.core import TyperGroup  # noqa: E402

from rag import cli_answers, cli_eval, cli_jobs, cli_models, cli_reindex, show, show_answers, show_jobs  # noqa: E402
from rag.cli_room import FAILED, INTERRUPTED, USAGE, Json, command_settings, opened_room, print_found, print_json  # noqa: E402
from rag.errors import ReadingRoomError, SettingsError, UsageError  # noqa: E402

if TYPE_CHECKING:
    from rag.filters import Filter
    from rag.shapes import Conversation


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
app.command()(cli_jobs.ingest)
app.command()(cli_jobs.retry)
app.command()(cli_jobs.jobs)
app.command()(cli_jobs.pause)
app.command()(cli_jobs.resume)
app.command()(cli_jobs.cancel)
app.command()(cli_jobs.report)

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

    if name in ("ingest", "retry", "resume") and Home(command_settings().home).running_api():
        return "The server goes on with the job: `readingroom jobs` shows it, `readingroom cancel JOB` ends it."
    if name in ("ingest", "retry", "resume", "reindex"):
        return "Stopped. What was finished is kept. Run the same command again to go on."
    return "Stopped before the end. Run the same command again to do it whole."


def _filter(conditions: list[str] | None) -> Filter | None:
    from rag.filters import parse_filter  # with the catalog, which not every command needs

    return parse_filter(conditions) if conditions else None


def _day(as_of: str | None) -> date | None:
    try:
        return date.fromisoformat(as_of) if as_of is not None else None
    except ValueError:
        raise UsageError(f"--as-of {as_of}: no such day.", "Write year, month and day: --as-of 2025-06-30.") from None


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="What you look for.")],
    collection: Collections = None,
    k: Annotated[int | None, typer.Option("-k", min=1, max=100, help="Number of hits.")] = None,
    conditions: Conditions = None,
    per_document: Annotated[int | None, typer.Option(min=1, help="Hits of one document at most.")] = None,
    widen: Annotated[
        int, typer.Option(min=0, max=4000, help="Tokens that a hit may have with the text around it in its section.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Find passages."""
    wanted = _filter(conditions)
    with opened_room("search") as room:
        result = room.search(question, collection or [], k, wanted, per_document, widen)
    print_found(result, as_json, show.search_result)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    collection: Collections = None,
    conditions: Conditions = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="Answer from the versions live at the end of that day.")
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

    wanted, day = _filter(conditions), _day(as_of)
    with opened_room("ask") as room, show.drafting() as event:
        if go_on and conversation is None:
            last = room.answers.list(1)
            conversation = room.answers.begin(last[0].id if last else None).id
        answer = last_answer(room.ask_stream(question, collection or [], wanted, day, conversation), event)
    print_found(answer, as_json, show_answers.answer)


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
    with opened_room("answers") as room:
        if answer_id is None:
            print_found(room.answers.list(limit), as_json, show_answers.lines)
        elif remove:
            room.answers.remove(answer_id)
            show.note(f"The answer {answer_id} is removed.")
        else:
            print_found(room.answers.get(answer_id), as_json, show_answers.stored)


@app.command()
def conversations(
    conversation_id: Annotated[str | None, typer.Argument(help="A conversation's id: show this one whole.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the conversation with its answers instead.")] = False,
    as_json: Json = False,
) -> None:
    """List conversations by their first question, or show or remove one; `ask --conversation ID` goes on with it."""
    if remove and conversation_id is None:
        raise UsageError("No conversation was named.", "Give the id of the conversation to remove.")
    with opened_room("conversations") as room:
        if conversation_id is None:
            print_found(room.answers.conversations(1000), as_json, show_answers.conversations)
        elif remove:
            room.answers.remove_conversation(conversation_id)
            show.note(f"The conversation {conversation_id} is removed.")
        else:
            print_found(room.answers.conversation(conversation_id), as_json, _turns)


def _turns(conversation: Conversation) -> None:
    for turn in conversation.turns:
        show.note(f"\n? {turn.question}")
        show_answers.answer(turn)


@app.command()
def replay(
    answer_id: Annotated[str, typer.Argument(help="The answer's id; see `readingroom answers`.")], as_json: Json = False
) -> None:
    """Ask the question of a kept answer again and show what differs, and why; the new answer is not kept."""
    with opened_room("replay") as room:
        found = room.replay(answer_id)
    print_found(found, as_json, show_answers.replay)


@app.command()
def documents(
    collection: Annotated[str | None, typer.Option(help="Only this collection.")] = None, as_json: Json = False
) -> None:
    """List documents with their states and problems."""
    with opened_room("documents") as room:
        found = room.documents(collection)
    print_found(found, as_json, show.documents)


@app.command()
def forget(
    documents: Annotated[
        list[str], typer.Argument(metavar="DOCUMENT_ID_OR_PATH...", help="Documents by id or path, or folders of them.")
    ],
    as_json: Json = False,
) -> None:
    """Remove documents with everything derived from them, look whether anything is left, and print a receipt."""
    with opened_room("forget") as room:
        receipt = room.forget(documents)
    print_found(receipt, as_json, show_jobs.receipt)
    if receipt.traces:
        raise typer.Exit(FAILED)


@app.command()
def text(document_id: Annotated[str, typer.Argument(help="The document's id.")], as_json: Json = False) -> None:
    """Print a document's extracted text, exactly."""
    with opened_room("text") as room:
        found = room.text(document_id)
    if as_json:
        print_json(found)
    else:
        sys.stdout.write(found.text)


@app.command()
def rebuild(as_json: Json = False) -> None:
    """Build the vector index anew from the catalog; nothing is embedded again."""
    with opened_room("rebuild") as room:
        result = room.rebuild()
    if as_json:
        print_json(result)
    else:
        show.note(f"The index holds {result.vectors} vectors again.")


@app.command()
def status(as_json: Json = False) -> None:
    """Show what the home folder holds and who serves it."""
    with opened_room("status") as room:
        found = room.status()
    print_found(found, as_json, show.status)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check models, privacy switches, ports, disk and the catalog; say what to do about each finding."""
    from rag.doctor import examine

    findings = examine(command_settings())
    print_found(findings, as_json, show.findings)
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
    raise typer.Exit(supervise(command_settings(), as_json))


@app.command(hidden=True)
def demo() -> None:
    """Ingest samples/ and ask the sample questions; part of `make run`."""
    from rag.demo import run

    raise typer.Exit(run(command_settings()))


if __name__ == "__main__":
    main()
