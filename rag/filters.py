"""Filters: which documents and pages of them a question is asked of."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import Column, Connection, and_, func, or_, select, text

from ingest.facets import KINDS
from ingest.language import LANGUAGES
from rag.errors import NotFound, UsageError
from rag.schema import documents, versions
from rag.shapes import ID

_LAST = 2**31
_LISTS = {
    "collection": "collections",
    "document": "documents",
    "path": "paths",
    "type": "types",
    "kind": "kinds",
    "language": "languages",
    "thread": "threads",
}
_RANGES = {"date": ("date_from", "date_to"), "pages": ("page_from", "page_to")}
_LISTED = 30
"""Names that an error lists, at most."""
_MOST = 1000
"""Values of one key."""


def _one_of(value: str, known: Collection[str], what: str, more: str) -> str:
    """Return the value as it is spelt among the known ones; raise ValueError with the one that is near, or all of them."""
    spelt = {name.lower(): name for name in known}
    found = spelt.get(value.lower())
    if found is None:
        near = difflib.get_close_matches(value.lower(), spelt, n=1, cutoff=0.6)
        every = "" if len(known) > _LISTED else f"there are {', '.join(sorted(known))}."
        hint = f"did you mean `{spelt[near[0]]}`?" if near else every
        raise ValueError(" ".join(filter(None, [f"there is no {what} `{value[:40]}`:", hint, more])))
    return found


def _type(value: str) -> str:
    from ingest.formats import FORMATS, SUFFIXES  # with the readers of signatures, which only a filter by type needs

    known = FORMATS | {suffix.lstrip(".") for suffix in SUFFIXES}
    return _one_of(value.lstrip("."), known, "type", "Types are formats and suffixes; others are paths: *.abc")


def _kind(value: str) -> str:
    return _one_of(value, KINDS, "kind", "")


def _language(value: str) -> str:
    return _one_of(re.split("[-_]", value)[0], LANGUAGES, "language", "Languages are ISO 639-1 codes, such as en.")


def _document(value: str) -> str:
    if not ID.fullmatch(value):
        raise ValueError(f"a document's id is 16 signs of 0-9 and a-f, not `{value[:40]}`.")
    return value


Text = Annotated[str, Field(min_length=1, max_length=1000)]


class Filter(BaseModel):
    """Conditions that all hold before anything is ranked; those of one list hold where one of its values does.

    `paths` are globs over whole paths (`*` crosses folders); `types` are file formats or suffixes ("pdf"); `kinds` what
    documents are ("10-K", "contract", "e-mail"); `languages` ISO 639-1 codes; dates are the documents' own, both ends
    included, and documents without a date don't match; pages count from 1. `threads` are those of mails, by the id of the mail
    that each began with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    collections: tuple[Text, ...] = Field((), max_length=_MOST)
    documents: tuple[Annotated[Text, AfterValidator(_document)], ...] = Field((), max_length=_MOST)
    paths: tuple[Text, ...] = Field((), max_length=100, examples=[["*/contracts/*"]])
    types: tuple[Annotated[Text, AfterValidator(_type)], ...] = Field((), max_length=100, examples=[["pdf"]])
    kinds: tuple[Annotated[Text, AfterValidator(_kind)], ...] = Field((), max_length=100, examples=[["10-K"]])
    languages: tuple[Annotated[Text, AfterValidator(_language)], ...] = Field((), max_length=_MOST, examples=[["en"]])
    threads: tuple[Text, ...] = Field((), max_length=_MOST, examples=[["<1@example.org>"]])
    date_from: date | None = None
    date_to: date | None = None
    page_from: int | None = Field(None, ge=1, lt=_LAST)
    page_to: int | None = Field(None, ge=1, lt=_LAST)

    @model_validator(mode="before")
    @classmethod
    def _only_known_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for key in values:
                if key not in cls.model_fields:
                    _one_of(str(key), cls.model_fields, "filter", "")
        return values

    def check(self) -> None:
        """Raise UsageError for a range that nothing can be in."""
        for first, last, what in (
            (self.date_from, self.date_to, "dates"),
            (self.page_from, self.page_to, "pages"),
        ):
            if first is not None and last is not None and first > last:  # type: ignore[operator]  # two of one kind
                raise UsageError(f"The filter's {what} end before they begin ({first} to {last}).", "Swap them.")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a filter leaves of the collections: ids of live documents, how many chunks they have, and pages."""

    document_ids: tuple[str, ...]
    chunks: int
    page_from: int
    page_to: int

    @property
    def whole(self) -> bool:
        """Whether all pages of its documents are in it."""
        return self.page_from <= 1 and self.page_to >= _LAST

    @property
    def condition(self) -> str:
        """The condition on `chunks` c, with the values of `values`."""
        return (
            "c.document_id IN (SELECT value FROM json_each(:scope_ids)) AND c.page BETWEEN :scope_first AND :scope_last"
        )

    @property
    def values(self) -> dict[str, Any]:
        return {
            "scope_ids": json.dumps(self.document_ids),
            "scope_first": self.page_from,
            "scope_last": self.page_to,
        }


_CHUNKS = """
SELECT coalesce(sum(1 + (SELECT max(c.ordinal) FROM chunks c WHERE c.document_id = d.document_id AND c.version = d.version)), 0)
FROM json_each(:scope_ids) w CROSS JOIN documents d ON d.document_id = w.value
"""
"""How many chunks some whole documents have: they are numbered, and counting each takes ten times as long."""


def parse_filter(conditions: Sequence[str]) -> Filter:
    """Read `key=value` conditions of the command line; raise UsageError naming the one that is wrong.

    Keys: collection, document, path, type, kind, language, thread (each may come several times), date=2022-01-01..2022-12-31,
    pages=10..20.
    Either end of a range may be left out.
    """
    values: dict[str, Any] = {}
    for condition in conditions:
        key, equals, value = condition.partition("=")
        key, value = key.strip().lower(), value.strip()
        if not equals or not value:
            raise UsageError(f"The filter `{condition}` has no value.", "Write key=value, for example type=pdf.")
        if key in _LISTS:
            values.setdefault(_LISTS[key], []).append(value)
        elif key in _RANGES:
            first, dots, last = value.partition("..")
            for name, end in zip(_RANGES[key], (first, last if dots else first), strict=True):
                if end:
                    values[name] = end
        else:
            known = [*_LISTS, *_RANGES]
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"Did you mean `{near[0]}`? " if near else ""
            raise UsageError(f"There is no filter `{key}`.", f"{hint}The keys are {', '.join(known)}.")
    try:
        found = Filter(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        keys = {field: key for key, field in _LISTS.items()}
        name = str(problem["loc"][0])
        said, ours = problem["msg"].removeprefix("Value error, "), problem["type"] == "value_error"
        raise UsageError(
            f"The filter's `{keys.get(name, name)}` is {problem['input']!r}: {said}" + ("" if ours else "."),
            "" if ours else "Dates are written 2022-12-31, pages as numbers from 1; ranges with two dots.",
        ) from error
    found.check()
    return found


def conditions(wanted: Filter, table: Any) -> list[Any]:
    """Return a filter as conditions on `documents` and a table of versions; without one, those on `documents` alone."""
    found: list[Any] = []
    if wanted.collections:
        found.append(documents.c.collection.in_(wanted.collections))
    if wanted.documents:
        found.append(documents.c.document_id.in_(wanted.documents))
    if wanted.paths:
        found.append(or_(*(documents.c.path.op("GLOB")(pattern) for pattern in wanted.paths)))
    if table is None:
        return found
    if wanted.types:
        named = (func.lower(documents.c.path).op("GLOB")(f"*.{kind}") for kind in wanted.types)
        found.append(or_(table.c.format.in_(wanted.types), *named))
    if wanted.kinds:
        found.append(func.json_extract(table.c.details, "$.kind").in_(wanted.kinds))
    if wanted.languages:
        found.append(func.json_extract(table.c.details, "$.language").in_(wanted.languages))
    if wanted.threads:
        found.append(func.json_extract(table.c.details, "$.thread").in_(wanted.threads))
    dated = func.json_extract(table.c.details, "$.date")
    if wanted.date_from:
        found.append(dated >= wanted.date_from.isoformat())
    if wanted.date_to:
        found.append(dated <= wanted.date_to.isoformat())
    return found


def scope_of(connection: Connection, wanted: Filter, collections: Sequence[str], live_by: float | None = None) -> Scope:
    """Return what a filter leaves of some collections; with `live_by`, of the versions that were live before then. Raise
    NotFound for a collection or document that doesn't exist."""
    _require(connection, documents.c.collection, wanted.collections, "collection")
    _require(connection, documents.c.document_id, wanted.documents, "document")
    live = and_(versions.c.document_id == documents.c.document_id, versions.c.version == documents.c.version)
    query = (
        select(documents.c.document_id, documents.c.path)
        .join(versions, live)
        .where(documents.c.collection.in_(list(collections)), *conditions(wanted, versions))
    )
    if live_by is not None:
        query = query.where(versions.c.created < live_by)
    ids = tuple(sorted(connection.scalars(query)))
    first, last = wanted.page_from or 1, wanted.page_to or _LAST
    scope = Scope(ids, 0, first, last)
    counted = connection.execute(
        text(_CHUNKS if scope.whole else f"SELECT count(*) FROM chunks c WHERE {scope.condition}"), scope.values
    )
    return replace(scope, chunks=int(counted.scalar_one()))


def _require(connection: Connection, column: Column[str], values: Sequence[str], what: str) -> None:
    there = set(connection.scalars(select(column).where(column.in_(values)).distinct())) if values else set()
    for value in values:
        if value not in there:
            raise NotFound(f"The filter's `{what}` is `{value}`, which does not exist.", "See `readingroom documents`.")


def documents_scope(document_ids: Sequence[str], chunks: int = 0) -> Scope:
    """Return the scope of some whole documents."""
    return Scope(tuple(document_ids), chunks, 1, _LAST)
