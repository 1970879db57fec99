"""Answers with a model file on this machine: llama.cpp's server (xllamacpp) in a process of its own, over loopback."""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.chat_input import as_chat
from rag.errors import ModelError, PromptTooLong, Stopped
from rag.hardware import physical_cores
from rag.kept_prompt import KeptPrompt
from rag.llama_errors import no_template, reason, refusal
from rag.llm import Completion, Message, ModelCard
from rag.llm_reply import ReplyCollector
from rag.model_process import ModelProcess, check_file, file_stamp, memory_beside
from rag.model_profiles import profile_of, template_options
from rag.openai_server import CHATML, hash_of, system_role
from rag.stop import held, stopping, traced, unstopped
from rag.turns import WAITING, Turns

if TYPE_CHECKING:
    import httpx

COMMAND = (sys.executable, "-m", "rag.llama_process")
# The server stops between two batches of a prompt. 256 tokens take 0.9 s with a 135M model on two idle cores, 4 s with a 1.5B.
# Smaller batches read slower: of the 135M's processor time 128 tokens cost 8 % more than 512, 256 cost 3 % (decision 0017).
# Whole batches of a prompt are kept (rag/kept_prompt.py): two of 192 are in the rules and examples that all begin with.
BATCH_TOKENS = 192
STOP_SECONDS = 0.7
"""How long a stopped question may go on in the process before the process is ended: it is to be quiet within a second."""


