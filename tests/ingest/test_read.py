"""The isolated reader: what it gives back, and what a file that hangs, crashes or grows costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from ingest.elements import Box, Element, Page, Reading, Run
from ingest.errors import UnreadableFile
from ingest.read import PARSER, Limits, Reader
from ingest.runs import pack_runs
from ingest.wire import pack, unpack

COMMAND = [sys.executable, "-m", "ingest.child"]

# A child that follows the protocol for files named good.txt, and misbehaves for others as their name says.
ODD_CHILD = """
import json, os, resource, sys, time
from ingest.child import HEADER
from ingest.elements import Writer
from ingest.runs import pack_runs
from ingest.wire import pack
out = os.fdopen(os.dup(1), "wb")
for line in sys.stdin.buffer:
    request = json.loads(line)
    name = os.path.basename(request["path"])
    if name == "sleeps.txt": time.sleep(600)
    if name == "exits.txt": os._exit(3)
    if name == "busy.txt":
        for _ in range(5): time.sleep(1); out.write(HEADER.pack(b"B", 0)); out.flush()
    if name == "fragile.pdf" and not request.get("plain"): os.kill(os.getpid(), 11)
    if name == "segfaults.txt": os.kill(os.getpid(), 11)
    if name == "killed.txt": os.kill(os.getpid(), 9)
    if name == "rust.txt": print("memory allocation of 99 bytes failed", file=sys.stderr, flush=True); os.abort()
    if name == "chatty.txt": sys.stderr.write("x" * 5_000_000); sys.stderr.flush()
    if name == "garbage.txt": out.write(b"hello from a library, at length"); out.flush(); time.sleep(600)
    if name == "huge.txt": out.write(HEADER.pack(b"R", 10**12)); out.flush(); time.sleep(600)
    if name == "broken.txt": out.write(HEADER.pack(b"R", 2) + b"{}"); out.flush(); continue
    writer = Writer()
    writer.add("paragraph", "pid %d" % os.getpid())
    if name == "long.txt": writer.add("paragraph", "x" * (17 << 20))
    content = pack(writer.reading())
    out.write(HEADER.pack(b"R", len(content)) + content)
    out.flush()
"""


@pytest.fixture
def reader() -> Iterator[Reader]:
    made = Reader(COMMAND, Limits(seconds=60))
    yield made
    made.close()


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[Reader]:
    (tmp_path / "odd_child.py").write_text(ODD_CHILD)
    made = Reader([sys.executable, str(tmp_path / "odd_child.py")], Limits(seconds=3, output_bytes=1_000_000))
    previous = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    yield made
    made.close()
    os.environ.pop("PYTHONPATH")
    if previous is not None:
        os.environ["PYTHONPATH"] = previous


def _file(folder: Path, name: str, text: str = "words") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _pdf(path: Path) -> Path:
    canvas = Canvas(str(path))
    canvas.drawString(72, 700, "The lease ends in May.")
    canvas.save()
    return path


def test_reads_and_renders_through_one_child(reader: Reader, tmp_path: Path) -> None:
    """Files of several formats, and a page image, come through the same child."""
    assert reader.read(_file(tmp_path, "a.md", "# Title\n\nwords")).title == "Title"
    reading = reader.read(_pdf(tmp_path / "a.pdf"))
    assert reading.text == "The lease ends in May." and len(reading.runs) == 5
    assert reader.render(tmp_path / "a.pdf", 1, 40).startswith(b"\x89PNG")
    with pytest.raises(UnreadableFile, match="Only pages of PDFs"):
        reader.render(tmp_path / "a.md", 1, 40)


def test_a_refused_file_leaves_the_reader_working(reader: Reader, tmp_path: Path) -> None:
    """Refusals carry reason and remedy through the pipe, and the next file is read."""
    with pytest.raises(UnreadableFile, match="not what its name says") as caught:
        reader.read(_file(tmp_path, "a.pdf"))
    assert caught.value.remedy
    with pytest.raises(UnreadableFile, match="does not exist"):
        reader.read(tmp_path / "gone.txt")
    assert reader.read(_file(tmp_path, "b.txt")).text == "words"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sleeps.txt", "took longer than 3 s"),
        ("exits.txt", r"crashed on this file \(exit status 3\)"),
        ("segfaults.txt", r"crashed on this file \(signal 11\)"),
        ("killed.txt", "was killed, most likely"),
        ("rust.txt", "ran out of memory"),
        ("garbage.txt", "no usable answer"),
        ("huge.txt", "too large"),
        ("broken.txt", "no usable answer"),
    ],
)
def test_a_child_that_misbehaves_costs_one_file(odd: Reader, tmp_path: Path, name: str, reason: str) -> None:
    """Whatever a child does, its file fails with the reason and the next file is read."""
    with pytest.raises(UnreadableFile, match=reason) as caught:
        odd.read(_file(tmp_path, name))
    setting = {"sleeps.txt": "`ingest.seconds_per_file`", "rust.txt": "`ingest.memory_mb`"}.get(name, "")
    assert caught.value.remedy and setting in caught.value.remedy
    assert odd.read(_file(tmp_path, "good.txt")).text.startswith("pid ")


def test_a_chatty_child_does_not_block(odd: Reader, tmp_path: Path) -> None:
    """Megabytes on standard error are drained, not waited for."""
    assert odd.read(_file(tmp_path, "chatty.txt")).text.startswith("pid ")


def test_a_child_killed_between_files_is_replaced(odd: Reader, tmp_path: Path) -> None:
    """When the idle child is killed from outside, the next file is read by a new one."""
    first = int(odd.read(_file(tmp_path, "good.txt")).text.split()[1])
    assert int(odd.read(_file(tmp_path, "good.txt")).text.split()[1]) == first
    os.kill(first, signal.SIGKILL)
    while "State:\tZ" not in Path(f"/proc/{first}/status").read_text():
        time.sleep(0.01)
    assert int(odd.read(_file(tmp_path, "good.txt")).text.split()[1]) != first


def test_memory_limit_is_real(tmp_path: Path) -> None:
    """A file that needs more address space than allowed fails with the limit named, and the next one is read."""
    reader = Reader(COMMAND, Limits(seconds=60, memory_bytes=400_000_000))
    try:
        big = tmp_path / "big.txt"
        with big.open("w") as file:
            for _ in range(200):
                file.write("words and words\n" * 65_536)
        with pytest.raises(UnreadableFile, match=r"ran out of memory on this file \(limit 0.4 GB\)"):
            reader.read(big)
        assert reader.read(_file(tmp_path, "small.txt")).text == "words"
    finally:
        reader.close()


def test_too_much_text_is_refused(tmp_path: Path) -> None:
    """A text larger than the output limit is refused."""
    reader = Reader(COMMAND, Limits(seconds=60, output_bytes=10_000))
    try:
        with pytest.raises(UnreadableFile, match="too large"):
            reader.read(_file(tmp_path, "a.txt", "words " * 5000))
    finally:
        reader.close()


def test_too_many_pages_are_refused(tmp_path: Path) -> None:
    """A file with more pages than allowed is refused by name, before its pages are read, and the next one is read."""
    reader = Reader(COMMAND, Limits(seconds=60, pages=2))
    try:
        for pages, refused in ((3, True), (2, False)):
            made = Canvas(str(tmp_path / f"{pages}.pdf"))
            for number in range(pages):
                made.drawString(72, 720, f"page number {number}")
                made.showPage()
            made.save()
            if not refused:
                assert len(reader.read(tmp_path / f"{pages}.pdf").pages) == pages
                continue
            with pytest.raises(UnreadableFile, match=r"has 3 pages; at most 2 .*raise `ingest\.max_pages`"):
                reader.read(tmp_path / f"{pages}.pdf")
    finally:
        reader.close()


def test_a_long_answer_is_given_by_a_child_that_then_ends(tmp_path: Path, odd: Reader) -> None:
    """After a long document another child reads the next file, and the long one's text has arrived whole."""
    reader = Reader([sys.executable, str(tmp_path / "odd_child.py")], Limits(seconds=120))
    try:
        long = reader.read(_file(tmp_path, "long.txt")).text
        assert len(long) > 17 << 20 and reader.read(_file(tmp_path, "good.txt")).text != long.split("\n")[0]
    finally:
        reader.close()


