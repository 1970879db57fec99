"""The one error of reading: a file that can't be read, with the reason and what to do."""

from __future__ import annotations

from pathlib import Path

NO_TEXT_IN_PICTURE = "The picture holds no text that OCR can read."
NO_TEXT_IN_PDF = "The PDF has no text layer, and OCR found no text in its pictures."
"""The two reasons why a file can't be read that don't keep a model from describing its pictures."""
VANISHED = ("The file was listed and had vanished when it was to be read.", "Ingest its folder again if it was moved.")
"""Reason and remedy for a file that is not there any more."""

_SLIPS = (ValueError, TypeError, AttributeError, LookupError, AssertionError, ArithmeticError, RuntimeError)


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


class NoText(UnreadableFile):
    """Raised for a sound file that has no text of its own; one that may hold other files is opened for their sake."""


def too_many_pages(pages: int, most: int) -> UnreadableFile:
    """Return the error for a file with more pages than may be read of one."""
    return UnreadableFile(
        f"The file has {pages:,} pages; at most {most:,} are read of one file.",
        "Split it into smaller files, or raise `ingest.max_pages` and run `readingroom retry`.",
    )


def is_ours(error: BaseException) -> bool:
    """Say whether an error is a slip in this package's own code: raised there, and not by a library over what a file holds.

    Libraries raise the same errors over damaged files, but inside their own code. A slip must not be told as damage.
    """
    if not isinstance(error, _SLIPS) or isinstance(error, (UnicodeError, RecursionError)):
        return False
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return at is not None and Path(at.tb_frame.f_code.co_filename).parent == Path(__file__).parent
