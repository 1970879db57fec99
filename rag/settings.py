"""Settings: defaults, `config.yaml`, the environment and the command line, in that order, checked and frozen."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from rag.errors import SettingsError

PROJECT = Path(__file__).resolve().parents[1]
ENVIRONMENT = "READINGROOM_"
_NOT_SETTINGS = {"READINGROOM_HOME", "READINGROOM_CONFIG"}


EmbeddingBackend = Literal["onnx", "sentence-transformers", "ollama", "openai"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Section):
    """Where the API and the UI listen; always on loopback."""

    port: int = Field(8000, ge=1, le=65535)
    ui_port: int = Field(8501, ge=1, le=65535)


class Ingest(_Section):
    """What may be ingested, the limits on reading one file, and who describes pictures."""

    roots: tuple[str, ...] = ("~", ".")
    seconds_per_file: float = Field(120, gt=0)
    memory_mb: int = Field(3000, ge=256)
    max_file_mb: int = Field(500, ge=1)
    max_pages: int = Field(20_000, ge=1)
    max_upload_mb: int = Field(200, ge=1)
    first_look: bool = True
    keep_versions: int = Field(3, ge=0, le=1000)
    vision_model: str = ""
    vision_seconds: float = Field(120, gt=0)
    vision_pictures: int = Field(20, ge=1, le=500)

    @field_validator("vision_model")
    @classmethod
    def _server_and_name(cls, value: str) -> str:
        backend, _, name = value.partition(":")
        if value and (backend not in ("ollama", "openai") or not name):
            raise ValueError("must be ollama:NAME or openai:NAME")
        return value


class Embedding(_Section):
    """Which model turns text into vectors."""

    backend: EmbeddingBackend = "onnx"
    model: str = "all-minilm-l6-v2-int8"
    threads: int = Field(0, ge=0)


class Models(_Section):
    """Where model files are kept, and what happens when a pinned one is another than it was."""

    folder: str = ".models"
    changed: Literal["refuse", "warn"] = "refuse"


class Search(_Section):
    """How many passages are considered, which other wordings are looked for, and what puts the best ones in order."""

    results: int = Field(10, ge=1, le=100)
    candidates: int = Field(100, ge=10, le=1000)
    spread: int = Field(5, ge=0, le=100)
    glossary: str = ""
    reranker: str = ""
    rerank: int = Field(50, ge=2, le=200)


class Answer(_Section):
    """Who answers, from how much text, and when the answer is "not found"."""

    model: str = "default"
    ollama_host: str = "http://127.0.0.1:11434"
    ollama_model: str = "qwen2.5:1.5b-instruct"
    ollama_key: str = ""
    openai_host: str = ""
    openai_model: str = ""
    openai_key: str = ""
    thinking: Literal["off", "on", "low", "medium", "high"] = "off"
    window: int = Field(4096, ge=512)
    passages: int = Field(3, ge=1, le=20)
    passage_tokens: int = Field(120, ge=40, le=2000)
    max_tokens: int = Field(200, ge=16, le=4000)
    idle_minutes: float = Field(10, gt=0)
    threads: int = Field(0, ge=0)
    slots: int = Field(1, ge=1, le=16)
    memory_mb: int = Field(0, ge=0)
    min_evidence: float = Field(0.27, ge=0, le=1)
    min_evidence_alone: float = Field(0.47, ge=0, le=1)
    hidden_text: bool = False
    unsupported: Literal["show", "leave_out"] = "show"
    figures: Literal["model", "cell"] = "model"
    span_reader: bool = True

    @field_validator("thinking", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value  # YAML's on and off


class Routing(_Section):
    """Which questions go to a small and which to a large model: points for what is true of them."""

    small: str = ""
    large: str = ""
    hard_from: int = Field(2, ge=1)
    comparison: int = Field(2, ge=0)
    arithmetic: int = Field(2, ge=0)
    several_documents: int = Field(1, ge=0)
    table: int = Field(1, ge=0)
    several_passages: int = Field(1, ge=0)
    long_question: int = Field(1, ge=0)
    loaded: int = Field(1, ge=0)
    other_language: int = Field(2, ge=0)
    seconds: float = Field(0, ge=0)
    ask_again: bool = True

    @field_validator("small", "large")
    @classmethod
    def _named(cls, value: str) -> str:
        if value and value.partition(":")[0] not in ("embedded", "ollama", "openai", "transformers"):
            raise ValueError("must begin with embedded:, ollama:, openai: or transformers:")
        return value


class Network(_Section):
    """Which hosts beside loopback may be connected to; none by default."""

    allowed_hosts: tuple[str, ...] = ()


class Settings(_Section):
    """All settings of one process, plain values only. `home` and `config` are absolute paths."""

    home: Path
    config: Path
    server: Server = Server()
    ingest: Ingest = Ingest()
    embedding: Embedding = Embedding()
    models: Models = Models()
    search: Search = Search()
    answer: Answer = Answer()
    routing: Routing = Routing()
    network: Network = Network()

    @field_validator("home", mode="before")
    @classmethod
    def _absolute(cls, value: object) -> object:
        return Path(str(value)).expanduser().absolute()

    def path(self, value: str) -> Path:
        """Return `value` as an absolute path; a relative one is taken from the folder of `config.yaml`."""
        return (self.config.parent / Path(value).expanduser()).resolve()


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read `config.yaml` and the environment; raise SettingsError naming the key that is wrong and what is near it.

    `READINGROOM_CONFIG` names another file, `READINGROOM_HOME` another home; any setting can be given as
    `READINGROOM_SECTION__KEY`, e.g. `READINGROOM_SERVER__PORT=8100` (lists with commas).
    """
    env = os.environ if environment is None else environment
    config = Path(env.get("READINGROOM_CONFIG") or PROJECT / "config.yaml").expanduser().absolute()
    values = _read_yaml(config, named="READINGROOM_CONFIG" in env)
    home = env.get("READINGROOM_HOME") or config.parent / str(values.pop("home", None) or ".readingroom")
    values.pop("home", None)
    for name, value in env.items():
        if name.startswith(ENVIRONMENT) and name not in _NOT_SETTINGS:
            _set_from_environment(values, name, value)
    try:
        return Settings(home=Path(home), config=config, **values)
    except ValidationError as error:
        raise SettingsError(_explain(error, config), f"Correct it in {config} or the environment.") from error


