"""Fetches the models that the settings name, unless they are here; called by `make setup`, never while serving."""

from __future__ import annotations

import sys
import time

from rag import show
from rag.build import model_store
from rag.errors import ReadingRoomError
from rag.settings import load_settings


def main(model: str) -> int:
    """Fetch the embedder and the language model `model` (or none)."""
    try:
        settings = load_settings()
        store = model_store(settings)
        for name in (settings.embedding.model, *([] if model == "none" else [model])):
            if not store.installed(name):
                began = time.monotonic()
                show.note(f"fetching the model {name}")
                with show.pull_progress(name, quiet=False) as progress:
                    store.pull(name, progress)
                show.note(f"fetched and verified {name} in {time.monotonic() - began:.0f} s")
    except ReadingRoomError as error:
        show.error(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
