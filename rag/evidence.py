"""Weighs how well passages support a question, sentence by sentence, without a language model."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from ingest.ports import Embedder
from rag.answer_type import NOT_QUANTITY
from rag.catalog import Catalog
from rag.marks import CODE, QUARTER, Marks, marks, numbered, of_another
from rag.naming import words_that_name
from rag.passages import Passage
from rag.retrieve import Found
from rag.rows import caption, group_row, header_row, is_header
from rag.wanted import Wanted, wanted
from rag.words import MONTHS, STOP_WORDS, WEEKDAYS, content_words, numbers, sentences, stem, stems, tokens

SENTENCES_AT_MOST = 80
"""Sentences that are compared by vector for one question; on two cores about half a second."""

_ASKS_NUMBER = re.compile(
    r"\b(how (much|many|long|old|far|often|high|large|big|tall|deep|fast|wide|soon)|when|(what|which) (year|date|day|time)|"
    r"until when|by when)\b",
    re.IGNORECASE,
)
_FISCAL = re.compile(r"\bFY'?((?:19|20)\d\d)\b", re.IGNORECASE)
"""A fiscal year written as one word, which documents write as a year."""
_ASKS_QUANTITY = re.compile(r"\bhow (much|many|high|large|big)\b", re.IGNORECASE)
_QUANTITIES = stems(
    "sales revenue revenues turnover income profit profits loss losses cost costs expense expenses expenditure price prices fee "
    "fees charge rent salary wage budget amount total sum number share percentage percent rate ratio margin tax debt assets "
    "liabilities equity cash dividend dividends earnings value balance size"
)
_NUMBER_WORDS = stems(
    "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty hundred thousand million "
    f"billion half once twice daily weekly monthly yearly annually first second third century {' '.join(MONTHS + WEEKDAYS)}"
)

_FOCUS = re.compile(
    r"\b(?:what|which)\s+(?:is|was|are|were|will be)?\s*((?:[\w'’&/-]+\s+){1,5}?)"
    r"(?=(?:of|in|for|on|at|by|to|does|do|did|must|may|can|is|are|was|were|will|has|have|had|applies|apply)\b)",
    re.IGNORECASE,
)
CAPITALS = 0.6
"""Share of capital letters from which on a line is taken for a heading."""
_SUBJECT = re.compile(r"(?:Subject|Re|Fwd?): ", re.IGNORECASE)
"""How the line begins that says what a mail is about."""
_HEADING = re.compile(r"(?:[^\s|:]+\s+){0,9}[^\s|:]*[^\s.!?;:|”\")]")


@dataclass(frozen=True, slots=True)
class Features:
    """What speaks for a sentence, each from 0 to 1. Shares of words are weighted by rarity in the catalog.

    `own`: words of the question in the sentence, those left out that name its document; `passage`: the same in the sentence, its
    passage, headings or file name; `likeness`: cosine of the two vectors; `names` and `figures`: shares of the
    question's capitalised names, and of its numbers and codes (E200), in the passage, the latter for a table row in the row, its
    group, header, caption and headings; `focus`: 1 when the noun that is asked for ("what rent", "the rent of") stands in the
    sentence, its headings or its table header; `kind`: 0 when a number or a date is asked for and the sentence adds none;
    `states`: 0 for a line that looks like a heading or is a table's header row, for one without any of the question's words,
    and for one about another of the kind that is asked about: they state nothing of what is asked.
    """

    own: float
    passage: float
    likeness: float
    names: float
    figures: float
    focus: float
    kind: float
    states: float


WEIGHTS = Features(own=3.5, passage=3.5, likeness=3.0, names=1.0, figures=2.5, focus=1.0, kind=1.5, states=2.0)
BIAS = -12.75
"""Set by hand; how well they separate what the documents answer from what they don't: docs/decisions/0004-evidence-gate.md."""


SURE = -3.0
"""The span reader's score from which on its words are the answer, and their sentence comes first."""


