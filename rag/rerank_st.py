"""Reranks with a cross-encoder of sentence-transformers: a local folder, with torch (extra `models`)."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rag.errors import ModelError

BATCH = 16
"""Pairs that are read together, the longest texts first."""
REMEDY = (
    "Give the folder of a model that scores pairs of texts (config.json, model.safetensors and its tokenizer), "
    'or set `search.reranker: ""` in config.yaml.'
)


class CrossEncoderReranker:
    """A cross-encoder folder on this machine. Nothing is fetched by name, and no code of the folder is run.

    The folder is looked at at once, the weights are loaded with the first question, onto a graphics card where torch finds one.
    """

    def __init__(self, folder: Path) -> None:
        if find_spec("sentence_transformers") is None:
            raise ModelError(
                f"The reranker {folder.name} needs sentence-transformers, which is not installed.", "Run `make models`."
            )
        _require_cross_encoder(folder)
        self.name = folder.name
        self._folder = folder
        self._model: Any = None
        self._turn = threading.Lock()

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return for each text how well it answers the question, in order; a long text is read as far as the model reads."""
        if not texts:
            return []
        with self._turn:
            if self._model is None:
                self._model = _load(self._folder)
            found = self._model.predict([(question, text) for text in texts], batch_size=BATCH, show_progress_bar=False)
        scores = [float(score) for score in found]
        if not all(map(math.isfinite, scores)):
            raise ModelError(f"The reranker {self.name} returned scores that are no numbers.", REMEDY)
        return scores


def _require_cross_encoder(folder: Path) -> None:
    """Raise ModelError unless the folder says that it holds a model which gives a pair of texts one score."""
    if not folder.is_dir():
        raise ModelError(f"There is no folder {folder} with a reranker.", REMEDY)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kinds = [str(kind) for kind in config.get("architectures") or []]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ModelError(
            f"{folder} holds no cross-encoder: its config.json can't be read ({error}).", REMEDY
        ) from error
    if not any(kind.endswith("ForSequenceClassification") for kind in kinds):
        # another kind of model would be loaded too, with a head of random numbers
        raise ModelError(f"{folder} holds no cross-encoder but {', '.join(kinds) or 'something else'}.", REMEDY)
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{folder} holds no weights (model.safetensors).", REMEDY)


def _load(folder: Path) -> Any:
    # torch takes seconds to import, and is only there with the extra `models`
    from safetensors import SafetensorError
    from sentence_transformers import CrossEncoder

    try:
        model: Any = CrossEncoder(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},  # the other format can hold code
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"The reranker in {folder} can't be loaded: {str(error)[:300]}", REMEDY) from error
    if model.num_labels != 1:
        raise ModelError(
            f"The model in {folder} gives {model.num_labels} scores for a pair of texts; a reranker gives one.", REMEDY
        )
    return model
