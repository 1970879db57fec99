"""Builds a tiny language model for Transformers: a folder with random weights, words for tokens, and a chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WORDS = (
    "answer in one sentence what is the capital of france write a long story about lighthouse count to paris sea ship light "
    "keeper storm night wave rock harbour 2 3 4 . , ? !"
)
TEMPLATE = "{% for message in messages %}<{{ message['role'] }}> {{ message['content'] }} {% endfor %}<assistant>"


def build(folder: Path, template: str | None = TEMPLATE, window: int = 1024) -> Path:
    """Write the model into a folder and return it. Its words mean nothing, but they are the same each time."""
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
