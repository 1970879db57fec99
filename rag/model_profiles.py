"""Profiles of model families, read from `model_profiles.yaml`: what a server doesn't say about its models."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from rag.errors import ModelError

PROFILES = Path(__file__).with_name("model_profiles.yaml")
TAGS = ("<think>", "</think>")
_SYSTEM = re.compile(r"system|message\.role|message\[.role.\]|\.Role", re.IGNORECASE)
"""How a chat template takes a system message: by name, or whatever the role of a message is."""
_NO_SYSTEM = re.compile(r"raise_exception\([^)]*system[^)]*not supported", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Size:
    """One size of a family: parameters in billions (`active` of them work on a token), and the shape of its KV cache."""

    name: str
    parameters: float
    layers: int
    kv_heads: int
    head: int
    ollama: str
    active: float = 0.0
    licence: str = ""
    kv_per_layer: int = 0

    def kv_bytes(self, window: int) -> int:
        """Return the bytes of the KV cache of a window in 16-bit numbers, from above: sliding windows are not counted."""
        numbers = self.kv_per_layer or 2 * self.kv_heads * self.head
        return 2 * self.layers * numbers * window


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a family. `matches` are parts of a model's name, written with letters and digits only; of one with
    spaces in it each word must be there.

    `thinking`: "" never; "tags" between `thinking_tags` in its text; "opened" likewise, but the chat template has
    written the opening tag. `good_prompt` is the number of prompt tokens up to which answers stay reliable.
    """

    family: str
    matches: tuple[str, ...] = ()
    window: int = 4096
    system: bool = True
    thinking: Literal["", "tags", "opened"] = ""
    thinking_tags: tuple[str, str] = TAGS
    stop: tuple[str, ...] = ()
    licence: str = "unknown: read what its publisher says"
    limits: str = ""
    languages: str = "unknown"
    vision: bool = False
    good_prompt: int = 1500
    quirks: str = ""
    sizes: tuple[Size, ...] = ()


def template_options(profile: Profile, thinks: bool) -> dict[str, Any]:
    """Return what a request adds for the chat template of llama.cpp and vLLM: models that think unless told not to are told."""
    return {"chat_template_kwargs": {"enable_thinking": thinks}} if profile.thinking == "tags" else {}


UNKNOWN = Profile("unknown")
"""Safe defaults: no thinking is expected but tags are kept apart, a short prompt, licence to be looked up."""


@cache
def profiles(path: Path = PROFILES) -> tuple[Profile, ...]:
    """Return all profiles in the order in which they are tried."""
    import yaml  # a few milliseconds, only where a model is used

    try:
        return tuple(_profile(item) for item in yaml.safe_load(path.read_text(encoding="utf-8"))["families"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"The profiles of models {path.name} can't be read: {error}.", "Restore it from the repository."
        ) from error


def profile_of(name: str, template: str = "", system: bool | None = None) -> Profile:
    """Return the profile of a model by its name, whoever wrote it (`Qwen/Qwen3-4B`, `qwen3:4b`), else UNKNOWN.

    Of an unknown model `system` is whether it has a system role, where its server says so; where it says nothing, None, its
    chat template tells: one that never speaks of such a role would drop the instructions, or refuse them.
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    known = next((profile for profile in profiles() if _matches(profile, plain)), None)
    if known is not None:
        return known
    if system is None:
        system = not template or (bool(_SYSTEM.search(template)) and not _NO_SYSTEM.search(template))
    return replace(UNKNOWN, system=system)


def _matches(profile: Profile, plain: str) -> bool:
    return any(all(word in plain for word in part.split()) for part in profile.matches)


def _profile(item: dict[str, Any]) -> Profile:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
    fields["sizes"] = tuple(Size(**size) for size in item.get("sizes", ()))
    profile = Profile(**fields)
    if profile.thinking not in ("", "tags", "opened") or len(profile.thinking_tags) != 2 or not profile.matches:
        raise ValueError(f"the profile of {profile.family} is not complete")
    return profile
