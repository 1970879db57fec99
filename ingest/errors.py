"""The one error of reading: a file that can't be read, with the reason and what to do.

UnreadableFile   reason: what is wrong with the file; remedy: what the person can do about it
"""

from __future__ import annotations


class UnreadableFile(Exception):
    """Raised for one file of a batch; the batch goes on."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy
