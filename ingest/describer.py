"""What ingestion needs of a model that describes pictures, handed in by the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Description:
    """What a model wrote about a picture, and which model ("" digest: its server doesn't say). `problem` says why there is no
    text, and asking again would not help."""

    text: str
    model: str
    digest: str
    problem: str = ""


class NotDescribed(Exception):
    """Raised when there is no description of a picture; `again` says that another time there may be."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


class Describer(Protocol):
    """Describes pictures with a model on this machine, or on a host that the settings allow."""

    @property
    def name(self) -> str:
        """The model's name: another one makes other versions of documents with pictures."""
        ...

    def describe(self, png: bytes) -> Description:
        """Return what is to be seen, within a limit of time and length; raise NotDescribed."""
        ...
