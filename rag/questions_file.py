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
# document   the path of the document that answers it
# page       the page that answers it
# quote      the words there that answer it; they find the place again when the document was read anew
"""
_DEFINES = re.compile(r"^(?:The |An? )?([A-Z][\w&’'/-]*(?: [\w&’'/-]+){0,6}?) (is|was|are|were|means) (.{12,})$", re.S)
_HAS_NUMBER = re.compile(r"\d")
_LONGEST, _SHORTEST = 240, 40


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question with the place that answers it."""

    question: str
    document: str
    page: int
    quote: str


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
    found = []
    for number, row in enumerate(rows, start=1):
        keys = {"question", "document", "page", "quote"}
        if not isinstance(row, dict) or not keys <= set(row) or not str(row["question"]).strip():
            raise UsageError(f"Question {number} of {file} is not complete.", f"It has {', '.join(sorted(keys))}.")
        if not isinstance(row["page"], int) or row["page"] < 1:
            raise UsageError(f"The page of question {number} of {file} is {row['page']!r}.", "Pages count from 1.")
        found.append(Wanted(str(row["question"]), str(row["document"]), row["page"], str(row["quote"])))
    return found
