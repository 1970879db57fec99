"""Embeds text with an ONNX model on the CPU, run by OpenVINO (the only file that imports it)."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.ports import Vectors

WINDOW = 256
"""Tokens that all-MiniLM-L6-v2 was trained to read, special tokens included (its model card)."""
STEP = 16
"""Lengths are rounded up to multiples of this: each new length costs some 15 ms and 3 MB, once."""
STREAMS = 4
"""Most texts in work at the same time; each stream keeps its own memory (about 60 MB)."""
GROUP = "DYNAMIC_QUANTIZATION_GROUP_SIZE"
"""Numbers that share a scale where activations are rounded to int8; 0: they stay float (docs/decisions/0009)."""
GROUPS = (32, 0)


class OnnxEmbedder:
    """A sentence encoder in ONNX with its tokenizer: mean pooling over tokens, vectors of length 1.

    `fingerprint` names the weights by digest. Each text is embedded by itself, so its vector does not depend on others;
    between processors with and without int8 instructions it differs by rounding (cosine above 0.999).
    """

    def __init__(self, name: str, model: Path, tokenizer: Path, digest: str, threads: int = 0) -> None:
        self._paths = (model, tokenizer)
        self._threads = threads or os.cpu_count() or 1
        self._queue: Any = None
        self._tokenizer: Any = None
        self._counter: Any = None
        self._loading = threading.Lock()
        self._turn = threading.Lock()
        self.fingerprint = f"{name}/{digest.removeprefix('sha256:')[:12]}/mean/unit/{WINDOW}"
        self.dimension = 384
        self.languages = frozenset({"en"})
        self.max_tokens = WINDOW - 2

    def __str__(self) -> str:
        """Return what its vectors are made with, for the record."""
        return f"{self.fingerprint}: mean pooling, no prefixes, length 1, {self.dimension} dimensions, on this machine"

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, special tokens not counted."""
        with self._loading:
            self._load_tokenizer()
        encodings = self._counter.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of shape (texts, 384), float32, in order."""
        import numpy as np  # here and below: commands that embed nothing need the fingerprint alone

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return vectors
        with self._loading:
            self._load_tokenizer()
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        longest_first = sorted(range(len(texts)), key=lambda row: -len(tokens[row]))
        with self._turn:  # the queue has one callback at a time, and its results go into our `vectors`
            if self._queue is None:
                self._queue = _queue(self._paths[0], self._threads)
            for row in longest_first:
                self._queue.start_async(_inputs(tokens[row]), (vectors[row], len(tokens[row])))
            self._queue.wait_all()
        return vectors

    def embed_question(self, question: str) -> Vectors:
        """Return the question's vector: this model wants nothing in front of it."""
        vector: Vectors = self.embed([question])[0]
        return vector

    def likeness(self, cosine: float) -> float:
        """Return the cosine: it is the scale (`rag/likeness.py`)."""
        return cosine

    def reads(self, text: str) -> bool:
        """Return whether most letters are Latin: the model was trained on English."""
        letters = [letter for letter in text if letter.isalpha()]
        return 2 * sum(letter < "\u0250" for letter in letters) >= len(letters)

    def _load_tokenizer(self) -> None:
        if self._tokenizer is None:
            from tokenizers import Tokenizer  # native library, only processes that embed or split need it

            self._counter = Tokenizer.from_file(str(self._paths[1]))
            self._counter.no_truncation()
            self._counter.no_padding()
            reader = Tokenizer.from_file(str(self._paths[1]))
            reader.no_padding()
            reader.enable_truncation(WINDOW)
            self._tokenizer = reader


def _inputs(ids: list[int]) -> dict[str, Any]:
    """Return the model's inputs for one text, padded to a multiple of STEP."""
    import numpy as np

    width = min(WINDOW, -(-len(ids) // STEP) * STEP)
    tokens = np.zeros((1, width), dtype=np.int64)
    tokens[0, : len(ids)] = ids
    mask = np.zeros_like(tokens)
    mask[0, : len(ids)] = 1
    return {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}


def _pool(request: Any, into: tuple[Vectors, int]) -> None:
    """Write the mean of a finished text's token states, at length 1, into its row."""
    import numpy as np

    row, length = into
    mean = request.get_output_tensor(0).data[0, :length].mean(axis=0)
    row[:] = mean / max(float(np.linalg.norm(mean)), 1e-12)


def _queue(model: Path, threads: int) -> Any:
    """Return the compiled model behind a queue that works on one text a stream.

    Activations are rounded to int8 in groups, where the processor can multiply those. Where OpenVINO finds no kernel
    for that it says so at the first text, and float it is.
    """
    import numpy as np
    import openvino  # 0.4 s; only processes that embed need it

    core = openvino.Core()
    streams = min(threads, STREAMS)
    for group in GROUPS:
        options = {
            "INFERENCE_PRECISION_HINT": "f32",  # or the type of the rest would depend on the processor
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,  # worker and API would be pinned to the same cores
            GROUP: group,
        }
        queue = openvino.AsyncInferQueue(core.compile_model(str(model), "CPU", options), streams)
        queue.set_callback(_pool)
        try:
            queue.start_async(_inputs([101, 102]), (np.zeros(384, dtype=np.float32), 2))
            queue.wait_all()
        except RuntimeError:
            if group == GROUPS[-1]:
                raise
            continue
        return queue
    raise AssertionError("unreachable: the last try returned or raised")
