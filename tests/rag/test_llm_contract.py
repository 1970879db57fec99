"""The contract of `rag.llm.LanguageModel` on every adapter, and what is special to each; real models throughout."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rag.errors import ModelError, PromptTooLong
from rag.kept_prompt import to_forget
from rag.llm import Completion, LanguageModel, Message
from rag.llm_embedded import BATCH_TOKENS, EmbeddedModel
from rag.llm_ollama import OllamaModel
from rag.llm_openai import OpenAIModel
from rag.llm_transformers import TransformersModel
from rag.token_estimate import estimate_tokens
from tests.rag.conftest import KEY, WINDOW

QUESTION = [Message("system", "Answer in one sentence."), Message("user", "What is the capital of France?")]
SHORTER, LONGER = [Message("user", "One.")], [Message("user", "One, two, three, four, five.")]
STORY = [Message("user", "Write a long story about a lighthouse.")]
SCHEMA = {
    "type": "object",
    "properties": {"capital": {"type": "string", "maxLength": 40}},
    "required": ["capital"],
    "additionalProperties": False,
}


@pytest.fixture(params=["embedded", "ollama", "openai", "transformers"])
def model(request: pytest.FixtureRequest, embedded: EmbeddedModel) -> Iterator[LanguageModel]:
    """Each adapter in turn."""
    if request.param == "embedded":
        yield embedded
        return
    opened: LanguageModel
    if request.param == "ollama":
        opened = OllamaModel("smollm2:135m", request.getfixturevalue("ollama_server").host, 4096)
    elif request.param == "transformers":
        opened = TransformersModel(request.getfixturevalue("tiny"))
    else:
        opened = OpenAIModel("", request.getfixturevalue("llama_cpp"), 4096, key=KEY)
    yield opened
    opened.close()


def ask(model: LanguageModel, messages: list[Message], **options: object) -> tuple[list[str], Completion]:
    *pieces, last = model.stream(messages, **{"max_tokens": 24, **options})  # type: ignore[arg-type]
    assert isinstance(last, Completion)
    assert all(isinstance(piece, str) for piece in pieces)
    return [str(piece) for piece in pieces], last


def test_streams_pieces_then_one_completion(model: LanguageModel) -> None:
    """The text comes in pieces, and the completion, last, holds all of it with its token counts."""
    pieces, last = ask(model, QUESTION)
    assert len(pieces) > 1
    assert "".join(pieces) == last.text
    assert 0 < last.generated <= 24
    assert last.finish in ("stop", "length")
    assert 0 < last.evaluated <= last.sent


def test_the_same_question_gives_the_same_answer(model: LanguageModel) -> None:
    """At temperature 0 an answer repeats, also after another question has used the model."""
    first = ask(model, QUESTION)[1].text
    ask(model, STORY)
    assert ask(model, QUESTION)[1].text == first


def test_counts_what_is_sent(model: LanguageModel) -> None:
    """`sent` is what `count` says; llama.cpp counts exactly, the estimate for Ollama is not too low."""
    sent = model.count(QUESTION)
    last = ask(model, QUESTION)[1]
    assert last.sent == sent
    if model.card.backend != "ollama":
        assert last.evaluated == sent


def test_a_beginning_that_was_read_before_is_not_read_again(model: LanguageModel) -> None:
    """Asked another question behind the same passage, llama.cpp reads the question alone, and says so; no other count changes."""
    passage = "The ferry leaves at nine o'clock from the east quay. " * 30
    ask(model, [Message("user", f"{passage}\n\nWhen does it leave?")])
    prompt = [Message("user", f"{passage}\n\nFrom which quay does it leave?")]
    sent, last = model.count(prompt), ask(model, prompt)[1]
    if model.card.backend in ("embedded", "openai"):
        assert sent == last.evaluated > last.cached > 80
    else:
        assert last.cached == 0  # they don't say


def test_a_prompt_is_counted_by_its_own_words(model: LanguageModel) -> None:
    """The count of one prompt is not taken for that of another."""
    short, long = model.count(SHORTER), model.count(LONGER)
    assert short < long and (model.count(SHORTER), model.count(LONGER)) == (short, long)


def test_a_schema_gives_json_of_that_schema(model: LanguageModel) -> None:
    """With a schema the text is JSON of that schema, or the completion says that nothing held the model to it."""
    if model.card.backend == "transformers":
        assert "only asked" in ask(model, QUESTION, schema=SCHEMA)[1].note
        return
    value = json.loads(ask(model, QUESTION, schema=SCHEMA, max_tokens=80)[1].text)
    assert list(value) == ["capital"]
    assert isinstance(value["capital"], str)


def test_too_long_a_prompt_is_refused_not_cut(model: LanguageModel) -> None:
    """A prompt over the window raises PromptTooLong, and the model goes on answering."""
    with pytest.raises(PromptTooLong):
        ask(model, [Message("user", "lighthouse " * (WINDOW + 100))])
    assert ask(model, QUESTION)[1].text


def test_closing_the_stream_stops_the_generation(model: LanguageModel) -> None:
    """After a stream was closed early the next question is answered at once, though the story was far from finished."""
    stream = model.stream(STORY, max_tokens=900)
    assert isinstance(next(stream), str)
    stream.close()  # type: ignore[attr-defined]
    assert ask(model, QUESTION)[1].finish


def test_questions_from_several_threads_all_get_their_answer(model: LanguageModel) -> None:
    """Questions asked at the same time wait for each other and give what each gives alone."""
    alone = [ask(model, [Message("user", f"Count to {n}.")])[1].text for n in (2, 3, 4)]
    together: dict[int, str] = {}
    threads = [
        threading.Thread(
            target=lambda n=n: together.update({n: ask(model, [Message("user", f"Count to {n}.")])[1].text})
        )
        for n in (2, 3, 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[n] for n in (2, 3, 4)] == alone


def test_markers_of_the_chat_template_in_a_text_are_plain_text(embedded: EmbeddedModel) -> None:
    """A document can't end its message and speak as the system: a marker in it is counted as plain characters."""
    plain = embedded.count([Message("user", "a b")])
    assert embedded.count([Message("user", "a <|im_end|> b")]) > plain + 3


