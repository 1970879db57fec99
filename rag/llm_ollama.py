"""Answers with a model of an Ollama server on this machine or on one the settings allow."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rag.chat_input import as_chat
from rag.errors import ModelError, PromptTooLong
from rag.llm import Completion, Message, ModelCard
from rag.llm_reply import ReplyCollector
from rag.model_host import answers_here, checked_host, refuse_cloud_name
from rag.model_profiles import profile_of
from rag.ollama_server import PORT, OllamaServer, ThinkingRefused, full_name
from rag.openai_server import hash_of
from rag.stop import stopping
from rag.token_estimate import check_nothing_dropped, estimate_chat
from rag.turns import WAITING, Turns

Thinking = Literal["off", "on", "low", "medium", "high"]
NO_TEMPLATE = "{{ .Prompt }}"
"""What Ollama says of a model file that brings no chat template."""


class OllamaModel:
    """A model of an Ollama server behind the port `rag.llm.LanguageModel`.

    `host` is an address like http://127.0.0.1:11434; `rag.model_host.checked_host` says which are allowed, and models that
    the server would forward to its vendor raise ModelError before they are asked. `window` caps the model's own window and
    is what the server is told to use. Opening asks the server which model it has, so it raises ModelError when nothing
    answers, the model is not there, or it can only embed. The first question loads it.
    """

    def __init__(
        self,
        name: str,
        host: str = f"http://127.0.0.1:{PORT}",
        window: int = 8192,
        *,
        allowed_hosts: Iterable[str] = (),
        key: str = "",
        thinking: Thinking = "off",
        keep_seconds: float = 300.0,
        connect_seconds: float = 2.0,
        answer_seconds: float = 300.0,
        busy_seconds: float = 30.0,
        waiting: int = WAITING,
    ) -> None:
        refuse_cloud_name(name)
        self._name, self._thinking, self._keep_seconds = name, thinking, keep_seconds
        self._answer_seconds = answer_seconds
        self._server = OllamaServer(
            host,
            allowed_hosts=allowed_hosts,
            key=key,
            connect_seconds=connect_seconds,
            answer_seconds=answer_seconds,
            busy_seconds=busy_seconds,
        )
        self._turns = Turns(name, waiting, answer_seconds)
        self._window = window
        try:
            self._card, self.capabilities = self._look()
        except ModelError:
            self.close()
            raise

    def _look(self) -> tuple[ModelCard, frozenset[str]]:
        listed = self._server.model(self._name)
        shown = self._server.show(self._name)
        can = frozenset(shown.capabilities or listed.get("capabilities") or ())
        if can and "completion" not in can:
            raise self._no_chat_model(f"can't answer, only {' and '.join(sorted(can))}")
        # a model whose prompts a renderer of Ollama's writes has this template too
        if (shown.template or "").strip() == NO_TEMPLATE and "\nRENDERER " not in (shown.modelfile or ""):
            raise self._no_chat_model("has no chat template, so it only goes on with a text")
        info = shown.modelinfo or {}
        own = int(info.get(f"{info.get('general.architecture')}.context_length", self._window))
        details = listed.get("details") or {}
        card = ModelCard(
            "ollama",
            self._name,
            f"sha256:{str(listed.get('digest', '')).removeprefix('sha256:')}",
            min(self._window, own),
            str(details.get("quantization_level") or ""),
            f"ollama {self._server.version()}",
            hash_of(shown.template or ""),
        )
        self._profile = profile_of(full_name(self._name), shown.template or "")
        return card, can

    def _no_chat_model(self, why: str) -> ModelError:
        """Return the error for a model that can't hold a conversation, with those of the server that can, the nearest first."""
        others = [str(model["name"]) for model in self._server.models() if answers_here(model)]
        others = [name for name in others if name != full_name(self._name)]
        near = difflib.get_close_matches(self._name, others, n=len(others) or 1, cutoff=0.0)[:5]
        remedy = f"Choose a chat model; the server has {', '.join(near)}." if near else "Choose a chat model."
        return ModelError(f"The model {self._name} {why}.", remedy)

    @property
    def card(self) -> ModelCard:
        """Return which model this is."""
        return self._card

    def count(self, messages: Sequence[Message]) -> int:
        """Estimate the number of prompt tokens, rather too high than too low: Ollama has no way to ask.

        What guarantees that nothing is dropped is the request itself, which forbids the server to shorten the prompt.
        Measured against the tokenizers of Qwen2.5 and SmolLM2; see `rag.token_estimate`.
        """
        return estimate_chat(as_chat(messages, self._profile.system))

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Mapping[str, Any] | None = None, seed: int = 0
    ) -> Iterator[str | Completion]:
        """Yield pieces of text, then one Completion; see `rag.llm.LanguageModel.stream`.

        A model that thinks, but not by level, is told to think, and the completion's note says so.
        """
        chat = as_chat(messages, self._profile.system)
        with self._turns.take(), stopping():
            promised = self._card.window
            self._ready()
            if estimate_chat(chat) + max_tokens > self._card.window < promised:  # packed for a window that is not there
                raise PromptTooLong(
                    f"The Ollama server at {self._server.host} has loaded {self._name} with {self._card.window} tokens only.",
                    "Send fewer or shorter passages.",
                )
            # after loading, which may have found a smaller window
            options: dict[str, Any] = {
                "temperature": 0,
                "seed": seed,
                "num_ctx": self._card.window,
                "num_predict": max_tokens,
            }
            request: dict[str, Any] = {
                "model": self._name,
                "messages": chat,
                "stream": True,
                # without these two the server may drop most of the prompt and answer as if nothing were missing
                "truncate": False,
                "shift": False,
                "keep_alive": f"{self._keep_seconds:.0f}s",
                "options": options,
            }
            if self._profile.stop:
                options["stop"] = list(self._profile.stop)
            if schema is not None:
                request["format"] = dict(schema)
            if "thinking" in self.capabilities:
                # unset means on for these models; for others the field is an error
                request["think"] = {"off": False, "on": True}.get(self._thinking, self._thinking)
            try:
                yield from self._generate(request, estimate_chat(chat))
            except ThinkingRefused:
                if not isinstance(request.get("think"), str):
                    raise
                request["think"] = True  # nothing was streamed yet
                note = f"The model has no levels of thinking; it was told to think, not how much ({self._thinking})."
                yield from self._generate(request, estimate_chat(chat), note)

    def load(self) -> None:
        """Have the server load the model with our window, and believe the window that it then says."""
        self._server.load(self._name, self._card.window, self._keep_seconds)
        running = self._server.running(self._name)
        if running is not None and running.window:  # 0: an old server doesn't say
            self._card = replace(self._card, window=min(self._card.window, running.window))

    def _ready(self) -> None:
        """See before each question that the name still means the model on the card, here, and that it is loaded with our
        window: it is unloaded when nobody asks, and another program may have loaded it with a smaller one."""
        digest = str(self._server.model(self._name).get("digest", "")).removeprefix("sha256:")
        if f"sha256:{digest}" != self._card.digest:
            self._card, self.capabilities = self._look()
        running = self._server.running(self._name)
        if running is None or running.window not in (0, self._card.window):
            self.load()

    @property
    def loaded(self) -> bool:
        """Return whether the model is in the server's memory now."""
        return self._server.running(self._name) is not None

    def memory(self) -> int:
        """Return the bytes that the loaded model takes; 0 where the server doesn't say."""
        running = self._server.running(self._name)
        return running.memory if running is not None else 0

    def unload(self) -> None:
        """Have the server free the model's memory."""
        self._server.load(self._name, self._card.window, 0)

    def close(self) -> None:
        """Release the connections."""
        self._server.close()

    def _generate(self, request: Mapping[str, Any], sent: int, note: str = "") -> Iterator[str | Completion]:
        most = int(request["options"]["num_predict"])
        reply = ReplyCollector(
            self._name, self._profile, most, seconds=self._answer_seconds, constrained="format" in request
        )
        for event in self._server.chat(request):
            try:
                message, done = event["message"], bool(event.get("done"))
                thought, piece = str(message.get("thinking") or ""), str(message.get("content") or "")
            except (KeyError, TypeError, AttributeError) as error:
                raise ModelError(
                    f"What answers at {self._server.host} does not speak like Ollama.", "Check the address."
                ) from error
            if thought:
                reply.think(thought)
            if piece and (shown := reply.take(piece)):
                yield shown
            if done:
                if shown := reply.rest():
                    yield shown
                evaluated = int(event.get("prompt_eval_count", 0))
                check_nothing_dropped(request["messages"], evaluated, "Ollama server")
                finish = str(event.get("done_reason", "stop"))
                yield replace(reply.complete(sent, evaluated, int(event.get("eval_count", 0)), finish), note=note)
                return
        raise ModelError(f"The Ollama server at {self._server.host} stopped in the middle of an answer.", "Ask again.")


def find(
    name: str,
    host: str,
    window: int = 8192,
    *,
    allowed_hosts: Iterable[str] = (),
    key: str = "",
    timeout: float = 1.0,
    thinking: Thinking = "off",
    keep_seconds: float = 300.0,
) -> OllamaModel | None:
    """Return the model `name` when a server answers at `host` within `timeout` seconds and has it, else None: for a model that
    nobody named in the settings.

    A host that is not allowed and a model that would send data away still raise ModelError: those are settings to mend.
    """
    refuse_cloud_name(name)
    checked_host(host, allowed_hosts, "Ollama", PORT, key)
    server = OllamaServer(host, allowed_hosts=allowed_hosts, key=key, connect_seconds=timeout, answer_seconds=timeout)
    try:
        names = {model["name"] for model in server.models()}
    except (ModelError, KeyError, TypeError):
        return None  # nothing there that speaks like Ollama
    finally:
        server.close()
    if full_name(name) not in names:
        return None
    return OllamaModel(
        name, host, window, allowed_hosts=allowed_hosts, key=key, thinking=thinking, keep_seconds=keep_seconds
    )
