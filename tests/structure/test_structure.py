"""The shape of the code: imports one way, one vendor a file, files of a size to read, everything documented."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from rag.settings import PROJECT, Settings
from tests.processes import run_command

PACKAGES = ("ingest", "rag", "ui")
FILES = sorted(file for package in PACKAGES for file in (PROJECT / package).rglob("*.py"))
MAY_IMPORT = {"ingest": {"ingest"}, "rag": {"rag", "ingest"}, "ui": {"ui"}}
DOCUMENTATION = ("README.md", "docs/operations.md")

ONE_FILE = {
    "chromadb": {"rag/vectors.py"},
    "unstructured": {"ingest/office.py"},
    "llama_index": {"ingest/split.py"},
    "liteparse": {"ingest/pdf_liteparse.py"},
    "pypdf": {"ingest/pdf_objects.py"},
    "pypdfium2": {
        "ingest/pdf_grey.py",
        "ingest/pdf_hidden.py",
        "ingest/pdf_info.py",
        "ingest/pdf_scene.py",
        "ingest/pdfium.py",
        "ingest/pdf_source.py",
    },  # what is not shown, facts, pages, its type
    "xllamacpp": {"rag/llama_process.py"},
    "ollama": {"rag/ollama_server.py"},
    "openai": {"rag/openai_connection.py"},
    "httpx2": {"rag/openai_connection.py"},  # the transport of openai, closed to proxies and redirects
    "openvino": {"rag/encoder.py"},
    "sentence_transformers": {"rag/embed_st.py", "rag/rerank_st.py"},  # embedders, cross-encoders
    "torch": {"rag/embed_st.py", "rag/llm_transformers.py"},
    "transformers": {"rag/embed_st.py", "rag/llm_transformers.py"},
    "fastapi": {
        "rag/api.py",
        "rag/api_answers.py",
        "rag/api_generations.py",
        "rag/api_jobs.py",
        "rag/problems.py",
    },  # routes, and what errors become
    "uvicorn": {"rag/api.py"},
    "typer": {
        "rag/cli.py",
        "rag/cli_answers.py",
        "rag/cli_eval.py",
        "rag/cli_jobs.py",
        "rag/cli_models.py",
        "rag/cli_reindex.py",
        "rag/cli_room.py",
    },
    "rich": {"rag/show.py", "rag/show_answers.py", "rag/show_generations.py", "rag/show_jobs.py"},
    "watchfiles": {"rag/watch.py"},
    "pathspec": {"ingest/walk.py"},
    "yaml": {
        "rag/embed_prefixes.py",
        "rag/settings.py",
        "rag/model_manifest.py",
        "rag/model_profiles.py",
        "rag/demo.py",
        "rag/question.py",
        "rag/questions_file.py",
    },  # what a person writes
    "py3langid": {"ingest/language.py"},
    "lxml": {"ingest/web.py"},
    "trafilatura": {"ingest/article.py"},
    "olefile": {"ingest/ole.py"},
    "xlrd": {"ingest/xls.py"},
    "striprtf": {"ingest/rtf.py"},
    "py7zr": {"ingest/archive.py"},
    "backports": {"ingest/zstandard.py"},
    "openpyxl": {"ingest/sheets.py"},
    "rapidocr": {"ingest/ocr.py"},
    "PIL": {
        "rag/page_image.py",
        "ingest/image_file.py",
        "ingest/ocr.py",
        "ingest/pdfium.py",
        "ingest/pictures.py",
    },  # pictures in, pages out
}
"""Library → the files that may import it."""

ONE_PURPOSE = {
    "tokenizers": 3,  # the embedder's own, the span reader's, and the count of it in the second backend
    "structlog": 5,  # whoever logs a stage
    "numpy": 13,  # what holds, compares and fits vectors, and reads token states; all the objects of a PDF page at once
    "httpx": 5,
}
"""Library → how many files may import it, where one file would be artificial."""

LONG = {
    "ingest/pdf_page.py": "the blocks of a page take their words in one order",
    "rag/library.py": "everything that can be done with a home, one method each",
}
"""Files of more than 300 lines, with the reason."""


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Yield the top-level name and the line of everything that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0] if node.level == 0 else file.parent.name, node.lineno


def name(file: Path) -> str:
    return file.relative_to(PROJECT).as_posix()


def tracked() -> list[Path]:
    """Return the text files of the repository."""
    done = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    binary = {".pdf", ".docx", ".xlsx", ".pptx", ".epub", ".png", ".jpg", ".ttf", ".woff2", ".npz"}
    files = [PROJECT / line for line in done.stdout.splitlines()]
    return [file for file in files if file.is_file() and file.suffix not in binary]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    """ui imports neither rag nor ingest, ingest imports nothing of ours, rag imports ingest and never ui."""
    wrong = [
        f"{name(file)}:{line} imports {found}"
        for file in FILES
        if file.relative_to(PROJECT).parts[0] == package
        for found, line in imports(file)
        if found in {*PACKAGES, "tests", "samples"} and found not in MAY_IMPORT[package]
    ]
    assert wrong == []


@pytest.mark.parametrize("library", ONE_FILE)
def test_one_vendor_one_file(library: str) -> None:
    """A vendor's library is imported in the one file that knows its quirks."""
    assert {name(file) for file in FILES if library in {found for found, _ in imports(file)}} <= ONE_FILE[library]


