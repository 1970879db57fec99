"""Finds the documents that a question names: by file name, organisation, period and kind."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from sqlalchemy import Connection

from ingest.elements import INSIDE
from rag.newest import asks_newest, older
from rag.schema import document_names
from rag.store import Store
from rag.words import STOP_WORDS, stem, tokens

_BREAKS = re.compile(r"[_\s,;()\[\]{}+#@!]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z]{3})(?=\d)|(?<=\d)(?=Q\d)")
_JOINED = 3
"""Neighbouring words of a question that may be one word in a file's name: "American Express" in AMERICANEXPRESS."""
_YEAR = re.compile(r"(?:FY)?'?((?:19|20)\d\d)", re.I)
_SHORT_YEAR = re.compile(r"FY'?(\d\d)", re.I)
_QUARTER = re.compile(r"Q([1-4])", re.I)
_YEAR_QUARTER = re.compile(r"Q([1-4])(?:of)?(?:FY)?((?:19|20)\d\d)|(?:FY)?((?:19|20)\d\d)Q([1-4])", re.I)
_QUARTERS = {"first": "1", "second": "2", "third": "3", "fourth": "4"}
_FISCAL = re.compile(r"\bFY ?'?\d\d|\bfiscal (?:year )?(?:19|20)\d\d", re.I)
_ANNUAL = ("10-K", "20-F", "annual report")
"""Kinds of documents that speak for a whole fiscal year."""
_KINDS = {
    "10-k": "10-K", "10k": "10-K", "10-q": "10-Q", "10q": "10-Q", "8-k": "8-K", "8k": "8-K", "20-f": "20-F", "20f": "20-F",
}  # fmt: skip
_NO_NAMES = frozenset(
    "inc corp corporation company co plc ltd limited llc gmbh ag sa group holdings report annual quarterly document file copy "
    "final draft version dated new old page scan pdf docx earnings".split()
)
"""Words of names that many documents could have."""
_CALLED = frozenset("report reports filing filings latest recent".split())
"""Words for any report."""
_OF_REPORTS = frozenset("annual quarterly".split())
"""Words that belong to the name of a report when it follows."""
YEAR, QUARTER, KIND = "year:", "quarter:", "kind:"
"""What stands in front of a word that is no name."""
OLDER = 0.25
"""Share of its worth that a document keeps when the latest one is asked for and another of its organisation and kind is newer."""
MOST = 20_000
"""Documents in which a word of a question may stand as a name and still tell them apart."""


_TOTAL = "SELECT count(*) FROM documents WHERE collection IN (SELECT value FROM json_each(?))"
_NAMED = """
SELECT n.word, n.document_id FROM json_each(?) w CROSS JOIN document_names n ON n.word = w.value
JOIN documents d ON d.document_id = n.document_id WHERE d.collection IN (SELECT value FROM json_each(?)) LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Named:
    """A document that a question names: `share`, from 0 to 1, says how clearly."""

    document_id: str
    share: float


def words_of_name(path: str, facets: Mapping[str, str]) -> set[str]:
    """Return the words that a document can be named by, from its path and its facets (`ingest.facets`)."""
    found: set[str] = set()
    for part in path.split(INSIDE):
        stem_of_file = PurePath(part).stem
        found |= _plain(stem_of_file)
        found |= _plain(PurePath(part).parent.name)
    for name in facets.get("organisation", "").split("\n"):
        words = [word for word in tokens(name) if word.lower() not in STOP_WORDS and word.lower() not in _NO_NAMES]
        found |= {stem(word) for word in words if len(word) > 1}
        found.add("".join(words).lower())
        initials = "".join(word[0] for word in words).lower()
        if len(initials) > 1:
            found |= {initials, "n".join(initials)} if "&" in name else {initials}
    found.add(facets.get("ticker", "").lower())
    for period in facets.get("period", "").split():
        year, _, quarter = period.partition("Q")
        found |= {YEAR + year} | ({QUARTER + year + "Q" + quarter, QUARTER + quarter} if quarter else set())
    if kind := facets.get("kind", ""):
        found.add(KIND + kind)
    return {word for word in found if word}


def words_that_name(question: str, facets: Mapping[str, str]) -> set[str]:
    """Return the stems of those words of a question that say which document is meant, of one with these facets: its
    organisation, quarter and kind, and what any report is called. Years are not among them: a report has several."""
    known = words_of_name("", facets)
    found = set()
    words = tokens(question)
    for word, after in zip(words, [*words[1:], ""], strict=True):
        lower = word.lower()
        quarter = _QUARTER.fullmatch(word)
        called = lower in _CALLED or (lower in _OF_REPORTS and after.lower() in _CALLED)
        if (
            {stem(word), lower} & known
            or KIND + _KINDS.get(lower, "-") in known
            or (quarter and QUARTER + quarter.group(1) in known)
            or (called and facets.get("kind"))
        ):
            found |= {stem(part) for part in tokens(word)}  # "10-Q" is found in parts, too
    return found


def _plain(name: str) -> set[str]:
    """Return the words of a file's name, years and kinds left to its facets."""
    words = [word for piece in _BREAKS.split(name) for word in tokens(piece)]
    kept = [
        word
        for word in words
        if len(word) > 1 and not _YEAR.fullmatch(word) and word.lower() not in STOP_WORDS | _NO_NAMES
        and word.lower() not in _KINDS and not _QUARTER.fullmatch(word) and not word.isdigit()
    ]  # fmt: skip
    letters = [word for word in kept if word.isalpha()]
    return {stem(word) for word in kept} | {"".join(letters).lower()} - {""}


