"""What is special to OpenAI-compatible servers: who they are, what they leave out, and every way in which they fail."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rag.embed_server import openai_embedder
from rag.errors import ModelError, PromptTooLong, ReadingRoomError, SettingsError
from rag.llm import Completion, Message
from rag.llm_openai import OpenAIModel
from rag.model_host import checked_host, read_key
from rag.openai_connection import OpenAIConnection
from tests.local_server import serving
from tests.openai_server import OpenAIServer

COMPLETIONS = "/v1/chat/completions"
QUESTION = [Message("system", "Answer in one word."), Message("user", "What is the capital of France?")]
SCHEMA = {"type": "object", "properties": {"capital": {"type": "string"}}, "required": ["capital"]}


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with serving(OpenAIServer()) as running:
        yield running


def ask(server: OpenAIServer, **options: object) -> tuple[list[str], Completion]:
    """Open the server's only model, ask it, close it."""
    model = OpenAIModel("", server.host, load_seconds=5.0)
    try:
        *pieces, last = model.stream(QUESTION, **{"max_tokens": 24, **options})  # type: ignore[arg-type]
    finally:
        model.close()
    assert isinstance(last, Completion)
    return [str(piece) for piece in pieces], last


@pytest.mark.parametrize(
    ("kind", "name", "window", "runtime"),
    [
        ("vllm", "Qwen/Qwen3-4B", 2048, "vllm 0.11.0"),
        ("lmstudio", "qwen3-4b", 2048, "LM Studio"),
        ("ollama", "qwen3:4b", 4096, "ollama 0.12.0"),
        ("", "tiny-model", 8192, ""),
    ],
)
def test_the_card_says_what_the_server_says(
    server: OpenAIServer, kind: str, name: str, window: int, runtime: str
) -> None:
    """Window, program and version come from whatever the server tells; the settings' window where it tells none."""
    server.kind, server.models = kind, [name]
    model = OpenAIModel("", server.host, 8192)
    model.close()
    assert (model.card.backend, model.card.name) == ("openai", name)
    assert (model.card.window, model.card.runtime) == (window, runtime)


def test_vllm_counts_with_its_own_tokenizer(server: OpenAIServer) -> None:
    """Where the server counts, a prompt over the window is refused before it is sent."""
    server.kind = "vllm"
    model = OpenAIModel("", server.host, 8192)
    with pytest.raises(PromptTooLong, match="2048"):
        list(model.stream([Message("user", "word " * 3000)], max_tokens=24))
    model.close()
    assert "/v1/chat/completions" not in [path for path, _, _ in server.requests]


def test_a_cloud_model_in_the_list_is_neither_near_nor_taken(server: OpenAIServer) -> None:
    """Ollama's /v1 lists what its vendor would answer beside the rest: it is never named as a way out."""
    server.kind, server.models = "ollama", ["gpt-oss:120b-cloud", "gpt-oss:20b"]
    only = OpenAIModel("", server.host)
    assert only.card.name == "gpt-oss:20b"
    only.close()
    with pytest.raises(ModelError, match=r"no model gpt-oss:120b\. Near it: gpt-oss:20b\.$"):
        OpenAIModel("gpt-oss:120b", server.host)
    server.models = ["gpt-oss:120b-cloud"]
    with pytest.raises(ModelError, match="no model loaded"):
        OpenAIModel("", server.host)


def test_a_model_is_found_by_the_last_part_of_its_path(server: OpenAIServer) -> None:
    """llama.cpp calls a model by its file's path; its name on record is without the folders of the machine."""
    server.models = ["/home/someone/models/tiny-Q4_K_M.gguf", "other"]
    model = OpenAIModel("tiny-Q4_K_M", server.host)
    model.close()
    assert model.card.name == "tiny-Q4_K_M"


