"""The one error of reading: a file that can't be read, with the reason and what to do."""

from __future__ import annotations


class UnreadableFile(Exception):
    """Raised when a file can't be read. `reason` says what is wrong with it, `remedy` what a person can do.

    `again` says that another try may succeed (the reader was killed, the file changed meanwhile); otherwise the file's
    own content is the cause. `gone` says that there is no such file any more.
    """

    def __init__(self, reason: str, remedy: str, *, again: bool = False, gone: bool = False) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy
        self.again = again
        self.gone = gone
