"""Answers with a model of an Ollama server on this machine or on one the settings allow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rag.chat_input import as_chat
from rag.errors import ModelError, PromptTooLong
from rag.llm import Completion, Message, ModelCard
from rag.model_host import checked_host, refuse_cloud_name, sends_away
from rag.token_estimate import estimate_chat, words
from rag.turns import Turns

if TYPE_CHECKING:
    import httpx
    import ollama

PORT = 11434


class OllamaModel:
    """A model of an Ollama server behind the port `rag.llm.LanguageModel`.

    `host` is an address like http://127.0.0.1:11434; anything but loopback and `allowed_hosts` raises ModelError before
    a connection is made, and so do models that the server would forward to its vendor. `window` caps the model's own
    window and is what the server is told to use. Opening asks the server which model it has, so it raises ModelError
    when nothing answers or the model is not there.
    """

    def __init__(
        self,
        name: str,
        host: str = "http://127.0.0.1:11434",
        window: int = 8192,
        *,
        allowed_hosts: Iterable[str] = (),
        connect_seconds: float = 2.0,
        answer_seconds: float = 300.0,
        waiting: int = 8,
    ) -> None:
        self._name, self._host = name, checked_host(host, allowed_hosts, "Ollama", PORT)
        refuse_cloud_name(name)
        self._client, self._http = _clients(self._host, connect_seconds, answer_seconds)
        self._turns = Turns(name, waiting, answer_seconds)
        try:
            listed = self._listed()
            with self._translated():
                shown = self._client.show(name)
        except ModelError:
            self.close()
            raise
        info = shown.modelinfo or {}
        own = int(info.get(f"{info.get('general.architecture')}.context_length", window))
        self._thinks = "thinking" in (shown.capabilities or ())
        self._card = ModelCard("ollama", name, f"sha256:{listed['digest'].removeprefix('sha256:')}", min(window, own))

    @property
    def card(self) -> ModelCard:
        """Return which model this is."""
        return self._card

    def count(self, messages: Sequence[Message]) -> int:
        """Estimate the number of prompt tokens, rather too high than too low: Ollama has no way to ask.

        What guarantees that nothing is dropped is the request itself, which forbids the server to shorten the prompt.
        Measured against the tokenizers of Qwen2.5 and SmolLM2; see `rag.token_estimate`.
        """
        return estimate_chat(as_chat(messages))

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Mapping[str, Any] | None = None, seed: int = 0
    ) -> Iterator[str | Completion]:
        """Yield pieces of text, then one Completion; see `rag.llm.LanguageModel.stream`."""
        chat = as_chat(messages)
        request: dict[str, Any] = {
            "model": self._name,
            "messages": chat,
            "stream": True,
            # without these two the server may drop most of the prompt and answer as if nothing were missing
            "truncate": False,
            "shift": False,
            "options": {"temperature": 0, "seed": seed, "num_ctx": self._card.window, "num_predict": max_tokens},
        }
        if schema is not None:
            request["format"] = dict(schema)
        if self._thinks:
            request["think"] = False  # unset means on for these models; for others the field is an error
        with self._turns.take(), self._translated():
            yield from self._generate(request, self.count(messages))

    def close(self) -> None:
        """Release the connections."""
        self._http.close()
        self._client.close()  # type: ignore[no-untyped-call]

    def _generate(self, request: Mapping[str, Any], sent: int) -> Iterator[str | Completion]:
        pieces: list[str] = []
        # not through the official client: it can't send `truncate` and `shift` (0.6.3)
        with self._http.stream("POST", "/api/chat", json=request) as response:
            if response.status_code != 200:
                response.read()
                raise self._refusal(response.status_code, response.text)
            for line in response.iter_lines():
                event = json.loads(line)
                if "error" in event:  # after the first token an error is a line, under status 200
                    raise self._refusal(200, line)
                if piece := event["message"].get("content"):
                    pieces.append(piece)
                    yield piece
                if event.get("done"):
                    evaluated = event.get("prompt_eval_count", 0)
                    self._check_nothing_dropped(request["messages"], evaluated)
                    finish = event.get("done_reason", "stop")
                    yield Completion("".join(pieces), sent, evaluated, event.get("eval_count", 0), finish)
                    return
        raise ModelError(f"The Ollama server at {self._host} stopped in the middle of an answer.", "Ask again.")

    def _check_nothing_dropped(self, chat: Sequence[Mapping[str, str]], evaluated: int) -> None:
        """Raise ModelError when the server read fewer tokens than there are words: an old one ignores `truncate`."""
        if evaluated < words(chat):
            raise ModelError(
                f"The Ollama server read {evaluated} tokens of a prompt of {words(chat)} words: it dropped the rest.",
                "Update Ollama, or set a smaller window.",
            )

    def _listed(self) -> Mapping[str, Any]:
        # not through the official client: its type drops `remote_host`
        with self._translated():
            response = self._http.get("/api/tags")
            if response.status_code != 200:
                raise self._refusal(response.status_code, response.text)
            models = response.json()["models"]
        wanted = self._name if ":" in self._name else f"{self._name}:latest"
        for model in models:
            if wanted in (model["name"], model.get("model")):
                if model.get("remote_host") or model.get("remote_model"):
                    raise sends_away(self._name)
                found: Mapping[str, Any] = model
                return found
        raise self._refusal(404, "")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import httpx  # as in _clients
        import ollama

        try:
            yield
        except ollama.ResponseError as error:
            raise self._refusal(error.status_code, error.error) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError) as error:
            raise ModelError(f"No Ollama server answers at {self._host}.", "Start it with `ollama serve`.") from error
        except httpx.TimeoutException as error:
            raise ModelError(
                f"The Ollama server at {self._host} gave no answer in time.", "Ask again, or choose a smaller model."
            ) from error
        except httpx.TransportError as error:
            raise ModelError(f"The connection to the Ollama server at {self._host} broke.", "Ask again.") from error
        except (ValueError, KeyError, TypeError) as error:  # json.JSONDecodeError is a ValueError
            raise ModelError(
                f"What answers at {self._host} does not speak like Ollama.", "Check the address."
            ) from error

    def _refusal(self, status: int, body: str) -> ModelError:
        reason = _reason(body)
        if "exceeds the available context size" in reason or "longer than the context length" in reason:
            return PromptTooLong(
                f"The prompt does not fit into the {self._card.window} tokens of {self._name}.",
                "Send fewer or shorter passages.",
            )
        if status == 404:
            return ModelError(
                f"The Ollama server at {self._host} has no model {self._name}.", f"Run `ollama pull {self._name}`."
            )
        if status == 503:
            return ModelError(f"The Ollama server at {self._host} is busy.", "Ask again later.")
        return ModelError(
            f"The Ollama server at {self._host} failed with status {status}: {reason}.",
            "Look at its log, then ask again.",
        )


def find(
    name: str, host: str, window: int = 8192, *, allowed_hosts: Iterable[str] = (), timeout: float = 1.0
) -> OllamaModel | None:
    """Return the model `name` when a server answers at `host` within `timeout` seconds and has it, else None.

    A host that is not allowed and a model that would send data away still raise ModelError: those are settings to mend.
    """
    refuse_cloud_name(name)
    checked = checked_host(host, allowed_hosts, "Ollama", PORT)
    import httpx  # after the checks: nothing is loaded to say no

    try:
        with httpx.Client(base_url=checked, trust_env=False, follow_redirects=False, timeout=timeout) as client:
            names = {model["name"] for model in client.get("/api/tags").json()["models"]}
    except (httpx.TransportError, ValueError, KeyError, TypeError):
        return None  # nothing there that speaks like Ollama
    if (name if ":" in name else f"{name}:latest") not in names:
        return None
    return OllamaModel(name, host, window, allowed_hosts=allowed_hosts)


def _clients(host: str, connect_seconds: float, answer_seconds: float) -> tuple[ollama.Client, httpx.Client]:
    import httpx  # 0.1 s, and only where Ollama is asked
    import ollama

    options: dict[str, Any] = {
        "trust_env": False,  # no proxy
        "follow_redirects": False,
        "timeout": httpx.Timeout(answer_seconds, connect=connect_seconds),
    }
    client = ollama.Client(host, **options)
    client._client.headers.pop("authorization", None)  # the client adds OLLAMA_API_KEY: it is for its vendor's servers
    return client, httpx.Client(base_url=host, **options)


def _reason(body: str) -> str:
    """Return the innermost message of an error body: Ollama wraps its runner's JSON in a string."""
    try:
        parsed: Any = json.loads(body)
    except ValueError:
        return body.strip().rstrip(".") or "no reason given"
    while isinstance(parsed, dict) and ("error" in parsed or "message" in parsed):
        parsed = parsed.get("error", parsed.get("message"))
    return _reason(parsed) if isinstance(parsed, str) and parsed.startswith("{") else str(parsed).rstrip(".")
