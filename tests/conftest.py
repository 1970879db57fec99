"""Fixtures for all tests: home folders, a filled library, the command line, a running server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.library import Library
from rag.settings import Settings, load_settings
from tests.processes import PROJECT, SAMPLES, Result, Server, api_and_worker, environment, run_command

SMALL = ("ferry-supply-agreement.pdf", "board-minutes-2025-09.md", "workshop-handover.txt", "spare-parts-stock.csv")
"""Samples that are read in a second: no office formats."""

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def data() -> Path:
    """The shared data sets beside the repository."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the shared data folder {folder} is not here")
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four samples; nobody changes it."""
    folder = tmp_path_factory.mktemp("corpus")
    for name in SMALL:
        shutil.copy(SAMPLES / name, folder)
    return folder


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """A home folder into which the command line ingested the corpus; tests copy it and never open it."""
    home = tmp_path_factory.mktemp("filled") / "home"
    done = run_command(home, "ingest", corpus, "--json")
    assert done.code == 0, done.stderr
    return home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The path of a home folder that is not made yet."""
    return tmp_path / "home"


@pytest.fixture
def filled_home(home: Path, filled: Path) -> Path:
    """A home folder of the test's own with the corpus in it."""
    shutil.copytree(filled, home)
    return home


@pytest.fixture
def run(home: Path) -> Run:
    """Run the installed `readingroom` on the test's home folder; keywords are environment variables."""

    def call(*arguments: str | Path, **more: str) -> Result:
        return run_command(home, *arguments, **more)

    return call


@pytest.fixture
def settings(home: Path) -> Settings:
    """The default settings for the test's home folder, without a language model."""
    return load_settings(environment(home))


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Iterator[Library]:
    """An open library with the corpus in it, for tests that only read."""
    copy = tmp_path_factory.mktemp("library") / "home"
    shutil.copytree(filled, copy)
    with Library(load_settings(environment(copy)), "tests") as opened:
        yield opened


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one folder that the session's server may ingest."""
    return tmp_path_factory.mktemp("roots")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, filled: Path, roots: Path) -> Iterator[Server]:
    """A running API and worker on free ports, with the corpus in their home folder."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copytree(filled, folder / "home")
    with api_and_worker(folder / "home", folder / "log", READINGROOM_INGEST__ROOTS=str(roots)) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests of real browsers and processes a second try, which the report names: they share two cores with all else."""
    for item in items:
        if "e2e" in item.keywords:
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=2))
