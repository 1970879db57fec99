"""Index generations with real models: built beside, compared, switched, taken back, dropped; killed and raced."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.pipeline import Recipe
from ingest.ports import Embedder, JobGone, Superseded
from ingest.worker import Worker
from rag.build import build_embedder, model_store, open_any_store, open_store, with_embedder
from rag.doctor import examine
from rag.errors import HomeLocked, HomeMismatch, ModelError, NotFound, UsageError
from rag.generations import Generations
from rag.intake import Intake
from rag.library import Library
from rag.parity import compare_with_live, status
from rag.questions_file import Wanted, write_questions
from rag.reindex import alone, build, wanted_embedding
from rag.settings import Settings
from rag.vectors import VectorIndex
from rag.version_rows import document_id
from tests.in_process import DirectReader
from tests.processes import COMMAND, PROJECT, environment, rows, run_command, wait_for
from tests.tiny_models import INSTALLED, NARROW, TINY, make_models

DOCUMENTS = {
    "harbour.md": "# Harbour\n\nThe pilot boat is called Teal and has two engines of 180 kilowatts.\n",
    "tower.txt": "The tower clock is wound every Monday by the verger, who is paid 40 euros for it.\n",
    "bridge.txt": "The bridge opens at high water, and the keeper lights 3 red lanterns.\n",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with two tiny ones in it."""
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def settings(settings: Settings, models: Path) -> Settings:
    """The default settings with that folder of models."""
    return settings.model_copy(update={"models": settings.models.model_copy(update={"folder": str(models)})})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three short documents."""
    place = tmp_path / "docs"
    place.mkdir()
    for name, text in DOCUMENTS.items():
        (place / name).write_text(text)
    return place


@pytest.fixture
def library(settings: Settings, folder: Path) -> Iterator[Library]:
    """An open home with the three documents."""
    with Library(settings, "tests") as opened:
        ingest(opened, folder)
        yield opened


def worker(library: Library, embedder: Embedder) -> Worker:
    return Worker(
        catalog=Intake(library.store, embedder.fingerprint),
        readers=[DirectReader()],
        recipe=Recipe("tests", embedder, 50_000_000),
        identify=document_id,
        stop=threading.Event(),
        log=lambda *_, **__: None,
    )


def ingest(library: Library, folder: Path) -> None:
    """Ingest a folder in this process, with the embedder that is live."""
    library.jobs.add("documents", [str(folder)])
    worker(library, library.embedder).run(until_idle=True)
    library.publisher.run()


def build_tiny(settings: Settings, name: str = TINY, *, cut: bool = False) -> str:
    """Build a generation as the command does, beside whoever has the home open; return its fingerprint."""
    embedding = wanted_embedding(model_store(settings), name, None, settings.embedding)
    embedder = build_embedder(settings.model_copy(update={"embedding": embedding}))
    store = open_any_store(settings)
    try:
        build(Generations(store), embedder, embedding, cut=cut)
    finally:
        store.close()
    return embedder.fingerprint


def found(library: Library, question: str = "Who winds the tower clock?") -> list[tuple[str, float]]:
    return [(Path(hit.path).name, hit.score) for hit in library.search(question).hits]


def by_vector(library: Library) -> set[str]:
    """Return the names of the documents whose vectors the live index holds."""
    hits = library.found("harbour tower bridge ferry", [], 50)
    return {Path(item.passage.path).name for item in hits if "vector" in item.found_by}


def test_built_beside_then_switched_back_and_dropped(library: Library, settings: Settings) -> None:
    """While another generation is built nothing changes; it answers after the switch; back gives the very same hits; dropped
    vectors are gone from catalog and Chroma."""
    before, old = found(library), library.embedder.fingerprint
    new = build_tiny(settings)
    assert found(library) == before and library.status().embedder == old
    assert [(item.state, item.vectors, item.missing) for item in library.generations.all()] == [
        ("live", 3, 0),
        ("built", 3, 0),
    ]
    switched = library.switch()
    assert (switched.live, switched.before, switched.embedded, switched.beyond) == (new, old, 0, 0)
    assert switched.settings == {"backend": "sentence-transformers", "model": TINY}
    assert library.embedder.fingerprint == library.status().embedder == new
    after = found(library)
    assert after[0][0] == "tower.txt" and after != before
    assert by_vector(library) == set(DOCUMENTS)
    assert library.ask("Who winds the tower clock?").outcome in ("answered", "not_found")

    assert library.switch(back=True).live == old and found(library) == before
    assert library.switch(back=True).live == new, "back from back is forward"
    assert library.switch(INSTALLED).live == old and found(library) == before

    dropped = library.drop()
    assert (dropped.embedders, dropped.vectors) == ([new], 3)
    assert rows(settings.home, "SELECT DISTINCT embedder FROM embeddings") == [(old,)]
    with sqlite3.connect(settings.home / "chroma" / "chroma.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM collections").fetchone() == (1,)
    with pytest.raises(NotFound, match="no generation to go back to"):
        library.switch(back=True)
    assert library.drop().embedders == [] and found(library) == before


def test_other_settings_name_both_embedders(library: Library, settings: Settings) -> None:
    """A home opened with the settings of another embedder is refused with both names and the command to run, before and
    after that one is built; settings that agree open it."""
    other = with_embedder(settings, TINY, "sentence-transformers")
    live, new = library.embedder.fingerprint, build_embedder(other).fingerprint
    with pytest.raises(HomeMismatch) as refused:
        open_store(other)
    assert live in refused.value.message and new in refused.value.message
    asked = f"readingroom reindex --embedder {TINY} --backend sentence-transformers"
    assert f"`{asked}`" in refused.value.remedy and f"model: {INSTALLED}" in refused.value.remedy
    build_tiny(settings)
    with pytest.raises(HomeMismatch, match="--switch`"):
        open_store(other)
    library.switch()
    open_store(other).close()
    with pytest.raises(HomeMismatch, match=f"model: {TINY}, backend: sentence-transformers"):
        open_store(settings)


def test_what_is_ingested_meanwhile_is_not_lost(library: Library, settings: Settings, folder: Path) -> None:
    """A document that comes while a generation is built has vectors of both; one that comes later is embedded before the
    switch; a worker of the embedder before leaves its job, and one of the new embedder ends it."""
    build_tiny(settings)
    (folder / "ferry.txt").write_text("The ferry leaves at 7 in the morning from the northern quay.\n")
    ingest(library, folder)
    assert library.generations.all()[1].missing == 1
    (folder / "mill.txt").write_text("The mill grinds 4 tonnes of rye in a day.\n")
    old = worker(library, library.embedder)
    job_id = library.jobs.add("documents", [str(folder)])
    job = old.catalog.next_job()
    assert job is not None and job.job_id == job_id
    assert library.switch().embedded == 1
    assert by_vector(library) == {*DOCUMENTS, "ferry.txt"}
    with pytest.raises(JobGone):
        old.catalog.list_files(job, [folder / "mill.txt"])
    with pytest.raises(Superseded):
        old.run(until_idle=True)
    worker(library, library.embedder).run(until_idle=True)
    library.publisher.run()
    assert library.jobs.status(job_id).stage == "done"
    assert by_vector(library) == {*DOCUMENTS, "ferry.txt", "mill.txt"}
    assert library.switch(back=True).embedded == 1, "what came since is embedded for the one before, too"
    assert by_vector(library) == {*DOCUMENTS, "ferry.txt", "mill.txt"}


def test_a_text_that_comes_at_the_last_moment_delays_the_switch(
    library: Library, settings: Settings, folder: Path
) -> None:
    """The commit refuses while a document that is searched has a text without a vector, and nothing has changed then."""
    new = build_tiny(settings)
    (folder / "ferry.txt").write_text("The ferry leaves at 7 in the morning from the northern quay.\n")
    ingest(library, folder)
    old = library.generations.live()
    assert library.generations.make_live(new) is False and library.generations.live() == old
    assert library.switch().embedded == 1 and library.generations.live() == new


def test_forgetting_removes_the_vectors_of_every_generation(library: Library, settings: Settings, folder: Path) -> None:
    """A forgotten document has no vector left in the catalog or in Chroma, of no embedder; the same file may come back."""
    old, new = library.embedder.fingerprint, build_tiny(settings)
    library.switch()
    tower = next(item.document_id for item in library.documents() if item.path.endswith("tower.txt"))
    assert library.forget([tower]).vectors == 2
    kept = [library._index.beside(name).ids("documents") for name in (old, new)]
    assert [len(ids) for ids in kept] == [2, 2] and not any(key.startswith(tower) for ids in kept for key in ids)
    ingest(library, folder)
    assert library.switch(back=True).embedded == 1 and by_vector(library) == set(DOCUMENTS)


def test_a_rebuild_keeps_the_way_back(library: Library, settings: Settings) -> None:
    """When Chroma was emptied and filled for the live embedder, going back fills it for the one before."""
    before = found(library)
    build_tiny(settings)
    library.switch()
    assert library.rebuild().vectors == 3
    library.switch(back=True)
    assert found(library) == before


def test_the_report_compares_both(library: Library, settings: Settings, folder: Path, tmp_path: Path) -> None:
    """The kept report has overlap, quality on the questions of a file, room and speed of both; without a file questions are
    made by rule."""
    new = build_tiny(settings)
    embedder = build_embedder(with_embedder(settings, TINY, "sentence-transformers"))
    text = DOCUMENTS["tower.txt"].strip()
    file = tmp_path / "questions.yaml"
    write_questions(file, [Wanted("Who winds the clock of the tower?", str(folder / "tower.txt"), 1, text)])
    compare_with_live(settings, library.store, embedder, file)
    kept = status(library.generations.get(new)).parity
    assert kept is not None and (kept.questions, kept.made_by_rule) == (1, False)
    assert kept.overlap_vectors == kept.overlap_found == 1.0, "three passages: both find all of them"
    assert kept.live.quality["page@1"] == kept.new.quality["page@1"] == 1.0
    assert kept.difference["page@1"]["difference"] == 0.0
    assert (kept.live.bytes, kept.new.bytes) == (3 * 384 * 4, 3 * 32 * 4)
    assert kept.live.texts_per_second > 0 and kept.new.texts_per_second > 0 and kept.new.search_ms > 0
    compare_with_live(settings, library.store, embedder, None)
    made = status(library.generations.get(new)).parity
    assert made is not None and made.made_by_rule and made.questions == 3


def test_a_narrower_window_is_refused_or_cut_knowingly(library: Library, settings: Settings, folder: Path) -> None:
    """An embedder that reads less than the texts have is refused with numbers and the remedy; with `cut` it is built, and
    says how many texts it reads in part."""
    (folder / "long.txt").write_text("The lighthouse was painted white and red by the same two men. " * 8)
    ingest(library, folder)
    with pytest.raises(UsageError, match="reads 30 tokens of a text, and 1 of 4 texts are longer") as refused:
        build_tiny(settings, NARROW)
    assert "--cut" in refused.value.remedy and len(library.generations.all()) == 1
    build_tiny(settings, NARROW, cut=True)
    assert library.switch().beyond == 1
    said = next(
        item
        for item in examine(with_embedder(settings, NARROW, "sentence-transformers"))
        if NARROW in item.subject and "embedder" in item.subject
    )
    assert said.severity == "warning" and "1 texts are longer" in said.message


def test_a_wrong_name_is_refused_with_the_nearest(settings: Settings) -> None:
    """An unknown embedder, a language model, one that is not installed and one of another backend are each named."""
    store = model_store(settings)
    with pytest.raises(NotFound, match="Did you mean tiny-bert"):
        wanted_embedding(store, "tiny-brt", None, settings.embedding)
    with pytest.raises(NotFound, match="small is a language model"):
        wanted_embedding(store, "small", None, settings.embedding)
    with pytest.raises(ModelError, match="readingroom models pull all-minilm-l6-v2`"):
        wanted_embedding(store, "all-minilm-l6-v2", None, settings.embedding)
    with pytest.raises(UsageError, match="--backend sentence-transformers"):
        wanted_embedding(store, TINY, "onnx", settings.embedding)
    assert wanted_embedding(store, TINY, None, settings.embedding).backend == "sentence-transformers"
    assert wanted_embedding(store, INSTALLED, None, settings.embedding).backend == "onnx"


def test_what_makes_no_sense_is_refused(library: Library, settings: Settings, tmp_path: Path) -> None:
    """Building what is live, building into an empty home, switching to nothing, dropping the live one, and two builds at
    once are refused, each with what to do."""
    with pytest.raises(UsageError, match="is live already"):
        build_tiny(settings, INSTALLED)
    with pytest.raises(NotFound, match="No generation is built"):
        library.switch()
    with pytest.raises(NotFound, match="no built generation of tiny-bert"):
        library.switch(TINY)
    with pytest.raises(UsageError, match="is live"):
        library.drop(INSTALLED)
    with pytest.raises(NotFound, match="no generation of tiny-bert"):
        library.drop(TINY)
    with pytest.raises(UsageError, match="is empty"):
        build_tiny(settings.model_copy(update={"home": tmp_path / "new"}))
    with alone(library.home), pytest.raises(HomeLocked, match="Another `readingroom reindex`"), alone(library.home):
        pass


def test_a_model_that_changed_is_not_switched_to(library: Library, settings: Settings, models: Path) -> None:
    """A generation whose model's files are not those that it was built with is refused; the live one stays."""
    old = library.embedder.fingerprint
    build_tiny(settings)
    record = models / TINY / ".record.json"
    kept = record.read_text()
    changed = json.loads(kept)
    changed["model.safetensors"]["sha256"] = "0" * 64
    try:
        record.write_text(json.dumps(changed))
        with pytest.raises(ModelError, match="is not the one that the generation was built with"):
            library.switch()
    finally:
        record.write_text(kept)
    assert library.generations.live() == library.embedder.fingerprint == old


