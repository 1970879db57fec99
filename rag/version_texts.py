"""Reads versions, live and former ones: their text, what of it is hidden, where its characters stand."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import select

from rag.report_shapes import DocumentText
from rag.schema import former_versions, versions
from rag.store import Store

_HIDDEN = """
SELECT start, "end" FROM hidden_spans WHERE document_id = ? AND version = ?
UNION SELECT c.start, c."end" FROM former_versions f JOIN former_chunks c ON c.former_id = f.former_id
WHERE f.document_id = ? AND f.version = ? AND c.hidden ORDER BY 1, 2
"""
_RUNS = """
SELECT p.document_id, p.version, p.number, p.runs FROM json_each(?) w CROSS JOIN pages p
ON p.document_id = json_extract(w.value, '$[0]') AND p.version = json_extract(w.value, '$[1]')
AND p.number = json_extract(w.value, '$[2]')
"""
_FORMER_RUNS = """
SELECT p.runs FROM former_versions v JOIN former_pages p ON p.former_id = v.former_id
WHERE v.document_id = ? AND v.version = ? AND p.number = ? LIMIT 1
"""


def text_of(store: Store, document_id: str, version: str) -> DocumentText | None:
    """Return the text of a version, live or former, with what of it is hidden; None where it is not kept."""
    with store.read() as connection:
        found = None
        for table in (versions, former_versions):
            mine = (table.c.document_id == document_id) & (table.c.version == version)
            found = connection.scalar(select(table.c.text).where(mine).limit(1)) if found is None else found
        hidden = [(row[0], row[1]) for row in connection.exec_driver_sql(_HIDDEN, (document_id, version) * 2)]
    if found is None:
        return None
    return DocumentText(document_id=document_id, version=version, text=found, hidden=hidden)


def packed_runs(store: Store, wanted: Sequence[tuple[str, str, int]]) -> dict[tuple[str, str, int], bytes]:
    """Return where the characters of some pages (document, version, number) stand, as `ingest.runs` packs it, live pages
    or former ones."""
    with store.read() as connection:
        found = {
            (row[0], row[1], row[2]): row[3]
            for row in connection.exec_driver_sql(_RUNS, (json.dumps(sorted(set(wanted))),))
        }
        for page in set(wanted) - found.keys():
            kept = connection.exec_driver_sql(_FORMER_RUNS, page).first()  # a version may have been live twice
            if kept is not None:
                found[page] = kept[0]
    return found
