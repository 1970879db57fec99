"""Finds names in a question that stand nowhere in the documents, or in none that it asks: others' words answer nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from rag.answer_type import asks_several
from rag.catalog import Catalog
from rag.passages import Passage
from rag.retrieve import NAMED_CLEARLY
from rag.words import MONTHS, STOP_WORDS, WEEKDAYS, tokens

_ENGLISH = re.compile(
    r"\b(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|did|does|do|has|have|the|of)\b", re.IGNORECASE
)
_WORD = re.compile(r"[^\W\d_]+(?:[-&'’.][^\W\d_]+)*")
_ENDS = re.compile(r"[.?!:;]\s")
_POSSESSIVE = re.compile(r"['’]s?$")
_COMPOUND = re.compile(r"-[a-z].*")
"""What makes an adjective of a name: "Huguenot-descended"."""
_DETERMINERS = frozenset("the a an this these those each every any all no our your their its his her".split())
_NOT_NAMES = frozenset(
    """
    section article clause chapter part page table figure note item annex appendix schedule question form quarter mr mrs ms dr
    prof inc corp ltd llc company english german french spanish italian dutch portuguese chinese
    """.split()
).union(MONTHS, WEEKDAYS)
_ROLE = re.compile(r"(?:[eo]r|ee|a?nt|man|woman|ist|ary|[ai]al|s)$", re.IGNORECASE)
_TERMS = frozenset(
    """
    board committee company contract agreement project work party group fund trust bank plan policy effective closing
    commencement software system site property building plant vessel ship lease term notice order programme program scheme office
    state federal annual general trade market yard premium base
    """.split()
)
"""Words that are written with a capital where they are defined, as those for who does something are (`_ROLE`): they may be called
otherwise in the documents."""
_MOST_NAMED = 50
"""Documents that one question names, at most."""
_SHORTEST = 4
_ABBREVIATION = 5
"""Letters up to which a word in capitals may stand for other words."""
_ALIKE = 0.75
"""Likeness of two words, by difflib, from which on one may be a slip of the other."""


def about_others(question: str, catalog: Catalog, found: Sequence[Passage], collections: Sequence[str]) -> str:
    """Return why what was found is about others than a question asks for, "" where it need not be: a name stands nowhere, or in
    none of the documents that the question names ("LinkedIn" in Amazon's reports). What names a document itself may be whose
    the others are, and need not stand in them."""
    if unknown := unknown_names(question, catalog, found):
        return f"{' and '.join(unknown)}: that stands nowhere in these documents."
    others = [name for name in _names(question) if not name.isupper()]  # EBITDA may be worked out
    if not others or asks_several(question):
        return ""
    within = catalog.require_collections(collections)
    by_name = catalog.naming.documents(_written_as_names(question), within, _MOST_NAMED)
    if not by_name or len(by_name) == _MOST_NAMED:  # there may be more
        return ""
    named = [item.document_id for item in by_name if item.share >= NAMED_CLEARLY * by_name[0].share]
    its_own = _of_named(question, catalog, [item.document_id for item in by_name])
    if its_own and its_own.isdisjoint(named):  # a quarter may name reports of others more clearly
        named = sorted(its_own)
    lacking = [name for name in others if not catalog.stands_in(name, named)]
    lacking = [name for name in lacking if not catalog.naming.documents(name, within)]
    lacking = _unlike(lacking, [passage for passage in found if passage.document_id in named])
    return f"{' and '.join(lacking)}: that stands in none of the documents that are asked." if lacking else ""


def _written_as_names(question: str) -> str:
    """Return the words of a question that have a capital or a figure: "contract" names no "employment-contract.pdf"."""
    return " ".join(word for word in question.split() if not word.islower())


def _of_named(question: str, catalog: Catalog, documents: Sequence[str]) -> set[str]:
    """Return which documents are those of an organisation that a question names."""
    names = set(map(str.lower, _names(question)))
    facets = catalog.facets(documents).items()
    return {key for key, one in facets if names & {word.lower() for word in tokens(one.organisation)}}


def unknown_names(question: str, catalog: Catalog, found: Sequence[Passage]) -> list[str]:
    """Return the names of a question in English that no passage of the catalog has, nor anything like them what was found for it.

    A name is a run of words with capitals behind no article: "the Vendor" may be called otherwise in the documents; or one word
    between an article and a noun, unless it may be such a term: "the Xilinx transaction".
    """
    if not (names := _names(question)):
        return []
    counts, total = catalog.document_frequency(names)
    return _unlike([name for name in names if not counts[name]], found) if total else []


def _unlike(names: Sequence[str], found: Sequence[Passage]) -> list[str]:
    """Return the names that no word of passages is like: those may be slips of it."""
    if not names:
        return []
    there = {word.lower() for passage in found for word in tokens(f"{passage.path} {passage.heading} {passage.text}")}
    return [name for name in names if not difflib.get_close_matches(name.lower(), there, 1, _ALIKE)]


def _names(question: str) -> list[str]:
    """Return the names of a question, none where it isn't in English or is a title."""
    return list(dict.fromkeys(_capitals(question))) if len(_ENGLISH.findall(question)) >= 2 else []


def _tells_apart(question: str, said: str, word: re.Match[str], following: Sequence[re.Match[str]]) -> bool:
    """Return whether a word behind an article stands before a noun that it tells apart, and is no term that may be defined."""
    beside = bool(following) and question[word.end() : following[0].start()] == " " and word.group() == said
    if not beside or not following[0].group().islower() or following[0].group() in STOP_WORDS:
        return False
    return _ROLE.search(said) is None and said.lower() not in _TERMS


def _capitals(question: str) -> Iterator[str]:
    words = list(_WORD.finditer(question))
    capitals = [word for word in words[1:] if word.group()[0].isupper()]
    if len(capitals) > len(words) / 2:  # a title: capitals say nothing
        return
    led = True  # by a determiner, or by the beginning of a sentence
    for number, word in enumerate(words):
        said = _COMPOUND.sub("", _POSSESSIVE.sub("", word.group()))
        begins = number == 0 or _ENDS.search(question, words[number - 1].end(), word.start()) is not None
        if begins or not said[0].isupper():
            led = begins or word.group().lower() in _DETERMINERS
            continue
        short = said.isupper() and len(said) <= _ABBREVIATION
        if led and not begins and words[number - 1].group().lower() in _DETERMINERS:
            led = not _tells_apart(question, said, word, words[number + 1 : number + 2])
        if not led and not short and len(said) >= _SHORTEST and said.lower() not in STOP_WORDS | _NOT_NAMES:
            yield said
