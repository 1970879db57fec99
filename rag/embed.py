"""Embeds text with an ONNX model on the CPU."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ingest.ports import Vectors

WINDOW = 256
"""Tokens that all-MiniLM-L6-v2 was trained to read, special tokens included (its model card)."""
BATCH = 8
"""Texts a batch, sorted by length. On 2 cores batches of 4-8 were fastest and batches of 32 lost a fifth."""


class OnnxEmbedder:
    """A sentence encoder in ONNX with its tokenizer: mean pooling over tokens, vectors of length 1.

    `fingerprint` names the weights by digest. A text embeds the same alone and in a batch up to the rounding of int8.
    """

    def __init__(self, name: str, model: Path, tokenizer: Path, digest: str, threads: int = 0) -> None:
        self._paths = (model, tokenizer)
        self._threads = threads or os.cpu_count() or 1
        self._session: Any = None
        self._tokenizer: Any = None
        self._counter: Any = None
        self._turn = threading.Lock()
        self.fingerprint = f"{name}/{digest.removeprefix('sha256:')[:12]}/mean/unit/{WINDOW}"
        self.dimension = 384
        self.max_tokens = WINDOW - 2

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, special tokens not counted."""
        self._load()
        encodings = self._counter.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of shape (texts, 384), float32, in order."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return vectors
        self._load(session=True)
        encodings = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda index: len(encodings[index].ids))
        for at in range(0, len(order), BATCH):
            rows = order[at : at + BATCH]
            width = max(len(encodings[row].ids) for row in rows)
            ids = np.zeros((len(rows), width), dtype=np.int64)
            mask = np.zeros_like(ids)
            for line, row in enumerate(rows):
                length = len(encodings[row].ids)
                ids[line, :length] = encodings[row].ids
                mask[line, :length] = 1
            vectors[rows] = self._run(ids, mask)
        return vectors

    def _run(self, ids: Any, mask: Any) -> Vectors:
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        wanted = {entry.name for entry in self._session.get_inputs()}
        states = self._session.run(["last_hidden_state"], {k: v for k, v in feed.items() if k in wanted})[0]
        weights = mask[:, :, None].astype(np.float32)
        pooled = (states * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
        return np.asarray(pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12), dtype=np.float32)

    def _load(self, session: bool = False) -> None:
        with self._turn:
            self._load_tokenizer()
            if session:
                self._load_session()

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

    def _load_session(self) -> None:
        if self._session is None:
            import onnxruntime  # half a second; only processes that embed need it

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self._threads
            options.inter_op_num_threads = 1
            self._session = onnxruntime.InferenceSession(
                str(self._paths[0]), options, providers=["CPUExecutionProvider"]
            )
