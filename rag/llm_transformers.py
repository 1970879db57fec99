"""Answers with a model folder on this machine through Hugging Face Transformers (extra `models`)."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rag.chat_input import as_chat
from rag.errors import ModelError, PromptTooLong
from rag.llm import Completion, Message, ModelCard
from rag.llm_reply import ReplyCollector
from rag.model_profiles import profile_of
from rag.openai_server import hash_of, with_schema
from rag.stop import current, stopping
from rag.turns import WAITING, Turns

_INSTALL = "Run `make models`."


class TransformersModel:
    """A folder with weights (safetensors), tokenizer and chat template behind the port `rag.llm.LanguageModel`.

    It is loaded with the first question, in this process: on a graphics card in 16 bits where there is one, else on the
    processor in 32. Nothing is fetched by name, no code of the folder runs, and pickled weights are refused. Nothing holds
    it to a schema; it is asked for that form, and the completion's note says so.
    """

    def __init__(
        self,
        folder: Path,
        window: int = 4096,
        *,
        threads: int = 0,
        waiting: int = WAITING,
        answer_seconds: float = 300.0,
    ) -> None:
        if not (folder / "config.json").is_file():
            raise ModelError(f"{folder} is not a folder with a model.", "It must hold config.json and *.safetensors.")
        if not any(folder.glob("*.safetensors")):
            raise ModelError(
                f"{folder} holds no weights as safetensors.",
                "Pickled weights can run code: get the model in that form.",
            )
        self._folder, self._threads, self._answer_seconds = folder, threads, answer_seconds
        self._profile = profile_of(folder.name)
        self._turns = Turns(folder.name, waiting, answer_seconds)
        self._loading = threading.Lock()
        self._model: Any = None
        self._tokenizer: Any = None
        self._card = ModelCard("transformers", folder.name, "", window)

    @property
    def card(self) -> ModelCard:
        """Return which model this is; digest and template are known once it is loaded."""
        return self._card

    @property
    def loaded(self) -> bool:
        """Return whether the model is in memory now."""
        return self._model is not None

    def load(self) -> None:
        """Load tokenizer and weights, unless they are; raise ModelError for what can't be used."""
        with self._loading:
            if self._model is not None:
                return
            try:
                import safetensors  # this and torch are only there with the extra `models`, and take seconds
                import torch
                import transformers
            except ImportError as error:
                raise ModelError("The back end transformers is not installed.", _INSTALL) from error
            options = {"local_files_only": True, "trust_remote_code": False}
            transformers.utils.logging.disable_progress_bar()  # else it draws one on stderr
            try:
                tokenizer: Any = transformers.AutoTokenizer.from_pretrained(str(self._folder), **options)
                if not tokenizer.chat_template:
                    raise ModelError(
                        f"The model {self._folder.name} has no chat template.", "Take its instruct variant."
                    )
                device, kind = device_of(torch)
                if self._threads:
                    torch.set_num_threads(self._threads)
                model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                    str(self._folder), dtype=kind, use_safetensors=True, **options
                )
            except (OSError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
                raise ModelError(
                    f"The model folder {self._folder} can't be loaded: {str(error).splitlines()[0]}",
                    "It must hold config, tokenizer and safetensors of one model.",
                ) from error
            self._profile = profile_of(self._folder.name, str(tokenizer.chat_template))
            self._model, self._tokenizer = model.to(device).eval(), tokenizer
            own = int(getattr(model.config, "max_position_embeddings", self._card.window))
            self._card = replace(
                self._card,
                digest=_digest(self._folder),
                window=min(self._card.window, own),
                quantisation=str(kind).removeprefix("torch."),
                runtime=f"transformers {version('transformers')}, {device}",
                template=hash_of(str(tokenizer.chat_template)),
            )

    def count(self, messages: Sequence[Message]) -> int:
        """Return the number of prompt tokens by the model's own chat template and tokenizer; loads the model."""
        self.load()
        return len(self._ids(as_chat(messages, self._profile.system)))

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Mapping[str, Any] | None = None, seed: int = 0
    ) -> Iterator[str | Completion]:
        """Yield pieces of text, then one Completion; see `rag.llm.LanguageModel.stream`."""
        note = "Transformers can't hold a model to a schema; it was only asked for that form." if schema else ""
        with self._turns.take(), stopping():
            self.load()
            chat = as_chat(messages, self._profile.system)
            if schema is not None:
                chat = with_schema(chat, schema)
            ids = self._ids(chat)
            if len(ids) + max_tokens > self._card.window:
                raise PromptTooLong(
                    f"The prompt has {len(ids)} tokens and the answer may have {max_tokens}; "
                    f"the window of {self._card.name} has {self._card.window}.",
                    "Send fewer or shorter passages.",
                )
            yield from self._generate(ids, max_tokens, note)

    def close(self) -> None:
        """Let go of the weights."""
        with self._loading:
            self._model = self._tokenizer = None

    def _ids(self, chat: list[dict[str, str]]) -> list[int]:
        text = self._tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _generate(self, ids: list[int], max_tokens: int, note: str) -> Iterator[str | Completion]:
        import torch  # loaded already
        import transformers

        streamer = transformers.TextIteratorStreamer(
            self._tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=self._answer_seconds
        )
        stop, failed, made, asked = threading.Event(), [], [0], current()

        def generate() -> None:
            tokens = torch.tensor([ids], device=self._model.device)
            try:
                done = self._model.generate(
                    tokens,
                    attention_mask=torch.ones_like(tokens),
                    max_new_tokens=max_tokens,
                    do_sample=False,
                    temperature=None,
                    top_p=None,
                    top_k=None,
                    pad_token_id=self._tokenizer.pad_token_id or self._tokenizer.eos_token_id,
                    streamer=streamer,
                    stopping_criteria=[lambda *_, **__: stop.is_set() or asked.is_set],
                )
                made[0] = int(done.shape[1]) - len(ids)
            except (RuntimeError, ValueError, IndexError) as error:  # out of memory is a RuntimeError
                failed.append(error)
                streamer.end()

        reply = ReplyCollector(self._card.name, self._profile, max_tokens, seconds=self._answer_seconds)
        worker = threading.Thread(target=generate, name="transformers", daemon=True)
        worker.start()
        try:
            for piece in streamer:
                if piece and (shown := reply.take(piece)):
                    yield shown
        finally:
            stop.set()
            worker.join()
        if failed:
            raise ModelError(
                f"The model {self._card.name} failed: {str(failed[0]).splitlines()[0]}",
                "Ask again, or take a smaller one.",
            ) from failed[0]
        if shown := reply.rest():
            yield shown
        done = reply.complete(len(ids), len(ids), made[0], "length" if made[0] >= max_tokens else "stop")
        yield replace(done, note=note)


def device_of(torch: Any) -> tuple[str, Any]:
    """Return the device and the type of numbers that suit this machine."""
    if torch.cuda.is_available():
        return "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if torch.backends.mps.is_available():
        return "mps", torch.float16
    return "cpu", torch.float32


def _digest(folder: Path) -> str:
    """Return `sha256:…` over names and contents of the folder's files, in order."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        with file.open("rb") as stream:
            total.update(f"{file.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"
