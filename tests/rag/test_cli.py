"""The command line: what it prints as JSON, for a person, and how it exits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rag.build import open_store
from rag.jobs import Jobs
from rag.settings import Settings
from tests.conftest import SMALL, Run
from tests.processes import PROJECT, run_command

HIT = {
    "rank", "score", "collection", "document_id", "version", "path", "page", "heading", "text", "start", "end", "boxes",
    "found_by", "also", "reranked", "hidden", "made_by",
}  # fmt: skip
ANSWER = {
    "id", "question", "outcome", "answer", "statements", "citations", "passages", "model", "tokens", "timings_ms", "note",
    "searched", "evidence", "standalone_question", "conversation_id", "as_of", "generation", "candidates", "disagreements",
    "dropped",
}  # fmt: skip
MODEL = {
    "backend", "name", "digest", "quantisation", "runtime", "template", "window", "temperature", "seed", "max_tokens", "note",
}  # fmt: skip
CITATION = {"n", "document_id", "version", "path", "page", "quote", "start", "end", "boxes", "stale"}
INGEST = {"job_id", "added", "updated", "moved", "unchanged", "removed", "failed", "gone", "pages", "chunks", "seconds"}
DOCUMENT = {
    "document_id", "path", "collection", "state", "version", "container", "format", "language", "pages", "ocr_pages",
    "low_confidence_pages", "chunks", "characters_extracted", "characters_indexed", "tokens_beyond_embedder", "problems",
    "organisation", "period", "kind", "date", "thread",
}  # fmt: skip
BOX = {"page", "x0", "y0", "x1", "y1"}
FEE = "What is the annual maintenance fee for a vessel with an equipment set of type B?"


@pytest.fixture(scope="module")
def read(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a command on a home with the corpus in it, shared by the tests that change nothing."""
    home = tmp_path_factory.mktemp("read") / "home"
    shutil.copytree(filled, home)
    return lambda *arguments, **more: run_command(home, *arguments, **more)


def _texts(read: Run, documents: set[str]) -> dict[str, str]:
    return {name: read("text", name, "--json").json["text"] for name in documents}


def test_search_prints_hits_whose_text_is_the_extracted_text(read: Run) -> None:
    """A search prints the contract's keys, ranks from 1, boxes on the hit's page, and text[start:end] of each document."""
    done = read("search", FEE, "-k", "3", "--json")
    assert done.code == 0 and set(done.json) == {"question", "hits", "unread", "timings_ms"}
    hits = done.json["hits"]
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert all(set(hit) == HIT for hit in hits)
    assert hits[0]["path"].endswith("ferry-supply-agreement.pdf") and hits[0]["page"] == 10
    assert hits[0]["boxes"] and all(set(box) == BOX and box["page"] == 10 for box in hits[0]["boxes"])
    assert all(hit["found_by"] and set(hit["found_by"]) <= {"keyword", "vector"} for hit in hits)
    texts = _texts(read, {hit["document_id"] for hit in hits})
    assert all(texts[hit["document_id"]][hit["start"] : hit["end"]] == hit["text"] for hit in hits)


def test_ask_prints_an_answer_with_exact_quotes(read: Run) -> None:
    """An answer has the contract's keys, cites the page with the fee, and quotes exactly what stands there."""
    done = read("ask", FEE, "--json")
    answer = done.json
    assert done.code == 0 and set(answer) == ANSWER and answer["outcome"] == "answered"
    assert set(answer["model"]) == MODEL and answer["model"]["backend"] == "extractive"
    assert set(answer["tokens"]) == {"sent", "evaluated", "cached", "generated"}
    assert all(set(hit) == HIT for hit in answer["passages"])
    assert all(set(citation) == CITATION for citation in answer["citations"])
    assert any("9,980" in citation["quote"] and citation["page"] == 10 for citation in answer["citations"])
    texts = _texts(read, {citation["document_id"] for citation in answer["citations"]})
    for citation in answer["citations"]:
        assert texts[citation["document_id"]][citation["start"] : citation["end"]] == citation["quote"]


def test_ask_says_that_nothing_was_found(read: Run) -> None:
    """A question that no document touches ends well, with the outcome not_found and no citation."""
    done = read("ask", "Which vaccine protects horses against tetanus in Patagonia?", "--json")
    assert done.code == 0
    assert (done.json["outcome"], done.json["citations"]) == ("not_found", [])


def test_a_day_that_is_none_is_named(read: Run) -> None:
    """`--as-of` wants a day of the calendar, and says how to write one."""
    done = read("ask", FEE, "--as-of", "30.6.2025")
    assert done.code == 2 and "--as-of 30.6.2025: no such day" in done.stderr and "2025-06-30" in done.stderr


def test_documents_lists_each_file_with_its_state(read: Run) -> None:
    """Every file of the folder is listed as ready, with all its characters indexed."""
    done = read("documents", "--collection", "documents", "--json")
    assert done.code == 0 and all(set(item) == DOCUMENT for item in done.json)
    assert sorted(Path(item["path"]).name for item in done.json) == sorted(SMALL)
    for item in done.json:
        assert (item["state"], item["problems"], item["collection"]) == ("ready", [], "documents")
        assert item["characters_indexed"] == item["characters_extracted"] > 0


def test_text_prints_exactly_the_extracted_text(read: Run) -> None:
    """The text command gives the same characters plainly and as JSON."""
    document = next(item for item in read("documents", "--json").json if item["path"].endswith(".txt"))
    plain, wrapped = read("text", document["document_id"]), read("text", document["document_id"], "--json")
    assert set(wrapped.json) == {"document_id", "version", "text", "hidden"} and wrapped.json["hidden"] == []
    assert plain.stdout == wrapped.json["text"]
    assert wrapped.json["version"] == document["version"]


