"""Measures the time to the first token: our adapter to a bare llama.cpp server, a follow-up to a cold question; writes JSON.

    python -m tests.benchmarks.first_token [MODEL] [RUNS] [OUT.json]

MODEL is `small` (135M) or `default` (1.5B), RUNS the most prompts and conversations. OUT keeps the results of other models.

Cold: prompts as the answers to the sample questions make them, each with a random word in front, so that no cache has it. Each
goes to the adapter (counted and streamed, as an answer does it), to llama.cpp's own HTTP server with the adapter's batch, and to
one with llama.cpp's own batch, in another order each time; the same model, threads and window. A ratio is of the medians.
Follow-up: conversations of two turns over the samples, each with a model process of its own, so that its first turn is cold. The
follow-up is compared with that turn and with its own prompt read cold.
Processor time is of the model's process and of the thread that waits for it.
"""

from __future__ import annotations

import json
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from rag.chat_input import as_chat
from rag.errors import ModelError
from rag.hardware import physical_cores
from rag.library import Library
from rag.llm import Completion, LanguageModel, Message, ModelCard
from rag.llm_embedded import BATCH_TOKENS, EmbeddedModel
from rag.model_store import ModelStore
from rag.prompt import SCHEMA, messages
from rag.settings import PROJECT, load_settings
from tests.benchmarks.run import machine
from tests.benchmarks.sets import WORK
from tests.openai_server import llama_server

