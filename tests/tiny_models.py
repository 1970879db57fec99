"""Makes tiny models with random weights for tests: embedders for sentence-transformers, a language model for Transformers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rag.build import model_store
from rag.model_store import ModelStore
from rag.settings import load_settings

INSTALLED = "all-minilm-l6-v2-int8"
TINY, NARROW = "tiny-bert", "narrow-bert"
WORDS = (
    "answer in one sentence what is the capital of france write a long story about lighthouse count to paris sea ship light "
    "keeper storm night wave rock harbour 2 3 4 . , ? !"
)
TEMPLATE = "{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }} {% endfor %}<assistant>"


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


def tiny_chat_model(folder: Path, template: str | None = TEMPLATE, window: int = 1024) -> Path:
    """Write a language model for Transformers into a folder and return it.

    Its tokens are words, its weights random; what it says means nothing, but it is the same each time.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = ["<unk>", "<eos>", "<system>", "<user>", "<assistant>", *WORDS.split()]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(vocabulary)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast: Any = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<eos>", pad_token="<eos>"
    )
    fast.chat_template = template
    torch.manual_seed(7)
    config: Any = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=window, eos_token_id=1, bos_token_id=None, pad_token_id=1,
        tie_word_embeddings=False,
    )  # fmt: skip
    model: Any = LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight[:5] = 0  # some other word always scores higher, so it never stops by itself
    model.save_pretrained(folder, safe_serialization=True)
    fast.save_pretrained(folder)
    return folder