def _read_yaml(config: Path, named: bool) -> dict[str, Any]:
    if not config.exists():
        if named:
            raise SettingsError(f"There is no settings file {config}.", "Correct READINGROOM_CONFIG.")
        return {}
    try:
        values = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{config} can't be read as YAML: {error}", "Correct the file.") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{config} must hold sections with keys, not a {type(values).__name__}.", "See docs.")
    # an empty section (all keys commented out) means its defaults
    return {key: value for key, value in values.items() if value is not None}


def _set_from_environment(values: dict[str, Any], name: str, value: str) -> None:
    section, _, key = name.removeprefix(ENVIRONMENT).lower().partition("__")
    model = Settings.model_fields.get(section)
    if model is None or not key or section in ("home", "config"):
        raise SettingsError(
            f"The environment variable {name} is not a setting.",
            "Use READINGROOM_SECTION__KEY with names from config.yaml.",
        )
    field = model.annotation.model_fields.get(key) if model.annotation else None
    many = field is not None and str(field.annotation).startswith("tuple")
    values[section] = {**(values.get(section) or {}), key: _listed(value) if many else value}


def _listed(value: str) -> Any:
    """Return a list from the environment: parts between commas, or as config.yaml has it, in brackets."""
    if value.lstrip().startswith("["):
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError:
            return value  # refused with its name, as what is no list
    return [part.strip() for part in value.split(",") if part.strip()]


def _explain(error: ValidationError, config: Path) -> str:
    lines = []
    for problem in error.errors():
        path = [str(part) for part in problem["loc"]]
        name = ".".join(path)
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(path[-1], _known(path[:-1]), n=1, cutoff=0.5)
            lines.append(
                f"unknown setting `{name}`" + (f", did you mean `{'.'.join([*path[:-1], near[0]])}`?" if near else ".")
            )
        else:
            lines.append(f"`{name}` is {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}.")
    return f"The settings are wrong ({config.name}): " + " ".join(lines)


def _known(section: list[str]) -> list[str]:
    fields = Settings.model_fields
    for part in section:
        annotation = fields[part].annotation if part in fields else None
        fields = annotation.model_fields if isinstance(annotation, type) and issubclass(annotation, BaseModel) else {}
    return [name for name in fields if name != "config"]
