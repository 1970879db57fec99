"""Reads the API's JSON into what the pages know of its shapes."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from ui.shapes import Answer, Candidate, Citation, Document, Elsewhere, Hit, Model, Place, Searched, Side, Statement

Shape = TypeVar("Shape")


def make(kind: type[Shape], found: dict[str, Any]) -> Shape:
    """Return a shape with those of its fields' values that JSON names as it does."""
    return kind(**{field.name: found[field.name] for field in fields(kind)})  # type: ignore[arg-type]


def _place(found: dict[str, Any], quote: str) -> Place:
    return make(Place, {**found, "quote": quote})


def hit_of(found: dict[str, Any]) -> Hit:
    """Return a hit out of its JSON."""
    also = tuple(make(Elsewhere, place) for place in found["also"])
    parts = {"found_by": tuple(found["found_by"]), "place": _place(found, found["text"]), "also": also}
    return make(Hit, {**found, **parts})


def document_of(found: dict[str, Any]) -> Document:
    """Return a document out of its JSON."""
    lists = {"organisation": tuple(found["organisation"]), "period": tuple(found["period"])}
    return make(Document, {**found, **lists})


def answer_of(found: dict[str, Any]) -> Answer:
    """Return an answer out of its JSON."""
    return Answer(
        id=found["id"],
        question=found["question"],
        outcome=found["outcome"],
        text=found["answer"],
        statements=tuple(
            Statement(item["text"], item["supported"], tuple(item["citations"])) for item in found["statements"]
        ),
        note=found["note"],
        standalone=found["standalone_question"],
        model=make(Model, found["model"]),
        citations=tuple(Citation(item["n"], _place(item, item["quote"]), item["stale"]) for item in found["citations"]),
        candidates=tuple(make(Candidate, item) for item in found["candidates"]),
        disagreements=tuple(
            tuple(Side(_place(side, side["quote"]), side["date"], side.get("until")) for side in item["sides"])
            for item in found["disagreements"]
        ),
        passages=tuple(hit_of(item) for item in found["passages"]),
        tokens_sent=found["tokens"]["sent"],
        tokens_generated=found["tokens"]["generated"],
        timings_ms=found["timings_ms"],
        searched=_searched(found["searched"]) if found["searched"] else None,
    )


def _searched(found: dict[str, Any]) -> Searched:
    failed = tuple((item["path"], f"{item['reason']} {item['remedy']}".strip()) for item in found["failed"])
    names = tuple(found["collections"])
    return Searched(names, found["documents"], found["filtered"], found["failures"], failed, found["waiting"])