CHAINS = (
    ("What is the annual maintenance fee for a vessel with an equipment set of type B?", "And for type A?"),
    ("What is the day rate of a diver at the weekend?", "And on a weekday?"),
    ("How fast must a technician be on board for a fault of severity 2?", "And for a fault of severity 1?"),
    ("What is the highest price of a hotel night in Oslo?", "And in Bergen?"),
    ("What do external customers pay per hour for the calibration tank?", "What weight can its crane lift?"),
    ("How many of the recalled S40 units have been exchanged?", "Why were they recalled?"),
    ("When will the E300 echo sounder be released?", "What does the tooling for its housing cost?"),
    ("Which dividend per share did the board propose?", "Who voted against the purchase of the pressure chamber?"),
)
"""The last follow-up begins another topic."""
WINDOW, KEY, FEW = 4096, "a-key-for-benchmarks", 8
LLAMA_CPP_BATCH = 2048
"""Its default, read in parts of 512."""
TIMES = ("seconds", "processor")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model, to its first token."""

    seconds: float
    processor: float
    cached: int = 0
    read: int = 0
    prompt: Sequence[Message] = ()
    at: float = 0.0


class Unasked(ModelError):
    """Says that only the prompt was wanted."""


@dataclass
class Timed:
    """A model whose calls are timed, from the count of the prompt to the first token."""

    model: EmbeddedModel
    calls: list[Call] = field(default_factory=list)
    began: tuple[float, float] | None = None

    @property
    def card(self) -> ModelCard:
        return self.model.card

    def count(self, messages: Sequence[Message]) -> int:
        self.began = self.began or (time.monotonic(), self._processor())
        return self.model.count(messages)

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Mapping[str, Any] | None = None, seed: int = 0
    ) -> Iterator[str | Completion]:
        began, used = self.began or (time.monotonic(), self._processor())
        self.began = None
        first: tuple[float, float] | None = None
        for piece in self.model.stream(messages, max_tokens=max_tokens, schema=schema, seed=seed):
            first = first or (time.monotonic(), self._processor())
            if isinstance(piece, Completion):
                read = piece.evaluated - piece.cached
                spent = first[1] - used
                self.calls.append(Call(first[0] - began, spent, piece.cached, read, tuple(messages), first[0]))
            yield piece

    def close(self) -> None:
        self.model.close()

    def _processor(self) -> float:
        return time.thread_time() + (_used(self.model.pid) if self.model.pid else 0.0)


class Asked:
    """A model that is only told its prompts."""

    def __init__(self, card: ModelCard) -> None:
        self.card, self.prompts = card, list[Sequence[Message]]()

    def count(self, messages: Sequence[Message]) -> int:
        self.prompts.append(messages)
        raise Unasked("Only the prompt is wanted.", "")

    def stream(self, messages: Sequence[Message], **_: Any) -> Iterator[str | Completion]:
        raise Unasked("Only the prompt is wanted.", "")

    def close(self) -> None:
        """Nothing is open."""


def main() -> int:
    """Measure both, print the ratios, write them with machine and date."""
    default = str(PROJECT / "docs" / "benchmarks" / f"{time.strftime('%Y-%m-%d')}-first-token.json")
    name, runs, out = (*sys.argv[1:], *("small", "12", default)[len(sys.argv) - 1 :])
    WORK.mkdir(parents=True, exist_ok=True)
    settings = load_settings(
        {"READINGROOM_HOME": str(WORK / "samples"), "READINGROOM_MODELS__FOLDER": str(PROJECT / ".models")}
    )
    store = ModelStore(settings.path(settings.models.folder))
    result: dict[str, Any] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "batch": BATCH_TOKENS}

    def opened() -> EmbeddedModel:
        path, digest, patience = store.path(name), store.digest(name), 3600.0  # of a busy machine
        model = EmbeddedModel(
            path,
            path.stem,
            digest,
            window=WINDOW,
            idle_seconds=patience,
            answer_seconds=patience,
            start_seconds=patience,
        )
        model.load()
        return model

    with Library(settings, "benchmark") as library:
        library.ingest([PROJECT / "samples" / "documents"], "samples")
        result["cold"] = _cold(opened, store.path(name), _prompts(library, int(runs)))
        print(json.dumps(result["cold"], indent=1), flush=True)
        result["follow_up"] = _follow_ups(opened, library, int(runs))
    print(json.dumps(result["follow_up"], indent=1))
    all_of = json.loads(Path(out).read_text(encoding="utf-8")) if Path(out).exists() else {}
    all_of[store.path(name).stem] = result | {"load_after": round(psutil.getloadavg()[0], 2)}
    Path(out).write_text(json.dumps(all_of, indent=1) + "\n", encoding="utf-8")
    return 0


def _prompts(library: Library, runs: int) -> list[Sequence[Message]]:
    """Return the prompts of sample questions, taken evenly from those that have an answer."""
    entries = yaml.safe_load((PROJECT / "samples" / "questions.yaml").read_text(encoding="utf-8"))
    known = [entry["question"] for entry in entries if entry["answerable"]]
    asked = Asked(ModelCard("embedded", "asked", "", WINDOW))
    with _answering(library, asked):
        for question in known[:: max(1, len(known) // runs)][:runs]:
            library.draft(question, ["samples"])
    return asked.prompts


def _cold(opened: Callable[[], EmbeddedModel], path: Path, prompts: Sequence[Sequence[Message]]) -> dict[str, Any]:
    """Return what the first token of each prompt took, for each peer, and the ratios of the medians."""
    with ExitStack() as stack:
        timed = Timed(stack.enter_context(closing(opened())))
        peers: dict[str, Callable[[Sequence[Message]], Call]] = {"adapter": lambda prompt: _through(timed, prompt)}
        for peer, batch in (("bare", BATCH_TOKENS), ("bare, llama.cpp's batch", LLAMA_CPP_BATCH)):
            before = {child.pid for child in psutil.Process().children()}
            host = stack.enter_context(llama_server(path, WINDOW, KEY, physical_cores(), batch))
            (pid,) = {child.pid for child in psutil.Process().children()} - before
            peers[peer] = lambda prompt, host=host, pid=pid: _bare(host, pid, prompt)  # type: ignore[misc]
        calls: dict[str, list[Call]] = {peer: [] for peer in peers}
        others = [peer for peer in peers if peer != "adapter"]
        short = [Message("user", "Is this the first question?")]  # the weights are read from the disk
        list(timed.model.stream(short, max_tokens=FEW))
        for peer in others:
            peers[peer](short)
        for number, prompt in enumerate(prompts):
            cold, names = _unseen(prompt), [*peers]
            for peer in names[number % len(names) :] + names[: number % len(names)]:
                calls[peer].append(peers[peer](cold))
    assert {call.read + call.cached for call in calls["adapter"]} == {call.read + call.cached for call in calls["bare"]}
    result: dict[str, Any] = {
        "runs": len(prompts),
        "prompt_tokens": _median(call.read + call.cached for call in calls["bare"]),
        "most_cached": max(call.cached for made in calls.values() for call in made),
        "medians": {
            peer: {what: _median(getattr(c, what) for c in made) for what in TIMES} for peer, made in calls.items()
        },
    }
    ours = calls["adapter"]
    for peer in others:
        medians = {what: (result["medians"]["adapter"][what], result["medians"][peer][what]) for what in TIMES}
        pairs = [*zip(ours, calls[peer], strict=True)]
        result[f"adapter to {peer}"] = {
            "medians": {what: round(a / b, 3) for what, (a, b) in medians.items()},
            "median_of_pairs": {what: _median(getattr(a, what) / getattr(b, what) for a, b in pairs) for what in TIMES},
        }
    return result


def _follow_ups(opened: Callable[[], EmbeddedModel], library: Library, most: int) -> dict[str, Any]:
    """Return what the first tokens of both turns of each conversation took, and the ratios."""
    library.search("warm up", ["samples"])
    chains = []
    for first, second in CHAINS[:most]:
        with closing(opened()) as model:
            timed = Timed(model)
            with _answering(library, timed):
                conversation = library.answers.begin().id
                turns = [_turn(library, timed, question, conversation) for question in (first, second)]
            if not all(turns):
                chains.append({"asked": [first, second], "skipped": "the evidence gate answered without the model"})
                continue
            one, two = turns
            again = _through(timed, _unseen(timed.calls[-1].prompt))
            fixed = model.count(messages((), "")[:-1])
        chains.append({
            "asked": [first, second], "rewritten": two["standalone"], "fixed_tokens": fixed, "turns": [one, two],
            "passages_again": _again(one.pop("prompt"), two.pop("prompt")),
            "whole": round(two["whole_seconds"] / one["whole_seconds"], 3),
            "model_call": round(two["seconds"] / one["seconds"], 3),
            "model_call_processor": round(two["processor"] / one["processor"], 3),
            "same_prompt": round(two["seconds"] / again.seconds, 3),
            "same_prompt_processor": round(two["processor"] / again.processor, 3),
        })  # fmt: skip
        print(json.dumps(chains[-1]), file=sys.stderr, flush=True)
    measured = [chain for chain in chains if "turns" in chain]
    ratios = ("whole", "model_call", "model_call_processor", "same_prompt", "same_prompt_processor")
    pairs = [[turn[at] for at in ("whole_seconds", "seconds")] for chain in measured for turn in chain["turns"]]
    return {
        "conversations": len(measured),
        "follow_up_to_first_turn": {
            what: round(_median(two[at] for two in pairs[1::2]) / _median(one[at] for one in pairs[::2]), 3)
            for at, what in enumerate(("whole", "model_call"))
        },
        "median_of_pairs": {what: _median(chain[what] for chain in measured) for what in ratios},
        "worst_pair": {what: max(chain[what] for chain in measured) for what in ratios},
        "chains": chains,
    }


@contextmanager
def _answering(library: Library, model: LanguageModel) -> Iterator[None]:
    """Have a library's questions answered by a model for the length of a block."""
    before = library.live.answerer
    library.live.__dict__["answerer"] = replace(before, choose=lambda: model, route=None)  # where `rag.live` keeps it
    yield
    library.live.__dict__["answerer"] = before


