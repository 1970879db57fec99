"""What is special to Transformers: a folder of this machine, nothing fetched, nothing of it run, everything on record."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from rag.build import open_model
from rag.errors import ModelError
from rag.llm_transformers import TransformersModel, device_of
from rag.settings import load_settings
from tests.processes import environment
from tests.rag.test_llm_contract import QUESTION, SCHEMA, ask
from tests.tiny_models import tiny_chat_model


def test_the_card_is_complete_once_it_is_loaded(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Digest, numbers, template, program and device are known after loading; the window is the model's own at most. Nothing is
    drawn on the terminal meanwhile."""
    model = TransformersModel(tiny, 4096)
    assert (model.card.name, model.card.digest) == ("tiny-model", "")
    model.load()
    assert "Loading weights" not in capfd.readouterr().err
    card = model.card
    assert card.digest.startswith("sha256:") and card.template.startswith("sha256:")
    assert (card.window, card.quantisation) == (1024, "float32")
    assert card.runtime.startswith("transformers ") and card.runtime.endswith("cpu")
    model.close()


def test_a_schema_is_only_asked_for_and_said_so(tiny: Path) -> None:
    """Nothing holds the model to a schema; the completion's note says it."""
    model = TransformersModel(tiny)
    assert "only asked" in ask(model, QUESTION, schema=SCHEMA)[1].note
    assert ask(model, QUESTION)[1].note == ""
    model.close()


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    """A base model can't be asked: its name and what to take instead are said."""
    model = TransformersModel(tiny_chat_model(tmp_path / "base-model", template=None))
    with pytest.raises(ModelError, match=r"base-model has no chat template.*instruct"):
        ask(model, QUESTION)


@pytest.mark.parametrize(
    ("cuda", "bf16", "mps", "device", "kind"),
    [
        (True, True, False, "cuda", "bfloat16"),
        (True, False, False, "cuda", "float16"),
        (False, False, True, "mps", "float16"),
        (False, False, False, "cpu", "float32"),
    ],
)
def test_device_and_numbers_are_chosen_by_the_hardware(
    cuda: bool, bf16: bool, mps: bool, device: str, kind: str
) -> None:
    """A graphics card in 16 bits, in the wider kind where it has that; a processor in 32 (the hardware is a stand-in)."""
    hardware = SimpleNamespace(
        cuda=SimpleNamespace(is_available=lambda: cuda, is_bf16_supported=lambda: bf16),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
        **{name: name for name in ("bfloat16", "float16", "float32")},
    )
    assert device_of(hardware) == (device, kind)


def test_pickled_weights_and_other_folders_are_refused(tmp_path: Path) -> None:
    """A folder without safetensors is refused before anything of it is opened."""
    with pytest.raises(ModelError, match=r"config\.json"):
        TransformersModel(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ModelError, match="Pickled weights can run code"):
        TransformersModel(tmp_path)


def test_a_broken_folder_is_an_error(tiny: Path, tmp_path: Path) -> None:
    """Weights that are cut off raise ModelError that names the folder."""
    for file in tiny.iterdir():
        content = file.read_bytes()
        (tmp_path / file.name).write_bytes(content[:100] if file.suffix == ".safetensors" else content)
    with pytest.raises(ModelError, match="can't be loaded"):
        ask(TransformersModel(tmp_path), QUESTION)


def test_the_settings_name_a_folder(tiny: Path, home: Path) -> None:
    """`answer.model: transformers:FOLDER` opens that folder."""
    settings = load_settings(environment(home, READINGROOM_ANSWER__MODEL=f"transformers:{tiny}"))
    model = open_model(settings, "transformers", str(tiny))
    assert model is not None and model.card.backend == "transformers"