def test_status_counts_what_is_there(read: Run) -> None:
    """The status names the home folder and counts documents, chunks and vectors."""
    found = read("status", "--json").json
    assert found["documents"] == {"ready": len(SMALL)}
    assert 0 < found["vectors_in_catalog"] <= found["chunks"] and found["jobs_unfinished"] == 0


def test_doctor_lists_findings_with_remedies(read: Run) -> None:
    """Doctor prints findings on privacy, models, ports, disk and catalog; whatever is not fine has a remedy."""
    done = read("doctor", "--json")
    assert all(set(item) == {"severity", "subject", "message", "remedy"} for item in done.json)
    subjects = {item["subject"].partition(":")[0] for item in done.json}
    assert {"privacy", "model", "port", "disk", "catalog", "documents"} <= subjects
    assert all(item["remedy"] for item in done.json if item["severity"] != "ok")
    assert done.code == int(any(item["severity"] == "error" for item in done.json))


def test_models_list_names_the_manifest(read: Run) -> None:
    """The models of the manifest are listed with licence and whether they are here."""
    found = {item["alias"]: item for item in read("models", "list", "--json").json}
    assert {"default", "small"} <= set(found)
    assert all(item["licence"] and isinstance(item["installed"], bool) for item in found.values())


def test_ingest_again_changes_nothing(filled_home: Path, corpus: Path, run: Run) -> None:
    """The same folder again is reported as unchanged, and the catalog's documents stay as they were."""
    before = run("documents", "--json").json
    done = run("ingest", corpus, "--json")
    assert done.code == 0 and set(done.json) == INGEST
    assert (done.json["added"], done.json["updated"], done.json["removed"]) == (0, 0, 0)
    assert done.json["unchanged"] == len(SMALL)
    assert run("documents", "--json").json == before


def test_forget_by_id_and_by_path(filled_home: Path, corpus: Path, run: Run) -> None:
    """Documents are forgotten by id or path, reported, and gone from the list and from search."""
    listed = {Path(item["path"]).name: item for item in run("documents", "--json").json}
    by_id = listed["spare-parts-stock.csv"]["document_id"]
    done = run("forget", by_id, corpus / "workshop-handover.txt", "--json")
    assert done.code == 0 and done.json["traces"] == [] and done.json["samples"] > 5 and done.json["vectors"] > 0
    gone = done.json["forgotten"]
    assert {Path(item["path"]).name for item in gone} == {"spare-parts-stock.csv", "workshop-handover.txt"}
    assert all(item["chunks"] and item["characters"] and item["pages"] for item in gone)
    assert len(run("documents", "--json").json) == len(SMALL) - 2
    hits = run("search", "reference hydrophone drift bench 3", "--json").json["hits"]
    assert not any(hit["path"].endswith(("handover.txt", "stock.csv")) for hit in hits)


def test_rebuild_brings_a_deleted_index_back(filled_home: Path, run: Run) -> None:
    """When Chroma's folder is deleted, a rebuild gives as many vectors as chunks, and the same hits as before."""
    before = run("search", FEE, "--json").json["hits"]
    shutil.rmtree(filled_home / "chroma")
    done = run("rebuild", "--json")
    assert done.code == 0 and done.json == {"vectors": run("status", "--json").json["chunks"]}
    assert run("search", FEE, "--json").json["hits"] == before


def test_plain_output_names_the_place(read: Run) -> None:
    """Without --json a person reads file name, page and quote, and nothing of it is JSON."""
    done = read("ask", FEE)
    assert "ferry-supply-agreement.pdf, page 10" in done.stdout and "9,980" in done.stdout
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.stdout)


def test_searching_a_collection_leaves_out_others(filled_home: Path, tmp_path: Path, run: Run) -> None:
    """Hits come only from the collections asked for."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "note.txt").write_text("The annual maintenance fee of the coffee machine is EUR 12.")
    assert run("ingest", tmp_path / "other", "--collection", "kitchen", "--json").code == 0
    found: list[dict[str, Any]] = run("search", FEE, "--collection", "kitchen", "--json").json["hits"]
    assert {hit["collection"] for hit in found} == {"kitchen"}
    both = run("search", FEE, "--collection", "kitchen", "--collection", "documents", "--json").json["hits"]
    assert {hit["collection"] for hit in both} == {"kitchen", "documents"}


def test_the_command_runs_from_any_folder(filled_home: Path, tmp_path: Path) -> None:
    """A relative path is taken from where the person stands, not from the project."""
    (tmp_path / "here.txt").write_text("Standing somewhere else entirely.")
    done = run_command(filled_home, "ingest", "here.txt", "--json", cwd=tmp_path)
    assert done.code == 0 and done.json["added"] == 1
    assert tmp_path != PROJECT


def test_a_job_that_was_stopped_is_told_when_the_next_command_finishes_it(
    run: Run, settings: Settings, tmp_path: Path
) -> None:
    """The files of a stopped job are read by the same command's next run; its report comes first, then what is new since."""
    (tmp_path / "docs").mkdir()
    for number in range(2):
        (tmp_path / "docs" / f"{number}.txt").write_text(f"The ferry {number} leaves at nine.\n")
    store = open_store(settings)
    stopped = Jobs(store).add("documents", [str(tmp_path / "docs")])
    store.close()
    done = run("ingest", tmp_path / "docs")
    first, then = done.stdout.split("Then this one:")
    assert f"was finished first (`readingroom report {stopped}`)" in first and "2 added, 0 updated" in first
    assert "0 added, 0 updated, 0 moved, 2 unchanged" in then
    assert "Then this one" not in run("ingest", tmp_path / "docs").stdout
