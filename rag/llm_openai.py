"""Answers with a model of an OpenAI-compatible server: LM Studio, llama.cpp, vLLM, or Ollama's /v1."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rag.chat_input import as_chat
from rag.errors import ModelError, PromptTooLong
from rag.llm import Completion, Message, ModelCard
from rag.llm_reply import ReplyCollector
from rag.model_host import checked_host
from rag.model_profiles import profile_of
from rag.openai_server import look, with_schema
from rag.token_estimate import check_nothing_dropped, estimate_chat
from rag.turns import Turns

if TYPE_CHECKING:
    import httpx2
    import openai

PORT = 8080
_TOO_LONG = ("context size", "context length", "context window", "maximum context", "too many tokens")
_NO_SCHEMA = ("response_format", "json_schema", "guided", "grammar", "schema")
_OURS = {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent"}
"""Headers that are sent. The client would add facts about this machine, and an organisation from the environment."""


class OpenAIModel:
    """A model of an OpenAI-compatible server behind the port `rag.llm.LanguageModel`.

    `host` is an address like http://127.0.0.1:8080; see `rag.model_host.checked_host` for what is allowed. `name` is one
    of the server's models, or "" when it has only one. `window` caps the server's own. Opening asks the server what it
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
        waiting: int = 8,
    ) -> None:
        self._host = checked_host(host, allowed_hosts, "OpenAI-compatible", PORT, key)
        self._answer_seconds, self._load_seconds = answer_seconds, load_seconds
        self._http, self._client = _clients(self._host, key, connect_seconds, answer_seconds)
        self._schemas = True
        try:
            with self._translated(name):
                self._server = look(self._ask, name, self._host)
        except ModelError:
            self.close()
            raise
        self._name = self._server.name
        self._profile = profile_of(self._name)
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
        with self._translated(self._name):
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
        with self._turns.take(), self._translated(self._name):
            counted = self._counted(chat)
            if counted and counted + max_tokens > self._card.window:
                raise self._too_long(f"has {counted} tokens and the answer may have {max_tokens}")
            sent = counted or estimate_chat(chat)
            while True:
                try:
                    yield from self._generate(chat, max_tokens, schema, seed, sent)
                    return
                except _NoSchemas:
                    self._schemas = False  # nothing was streamed yet

    def close(self) -> None:
        """Release the connections."""
        self._client.close()
        self._http.close()

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
        }
        if self._profile.stop:
            request["stop"] = list(self._profile.stop)
        note = ""
        if schema is not None and self._schemas:
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": dict(schema), "strict": True},
            }
        elif schema is not None:
            request["messages"] = with_schema(chat, schema)
            note = "The server can't hold a model to a schema; it was only asked for that form."
        limits: dict[str, Any] = {"seconds": self._answer_seconds, "constrained": "response_format" in request}
        reply = ReplyCollector(self._name, self._profile, max_tokens, **limits)
        finish, evaluated, generated = "", 0, 0
        with self._begin(request) as stream:
            for chunk in stream:
                if chunk.usage is not None:
                    evaluated, generated = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
                for choice in chunk.choices or ():
                    finish = choice.finish_reason or finish
                    more = choice.delta.model_extra or {}
                    if thought := more.get("reasoning_content") or more.get("reasoning"):
                        reply.think(str(thought))
                    if choice.delta.content and (shown := reply.take(choice.delta.content)):
                        yield shown
        if not finish:
            raise ModelError(f"The server at {self._host} stopped in the middle of an answer.", "Ask again.")
        if shown := reply.rest():
            yield shown
        if evaluated:  # 0: it does not say
            check_nothing_dropped(chat, evaluated, f"server at {self._host}")
        done = reply.complete(sent, evaluated, generated, finish)
        yield Completion(done.text, sent, evaluated, done.generated, finish, done.thinking, note)

    def _begin(self, request: Mapping[str, Any]) -> Any:
        """Send the request; while the server is still loading its model, wait and send it again."""
        import openai  # as in _clients

        deadline = time.monotonic() + self._load_seconds
        create: Any = self._client.chat.completions.create
        while True:
            try:
                return create(**request)
            except openai.InternalServerError as error:
                loading = error.status_code == 503 and "loading" in _reason(error).lower()
                if not loading or time.monotonic() > deadline:
                    raise
                time.sleep(min(1.0, self._load_seconds / 10))
            except openai.BadRequestError as error:
                reason = _reason(error).lower()
                schema_refused = "response_format" in request and any(word in reason for word in _NO_SCHEMA)
                if schema_refused and not any(word in reason for word in _TOO_LONG):
                    raise _NoSchemas from error
                raise

    def _counted(self, chat: list[dict[str, str]]) -> int:
        """Return the exact number of prompt tokens, or 0 where the server can't tell."""
        if self._server.kind == "llama.cpp":
            applied = self._ask("POST", "/apply-template", {"messages": chat})
            if applied is None:
                return 0
            asked = {"content": applied["prompt"], "add_special": True, "parse_special": True}
            tokens = self._ask("POST", "/tokenize", asked)
            return len(tokens["tokens"]) if tokens else 0
        if self._server.kind == "vllm":
            counted = self._ask("POST", "/tokenize", {"model": self._server.id, "messages": chat})
            return int(counted["count"]) if counted else 0
        return 0

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any] | None:
        response = self._http.request(method, path, json=body)
        if response.status_code in (404, 405, 501):
            return None
        if response.status_code != 200:
            raise self._refusal(response.status_code, response.text)
        answer = response.json()
        if not isinstance(answer, dict):
            raise ValueError("not an object")
        return answer if "error" not in answer else None  # LM Studio says "unexpected endpoint" under status 200

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        import httpx2  # as in _clients
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            raise self._refusal(error.status_code, _reason(error), name) from error
        except (openai.APITimeoutError, httpx2.TimeoutException) as error:
            if isinstance(error, httpx2.ConnectTimeout):
                raise self._nobody() from error
            raise ModelError(
                f"The server at {self._host} gave no answer in time.", "Ask again, or choose a smaller model."
            ) from error
        except httpx2.ConnectError as error:
            raise self._nobody() from error
        except (openai.APIConnectionError, httpx2.TransportError) as error:
            if isinstance(error.__cause__, httpx2.ConnectError):
                raise self._nobody() from error
            raise ModelError(f"The connection to the server at {self._host} broke.", "Ask again.") from error
        except openai.APIError as error:  # an error in the middle of a stream
            raise self._refusal(200, str(error.message), name) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # json.JSONDecodeError is a ValueError
            raise ModelError(
                f"What answers at {self._host} does not speak like OpenAI's API.", "Check `answer.openai_host`."
            ) from error

    def _nobody(self) -> ModelError:
        return ModelError(f"No server answers at {self._host}.", "Start it, or correct `answer.openai_host`.")

    def _too_long(self, how: str) -> PromptTooLong:
        return PromptTooLong(
            f"The prompt {how}; the window of {self._name} has {self._card.window}.", "Send fewer or shorter passages."
        )

    def _refusal(self, status: int, reason: str, name: str = "") -> ModelError:
        if any(word in reason.lower() for word in _TOO_LONG) and status in (200, 400, 413, 500):
            return self._too_long("does not fit")
        if status in (401, 403):
            return ModelError(
                f"The server at {self._host} wants another key.", "Correct what `answer.openai_key` names."
            )
        if 300 <= status < 400:
            return ModelError(
                f"The server at {self._host} sends requests on to another address.",
                "Set `answer.openai_host` to that one.",
            )
        if status == 404 and name:
            return ModelError(f"The server at {self._host} has no model {name} any more.", "Load it there again.")
        if status in (429, 503):
            return ModelError(f"The server at {self._host} is busy.", "Ask again later.")
        return ModelError(
            f"The server at {self._host} failed with status {status}: {reason[:300].rstrip('.')}.",
            "Look at its log, then ask again.",
        )


