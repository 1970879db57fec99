"""Stopping a question from outside: the model is quiet within a second, and answers the next question."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator, Iterator

import psutil
import pytest

from rag.errors import ModelBusy, ReadingRoomError, Stopped
from rag.llm import Completion, LanguageModel, Message
from rag.llm_embedded import EmbeddedModel
from rag.llm_ollama import OllamaModel
from rag.llm_openai import OpenAIModel
from rag.llm_transformers import TransformersModel
from rag.stop import Stop, current, stoppable
from rag.turns import Turns
from tests.local_server import serving
from tests.ollama_server import OllamaServer
from tests.openai_server import llama_server
from tests.rag.conftest import KEY

WINDOW = 4096
LONG = [Message("user", " ".join(f"w{number * 7919 % 9973}" for number in range(620)))]
"""About 3,000 tokens."""
STORY = [Message("user", "Write a long story about a lighthouse.")]
SHORT = [Message("user", "What is the capital of France?")]
QUIET = 0.25
"""Seconds of processor time that a process may use, in one second, and count as quiet: serving its port takes some."""


@pytest.fixture(scope="module")
def wide(smollm2: tuple[object, str]) -> Iterator[EmbeddedModel]:
    """The small model with a window of 4,096 tokens."""
    model = EmbeddedModel(smollm2[0], "smollm2", smollm2[1], window=WINDOW)  # type: ignore[arg-type]
    yield model
    model.close()


def started(model: LanguageModel, messages: list[Message], stop: Stop) -> tuple[threading.Thread, list[object]]:
    """Ask in a thread; return it and what came of the question, in order."""
    seen: list[object] = []

    def ask() -> None:
        try:
            seen.extend(stoppable((piece for piece in model.stream(messages, max_tokens=900)), stop))
        except ReadingRoomError as error:
            seen.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, seen


def used(pid: int | None) -> float:
    """Return the processor time that a process has used; for one that is gone, as much as before: nothing more."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def assert_quiet(pid: int | None) -> None:
    """The process uses no more processor time from one second after now."""
    time.sleep(1.0)
    before = used(pid)
    time.sleep(1.0)
    assert used(pid) - before < QUIET


def answered(model: LanguageModel) -> str:
    *_, last = model.stream(SHORT, max_tokens=12)
    assert isinstance(last, Completion)
    return last.text


def reading(pid: int | None, seconds: float = 0.4) -> None:
    """Wait until a process has used some processor time: it reads the prompt."""
    begin, until = used(pid), time.monotonic() + 60
    while used(pid) - begin < seconds:
        assert time.monotonic() < until, "the model does not begin to read"
        time.sleep(0.02)


def test_the_embedded_model_is_quiet_while_it_reads(wide: EmbeddedModel) -> None:
    """Stopped in the middle of reading 3,000 tokens, the question ends at once, its process is quiet, the next is answered."""
    wide.load()
    before = answered(wide)
    stop, pid = Stop(), wide.pid
    thread, seen = started(wide, LONG, stop)
    reading(pid)
    assert seen == []
    stop.set()
    assert_quiet(pid)
    thread.join(10)
    assert not thread.is_alive() and [type(item) for item in seen] == [Stopped]
    assert answered(wide) == before


