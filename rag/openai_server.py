"""Finds out what stands behind an OpenAI-compatible address: whose server it is, its models, windows, tokenizer."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from rag.errors import ModelError
from rag.model_host import answers_here, is_cloud_name, is_remote, refuse_cloud_name, sends_away

Ask = Callable[[str, str, Mapping[str, Any] | None], dict[str, Any] | None]
"""Asks the server (method, path, body) and returns a JSON object, or None where it has no such route."""

OLLAMA_WINDOW = 4096
"""Tokens that Ollama reads through /v1 unless told otherwise by its own settings: the request can't say it."""

CHATML = (
    "{%- for message in messages -%}\n  {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' -}}\n"
    "{%- endfor -%}\n{%- if add_generation_prompt -%}\n  {{- '<|im_start|>assistant\n' -}}\n{%- endif -%}"
)
"""The chat template that llama.cpp uses for a model that brings none."""
IN_PLACE = "The model has no chat template of its own; its server uses ChatML in its place."


@dataclass(frozen=True, slots=True)
class ServerModel:
    """A model of a server. `id` is what requests call it; `window` is 0 where the server doesn't say. `system` and `vision` are
    whether there is a system role and whether the model sees pictures, None where it doesn't say. `note` is what is odd
    about the model."""

    id: str
    name: str
    kind: Literal["llama.cpp", "vllm", "lmstudio", "ollama", ""]
    window: int
    digest: str = ""
    quantisation: str = ""
    runtime: str = ""
    template: str = ""
    system: bool | None = None
    vision: bool | None = None
    note: str = ""


def look(ask: Ask, wanted: str, host: str, *, embeds: bool = False) -> ServerModel:
    """Return the model `wanted` ("" for the only one) of the server; raise ModelError naming those that it has.

    Without `embeds` a model that its server lists as one that only embeds is refused (LM Studio and Ollama say so).
    """
    if wanted:
        refuse_cloud_name(wanted)
    found = _choose(models(ask, host), wanted, host)
    owner = str(found.get("owned_by", ""))
    if owner == "llamacpp":
        return _llama_cpp(ask, found)
    if owner == "vllm" or "max_model_len" in found:
        version = (ask("GET", "/version", None) or {}).get("version", "")
        return ServerModel(
            found["id"],
            _short(found["id"]),
            "vllm",
            int(found.get("max_model_len") or 0),
            runtime=f"vllm {version}".strip(),
        )
    if version := (ask("GET", "/api/version", None) or {}).get("version"):
        return _ollama(ask, found, str(version), embeds)
    data = (ask("GET", "/api/v0/models", None) or {}).get("data")
    listed: list[dict[str, Any]] = data if isinstance(data, list) else []
    for item in listed:
        if item.get("id") == found["id"]:
            if item.get("type") == "embeddings" and not embeds:
                raise _no_chat_model(found["id"], [i["id"] for i in listed if i.get("type") in ("llm", "vlm")])
            window = int(item.get("loaded_context_length") or item.get("max_context_length") or 0)
            quantisation = str(item.get("quantization", ""))
            return ServerModel(
                found["id"],
                _short(found["id"]),
                "lmstudio",
                window,
                quantisation=quantisation,
                runtime="LM Studio",
                vision=item.get("type") == "vlm" if item.get("type") else None,
            )
    return ServerModel(found["id"], _short(found["id"]), "", 0)


def models(ask: Ask, host: str) -> list[dict[str, Any]]:
    """Return the server's list of models; raise ModelError when what answers is no such server."""
    listed = ask("GET", "/v1/models", None)
    data = listed.get("data") if listed else None
    if not isinstance(data, list) or not all(
        isinstance(item, dict) and isinstance(item.get("id"), str) for item in data
    ):
        raise ModelError(f"What answers at {host} does not speak like OpenAI's API.", "Check `answer.openai_host`.")
    return data