@dataclass(frozen=True, slots=True)
class Support:
    """A sentence or table row of a passage, its place in the version's text, and the estimated chance that it answers; `figure`
    says that it is the row of the very figure that is asked for (`rag.figures`, `rag.lookup`), `column` in which column, where
    that is known. Where the reader marked words of it, `marked` is their place and `read` the reader's score."""

    found: Found
    start: int
    end: int
    features: Features
    score: float
    figure: bool = False
    column: int | None = None
    marked: tuple[int, int] | None = None
    read: float | None = None

    @property
    def text(self) -> str:
        passage = self.found.passage
        return passage.text[self.start - passage.start : self.end - passage.start]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks for: its stems with their rarity, its names and numbers, and whether it wants a number. `naming` are
    those of its stems that say which document is meant, for each document; `marks` are what tells what it asks about apart
    from others of its kind (`rag.marks`), `wanted` what a place must have in words (`rag.wanted`)."""

    weights: dict[str, float]
    names: frozenset[str]
    numbers: frozenset[str]
    wants_number: bool
    wants_quantity: bool
    focus: str | None
    naming: Mapping[str, frozenset[str]] = field(default_factory=dict)
    marks: Marks = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)

    @classmethod
    def of(cls, question: str, catalog: Catalog, found: Sequence[Found]) -> Asked:
        """Return what a question asks for, of the documents of some passages."""
        words = content_words(question)[:64]
        counts, total = catalog.document_frequency(words)
        weights = {stem(word): math.log(1 + (total + 1) / (counts[word] + 0.5)) for word in words}
        first = next(iter(tokens(question)), "")
        names = {
            stem(word)
            for word in words
            if word[0].isupper() and word.lower() not in STOP_WORDS and not (word == first and word.istitle())
        }
        focus = _focus(question)
        quantity = focus in _QUANTITIES or bool(_ASKS_QUANTITY.search(question))
        wants_number = quantity or bool(_ASKS_NUMBER.search(question))
        years = {match[1] for match in _FISCAL.finditer(question)}
        mixed = {word for word in weights if any(map(str.isdigit, word)) and any(map(str.isalpha, word))}
        codes = {word for word in mixed if not _FISCAL.fullmatch(word)}
        figures = frozenset(numbers(question) | years | codes)
        documents = [item.passage.document_id for item in found]
        naming = {
            name: frozenset(words_that_name(question, asdict(facets)) & set(weights))
            for name, facets in catalog.facets(documents).items()
        }
        return cls(
            weights, frozenset(names), figures, wants_number, quantity, focus, naming, marks(question), wanted(question)
        )

    def features(self, found: Found, start: int, end: int, likeness: float) -> Features:
        """Compare with the sentence or table row at [start, end); `likeness` is the cosine of its vector with the question's.

        A row counts with its header row: its cells mean nothing without.
        """
        passage = found.passage
        sentence = passage.text[start - passage.start : end - passage.start]
        above = f"{passage.heading}\n{passage.context}\n{Path(passage.path).stem.replace('_', ' ')}"
        header = header_row(passage, start)
        own, over = stems(f"{header} {sentence}"), stems(above)
        named = self.naming.get(passage.document_id, frozenset())
        content = {word: weight for word, weight in self.weights.items() if word not in named} or self.weights
        whole = sum(content.values()) or 1.0
        around = own | over | stems(passage.text) | named
        place = f"{header} {caption(passage, start)} {group_row(passage, start)} {sentence}" if header else passage.text
        said = numbers(f"{above} {place}") | (stems(place) | over if header else around)
        heading = is_header(passage, start) or bool(_HEADING.fullmatch(sentence)) or _in_capitals(sentence)
        heading = heading or _SUBJECT.match(sentence) is not None
        return Features(
            own=sum(weight for word, weight in content.items() if word in own) / whole,
            passage=sum(weight for word, weight in content.items() if word in around) / whole,
            likeness=max(0.0, min(1.0, likeness)),
            names=len(self.names & around) / len(self.names) if self.names else 1.0,
            figures=len(self.numbers & said) / len(self.numbers) if self.numbers else 1.0,
            focus=1.0 if self.focus is None or self.focus in own | over else 0.0,
            kind=1.0 if not self.wants_number or self._adds_number(sentence) else 0.0,
            states=0.0 if heading or not own.intersection(content) or self.is_another(found, start, end) else 1.0,
        )

    def is_another(self, found: Found, start: int, end: int) -> bool:
        """Return whether the sentence or table row at [start, end) is about another of a kind than the question: severity 1 for
        severity 3, or in the document of another than the one that the question names, or lacks what it counts, the per what
        of its amount, or the post. What is around a sentence is its passage; around a row, its header, caption and headings."""
        passage = found.passage
        if self._names_others(passage):
            return True
        if not self.marks and self.wanted == Wanted():
            return False
        header = header_row(passage, start)
        sentence = passage.text[start - passage.start : end - passage.start]
        place = f"{header}\n{caption(passage, start)}\n{sentence}\n{numbered(header, sentence)}" if header else sentence
        called = Path(passage.path).stem.replace("_", " ").replace("-", " ")
        above = f"{passage.heading}\n{passage.context}\n{called}"
        whole = f"{sentence}\n{group_row(passage, start)}\n{place}" if sentence.startswith("|") else sentence
        naming = self.naming.get(passage.document_id, frozenset())
        if self.wanted.is_lacking(whole, above, passage.text, naming):
            return True
        named = " ".join(naming)  # q3 and fy2018 say which document, not what of it
        marked = {kind: values for kind, values in self.marks.items() if not any(value in named for value in values)}
        codes = {kind: values for kind, values in marked.items() if kind.endswith(CODE) and kind != QUARTER}
        if codes and not header and of_another(codes, sentence, ""):
            return True  # "in LUMEN-2" says nothing of LUMEN-3, though the document is about that
        return bool(marked) and of_another(marked, place, f"{above}\n{place if header else passage.text}")

    def _names_others(self, passage: Passage) -> bool:
        """Return whether a question names another document by a name, not this one, and the passage doesn't have that name."""
        called = {key: stemmed & self.names for key, stemmed in self.naming.items()}
        named = frozenset().union(*called.values())
        if not named or called.get(passage.document_id):
            return False
        return named.isdisjoint(stems(f"{passage.heading} {passage.context} {passage.text}"))

    def _adds_number(self, sentence: str) -> bool:
        words = stems(sentence) & _NUMBER_WORDS - set(self.weights)
        plain = NOT_QUANTITY.sub(" ", sentence) if self.wants_quantity else sentence
        return bool(numbers(plain) - self.numbers or words)


