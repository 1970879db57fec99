"""Says which documents are older than another one of the same organisation and kind, for questions that ask for the latest."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from rag.store import Store

_REPORT = r"(?:quarter|report|filing|form|10-[KQ]|meeting|minutes|version|edition|invoice|letter|statement)"
_NEWEST = re.compile(rf"\b(?:latest|newest|most recent(?:ly)?|last {_REPORT})\b", re.I)
_EXACT = re.compile(r"\b(?:FY ?'?\d\d|(?:19|20)\d\d|Q[1-4]|(?:first|second|third|fourth) quarter)\b", re.I)
_ABOUT = """
SELECT d.document_id, json_extract(v.details, '$.organisation'), json_extract(v.details, '$.kind'),
       json_extract(v.details, '$.period'), json_extract(v.details, '$.date'), d.modified_ns
FROM json_each(?) w JOIN documents d ON d.document_id = w.value
JOIN versions v ON v.document_id = d.document_id AND v.version = d.version
"""


@dataclass(frozen=True, slots=True)
class _Dated:
    """A document with its latest quarter or year, its own date, and when its file was changed, in nanoseconds."""

    document_id: str
    period: str
    date: str
    changed: int


def asks_newest(question: str) -> bool:
    """Return whether a question asks for the latest document of some kind, and names no year or quarter."""
    return bool(_NEWEST.search(question)) and not _EXACT.search(question)


def older(store: Store, document_ids: Collection[str]) -> set[str]:
    """Return those of some documents that another one of them, of the same organisation and kind, is newer than.

    A later period is newer, and within one period, or where one has none, a later date: the document's own, and where one of
    them has none, the day on which the file was changed. Documents that have neither organisation nor kind are left alone.
    """
    groups: dict[tuple[str, str], list[_Dated]] = {}
    with store.read() as connection:
        rows = connection.exec_driver_sql(_ABOUT, (json.dumps(sorted(document_ids)),)).all()
    for document_id, organisation, kind, period, date, changed in rows:
        whose = (organisation or "").split("\n")[0].casefold()
        if whose or kind:
            dated = _Dated(document_id, last_period(period or ""), date or "", changed or 0)
            groups.setdefault((whose, kind or ""), []).append(dated)
    return {document_id for some in groups.values() for document_id in _older(some)}


def _older(some: list[_Dated]) -> set[str]:
    """Return the documents of a group without the newest of them."""
    by_period, by_date = all(item.period for item in some), all(item.date for item in some)
    ages = {
        item.document_id: (item.period if by_period else "", item.date if by_date else "", item.changed)
        for item in some
    }
    newest = max(ages.values())[: 2 if by_date else 3]
    return {document_id for document_id, age in ages.items() if age[: len(newest)] < newest}


def last_period(period: str) -> str:
    """Return the latest quarter or year that a document speaks of: "2023Q3" is later than "2023"."""
    return max(period.split(), default="")
