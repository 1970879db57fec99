"""What is special to Ollama: what it is told, what it says, and all the recorded ways in which it fails."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from rag.errors import ModelError, PromptTooLong
from rag.llm import Message
from rag.llm_ollama import OllamaModel, find
from rag.model_host import refuse_cloud_name
from rag.ollama_server import OllamaServer as Connection
from tests.ollama_server import DIGEST, OllamaServer
from tests.rag.conftest import WINDOW
from tests.rag.test_llm_contract import QUESTION, SCHEMA, STORY, ask


def test_ollama_is_told_never_to_shorten(ollama_server: OllamaServer) -> None:
    """A chat request carries truncate and shift off, the window, temperature 0, and no `think` for a plain model."""
    with_schema = OllamaModel("smollm2:135m", ollama_server.host, 512)
    ask(with_schema, QUESTION, schema=SCHEMA, seed=7)
    with_schema.close()
    request = ollama_server.requests[-1][1]
    assert (request["truncate"], request["shift"], request["format"]) == (False, False, SCHEMA)
    options = request["options"]
    assert options.pop("stop") == ["<|im_start|>", "<|im_end|>"]
    assert options == {"temperature": 0, "seed": 7, "num_ctx": 512, "num_predict": 24}
    assert "think" not in request


def test_ollama_thinking_is_switched_off_where_it_exists(ollama_server: OllamaServer) -> None:
    """A model that can think is told not to: unset would mean on."""
    ollama_server.capabilities = ["completion", "thinking"]
    model = OllamaModel("smollm2:135m", ollama_server.host)
    ask(model, QUESTION)
    model.close()
    assert ollama_server.requests[-1][1]["think"] is False


def test_ollama_card_comes_from_the_server(ollama_server: OllamaServer) -> None:
    """Name, digest and window are the server's; the window is capped by the setting."""
    model = OllamaModel("smollm2:135m", ollama_server.host, 100_000)
    model.close()
    assert (model.card.digest, model.card.window) == (f"sha256:{DIGEST}", WINDOW)


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        ("busy", "busy"),
        ("endless", "went on after"),
        ("empty", "empty answer"),
        ("not-json", "does not speak like Ollama"),
        ("mid-stream", "GGML_ASSERT"),
        ("cut", "broke|stopped"),
    ],
)
def test_ollama_failures_are_errors_with_a_remedy(ollama_server: OllamaServer, failing: str, message: str) -> None:
    """A busy server, an error in the middle, a cut connection and a shortened prompt each raise a ModelError."""
    model = OllamaModel("smollm2:135m", ollama_server.host, busy_seconds=0.2)
    ollama_server.failing = failing
    with pytest.raises(ModelError, match=message) as caught:
        ask(model, QUESTION)
    assert caught.value.remedy
    model.close()


def test_a_prompt_that_the_server_shortens_is_noticed(ollama_server: OllamaServer) -> None:
    """A server that silently reads a quarter of a prompt answers as if nothing were missing; its own count betrays it."""
    ollama_server.failing = "drops"
    model = OllamaModel("smollm2:135m", ollama_server.host, WINDOW)
    with pytest.raises(ModelError, match=r"read \d+ tokens of a prompt of 1200 words: it dropped the rest") as caught:
        ask(model, [Message("user", "lighthouse " * 1200)])
    assert "larger window" in caught.value.remedy
    assert ask(model, QUESTION)[1].text
    model.close()


def test_ollama_closing_reaches_the_server(ollama_server: OllamaServer) -> None:
    """Closing the stream closes the connection, and the server stops generating."""
    model = OllamaModel("smollm2:135m", ollama_server.host)
    stream = model.stream(STORY, max_tokens=900)
    next(stream)
    ollama_server.stopped.clear()
    stream.close()  # type: ignore[attr-defined]
    model.close()
    assert ollama_server.stopped.wait(30)


@pytest.mark.parametrize("host", ["http://192.0.2.7:11434", "http://ollama.example:11434", "ftp://127.0.0.1", ""])
def test_ollama_elsewhere_is_refused_before_any_connection(host: str) -> None:
    """A server that is neither on loopback nor allowed by the settings is refused by name."""
    with pytest.raises(ModelError, match=r"not on this machine|not the address"):
        OllamaModel("smollm2:135m", host)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-oss:20b-cloud",
        "gpt-oss:cloud",
        "Qwen3:480B-Cloud",
        " gpt-oss:cloud ",
        "registry.example:5000/library/gpt-oss:cloud",
        "gpt-oss:120b-cloud@sha256:ab",
    ],
)
def test_ollama_cloud_models_are_refused_before_anything_is_sent(ollama_server: OllamaServer, name: str) -> None:
    """A model that Ollama forwards to its vendor is refused without a request."""
    for opening in (lambda: OllamaModel(name, ollama_server.host), lambda: find(name, ollama_server.host)):
        with pytest.raises(ModelError, match="does not run on this machine"):
            opening()
    assert ollama_server.requests == []


