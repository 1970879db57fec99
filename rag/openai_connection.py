"""The connection to an OpenAI-compatible server, closed to proxies, redirects and foreign headers; its errors in words."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rag.errors import ModelError, PromptTooLong
from rag.model_host import checked_host, wants_key
from rag.stop import traced

if TYPE_CHECKING:
    import httpx2
    import openai

PORT = 8080
LOOK_SECONDS = 10.0
"""How long a server may take to say what it has."""
_TOO_LONG = ("context size", "context length", "context window", "maximum context", "too many tokens")
_NO_SCHEMA = ("response_format", "json_schema", "guided", "grammar", "schema")
_OURS = {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent"}
"""Headers that are sent. The client would add facts about this machine, and an organisation from the environment."""


class OpenAIConnection:
    """A server, on loopback or listed by the settings (see `rag.model_host.checked_host`). Nothing is sent to open it."""

    def __init__(
        self,
        host: str,
        *,
        key: str = "",
        allowed_hosts: Iterable[str] = (),
        connect_seconds: float = 2.0,
        answer_seconds: float = 300.0,
        load_seconds: float = 120.0,
    ) -> None:
        self.host = checked_host(host, allowed_hosts, "OpenAI-compatible", PORT, key)
        self._has_key = bool(key)
        self._load_seconds, self._look_seconds = load_seconds, min(LOOK_SECONDS, answer_seconds)
        self._http, self._client = _clients(self.host, key, connect_seconds, answer_seconds)

    def close(self) -> None:
        """Release the connections."""
        self._client.close()
        self._http.close()

    def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector a text, in order."""
        with self.translated(model):
            made = self._client.embeddings.create(model=model, input=list(texts), encoding_format="float").data
            return [item.embedding for item in sorted(made, key=lambda item: item.index)]

    def chat(self, request: Mapping[str, Any]) -> Any:
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
                    raise SchemaRefused from error
                raise

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return the JSON object that a route answers, or None where the server has no such route."""
        import httpx2  # as in _clients

        # what is only asked is there at once; another program on its port may say nothing at all
        usual = self._http.timeout
        quick = httpx2.Timeout(self._look_seconds, connect=usual.connect)
        response = self._http.request(method, path, json=body, timeout=quick if method == "GET" else usual)
        if response.status_code in (404, 405, 501):
            return None
        if response.status_code != 200:
            raise self._refusal(response.status_code, response.text)
        answer = response.json()
        if not isinstance(answer, dict):
            raise ValueError("not an object")
        return answer if "error" not in answer else None  # LM Studio says "unexpected endpoint" under status 200

    @contextmanager
    def translated(self, name: str) -> Iterator[None]:
        """Turn what goes wrong in the block, about the model `name`, into ModelError."""
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
                f"The server at {self.host} gave no answer in time.",
                "Ask again, choose a smaller model, or see what runs on that port.",
            ) from error
        except httpx2.ConnectError as error:
            raise self._nobody() from error
        except (openai.APIConnectionError, httpx2.TransportError) as error:
            if isinstance(error.__cause__, httpx2.ConnectError):
                raise self._nobody() from error
            raise ModelError(f"The connection to the server at {self.host} broke.", "Ask again.") from error
        except openai.APIError as error:  # an error in the middle of a stream
            raise self._refusal(200, str(error.message), name) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # json.JSONDecodeError is a ValueError
            raise ModelError(
                f"What answers at {self.host} does not speak like OpenAI's API.", "Check `answer.openai_host`."
            ) from error

    def _nobody(self) -> ModelError:
        return ModelError(f"No server answers at {self.host}.", "Start it, or correct `answer.openai_host`.")

    def _refusal(self, status: int, reason: str, name: str = "") -> ModelError:
        if any(word in reason.lower() for word in _TOO_LONG) and status in (200, 400, 413, 500):
            return PromptTooLong(
                f"The prompt does not fit into the window of {name}.", "Send fewer or shorter passages."
            )
        if status in (401, 403):
            return wants_key(self.host, self._has_key, "answer.openai_key")
        busy = f"The server at {self.host} is busy.", "Ask again later."
        known = {429: busy, 503: busy}
        known |= (
            {404: (f"The server at {self.host} has no model {name} any more.", "Load it there again.")} if name else {}
        )
        if status in known:
            return ModelError(*known[status])
        if 300 <= status < 400:
            return ModelError(
                f"The server at {self.host} sends requests on to another address.",
                "Set `answer.openai_host` to that one.",
            )
        if "chat template" in reason.lower():  # vLLM says so when it is asked
            return ModelError(f"The model {name} has no chat template.", "Take its instruct variant.")
        return ModelError(
            f"The server at {self.host} failed with status {status}: {reason[:300].rstrip('.')}.",
            "Look at its log, then ask again.",
        )


class SchemaRefused(Exception):
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
        event_hooks={"request": [only_ours, traced]},
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
