"""OpenAI-compatible servers on loopback: llama.cpp's own with a real model, and a small one that misbehaves on request."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rag.llm_embedded import BATCH_TOKENS
from tests.local_server import LocalHandler


@contextmanager
def llama_server(path: Path, window: int, key: str, threads: int = 1, batch: int = BATCH_TOKENS) -> Iterator[str]:
    """Run llama.cpp's server with a model file in a process of its own; give its address. It reads prompts in batches of so
    many tokens."""
    order = {"path": str(path), "window": window, "threads": threads, "api_key": key}
    order |= {"batch": batch, "slots": 1, "data_bytes": 1 << 40}
    process = subprocess.Popen(
        [sys.executable, "-m", "rag.llama_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        try:
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.stdin.close()


@dataclass
class OpenAIServer:
    """What the server answers and what it was asked.

    `kind` is whose list of models it shows: "llamacpp", "vllm", "lmstudio", "ollama" or "" (a server nobody knows).
    `deltas` are the pieces of its reply: a text, or a dict for a delta with other fields. `failing` is "", "busy" (503
    always), "loading" (503 for the first two requests), "cut" (the connection ends in the middle), "ends" (the stream
    ends without a finish), "endless", "error" (an error event in the middle), "no-schema" (400 for a schema), "too-long"
    (400), "drops" (reports fewer tokens than there were words), "html" (another program), "redirect", "key" (401) or
    "no-usage", "no-template" (400, as vLLM says it) or "mute" (it says nothing). `embedding` are those of `models` that only
    embed, as LM Studio and Ollama say.
    """

    kind: str = ""
    models: list[str] = field(default_factory=lambda: ["tiny-model"])
    deltas: list[str | dict[str, str]] = field(default_factory=lambda: ["Paris", "."])
    failing: str = ""
    embedding: tuple[str, ...] = ()
    window: int = 2048
    requests: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    host: str = ""

    def handler(self) -> type[LocalHandler[Any]]:
        """Return what answers its requests."""
        return _Handler

    def routes(self) -> dict[str, Any]:
        """Return what GET answers, by path."""
        owner = {"llamacpp": "llamacpp", "vllm": "vllm", "ollama": "library"}.get(self.kind, "someone")
        more = {"max_model_len": self.window} if self.kind == "vllm" else {}
        answers: dict[str, Any] = {
            "/v1/models": {"object": "list", "data": [{"id": m, "owned_by": owner, **more} for m in self.models]}
        }
        if self.kind == "vllm":
            answers["/version"] = {"version": "0.11.0"}
        if self.kind == "lmstudio":
            loaded = {"loaded_context_length": self.window, "max_context_length": 32768, "quantization": "Q4_K_M"}
            kinds = {m: "embeddings" if m in self.embedding else "llm" for m in self.models}
            answers["/api/v0/models"] = {"data": [{"id": m, "type": kinds[m], **loaded} for m in self.models]}
        if self.kind == "ollama":
            remote = {"remote_host": "https://ollama.com:443", "remote_model": "gpt-oss:120b"}
            answers["/api/version"] = {"version": "0.12.0"}
            answers["/api/ps"] = {"models": []}
            answers["/api/tags"] = {
                "models": [
                    {"name": m, "digest": "ab" * 32, "details": {"quantization_level": "Q4_0"}}
                    | (remote if m == "plain-name" else {})
                    | ({"capabilities": ["embedding"]} if m in self.embedding else {})
                    for m in self.models
                ]
            }
        return answers


class _Handler(LocalHandler[OpenAIServer]):
    @property
    def openai(self) -> OpenAIServer:
        return self.served

    def do_GET(self) -> None:
        self.openai.requests.append((self.path, None, dict(self.headers)))
        if self.openai.failing == "html":
            self.send(200, b"<html>another program</html>", "text/html")
        elif self.openai.failing == "mute":
            self.say_nothing()
        elif self.openai.failing == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://192.0.2.7/v1/models")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.openai.failing == "key":
            self._error(401, "Invalid API Key")
        else:
            found = self.openai.routes().get(self.path)
            self.json(200, found) if found else self._error(404, "Not Found")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.openai
        server.requests.append((self.path, request, dict(self.headers)))
        if server.failing == "html":
            self.send(200, b"<html>another program</html>", "text/html")
            return
        asked = sum(path == "/v1/chat/completions" for path, _, _ in server.requests)
        if self.path == "/tokenize" and server.kind == "vllm":
            words = sum(len(message["content"].split()) for message in request["messages"])
            self.json(200, {"count": words + 4, "max_model_len": server.window, "tokens": []})
        elif self.path == "/v1/embeddings":
            made = [[float(len(word)) for word in [*text.split()[:8], *[""] * 8][:8]] for text in request["input"]]
            if server.failing == "few":
                made = made[:-1]
            data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(made)]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            self.json(200, {"object": "list", "data": data[::-1], "model": request["model"], "usage": usage})
        elif self.path != "/v1/chat/completions":
            self._error(404, "Not Found")
        elif server.failing == "busy":
            self._error(503, "too many requests are waiting")
        elif server.failing == "loading" and asked <= 2:
            self._error(503, "Loading model")
        elif server.failing == "no-template":
            self._error(
                400, "As of transformers v4.44, default chat template is no longer allowed, so you must provide one"
            )
        elif server.failing == "no-schema" and "response_format" in request:
            self._error(400, "response_format of type json_schema is not supported")
        elif server.failing == "too-long":
            self._error(400, "This model's maximum context length is 2048 tokens. However, you requested 5000 tokens.")
        else:
            self._stream(request)

    def _stream(self, request: dict[str, Any]) -> None:
        server = self.openai
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            number = -1
            for number, delta in enumerate(self._deltas()):
                if number == 1 and server.failing == "cut":
                    self.close_connection = True
                    return
                if number == 1 and server.failing == "error":
                    self._event({"error": {"message": "CUDA error: out of memory", "code": 500}})
                    return
                self._choice(delta if isinstance(delta, dict) else {"content": delta}, None)
            if server.failing != "ends":
                self._choice({}, "stop")
            if server.failing not in ("ends", "no-usage"):
                words = sum(len(str(message["content"]).split()) for message in request["messages"])
                used = {"prompt_tokens": 1 if server.failing == "drops" else words + 4, "completion_tokens": number + 1}
                self._event({"choices": [], "usage": {**used, "total_tokens": sum(used.values())}})
            self.chunk(b"data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client went away

    def _deltas(self) -> Iterator[str | dict[str, str]]:
        yield from self.openai.deltas
        while self.openai.failing == "endless":
            time.sleep(0.001)
            yield " and"

    def _choice(self, delta: dict[str, str], finish: str | None) -> None:
        self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def _event(self, event: dict[str, Any]) -> None:
        base = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny-model"}
        self.chunk(b"data: " + json.dumps({**base, **event}).encode() + b"\n\n")

    def _error(self, status: int, message: str) -> None:
        self.json(status, {"error": {"message": message, "type": "error", "code": status}})
