"""Says which models fit this machine: weights and KV cache against its memory, with speed, licence and how to get each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.hardware import Machine
from rag.model_bench import Measured
from rag.model_profiles import Profile, Size, profiles

QUANTISATIONS = {"Q4_K_M": 4.85, "Q5_K_M": 5.7, "Q8_0": 8.5, "F16": 16.0}
"""Bits a parameter of llama.cpp's common formats, measured by it on Llama 3.1 8B. Models below 2B need some 15 % more."""
SMALL, SMALL_MORE = 2.0, 1.15
BUFFERS = 400_000_000
"""Bytes for the runtime and its buffers beside weights and KV cache."""
MEMORY_SHARE, GRAPHICS_SHARE = 0.8, 0.9
"""What a model may take of the memory that is free now: documents are read and embedded beside it."""
DISK_SPARE = 2_000_000_000
ANSWER_TOKENS, THINKING_TOKENS = 100, 400
"""Tokens of a usual answer, and those that a model which always thinks writes before it."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One size of a family, with the quantisation to take: the finest on a graphics card, the smallest in memory.

    `tokens_per_second` is 0 where nothing was measured; `seconds` is what an answer of 100 tokens from a prompt of usual
    length would take, with 400 more of a model that always thinks. `quantisations` are all that fit; `good_prompt` is the
    number of prompt tokens up to which answers stay reliable.
    """

    model: str
    parameters: float
    quantisation: str
    quantisations: str
    where: str
    weights_gb: float
    cache_gb: float
    memory_gb: float
    window: int
    tokens_per_second: float
    seconds: float
    licence: str
    languages: str
    vision: bool
    good_prompt: int
    note: str
    command: str


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured here: seconds a token = `start` + weights / `bytes_per_second`, up to the `largest` weights measured;
    beyond them in proportion to the weights. A prompt token costs its parameters."""

    start: float
    bytes_per_second: float
    parameters_per_second: float
    largest: float = math.inf

    def generation(self, weights: float) -> float:
        measured = min(weights, self.largest)
        return measured / weights / (self.start + measured / self.bytes_per_second)

    def prompt(self, parameters: float) -> float:
        return self.parameters_per_second / parameters


def speed_of(measured: Sequence[tuple[Measured, float, float]]) -> Speed | None:
    """Return this machine's speed from measurements with (weights in bytes, parameters); None without one.

    Generating reads all weights once for a token, so the time is a straight line over their size: through the smallest and
    the largest model measured, or through one and zero. What takes long beside the weights (a busy machine does) makes that
    line too flat, so larger models are not read from it.
    """
    points = sorted((weights, 1 / item.tokens_per_second) for item, weights, _ in measured if item.tokens_per_second)
    if not points:
        return None
    (low, fast), (high, slow) = points[0], points[-1]
    start, rate = 0.0, high / slow
    if high > 1.5 * low and slow > fast:
        rate = (high - low) / (slow - fast)
        start = max(0.0, slow - high / rate)
    _, _, parameters = max(measured, key=lambda item: item[1])
    prompt = max(measured, key=lambda item: item[1])[0].prompt_tokens_per_second
    return Speed(start, rate, prompt * parameters, high)


def recommend(machine: Machine, window: int, prompt_tokens: int, speed: Speed | None) -> list[Recommendation]:
    """Return every known size that fits, the largest first."""
    found = [item for profile in profiles() for item in _of(profile, machine, window, prompt_tokens, speed)]
    return sorted(found, key=lambda item: -item.parameters)


def _of(
    profile: Profile, machine: Machine, window: int, prompt_tokens: int, speed: Speed | None
) -> Iterator[Recommendation]:
    window = min(window, profile.window)
    for size in profile.sizes:
        fitting = {
            name: where
            for name in QUANTISATIONS
            if (where := _where(machine, weights_of(size, name), size.kv_bytes(window)))
        }
        if not fitting:
            continue
        # a graphics card has speed to spare for a finer one; a processor reads every byte for every token
        on_card = [name for name, where in fitting.items() if where == "graphics card"]
        chosen = on_card[-1] if on_card else next(iter(fitting))
        weights, cache = weights_of(size, chosen), size.kv_bytes(window)
        share = (size.active or size.parameters) / size.parameters
        rate = speed.generation(weights * share) if speed and fitting[chosen] == "memory" else 0.0
        reading = prompt_tokens / speed.prompt((size.active or size.parameters) * 1e9) if speed else 0.0
        writing = ANSWER_TOKENS + (THINKING_TOKENS if profile.thinking == "opened" else 0)
        notes = (size.licence and f"licence of this size: {size.licence}", profile.limits, profile.quirks)
        yield Recommendation(
            model=profile.family if profile.family.endswith(f" {size.name}") else f"{profile.family} {size.name}",
            parameters=size.parameters,
            quantisation=chosen,
            quantisations=", ".join(fitting),
            where=fitting[chosen],
            weights_gb=round(weights / 1e9, 1),
            cache_gb=round(cache / 1e9, 2),
            memory_gb=round((weights + cache + BUFFERS) / 1e9, 1),
            window=window,
            tokens_per_second=round(rate, 1),
            seconds=round(reading + writing / rate, 0) if rate else 0.0,
            licence=size.licence or profile.licence,
            languages=profile.languages,
            vision=profile.vision,
            good_prompt=profile.good_prompt,
            note="; ".join(note for note in notes if note),
            command=_command(size, chosen),
        )


def weights_of(size: Size, quantisation: str) -> float:
    """Return the bytes of a model's weights."""
    more = SMALL_MORE if size.parameters < SMALL and quantisation != "F16" else 1.0
    return size.parameters * 1e9 * QUANTISATIONS[quantisation] / 8 * more


def _where(machine: Machine, weights: float, cache: float) -> str:
    """Return where a model fits: on the graphics card, in memory, or "" for nowhere."""
    needed = weights + cache + BUFFERS
    if weights + DISK_SPARE > machine.disk_free:
        return ""
    if needed <= GRAPHICS_SHARE * machine.graphics_memory:
        return "graphics card"
    return "memory" if needed <= MEMORY_SHARE * machine.memory_free else ""


def _command(size: Size, quantisation: str) -> str:
    """Return how to get a model. Ollama's short names are Q4_K_M; finer ones come as a file."""
    pull = f"readingroom models pull ollama:{size.ollama}"
    return pull if quantisation == "Q4_K_M" else f"{pull} (Q4_K_M), or readingroom models add FILE.{quantisation}.gguf"