def test_ollama_remote_stubs_are_refused(ollama_server: OllamaServer) -> None:
    """A model with a harmless name that lives on another host is refused; only the list of models was read."""
    with pytest.raises(ModelError, match="does not run on this machine"):
        OllamaModel("plain-name", ollama_server.host)
    assert [path for path, _ in ollama_server.requests] == ["/api/tags"]


def test_ollama_missing_model_says_how_to_get_it(ollama_server: OllamaServer) -> None:
    """A model the server doesn't have raises ModelError with the command that fetches it."""
    with pytest.raises(ModelError, match="ollama pull nope:1b"):
        OllamaModel("nope:1b", ollama_server.host)
    with pytest.raises(ModelError, match="near: smollm2:135m"):
        OllamaModel("smollm2:13b", ollama_server.host)
    with pytest.raises(ModelError, match="ollama pull plain-nam`") as refused:
        OllamaModel("plain-nam", ollama_server.host)
    assert "plain-name" not in refused.value.remedy, "a stub of its vendor's is not near"


def test_find_gives_none_where_there_is_nothing_to_use(ollama_server: OllamaServer) -> None:
    """No server, another program on that port, or a server without the model: None; with it: the model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert find("smollm2:135m", nobody) is None
        with pytest.raises(ModelError, match="ollama serve"):
            OllamaModel("smollm2:135m", nobody)
    assert find("nope:1b", ollama_server.host) is None
    found = find("smollm2:135m", ollama_server.host)
    assert found is not None
    assert ask(found, QUESTION)[1].text
    found.close()
    ollama_server.failing = "html"
    assert find("smollm2:135m", ollama_server.host) is None


def test_the_model_is_loaded_first_and_its_real_window_believed(ollama_server: OllamaServer) -> None:
    """Before the first question the model is loaded with our window and time to stay; what ps says then is the window."""
    ollama_server.most = 768
    model = OllamaModel("smollm2:135m", ollama_server.host, WINDOW, keep_seconds=600)
    assert model.card.window == WINDOW
    ask(model, QUESTION)
    assert model.card.window == 768
    loads = [body for path, body in ollama_server.requests if path == "/api/chat" and not body["messages"]]
    assert [(body["options"], body["keep_alive"]) for body in loads] == [({"num_ctx": WINDOW}, "600s")]
    assert ollama_server.requests[-1][1]["options"]["num_ctx"] == 768
    ask(model, QUESTION)
    assert sum(path == "/api/chat" and not body["messages"] for path, body in ollama_server.requests) == 1
    model.unload()
    assert (ollama_server.keep, ollama_server.loaded) == (0, 0)
    ollama_server.most, long = 512, [Message("user", "lighthouse " * 150)]
    with pytest.raises(PromptTooLong, match="loaded smollm2:135m with 512 tokens only"):
        ask(model, long, max_tokens=400)  # the answer would have been cut
    assert not ollama_server.requests[-1][1] or not ollama_server.requests[-1][1]["messages"]
    model.close()


@pytest.mark.parametrize(("setting", "sent"), [("off", False), ("on", True), ("low", "low"), ("high", "high")])
def test_thinking_off_on_or_by_level(ollama_server: OllamaServer, setting: Any, sent: object) -> None:
    """A model that can think is told how much; what it thinks is kept apart from its answer."""
    ollama_server.capabilities, ollama_server.thinks = ["completion", "thinking"], ["France, ", "so Paris."]
    model = OllamaModel("smollm2:135m", ollama_server.host, thinking=setting)
    pieces, last = ask(model, QUESTION)
    model.close()
    assert ollama_server.requests[-1][1]["think"] == sent
    assert last.thinking == ("France, so Paris." if sent else "")
    assert "".join(pieces) == last.text and "France, so" not in last.text[:10]


def test_a_model_without_levels_of_thinking_thinks(ollama_server: OllamaServer) -> None:
    """Most models that think have no levels, and their server refuses one: they are told to think, and the note says so."""
    ollama_server.capabilities, ollama_server.thinks = ["completion", "thinking"], ["France, ", "so Paris."]
    ollama_server.levels = False
    model = OllamaModel("smollm2:135m", ollama_server.host, thinking="low")
    last = ask(model, QUESTION)[1]
    assert [sent["think"] for path, sent in ollama_server.requests if path == "/api/chat" and sent["messages"]] == [
        "low",
        True,
    ]
    assert last.thinking == "France, so Paris." and last.text
    assert last.note == "The model has no levels of thinking; it was told to think, not how much (low)."
    model.close()


def test_a_name_without_a_tag_has_the_profile_of_its_family(ollama_server: OllamaServer) -> None:
    """Ollama's `mistral` is `mistral:latest`, Mistral 7B, whose template takes no system message."""
    ollama_server.name, ollama_server.says = "mistral:latest", ["Paris."]
    model = OllamaModel("mistral", ollama_server.host)
    ask(model, QUESTION)
    assert [message["role"] for message in ollama_server.requests[-1][1]["messages"]] == ["user"]
    model.close()