def test_a_batch_that_takes_too_long_ends_the_process(
    smollm2: tuple[object, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no patience for the batch being read the process is ended; the next question starts it anew."""
    monkeypatch.setattr("rag.llm_embedded.STOP_SECONDS", 0.0)
    model = EmbeddedModel(smollm2[0], "smollm2", smollm2[1], window=WINDOW)  # type: ignore[arg-type]
    model.load()
    stop, pid = Stop(), model.pid
    thread, seen = started(model, LONG, stop)
    reading(pid)
    stop.set()
    thread.join(10)
    assert [type(item) for item in seen] == [Stopped] and "starts anew" in str(seen[0])
    assert pid is not None and not psutil.pid_exists(pid) and model.pid is None
    assert answered(model) and model.pid not in (None, pid)
    model.close()


def test_a_model_that_is_being_loaded_is_given_up(smollm2: tuple[object, str]) -> None:
    """Stopped while the model is loaded, the question that has it loaded, the one that waits for that and the process all end."""
    slow = (sys.executable, "-c", "import sys, time; sys.stdin.readline(); time.sleep(60)")
    model = EmbeddedModel(smollm2[0], "smollm2", smollm2[1], slow, window=WINDOW, slots=2)  # type: ignore[arg-type]
    me, stops = psutil.Process(), [Stop(), Stop()]
    before = set(me.children())
    asked = [started(model, SHORT, stop) for stop in stops]
    until = time.monotonic() + 60
    while not (loading := set(me.children()) - before):
        assert time.monotonic() < until, "the model is not loaded"
        time.sleep(0.02)
    for stop in stops:
        stop.set()
    for thread, seen in asked:
        thread.join(30)
        assert not thread.is_alive() and [type(item) for item in seen] == [Stopped]
    assert not any(process.is_running() for process in loading) and model.pid is None
    assert not set(me.children()) - before
    model.close()


def test_the_embedded_model_is_quiet_while_it_writes(wide: EmbeddedModel) -> None:
    """Stopped while it writes, it writes no more."""
    wide.load()
    stop, pid = Stop(), wide.pid
    thread, seen = started(wide, STORY, stop)
    until = time.monotonic() + 60
    while len(seen) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    assert_quiet(pid)
    thread.join(10)
    assert isinstance(seen[-1], Stopped) and not any(isinstance(item, Completion) for item in seen)


def test_a_stopped_question_leaves_the_one_beside_it_alone(
    smollm2: tuple[object, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two slots and no patience at all the process goes on, for it answers another question, which gets its whole answer."""
    monkeypatch.setattr("rag.llm_embedded.STOP_SECONDS", 0.0)
    model = EmbeddedModel(smollm2[0], "smollm2", smollm2[1], window=WINDOW, slots=2)  # type: ignore[arg-type]
    alone = list(model.stream(STORY, max_tokens=120))[-1]
    other = model.stream(STORY, max_tokens=120)
    next(other)
    stop, pid = Stop(), model.pid
    thread, seen = started(model, LONG, stop)
    time.sleep(0.3)
    stop.set()
    thread.join(20)
    assert [type(item) for item in seen] == [Stopped] and "starts anew" not in str(seen[0])
    *_, last = other
    assert isinstance(last, Completion) and isinstance(alone, Completion) and last.text == alone.text
    assert model.pid == pid is not None
    model.close()


def test_a_server_that_speaks_like_openai_is_hung_up_on(smollm2: tuple[object, str]) -> None:
    """The connection to llama.cpp's own server is closed, and it drops the prompt after the batch that it reads."""
    with llama_server(smollm2[0], WINDOW, KEY) as host:  # type: ignore[arg-type]
        model = OpenAIModel("", host, WINDOW, key=KEY)
        port = int(host.rpartition(":")[2])
        pid = next(
            item.pid for item in psutil.net_connections("tcp4") if item.laddr[1] == port and item.status == "LISTEN"
        )
        stop = Stop()
        thread, seen = started(model, LONG, stop)
        reading(pid, 1.0)
        stop.set()
        thread.join(5)
        assert [type(item) for item in seen] == [Stopped]
        until, quiet = time.monotonic() + 60, False  # how large its batches are is its own affair
        while not quiet and time.monotonic() < until:
            before = used(pid)
            time.sleep(1)
            quiet = used(pid) - before < QUIET
        assert quiet and answered(model)
        model.close()


def test_a_server_that_speaks_like_ollama_is_hung_up_on(wide: EmbeddedModel) -> None:
    """A stopped question ends while the server is silent, and the server sees that its connection was closed."""
    with serving(OllamaServer(wide, window=WINDOW, failing="silent")) as server:
        model = OllamaModel("smollm2:135m", server.host, WINDOW)
        model.load()
        stop, before = Stop(), len(server.requests)
        thread, seen = started(model, LONG, stop)
        until = time.monotonic() + 30
        while len(server.requests) == before and time.monotonic() < until:
            time.sleep(0.01)
        assert not server.stopped.wait(0.3)
        stop.set()
        assert server.stopped.wait(5)
        thread.join(5)
        assert [type(item) for item in seen] == [Stopped]
        model.close()


def test_transformers_stop_after_the_token_at_hand(tiny: object) -> None:
    """A stopped question ends with the token that is being computed."""
    model = TransformersModel(tiny)  # type: ignore[arg-type]
    model.load()
    stop = Stop()
    thread, seen = started(model, STORY, stop)
    while not seen and thread.is_alive():
        time.sleep(0.005)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert isinstance(seen[-1], Stopped | Completion)  # a tiny model may have finished
    model.close()


def test_a_stopped_question_leaves_the_queue() -> None:
    """Waiting for its turn, a stopped question goes and frees its place; another one can wait there."""
    turns = Turns("model", 1, 60)

    def waiting(stop: Stop) -> tuple[threading.Thread, list[type[Exception]]]:
        seen: list[type[Exception]] = []

        def take() -> Generator[None, None, None]:
            with turns.take():
                yield

        def ask() -> None:
            try:
                list(stoppable(take(), stop))
            except ReadingRoomError as error:
                seen.append(type(error))

        thread = threading.Thread(target=ask)
        thread.start()
        return thread, seen

    first, second, third = Stop(), Stop(), Stop()
    with turns.take():
        one, of_one = waiting(first)
        one.join(0.5)
        two, of_two = waiting(second)
        two.join(10)
        assert of_two == [ModelBusy] and of_one == []
        first.set()
        one.join(10)
        assert of_one == [Stopped]
        three, of_three = waiting(third)
        three.join(0.5)
        assert of_three == []
        third.set()
        three.join(10)
        assert of_three == [Stopped]


def test_each_step_has_the_stop_of_its_own_question() -> None:
    """Two questions whose steps alternate, and run in other threads, see their own Stop each; outside there is none."""

    def events() -> Generator[Stop, None, None]:
        while True:
            yield current()

    first, second = Stop(), Stop()
    one, two = stoppable(events(), first), stoppable(events(), second)
    seen: list[Stop] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: seen.extend((next(one), next(two))))
        thread.start()
        thread.join()
    assert seen == [first, second, first, second]
    assert current() not in (first, second)
    second.set()
    assert next(one) is first
    with pytest.raises(Stopped, match="cancelled"):
        next(two)
