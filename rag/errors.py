"""The errors a person sees: what happened, to what, and what to do.

ReadingRoomError
├── UsageError          the request itself is wrong                     (exit 2, HTTP 400 or 422)
│   ├── NotFound        no such document, collection, job or page       (exit 1, HTTP 404)
│   └── Forbidden       outside what the settings allow                 (exit 1, HTTP 403)
├── SettingsError       config.yaml or the environment is wrong         (exit 2)
├── HomeLocked          another process holds the home folder           (exit 1, HTTP 409)
├── HomeMismatch        the home was made by another embedder           (exit 1)
├── HomeUnusable        the disk is full or can't be written            (exit 1, HTTP 507)
├── DocumentChanged     the file is not the one that was ingested       (exit 1, HTTP 409)
├── Stopped             whoever asked has gone, or cancelled            (exit 1, HTTP 499, which nobody reads)
└── ModelError          a model is missing, broken or unreachable       (exit 1, HTTP 503)
    ├── ModelBusy       too many questions wait for the model           (exit 1, HTTP 503 with Retry-After)
    └── PromptTooLong   the prompt does not fit the model's window      (handled by re-packing)
"""

from __future__ import annotations


class ReadingRoomError(Exception):
    """`message` says what happened to what; `remedy` says what to do. Neither contains a document's text."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


class UsageError(ReadingRoomError):
    """The request itself is wrong."""


class NotFound(UsageError):
    """The document, collection, job or page does not exist."""


class Forbidden(UsageError):
    """The settings do not allow this."""


class SettingsError(ReadingRoomError):
    """A setting is misspelt or has a wrong value."""


class HomeLocked(ReadingRoomError):
    """Another process holds the home folder."""


class HomeMismatch(ReadingRoomError):
    """The home folder was made with another embedder or by a newer version."""


class HomeUnusable(ReadingRoomError):
    """The home folder can't be written: no space, or no permission."""


class DocumentChanged(ReadingRoomError):
    """The file on disk is not the one that was ingested."""


class Stopped(ReadingRoomError):
    """Whoever asked a question has gone, or cancelled it."""


class ModelError(ReadingRoomError):
    """A model is missing, broken or unreachable."""


class ModelBusy(ModelError):
    """More questions wait for the model than may."""


class PromptTooLong(ModelError):
    """The prompt does not fit into the model's window."""
