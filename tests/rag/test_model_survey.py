"""Profiles of families, and the commands that list, measure, pin and recommend models."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rag.chat_input import as_chat
from rag.doctor import examine
from rag.errors import ModelError, NotFound
from rag.hardware import Machine, look
from rag.llm import Message
from rag.model_bench import Measured
from rag.model_profiles import UNKNOWN, profile_of, profiles
from rag.model_recommend import Speed, recommend, speed_of, weights_of
from rag.model_survey import available, bench, pin
from rag.settings import Settings, load_settings
from tests.conftest import Run
from tests.local_server import serving
from tests.ollama_server import DIGEST, OllamaServer
from tests.openai_server import OpenAIServer
from tests.processes import environment
from tests.rag.conftest import KEY

GB = 10**9
LAPTOP = Machine(4, 16 * GB, 12 * GB, "", 0, 100 * GB, 0.1)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("llama4:scout", "Llama 4 Scout"),
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct", "Llama 4 Maverick"),
        ("llama4:17b-maverick-128e-instruct-q4_K_M", "Llama 4 Maverick"),
        ("llama4:128x17b", "Llama 4 Maverick"),
        ("llama4:16x17b", "Llama 4 Scout"),
        ("Meta-Llama-3-8B-Instruct.Q4_K_M", "Llama 3"),
        ("Llama-3.2-11B-Vision-Instruct", "Llama 3.2 Vision"),
        ("qwen2.5vl:7b", "Qwen 2.5 VL"),
        ("Qwen3-VL-8B-Instruct", "Qwen 3 VL"),
        ("Qwen3-30B-A3B-Instruct-2507", "Qwen 3 Instruct 2507"),
        ("qwen3:4b-instruct", "Qwen 3 Instruct 2507"),
        ("qwen3:30b-thinking", "Qwen 3 Thinking 2507"),
        ("smollm:135m", "SmolLM"),
        ("llama3.2:3b", "Llama 3.x"),
        ("Meta-Llama-3.1-8B-Instruct-Q4_K_M", "Llama 3.x"),
        ("mistral:7b", "Mistral 7B"),
        ("mistral-nemo:12b", "Mistral Nemo"),
        ("mixtral:8x7b", "Mixtral"),
        ("gemma3:1b", "Gemma 3 1B"),
        ("google/gemma-3-27b-it", "Gemma 3"),
        ("DeepSeek-R1-Distill-Qwen-7B", "DeepSeek R1"),
        ("deepseek-v3:671b", "DeepSeek V3"),
        ("qwen2.5:1.5b-instruct", "Qwen 2.5"),
        ("qwen2.5-coder-1.5b-instruct-q4_k_m", "Qwen 2.5"),
        ("Qwen/Qwen3-8B", "Qwen 3"),
        ("qwen3:4b-thinking-2507-q4_K_M", "Qwen 3 Thinking 2507"),
        ("phi4:14b", "Phi 4"),
        ("phi4-mini:3.8b", "Phi 4 mini"),
        ("SmolLM2-135M-Instruct.Q4_1", "SmolLM 2"),
        ("something-nobody-knows:9b", "unknown"),
    ],
)
def test_a_family_is_known_by_its_models_name(name: str, family: str) -> None:
    """Names of Ollama, of model hubs and of files lead to the right profile, narrow families before wide ones."""
    assert profile_of(name).family == family


def test_profiles_are_complete() -> None:
    """Every family has a licence, languages, a window and a good prompt size within it; unknown models get safe defaults."""
    for profile in profiles():
        assert profile.licence and profile.languages != UNKNOWN.languages, profile.family
        assert 500 <= profile.good_prompt <= profile.window
        assert 0 < len(profile.stop) <= 4 and all(word.startswith(("<", "[")) for word in profile.stop), profile.family
        assert all(size.ollama and size.layers and size.kv_bytes(4096) > 0 for size in profile.sizes)
    assert (UNKNOWN.system, UNKNOWN.thinking, UNKNOWN.thinking_tags) == (True, "", ("<think>", "</think>"))


@pytest.mark.parametrize(
    ("template", "system", "takes"),
    [
        ("", None, True),
        ("{% for m in messages %}<|{{ m.role }}|>{% endfor %}{# message.role #}", None, True),
        ("{{ if .System }}{{ .System }}{{ end }}{{ .Prompt }}", None, True),
        ("[INST] {{ .Prompt }} [/INST]", None, False),
        ("{{ raise_exception('System role not supported') }}", None, False),
        ("{{ messages[0]['content'] }}", True, True),
        ("system", False, False),
    ],
)
def test_an_unknown_model_gets_safe_defaults(template: str, system: bool | None, takes: bool) -> None:
    """What its server says of a system role counts, else its template; a known family keeps its profile."""
    found = profile_of("nobody-knows:9b", template, system)
    assert found.family == "unknown" and found.system == takes
    assert profile_of("smollm2:135m", template, system).system


def test_every_size_is_found_by_the_name_that_gets_it() -> None:
    """The name under which Ollama fetches a size leads back to its own family."""
    for profile in profiles():
        for size in profile.sizes:
            assert profile_of(size.ollama).family == profile.family, size.ollama


def test_instructions_go_into_the_first_question_where_there_is_no_system_role() -> None:
    """Folding keeps every word and leaves chats without instructions alone."""
    chat = [Message("system", "Be brief."), Message("user", "One?"), Message("assistant", "1"), Message("user", "Two?")]
    assert [m["role"] for m in as_chat(chat, system=False)] == ["user", "assistant", "user"]
    assert as_chat(chat, system=False)[0]["content"] == "Be brief.\n\nOne?"
    assert as_chat(chat[1:], system=False) == as_chat(chat[1:])
    assert as_chat(chat[:1], system=False) == [{"role": "user", "content": "Be brief."}]


def test_what_fits_is_weights_and_cache_against_free_memory() -> None:
    """Nothing is recommended that needs more than its share; a larger window needs more, a smaller machine holds less."""
    found = recommend(LAPTOP, 4096, 900, None)
    assert found and all(item.memory_gb * GB <= 0.81 * LAPTOP.memory_free for item in found)
    assert {"Llama 3.x 8B", "Qwen 3 4B"} <= {item.model for item in found}
    assert "Llama 3.x 70B" not in {item.model for item in found}
    wide = {item.model: item for item in recommend(LAPTOP, 32768, 900, None)}
    eight = next(item for item in found if item.model == "Llama 3.x 8B")
    assert eight.cache_gb == pytest.approx(0.54, abs=0.01)  # 2 x 32 layers x 8 heads x 128 x 2 bytes x 4096
    assert "Llama 3.x 8B" not in wide or wide["Llama 3.x 8B"].memory_gb > eight.memory_gb
    small = Machine(2, 2 * GB, int(1.2 * GB), "", 0, 100 * GB, 0.1)
    assert {item.parameters for item in recommend(small, 4096, 900, None)} <= {0.135, 0.362, 0.494}
    assert recommend(Machine(2, 16 * GB, 12 * GB, "", 0, GB, 0.1), 4096, 900, None) == []


def test_a_graphics_card_takes_the_finest_and_is_not_timed() -> None:
    """On a card the finest quantisation that fits is taken; its speed was not measured, so none is claimed."""
    machine = Machine(8, 32 * GB, 24 * GB, "a card", 24 * GB, 500 * GB, 0.1)
    found = {item.model: item for item in recommend(machine, 4096, 900, Speed(0.001, 15e9, 60e9))}
    assert (found["Llama 3.x 8B"].where, found["Llama 3.x 8B"].quantisation) == ("graphics card", "F16")
    assert found["Llama 3.x 8B"].tokens_per_second == 0
    assert found["Qwen 2.5 3B"].licence.startswith("Qwen research licence")
    assert found["Qwen 2.5 3B"].command.startswith("readingroom models pull ollama:qwen2.5:3b-instruct")


def test_speed_is_a_line_through_what_was_measured() -> None:
    """Two models give a line over their sizes; a third size between them gets a speed between theirs."""
    measured = [
        (Measured("s", "embedded", "", prompt_tokens_per_second=170, tokens_per_second=41), 98e6, 0.135e9),
        (Measured("l", "embedded", "", prompt_tokens_per_second=40, tokens_per_second=14), 1.1e9, 1.5e9),
    ]
    speed = speed_of(measured)
    assert speed is not None
    assert speed.generation(98e6) == pytest.approx(41, rel=0.01)
    assert speed.generation(1.1e9) == pytest.approx(14, rel=0.01)
    assert 14 < speed.generation(0.5e9) < 41
    assert speed.generation(2.2e9) == pytest.approx(7, rel=0.01)  # not faster than twice the largest one takes
    assert speed.prompt(1.5e9) == pytest.approx(40)
    assert speed_of([]) is None
    one = speed_of(measured[1:])
    assert one is not None and one.generation(2.2e9) == pytest.approx(7, rel=0.01)
    eight = next(item for item in recommend(LAPTOP, 4096, 900, speed) if item.model == "Llama 3.x 8B")
    assert 1 < eight.tokens_per_second < 5 and eight.seconds > 100
    assert weights_of(profiles()[0].sizes[1], "Q8_0") > weights_of(profiles()[0].sizes[1], "Q4_K_M")


def test_this_machine_is_looked_at(tmp_path: Path) -> None:
    """Cores, memory and disk of the machine that runs the tests are plausible, for a folder that isn't there yet too."""
    machine = look(tmp_path / "not" / "there")
    assert 1 <= machine.cores <= 1024
    assert 0 < machine.memory_free <= machine.memory
    assert machine.disk_free > 0