def words_of_question(question: str) -> list[set[str]]:
    """Return what a question may name documents by: for each place in it, the words that could stand there.

    Of several years only the newest counts: a report for 2022 also holds 2021 and 2020.
    """
    words = tokens(question.replace("’", "'"))
    found: list[set[str]] = []
    years: set[str] = set()
    quarters: list[set[str]] = []
    for at, word in enumerate(words):
        if match := _YEAR_QUARTER.fullmatch(word):
            quarter, year = match.group(1) or match.group(4), match.group(2) or match.group(3)
            years.add(year)
            quarters.append({f"{QUARTER}{year}Q{quarter}", QUARTER + quarter})
        elif match := _YEAR.fullmatch(word) or _SHORT_YEAR.fullmatch(word):
            years.add(match.group(1) if len(match.group(1)) > 2 else "20" + match.group(1))
        elif match := _QUARTER.fullmatch(word):
            quarters.append({QUARTER + match.group(1)})
        elif word.lower() in _QUARTERS and words[at + 1 : at + 2] and words[at + 1].lower().startswith("quarter"):
            quarters.append({QUARTER + _QUARTERS[word.lower()]})
        elif word.lower() in _KINDS:
            found.append({KIND + _KINDS[word.lower()]})
        elif word.lower() not in STOP_WORDS and word.lower() not in _NO_NAMES:
            found.append(_spellings(words, at))
    newest = max(years, default="")
    if newest:
        found.append({YEAR + newest})
    if _FISCAL.search(question) and not quarters:
        found.append({KIND + kind for kind in _ANNUAL})
    for names in quarters:
        exact = {f"{QUARTER}{newest}Q{name.removeprefix(QUARTER)}" for name in names if newest and "Q" not in name}
        found.append(exact or names)
    return [names for names in found if names]


def asks_quarter(question: str) -> bool:
    """Return whether a question names a quarter, of whatever year."""
    return any(word.startswith(QUARTER) for words in words_of_question(question) for word in words)


def _spellings(words: Sequence[str], at: int) -> set[str]:
    """Return a word's stem, and the words that begin with it and its neighbours, written as one."""
    found = {stem(words[at]), words[at].lower()} if len(words[at]) > 1 else set()
    for length in range(2, _JOINED + 1):
        some = words[at : at + length]
        if len(some) == length:
            found.add("".join(word for word in some if word.lower() != "and").lower())
    return found


def insert_names(connection: Connection, document_id: str, version: str, path: str, facets: Mapping[str, str]) -> None:
    """Write the words that a version of a document can be named by."""
    rows = [
        {"word": word, "document_id": document_id, "version": version} for word in sorted(words_of_name(path, facets))
    ]
    if rows:
        connection.execute(document_names.insert(), rows)


@dataclass(frozen=True, slots=True)
class Naming:
    """Finds named documents in one catalog."""

    store: Store

    def documents(self, question: str, collections: Sequence[str], limit: int = 8) -> list[Named]:
        """Return the documents that a question names, the most clearly named first.

        A word counts by its rarity among the documents of the collections; years and kinds alone name nothing. Where the
        question asks for the latest, the newest document of an organisation and kind is named more clearly than the others.
        """
        places = words_of_question(question)
        asked = {word for words in places for word in words}
        if not asked:
            return []
        with self.store.read() as connection:
            inside = json.dumps(list(collections))
            total = connection.exec_driver_sql(_TOTAL, (inside,)).scalar_one()
            rows = connection.exec_driver_sql(_NAMED, (json.dumps(sorted(asked)), inside, MOST)).all()
        holders: dict[str, set[str]] = {}
        for row in rows:
            holders.setdefault(row[0], set()).add(row[1])
        worth = {word: _worth(len(some), total) for word, some in holders.items()}
        scores: dict[str, float] = {}
        named: set[str] = set()
        for words in places:
            best: dict[str, float] = {}
            for word in words & set(worth):
                for key in holders[word]:
                    best[key] = max(best.get(key, 0.0), worth[word])
                if _is_name(word):
                    named |= holders[word]
            for key, value in best.items():
                scores[key] = scores.get(key, 0.0) + value
        for key in older(self.store, named) if asks_newest(question) else ():
            scores[key] *= OLDER
        top = max((scores[key] for key in named), default=0.0)
        # a word that every document has is worth nothing, and names none
        ranked = sorted((key for key in named if scores[key] > 0), key=lambda key: (-scores[key], key))[:limit]
        return [Named(key, scores[key] / max(1.0, top)) for key in ranked]

    def without_older(self, question: str, document_ids: Sequence[str]) -> set[str]:
        """Return which of some documents a question is asked of: without the older ones where it asks for the latest."""
        return set(document_ids) - (older(self.store, document_ids) if asks_newest(question) else set())


def _is_name(word: str) -> bool:
    """Return whether a word can name a document alone: a year, a kind, or a quarter of any year can't."""
    return not word.startswith((YEAR, KIND)) and (not word.startswith(QUARTER) or "Q" in word.removeprefix(QUARTER))


def _worth(holders: int, total: int) -> float:
    """Return how well a word tells documents apart: 1 for one document's own word, 0 for one that all have."""
    return (
        math.log((total + 1) / (holders + 0.5)) / math.log((total + 1) / 1.5) if total > 1 and holders < total else 0.0
    )
