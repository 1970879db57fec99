"""Marks the words of a passage that answer a question: the default embedder's weights, changed by training on questions."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rag.encoder import Encoder, Tokens

CHANGES = Path(__file__).with_name("span_reader.npz")
"""What training changed, and the two weights of each number of a token's state that mark where an answer begins and ends
(docs/decisions/0021-span-reader.md, tests/benchmarks/train_span_reader.py)."""
LONGEST = 512
"""Tokens that the encoder has places for."""
QUESTION = 64
"""Tokens of a question that are read."""
ANSWER = 30
"""Tokens of an answer, at most."""
CLS, SEP = 101, 102

Part = tuple[int, int]
"""The characters [start, end) of a text."""


@dataclass(frozen=True, slots=True)
class Marked:
    """The characters [start, end) of a passage that answer a question best, of one of its parts. `score` is above 0 where they
    rather answer it than not, in units of log odds, unscaled."""

    start: int
    end: int
    score: float


_WORD = re.compile(r"[^\W\d_]{1,6}-?\d+|\d+(?:[.,]\d+)*|[^\W\d]+(?:['’-][^\W\d]+)*")
_LONGEST_WORD = 40
"""Characters of a word, or a number, that are looked at around what is marked."""


class SpanReader:
    """Reads a question together with passages. Loads its model at first use."""

    def __init__(self, model: Path, tokenizer: Path, threads: int = 0) -> None:
        self._model, self._file, self._threads = model, tokenizer, threads or os.cpu_count() or 1
        self._loading = threading.Lock()
        self._encoder: Encoder | None = None
        self._tokenizer: Any = None
        self._head: Any = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what training changed."""
        return hashlib.sha256(CHANGES.read_bytes()).hexdigest()

    def read(
        self, question: str, passages: Sequence[str], parts: Sequence[Sequence[Part]]
    ) -> list[list[Marked | None]]:
        """Return what answers a question best in each of the `parts` of each passage, None for a part without words, and for one
        behind the end of what is read."""
        with self._loading:
            encoder = self._load()
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids[:QUESTION]
        room = LONGEST - len(asked) - 3
        encoded = [self._tokenizer.encode(text, add_special_tokens=False) for text in passages]
        read = [row for row, one in enumerate(encoded) if one.ids]
        first = len(asked) + 2
        texts = [Tokens([CLS, *asked, SEP, *encoded[row].ids[:room], SEP], first) for row in read]
        marked: list[list[Marked | None]] = [[None] * len(some) for some in parts]

        def mark(number: int, states: Any) -> None:
            row = read[number]
            offsets = encoded[row].offsets[:room]
            weights, bias = self._head
            begins, ends = (states @ weights + bias).T
            none = float(begins[0] + ends[0])
            for at, part in enumerate(parts[row]):
                low, high = _tokens_of(offsets, part)
                if low < high:
                    begin, end, score = _best(begins[first + low : first + high], ends[first + low : first + high])
                    places = _whole(passages[row], offsets[low + begin][0], offsets[low + end][1])
                    marked[row][at] = Marked(*places, score - none)

        encoder.run(texts, mark)
        return marked

    def _load(self) -> Encoder:
        if self._encoder is None:
            import numpy as np
            from tokenizers import Tokenizer  # native library, only processes that read need it

            with np.load(CHANGES) as stored:
                changes = {name: stored[name].astype(np.float32) for name in stored.files}
            self._tokenizer = Tokenizer.from_file(str(self._file))
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
            self._head = changes.pop("head"), changes.pop("head.bias")
            self._encoder = Encoder(self._model, self._threads, LONGEST, changes)
        return self._encoder


def _tokens_of(offsets: Sequence[Part], part: Part) -> tuple[int, int]:
    """Return the first and last but one of the tokens that lie in a part of the text."""
    low = bisect_left(offsets, part[0], key=lambda place: place[0])
    return low, bisect_right(offsets, part[1], lo=low, key=lambda place: place[1])


def _whole(text: str, start: int, end: int) -> Part:
    """Return [start, end) with the words and numbers that it begins or ends inside of: the model knows pieces of them."""
    low = max(0, start - _LONGEST_WORD)
    words = [match.span() for match in _WORD.finditer(text, low, end + _LONGEST_WORD)]
    return min([start, *(a for a, b in words if a < start < b)]), max([end, *(b for a, b in words if a < end < b)])


def _best(begins: Any, ends: Any) -> tuple[int, int, float]:
    """Return the first and last token of the best answer, and its score."""
    import numpy as np

    length = len(begins)
    allowed = ~np.tri(length, k=-1, dtype=bool) & np.tri(length, k=ANSWER - 1, dtype=bool)
    scores = np.where(allowed, begins[:, None] + ends[None], -1e9)
    at, to = divmod(int(scores.argmax()), length)
    return at, to, float(scores[at, to])