@pytest.fixture
def with_ollama(home: Path, ollama_server: OllamaServer) -> Settings:
    """Settings whose Ollama server has the small model."""
    names = {"READINGROOM_ANSWER__OLLAMA_HOST": ollama_server.host, "READINGROOM_ANSWER__OLLAMA_MODEL": "smollm2:135m"}
    return load_settings(environment(home, READINGROOM_ANSWER__MODEL="small", **names))


def test_what_is_there_is_listed_and_measured(with_ollama: Settings, llama_cpp: str, tmp_path: Path) -> None:
    """Embedded models, Ollama's local ones and the server's are listed; each is measured; a missing one says why."""
    (tmp_path / "key").write_text(KEY)
    keyed = {"openai_host": llama_cpp, "openai_key": str(tmp_path / "key")}
    settings = with_ollama.model_copy(update={"answer": with_ollama.answer.model_copy(update=keyed)})
    names = available(settings)
    assert {"embedded:smollm2-135m-instruct-q4_1", "ollama:smollm2:135m", "openai:"} <= set(names)
    assert "ollama:plain-name:latest" not in names  # it lives elsewhere
    wanted = ["embedded:small", "ollama:smollm2:135m", "openai:", "ollama:nope:1b"]
    heard: list[str] = []
    found = bench(settings, wanted, heard.append)
    assert heard == wanted
    for item in found[:3]:
        assert item.error == "" and item.prompt_tokens > 300 and item.generated > 1
        assert item.tokens_per_second > 0 and item.first_token_seconds > 0
    assert [item.model for item in found[:2]] == ["small", "smollm2:135m"]  # as asked for
    assert found[0].memory_mb > 90 and found[1].memory_mb > 0
    assert "has no model nope:1b" in found[3].error
    with pytest.raises(NotFound, match="BACKEND:NAME"):
        bench(settings, ["small"], heard.append)


