"""Embeds text with sentence-transformers: any local model, with torch (extra `models`)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ingest.ports import Vectors
from rag.embed_prefixes import Prefixes, prefixes_of
from rag.errors import ModelError
from rag.likeness import Scale

SPECIAL_TOKENS = 2
_PASSAGES = ("document", "passage", "corpus")
"""Names under which a model's folder says what it wants in front of a passage."""


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
        self._prefixes = self._wanted(name)
        self._model.default_prompt_name = None  # else it goes before questions and passages alike
        self.max_tokens = window - SPECIAL_TOKENS - self.count([self._prefixes.passage])[0]
        self.dimension = int(self._model.get_embedding_dimension())
        self.languages: frozenset[str] = frozenset()
        self.fingerprint = f"{name}/{digest.removeprefix('sha256:')[:12]}/sentence-transformers/unit/{window}"
        self.fingerprint += self._prefixes.mark
        self._scale = Scale(self.embed_question, self.embed)

    def __str__(self) -> str:
        """Return what its vectors are made with, for the record."""
        poolings = [str(part.pooling_mode) for part in self._model if hasattr(part, "pooling_mode")]
        made = f"{' and '.join(poolings) or 'own'} pooling, {self._prefixes}, length 1, {self.dimension} dimensions"
        return f"{self.fingerprint}: {made}, on this machine"

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, special tokens not counted."""
        encoded = self._tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of shape (texts, dimension), float32, in order."""
        return self._embed(texts, self._prefixes.passage)

    def embed_question(self, question: str) -> Vectors:
        """Return the vector of a question, shape (dimension,), with what the model wants in front of it."""
        vector: Vectors = self._embed([question], self._prefixes.question)[0]
        return vector

    def _embed(self, texts: Sequence[str], prefix: str) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._turn:
            vectors = self._model.encode(
                list(texts),
                prompt=prefix or None,
                batch_size=8,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.asarray(vectors, dtype=np.float32)

    def _wanted(self, name: str) -> Prefixes:
        """Return the prefixes that the model's folder says, or those of its family."""
        said = {kind: prompt for kind, prompt in self._model.prompts.items() if prompt}
        if default := self._model.default_prompt_name:
            said = dict.fromkeys(("query", *_PASSAGES), self._model.prompts[default]) | said
        own = Prefixes(said.get("query", ""), next((said[kind] for kind in _PASSAGES if kind in said), ""))
        return own if own.mark else prefixes_of(name)

    def likeness(self, cosine: float) -> float:
        """Return a cosine on the scale of the default embedder."""
        return self._scale.likeness(cosine)

    def reads(self, text: str) -> bool:
        """Return True: what a model of the user's choice was trained on is the user's to know."""
        return True
