"""Settings: who overrules whom, what is refused, and that config.yaml is complete."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from rag.errors import SettingsError
from rag.settings import PROJECT, Settings, load_settings
from tests.conftest import Run
from tests.processes import free_port, serving


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file that changes two values."""
    file = tmp_path / "config.yaml"
    file.write_text("home: place\nserver:\n  port: 8101\nsearch:\n  results: 4\n")
    return file


def defaults() -> dict[str, dict[str, Any]]:
    """Return section → key → default, as the code has them."""
    found = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            found[name] = field.default.model_dump(mode="json")
    return found


def test_config_yaml_is_complete() -> None:
    """The file in the repository names every setting with its default value, and nothing else."""
    written = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    assert written.pop("home") == ".readingroom"
    assert written == defaults()


def test_every_setting_has_a_comment() -> None:
    """Every line of config.yaml that sets something explains it, there or on the line of its section."""
    lines = (PROJECT / "config.yaml").read_text(encoding="utf-8").splitlines()
    bare = [line for line in lines if line.startswith("  ") and "#" not in line]
    obvious = {"max_file_mb", "max_upload_mb", "model", "ollama_host"}
    assert {line.split(":")[0].strip() for line in bare} <= obvious


def test_defaults_without_a_file(tmp_path: Path) -> None:
    """An environment that names an empty file gives the defaults, and the home beside that file."""
    (tmp_path / "config.yaml").write_text("")
    found = load_settings({"READINGROOM_CONFIG": str(tmp_path / "config.yaml")})
    assert found.server.port == 8000 and found.home == tmp_path / ".readingroom"


def test_file_overrules_defaults(config: Path) -> None:
    """What the file says counts; what it doesn't say keeps its default; paths are taken from its folder."""
    found = load_settings({"READINGROOM_CONFIG": str(config)})
    assert (found.server.port, found.server.ui_port, found.search.results) == (8101, 8501, 4)
    assert found.home == config.parent / "place" and found.path("models") == config.parent / "models"


def test_environment_overrules_the_file(config: Path) -> None:
    """A variable counts more than the file; lists have commas."""
    found = load_settings({
        "READINGROOM_CONFIG": str(config), "READINGROOM_HOME": "/somewhere/else", "READINGROOM_SERVER__PORT": "8102",
        "READINGROOM_INGEST__ROOTS": "/a, /b",
    })  # fmt: skip
    assert (found.server.port, found.search.results) == (8102, 4)
    assert found.home == Path("/somewhere/else") and found.ingest.roots == ("/a", "/b")


@pytest.mark.e2e
def test_lists_in_the_environment_may_stand_in_brackets(config: Path) -> None:
    """As in config.yaml; what is no list is refused by its name."""
    given = {
        "READINGROOM_CONFIG": str(config),
        "READINGROOM_NETWORK__ALLOWED_HOSTS": '["models.example", "other.example"]',
    }
    assert load_settings(given).network.allowed_hosts == ("models.example", "other.example")
    with pytest.raises(SettingsError, match=r"network\.allowed_hosts"):
        load_settings({**given, "READINGROOM_NETWORK__ALLOWED_HOSTS": "[models.example"})


def test_flags_overrule_the_environment(filled_home: Path, tmp_path: Path) -> None:
    """`serve --port` counts more than the variable."""
    port = free_port()
    with serving(filled_home, tmp_path / "log", "--port", str(port)) as server:
        assert server.url == f"http://127.0.0.1:{port}"
        assert server.get("/healthz").status_code == 200


def test_a_flag_overrules_the_number_of_results(filled_home: Path, run: Run) -> None:
    """`search -k` counts more than the variable, which counts without it."""
    assert len(run("search", "fee", "--json", READINGROOM_SEARCH__RESULTS="3").json["hits"]) == 3
    assert len(run("search", "fee", "-k", "2", "--json", READINGROOM_SEARCH__RESULTS="3").json["hits"]) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("servr:\n  port: 1\n", ["`servr`", "did you mean `server`"]),
        ("server:\n  prot: 1\n", ["`server.prot`", "did you mean `server.port`"]),
        ("answer:\n  min_evidense: 0.1\n", ["`answer.min_evidense`", "did you mean `answer.min_evidence`"]),
        ("server:\n  zebra: 1\n", ["`server.zebra`"]),
        ("server:\n  port: 99999\n", ["`server.port`", "99999"]),
        ("embedding:\n  backend: magic\n", ["`embedding.backend`", "magic"]),
        ("ingest:\n  vision_model: seer\n", ["`ingest.vision_model` is 'seer': must be ollama:NAME or openai:NAME."]),
        ("server: 8000\n", ["`server`"]),
        ("- a list\n", ["list"]),
        ("server: [unclosed\n", ["YAML"]),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, text: str, words: list[str]) -> None:
    """A wrong key or value is named, with the key that was probably meant; all at once, before anything starts."""
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings({"READINGROOM_CONFIG": str(tmp_path / "config.yaml")})
    assert caught.value.remedy
    assert [word for word in words if word not in str(caught.value)] == []


def test_missing_named_file_is_refused(tmp_path: Path) -> None:
    """A settings file that was named and isn't there is an error, not a silent default."""
    with pytest.raises(SettingsError, match=r"no settings file .*absent\.yaml"):
        load_settings({"READINGROOM_CONFIG": str(tmp_path / "absent.yaml")})


@pytest.mark.parametrize(
    "name",
    [
        "READINGROOM_PORT",
        "READINGROOM_SERVER",
        "READINGROOM_SERVR__PORT",
        "READINGROOM_SERVER__PROT",
        "READINGROOM_HOME__X",
    ],
)
def test_unknown_variables_are_refused(config: Path, name: str) -> None:
    """A variable that begins like ours and is no setting is named."""
    with pytest.raises(SettingsError) as caught:
        load_settings({"READINGROOM_CONFIG": str(config), name: "1"})
    said = str(caught.value)
    assert name in said or name.removeprefix("READINGROOM_").lower().replace("__", ".") in said


def test_settings_are_frozen(config: Path) -> None:
    """Nobody changes a setting after they were read."""
    found = load_settings({"READINGROOM_CONFIG": str(config)})
    with pytest.raises(ValueError, match="frozen"):
        found.server.port = 1  # type: ignore[misc]


def test_the_environment_is_only_read(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the settings changes no variable."""
    monkeypatch.setenv("READINGROOM_CONFIG", str(config))
    before = dict(os.environ)
    load_settings()
    assert dict(os.environ) == before
