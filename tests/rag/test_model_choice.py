"""Who answers: the rule that weighs questions, the order of models, pins, and what the answer says about all that."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rag.answer import Answerer, last_answer
from rag.build import build_choice, promised
from rag.errors import ModelBusy, ModelError, SettingsError
from rag.evidence import Features, Support
from rag.library import Library
from rag.llm import Completion, LanguageModel, Message, ModelCard
from rag.model_choice import SLOW_SECONDS, ModelChoice
from rag.model_record import Pins
from rag.passages import Passage
from rag.retrieve import Found
from rag.routing import Difficulty, difficulty
from rag.settings import Answer, Routing, Settings, load_settings
from tests.ollama_server import OllamaServer
from tests.processes import environment
from tests.rag.test_answer import FEE, LIMITS, Scripted, reply

ROUTED = "Routed to the small model: easy question."
EASY, HARD = Difficulty(0, (), False), Difficulty(2, ("comparison",), True)
TRUE = reply("Annual maintenance, type B | Vessel and year | 9,980", 2, "EUR 9,980.")
INVENTED = reply("The ferry is painted in a colour called Baltic grey.", 1, "Baltic grey.")


@dataclass
class Named(Scripted):
    """A scripted model with a name and a digest of its own."""

    name: str = "scripted"
    digest: str = "sha256:0"
    closed: bool = field(default=False)
    loaded: bool = False

    @property
    def card(self) -> ModelCard:
        return ModelCard("embedded", self.name, self.digest, self.window)

    def close(self) -> None:
        self.closed = True


def support(number: int, document: str, score: float = 0.9) -> Support:
    """Return the sentence of a passage of its own."""
    said = f"The fee is {number}."
    passage = Passage(f"chunk-{number}", "c", document, "v", "/a.txt", 1, "", "", said, 0, len(said))
    return Support(Found(passage, 1.0, ("keyword",)), 0, len(said), Features(*[1.0] * 8), score)


def settings_with(home: Path, **more: str) -> Settings:
    """Return settings with both models of routing named, and a home folder."""
    home.mkdir(exist_ok=True)
    routed = {"READINGROOM_ROUTING__SMALL": "embedded:a", "READINGROOM_ROUTING__LARGE": "embedded:b"}
    names = {"READINGROOM_ANSWER__MODEL": "c", **routed, **more}
    return load_settings(environment(home, **names))


def choice_of(
    settings: Settings, models: Mapping[str, LanguageModel | ModelError | None], pins: Path | None = None
) -> ModelChoice:
    """Return a choice among models by backend:name; an error is raised when its model is opened."""

    def open_model(backend: str, name: str) -> LanguageModel | None:
        found = models[f"{backend}:{name}"]
        if isinstance(found, ModelError):
            raise found
        return found

    return ModelChoice(settings, open_model, Pins(pins or settings.home / "pins.json"))


@pytest.mark.parametrize(
    ("question", "reasons"),
    [
        ("What is the monthly rent?", ()),
        ("Is the rent in Lyon higher than in Nantes?", ("comparison",)),
        ("What is the total of all fees?", ("arithmetic",)),
        ("By what percentage did the total change between 2022 and 2023?", ("comparison", "arithmetic")),
        ("Welche Frist muss der Mieter bei einer Kündigung des Vertrags einhalten?", ("not English",)),
        ("Who " + "really " * 30 + "signed it?", ("long",)),
    ],
)
def test_the_rule_gives_points_for_what_is_true_of_a_question(question: str, reasons: tuple[str, ...]) -> None:
    """Each sign counts with its points, named in words; hard is what reaches the threshold."""
    found = difficulty(question, [], Routing())
    assert found.reasons == reasons
    assert found.hard == (found.points >= 2)


def test_points_come_from_the_settings() -> None:
    """A sign with 0 points doesn't count, and the threshold is the settings'."""
    rule = Routing(comparison=0, arithmetic=1, hard_from=1)
    assert difficulty("Is it higher?", [], rule) == Difficulty(0, (), False)
    assert difficulty("What is the total?", [], rule).hard


def test_passages_and_documents_that_are_equally_good_count() -> None:
    """Places of several documents count as such, and many places of one document as several passages."""
    assert difficulty("What is it?", [support(n, "one") for n in range(4)], Routing()).reasons == ("several passages",)
    assert difficulty("What is it?", [support(n, "one") for n in range(3)], Routing()).reasons == ()
    assert difficulty("What is it?", [support(n, f"{n % 2}") for n in range(5)], Routing()).reasons == (
        "several documents",
    )
    weaker = [support(0, "one"), *(support(n, "one", score=0.5) for n in range(1, 5))]
    assert difficulty("What is it?", weaker, Routing()).reasons == ()


@pytest.mark.parametrize(("asked", "order"), [(EASY, ["a", "b", "c"]), (HARD, ["b", "a", "c"]), (None, ["c"])])
def test_easy_questions_go_to_the_small_model(home: Path, asked: Difficulty | None, order: list[str]) -> None:
    """Small first for easy questions, large first for hard ones, then the others; without a difficulty no routing."""
    models = {f"embedded:{name}": Named(TRUE, name=name) for name in "abc"}
    found = list(choice_of(settings_with(home), models).candidates(asked))
    assert [candidate.model.card.name for candidate in found] == order
    if asked is HARD:
        assert found[0].why == "Routed to the large model: hard question (comparison: 2 points)."
        assert found[1].why == "Routed on to the small model: the large one gave no answer that holds."


def test_a_missing_model_is_passed_over_and_named(home: Path) -> None:
    """Where the large model can't be opened the small one is asked, and its reason names what is missing."""
    gone = ModelError("The model b is gone.", "Get it.")
    models = {"embedded:a": Named(TRUE, name="a"), "embedded:b": gone, "embedded:c": Named(TRUE, name="c")}
    first = next(choice_of(settings_with(home), models).candidates(HARD))
    assert first.model.card.name == "a"
    assert first.why == (
        "Routed to the large model: hard question (comparison: 2 points). The model b is gone. Get it. "
        "Routed on to the small model: the large one gave no answer that holds."
    )
    first, second = choice_of(settings_with(home), models).candidates(HARD)
    assert "gone" in first.why and "gone" not in second.why, "it is said once"
    nothing: dict[str, LanguageModel | ModelError | None] = {f"embedded:{name}": gone for name in "abc"}
    with pytest.raises(ModelError) as caught:
        next(choice_of(settings_with(home), nothing).candidates(HARD))
    assert caught.value is gone, "the same is said once"
    nothing["embedded:c"] = ModelError("The model c is not there.", "Fetch it.")
    with pytest.raises(ModelError) as both:
        next(choice_of(settings_with(home), nothing).candidates(HARD))
    assert (both.value.message, both.value.remedy) == (
        "The model b is gone. Get it. The model c is not there.", "Fetch it.",
    )  # fmt: skip


