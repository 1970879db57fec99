"""Makes embedders for tests: tiny ones with random weights for sentence-transformers, beside the installed one."""

from __future__ import annotations

import os
from pathlib import Path

from rag.build import model_store
from rag.model_store import ModelStore
from rag.settings import load_settings

INSTALLED = "all-minilm-l6-v2-int8"
TINY, NARROW = "tiny-bert", "narrow-bert"


def make_models(place: Path) -> Path:
    """Return a folder of models: the installed embedder, `tiny-bert`, which reads 300 tokens, `narrow-bert`, which reads 30.

    Their weights are random and always the same: texts that share words get vectors that are near each other.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    installed = model_store(
        load_settings({key: os.environ[key] for key in os.environ if key.endswith("MODELS__FOLDER")})
    )
    folder, base = place / "models", place / "base"
    folder.mkdir()
    (folder / INSTALLED).symlink_to(installed.folder / INSTALLED)
    torch.manual_seed(7)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=30522, max_position_embeddings=512, **shape)).save_pretrained(base)
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
    tokenizer = str(installed.path(INSTALLED, "tokenizer.json"))
    PreTrainedTokenizerFast(tokenizer_file=tokenizer, **special).save_pretrained(base)
    for name, window in ((TINY, 302), (NARROW, 32)):
        reader = Transformer(str(base), max_seq_length=window)
        SentenceTransformer(modules=[reader, Pooling(32)], device="cpu").save(str(place / name))
        ModelStore(folder).add(place / name)
    return folder
