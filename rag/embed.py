"""Embeds text with an ONNX model on the CPU."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.ports import Vectors
from rag.encoder import Encoder, Tokens

WINDOW = 256
"""Tokens that all-MiniLM-L6-v2 was trained to read, special tokens included (its model card)."""


class OnnxEmbedder:
    """A sentence encoder in ONNX with its tokenizer: mean pooling over tokens, vectors of length 1.

    `fingerprint` names the weights by digest. Each text is embedded by itself, so its vector does not depend on others;
    between processors with and without int8 instructions it differs by rounding (cosine above 0.999).
    """

    def __init__(self, name: str, model: Path, tokenizer: Path, digest: str, threads: int = 0) -> None:
        self._encoder = Encoder(model, threads or os.cpu_count() or 1, WINDOW)
        self._file = tokenizer
        self._tokenizer: Any = None
        self._counter: Any = None
        self._loading = threading.Lock()
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

        def pool(row: int, states: Any) -> None:
            mean = states.mean(axis=0)
            vectors[row] = mean / max(float(np.linalg.norm(mean)), 1e-12)

        self._encoder.run([Tokens(ids, len(ids)) for ids in tokens], pool)
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

            self._counter = Tokenizer.from_file(str(self._file))
            self._counter.no_truncation()
            self._counter.no_padding()
            reader = Tokenizer.from_file(str(self._file))
            reader.no_padding()
            reader.enable_truncation(WINDOW)
            self._tokenizer = reader