def test_a_server_that_is_configured_and_down_is_said(home: Path) -> None:
    """An OpenAI-compatible server that doesn't answer is passed over with its error; an absent Ollama without a word where nobody
    named it."""
    settings = settings_with(
        home, READINGROOM_ANSWER__OPENAI_HOST="http://127.0.0.1:9", READINGROOM_ANSWER__OLLAMA_MODEL="m"
    )
    down = ModelError("No server answers at http://127.0.0.1:9.", "Start it.")
    models = {"openai:": down, "ollama:m": None, "embedded:c": Named(TRUE, name="c")}
    choice = choice_of(settings, models)
    first = next(choice.candidates())
    assert (first.model.card.name, first.why) == ("c", "No server answers at http://127.0.0.1:9. Start it.")
    models["openai:"] = Named(TRUE, name="back")
    assert next(choice.candidates()).model.card.name == "back"


def test_an_error_that_takes_long_to_find_out_is_believed_for_a_while(home: Path) -> None:
    """Else each question would wait for a host that drops what is sent to it."""
    settings = settings_with(home, READINGROOM_ANSWER__OPENAI_HOST="http://127.0.0.1:9")
    looked: list[str] = []

    def open_model(backend: str, name: str) -> LanguageModel | None:
        looked.append(backend)
        if backend == "openai":
            time.sleep(SLOW_SECONDS + 0.1)
            raise ModelError("The server gave no answer in time.", "Look at it.")
        return Named(TRUE, name=name)

    choice = ModelChoice(settings, open_model, Pins(settings.home / "pins.json"))
    for _ in range(3):
        assert next(choice.candidates()).model.card.name == "c"
    assert looked.count("openai") == 1


def test_a_model_of_ollama_that_somebody_named_is_missed_aloud(with_ollama: Settings) -> None:
    """A wrong name in the settings is said with the nearest names, and the embedded model answers; the default, which nobody
    named, is passed over without a word."""
    named = {"ollama_model": "smollm2:13b"}
    wrong = with_ollama.model_copy(update={"answer": with_ollama.answer.model_copy(update=named)})
    choice = build_choice(wrong)
    first = next(choice.candidates())
    assert first.model.card.backend == "embedded"
    assert (
        "has no model smollm2:13b. Run `ollama pull smollm2:13b`, or use one that is near: smollm2:135m." in first.why
    )
    choice.close()
    default = Answer()
    with socket.socket() as free:  # nobody listens
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        for host, said in ((default.ollama_host, ""), (nobody, f"No Ollama server answers at {nobody}.")):
            update = {"ollama_host": host, "ollama_model": default.ollama_model}
            settings = with_ollama.model_copy(update={"answer": with_ollama.answer.model_copy(update=update)})
            assert promised(settings, default.ollama_model) == bool(said)
            if said:
                choice = build_choice(settings)
                assert next(choice.candidates()).why.startswith(said)
                choice.close()