PARENT = """
import sys, time
from pathlib import Path
from ingest.read import Limits, Reader
reader = Reader([sys.executable, "-m", "ingest.child"], Limits())
reader.read(Path(sys.argv[1]))
print(reader._child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    """Killing the parent leaves no parser behind."""
    command = [sys.executable, "-c", PARENT, str(_file(tmp_path, "a.txt"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
    for _ in range(200):
        if not Path(f"/proc/{child}").exists() or "State:\tZ" in Path(f"/proc/{child}/status").read_text():
            return
        time.sleep(0.05)
    pytest.fail("the child outlived its parent")


def test_reading_survives_the_wire() -> None:
    """What a reader found comes out of the pipe as it went in; characters that can't be stored are replaced."""
    reading = Reading(
        text="Wörter \U0001f600 und\n\nmehr",
        elements=(Element("heading", 0, 12, 1, 2), Element("table", 14, 18, 2, 0, 1)),
        pages=(Page(1, "i", 595.3, 841.9, runs=pack_runs([(0, 6, Box(1, 1.0, 2.5, 3.0, 4.0))], 18)), Page(2)),
        title="T",
        problems=("p",),
        metadata={"author": "A"},
    )
    assert unpack(pack(reading)) == reading
    assert unpack(pack(reading)).runs == (Run(0, 6, Box(1, 1.0, 2.5, 3.0, 4.0)),)
    odd = Reading("a\ud800b\x00c", (Element("paragraph", 0, 5, 1),), (Page(1),))
    assert unpack(pack(odd)).text == "a\ufffdb c"


def test_parser_fingerprint_names_the_versions() -> None:
    """The fingerprint changes with each vendor's version."""
    assert all(f"{name}-" in PARSER for name in ("reader", "liteparse", "unstructured", "pypdf", "rapidocr", "xlrd"))


def test_each_page_read_by_ocr_starts_the_time_anew(tmp_path: Path, odd: Reader) -> None:
    """A child that reports pages as it goes may take longer than the limit for one file."""
    (tmp_path / "busy.txt").write_text("x")
    assert odd.read(tmp_path / "busy.txt").text.startswith("pid")


def test_a_file_that_crashes_the_parser_is_read_the_plain_way(tmp_path: Path, odd: Reader) -> None:
    """After a crash of native code the file is tried once more without that parser."""
    (tmp_path / "fragile.pdf").write_text("x")
    assert odd.read(tmp_path / "fragile.pdf").text.startswith("pid")
