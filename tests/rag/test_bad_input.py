"""Bad input at the command line: each kind has its own message, remedy and exit code, and the store stays as it was."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.processes import SAMPLES, Result, rows, run_command

STORED = (
    "SELECT document_id, collection, path, state, version FROM documents ORDER BY 1",
    "SELECT chunk_id, text_hash, text FROM chunks ORDER BY 1",
    "SELECT text_hash, embedder, vector FROM embeddings ORDER BY 1",
    "SELECT job_id, stage FROM jobs ORDER BY 1",
)


def stored(home: Path) -> str:
    """Return a fingerprint of all that the catalog holds of documents."""
    return hashlib.sha256(repr([rows(home, query) for query in STORED]).encode()).hexdigest()


@contextmanager
def unchanged(home: Path) -> Iterator[None]:
    """Assert that the store is the same after the block."""
    before = stored(home)
    yield
    assert stored(home) == before


def refused(done: Result, code: int, *words: str) -> None:
    """Assert that a command ended with `code`, printed nothing on stdout, and said `words` without a traceback."""
    assert done.code == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.fixture(scope="module")
def kept(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled home that every refused command leaves as it is."""
    home = tmp_path_factory.mktemp("kept") / "home"
    shutil.copytree(filled, home)
    return home


def test_missing_path(kept: Path, tmp_path: Path) -> None:
    """A path that isn't there is named, and the whole command is refused."""
    with unchanged(kept):
        done = run_command(kept, "ingest", SAMPLES, tmp_path / "nowhere", "--json")
    refused(done, 1, f"{tmp_path}/nowhere", "Check the path")


def test_folder_without_files(kept: Path, tmp_path: Path) -> None:
    """A folder with no visible file in it is named."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden.txt").write_text("hidden")
    with unchanged(kept):
        done = run_command(kept, "ingest", tmp_path / "empty", "--json")
    refused(done, 2, f"{tmp_path}/empty", "nothing was changed")


BROKEN = {
    "empty.txt": ("empty", b""),
    "film.mkv": ("", b"\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1fB\x86\x81\x01"),
    "corrupt.pdf": ("damaged", (SAMPLES / "pressure-chamber-offer-corrupt.pdf").read_bytes()),
    "locked.pdf": ("encrypted", (SAMPLES / "salary-review-encrypted.pdf").read_bytes()),
    "half.docx": ("", (SAMPLES / "staff-policy.docx").read_bytes()[:9000]),
}


def test_files_that_cannot_be_read(filled_home: Path, tmp_path: Path, run: Run) -> None:
    """Each bad file is named with its own reason and remedy, the good one is ingested, and the exit code is 3."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name, (_, content) in BROKEN.items():
        (folder / name).write_bytes(content)
    (folder / "good.txt").write_text("The lighthouse keeper's spare key hangs behind the barometer.")
    done = run("ingest", folder, "--json")
    assert done.code == 3 and done.json["added"] == 1
    failed = {Path(item["path"]).name: item for item in done.json["failed"]}
    assert set(failed) == set(BROKEN)
    for name, (word, _) in BROKEN.items():
        assert word in failed[name]["reason"].lower() and failed[name]["reason"] and failed[name]["remedy"]
    assert len({item["reason"] for item in failed.values()}) == len(BROKEN)
    states = {Path(item["path"]).name: item for item in run("documents", "--json").json}
    assert all(states[name]["state"] == "failed" and states[name]["problems"] for name in BROKEN)
    assert states["good.txt"]["state"] == "ready"


def test_folder_where_nothing_is_readable(kept: Path, tmp_path: Path) -> None:
    """A folder of unreadable files ends with exit code 3, and says for a person that none could be read."""
    shutil.copytree(kept, tmp_path / "home")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "empty.md").write_bytes(b"")
    done = run_command(tmp_path / "home", "ingest", tmp_path / "bad")
    assert done.code == 3 and "None of the files could be read" in done.stdout


def test_file_without_permission(tmp_path: Path, home: Path) -> None:
    """A file that may not be opened is reported with its permissions as the reason, and the others are ingested."""
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:  # root may open everything, so it gives that right up
        prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "good.txt").write_text("public")
    (tmp_path / "docs" / "private.txt").write_text("private")
    (tmp_path / "docs" / "private.txt").chmod(0)
    done = run_command(home, "ingest", tmp_path / "docs", "--json", prefix=prefix)
    assert done.code == 3 and done.json["added"] == 1
    assert [Path(item["path"]).name for item in done.json["failed"]] == ["private.txt"]
    assert "permission" in done.json["failed"][0]["reason"].lower() and done.json["failed"][0]["remedy"]


def test_broken_link_and_pipe(tmp_path: Path, run: Run) -> None:
    """A link to nothing and a named pipe are reported, and do not stop the batch or hang it."""
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    os.mkfifo(folder / "pipe.txt")
    (folder / "good.txt").write_text("A perfectly ordinary file.")
    done = run("ingest", folder, "--json")
    assert done.code == 3 and done.json["added"] == 1
    assert {Path(item["path"]).name for item in done.json["failed"]} == {"gone.txt", "pipe.txt"}


