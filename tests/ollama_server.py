"""A small Ollama server on loopback: the recorded shapes of its API over the text of a real language model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rag.errors import PromptTooLong
from rag.llm import Completion, LanguageModel, Message
from rag.ollama_server import full_name
from tests.local_server import LocalHandler

DIGEST = "fd5f44c0b5aff6453726119fc560d73a8a995a55b4a49804bc24b1969ecf1794"


@dataclass
class OllamaServer:
    """What the server answers with and what it was asked.

    `failing` is "", "busy" (503), "loading" (503 twice, then it answers), "slow" (no word for a second), "slow-load" (the same
    while it loads), "silent" (no word ever), "mute" (the same, whatever is asked), "mid-stream" (an error line under status
    200), "drops" (an old server that ignores `truncate` and silently reads a quarter of the window of what does not fit, as
    one with a Go template was recorded to), "cut" (the connection ends in the middle), "endless" (it ignores `num_predict`),
    "empty" (no text), "not-json" (a line that is none) or "html" (not Ollama at all). `thinks` are pieces that come in
    `message.thinking` before the answer, `says` is a text to give instead of the model's; without a model it says nothing
    else. Without `levels` its model thinks or not, and refuses a word for how much. `remote` means that its model has become
    a stub of one of its vendor's. `most` caps the window that it really loads, whatever `num_ctx` asks. `others` are models
    that it has beside, by name, with what they can. A name of its vendor's cloud gets 403, as where OLLAMA_NO_CLOUD is set.
    """

    model: LanguageModel | None
    name: str = "smollm2:135m"
    window: int = 8192
    capabilities: list[str] = field(default_factory=lambda: ["completion"])
    failing: str = ""
    thinks: list[str] = field(default_factory=list)
    says: list[str] = field(default_factory=list)
    most: int = 1 << 20
    digest: str = DIGEST
    template: str = ""
    modelfile: str = ""
    remote: bool = False
    levels: bool = True
    others: dict[str, list[str]] = field(default_factory=dict)
    cloud_disabled: bool | None = True
    loaded: int = 0
    keep: Any = None
    requests: list[tuple[str, Any]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    host: str = ""

    def handler(self) -> type[LocalHandler[Any]]:
        """Return what answers its requests."""
        return _Handler

    def tags(self) -> dict[str, Any]:
        details = {"parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"]}
        details |= {"parameter_size": "134.52M", "quantization_level": "Q4_1"}
        local = {"size": 98362432, "digest": self.digest, "details": details, "capabilities": self.capabilities}
        models: list[dict[str, Any]] = [{"name": self.name, "model": self.name, "modified_at": _NOW, **local}]
        for name, can in self.others.items():
            models.append({"name": name, "model": name, "modified_at": _NOW, **local, "capabilities": can})
        remote = {"remote_model": "gpt-oss:120b", "remote_host": "https://ollama.com:443"}
        models[0] |= remote if self.remote else {}
        models.append(
            {"name": "plain-name:latest", "model": "plain-name:latest", "modified_at": _NOW, **local, **remote}
        )
        return {"models": models}

    def ps(self) -> dict[str, Any]:
        running = {"name": self.name, "model": self.name, "size": 579663297, "digest": self.digest, "details": {}}
        entry = {**running, "expires_at": _NOW, "size_vram": 0, "context_length": self.loaded}
        return {"models": [entry] if self.loaded else []}

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer an empty chat: load with the window asked for, or unload."""
        self.keep = request.get("keep_alive")
        self.loaded = 0 if self.keep == 0 else min(self.most, request.get("options", {}).get("num_ctx", 4096))
        return self._line("", done=True, done_reason="load" if self.loaded else "unload")

    def show(self) -> dict[str, Any]:
        info = {"general.architecture": "llama", "llama.context_length": self.window}
        return {
            "modelfile": self.modelfile,
            "template": self.template,
            "model_info": info,
            "capabilities": self.capabilities,
            "modified_at": _NOW,
        }

    def chat(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the lines of one answer; raise PromptTooLong as the model behind does."""
        if self.model is None or any("images" in message for message in request["messages"]):
            yield from self._scripted()
            return
        options = request["options"]
        prompt = [Message(m["role"], m["content"]) for m in request["messages"]]
        tokens = self.model.count(prompt)
        if tokens > options["num_ctx"] and self.failing == "drops":
            prompt, request = self._shortened(prompt, options["num_ctx"] // 4), {**request, "truncate": True}
            tokens = 0
        if tokens > options["num_ctx"] and request.get("truncate") is False:
            raise PromptTooLong(
                f"request ({tokens} tokens) exceeds the available context size ({options['num_ctx']} tokens)"
            )
        for thought in self.thinks if request.get("think", True) else []:
            yield {**self._line("", done=False), "message": {"role": "assistant", "content": "", "thinking": thought}}
        if self.says or self.failing in ("endless", "empty", "not-json"):
            yield from self._scripted()
            return
        answer = self.model.stream(
            prompt, max_tokens=options["num_predict"], schema=request.get("format"), seed=options["seed"]
        )
        try:
            for piece in answer:
                if isinstance(piece, Completion):
                    yield self._line("", done=True, done_reason=piece.finish, prompt_eval_count=piece.evaluated,
                                     eval_count=piece.generated, total_duration=1, load_duration=1)  # fmt: skip
                else:
                    yield self._line(piece, done=False)
                    if self.failing == "mid-stream":
                        yield {"error": "an error was encountered while running the model: GGML_ASSERT"}
                        return
        finally:
            answer.close()  # type: ignore[attr-defined]
            self.stopped.set()

    def _shortened(self, prompt: list[Message], most: int) -> list[Message]:
        """Return the end of a prompt, as much as fits."""
        assert self.model is not None
        words = prompt[-1].content.split()
        while self.model.count([Message("user", " ".join(words))]) > most:
            words = words[len(words) // 4 + 1 :]
        return [Message("user", " ".join(words))]

    def _scripted(self) -> Iterator[dict[str, Any]]:
        for piece in self.says or (["a", "b"] if self.failing == "not-json" else []):
            yield self._line(piece, done=False)
        if self.failing == "mid-stream":
            yield {"error": "an error was encountered while running the model: GGML_ASSERT"}
            return
        while self.failing == "endless":
            yield self._line(" and", done=False)
        yield self._line("", done=True, done_reason="stop", prompt_eval_count=999, eval_count=len(self.says))

    def pull(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of a pull: recorded ones for a name that the registry has not, else progress to success."""
        if name == "llama3.2":
            why = 'pull model manifest: Get "https://registry.invalid/…": dial tcp: no such host'
            return [{"status": "pulling manifest"}, {"error": why}]
        layer = {"status": "pulling fd5f44c0b5af", "digest": f"sha256:{DIGEST}", "total": 98362432}
        return [{"status": "pulling manifest"}, layer, {**layer, "completed": 98362432}, {"status": "success"}]

    def _line(self, content: str, **rest: Any) -> dict[str, Any]:
        return {"model": self.name, "created_at": _NOW, "message": {"role": "assistant", "content": content}, **rest}


_NOW = "2026-11-22T19:54:17.100910488Z"


class _Handler(LocalHandler[OllamaServer]):
    @property
    def ollama(self) -> OllamaServer:
        return self.served

    def do_GET(self) -> None:
        self.ollama.requests.append((self.path, None))
        if not self._is_another_program():
            answers = {
                "/api/tags": self.ollama.tags(),
                "/api/ps": self.ollama.ps(),
                "/api/version": {"version": "0.0.0"},
            }
            if self.ollama.cloud_disabled is not None:
                answers["/api/status"] = {"cloud": {"disabled": self.ollama.cloud_disabled, "source": "env"}}
            self.json(200 if self.path in answers else 404, answers.get(self.path, {"error": "not found"}))

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.ollama.requests.append((self.path, request))
        if self._is_another_program():
            return
        chats = sum(path == "/api/chat" for path, _ in self.ollama.requests)
        if self.path == "/api/pull":
            self._lines(self.ollama.pull(request["model"]))
        elif request["model"].endswith("cloud"):
            self.json(403, {"error": "ollama cloud is disabled: remote model is unavailable"})
        elif full_name(request["model"]) not in map(full_name, (self.ollama.name, *self.ollama.others)):
            self.json(404, {"error": f"model '{request['model']}' not found"})
        elif self.path == "/api/show":
            self.json(200, self.ollama.show())
        elif self.path == "/api/embed":
            self._embed(request)
        elif self.ollama.failing == "busy" or (self.ollama.failing == "loading" and chats <= 2):
            self.json(503, {"error": "server busy, please try again.  maximum pending requests exceeded"})
        elif "think" in request and "thinking" not in self.ollama.capabilities:
            self.json(400, {"error": f'"{request["model"]}" does not support thinking'})
        elif isinstance(request.get("think"), str) and not self.ollama.levels:
            self.json(400, {"error": f'think value "{request["think"]}" is not supported for this model'})
        elif self.ollama.failing == "silent" and request["messages"]:
            self._say_nothing()
        else:
            if self.ollama.failing == ("slow" if request["messages"] else "slow-load"):
                time.sleep(1.0)
            self._chat(request)

    def _is_another_program(self) -> bool:
        """Answer as a program that is not Ollama, where this one plays it."""
        if self.ollama.failing == "mute":
            self._say_nothing()
        elif self.ollama.failing == "html":
            self.send(200, b"<html>another program</html>", "text/html")
        return self.ollama.failing in ("mute", "html")

    def _say_nothing(self) -> None:
        self.say_nothing()
        self.ollama.stopped.set()

    def _embed(self, request: dict[str, Any]) -> None:
        if "embedding" not in self.ollama.capabilities:
            self.json(501, {"error": "This server does not support embeddings. Start it with `--embeddings`"})
            return
        # the shape of a real answer; the numbers are the lengths of words: equal texts are equal, others hardly ever
        vectors = [[float(len(word)) for word in [*text.split()[:8], *[""] * 8][:8]] for text in request["input"]]
        self.json(200, {"model": self.ollama.name, "embeddings": vectors, "prompt_eval_count": 9})

    def _lines(self, lines: list[dict[str, Any]]) -> None:
        self.send(200, b"".join(json.dumps(line).encode() + b"\n" for line in lines), "application/x-ndjson")

    def _chat(self, request: dict[str, Any]) -> None:
        if not request["messages"]:
            self.json(200, self.ollama.load(request))
            return
        lines = self.ollama.chat(request)
        try:
            first = next(lines)
        except PromptTooLong as error:
            inner = {"error": {"code": 400, "message": error.message, "type": "exceed_context_size_error"}}
            self.json(400, {"error": json.dumps(inner)})
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._line(first)
            for line in lines:
                if self.ollama.failing == "not-json":
                    self.wfile.write(b"5\r\nnope\n\r\n")
                    continue
                if self.ollama.failing == "cut":
                    self.close_connection = True
                    return
                self._line(line)
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client went away: stop generating
        finally:
            lines.close()  # type: ignore[attr-defined]

    def _line(self, line: dict[str, Any]) -> None:
        self.chunk(json.dumps(line).encode() + b"\n")