def test_an_embedding_model_that_is_to_answer_is_said(with_ollama: Settings, ollama_server: OllamaServer) -> None:
    """The embedded model answers, and the reason names the models that could."""
    ollama_server.capabilities, ollama_server.others = ["embedding"], {"qwen3:4b": ["completion"]}
    choice = build_choice(with_ollama)
    why = next(choice.candidates()).why
    assert why == "The model smollm2:135m can't answer, only embedding. Choose a chat model; the server has qwen3:4b."
    choice.close()


def test_what_is_loaded_counts(home: Path) -> None:
    """While the large model is in memory and the small one is not, a question gets a point more, which is said; no model is
    opened to find out."""
    models = {f"embedded:{name}": Named(TRUE, name=name) for name in "abc"}
    choice = choice_of(settings_with(home), models)
    one = Difficulty(1, ("table",), False)
    assert next(choice.candidates(one)).model.card.name == "a"
    list(choice.candidates(one))  # opens all
    models["embedded:b"].loaded = True
    first = next(choice.candidates(one))
    assert first.model.card.name == "b"
    assert first.why == "Routed to the large model: hard question (table, the large model is loaded: 2 points)."
    assert next(choice.candidates(EASY)).model.card.name == "a"
    models["embedded:a"].loaded = True
    assert next(choice.candidates(one)).why == "Routed to the small model: easy question (table: 1 point)."


def test_a_large_model_that_is_too_slow_gives_way(home: Path) -> None:
    """When the large model's last answer took longer than `routing.seconds`, the small one is asked first, and says why."""
    settings = settings_with(home, READINGROOM_ROUTING__SECONDS="5")
    choice = choice_of(settings, {f"embedded:{name}": Named(TRUE, name=name) for name in "abc"})
    next(choice.candidates(HARD)).took(12.0)
    first = next(choice.candidates(HARD))
    assert first.model.card.name == "a"
    assert "needed 12 s" in first.why


def test_as_many_questions_are_let_in_as_the_models_answer_and_let_wait(home: Path) -> None:
    """Each model that is there answers one, the embedded one `answer.slots`, and lets eight wait; without a model all come in."""
    alone = settings_with(
        home, READINGROOM_ANSWER__SLOTS="2", READINGROOM_ROUTING__SMALL="", READINGROOM_ROUTING__LARGE=""
    )
    served = settings_with(home, READINGROOM_ANSWER__OPENAI_HOST="http://127.0.0.1:9")
    down, there = ModelError("No server answers.", "Start it."), Named(TRUE)
    models = {f"embedded:{name}": there for name in "abc"}
    for settings, openai, places in ((alone, down, 10), (served, there, 36), (served, down, 27)):
        choice = choice_of(settings, {**models, "openai:": openai, f"ollama:{settings.answer.ollama_model}": None})
        with ExitStack() as inside:
            for _ in range(places):
                inside.enter_context(choice.admit())
            with pytest.raises(ModelBusy, match=f"{places} questions"), choice.admit():
                raise AssertionError("there was one more place")
        with choice.admit():
            pass
    nobody = choice_of(settings_with(home, READINGROOM_ANSWER__MODEL="none"), {})
    with ExitStack() as inside:
        for _ in range(100):
            inside.enter_context(nobody.admit())


def test_none_means_nobody(home: Path) -> None:
    """With `answer.model: none` nobody is asked, whatever else is configured."""
    choice = choice_of(settings_with(home, READINGROOM_ANSWER__MODEL="none"), {})
    assert list(choice.candidates(HARD)) == []
    assert choice() is None


def test_a_wrong_backend_is_refused_by_name(home: Path) -> None:
    """routing.small must say which back end runs the model."""
    with pytest.raises(SettingsError, match=r"routing\.small"):
        settings_with(home, READINGROOM_ROUTING__SMALL="small")


def routed(library: Library, home: Path, models: Sequence[Scripted], asked: Difficulty, **more: str) -> Any:
    """Return the answer to FEE with the models a, b, c of these scripts."""
    names = {f"embedded:{name}": model for name, model in zip("abc", models, strict=True)}
    choice = choice_of(settings_with(home, **more), names)
    answerer = Answerer(
        library.retriever,
        library.catalog,
        library.embedder,
        choice,
        LIMITS,
        route=lambda question, supports: choice.candidates(asked),
    )
    return last_answer(answerer.stream(FEE, []))