def test_a_wrong_name_is_answered_with_the_nearest(server: OpenAIServer) -> None:
    """A model that the server doesn't have raises ModelError with the names that are near."""
    server.models = ["qwen3-4b", "llama-3.2-3b", "nomic-embed"]
    with pytest.raises(ModelError, match=r"no model qwen3-4B\. Near it: qwen3-4b"):
        OpenAIModel("qwen3-4B", server.host)
    with pytest.raises(ModelError, match=r"has 3 models.*openai_model"):
        OpenAIModel("", server.host)
    server.models = []
    with pytest.raises(ModelError, match="no model loaded"):
        OpenAIModel("", server.host)


def test_thinking_in_its_own_field_is_kept_apart(server: OpenAIServer) -> None:
    """`reasoning_content` never reaches the answer, neither streamed nor in the end."""
    server.deltas = [{"reasoning_content": "France, so"}, {"reasoning_content": " Paris."}, "Paris", "."]
    pieces, last = ask(server)
    assert pieces == ["Paris", "."]
    assert (last.text, last.thinking) == ("Paris.", "France, so Paris.")


def test_thinking_between_tags_is_kept_apart(server: OpenAIServer) -> None:
    """<think>…</think> in the text is taken out, however the tags are cut into pieces."""
    server.deltas = ["<th", "ink>France", ", so Paris.</", "think", ">\n\nPar", "is < Lon", "don <"]
    pieces, last = ask(server)
    assert "".join(pieces) == last.text == "Paris < London <"
    assert last.thinking == "France, so Paris."


@pytest.mark.parametrize(
    ("kind", "name", "thinks", "said"),
    [
        ("vllm", "Qwen/Qwen3-4B", False, {"enable_thinking": False}),
        ("vllm", "Qwen/Qwen3-4B", True, {"enable_thinking": True}),
        ("lmstudio", "Qwen/Qwen3-4B", False, None),
        ("vllm", "tiny-model", False, None),
    ],
)
def test_models_that_think_are_told_whether_to(
    server: OpenAIServer, kind: str, name: str, thinks: bool, said: object
) -> None:
    """Where the server hands it on to the chat template, the prompt is counted and asked with the same word; elsewhere nothing is
    sent that a server might refuse."""
    server.kind, server.models = kind, [name]
    model = OpenAIModel("", server.host, thinks=thinks)
    list(model.stream(QUESTION, max_tokens=24))
    model.close()
    sent = [body.get("chat_template_kwargs") for path, body, _ in server.requests if path in ("/tokenize", COMPLETIONS)]
    assert sent == [said] * len(sent) and len(sent) == (2 if kind == "vllm" else 1)


def test_a_template_that_opens_the_thinking_is_known(server: OpenAIServer) -> None:
    """DeepSeek R1 begins inside its thinking; where the closing tag never comes, the text was the answer."""
    server.models = ["deepseek-r1-distill-qwen-7b"]
    server.deltas = ["France, so", " Paris.</think>", "Paris."]
    assert (ask(server)[1].text, ask(server)[1].thinking) == ("Paris.", "France, so Paris.")
    server.deltas = ["Paris", "."]
    pieces, last = ask(server)
    assert ("".join(pieces), last.text, last.thinking) == ("Paris.", "Paris.", "")


def test_a_model_without_a_system_role_gets_it_in_the_first_question(server: OpenAIServer) -> None:
    """Gemma's template has no system role: the instructions stand in front of the question."""
    server.models = ["google/gemma-3-4b-it"]
    ask(server)
    sent = server.requests[-1][1]["messages"]
    assert sent == [{"role": "user", "content": "Answer in one word.\n\nWhat is the capital of France?"}]