@pytest.mark.parametrize("command", ["search", "ask"])
@pytest.mark.parametrize(
    ("question", "words"),
    [("  \n ", "empty"), ("?!", "empty"), ("word " * 20_000, "the limit is 4,000")],
    ids=["blank", "signs", "100,000 characters"],
)
def test_questions_that_are_none(kept: Path, command: str, question: str, words: str) -> None:
    """An empty question and one of 100,000 characters are wrong usage, said plainly."""
    with unchanged(kept):
        refused(run_command(kept, command, question, "--json"), 2, words)


@pytest.mark.parametrize("command", [["search", "fee"], ["ask", "fee"], ["documents"]], ids=lambda command: command[0])
def test_unknown_collection(kept: Path, command: list[str]) -> None:
    """A collection that doesn't exist is named together with those that do."""
    with unchanged(kept):
        refused(run_command(kept, *command, "--collection", "minutes", "--json"), 1, "`minutes`", "documents")


def test_forget_is_all_or_nothing(kept: Path, corpus: Path) -> None:
    """One unknown name among the documents to forget leaves all of them in place."""
    with unchanged(kept):
        done = run_command(kept, "forget", corpus / "workshop-handover.txt", "no-such-document", "--json")
    refused(done, 1, "no-such-document", "nothing was removed")


def test_unknown_document(kept: Path) -> None:
    """The text of a document that isn't there is refused, naming its id."""
    with unchanged(kept):
        refused(run_command(kept, "text", "0123456789abcdef", "--json"), 1, "0123456789abcdef", "readingroom documents")


def test_home_locked_by_another_process(kept: Path, corpus: Path) -> None:
    """When another process holds the home folder, it is named with its id."""
    with unchanged(kept), open(kept / "lock", "w", encoding="utf-8") as lock:
        json.dump({"pid": os.getpid(), "role": "another reading room"}, lock)
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (["ingest", corpus], ["search", "fee"], ["serve"]):
            refused(
                run_command(kept, *command, "--json"), 1, "another reading room", str(os.getpid()), "READINGROOM_HOME"
            )


def test_home_of_another_embedder(filled_home: Path, corpus: Path, run: Run) -> None:
    """A home that another embedder made is not opened; both are named, and nothing is written."""
    with sqlite3.connect(filled_home / "catalog.sqlite") as connection:
        connection.execute("UPDATE facts SET value = 'other-model/abc' WHERE name = 'embedder'")
    connection.close()
    with unchanged(filled_home):
        for command in (["ingest", corpus], ["search", "fee"]):
            refused(run(*command, "--json"), 1, "other-model/abc", "all-minilm-l6-v2-int8", "READINGROOM_HOME")


def test_home_that_is_a_file(tmp_path: Path) -> None:
    """A home folder that can't be made is named with the system's reason."""
    (tmp_path / "home").write_text("not a folder")
    refused(run_command(tmp_path / "home", "status"), 1, f"{tmp_path}/home", "READINGROOM_HOME")


def test_damaged_catalog(filled_home: Path, run: Run) -> None:
    """A catalog that is no database is reported as damaged, with what to do."""
    (filled_home / "catalog.sqlite").write_bytes(b"this is no database, " * 5000)
    refused(run("search", "fee", "--json"), 1, "catalog.sqlite", "damaged", "backup")


def test_misspelt_key_in_config(kept: Path, tmp_path: Path) -> None:
    """A misspelt key in config.yaml is wrong usage; it is named with the key that was probably meant."""
    config = tmp_path / "config.yaml"
    config.write_text("serach:\n  results: 3\nanswer:\n  pasages: 3\n")
    with unchanged(kept):
        done = run_command(kept, "search", "fee", "--json", READINGROOM_CONFIG=str(config))
    refused(done, 2, "`serach`", "`search`", "`answer.pasages`", "`answer.passages`", str(config))


def test_unknown_variable(kept: Path) -> None:
    """A READINGROOM_ variable that is no setting is wrong usage, and is named."""
    with unchanged(kept):
        refused(run_command(kept, "status", READINGROOM_PROT="8100"), 2, "READINGROOM_PROT", "READINGROOM_SECTION__KEY")


@pytest.mark.parametrize(("option", "key"), [("--port", "server.port"), ("--ui-port", "server.ui_port")])
def test_port_in_use(kept: Path, option: str, key: str) -> None:
    """A port that another program has is named, with the setting to change, before anything is started."""
    with unchanged(kept), socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        refused(run_command(kept, "serve", option, str(number)), 1, str(number), key, option)


def test_missing_model(kept: Path) -> None:
    """A model that is not in the manifest is named before anything starts."""
    with unchanged(kept):
        done = run_command(kept, "ask", "What is the fee?", "--json", READINGROOM_ANSWER__MODEL="no-such-model")
    refused(done, 1, "no-such-model")


@pytest.mark.parametrize(
    "arguments", [["ingest"], ["search"], ["search", "fee", "-k", "0"], ["nonsense"], ["ask", "a", "--no"]]
)
def test_wrong_usage(kept: Path, arguments: list[str]) -> None:
    """Missing arguments, unknown options and commands, and values out of range exit with code 2."""
    assert run_command(kept, *arguments).code == 2