def test_thinking_between_tags_is_kept_apart(ollama_server: OllamaServer) -> None:
    """A model that its server does not know as one that thinks writes its thinking into the text."""
    ollama_server.says = ["<think>France", "</think>\n\n", "Paris."]
    model = OllamaModel("smollm2:135m", ollama_server.host)
    last = ask(model, QUESTION)[1]
    model.close()
    assert (last.text, last.thinking) == ("Paris.", "France")


def test_an_embedding_model_is_recognised(ollama_server: OllamaServer) -> None:
    """A model that can only embed is refused when it is opened, and a vision model is known as one."""
    ollama_server.capabilities = ["embedding"]
    with pytest.raises(ModelError, match=r"can't answer, only embedding.*Choose a chat model\.$"):
        OllamaModel("smollm2:135m", ollama_server.host)
    ollama_server.others = {"smollm2:360m": ["completion"], "all-minilm:22m": ["embedding"], "qwen3:4b": ["completion"]}
    with pytest.raises(ModelError, match=r"Choose a chat model; the server has smollm2:360m, qwen3:4b\.$"):
        OllamaModel("smollm2:135m", ollama_server.host)
    assert {path for path, _ in ollama_server.requests} == {"/api/tags", "/api/show"}
    ollama_server.capabilities = ["completion", "vision"]
    model = OllamaModel("smollm2:135m", ollama_server.host)
    model.close()
    assert "vision" in model.capabilities


def test_what_is_on_record(ollama_server: OllamaServer) -> None:
    """Digest, quantisation, the server's version and a hash of the template are on the card."""
    model = OllamaModel("smollm2:135m", ollama_server.host)
    model.close()
    card = model.card
    assert (card.quantisation, card.runtime) == ("Q4_1", "ollama 0.0.0")
    assert card.digest == f"sha256:{DIGEST}"


def test_a_load_that_must_wait_is_tried_again(ollama_server: OllamaServer) -> None:
    """503 while another model is being loaded is not the end: the request is repeated for a while."""
    ollama_server.failing = "loading"
    model = OllamaModel("smollm2:135m", ollama_server.host, busy_seconds=5)
    assert ask(model, QUESTION)[1].text
    model.close()


def test_a_slow_load_ends_at_the_time_out(ollama_server: OllamaServer) -> None:
    """A server that says nothing for longer than the time-out raises ModelError, and the next question is answered."""
    model = OllamaModel("smollm2:135m", ollama_server.host, answer_seconds=0.5)
    ollama_server.failing = "slow"
    with pytest.raises(ModelError, match="no answer in time"):
        ask(model, QUESTION)
    model.close()
    ollama_server.failing = ""
    again = OllamaModel("smollm2:135m", ollama_server.host)
    assert ask(again, QUESTION)[1].text
    again.close()


def test_a_load_that_is_too_slow_ends_at_the_time_out(ollama_server: OllamaServer) -> None:
    """The time-out counts while the model is being loaded, too."""
    ollama_server.failing = "slow-load"
    model = OllamaModel("smollm2:135m", ollama_server.host, answer_seconds=0.5)
    with pytest.raises(ModelError, match="no answer in time"):
        ask(model, QUESTION)
    model.close()