def test_pin_approves_and_doctor_notices(
    with_ollama: Settings, ollama_server: OllamaServer, run: Run, home: Path
) -> None:
    """`models pin` prints what it approved; the file holds the digest; the embedded model is pinned with its template."""
    names = {"READINGROOM_ANSWER__OLLAMA_HOST": ollama_server.host, "READINGROOM_ANSWER__OLLAMA_MODEL": "smollm2:135m"}
    done = run("models", "pin", "ollama:smollm2:135m", **names)
    assert done.code == 0, done.stderr
    assert f"pinned ollama:smollm2:135m sha256:{DIGEST} Q4_1" in done.stdout
    assert DIGEST in (home / "pins.json").read_text()
    cards = pin(with_ollama, ["embedded:small"])
    assert cards[0].template.startswith("sha256:") and cards[0].quantisation == "Q4_1"
    with pytest.raises(ModelError):
        pin(with_ollama, ["ollama:nope:1b"])


def findings(settings: Settings, part: str) -> list[tuple[str, str]]:
    return [(item.severity, item.message) for item in examine(settings) if part in item.subject]


def test_doctor_warns_of_a_cloud_that_is_not_off(with_ollama: Settings, ollama_server: OllamaServer) -> None:
    """With Ollama's cloud switched off all is well; else doctor warns, and a server that is not there is no error."""
    assert [severity for severity, _ in findings(with_ollama, "Ollama")] == ["ok"]
    ollama_server.cloud_disabled = False
    assert findings(with_ollama, "Ollama")[-1][0] == "warning"
    ollama_server.failing = "html"
    assert findings(with_ollama, "Ollama")[0][0] == "error"