@pytest.mark.parametrize("library", ONE_PURPOSE)
def test_few_files_a_library(library: str) -> None:
    """Libraries that are plumbing stay in few files."""
    using = [name(file) for file in FILES if library in {found for found, _ in imports(file)}]
    assert len(using) <= ONE_PURPOSE[library], using


def test_streamlit_is_the_pages_alone() -> None:
    """Streamlit is imported in ui/, and where its process is started."""
    using = {name(file) for file in FILES if "streamlit" in {found for found, _ in imports(file)}}
    assert {file for file in using if not file.startswith("ui/")} <= {"rag/process.py"}


def test_files_can_be_read_in_one_go() -> None:
    """No file has more than 300 lines, but for those that are listed with a reason; the list holds no other."""
    long = {name(file) for file in FILES if len(file.read_text(encoding="utf-8").splitlines()) > 300}
    assert long <= set(LONG)


def test_every_module_says_what_it_is() -> None:
    """Every file begins with a docstring that says what it is."""
    assert [name(file) for file in FILES if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize("package", ["ingest", "rag", "ui"])
def test_the_map_shows_every_module(package: str) -> None:
    """The map in docs/architecture.md has a line for each module: its name and the first line of its docstring."""
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    part = re.split(r"^\*\*", text.partition(f"\n**{package}/**\n")[2], flags=re.MULTILINE)[0]
    drawn = dict(re.findall(r"^\| `([\w/]+\.py)` \| (.*) \|$", part, re.MULTILINE))
    files = {file for file in FILES if name(file).startswith(f"{package}/") and file.name != "__init__.py"}
    said = {file: str(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))) for file in files}
    assert drawn == {name(file).removeprefix(f"{package}/"): text.partition("\n")[0] for file, text in said.items()}


@pytest.mark.parametrize("word", ["utils", "helpers", "base", "common", "manager", "service", "component", "factory"])
def test_names_say_something(word: str) -> None:
    """No file has a name that could hold anything."""
    assert [name(file) for file in FILES if word in file.stem.lower().split("_")] == []


def test_every_test_says_what_it_shows() -> None:
    """Every test has a docstring."""
    bare = [
        f"{name(file)}::{node.name}"
        for file in (PROJECT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert bare == []


def commands(home: Path, *path: str) -> Iterator[tuple[str, set[str]]]:
    """Yield every visible command with its options, as the command line tells them itself."""
    said = run_command(home, *path, "--help").stdout
    listed = re.search(r"Commands:\n((?:  .*\n?)+)", said)
    if listed:
        for line in re.findall(r"^  (\w[\w-]*)", listed.group(1), re.MULTILINE):
            yield from commands(home, *path, line)
    else:
        yield " ".join(path), set(re.findall(r"(?<![\w-])(--?[a-z][\w-]*)", said.partition("Options:")[2])) - {"--help"}


def documentation() -> str:
    """Return what a person reads of the commands and settings."""
    return "\n".join(
        (PROJECT / file).read_text(encoding="utf-8") for file in DOCUMENTATION if (PROJECT / file).exists()
    )


def test_every_command_is_documented(home: Path) -> None:
    """Every command and every option is named in README.md or docs/operations.md, and no command there is unknown."""
    text = documentation()
    found = dict(commands(home))
    assert {"ingest", "search", "ask", "documents", "forget", "text", "rebuild", "status", "doctor", "serve"} <= set(
        found
    )
    assert [command for command in found if f"readingroom {command}" not in text] == []
    assert sorted({option for options in found.values() for option in options if option not in text}) == []
    known = {command.split()[0] for command in found}
    assert set(re.findall(r"^\s*(?:\$ )?readingroom ([a-z]+)", text, re.MULTILINE)) <= known


def settings_keys() -> list[str]:
    """Return every setting as `section.key`."""
    return [
        f"{section}.{key}"
        for section, field in Settings.model_fields.items()
        if isinstance(field.default, BaseModel)
        for key in type(field.default).model_fields
    ]


def test_every_setting_that_is_documented_exists() -> None:
    """A setting that the documentation names, as `section.key`, exists."""
    known = set(settings_keys())
    sections = "|".join({key.partition(".")[0] for key in known})
    named = {f"{section}.{key}" for section, key in re.findall(rf"`({sections})\.(\w+)", documentation())}
    assert sorted(named - known - {"config.yaml"}) == []


def test_nothing_of_the_makers_machine() -> None:
    """No file names the folders or the hosts of the machine it was made on."""
    signs = ("/" + "work/", "/tmp" + "/w/", "/opt" + "/wheels", "find-" + "links")
    wrong = [
        (name(file), sign)
        for file in tracked()
        for text in [file.read_text(encoding="utf-8", errors="replace")]
        for sign in signs
        if sign in text
    ]
    assert wrong == []