def _choose(listed: Sequence[dict[str, Any]], wanted: str, host: str) -> dict[str, Any]:
    here = [item for item in listed if not is_cloud_name(item["id"])]
    named = [item for item in listed if wanted in _names(item)] if wanted else here
    if len(named) == 1:
        return named[0]
    names = [_short(item["id"]) for item in here]
    if not names:
        raise ModelError(f"The server at {host} has no model loaded.", "Load one there, then ask again.")
    if not wanted:
        raise ModelError(
            f"The server at {host} has {len(names)} models: {', '.join(names[:10])}.",
            "Say in `answer.openai_model` which one is to answer.",
        )
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4) or names[:5]
    raise ModelError(f"The server at {host} has no model {wanted}.", f"Near it: {', '.join(near)}.")


def _names(item: Mapping[str, Any]) -> set[str]:
    """Return every name under which a model may be asked for: its id, its aliases, a path's last part."""
    given = [item["id"], *(name for name in item.get("aliases") or () if isinstance(name, str))]
    return {*given, *(_short(name) for name in given)}


def _short(name: str) -> str:
    """Return a name without the folders of this machine: llama.cpp calls a model by the path of its file."""
    return PurePath(name).stem if name.endswith(".gguf") else name


def _llama_cpp(ask: Ask, found: Mapping[str, Any]) -> ServerModel:
    properties = ask("GET", "/props", None) or {}
    meta = found.get("meta") or {}
    window = (properties.get("default_generation_settings") or {}).get("n_ctx") or meta.get("n_ctx") or 0
    template = str(properties.get("chat_template") or "")
    return ServerModel(
        found["id"],
        _short(found["id"]),
        "llama.cpp",
        int(window),
        quantisation=str(properties.get("model_ftype") or meta.get("ftype") or ""),
        runtime=f"llama.cpp {properties.get('build_info', '')}".strip(),
        template=hash_of(template),
        system=system_role(properties),
        vision=(properties.get("modalities") or {}).get("vision"),
        note=IN_PLACE if template == CHATML else "",
    )


def _no_chat_model(name: str, others: Sequence[str]) -> ModelError:
    near = difflib.get_close_matches(name, others, n=len(others) or 1, cutoff=0.0)[:5]
    remedy = f"Choose a chat model; the server has {', '.join(near)}." if near else "Choose a chat model."
    return ModelError(f"The model {name} can't answer, only embed.", remedy)


def _ollama(ask: Ask, found: Mapping[str, Any], version: str, embeds: bool) -> ServerModel:
    refuse_cloud_name(found["id"])
    runtime = f"ollama {version}"
    listed = (ask("GET", "/api/tags", None) or {}).get("models", ())
    for item in listed:
        if item.get("name") == found["id"]:
            if is_remote(item):
                raise sends_away(found["id"])
            if not embeds and not answers_here(item):
                raise _no_chat_model(found["id"], [str(other["name"]) for other in listed if answers_here(other)])
            loaded = (ask("GET", "/api/ps", None) or {}).get("models", ())
            window = next((m.get("context_length") for m in loaded if m.get("name") == found["id"]), None)
            return ServerModel(
                found["id"],
                found["id"],
                "ollama",
                int(window or OLLAMA_WINDOW),
                f"sha256:{str(item.get('digest', '')).removeprefix('sha256:')}",
                str((item.get("details") or {}).get("quantization_level", "")),
                runtime,
                vision="vision" in item["capabilities"] if item.get("capabilities") else None,
            )
    return ServerModel(found["id"], found["id"], "ollama", OLLAMA_WINDOW, runtime=runtime)


def system_role(properties: Mapping[str, Any]) -> bool | None:
    """Return whether the chat template that llama.cpp's /props describes has a system role, None where it doesn't say."""
    said = (properties.get("chat_template_caps") or {}).get("supports_system_role")
    return None if said is None else bool(said)


def hash_of(text: str) -> str:
    """Return `sha256:…` of a text, "" for an empty one."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" if text else ""


def with_schema(chat: Sequence[dict[str, str]], schema: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a chat that asks for JSON of a schema in words, for servers that can't hold a model to one."""
    asked = (
        f"{chat[-1]['content']}\n\nAnswer with one JSON object of this schema and nothing else: {json.dumps(schema)}"
    )
    return [*chat[:-1], {**chat[-1], "content": asked}]