def test_doctor_names_what_is_near_a_wrong_name(with_ollama: Settings, ollama_server: OllamaServer) -> None:
    """A model of Ollama that the settings name and the server lacks, or that can't answer, is an error with what to do; a pinned
    one that changed is a warning; a server that somebody named and that is not there is one, too."""
    wrong = with_ollama.answer.model_copy(update={"ollama_model": "smollm2:13b"})
    found = [item for item in examine(with_ollama.model_copy(update={"answer": wrong})) if "Ollama" in item.subject]
    assert [item.severity for item in found] == ["error"]
    assert "near: smollm2:135m" in found[0].remedy
    pin(with_ollama, ["ollama:smollm2:135m"])
    ollama_server.digest = "ab" * 32
    assert findings(with_ollama, "Ollama")[0][0] == "warning"
    ollama_server.capabilities = ["embedding"]
    assert findings(with_ollama, "Ollama")[0] == ("error", "The model smollm2:135m can't answer, only embedding.")
    with socket.socket() as free:  # nobody listens
        free.bind(("127.0.0.1", 0))
        gone = {"ollama_host": f"http://127.0.0.1:{free.getsockname()[1]}"}
        nobody = with_ollama.model_copy(update={"answer": with_ollama.answer.model_copy(update=gone)})
        assert findings(nobody, "Ollama") == [("warning", "not there; the embedded model answers")]


def test_doctor_warns_of_the_cloud_of_a_server_that_only_embeds(
    with_ollama: Settings, ollama_server: OllamaServer
) -> None:
    """Ollama may forward prompts whatever Reading Room uses it for."""
    ollama_server.cloud_disabled = False
    answer = with_ollama.answer.model_copy(update={"ollama_model": ""})
    without = with_ollama.model_copy(update={"answer": answer})
    assert findings(without, "Ollama") == []
    embedding = without.embedding.model_copy(update={"backend": "ollama", "model": "smollm2:135m"})
    found = findings(without.model_copy(update={"embedding": embedding}), "Ollama")
    assert [severity for severity, _ in found] == ["warning"]


def test_doctor_compares_the_prompt_with_what_a_family_reads(home: Path) -> None:
    """Settings whose prompts are longer than a family reads reliably are a warning that names it; the defaults are fine."""
    more = {
        "READINGROOM_ANSWER__PASSAGES": "10",
        "READINGROOM_ANSWER__PASSAGE_TOKENS": "100",
        "READINGROOM_ROUTING__SMALL": "embedded:small",
        "READINGROOM_ROUTING__LARGE": "ollama:qwen3:4b",
    }
    assert findings(load_settings(environment(home, READINGROOM_ANSWER__MODEL="small")), "prompt") == []
    found = findings(load_settings(environment(home, READINGROOM_ANSWER__MODEL="small", **more)), "prompt")
    said = "prompts of about 1540 tokens; models of its family (SmolLM 2) stay reliable up to about 1000"
    assert found == [("warning", said)]


