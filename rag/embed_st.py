"""Embeds text with sentence-transformers: any local model, with torch (extra `models`)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ingest.ports import Vectors
from rag.errors import ModelError

SPECIAL_TOKENS = 2


class SentenceTransformersEmbedder:
    """A sentence-transformers model folder on this machine; vectors of length 1. Nothing is fetched by name."""

    def __init__(self, name: str, folder: Path, digest: str) -> None:
        try:
            # torch takes seconds to import and is only there with the extra `models`
            from sentence_transformers import SentenceTransformer
            from transformers.utils.logging import disable_progress_bar
        except ImportError as error:
            raise ModelError(
                "The embedding backend sentence-transformers is not installed.", "Run `make models`."
            ) from error
        disable_progress_bar()  # else it draws one on stderr for each model that it opens
        self._model: Any = SentenceTransformer(str(folder), local_files_only=True)
        self._turn = threading.Lock()
        self._tokenizer = self._model.tokenizer
        window = int(self._model.max_seq_length)
        self.max_tokens = window - SPECIAL_TOKENS
        self.dimension = int(self._model.get_embedding_dimension())
        self.languages: frozenset[str] = frozenset()
        self.fingerprint = f"{name}/{digest.removeprefix('sha256:')[:12]}/sentence-transformers/unit/{window}"

    def __str__(self) -> str:
        """Return what its vectors are made with, for the record."""
        poolings = [str(part.pooling_mode) for part in self._model if hasattr(part, "pooling_mode")]
        default = self._model.default_prompt_name
        prefix = f"prefix {self._model.prompts[default]!r}" if default else "no prefixes"
        made = f"{' and '.join(poolings) or 'own'} pooling, {prefix}, length 1, {self.dimension} dimensions, on this machine"
        return f"{self.fingerprint}: {made}"

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, special tokens not counted."""
        encoded = self._tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of shape (texts, dimension), float32, in order."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._turn:
            vectors = self._model.encode(
                list(texts), batch_size=8, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
            )
        return np.asarray(vectors, dtype=np.float32)

    def reads(self, text: str) -> bool:
        """Return True: what a model of the user's choice was trained on is the user's to know."""
        return True
