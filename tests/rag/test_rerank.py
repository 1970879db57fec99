"""Reranking: the port, its adapter on a tiny cross-encoder made here, the order of hits, and what is said when it is missing.

No trained cross-encoder is to be had offline. The one made here prefers texts with the word "harbour", whatever is asked:
it shows that scores decide the order, not that they are good.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from rag.build import build_reranker, check_models
from rag.doctor import examine
from rag.errors import ModelError
from rag.library import Library
from rag.rerank import NoReranker, Reranker
from rag.settings import Settings, load_settings
from tests.in_process import Room
from tests.processes import environment, run_command

TEXTS = {
    "pump": "The pump of the eastern dock weighs 40 kg and needs 3 kW of power.",
    "valve": "The valve of the eastern dock weighs 7 kg and needs no power.",
    "harbour": "The harbour master lives above the bakery.",
    "clock": "The clock of the church is wound by the verger.",
}
WORDS = sorted({word.strip(".").lower() for text in TEXTS.values() for word in text.split()} | {"?", ".", "what"})


def make_cross_encoder(folder: Path, labels: int = 1) -> Path:
    """Make a BERT of one layer that was trained for a second to prefer texts with the word "harbour"."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir(parents=True)
    signs = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: number for number, word in enumerate([*signs, *WORDS])}
    tokenizer = BertTokenizerFast(vocab=vocabulary, model_max_length=64)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        num_labels=labels,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = BertForSequenceClassification(config)
    if labels == 1:
        texts = list(TEXTS.values())
        pairs = tokenizer(["what weighs ?"] * len(texts), texts, padding=True, return_tensors="pt")
        wanted = torch.tensor([[1.0 if "harbour" in text else 0.0] for text in texts])
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(60):
            optimizer.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(model(**pairs).logits, wanted)
            loss.backward()
            optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny cross-encoder's folder; tests copy it before they change it."""
    return make_cross_encoder(tmp_path_factory.mktemp("models") / "tiny-cross-encoder")


def with_reranker(home: Path, reranker: Path | str, **more: str) -> Settings:
    """Settings that name a reranker."""
    return load_settings(environment(home, READINGROOM_SEARCH__RERANKER=str(reranker), **more))


@pytest.fixture(params=["none", "cross-encoder"])
def reranker(request: pytest.FixtureRequest, folder: Path, home: Path) -> Reranker:
    """Each adapter, as the settings make it."""
    return build_reranker(with_reranker(home, "" if request.param == "none" else folder))


def test_a_reranker_scores_each_text(reranker: Reranker) -> None:
    """There is one number a text, in order, the same alone and among others; of no texts there is none."""
    texts = list(TEXTS.values())
    together = list(reranker.scores("What weighs 40 kg?", texts))
    assert len(together) == len(texts)
    assert together == pytest.approx([reranker.scores("What weighs 40 kg?", [text])[0] for text in texts], abs=1e-5)
    assert list(reranker.scores("What weighs 40 kg?", texts[::-1])) == pytest.approx(together[::-1], abs=1e-5)
    assert list(reranker.scores("What?", [])) == []


def test_the_cross_encoder_prefers_what_it_was_trained_to(folder: Path, home: Path) -> None:
    """The scores are the model's: the text with the word comes first; a text longer than the model reads has a score too."""
    scores = build_reranker(with_reranker(home, folder)).scores("what weighs ?", [*TEXTS.values(), "harbour " * 900])
    assert max(scores[:4]) == scores[list(TEXTS).index("harbour")] and scores[2] > 0.9
    assert max(scores[0], scores[1], scores[3]) < 0.1


