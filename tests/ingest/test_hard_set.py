"""Every file of the hard set: its text, its error, or its limit, read as the product reads it, members included."""

from __future__ import annotations

import csv
import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.elements import Reading
from ingest.errors import UnreadableFile
from ingest.read import Limits, Reader
from tests.processes import PROJECT

HARD = Path(os.environ.get("TEST_DATA", PROJECT.parent / "shared" / "data")) / "hard"
COMMAND = [sys.executable, "-m", "ingest.child"]
SECONDS, SECONDS_OF_LARGE = 10.0, 60.0
LARGE = 300_000
# A machine that runs other things at the same time is slower than the one that the budget was set for.
SLACK = float(os.environ.get("TEST_SLACK", "6"))
ERRORS = {
    "error-password": "password|encrypt|protect",
    "error-encrypted": "encrypt|password",
    "error-corrupt": "damaged|empty|corrupt|malformed",
    "error-bomb": "bomb|expand|far more",
}
NOT_YET = {"pdf-ocr/olmocr__edgar_image.pdf": "rapidocr sets a space into a word of this page: G lastonbury"}
_outcomes: dict[str, Counter[bool]] = {}


def rows() -> list[dict[str, str]]:
    if not HARD.is_dir():
        return []
    with (HARD / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def marked(row: dict[str, str]) -> Any:
    """Return a row as a parameter; what OCR is known not to manage is said."""
    marks = [pytest.mark.xfail(reason=NOT_YET[row["file"]])] if row["file"] in NOT_YET else []
    return pytest.param(row, id=row["file"], marks=marks)


@pytest.fixture(scope="module")
def readers() -> Iterator[dict[float, Reader]]:
    """One reader for each limit of seconds for the whole run, so that a file that harms the next one is seen."""
    made = {seconds: Reader(COMMAND, Limits(seconds=seconds * SLACK)) for seconds in (SECONDS, SECONDS_OF_LARGE)}
    yield made
    for reader in made.values():
        reader.close()
    print("\n\nThe hard set, by kind: passed / all")
    for kind, counts in sorted(_outcomes.items()):
        print(f"  {kind:16} {counts[True]:3} / {counts.total()}")
    total = sum(_outcomes.values(), Counter[bool]())
    print(f"  {'all':16} {total[True]:3} / {total.total()}")


def plain(text: str) -> str:
    """Return text as the manifest compares it."""
    text = unicodedata.normalize("NFKC", text).replace("\u00ad", "")
    text = re.sub(r"(?<=\w)[-\u2010]\s*\n\s*(?=\w)", "", text)
    return " ".join(text.casefold().split())


def texts(reader: Reader, path: Path, inside: tuple[str, ...] = (), password: str | None = None) -> Iterator[Reading]:
    """Yield the reading of a file, then those of the files inside it that can be read."""
    reading = reader.read(path, inside, password)
    yield reading
    for member in reading.members:
        try:
            yield from texts(reader, path, (*inside, member.name))
        except UnreadableFile as error:
            assert error.reason and error.remedy


def check_text(row: dict[str, str], readings: list[Reading]) -> None:
    """Check what must and what must not be in the text."""
    found = plain("\n\n".join(reading.text for reading in readings))
    missing = [part for part in row["must_contain"].split("|") if part and plain(part) not in found]
    wrong = [part for part in row["must_not_contain"].split("|") if part and plain(part) in found]
    assert not missing and not wrong, f"missing {missing}, must not be there {wrong}"


def check(row: dict[str, str], reader: Reader) -> None:
    """Check one row as its column `expect` says."""
    expect, path = row["expect"], HARD / row["file"]
    try:
        readings = list(texts(reader, path))
    except UnreadableFile as error:
        assert error.remedy
        assert not re.search(r"crashed|failed on this file|longer than|no usable answer|wrong inside", error.reason), (
            error.reason
        )
        if expect in ERRORS:
            assert re.search(ERRORS[expect], error.reason, re.I), error.reason
            if row["password"] and path.suffix == ".pdf":
                check_text(row, [reader.read(path, (), row["password"])])
            return
        assert expect.startswith(("no-", "error-or-", "empty-ok", "flag-")) or "-or-unsupported" in expect, error.reason
        assert not row["must_contain"] or expect.startswith(("empty-ok", "no-")), error.reason
        return
    assert expect not in ERRORS, "read without an error"
    if expect == "error-or-empty":
        assert not readings[0].text.strip()
    elif expect == "flag-garbage":
        assert readings[0].problems or any(page.ocr for page in readings[0].pages)
    elif expect == "text-or-flag" and any(reading.problems for reading in readings):
        return
    else:
        if expect in ("text-partial", "empty-ok"):
            assert readings[0].problems
        check_text(row, readings)


@pytest.mark.parametrize("row", [marked(row) for row in rows()])
def test_hard_file(row: dict[str, str], readers: dict[float, Reader]) -> None:
    """The file's text is found, or its error names the cause; the reader refuses what takes longer than its size may."""
    passed = False
    large = int(row["bytes"]) > LARGE or row["kind"] == "pdf-large"
    try:
        check(row, readers[SECONDS_OF_LARGE if large else SECONDS])
        passed = True
    finally:
        _outcomes.setdefault(row["kind"], Counter())[passed] += 1