class EmbeddedModel:
    """A GGUF file behind the port `rag.llm.LanguageModel`.

    `window` is in tokens, shared by prompt and answer. The process starts with the first question, ends after
    `idle_seconds` without one, and is started again when it crashed. `command` runs `main` of this module; the entry
    point hands in its own, which seals the network first. `slots` questions are answered at the same time, each with a window of
    its own; `waiting` others may queue behind them. `memory` is how many bytes the process may take (0: all of the machine's).
    """

    def __init__(
        self,
        path: Path,
        name: str,
        digest: str,
        command: Sequence[str] = COMMAND,
        *,
        window: int = 4096,
        threads: int | None = None,
        idle_seconds: float = 300.0,
        start_seconds: float = 120.0,
        answer_seconds: float = 300.0,
        waiting: int = WAITING,
        slots: int = 1,
        memory: int = 0,
        batch: int = BATCH_TOKENS,
    ) -> None:
        self._path, self._command = path, command
        self._stamp = file_stamp(path)  # of the file whose digest stands on the card
        self._card = ModelCard("embedded", name, digest, window, runtime=f"xllamacpp {version('xllamacpp')}")
        self._profile = profile_of(name)
        self._order = {"path": str(path), "window": window, "slots": slots, "batch": batch}
        self._order["threads"] = threads or physical_cores()
        self._idle_seconds, self._start_seconds, self._answer_seconds = idle_seconds, start_seconds, answer_seconds
        self._memory, self._turns = memory, Turns(name, waiting, answer_seconds, slots)
        self._starting = threading.Lock()
        self._process: ModelProcess | None = None
        self._client: httpx.Client | None = None
        self._counted: tuple[list[dict[str, str]], list[int]] | None = None
        self._slots, self._kept = slots, KeptPrompt(batch)
        self._closed = False

    @property
    def card(self) -> ModelCard:
        """Return which model this is."""
        return self._card

    @property
    def pid(self) -> int | None:
        """Return the id of the model's process, or None while it does not run."""
        return process.pid if (process := self._process) is not None else None

    @property
    def loaded(self) -> bool:
        """Return whether the model is in memory now."""
        return self.pid is not None

    def load(self) -> None:
        """Start the process, and put on the card what only the loaded model says."""
        with self._running() as client:
            self._describe(client)

    def count(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens by the model's own chat template and tokenizer; starts the process."""
        with self._running() as client, stopping():
            self._describe(client)
            return len(self._tokens(client, as_chat(messages, self._profile.system)))

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Mapping[str, Any] | None = None, seed: int = 0
    ) -> Iterator[str | Completion]:
        """Yield pieces of text, then one Completion; see `rag.llm.LanguageModel.stream`.

        Raises PromptTooLong when prompt and `max_tokens` together exceed the window, else ModelError.
        """
        request: dict[str, Any] = {
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": seed,
            "cache_prompt": True,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,  # a word after each batch, with which the server notices that nobody listens
        }
        if schema is not None:
            form = {"name": "answer", "schema": dict(schema)}
            request["response_format"] = {"type": "json_schema", "json_schema": form}
        with self._turns.take(), self._running() as client, stopping():
            self._describe(client)
            chat = request["messages"] = as_chat(messages, self._profile.system)
            request |= template_options(self._profile, thinks=False)
            if self._profile.stop:
                request["stop"] = list(self._profile.stop)
            tokens = self._tokens(client, chat)
            sent = len(tokens)
            if sent + max_tokens > self._card.window:
                raise PromptTooLong(
                    f"The prompt has {sent} tokens and the answer may have {max_tokens}; "
                    f"the window of {self._card.name} has {self._card.window}.",
                    "Send fewer or shorter passages.",
                )
            if self._slots == 1 and (short := self._kept.give_way(self._process, tokens)) is not None:
                self._post(client, "/completion", {"prompt": short, "n_predict": 0, "cache_prompt": True})
            self._kept.note(self._process, tokens)  # not before: a stopped question may have left the last prompt there
            yield from self._generate(client, request, sent)

    def close(self) -> None:
        """End the model's process; questions after this raise ModelError."""
        with self._starting:
            self._closed = True
            self._end()

    def _end(self) -> str:
        process = self._process
        # the client is only dropped: it keeps no connection, and another thread may be about to find out itself
        self._process = self._client = None
        return process.end() if process is not None else "was ended"

    @contextmanager
    def _running(self) -> Iterator[httpx.Client]:
        """Have the process running for the length of the block; translate its failures."""
        import httpx  # 0.1 s, not needed to list or configure models

        process, client = self._ensure()
        try:
            yield client
        except Stopped as stopped:
            if self._settle(process, client):
                raise
            ended = "The process of its model was ended, for it had not stopped; it starts anew with the next question."
            raise Stopped(f"{stopped.message} {ended}", stopped.remedy) from stopped
        except (httpx.TransportError, httpx.StreamError, json.JSONDecodeError, KeyError) as error:
            with self._starting:
                how = self._end() if process is self._process else process.end()
            did = "gave no answer in time" if isinstance(error, httpx.TimeoutException) else "stopped in the middle"
            if self._closed:
                raise ModelError(f"The language model {self._card.name} was closed meanwhile.", "Ask again.") from error
            raise ModelError(
                f"The language model {self._card.name} {did}: its process {how}.",
                "Ask again; it starts anew. If it happens again, choose a smaller model.",
            ) from error
        finally:
            process.leave()

    def _settle(self, process: ModelProcess, client: httpx.Client) -> bool:
        """Wait until the process has put a stopped question down. When it takes too long, because a batch of a large model
        does, end the process and return False: the next question reads its prompt from the beginning. While it answers others
        too it is left to find out by itself, with its next batch, that nobody listens."""
        import httpx  # see _running

        deadline = time.monotonic() + STOP_SECONDS
        with unstopped(), suppress(httpx.TransportError, json.JSONDecodeError, KeyError, TypeError):
            # no reply in time: it is silent for as long as a batch takes
            while (left := deadline - time.monotonic()) > 0:
                slots = client.get("/slots", timeout=left).json()
                if sum(bool(slot["is_processing"]) for slot in slots) < max(1, self._turns.running):
                    return True
                time.sleep(0.02)
        if self._turns.running > 1:
            return True
        with self._starting:
            process.end(crashed=False)
            if process is self._process:
                self._end()
        return False

    def _ensure(self) -> tuple[ModelProcess, httpx.Client]:
        import httpx  # see _running

        with held(self._starting):
            if self._closed:
                raise ModelError(f"The language model {self._card.name} was closed.", "Start Reading Room again.")
            if self._process is not None and self._client is not None and self._process.enter():
                return self._process, self._client
            self._end()
            check_file(self._path, self._stamp)
            key = secrets.token_urlsafe(32)
            process = ModelProcess(
                self._command,
                {**self._order, "api_key": key, "data_bytes": memory_beside(self._path, self._memory)},
                idle_seconds=self._idle_seconds,
                start_seconds=self._start_seconds,
            )
            port = process.start()
            if not process.enter():
                raise ModelError(f"The process of the language model {self._card.name} ended at once.", "Ask again.")
            self._process = process
            self._client = httpx.Client(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {key}"},
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(self._answer_seconds, connect=10.0),
                # the server closes a connection after a streamed answer, sometimes just as the next request goes out
                limits=httpx.Limits(max_keepalive_connections=0),
                event_hooks={"request": [traced]},
            )
            return process, self._client

    def _tokens(self, client: httpx.Client, chat: list[dict[str, str]]) -> list[int]:
        """Return the tokens of a prompt; those of the last one are known, since whoever sends a prompt has counted it before."""
        known = self._counted
        if known is not None and known[0] == chat:
            return known[1]
        prompt = self._post(
            client, "/apply-template", {"messages": chat, **template_options(self._profile, thinks=False)}
        )["prompt"]
        asked = {"content": prompt, "add_special": True, "parse_special": True}
        tokens: list[int] = self._post(client, "/tokenize", asked)["tokens"]
        self._counted = chat, tokens
        return tokens

    def _post(self, client: httpx.Client, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        response = client.post(path, json=body)
        answer: dict[str, Any] = response.json()
        if response.status_code != 200:
            raise refusal(response.status_code, answer, self._card.name)
        return answer

    def _describe(self, client: httpx.Client) -> None:
        """Put on the card what only the loaded model says."""
        if not self._card.template:
            said = client.get("/props").json()
            template = str(said.get("chat_template") or "")
            if template in ("", CHATML):
                raise no_template(self._card.name)
            self._profile = profile_of(self._card.name, system=system_role(said))
            self._card = replace(
                self._card, template=hash_of(template), quantisation=str(said.get("model_ftype") or "")
            )

    def _generate(self, client: httpx.Client, request: Mapping[str, Any], sent: int) -> Iterator[str | Completion]:
        limits: dict[str, Any] = {"seconds": self._answer_seconds, "constrained": "response_format" in request}
        reply = ReplyCollector(self._card.name, self._profile, request["max_tokens"], **limits)
        finish = ""
        last: dict[str, Any] = {}
        with client.stream("POST", "/v1/chat/completions", json=request) as response:
            if response.status_code != 200:
                response.read()
                raise refusal(response.status_code, response.json(), self._card.name)
            for line in response.iter_lines():
                field, _, data = line.partition(": ")
                if field not in ("data", "error") or data == "[DONE]":
                    continue
                event = json.loads(data)
                if "error" in event or field == "error":
                    raise ModelError(f"{self._card.name} failed: {reason(event)}.", "Ask again.")
                last = event if "usage" in event else last
                for choice in event.get("choices") or ():
                    finish = choice["finish_reason"] or finish
                    if thought := choice["delta"].get("reasoning_content"):
                        reply.think(thought)
                    if (piece := choice["delta"].get("content")) and (shown := reply.take(piece)):
                        yield shown
        cached, read = last["timings"]["cache_n"], last["timings"]["prompt_n"]  # found in the prompt cache, read now
        if shown := reply.rest():
            yield shown
        done = reply.complete(sent, cached + read, last["usage"]["completion_tokens"], finish)
        yield replace(done, cached=cached)