def test_doctor_looks_at_the_embedding_server(with_ollama: Settings, ollama_server: OllamaServer) -> None:
    """The embedder is asked for a vector: what it is made with is told, or what is wrong."""
    embedding = with_ollama.embedding.model_copy(update={"backend": "ollama", "model": "smollm2:135m"})
    settings = with_ollama.model_copy(update={"embedding": embedding})
    assert [severity for severity, _ in findings(settings, "embedding")] == ["error"]  # it can only answer
    ollama_server.capabilities = ["embedding"]
    ((severity, said),) = findings(settings, "embedding")
    assert severity == "ok" and "no prefixes, length 1, 8 dimensions" in said


def test_doctor_looks_at_the_openai_compatible_server(home: Path) -> None:
    """Doctor says which model answers there, and what is wrong when none does."""
    with serving(OpenAIServer(kind="vllm")) as server:
        settings = load_settings(
            environment(home, READINGROOM_ANSWER__MODEL="small", READINGROOM_ANSWER__OPENAI_HOST=server.host)
        )
        assert findings(settings, "server at") == [("ok", "answers with tiny-model, window 2048, vllm 0.11.0")]
        server.failing = "html"
        assert findings(settings, "server at")[0][0] == "error"


def test_pull_lets_ollama_fetch(run: Run, ollama_server: OllamaServer) -> None:
    """`models pull ollama:NAME` has the server fetch it and prints its digest; a cloud name is refused."""
    host = {"READINGROOM_ANSWER__OLLAMA_HOST": ollama_server.host}
    done = run("models", "pull", "ollama:smollm2:135m", "--json", **host)
    assert done.code == 0, done.stderr
    assert done.json == {"name": "smollm2:135m", "digest": f"sha256:{DIGEST}"}
    refused = run("models", "pull", "ollama:gpt-oss:20b-cloud", **host)
    assert refused.code == 1 and "does not run on this machine" in refused.stderr


def test_recommend_says_how_to_get_each(run: Run) -> None:
    """`models recommend` prints this machine, and for each model memory, licence and the command."""
    done = run("models", "recommend", "--no-measure", "--window", "2048", "--json")
    assert done.code == 0, done.stderr
    assert done.json["machine"]["memory"] > 0
    small = next(model for model in done.json["models"] if model["model"] == "SmolLM 2 135M")
    assert small["command"] == "readingroom models pull ollama:smollm2:135m"
    assert small["licence"] == "Apache-2.0" and small["window"] == 2048


def test_doctor_looks_at_the_models_of_this_machine(home: Path, tmp_path: Path) -> None:
    """A model that questions are routed to and that is not there is an error, and so is a folder for Transformers without one; a
    folder with one is named."""
    routed = {"READINGROOM_ROUTING__SMALL": "embedded:small", "READINGROOM_ROUTING__LARGE": "embedded:defautl"}
    folder = {"READINGROOM_ANSWER__MODEL": f"transformers:{tmp_path}"}
    settings = load_settings({"READINGROOM_HOME": str(home), **routed, **folder})
    assert [severity for severity, _ in findings(settings, "model: small")] == ["ok"]
    assert [severity for severity, _ in findings(settings, "model: defautl")] == ["error"]
    assert findings(settings, "model: transformers:") == [("error", f"{tmp_path} is not a folder with a model.")]
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).touch()
    assert findings(settings, "model: transformers:") == [("ok", "there; loaded with the first question")]
    nobody = load_settings({"READINGROOM_HOME": str(home), **routed, "READINGROOM_ANSWER__MODEL": "none"})
    assert findings(nobody, "model: defautl") == []
