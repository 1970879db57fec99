"""The manifest of models: what each model is made of, as data read from `models.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import ModelError, NotFound

MANIFEST = Path(__file__).with_name("models.yaml")
KINDS = ("embedder", "language")


@dataclass(frozen=True, slots=True)
class ModelPart:
    """One member of one pinned package (`name==version`)."""

    package: str
    member: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, its path relative to the model's folder: the parts joined in order."""

    file: str
    bytes: int
    sha256: str
    parts: tuple[ModelPart, ...]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model of the manifest; `window` is in tokens."""

    name: str
    kind: str
    purpose: str
    licence: str
    upstream: str
    window: int
    files: tuple[ModelFile, ...]
    alias: str = ""

    @property
    def bytes(self) -> int:
        """Return the size of the model on disk, in bytes."""
        return sum(file.bytes for file in self.files)

    @property
    def packages(self) -> tuple[str, ...]:
        """Return the pinned packages that the model's files come from, each once, in order."""
        return tuple(dict.fromkeys(part.package for file in self.files for part in file.parts))


class Manifest:
    """The models that are known by name, alias or digest."""

    def __init__(self, path: Path = MANIFEST) -> None:
        import yaml  # here, because listing models is rare and every process imports this module

        try:
            raw = yaml.load(
                path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            )  # ten times faster
            self.models = tuple(_entry(item) for item in raw["models"])
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"The list of models {path.name} can't be read: {error}.", "Restore it from the repository."
            ) from error
        self._names = {key: model for model in self.models for key in (model.name, model.alias) if key}

    def get(self, name: str) -> ModelEntry | None:
        """Return the model of this name or alias, or None."""
        return self._names.get(name)

    def require(self, name: str) -> ModelEntry:
        """Return the model of this name or alias; raise NotFound, naming those that exist."""
        model = self.get(name)
        if model is None:
            known = ", ".join(f"{m.name} ({m.alias})" if m.alias else m.name for m in self.models)
            raise NotFound(f"There is no model {name!r}.", f"Known models: {known}.")
        return model

    def with_digest(self, sha256: str) -> tuple[tuple[ModelEntry, ModelFile], ...]:
        """Return every place in the manifest where a file of this SHA-256 belongs."""
        return tuple((model, file) for model in self.models for file in model.files if file.sha256 == sha256)


def _entry(raw: dict[str, Any]) -> ModelEntry:
    files = tuple(
        ModelFile(**{**file, "parts": tuple(ModelPart(**part) for part in file["parts"])}) for file in raw["files"]
    )
    entry = ModelEntry(**{**raw, "files": files})
    if entry.kind not in KINDS:
        raise ValueError(f"model {entry.name} has the kind {entry.kind!r}, expected one of {', '.join(KINDS)}")
    return entry