def test_the_default_is_none(home: Path) -> None:
    """Without the setting nothing is reranked, and nothing is missing."""
    settings = load_settings(environment(home))
    assert isinstance(build_reranker(settings), NoReranker) and check_models(settings) == []


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A text file for each text."""
    place = tmp_path / "documents"
    place.mkdir()
    for name, text in TEXTS.items():
        (place / f"{name}.txt").write_text(text, encoding="utf-8")
    return place


def test_the_reranker_decides_the_order_of_hits(home: Path, folder: Path, documents: Path) -> None:
    """With it the text it prefers is first, in searches and for answers; hits and timings say so; without it fusion decides."""
    plain = load_settings(environment(home))
    with Room(plain) as room:
        room.ingest(documents)
    with Library(plain, "tests") as library:
        before = library.search("What weighs 40 kg?")
    assert Path(before.hits[0].path).stem == "pump"
    assert "rerank" not in before.timings_ms and {hit.reranked for hit in before.hits} == {None}
    with Library(with_reranker(home, folder), "tests") as library:
        after = library.search("What weighs 40 kg?")
        answer = library.ask("What weighs 40 kg?")
    assert Path(after.hits[0].path).stem == "harbour"
    reranked = [hit.reranked for hit in after.hits]
    assert None not in reranked and reranked == sorted(reranked, key=lambda score: -(score or 0))
    assert {hit.path: hit.score for hit in after.hits} == {hit.path: hit.score for hit in before.hits}
    assert "rerank" in after.timings_ms and "rerank" in answer.timings_ms


def test_only_so_many_passages_are_reranked(home: Path, folder: Path, documents: Path) -> None:
    """Passages beyond `search.rerank` stay behind those that were read, in the order of fusion, without a score."""
    with Room(load_settings(environment(home))) as room:
        room.ingest(documents)
    settings = with_reranker(home, folder, READINGROOM_SEARCH__RERANK="2")
    with Library(settings, "tests") as library:
        hits = library.search("What weighs 40 kg?").hits
    assert {Path(hit.path).stem for hit in hits[:2]} == {"pump", "valve"}
    assert [hit.reranked is None for hit in hits] == [False, False, True, True]
    assert hits[2].score >= hits[3].score


def test_a_name_is_looked_for_among_the_models(home: Path, folder: Path) -> None:
    """A reranker in the folder of models is found by its name; doctor names it."""
    settings = with_reranker(home, folder.name, READINGROOM_MODELS__FOLDER=str(folder.parent))
    assert build_reranker(settings).name == "tiny-cross-encoder"
    said = next(finding for finding in examine(settings) if finding.subject == "reranker")
    assert said.severity == "ok" and "tiny-cross-encoder" in said.message


def broken(folder: Path, into: Path, kind: str) -> Path:
    """Return a copy of the cross-encoder with something wrong."""
    if kind == "missing":
        return into / "nowhere"
    if kind == "three scores":
        return make_cross_encoder(into / "three", labels=3)
    copy = into / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    if kind == "no cross-encoder":
        (copy / "config.json").write_text(json.dumps({**config, "architectures": ["BertModel"]}))
    elif kind == "no config":
        (copy / "config.json").unlink()
    elif kind == "config without sense":
        (copy / "config.json").write_text("[1, 2")
    elif kind == "no weights":
        (copy / "model.safetensors").unlink()
    elif kind == "damaged weights":
        (copy / "model.safetensors").write_bytes((copy / "model.safetensors").read_bytes()[:500])
    elif kind == "code of its own":
        own = {"auto_map": {"AutoModelForSequenceClassification": "own.Model"}, "model_type": "own"}
        (copy / "own.py").write_text(f"open({str(into / 'ran')!r}, 'w')")
        (copy / "config.json").write_text(json.dumps({**config, **own}))
    return copy


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "There is no folder"),
        ("no cross-encoder", "holds no cross-encoder but BertModel"),
        ("no config", "config.json can't be read"),
        ("config without sense", "config.json can't be read"),
        ("no weights", "holds no weights"),
        ("damaged weights", "can't be loaded"),
        ("three scores", "gives 3 scores"),
        ("code of its own", "can't be loaded"),
    ],
)
def test_what_is_no_reranker_is_refused(folder: Path, home: Path, tmp_path: Path, kind: str, says: str) -> None:
    """The error names the folder and what is wrong with it, and says what to do; nothing of the folder is run."""
    place = broken(folder, tmp_path, kind)
    with pytest.raises(ModelError, match=says) as caught:
        build_reranker(with_reranker(home, place)).scores("What?", ["a text"])
    assert str(place) in caught.value.message and "search.reranker" in caught.value.remedy
    assert not (tmp_path / "ran").exists()


def test_the_extra_is_asked_for(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sentence-transformers the error says how to get it."""
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelError, match="not installed") as caught:
        build_reranker(with_reranker(home, folder))
    assert "make models" in caught.value.remedy


def test_a_missing_reranker_is_said_before_a_question(filled_home: Path) -> None:
    """Doctor and the command line name it; a search fails with the remedy and does not go on without."""
    nowhere = {"READINGROOM_SEARCH__RERANKER": "nowhere"}
    searched = run_command(filled_home, "search", "maintenance", **nowhere)
    assert searched.code == 1 and "nowhere" in searched.stderr and "search.reranker" in searched.stderr, searched
    doctor = run_command(filled_home, "doctor", "--json", **nowhere)
    said = next(finding for finding in doctor.json if finding["subject"] == "reranker")
    assert (doctor.code, said["severity"]) == (1, "error") and said["remedy"]