def test_a_server_without_schemas_is_asked_in_words(server: OpenAIServer) -> None:
    """A server that refuses a schema gets it in the prompt, the completion says so, and it isn't tried again."""
    server.failing, server.deltas = "no-schema", ['{"capital": ', '"Paris"}']
    model = OpenAIModel("", server.host)
    for _ in range(2):
        *_, last = model.stream(QUESTION, max_tokens=24, schema=SCHEMA)
        assert isinstance(last, Completion)
        assert json.loads(last.text) == {"capital": "Paris"}
        assert "only asked" in last.note
    model.close()
    sent = [body for path, body, _ in server.requests if path == "/v1/chat/completions"]
    assert ["response_format" in body for body in sent] == [True, False, False]
    assert '"capital"' in sent[1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        ("busy", "busy"),
        ("cut", "broke"),
        ("ends", "stopped in the middle"),
        ("endless", "went on after the 24 tokens"),
        ("error", "out of memory"),
        ("too-long", "does not fit"),
        ("drops", "dropped the rest"),
        ("html", "does not speak like OpenAI"),
        ("redirect", "on to another address"),
        ("key", r"wants a key\. Say in `answer\.openai_key` where it is"),
    ],
)
def test_failures_are_errors_with_a_remedy(server: OpenAIServer, failing: str, message: str) -> None:
    """Every way in which a server fails raises a ModelError that says what happened and what to do."""
    server.failing = failing
    with pytest.raises(ModelError, match=message) as caught:
        ask(server)
    assert caught.value.remedy
    assert isinstance(caught.value, PromptTooLong) == (failing == "too-long")


def test_a_key_that_the_server_does_not_take_is_said_to_be_wrong(server: OpenAIServer) -> None:
    """A server that refuses the key of the settings wants another one, not one at all."""
    server.failing = "key"
    with pytest.raises(ModelError, match=r"wants another key\. Correct what `answer\.openai_key` names"):
        OpenAIModel("", server.host, key="old")


@pytest.mark.parametrize("kind", ["lmstudio", "ollama"])
def test_an_embedding_model_is_refused_as_the_one_that_answers(server: OpenAIServer, kind: str) -> None:
    """Servers that say which of their models only embed: the error names those that can answer, the nearest first."""
    server.kind, server.models = kind, ["nomic-embed-text", "qwen3-4b", "nomic-chat"]
    server.embedding = ("nomic-embed-text",)
    with pytest.raises(
        ModelError, match=r"can't answer, only embed\. Choose a chat model; the server has nomic-chat, qwen3-4b"
    ):
        OpenAIModel("nomic-embed-text", server.host)
    with closing(OpenAIConnection(server.host)) as connection:
        assert len(openai_embedder(connection, "nomic-embed-text").embed(["One."])) == 1


def test_a_model_without_a_chat_template_is_named(server: OpenAIServer) -> None:
    """What vLLM says about it is long; the error says what to do."""
    server.failing = "no-template"
    with pytest.raises(ModelError, match=r"The model tiny-model has no chat template\. Take its instruct variant"):
        ask(server)