def test_a_program_that_says_nothing_is_given_up(ollama_server: OllamaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What listens on the port and never speaks is given up long before an answer would be."""
    monkeypatch.setattr("rag.ollama_server.LOOK_SECONDS", 0.3)
    ollama_server.failing = "mute"
    with pytest.raises(ModelError, match=r"no answer in time.*see what runs on that port"):
        OllamaModel("smollm2:135m", ollama_server.host)
    assert ollama_server.stopped.wait(5)


def test_a_model_that_was_unloaded_or_loaded_otherwise_is_loaded_again(ollama_server: OllamaServer) -> None:
    """Before each question ps is asked: a model that left the memory, or has another window there, is loaded with ours."""
    model = OllamaModel("smollm2:135m", ollama_server.host, WINDOW)
    for meanwhile in (0, 256):  # unloaded when nobody asked; loaded by another program
        ask(model, QUESTION)
        assert (ollama_server.loaded, model.loaded) == (WINDOW, True)
        ollama_server.loaded = meanwhile
    assert ask(model, QUESTION)[1].text and ollama_server.loaded == WINDOW == model.card.window
    loads = [body for path, body in ollama_server.requests if path == "/api/chat" and not body["messages"]]
    assert len(loads) == 3
    model.close()


def test_the_digest_of_an_answer_is_that_of_the_model_that_gave_it(ollama_server: OllamaServer) -> None:
    """A model pulled anew under its name while it is open is on the card of the next answer; one that now lives elsewhere gets
    no question."""
    model = OllamaModel("smollm2:135m", ollama_server.host, WINDOW)
    ollama_server.digest = "ab" * 32
    ask(model, QUESTION)
    assert model.card.digest == "sha256:" + "ab" * 32
    ollama_server.remote = True
    asked = len(ollama_server.requests)
    with pytest.raises(ModelError, match="does not run on this machine"):
        ask(model, QUESTION)
    assert [path for path, _ in ollama_server.requests[asked:]] == ["/api/tags"]
    model.close()


def test_a_model_without_a_chat_template_is_refused(ollama_server: OllamaServer) -> None:
    """A base model would only go on with the text; one whose prompts the server writes by a renderer has that template too."""
    ollama_server.template, ollama_server.others = "{{ .Prompt }}", {"qwen3:4b": ["completion"]}
    with pytest.raises(ModelError, match=r"has no chat template.*the server has qwen3:4b"):
        OllamaModel("smollm2:135m", ollama_server.host)
    ollama_server.modelfile = "FROM x\nTEMPLATE {{ .Prompt }}\nRENDERER qwen3-vl-instruct\nPARSER qwen3-vl-instruct\n"
    OllamaModel("smollm2:135m", ollama_server.host).close()


def test_an_unknown_model_gets_defaults_from_its_template(ollama_server: OllamaServer) -> None:
    """A template that never speaks of a system message would drop the instructions: they go into the first question."""
    ollama_server.name = "nobodys-model:1b"
    for template, roles in (
        ("[INST] {{ .Prompt }} [/INST]", ["user"]),
        ("{{ .System }} {{ .Prompt }}", ["system", "user"]),
    ):
        ollama_server.template = template
        model = OllamaModel("nobodys-model:1b", ollama_server.host)
        ask(model, QUESTION)
        model.close()
        assert [message["role"] for message in ollama_server.requests[-1][1]["messages"]] == roles


def test_a_full_queue_is_refused_by_ourselves(ollama_server: OllamaServer) -> None:
    """Requests to a loaded model wait without limit in Ollama, so the limit is ours."""
    model = OllamaModel("smollm2:135m", ollama_server.host, waiting=0)
    stream = model.stream(STORY, max_tokens=200)
    next(stream)
    with pytest.raises(ModelError, match="busy"):
        ask(model, QUESTION)
    stream.close()  # type: ignore[attr-defined]
    model.close()


def test_pull_shows_progress_and_fails_in_words(ollama_server: OllamaServer) -> None:
    """A pull reports bytes done and total; a failure is a line under status 200 and becomes ModelError."""
    connection, seen = Connection(ollama_server.host), []
    connection.pull("smollm2:135m", lambda stage, done, total: seen.append((stage, done, total)))
    assert ("pulling fd5f44c0b5af", 98362432, 98362432) in seen
    assert seen[-1][0] == "success"
    with pytest.raises(ModelError, match=r"can't fetch llama3\.2"):
        connection.pull("llama3.2", lambda *_: None)
    with pytest.raises(ModelError, match="does not run on this machine"):
        connection.pull("gpt-oss:20b-cloud", lambda *_: None)
    connection.close()


def test_cloud_that_is_not_disabled_is_seen(ollama_server: OllamaServer) -> None:
    """The server says whether it may send things to its vendor; an old one that can't say counts as one that may."""
    connection = Connection(ollama_server.host)
    for said in (True, False, None):
        ollama_server.cloud_disabled = said
        assert connection.cloud_disabled() == bool(said)
    connection.close()


def test_recorded_refusals_are_understood(data: Path) -> None:
    """Every recorded error of a real server becomes a ModelError with a remedy; too long prompts are told apart."""
    connection = Connection("http://127.0.0.1:11434")
    lines = (data / "ollama" / "recorded.jsonl").read_text(encoding="utf-8").splitlines()
    recorded = [json.loads(line) for line in lines]
    refused = [item for item in recorded if item["status"] >= 400 and item["path"].startswith("/api/")]
    assert len(refused) > 10
    for item in refused:
        error = connection.refusal(item["status"], item["body"], "a-model")
        assert error.remedy and "{" not in error.message, item["name"]
        assert isinstance(error, PromptTooLong) == item["name"].startswith("overlong"), item["name"]
    connection.close()


def test_a_name_may_hold_the_word_cloud() -> None:
    """Only the tag decides whether Ollama sends a model's prompts away."""
    refuse_cloud_name("cloud-notes:7b")