def test_what_was_asked_before_does_not_change_an_answer(smollm2: tuple[Path, str]) -> None:
    """A prompt gets the same words from a fresh process and from one that has read other prompts with the same beginning, whose
    batches it keeps."""
    berths = [
        f"{n}. Berth number {n} is {40 + n * 7 % 23} metres long and costs EUR {n * 131 % 977} a day."
        for n in range(24)
    ]
    rules = "\n".join(berths)

    def prompt(berth: int) -> list[Message]:
        long = f"The harbour office gives berth {berth} to whoever asks first. " * (5 + berth)
        return [
            Message("system", "Answer shortly."),
            Message("user", f"{rules}\n\n{long}\n\nTell a long story about the ships at berth {berth}."),
        ]

    def said(model: EmbeddedModel, berth: int) -> Completion:
        *_, done = model.stream(prompt(berth), max_tokens=150)
        assert isinstance(done, Completion)
        return done

    with closing(EmbeddedModel(smollm2[0], "smollm2", smollm2[1])) as warm:
        asked = [1, 2, 3, 2, 4, 1]
        found = [said(warm, berth) for berth in asked]
    assert all(one.cached >= 2 * BATCH_TOKENS for one in found[1:]), "the rules are not read again"
    assert all(one.cached % BATCH_TOKENS == 0 for one in found), (
        "else the numbers of a batch depend on what was asked before"
    )
    cold = {}
    for berth in sorted(set(asked)):
        with closing(EmbeddedModel(smollm2[0], "smollm2", smollm2[1])) as fresh:
            cold[berth] = said(fresh, berth)
            assert cold[berth].cached == 0
    assert [one.text for one in found] == [cold[berth].text for berth in asked]


@pytest.mark.parametrize(
    ("kept", "tokens", "short"),
    [
        ([], [1, 2, 3], None),  # a fresh process
        ([1, 2, 3, 4, 5, 9], [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 1]),  # five alike: two batches of two stay
        ([1, 2, 3, 4, 9], [1, 2, 3, 4, 5, 6], None),  # they differ where a batch ends
        ([1, 2, 3, 4], [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 1]),  # behind it stands what the model wrote
        ([1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 1]),  # the same again: its last batch is read anew
        ([9, 8], [1, 2], None),
    ],
)
def test_only_whole_batches_of_a_prompt_are_kept(kept: list[int], tokens: list[int], short: list[int] | None) -> None:
    """What is alike is kept up to the end of a batch; a prompt that goes on otherwise there makes the process forget the rest."""
    assert to_forget(kept, tokens, 2) == short


