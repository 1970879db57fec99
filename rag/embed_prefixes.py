"""Says what an embedding model wants in front of questions and passages, read from `embed_prefixes.yaml`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

PREFIXES = Path(__file__).with_name("embed_prefixes.yaml")


@dataclass(frozen=True, slots=True)
class Prefixes:
    """What is put before a question and before a passage when they are embedded; "" is nothing."""

    question: str = ""
    passage: str = ""

    @property
    def mark(self) -> str:
        """Return what they add to a fingerprint: vectors made with others don't compare."""
        if not (self.question or self.passage):
            return ""
        return "/prefixes-" + hashlib.sha256(f"{self.question}\0{self.passage}".encode()).hexdigest()[:8]

    def __str__(self) -> str:
        """Return them in words, for the record."""
        said = [f"{self.question!r} before questions"] if self.question else []
        said += [f"{self.passage!r} before passages"] if self.passage else []
        return " and ".join(said) or "no prefixes"


def prefixes_of(name: str) -> Prefixes:
    """Return what the family of a model, known by its name, wants."""
    wanted = name.lower().replace("_", "-")
    for entry in _families():
        if any(part in wanted for part in entry["names"]):
            return Prefixes(entry.get("question", ""), entry.get("passage", ""))
    return Prefixes()


@cache
def _families() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(PREFIXES.read_text(encoding="utf-8"))
    return found