def _in_capitals(sentence: str) -> bool:
    """Return whether a line is written in capitals, as titles of statements and cover pages are."""
    letters = [letter for letter in sentence if letter.isalpha()]
    return len(letters) > 12 and sum(map(str.isupper, letters)) > CAPITALS * len(letters)


def _focus(question: str) -> str | None:
    """Return the stem of the noun that a question asks for, or None where its form doesn't tell."""
    match = _FOCUS.search(question)
    words = content_words(match.group(1)) if match else []
    return stem(words[-1]) if words else None


def weigh(question: str, asked: Asked, found: Sequence[Found], embedder: Embedder) -> list[Support]:
    """Return the sentences of the passages, the best support first."""
    spans = [
        (item, item.passage.start + start, item.passage.start + end)
        for item in found
        for start, end in sentences(item.passage.text)
    ][:SENTENCES_AT_MOST]
    if not spans:
        return []
    # a row is embedded with its header row, like a chunk that begins inside a table
    texts = [
        f"{header_row(item.passage, start)} {item.passage.text[start - item.passage.start : end - item.passage.start]}"
        for item, start, end in spans
    ]
    cosines = (embedder.embed(texts) @ embedder.embed_question(question)).tolist()
    supports = []
    for (item, start, end), cosine in zip(spans, cosines, strict=True):
        features = asked.features(item, start, end, embedder.likeness(cosine))
        supports.append(Support(item, start, end, features, chance(features)))
    return sorted(supports, key=lambda support: -support.score)


def chance(features: Features) -> float:
    """Return the estimated chance that a sentence with these features answers the question (logistic regression)."""
    total = BIAS + sum(getattr(WEIGHTS, item.name) * getattr(features, item.name) for item in fields(Features))
    return 1 / (1 + math.exp(-total))
