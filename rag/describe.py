"""Describes pictures with a vision model of an Ollama or OpenAI-compatible server: the port `ingest.ports.Describer`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ingest.describer import Description, NotDescribed
from rag.errors import ModelError
from rag.llm_reply import ReplyCollector
from rag.model_profiles import profile_of
from rag.ollama_server import OllamaServer
from rag.openai_connection import OpenAIConnection
from rag.openai_server import ServerModel, look

PROMPT = (
    "Describe this picture from a document in at most five sentences, for somebody who searches for it: what kind of picture it "
    "is, what it shows, which words and numbers can be read in it. Say only what is to be seen."
)
MAX_TOKENS = 300
WINDOW = 4096
"""Tokens for the picture, the prompt and the description."""

Pieces = Generator[tuple[str, str]]
"""("thinking" or "text", piece) as the server sends them."""


@dataclass(frozen=True, slots=True)
class PictureDescriber:
    """A vision model. `look` asks its server what it is and returns its digest, or raises ModelError when it is not there or
    can't see; `ask` does so too, sends one picture (base64 of its PNG) and returns the digest and the reply on its way."""

    name: str
    look: Callable[[], str]
    ask: Callable[[str], tuple[str, Pieces]]
    seconds: float

    def describe(self, png: bytes) -> Description:
        """Return what the model sees. NotDescribed: a reply that is empty, endless or late would be so again; a server that is
        not there, is busy or has not got the model may have it another time."""
        reply = ReplyCollector(self.name, profile_of(self.name), MAX_TOKENS, seconds=self.seconds)
        try:
            digest, pieces = self.ask(base64.b64encode(png).decode("ascii"))
            with closing(pieces):
                for kind, piece in pieces:
                    self._take(reply, kind, piece)
        except ModelError as error:
            raise NotDescribed(str(error), again=True) from error
        try:
            reply.rest()
            done = reply.complete(0, 0, 0, "stop")
        except ModelError as error:
            raise NotDescribed(error.message, again=False) from error
        return Description(" ".join(done.text.split()), self.name, digest)

    @staticmethod
    def _take(reply: ReplyCollector, kind: str, piece: str) -> None:
        """Take a piece; NotDescribed when it is one too many."""
        try:
            if kind == "thinking":
                reply.think(piece)
            else:
                reply.take(piece)
        except ModelError as error:
            raise NotDescribed(error.message, again=False) from error


def blind(name: str) -> ModelError:
    """Return the error for a model that reads text alone."""
    return ModelError(f"The model {name} can't see pictures.", "Name a vision model in `ingest.vision_model`.")


def ollama_describer(server: OllamaServer, name: str, seconds: float) -> PictureDescriber:
    """Return the describer that a model of an Ollama server is; the server is asked with each picture whose it is."""

    def seeing() -> tuple[str, bool]:
        listed = server.model(name)  # refuses what runs elsewhere
        can = server.show(name).capabilities or listed.get("capabilities") or ()
        if "vision" not in can:
            raise blind(name)
        return f"sha256:{str(listed.get('digest', '')).removeprefix('sha256:')}", "thinking" in can

    def ask(picture: str) -> tuple[str, Pieces]:
        digest, thinks = seeing()
        request: dict[str, Any] = {
            "model": name,
            "messages": [{"role": "user", "content": PROMPT, "images": [picture]}],
            "stream": True,
            "truncate": False,
            "shift": False,
            "options": {"temperature": 0, "seed": 0, "num_ctx": WINDOW, "num_predict": MAX_TOKENS},
        }
        if thinks:
            request["think"] = False
        return digest, _of_ollama(server, request)

    return PictureDescriber(name, lambda: seeing()[0], ask, seconds)


def _of_ollama(server: OllamaServer, request: dict[str, Any]) -> Pieces:
    for event in server.chat(request):
        message = event.get("message")
        if not isinstance(message, dict):
            raise ModelError(f"What answers at {server.host} does not speak like Ollama.", "Check the address.")
        for field, kind in (("thinking", "thinking"), ("content", "text")):
            if message.get(field):
                yield kind, str(message[field])
        if event.get("done"):
            return
    raise ModelError(f"The Ollama server at {server.host} stopped in the middle of a description.", "Try again.")


def openai_describer(connection: OpenAIConnection, name: str, seconds: float) -> PictureDescriber:
    """Return the describer that a model of an OpenAI-compatible server is."""

    def there() -> ServerModel:
        with connection.translated(name):
            found = look(connection.ask, name, connection.host)
        if found.vision is False:  # None: the server doesn't say, so the model is asked
            raise blind(name)
        return found

    def ask(picture: str) -> tuple[str, Pieces]:
        found = there()
        content = [
            {"type": "text", "text": PROMPT},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
        ]
        request = {
            "model": found.id,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": MAX_TOKENS,
            "temperature": 0,
            "seed": 0,
            "stream": True,
        }
        return found.digest, _of_openai(connection, name, request)

    return PictureDescriber(name, lambda: there().digest, ask, seconds)


def _of_openai(connection: OpenAIConnection, name: str, request: dict[str, Any]) -> Pieces:
    with connection.translated(name), connection.chat(request) as stream:
        finished = False
        for chunk in stream:
            for choice in chunk.choices or ():
                more = choice.delta.model_extra or {}
                if thought := more.get("reasoning_content") or more.get("reasoning"):
                    yield "thinking", str(thought)
                if choice.delta.content:
                    yield "text", choice.delta.content
                finished = finished or bool(choice.finish_reason)
        if not finished:
            raise ModelError(f"The server at {connection.host} stopped in the middle of a description.", "Try again.")
