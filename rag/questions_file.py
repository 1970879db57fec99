"""The file of a user's own questions: made from the corpus by rule, edited by hand, read for evaluation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rag.errors import UsageError
from rag.library import Library
from rag.live import Live
from rag.words import STOP_WORDS, content_words, sentences

HEADER = """# Questions for `readingroom eval run`. Made by rule from sentences of the documents: each asks for what its
# sentence says, in the sentence's own words, which is easier than what people ask. Edit them: say it as you would ask it;
# delete the poor ones.
#
# question   what is asked
# document   the path of the document that answers it, or the end of its path
# page       the page that answers it
# quote      the words there that answer it; with an `answer` it may be left out
# answer     the right answer, or a list of ways to say it; `readingroom eval answers` and `calibrate` need it
#
# Add questions that your documents do not answer too: only `question`, and `unanswerable: true` (or `answerable: false`).
# The best are near misses.
"""
_DEFINES = re.compile(r"^(?:The |An? )?([A-Z][\w&’'/-]*(?: [\w&’'/-]+){0,6}?) (is|was|are|were|means) (.{12,})$", re.S)
_HAS_NUMBER = re.compile(r"\d")
_LONGEST, _SHORTEST = 240, 40


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question with the place that answers it, its right answers, or the mark that nothing answers it (page 0).

    The document is a path or its end; the quote is empty where only the page is known.
    """

    question: str
    document: str
    page: int
    quote: str
    answers: tuple[str, ...] = ()
    unanswerable: bool = False

    def names(self, path: str) -> bool:
        """Return whether a document's path is, or ends with, the one given."""
        parts = Path(self.document).parts
        return bool(parts) and Path(path).parts[-len(parts) :] == parts


def make_questions(library: Library | Live, collections: Sequence[str], number: int) -> list[Wanted]:
    """Return questions about sentences spread over all documents; the same for the same corpus."""
    made: list[list[Wanted]] = []
    for document in library.documents():
        if collections and document.collection not in collections:
            continue
        if document.version is not None:
            made.append(_of_document(library, document.document_id, document.path))
    chosen: list[Wanted] = []
    while len(chosen) < number and any(made):
        for some in made:  # one of each document in turn, from all parts of it
            if some and len(chosen) < number:
                chosen.append(some.pop(len(some) // 2))
    return chosen


def _of_document(library: Library | Live, document_id: str, path: str) -> list[Wanted]:
    text = library.text(document_id).text
    found = []
    for passage in library.catalog.passages_of(document_id):
        if passage.hidden or passage.made_by:  # answers don't quote it
            continue
        for start, end in sentences(passage.text):
            sentence = " ".join(passage.text[start:end].split())
            if question := _question(sentence):
                quote = passage.text[start:end]
                if text.count(quote) == 1:
                    found.append(Wanted(question, path, passage.page, quote))
                    break  # one a passage
    return found


def _question(sentence: str) -> str | None:
    """Return a question that a sentence answers, or None when no rule fits it."""
    if not _SHORTEST <= len(sentence) <= _LONGEST or sentence.startswith("|"):
        return None
    if match := _DEFINES.match(sentence):
        subject, verb, said = match.groups()
        if subject.split()[0].lower() not in STOP_WORDS and len(content_words(said)) >= 3:
            verb = "is" if verb == "means" else verb
            return f"What {verb} {subject[0].lower() + subject[1:] if subject.istitle() else subject}?"
    words = content_words(sentence)
    if _HAS_NUMBER.search(sentence) and len(words) >= 5:
        about = [word for word in words if not word[0].isdigit()][:8]
        return f"How much or when: {' '.join(about)}?"
    return None


def write_questions(file: Path, questions: Sequence[Wanted]) -> None:
    """Write questions as YAML under a comment that says what they are."""
    rows = [
        {"question": item.question, "document": item.document, "page": item.page, "quote": item.quote}
        for item in questions
    ]
    text = HEADER + yaml.safe_dump(rows, allow_unicode=True, sort_keys=False, width=120)
    file.write_text(text, encoding="utf-8")


def read_questions(file: Path) -> list[Wanted]:
    """Read a file of questions; raise UsageError naming the entry that is wrong."""
    try:
        rows: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{file} can't be read: {error}", "Make one with `readingroom eval init`.") from error
    if not isinstance(rows, list) or not rows:
        raise UsageError(f"{file} holds no list of questions.", "Make one with `readingroom eval init`.")
    return [_wanted(file, number, row) for number, row in enumerate(rows, start=1)]


def _wanted(file: Path, number: int, row: Any) -> Wanted:
    place = ("document", "page")
    if not isinstance(row, dict) or not str(row.get("question") or "").strip():
        raise UsageError(f"Question {number} of {file} is not complete.", "It has no `question`.")
    given = row.get("answer")
    answers = tuple(str(item) for item in (given if isinstance(given, list) else [given]) if str(item or "").strip())
    said = "answerable" if "answerable" in row else "unanswerable"
    value = row.get(said, False)
    unanswerable = value is (said == "unanswerable")
    if not isinstance(value, bool) or (unanswerable and answers):
        raise UsageError(
            f"Question {number} of {file} can't be both: `{said}` is {value!r}, `answer` is {given!r}.",
            "Give an answer, or `unanswerable: true`.",
        )
    missing = [key for key in place if key not in row]
    if unanswerable or (answers and len(missing) == len(place)):
        return Wanted(str(row["question"]), "", 0, "", answers, unanswerable)
    if "quote" not in row and not answers:
        missing.append("quote")
    if missing:
        raise UsageError(
            f"Question {number} of {file} is not complete: it has no `{missing[0]}`.",
            "It has question, document, page, and quote or answer; or question and answer; or question and "
            "`unanswerable: true`.",
        )
    if not isinstance(row["page"], int) or row["page"] < 1:
        raise UsageError(f"The page of question {number} of {file} is {row['page']!r}.", "Pages count from 1.")
    return Wanted(str(row["question"]), str(row["document"]), row["page"], str(row.get("quote", "")), answers)