def test_a_home_of_before_is_opened(library: Library, settings: Settings) -> None:
    """A home whose catalog has no record of generations, only the fact, gets one when it is opened."""
    with library.store.write() as connection:
        connection.exec_driver_sql("DROP TABLE generations")
    open_store(settings).close()
    assert [(item.state, item.model, item.backend, item.vectors) for item in library.generations.all()] == [
        ("live", INSTALLED, "onnx", 3)
    ]


def test_a_killed_build_goes_on(settings: Settings, folder: Path, models: Path) -> None:
    """A build that is killed in the middle leaves the live generation as it is; doctor names it; the next run embeds only
    the rest, and the vectors are those of an undisturbed build."""
    for number in range(300):
        (folder / f"{number}.txt").write_text(f"Buoy number {number} was painted and anchored again. " * 9)
    tiny = with_embedder(settings, TINY, "sentence-transformers")
    with Library(tiny, "tests") as library:
        ingest(library, folder)
        before = found(library)
    more = {"READINGROOM_MODELS__FOLDER": str(models), "READINGROOM_EMBEDDING__THREADS": "1"}
    command = [COMMAND, "reindex", "--embedder", INSTALLED, "--json"]
    build_process = subprocess.Popen(
        command,
        env=environment(settings.home, **more),
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    count = f"SELECT count(*) FROM embeddings WHERE embedder LIKE '{INSTALLED}%'"
    wait_for(lambda: (rows(settings.home, count) or [(0,)])[0][0] > 0, "the first batch to be kept", seconds=120)
    build_process.send_signal(signal.SIGKILL)
    assert build_process.wait(30) == -signal.SIGKILL
    ((kept,),) = rows(settings.home, count)
    assert 0 < kept < 303
    with Library(tiny, "tests") as library:
        assert found(library) == before
        half = next(item for item in examine(tiny) if item.subject.startswith(f"embedder: {INSTALLED}"))
        assert half.severity == "warning" and f"{303 - kept} of 303" in half.message and "half built" in half.message
        with pytest.raises(UsageError, match="half built"):
            library.switch(INSTALLED)
        with pytest.raises(UsageError, match="half built"):
            library.switch()
        build_tiny(settings, INSTALLED)
        (item,) = [item for item in library.generations.all() if item.state == "built"]
        assert item.vectors == 303 and item.texts == 303, "what was embedded before the kill was not embedded again"
        embedder = build_embedder(settings)
        texts = library.generations.texts(3)
        with library.store.read() as connection:
            for key, text in texts:
                query = "SELECT vector FROM embeddings WHERE text_hash = ? AND embedder = ?"
                vector = connection.exec_driver_sql(query, (key, embedder.fingerprint)).scalar_one()
                assert vector == embedder.embed([text])[0].astype("<f4").tobytes()


def test_the_command(library: Library, settings: Settings, models: Path, tmp_path: Path) -> None:
    """The command builds and reports, switches, goes back, drops and lists, and refuses what does not go together."""
    home = tmp_path / "copy"
    library.store.forget_traces()
    shutil.copytree(settings.home, home, ignore=shutil.ignore_patterns("lock", "api.json"))
    more = {"READINGROOM_MODELS__FOLDER": str(models)}
    done = run_command(home, "reindex", "--embedder", TINY, **more)
    assert done.code == 0, done.stderr
    assert "overlap@10" in done.stdout and "readingroom reindex --switch" in done.stdout and "page@1" in done.stdout
    done = run_command(home, "reindex", "--switch", **more)
    assert done.code == 0 and f"model: {TINY}, backend: sentence-transformers" in done.stdout, done.stderr
    refused = run_command(home, "search", "Who winds the clock?", **more)
    assert refused.code == 1 and "readingroom reindex --embedder all-minilm-l6-v2-int8" in refused.stderr
    done = run_command(home, "reindex", "--back", "--json", **more)
    assert done.code == 0 and done.json["before"].startswith(TINY), done.stderr
    done = run_command(home, "reindex", "--drop-old", "--json", **more)
    assert done.code == 0 and done.json["vectors"] == 3, done.stderr
    assert [item["state"] for item in run_command(home, "reindex", "--json", **more).json] == ["live"]
    assert run_command(home, "reindex", "--back", "--switch", **more).code == 2
    assert run_command(home, "reindex", "--embedder", "tiny-brt", **more).code == 1


def test_a_model_folder_is_added_by_hand(settings: Settings, models: Path, tmp_path: Path) -> None:
    """A folder of sentence-transformers is listed as an embedder, verified, and missed when a file of it is gone; another
    folder and a name that is taken are refused."""
    store = model_store(settings)
    (listed,) = [item for item in store.list() if item.name == TINY]
    assert (listed.kind, listed.installed) == ("embedder", True) and listed.bytes > 1_000_000
    assert all(finding.ok for finding in store.verify(TINY)) and store.path(TINY) == models / TINY
    assert store.digest(TINY) != store.digest(NARROW)
    with pytest.raises(UsageError, match="no free name"):
        store.add(models / TINY)
    with pytest.raises(UsageError, match=r"modules\.json"):
        store.add(tmp_path)
    added = store.add(models / TINY, "another")
    (added / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="is gone"):
        store.path("another")
    shutil.rmtree(added)


def test_indexes_of_two_embedders_share_a_folder(tmp_path: Path) -> None:
    """Vectors of two embedders don't meet; dropping one leaves the other and no folder of its own."""
    import numpy as np

    one = VectorIndex(tmp_path, "one")
    other = one.beside("other")
    one.add("c", ["a", "b"], np.eye(2, dtype=np.float32))
    other.add("c", ["x"], np.ones((1, 3), dtype=np.float32))
    assert one.ids("c") == {"a", "b"} and other.ids("c") == {"x"}
    one.drop("c")
    one.discard("c", ["a"])
    one.beside("third").drop("c")
    assert other.ids("c") == {"x"} and one.count("c") == 0
    one.close()
