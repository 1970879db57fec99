"""What a question asks for: the words to look for, and other wordings of its terms out of a glossary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from rag.errors import SettingsError, UsageError
from rag.whole import Whole, wholes
from rag.words import STOP_WORDS, search_words, stem, tokens

GLOSSARY = Path(__file__).with_name("glossary.yaml")
MAX_QUESTION = 4000
"""Characters of a question. Longer ones are a pasted document, which should be ingested instead."""
MAX_WORDS = 64
"""Words of a question that keyword search looks for; longer questions are cut there."""
MAX_OTHER = 40
"""Words of other wordings that it looks for beside them."""

ASKING = frozenset(
    """
    answer answers question questions respond response give given round rounded rounding decimal decimals place places
    shown show explain explained why please assume assuming analyst analysts standpoint useful metric metrics relevant
    something ask asked asking clearly rely relying detail details primarily within utilize use using used base based
    judgments judgment drawing conclusions conclusion address addressed approach calculate calculated calculation define
    defined compute outlined explicitly directly mention mentioned abilities ability best following want help tell
    according document documents usd
    """.split()
)
"""Words that say how to answer, not what about: "please explain", "round to two decimals", "in USD"."""

Glossary = Mapping[tuple[str, ...], tuple[str, ...]]
"""Stems of a term → the words of its other wordings."""

Labels = Mapping[tuple[str, ...], tuple[tuple[str, ...], ...]]
"""Stems of a term → the stems of what table rows call it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as searches need it: `words` that say what it is about, `other` words that may stand for them, and what it
    writes as one (`whole`)."""

    text: str
    words: tuple[str, ...]
    other: tuple[str, ...]
    whole: tuple[Whole, ...] = ()


def check_question(question: str) -> str:
    """Return the question without blank ends; raise UsageError when it is empty or far too long."""
    stripped = question.strip()
    if not any(letter.isalnum() for letter in stripped):
        raise UsageError("The question is empty.", "Write what you want to know.")
    if len(stripped) > MAX_QUESTION:
        raise UsageError(
            f"The question has {len(stripped):,} characters; the limit is {MAX_QUESTION:,}.",
            "Ask a shorter question, and ingest long texts as documents.",
        )
    return stripped


def understand(text: str, glossary: Glossary) -> Question:
    """Return what to look for. Words that only say how to answer are left out when two others remain."""
    words = search_words(text)
    about = [word for word in words if word.lower() not in ASKING]
    chosen = (about if len(about) >= 2 else words)[:MAX_WORDS]
    known = {stem(word) for word in chosen}
    other = [word for word in _other_wordings(text, glossary) if stem(word) not in known]
    return Question(text, tuple(chosen), tuple(other[:MAX_OTHER]), wholes(text))


def _other_wordings(text: str, glossary: Glossary) -> list[str]:
    spoken = tuple(stem(word) for word in tokens(text))
    longest = max(map(len, glossary), default=0)
    found: dict[str, str] = {}
    for at in range(len(spoken)):
        for length in range(1, longest + 1):
            for word in glossary.get(spoken[at : at + length], ()):
                found.setdefault(stem(word), word)
    return list(found.values())


@lru_cache(maxsize=8)
def load_glossary(*files: Path) -> Glossary:
    """Read glossary files; raise SettingsError naming the file and the entry that is wrong."""
    terms: dict[tuple[str, ...], tuple[str, ...]] = {}
    for file in files:
        for number, entry in enumerate(_entries(file), start=1):
            if not isinstance(entry, dict) or set(entry) - {"rows"} != {"terms", "also"}:
                raise SettingsError(
                    f"Entry {number} of the glossary {file} is wrong.",
                    "It has `terms` and `also`, and may have `rows`.",
                )
            also = tuple(word for wording in _strings(entry["also"]) for word in search_words(wording))
            for term in _strings(entry["terms"]):
                key = tuple(stem(word) for word in tokens(term))
                terms[key] = tuple(dict.fromkeys(terms.get(key, ()) + also))
    return terms


@lru_cache(maxsize=8)
def load_labels(*files: Path) -> Labels:
    """Read from glossary files (see `load_glossary`) what table rows call a term."""
    labels: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {}
    for entry in (entry for file in files for entry in _entries(file)):
        if isinstance(entry, dict) and "rows" in entry:
            rows = tuple(_stems(label) for label in _strings(entry["rows"]))
            for term in map(_stems, _strings(entry["terms"])):
                labels[term] = tuple(dict.fromkeys(labels.get(term, ()) + rows))
    return labels


def _stems(wording: str) -> tuple[str, ...]:
    """Return the stems of a wording without function words, which labels are compared without."""
    return tuple(stem(word) for word in tokens(wording) if word.lower() not in STOP_WORDS)


@lru_cache(maxsize=8)
def _entries(file: Path) -> Sequence[object]:
    try:
        entries = yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"The glossary {file} can't be read: {error}", "Correct `search.glossary`.") from error
    if not isinstance(entries, list):
        raise SettingsError(f"The glossary {file} is not a list.", "See rag/glossary.yaml for the form.")
    return entries


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
