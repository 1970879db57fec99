"""The home folder: its layout, its lock, and the address of the server that holds it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ingest.unpack import sweep
from rag.errors import HomeLocked, HomeUnusable

OWNER = "X-Reading-Room-Owner"
"""Header with the token from `api.json`: the owner's own command line may ingest any path."""


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below one home folder. Nothing of a person's documents is kept anywhere else."""

    folder: Path

    @property
    def catalog(self) -> Path:
        return self.folder / "catalog.sqlite"

    @property
    def chroma(self) -> Path:
        return self.folder / "chroma"

    @property
    def uploads(self) -> Path:
        return self.folder / "uploads"

    @property
    def temporary(self) -> Path:
        """Where the readers keep members of archives and mails while they read them."""
        return self.folder / "tmp"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def address(self) -> Path:
        return self.folder / "api.json"

    @property
    def pins(self) -> Path:
        """Which models a person has approved."""
        return self.folder / "pins.json"

    def create(self) -> None:
        """Make the folder, readable by its owner only; raise HomeUnusable when it can't be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe = self.folder / ".writable"
            probe.write_bytes(b"x" * 4096)
            probe.unlink()
        except OSError as error:
            raise unusable(self.folder, error) from error

    def make_temporary(self) -> Path:
        """Return the folder for the readers' temporary files, made; what readers that are gone have left is removed."""
        self.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(self.temporary)
        return self.temporary

    def remember_address(self, url: str) -> str:
        """Write where the API listens and a new owner's token, for programs of the same user; return the token."""
        token = secrets.token_urlsafe(32)
        partial = self.address.with_suffix(".part")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump({"url": url, "pid": os.getpid(), "token": token}, file)
        partial.replace(self.address)
        return token

    def running_api(self) -> tuple[str, str] | None:
        """Return (URL, token) of the API that holds this home, or None when no process holds it."""
        try:
            told = json.loads(self.address.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
            return None
        holder = lock_holder(self)
        return (told["url"], told["token"]) if holder and holder.get("pid") == told["pid"] else None


class HomeLock:
    """Holds a home folder for one process; the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, home: Home, role: str) -> None:
        home.create()
        self._file: IO[str] = open(home.lock, "a+", encoding="utf-8")  # noqa: SIM115 - held as long as the lock
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            holder = lock_holder(home) or {}
            raise HomeLocked(
                f"The home folder {home.folder} is in use by `{holder.get('role', 'another program')}` "
                f"(process {holder.get('pid', 'unknown')}).",
                "Stop that process, wait for it to finish, or set READINGROOM_HOME to another folder.",
            ) from error
        try:
            self._file.seek(0)
            self._file.truncate()
            json.dump({"pid": os.getpid(), "role": role}, self._file)
            self._file.flush()
        except OSError as error:
            self._file.close()
            raise unusable(home.folder, error) from error

    def release(self) -> None:
        """Let go of the home folder."""
        self._file.close()


def lock_holder(home: Home) -> dict[str, str | int] | None:
    """Return {"pid", "role"} of the process that holds the lock, or None when nobody does."""
    try:
        with open(home.lock, encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                text = file.read()
                return json.loads(text) if text else {"role": "another program"}
            return None
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def unusable(folder: Path, error: BaseException) -> HomeUnusable:
    """Return the error for a home folder that can't be written, with the system's reason."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return HomeUnusable(
        f"The home folder {folder} can't be written: {reason}.",
        "Free space there or choose another folder with READINGROOM_HOME; what was stored before is intact.",
    )