def test_a_model_that_thinks_is_told_not_to(smollm2: tuple[Path, str]) -> None:
    """llama.cpp takes the word for the chat template, counting and asking; this template does nothing with it."""
    plain = EmbeddedModel(smollm2[0], "smollm2", "", window=WINDOW)
    thinking = EmbeddedModel(smollm2[0], "qwen3-4b", "", window=WINDOW)
    said = [ask(model, QUESTION)[1] for model in (plain, thinking)]
    assert said[0].text == said[1].text and said[1].sent == said[1].evaluated
    plain.close()
    thinking.close()


def test_a_full_queue_is_said_at_once(smollm2: tuple[Path, str]) -> None:
    """With no place to wait a second question is refused as busy while the first is being answered."""
    model = EmbeddedModel(smollm2[0], "smollm2", "", window=WINDOW, waiting=0)
    stream = model.stream(STORY, max_tokens=200)
    next(stream)
    with pytest.raises(ModelError, match="busy"):
        ask(model, QUESTION)
    stream.close()  # type: ignore[attr-defined]
    assert ask(model, QUESTION)[1].text
    model.close()


def test_slots_answer_at_the_same_time(smollm2: tuple[Path, str]) -> None:
    """With two slots a second question is answered while the first is being written, each with a whole window, and both as when
    alone; a third is refused, and closing one stream leaves the other alone."""
    model = EmbeddedModel(smollm2[0], "smollm2", "", window=WINDOW, waiting=0, slots=2)
    alone = ask(model, QUESTION)[1].text
    long_prompt = [Message("user", "lighthouse " * (WINDOW // 2))]
    assert model.count(long_prompt) > WINDOW // 2
    stream = model.stream(STORY, max_tokens=400)
    first = [next(stream)]
    assert ask(model, QUESTION)[1].text == alone
    second = model.stream(long_prompt, max_tokens=24)
    next(second)
    with pytest.raises(ModelError, match="busy"):
        ask(model, QUESTION)
    second.close()  # type: ignore[attr-defined]
    first += list(stream)
    assert isinstance(first[-1], Completion)
    assert first[-1].text == ask(model, STORY, max_tokens=400)[1].text
    model.close()


def test_a_model_over_its_memory_limit_is_refused_in_words(smollm2: tuple[Path, str]) -> None:
    """A file larger than the limit is not even opened; one whose window needs too much ends while loading; both are errors that
    say what to change, and within the limit it answers."""
    model = EmbeddedModel(smollm2[0], "smollm2", "", window=WINDOW, memory=90_000_000)
    with pytest.raises(
        ModelError, match=r"does not fit: its file has 98 MB.*`answer\.memory_mb` allows 90 MB.*recommend"
    ):
        ask(model, QUESTION)
    assert model.pid is None
    wide = EmbeddedModel(smollm2[0], "smollm2", "", window=WINDOW * 64, memory=700_000_000)  # 3 GB of KV cache
    with pytest.raises(ModelError, match=r"can't be loaded.*raise `answer\.memory_mb`"):
        ask(wide, QUESTION)
    assert wide.pid is None
    within = EmbeddedModel(smollm2[0], "smollm2", "", window=WINDOW, memory=700_000_000)
    assert ask(within, QUESTION)[1].text
    within.close()


def test_a_model_file_without_a_chat_template_is_refused(smollm2: tuple[Path, str], tmp_path: Path) -> None:
    """A base model has no chat template; llama.cpp would put one of its own in its place and the model would ramble."""
    path = tmp_path / "base.gguf"
    # the key is renamed in place, so the file stays sound
    path.write_bytes(smollm2[0].read_bytes().replace(b"tokenizer.chat_template", b"tokenizer.chat_templatX", 1))
    with pytest.raises(ModelError, match=r"base has no chat template.*instruct variant"):
        ask(EmbeddedModel(path, "base", "", window=WINDOW), QUESTION)


def test_a_killed_process_is_an_error_and_a_restart(smollm2: tuple[Path, str]) -> None:
    """kill -9 of the model's process in the middle of an answer raises ModelError; the next question starts it anew."""
    model = EmbeddedModel(smollm2[0], "smollm2", "", window=WINDOW)
    stream = model.stream(STORY, max_tokens=900)
    next(stream)
    killed = model.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(ModelError, match=r"killed by signal 9.*Ask again"):
        list(stream)
    assert ask(model, QUESTION)[1].text
    assert model.pid not in (None, killed)
    model.close()


def test_an_idle_process_ends_and_starts_again(smollm2: tuple[Path, str]) -> None:
    """The process ends when nobody asks for a while, and the next question starts it again."""
    model = EmbeddedModel(smollm2[0], "smollm2", "", window=WINDOW, idle_seconds=0.2)
    ask(model, QUESTION)
    deadline = time.monotonic() + 30
    while model.pid is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert model.pid is None
    assert ask(model, QUESTION)[1].text
    model.close()


def test_a_file_that_was_replaced_meanwhile_is_not_loaded(smollm2: tuple[Path, str], tmp_path: Path) -> None:
    """The process ends when idle and starts anew; with another file then, the digest on record would be wrong."""
    path = tmp_path / "mine.gguf"
    path.write_bytes(smollm2[0].read_bytes())
    model = EmbeddedModel(path, "mine", smollm2[1], window=WINDOW)
    assert model.count(QUESTION)
    assert model.pid is not None
    path.touch()
    assert model.count(SHORTER), "the process has loaded the file before"
    os.kill(model.pid, signal.SIGKILL)
    with pytest.raises(ModelError):  # that its process was killed
        model.count(LONGER)
    with pytest.raises(ModelError, match=r"mine\.gguf was replaced.*models verify"):
        ask(model, QUESTION)
    assert model.pid is None
    model.close()


def test_a_closed_model_ends_its_process_and_says_so(smollm2: tuple[Path, str]) -> None:
    """After close() the process is gone and a question raises ModelError."""
    model = EmbeddedModel(smollm2[0], "smollm2", "", window=WINDOW)
    model.count(QUESTION)
    pid = model.pid
    assert pid is not None
    model.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ModelError, match="closed"):
        ask(model, QUESTION)


def test_the_key_is_not_in_the_command_line(embedded: EmbeddedModel) -> None:
    """The server's key and the model's path are handed over by standard input, not by arguments others can read."""
    embedded.count(QUESTION)
    arguments = Path(f"/proc/{embedded.pid}/cmdline").read_bytes().decode().split("\0")
    assert [a for a in arguments[1:] if a] == ["-m", "rag.llama_process"]


@pytest.mark.parametrize("content", [b"GGUF" + bytes(1000), b"no model at all", b""])
def test_a_broken_model_file_is_named(content: bytes, tmp_path: Path) -> None:
    """A file that is no model raises ModelError that names the file and says what to do."""
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.gguf can't be loaded.*readingroom models verify"):
        ask(EmbeddedModel(path, "broken", ""), QUESTION)


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    """A model file that is gone raises ModelError before any process starts."""
    with pytest.raises(ModelError, match=r"gone\.gguf does not exist"):
        ask(EmbeddedModel(tmp_path / "gone.gguf", "gone", ""), QUESTION)


@pytest.mark.parametrize(
    "text",
    [
        "The tenant may end the lease with notice of three months. " * 20,
        "\n".join(f"| Net sales {n} | {n * 7919 % 99999:,} | {n % 100:02}.5 % |" for n in range(60)),
        "Die Datenschutz-Grundverordnung enthält Vorschriften über Übergangsmaßnahmen. " * 10,
        "def count(self, messages):\n    return len(self._post(client, '/tokenize', asked)['tokens'])\n" * 10,
    ],
)
def test_the_estimate_for_ollama_is_not_below_a_real_tokenizer(embedded: EmbeddedModel, text: str) -> None:
    """Prose, tables, German and code: the estimate is at least what a real tokenizer counts, and at most double."""
    real = embedded.count([Message("user", text)]) - embedded.count([Message("user", "")])
    assert real <= estimate_tokens(text) <= 2 * real
