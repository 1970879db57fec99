"""Prints answers, kept answers and replays for a person at a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from rag.report_shapes import AnswerLine
from rag.shapes import Answer, Replay, Searched, StoredAnswer
from rag.show import also, file_name, mark, note, out


def answer(answer: Answer) -> None:
    """Print an answer with its citations, and who answered."""
    if answer.standalone_question not in ("", answer.question):
        out.print(Text(f"Understood as: {answer.standalone_question}", style="italic"), soft_wrap=True)
    note(answer.answer)
    for statement in answer.statements:
        if not statement.supported:
            note(f"  not supported by the documents: {statement.text}")
    for citation in answer.citations:
        stale = " (stale: the document changed since)" if citation.stale else ""
        quote = " ".join(citation.quote.split())
        note(f"  [{citation.n}] {file_name(citation.path)}, page {citation.page}{stale}: “{quote}”")
    for number, candidate in enumerate(answer.candidates, start=1):
        note(f"  {number}. {candidate.label} ({file_name(candidate.path)}): {candidate.question}")
    for found in answer.disagreements:
        only_former = all(side.until for side in found.sides[1:])
        note("  A former version said otherwise:" if only_former else "  The documents disagree:")
        for side in found.sides:
            quote = " ".join(side.quote.split())
            when = f"until {side.until}" if side.until else side.date or "no date"
            note(f"    {when}, {file_name(side.path)}, page {side.page}: “{quote}”")
    if answer.outcome == "not_found":
        for hit in [*answer.passages[:3], *(more for more in answer.passages[3:] if more.made_by)]:
            note(f"  nearest: {file_name(hit.path)}, page {hit.page}:{mark(hit)} {' '.join(hit.text.split())[:100]}…")
            if hit.also:
                note(f"           also: {also(hit)}")
        if answer.searched is not None:
            for line in searched(answer.searched):
                note(f"  {line}")
    who = f"{answer.model.backend} ({answer.model.name})"
    seconds = answer.timings_ms.get("total", 0) / 1000
    notes = " ".join(filter(None, (answer.note, answer.model.note)))
    said = f"  {answer.outcome}; answered by {who} in {seconds:.1f} s. {notes}"
    out.print(Text(f"{said.rstrip()} Answer {answer.id}.", style="dim"), soft_wrap=True)


def searched(what: Searched) -> list[str]:
    """Return what was searched for an answer that was not found, as lines."""
    passing = " that pass the filter" if what.filtered else ""
    said = [f"searched: {what.documents} documents{passing} in {', '.join(what.collections) or 'no collection'}"]
    if what.failures:
        said.append(f"not searched, because they could not be read: {what.failures} files (`readingroom documents`)")
        said += [f"  {file_name(item.path)}: {item.reason} {item.remedy}".rstrip() for item in what.failed[:3]]
    if what.waiting:
        said.append(
            f"not searched yet, because a job has still to read them: {what.waiting:,} of the files (`readingroom jobs`)"
        )
    return said


def lines(found: Sequence[AnswerLine]) -> None:
    """Print a table of kept answers."""
    if not found:
        note("No answer is kept.")
        return
    table = Table("id", "asked", "outcome", "question", box=None)
    for item in found:
        table.add_row(item.id, _when(item.created), item.outcome, Text(item.question))
    out.print(table)


def conversations(found: Sequence[AnswerLine]) -> None:
    """Print a table of conversations."""
    if not found:
        note("No conversation is kept. Begin one with `readingroom ask --continue`.")
        return
    table = Table("id", "begun", "first question", box=None)
    for item in found:
        table.add_row(item.conversation_id, _when(item.created), Text(item.question))
    out.print(table)


def stored(found: StoredAnswer) -> None:
    """Print a kept answer with what it was made with."""
    note(f"{_when(found.created)}: {found.answer.question}")
    answer(found.answer)
    for hit in found.answer.passages:
        note(
            f"  read: {file_name(hit.path)}, page {hit.page}, characters {hit.start} to {hit.end}, version {hit.version}"
        )
    if (made := found.answer.generation) is not None:
        note(f"  model: {made.model}, digest {made.digest or 'unknown'}, run by {made.runtime or 'unknown'}")
        note(f"  its form: {made.quantisation or 'unknown'}, chat template {made.template or 'unknown'}")
        window = f", in a window of {made.window:,}" if made.window else ""
        note(f"  asked: temperature {made.temperature}, seed {made.seed}, at most {made.max_tokens} tokens{window}")
        note(f"  prompt: SHA-256 {made.prompt_sha256}")
        note(f"  output: {made.output}")
    if found.record is None:
        note("  It was kept before Reading Room noted with what answers are made.")
        return
    note(f"  embedder: {found.record.embedding or found.record.embedder}; program: {found.record.program}")
    note(f"  collections: {', '.join(found.record.collections) or 'all'}; filter: {found.record.filter or 'none'}")
    note("  settings: " + ", ".join(f"{key} {value}" for key, value in found.record.settings.items()))


def replay(found: Replay) -> None:
    """Print what differs, and why."""
    if found.same:
        note("The same: nothing differs.")
    for item in found.differences:
        out.print(Text(f"{item.what} differs. {item.why}", style="bold"), soft_wrap=True)
        note(f"  then: {item.was or 'nothing'}")
        note(f"  now:  {item.now or 'nothing'}")
    answer(found.answer)


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