def test_a_program_that_says_nothing_is_given_up(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What listens on the port and never speaks is given up long before an answer would be."""
    monkeypatch.setattr("rag.openai_connection.LOOK_SECONDS", 0.3)
    server.failing = "mute"
    with pytest.raises(ModelError, match=r"no answer in time.*see what runs on that port"):
        OpenAIModel("", server.host)


def test_a_server_that_is_loading_is_waited_for(server: OpenAIServer) -> None:
    """While the server says that it loads its model the request is repeated."""
    server.failing = "loading"
    assert ask(server)[1].text == "Paris."
    assert sum(path == "/v1/chat/completions" for path, _, _ in server.requests) == 3


@pytest.mark.parametrize(
    ("deltas", "message"), [([], "empty answer"), (["  \n"], "empty answer"), (["<think>hm"], "on thinking")]
)
def test_an_empty_reply_is_an_error(server: OpenAIServer, deltas: list[str | dict[str, str]], message: str) -> None:
    """A reply without words raises ModelError and says whether the model only thought."""
    server.deltas = deltas or [""]
    with pytest.raises(ModelError, match=message):
        ask(server)


def test_a_server_that_reports_no_usage_still_answers(server: OpenAIServer) -> None:
    """Without usage in the stream the generated tokens are the pieces that came."""
    server.failing = "no-usage"
    last = ask(server)[1]
    assert (last.text, last.evaluated, last.generated) == ("Paris.", 0, 2)


def test_nobody_there(server: OpenAIServer) -> None:
    """A free port raises ModelError at once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(ModelError, match=r"No server answers.*openai_host"):
            OpenAIModel("", f"http://127.0.0.1:{free.getsockname()[1]}")


def test_a_server_that_ends_between_questions_is_an_error(server: OpenAIServer) -> None:
    """A model that was open and whose server is gone raises ModelError with a remedy."""
    with serving(OpenAIServer()) as other:
        model = OpenAIModel("", other.host)
    with pytest.raises(ModelError, match="No server answers"):
        list(model.stream(QUESTION, max_tokens=24))
    model.close()


def test_nothing_of_the_environment_is_sent(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, organisations and proxies of the environment, and facts about this machine, stay here."""
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "from-the-environment")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.7:3128")
    ask(server)
    for _, _, headers in server.requests:
        assert "from-the-environment" not in str(headers)
        sent = {name.lower() for name in headers}
        assert sent <= {
            "host",
            "accept",
            "accept-encoding",
            "connection",
            "content-type",
            "content-length",
            "user-agent",
        }


def test_ollamas_cloud_is_refused_here_too(server: OpenAIServer) -> None:
    """Through /v1 Ollama would forward cloud names and remote stubs just the same: nothing is asked of them."""
    server.kind, server.models = "ollama", ["plain-name", "gpt-oss:20b-cloud"]
    for name in ("plain-name", "gpt-oss:20b-cloud"):
        with pytest.raises(ModelError, match="does not run on this machine"):
            OpenAIModel(name, server.host)
    assert "/v1/chat/completions" not in [path for path, _, _ in server.requests]


@pytest.mark.parametrize(
    ("host", "key", "message"),
    [
        ("http://192.0.2.7:8080", "", "not on this machine"),
        ("http://models.example:8080", "k", "https"),
        ("https://models.example", "", "key"),
        ("ftp://127.0.0.1", "", "not the address"),
        ("http://user:pass@127.0.0.1", "", "not the address"),
        ("http://127.0.0.1:99999", "", "port"),
        ("", "", "not the address"),
    ],
)
def test_other_hosts_are_refused_before_any_connection(host: str, key: str, message: str) -> None:
    """Elsewhere needs a listed name, https and a key."""
    with pytest.raises(ModelError, match=message):
        checked_host(host, ["models.example"], "OpenAI-compatible", 8080, key)


def test_a_listed_host_with_tls_and_key_is_allowed() -> None:
    """A host of the settings, by https and with a key, is taken, and so is loopback in all its spellings."""
    assert checked_host("https://models.example", ["models.example"], "", 8080, "k") == "https://models.example:443"
    assert checked_host("localhost:1234", (), "", 8080) == "http://localhost:1234"
    assert checked_host("http://[::1]", (), "", 8080) == "http://[::1]:8080"


def test_keys_come_from_where_the_setting_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is read from a variable or a file; a key pasted into the setting is refused and never repeated."""
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("MY_KEY", "from-a-variable")
    assert read_key("", "answer.openai_key") == ""
    assert read_key("env:MY_KEY", "answer.openai_key") == "from-a-variable"
    assert read_key(str(tmp_path / "key"), "answer.openai_key") == "from-a-file"
    for wrong in ("sk-secret-itself", "env:NOT_SET_ANYWHERE"):
        with pytest.raises(SettingsError) as caught:
            read_key(wrong, "answer.openai_key")
        assert "sk-secret" not in str(caught.value)
        assert isinstance(caught.value, ReadingRoomError) and caught.value.remedy