def _turn(library: Library, timed: Timed, question: str, conversation: str) -> dict[str, Any]:
    """Ask one question; return what its first token took, or nothing where no model was asked."""
    before, began = len(timed.calls), time.monotonic()
    answer = library.ask(question, ["samples"], conversation_id=conversation)
    if answer.generation is None:
        return {}
    call = timed.calls[-1]
    return {
        "whole_seconds": round(call.at - began, 3), "seconds": round(call.seconds, 3), "processor": round(call.processor, 3),
        "cached": call.cached, "read": call.read, "model_calls": len(timed.calls) - before, "outcome": answer.outcome,
        "standalone": answer.standalone_question, "prompt": call.prompt,
    }  # fmt: skip


def _again(first: Sequence[Message], second: Sequence[Message]) -> dict[str, int]:
    """Return how many passages of the second prompt were in the first, in whichever place, and how many stand as they stood."""
    one, two = (message[-1].content.split("\n\n")[:-1] for message in (first, second))
    bare = {block.partition(" ")[2] for block in one}
    same = next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return {"sent": len(two), "sent_before": sum(block.partition(" ")[2] in bare for block in two), "in_place": same}


def _unseen(prompt: Sequence[Message]) -> list[Message]:
    """Return a prompt with a random word in front: nothing of it is in a cache."""
    return [replace(prompt[0], content=f"{secrets.token_hex(6)} {prompt[0].content}"), *prompt[1:]]


def _through(timed: Timed, prompt: Sequence[Message]) -> Call:
    """Ask through the adapter as `rag.answer` does, for a few tokens."""
    timed.count(prompt)
    for _ in timed.stream(prompt, max_tokens=FEW, schema=SCHEMA):
        pass
    return timed.calls[-1]


def _bare(host: str, pid: int, prompt: Sequence[Message]) -> Call:
    """Ask llama.cpp's server as any client would, for a few tokens."""
    request = {
        "messages": as_chat(prompt), "max_tokens": FEW, "temperature": 0, "stream": True,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    began, used, first = time.monotonic(), time.thread_time() + _used(pid), (0.0, 0.0)
    said: dict[str, Any] = {}
    head = {"Authorization": f"Bearer {KEY}"}
    with httpx.stream("POST", f"{host}/v1/chat/completions", json=request, headers=head, timeout=600) as response:
        for line in response.iter_lines():
            event = json.loads(line[6:]) if line.startswith("data: {") else {}
            if not first[0] and any(choice["delta"].get("content") for choice in event.get("choices", ())):
                first = time.monotonic(), time.thread_time() + _used(pid)
            said = event.get("timings", said)
    return Call(first[0] - began, first[1] - used, said["cache_n"], said["prompt_n"])


def _used(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _median(values: Any) -> float:
    return round(statistics.median(values), 3)


if __name__ == "__main__":
    raise SystemExit(main())
