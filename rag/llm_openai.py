"""Answers with a model of an OpenAI-compatible server: LM Studio, llama.cpp, vLLM, or Ollama's /v1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rag.chat_input import as_chat
from rag.errors import ModelError, PromptTooLong
from rag.llm import Completion, Message, ModelCard
from rag.llm_reply import ReplyCollector
from rag.model_profiles import profile_of, template_options
from rag.openai_connection import PORT, OpenAIConnection, SchemaRefused
from rag.openai_server import look, with_schema
from rag.stop import stopping
from rag.token_estimate import check_nothing_dropped, estimate_chat
from rag.turns import WAITING, Turns


class OpenAIModel:
    """A model of an OpenAI-compatible server behind the port `rag.llm.LanguageModel`.

    `host` is an address like http://127.0.0.1:8080; see `rag.model_host.checked_host` for what is allowed. `name` is one
    of the server's models, or "" when it has only one. `window` caps the server's own. `thinks` is said to llama.cpp and vLLM
    of models that think unless they are told not to. Opening asks the server what it
    is, so it raises ModelError when nothing answers, something else does, or the model is not there.
    """

    def __init__(
        self,
        name: str,
        host: str = f"http://127.0.0.1:{PORT}",
        window: int = 4096,
        *,
        key: str = "",
        allowed_hosts: Iterable[str] = (),
        connect_seconds: float = 2.0,
        answer_seconds: float = 300.0,
        load_seconds: float = 120.0,
        waiting: int = WAITING,
        thinks: bool = False,
    ) -> None:
        self._answer_seconds = answer_seconds
        self._connection = OpenAIConnection(
            host,
            key=key,
            allowed_hosts=allowed_hosts,
            connect_seconds=connect_seconds,
            answer_seconds=answer_seconds,
            load_seconds=load_seconds,
        )
        self._schemas = True
        try:
            with self._connection.translated(name):
                self._server = look(self._connection.ask, name, self._connection.host)
        except ModelError:
            self.close()
            raise
        self._name = self._server.name
        self._profile = profile_of(self._name, system=self._server.system)
        asks = self._server.kind in ("llama.cpp", "vllm")
        self._options = template_options(self._profile, thinks) if asks else {}
        self._turns = Turns(self._name, waiting, answer_seconds)
        self._card = ModelCard(
            "openai",
            self._name,
            self._server.digest,
            min(window, self._server.window or window),
            self._server.quantisation,
            self._server.runtime,
            self._server.template,
        )

    @property
    def card(self) -> ModelCard:
        """Return which model this is."""
        return self._card

    def count(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens: by the server's tokenizer where it has one, else estimated from above."""
        with self._connection.translated(self._name):
            counted = self._counted(as_chat(messages, self._profile.system))
        return counted or estimate_chat(as_chat(messages, self._profile.system))

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Mapping[str, Any] | None = None, seed: int = 0
    ) -> Iterator[str | Completion]:
        """Yield pieces of text, then one Completion; see `rag.llm.LanguageModel.stream`.

        A server that refuses `schema` is asked once more with the schema written into the prompt, and the completion's
        note says that nothing held the model to it.
        """
        chat = as_chat(messages, self._profile.system)
        with self._turns.take(), stopping(), self._connection.translated(self._name):
            counted = self._counted(chat)
            if counted and counted + max_tokens > self._card.window:
                raise PromptTooLong(
                    f"The prompt has {counted} tokens and the answer may have {max_tokens}; "
                    f"the window of {self._name} has {self._card.window}.",
                    "Send fewer or shorter passages.",
                )
            sent = counted or estimate_chat(chat)
            while True:
                try:
                    yield from self._generate(chat, max_tokens, schema, seed, sent)
                    return
                except SchemaRefused:
                    self._schemas = False  # nothing was streamed yet

    def close(self) -> None:
        """Release the connections."""
        self._connection.close()

    def _generate(
        self, chat: list[dict[str, str]], max_tokens: int, schema: Mapping[str, Any] | None, seed: int, sent: int
    ) -> Iterator[str | Completion]:
        request: dict[str, Any] = {
            "model": self._server.id,
            "messages": chat,
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": seed,
            "stream": True,
            "stream_options": {"include_usage": True},
            "extra_body": self._options,
        }
        if self._profile.stop:
            request["stop"] = list(self._profile.stop)
        note = self._server.note
        if schema is not None and self._schemas:
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": dict(schema), "strict": True},
            }
        elif schema is not None:
            request["messages"] = with_schema(chat, schema)
            note = f"{note} The server can't hold a model to a schema; it was only asked for that form.".strip()
        limits: dict[str, Any] = {"seconds": self._answer_seconds, "constrained": "response_format" in request}
        reply = ReplyCollector(self._name, self._profile, max_tokens, **limits)
        finish, evaluated, cached, generated, heard = "", 0, 0, 0, False
        with self._connection.chat(request) as stream:
            for chunk in stream:
                heard = True
                if chunk.usage is not None:
                    evaluated, generated = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
                    cached = (known.cached_tokens or 0) if (known := chunk.usage.prompt_tokens_details) else 0
                for choice in chunk.choices or ():
                    finish = choice.finish_reason or finish
                    more = choice.delta.model_extra or {}
                    if thought := more.get("reasoning_content") or more.get("reasoning"):
                        reply.think(str(thought))
                    if choice.delta.content and (shown := reply.take(choice.delta.content)):
                        yield shown
        if not heard:  # another program took its port: the client reads its page as a stream without events
            raise ModelError(
                f"What answers at {self._connection.host} does not speak like OpenAI's API.",
                "Check `answer.openai_host`.",
            )
        if not finish:
            raise ModelError(f"The server at {self._connection.host} stopped in the middle of an answer.", "Ask again.")
        if shown := reply.rest():
            yield shown
        if evaluated:  # 0: it does not say
            check_nothing_dropped(chat, evaluated, f"server at {self._connection.host}")
        done = reply.complete(sent, evaluated, generated, finish)
        yield replace(done, note=note, cached=cached)

    def _counted(self, chat: list[dict[str, str]]) -> int:
        """Return the exact number of prompt tokens, or 0 where the server can't tell."""
        if self._server.kind == "llama.cpp":
            applied = self._connection.ask("POST", "/apply-template", {"messages": chat, **self._options})
            if applied is None:
                return 0
            asked = {"content": applied["prompt"], "add_special": True, "parse_special": True}
            tokens = self._connection.ask("POST", "/tokenize", asked)
            return len(tokens["tokens"]) if tokens else 0
        if self._server.kind == "vllm":
            asked = {"model": self._server.id, "messages": chat, **self._options}
            counted = self._connection.ask("POST", "/tokenize", asked)
            return int(counted["count"]) if counted else 0
        return 0
