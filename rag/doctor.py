"""Examines the installation: privacy switches, models, ports, disk, catalog and index."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec

from rag import privacy
from rag.doctor_models import of_models
from rag.errors import ReadingRoomError
from rag.home import Home, lock_holder
from rag.report_shapes import Finding
from rag.settings import Settings

LOW_DISK_BYTES = 2_000_000_000


def examine(settings: Settings) -> list[Finding]:
    """Return all findings, good ones included."""
    found = [*_privacy(settings), *of_models(settings), *_ocr(), *_ports(settings), *_disk(settings)]
    found.extend(_catalog(settings))
    found.extend(_generations(settings))
    return found


def _privacy(settings: Settings) -> Iterator[Finding]:
    for library, switches in privacy.SWITCHES.items():
        off = all(os.environ.get(name) == value for name, value in switches.items())
        said = ", ".join(f"{name}={value}" for name, value in switches.items())
        yield Finding(
            severity="ok" if off else "error",
            subject=f"privacy: {library}",
            message=f"telemetry and downloads are {'off' if off else 'NOT off'} ({said})",
            remedy="" if off else "Start Reading Room by its own command.",
        )
    yield Finding(
        severity="ok" if privacy.sealed() else "error",
        subject="privacy: connections",
        message="connections that leave this machine are refused" if privacy.sealed() else "the process is not sealed",
        remedy="" if privacy.sealed() else "Start Reading Room by its own command.",
    )
    if settings.network.allowed_hosts:
        yield Finding(
            severity="warning",
            subject="privacy: allowed hosts",
            message=f"the settings allow connections to {', '.join(settings.network.allowed_hosts)}",
            remedy="Empty `network.allowed_hosts` in config.yaml unless these are yours.",
        )


def _ocr() -> Iterator[Finding]:
    found = find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None
    yield Finding(
        severity="ok" if found else "error",
        subject="OCR",
        message=f"rapidocr {version('rapidocr')}, with the models in its package" if found else "rapidocr is missing",
        remedy="" if found else "Run `make setup` again: scans and pictures can't be read without it.",
    )


def _ports(settings: Settings) -> Iterator[Finding]:
    holder = lock_holder(Home(settings.home))
    for name, port in (("API", settings.server.port), ("page", settings.server.ui_port)):
        with socket.socket() as probe:
            probe.settimeout(1)
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        ours = taken and holder is not None and "serve" in str(holder.get("role"))
        yield Finding(
            severity="warning" if taken and not ours else "ok",
            subject=f"port: {name}",
            message=f"{port} is {'served by Reading Room' if ours else 'taken by another program' if taken else 'free'}",
            remedy=f"Choose another port for the {name} in config.yaml (`server`)." if taken and not ours else "",
        )


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    low = free < LOW_DISK_BYTES
    yield Finding(
        severity="warning" if low else "ok",
        subject="disk",
        message=f"{free / 1e9:.1f} GB free for {settings.home}",
        remedy="Free some space: ingestion stops when the disk is full." if low else "",
    )


def _catalog(settings: Settings) -> Iterator[Finding]:
    home = Home(settings.home)
    if not home.catalog.exists():
        yield Finding(severity="ok", subject="catalog", message="empty: nothing was ingested yet")
        return
    from rag.build import open_store  # opens the database
    from rag.catalog import Catalog

    try:
        store = open_store(settings)
    except ReadingRoomError as error:
        yield Finding(severity="error", subject="catalog", message=error.message, remedy=error.remedy)
        return
    with store.read() as connection:
        said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    sound = said == "ok"
    yield Finding(
        severity="ok" if sound else "error",
        subject="catalog",
        message="sound" if sound else f"damaged: {said}",
        remedy="" if sound else "Restore it from a backup, or ingest into a new home folder.",
    )
    failed = [item for item in Catalog(store).documents() if item.state == "failed"]
    yield Finding(
        severity="warning" if failed else "ok",
        subject="documents",
        message=f"{len(failed)} could not be read" if failed else "all could be read",
        remedy="See `readingroom documents` for the reason and the remedy of each." if failed else "",
    )
    store.close()


def _generations(settings: Settings) -> Iterator[Finding]:
    if not Home(settings.home).catalog.exists():
        return
    from rag.build import open_any_store  # as above
    from rag.generations import Generations

    try:
        store = open_any_store(settings)
    except ReadingRoomError:  # said under "catalog"
        return
    with closing(store):
        for item in Generations(store).all():
            half = item.state == "building"
            again = f"readingroom reindex --embedder {item.model} --backend {item.backend}"
            message = {
                "live": f"answers, with {item.vectors} vectors",
                "before": f"answered before and is kept, with {item.vectors} vectors",
                "built": f"is built beside the live one, with {item.vectors} vectors, and does not answer yet",
                "building": f"is half built: {item.missing} of {item.missing + item.vectors} texts have no vector yet",
            }[item.state]
            if item.beyond:
                message += f"; {item.beyond} texts are longer than it reads"
            yield Finding(
                severity="warning" if half or item.beyond else "ok",
                subject=f"embedder: {item.embedder}",
                message=message,
                remedy=f"Go on with `{again}`, or remove it with `readingroom reindex --drop-old --embedder {item.model}`."
                if half
                else "",
            )