def test_the_answer_says_who_answered_and_why(library: Library, home: Path) -> None:
    """An easy question is answered by the small model alone; the answer names it, its options and the reason."""
    small, large = Named(TRUE, name="a"), Named(TRUE, name="b")
    answer = routed(library, home, [small, large, Named(TRUE, name="c")], EASY)
    assert (answer.outcome, answer.model.name, answer.note) == ("answered", "a", ROUTED)
    assert (answer.model.window, answer.model.max_tokens, answer.model.temperature) == (4096, 100, 0.0)
    assert large.prompts == []


def test_an_answer_that_fails_its_check_is_asked_of_the_large_model(library: Library, home: Path) -> None:
    """An invented quote goes to the large model when the settings say so, and the note tells the whole story."""
    scripts = [Named(INVENTED, name="a"), Named(TRUE, name="b"), Named(TRUE, name="c")]
    answer = routed(library, home, scripts, EASY)
    assert (answer.outcome, answer.model.name) == ("answered", "b")
    assert (
        "had no support" in answer.note
        and "on to the large model: the small one gave no answer that holds" in answer.note
    )
    alone = routed(library, home, scripts, EASY, READINGROOM_ROUTING__ASK_AGAIN="false")
    assert alone.model.backend == "extractive"


def test_a_busy_model_is_replaced(library: Library, home: Path) -> None:
    """A model that raises in the middle is an error of its own; the next one answers."""
    busy = Named(ModelError("The model a is busy.", "Ask again later."), name="a")
    answer = routed(library, home, [busy, Named(TRUE, name="b"), Named(TRUE, name="c")], EASY)
    assert answer.model.name == "b"
    assert "The model a is busy." in answer.note


def test_all_that_fail_leave_quoted_sentences(library: Library, home: Path) -> None:
    """When no model can answer, the best sentences are quoted and the note says what went wrong."""
    broken = [Named(ModelError(f"{name} broke.", "Ask again."), name=name) for name in "abc"]
    answer = routed(library, home, broken, HARD)
    assert answer.model.backend == "extractive"
    assert "b broke." in answer.note and "a broke." in answer.note


def test_pins_compare_what_both_sides_say(tmp_path: Path) -> None:
    """A pin holds digest, quantisation and template; what either side doesn't say is not compared."""
    pins = Pins(tmp_path / "pins.json")
    card = ModelCard("openai", "m", "", 4096, "Q4_K_M", "llama.cpp", "sha256:t")
    assert pins.changed(card) == ""
    pins.pin([card])
    assert pins.changed(ModelCard("openai", "m", "sha256:new", 2048, "Q4_K_M", "other", "sha256:t")) == ""
    assert "quantisation of m" in pins.changed(ModelCard("openai", "m", "", 4096, "Q2_K", "", "sha256:t"))
    with pytest.raises(ModelError, match="can't be pinned"):
        pins.pin([ModelCard("openai", "n", "", 4096)])
    (tmp_path / "pins.json").write_text("{")
    with pytest.raises(ModelError, match="can't be read"):
        pins.changed(card)
    pins.pin([card])
    assert pins.changed(card) == ""


@pytest.fixture
def with_ollama(home: Path, ollama_server: OllamaServer) -> Iterator[Settings]:
    """Settings of a home whose Ollama server has the small model."""
    home.mkdir()
    yield load_settings(
        environment(
            home,
            READINGROOM_ANSWER__MODEL="small",
            READINGROOM_ANSWER__OLLAMA_HOST=ollama_server.host,
            READINGROOM_ANSWER__OLLAMA_MODEL="smollm2:135m",
        )
    )


def test_a_changed_digest_is_caught(with_ollama: Settings, ollama_server: OllamaServer) -> None:
    """Other weights under the same name: refused, so that the embedded model answers and says so; or a warning."""
    choice = build_choice(with_ollama)
    first = next(choice.candidates())
    assert first.model.card.backend == "ollama"
    Pins(with_ollama.home / "pins.json").pin([first.model.card])
    ollama_server.digest = "ab" * 32
    refused = next(choice.candidates())
    assert refused.model.card.backend == "embedded"
    assert "The digest of smollm2:135m (ollama) was sha256:fd5f" in refused.why
    choice.close()
    lenient = with_ollama.model_copy(update={"models": with_ollama.models.model_copy(update={"changed": "warn"})})
    choice = build_choice(lenient)
    warned = next(choice.candidates())
    assert warned.model.card.backend == "ollama"
    assert "was sha256:fd5f" in warned.why
    answered = [*warned.model.stream([Message("user", "Say hi.")], max_tokens=8)]
    assert isinstance(answered[-1], Completion)
    choice.close()