class _NoSchemas(Exception):
    """The server refused a request for its schema."""


def _clients(host: str, key: str, connect_seconds: float, answer_seconds: float) -> tuple[httpx2.Client, openai.OpenAI]:
    import httpx2  # both take seconds on a slow disk, and only where such a server is asked
    import openai

    def only_ours(request: httpx2.Request) -> None:
        for header in [name for name in request.headers if name.lower() not in _OURS]:
            del request.headers[header]
        request.headers["user-agent"] = "readingroom"
        if key:
            request.headers["authorization"] = f"Bearer {key}"

    http = httpx2.Client(
        base_url=host,
        trust_env=False,  # no proxy, no .netrc
        follow_redirects=False,
        timeout=httpx2.Timeout(answer_seconds, connect=connect_seconds),
        # a server may close a connection after a streamed answer, just as the next request goes out
        limits=httpx2.Limits(max_keepalive_connections=0),
        event_hooks={"request": [only_ours]},
    )
    client = openai.OpenAI(
        api_key=key or "none",  # else it looks into the environment
        base_url=f"{host}/v1",
        max_retries=0,
        http_client=http,
    )
    return http, client


def _reason(error: openai.APIError) -> str:
    """Return what the server said: the client puts its own words around it."""
    body = error.body
    inner = body.get("error", body) if isinstance(body, dict) else body
    return str(inner.get("message", inner) if isinstance(inner, dict) else inner or error.message)
