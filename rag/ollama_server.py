"""Talks to an Ollama server: what it has, loads, pulls, embeds and says, and why it did not."""

from __future__ import annotations

import difflib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag.errors import ModelError, PromptTooLong
from rag.model_host import checked_host, is_remote, refuse_cloud_name, sends_away, wants_key
from rag.stop import traced

if TYPE_CHECKING:
    import httpx
    import ollama

PORT = 11434
LOOK_SECONDS = 10.0
"""How long a server may take to say what it has: another program on its port may say nothing at all."""
_TOO_LONG = ("exceeds the available context size", "longer than the context length", "exceeds the context")


@dataclass(frozen=True, slots=True)
class Running:
    """A model in memory: the window it was really loaded with (0 where an old server doesn't say), and its bytes."""

    window: int
    memory: int


class OllamaServer:
    """One server, on loopback or listed by the settings (see `rag.model_host.checked_host`).

    Every method raises ModelError with a remedy when the server is not there, is something else, or refuses. While it
    answers 503, because a model has to be loaded and others wait for that, a request is repeated for `busy_seconds`.
    """

    def __init__(
        self,
        host: str,
        *,
        allowed_hosts: Iterable[str] = (),
        key: str = "",
        connect_seconds: float = 2.0,
        answer_seconds: float = 300.0,
        busy_seconds: float = 30.0,
    ) -> None:
        self.host = checked_host(host, allowed_hosts, "Ollama", PORT, key)
        self._has_key = bool(key)
        self._busy_seconds = busy_seconds
        self._client, self._http = _clients(self.host, key, connect_seconds, answer_seconds)
        self._looking = _time_out(min(LOOK_SECONDS, answer_seconds), connect_seconds)

    def close(self) -> None:
        """Release the connections."""
        self._http.close()
        self._client.close()  # type: ignore[no-untyped-call]

    def version(self) -> str:
        """Return the server's version."""
        return str(self._get("/api/version")["version"])

    def cloud_disabled(self) -> bool:
        """Return whether the server is told never to send anything to its vendor; servers that can't say it are not."""
        with self._translated():
            response = self._http.get("/api/status", timeout=self._looking)
            return response.status_code == 200 and bool(response.json().get("cloud", {}).get("disabled"))

    def models(self) -> list[dict[str, Any]]:
        """Return the models that the server has, as /api/tags lists them."""
        # not through the official client: its type drops `remote_host`
        found: list[dict[str, Any]] = self._get("/api/tags")["models"]
        return found

    def model(self, name: str) -> dict[str, Any]:
        """Return a model that runs here; raise ModelError for cloud names before asking, for remote stubs, for none."""
        refuse_cloud_name(name)
        wanted, listed = full_name(name), self.models()
        with self._translated():
            for model in listed:
                if wanted in (model["name"], model.get("model")):
                    if is_remote(model):
                        raise sends_away(name)
                    return model
            # what its vendor would answer is not near
            names = [str(model["name"]) for model in listed if not is_remote(model)]
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
        raise ModelError(
            f"The Ollama server at {self.host} has no model {name}.",
            f"Run `ollama pull {name}`" + (f", or use one that is near: {', '.join(near)}." if near else "."),
        )

    def show(self, name: str) -> ollama.ShowResponse:
        """Return what the server knows about a model."""
        import ollama  # as in _clients

        with self._translated(name):
            # not through the official client, which has one time-out for everything
            said = self._answer(self._http.post("/api/show", json={"model": name}, timeout=self._looking), name)
            return ollama.ShowResponse(**said.json())

    def running(self, name: str) -> Running | None:
        """Return how a model is in memory now, None when it isn't."""
        listed = self._get("/api/ps")
        with self._translated(name):
            for model in listed["models"]:
                if full_name(name) in (model.get("name"), model.get("model")):
                    return Running(int(model.get("context_length") or 0), int(model.get("size") or 0))
        return None

    def load(self, name: str, window: int, keep_seconds: float) -> None:
        """Have a model loaded with a window, to stay for `keep_seconds`; 0 unloads it."""
        keep = {"keep_alive": f"{keep_seconds:.0f}s" if keep_seconds else 0}
        body: dict[str, Any] = {"model": name, "messages": [], "stream": False, "options": {"num_ctx": window}, **keep}
        with self._translated(name):
            self._patiently(lambda: self._answer(self._http.post("/api/chat", json=body), name))

    def chat(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the lines of a streamed chat. Closing the iterator closes the connection, which stops the server."""
        name = str(request["model"])
        with self._translated(name):
            # not through the official client: it can't send `truncate` and `shift` (0.6.3)
            built = self._http.build_request("POST", "/api/chat", json=request)
            response = self._patiently(lambda: self._answer(self._http.send(built, stream=True), name))
            try:
                for line in response.iter_lines():
                    event = json.loads(line)
                    if "error" in event:  # after the first token an error is a line, under status 200
                        raise self.refusal(200, line, name)
                    yield event
            finally:
                response.close()

    def pull(self, name: str, progress: Callable[[str, int, int], None]) -> None:
        """Have the server fetch a model from its own registry; a set-up step, done when a person asks for it."""
        refuse_cloud_name(name)
        with self._translated(name):
            for event in self._client.pull(name, stream=True):
                progress(str(event.status or ""), int(event.completed or 0), int(event.total or 0))

    def embed(self, name: str, texts: Sequence[str]) -> list[Sequence[float]]:
        """Return a vector a text; a text that is too long is an error, not cut."""
        with self._translated(name):
            return list(self._client.embed(name, list(texts), truncate=False).embeddings)

    def _get(self, path: str) -> dict[str, Any]:
        with self._translated():
            found: dict[str, Any] = self._answer(self._http.get(path, timeout=self._looking), "").json()
            if not isinstance(found, dict):
                raise ValueError("not an object")
            return found

    def _answer(self, response: httpx.Response, name: str) -> httpx.Response:
        if response.status_code != 200:
            response.read()
            response.close()
            if response.status_code == 503:
                raise _Busy
            raise self.refusal(response.status_code, response.text, name)
        return response

    def _patiently(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                return ask()
            except _Busy:
                if time.monotonic() > deadline:
                    raise
                time.sleep(min(1.0, self._busy_seconds / 10))

    @contextmanager
    def _translated(self, name: str = "") -> Iterator[None]:
        import httpx  # as in _clients
        import ollama

        try:
            yield
        except _Busy as error:
            raise ModelError(f"The Ollama server at {self.host} is busy.", "Ask again later.") from error
        except ollama.ResponseError as error:
            raise self.refusal(error.status_code, error.error, name) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError) as error:
            raise ModelError(f"No Ollama server answers at {self.host}.", "Start it with `ollama serve`.") from error
        except httpx.TimeoutException as error:
            raise ModelError(
                f"The Ollama server at {self.host} gave no answer in time.",
                "Ask again, choose a smaller model, or see what runs on that port.",
            ) from error
        except httpx.TransportError as error:
            raise ModelError(f"The connection to the Ollama server at {self.host} broke.", "Ask again.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # json.JSONDecodeError is a ValueError
            raise ModelError(
                f"What answers at {self.host} does not speak like Ollama.", "Check the address."
            ) from error

    def refusal(self, status: int, body: str, name: str) -> ModelError:
        """Return the error for what the server refused."""
        reason = _reason(body)
        if any(word in reason for word in _TOO_LONG):
            return PromptTooLong(
                f"The prompt does not fit into the window of {name}.", "Send fewer or shorter passages."
            )
        if status == 400 and re.search(r"\bthink\b", reason):
            return ThinkingRefused(
                f"The model {name} does not think that way: {reason}.", "Set `answer.thinking` to on or off."
            )
        if status == 401:
            return wants_key(self.host, self._has_key, "answer.ollama_key")
        known = {
            404: (f"The Ollama server at {self.host} has no model {name}", f"Run `ollama pull {name}`."),
            403: (
                f"The Ollama server at {self.host} refuses us: {reason}",
                "It answers only to its own host name, and to no cloud models when these are off.",
            ),
            501: (f"The model {name} can't embed", "Name an embedding model, e.g. nomic-embed-text."),
        }
        if status in known and (name or status != 404):
            message, remedy = known[status]
            return ModelError(f"{message}.", remedy)
        if "pull model manifest" in reason:
            return ModelError(f"The Ollama server can't fetch {name}: {reason}.", "Check its network and the name.")
        return ModelError(
            f"The Ollama server at {self.host} failed{f' with status {status}' if status >= 400 else ''}: {reason}.",
            "Look at its log, then ask again.",
        )


class ThinkingRefused(ModelError):
    """The server does not take `think` as it was sent: most models think or don't, and have no levels."""


class _Busy(Exception):
    """The server answered 503."""


def full_name(name: str) -> str:
    """Return a model's name with its tag."""
    return name if ":" in name else f"{name}:latest"


def _clients(host: str, key: str, connect_seconds: float, answer_seconds: float) -> tuple[ollama.Client, httpx.Client]:
    import httpx  # 0.1 s, and only where Ollama is asked
    import ollama

    options: dict[str, Any] = {
        "trust_env": False,  # no proxy
        "follow_redirects": False,
        "timeout": _time_out(answer_seconds, connect_seconds),
        # a server that is started anew drops connections that we believed open
        "limits": httpx.Limits(max_keepalive_connections=0),
    }
    client = ollama.Client(host, **options)
    http_options = {**options, "event_hooks": {"request": [traced]}}
    client._client.headers.pop("authorization", None)  # the client adds OLLAMA_API_KEY: it is for its vendor's servers
    http = httpx.Client(base_url=host, **http_options)
    for each in (client._client, http):
        if key:
            each.headers["authorization"] = f"Bearer {key}"
    return client, http


def _time_out(seconds: float, connect_seconds: float) -> httpx.Timeout:
    import httpx  # as in _clients

    return httpx.Timeout(seconds, connect=min(seconds, connect_seconds))


def _reason(body: str) -> str:
    """Return the innermost message of an error body: Ollama wraps its runner's JSON in a string."""
    try:
        parsed: Any = json.loads(body)
    except ValueError:
        return body.strip().rstrip(".") or "no reason given"
    while isinstance(parsed, dict) and ("error" in parsed or "message" in parsed):
        parsed = parsed.get("error", parsed.get("message"))
    return _reason(parsed) if isinstance(parsed, str) and parsed.startswith("{") else str(parsed).rstrip(".")
