"""Runs a sentence encoder in ONNX on the CPU with OpenVINO (the only file that imports it), its weights changed or not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STEP = 16
"""Lengths are rounded up to multiples of this: each new length costs some 15 ms and 3 MB, once."""
STREAMS = 4
"""Most texts in work at the same time; each stream keeps its own memory (about 60 MB)."""
GROUP = "DYNAMIC_QUANTIZATION_GROUP_SIZE"
"""Numbers that share a scale where activations are rounded to int8; 0: they stay float (docs/decisions/0009)."""
GROUPS = (32, 0)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text, or a question and a passage: token ids, and how many of them belong to the first part (type 0)."""

    ids: Sequence[int]
    first: int


Done = Callable[[int, Any], None]
"""Takes the number of a text and its token states, shape (tokens, 384), float32, which are only there during the call."""


class Encoder:
    """An encoder's weights, loaded at first use. `changes` are added to them (see `_change`)."""

    def __init__(self, model: Path, threads: int, longest: int, changes: Mapping[str, Any] | None = None) -> None:
        self._model, self._threads, self._longest, self._changes = model, threads, longest, changes
        self._queue: Any = None
        self._turn = threading.Lock()

    def run(self, texts: Sequence[Tokens], done: Done) -> None:
        """Read texts, the longest first, and give each one's token states to `done`."""
        longest_first = sorted(range(len(texts)), key=lambda row: -len(texts[row].ids))
        with self._turn:  # the queue has one callback at a time
            if self._queue is None:
                self._queue = self._compiled()
            for row in longest_first:
                self._queue.start_async(self._inputs(texts[row]), (row, len(texts[row].ids), done))
            self._queue.wait_all()

    def _inputs(self, text: Tokens) -> dict[str, Any]:
        """Return the model's inputs for one text, padded to a multiple of STEP."""
        import numpy as np  # 0.1 s; only processes that embed need it

        size = len(text.ids)
        tokens = np.zeros((1, min(self._longest, -(-size // STEP) * STEP)), dtype=np.int64)
        tokens[0, :size] = text.ids
        mask, types = np.zeros_like(tokens), np.zeros_like(tokens)
        mask[0, :size] = 1
        types[0, text.first : size] = 1
        return {"input_ids": tokens, "attention_mask": mask, "token_type_ids": types}

    def _compiled(self) -> Any:
        """Return the compiled model behind a queue that works on one text a stream.

        Activations are rounded to int8 in groups, where the processor can multiply those. Where OpenVINO finds no kernel
        for that it says so at the first text, and float it is.
        """
        import openvino  # 0.4 s; only processes that embed need it

        core = openvino.Core()
        model = core.read_model(str(self._model))
        if self._changes is not None:
            _change(model, self._changes)
        streams = min(self._threads, STREAMS)
        for group in GROUPS:
            options = {
                "INFERENCE_PRECISION_HINT": "f32",  # or the type of the rest would depend on the processor
                "INFERENCE_NUM_THREADS": self._threads,
                "NUM_STREAMS": streams,
                "ENABLE_CPU_PINNING": False,  # worker and API would be pinned to the same cores
                GROUP: group,
            }
            queue = openvino.AsyncInferQueue(core.compile_model(model, "CPU", options), streams)
            queue.set_callback(_hand_over)
            try:
                queue.start_async(self._inputs(Tokens((101, 102), 2)), (0, 2, lambda row, states: None))
                queue.wait_all()
            except RuntimeError:
                if group == GROUPS[-1]:
                    raise
                continue
            return queue
        raise AssertionError("unreachable: the last try returned or raised")


def _hand_over(request: Any, text: tuple[int, int, Done]) -> None:
    row, size, done = text
    done(row, request.get_output_tensor(0).data[0, :size])


def _change(model: Any, changes: Mapping[str, Any]) -> None:
    """Add low-rank changes to the weights of an encoder as it was read.

    The number n of a layer counts its linear steps in order: query, key, value and output of attention, then the two of the
    feed-forward part. `n.down` (inputs, rank) times `n.up` (rank, outputs) is added to its matrix, `n.bias` to its bias;
    `types` (2, 384) takes the place of the embeddings of the two parts of a text.
    """
    import numpy as np
    from openvino import opset13 as op

    nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    for number in range(sum(name.endswith(".down") for name in changes)):
        added = nodes["node_linear" + (f"_{number}" if number else "")]
        product = next(
            node for node in (added.input_value(at).get_node() for at in (0, 1)) if node.get_type_name() == "MatMul"
        )
        targets = list(added.output(0).get_target_inputs())
        down, up, bias = (changes[f"{number}.{part}"].astype(np.float32) for part in ("down", "up", "bias"))
        low = op.matmul(product.input_value(0), op.constant(down), False, False)
        change = op.add(op.matmul(low, op.constant(up), False, False), op.constant(bias))
        changed = op.add(added.output(0), change)
        for target in targets:
            target.replace_source_output(changed.output(0))
    nodes["node_embedding_1"].input(0).replace_source_output(op.constant(changes["types"].astype(np.float32)).output(0))
