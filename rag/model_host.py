"""Checks the address of a model server, and reads its key: this machine, or a listed host behind TLS and a key."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rag.errors import ModelError, SettingsError


def checked_host(host: str, allowed_hosts: Iterable[str], kind: str, port: int, key: str = "") -> str:
    """Return the address of a model server as scheme://name:port, or raise ModelError before anything is sent.

    A name or address on loopback is always allowed. Any other must be in `allowed_hosts`, by https, with a key: else
    whoever sits between, or answers in its place, could read what is asked.
    """
    example = f"http://127.0.0.1:{port}"
    try:
        url = urlsplit(host if "//" in host else f"http://{host}")
        given = url.port
    except ValueError as error:
        raise ModelError(f"The address of the {kind} server has no valid port.", f"Write it like {example}.") from error
    if not url.hostname or url.scheme not in ("http", "https") or url.username or url.path.rstrip("/"):
        raise ModelError(f"{host!r} is not the address of a {kind} server.", f"Write it like {example}.")
    if not is_loopback(url.hostname):
        if url.hostname not in allowed_hosts:
            raise ModelError(
                f"The {kind} server {url.hostname} is not on this machine.",
                "If you trust it with your documents, add it to `network.allowed_hosts`.",
            )
        if url.scheme != "https" or not key:
            raise ModelError(
                f"The {kind} server {url.hostname} is not on this machine, so it must be asked by https and with a key.",
                "Write its address with https:// and say in `answer` where its key is kept.",
            )
    name = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{url.scheme}://{name}:{given or (443 if url.scheme == 'https' else port)}"


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_key(where: str, setting: str) -> str:
    """Return the key that a setting points to: `env:NAME`, or the path of a file; "" for "".

    Raises SettingsError that names the setting but never what it holds: people paste keys into the wrong place.
    """
    if not where:
        return ""
    remedy = f"Write `{setting}: env:NAME`, or the path of a file that holds nothing but the key. Never the key itself."
    if where.startswith("env:"):
        key = os.environ.get(where.removeprefix("env:"), "")
    else:
        try:
            key = Path(where).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"The file that `{setting}` names can't be read.", remedy) from error
    if not key.strip() or not key.strip().isascii():
        raise SettingsError(f"There is no key where `{setting}` says.", remedy)
    return key.strip()


def wants_key(host: str, given: bool, setting: str) -> ModelError:
    """Return the error for a server that refuses us for the key that was given, or for having none."""
    if given:
        return ModelError(f"The server at {host} wants another key.", f"Correct what `{setting}` names.")
    return ModelError(f"The server at {host} wants a key.", f"Say in `{setting}` where it is: env:NAME, or a file.")


def refuse_cloud_name(name: str) -> None:
    """Raise ModelError for a name that Ollama forwards to its vendor, whether it lists it or not."""
    if is_cloud_name(name):
        raise sends_away(name)


def is_cloud_name(name: str) -> bool:
    """Return whether Ollama forwards a name to its vendor."""
    # the tag stands behind the last colon: a name may begin with a registry and its port
    _, colon, tag = name.strip().lower().partition("@")[0].rpartition("/")[2].rpartition(":")
    return bool(colon) and (tag == "cloud" or tag.endswith("-cloud"))


def answers_here(model: Mapping[str, Any]) -> bool:
    """Return whether a model of the server's list can answer, on this machine; old servers don't list what a model can."""
    can = model.get("capabilities") or ["completion"]
    return "completion" in can and not is_remote(model)


def is_remote(model: Mapping[str, Any]) -> bool:
    """Return whether a model of the server's list is only a stub, whose questions go to its vendor."""
    return bool(model.get("remote_host") or model.get("remote_model"))


def sends_away(name: str) -> ModelError:
    """Return the error for a model that only seems to be here."""
    return ModelError(
        f"The model {name} does not run on this machine: Ollama would send everything to its vendor.",
        "Choose a local model, and start Ollama with OLLAMA_NO_CLOUD=1.",
    )
