"""The API on a real server: routes, events, problem details, and the invariants of places in a text."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.conftest import SMALL
from tests.processes import SAMPLES, Server

FEE = "What is the annual maintenance fee for a vessel with an equipment set of type B?"
PROBLEM = {"type", "title", "status", "detail", "remedy"}


def events(response: httpx.Response) -> list[tuple[str, Any]]:
    """Return the events of a stream of server-sent events."""
    assert response.headers["content-type"].startswith("text/event-stream")
    return [(name, json.loads(data)) for name, data in re.findall(r"event: (\w+)\ndata: (.*)\n\n", response.text)]


def problem(response: httpx.Response, status: int, kind: str, *words: str) -> None:
    """Assert that a response is a problem document of one kind that says `words` and what to do."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) == PROBLEM and body["status"] == status and body["type"] == f"urn:readingroom:{kind}"
    assert body["remedy"] and all(word in body["detail"] for word in words)


def of_file(server: Server, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in server.get("/v1/documents").json() if Path(item["path"]).name == name)
    return found


def place(roots: Path, folder: str, **files: str) -> Path:
    (roots / folder).mkdir()
    for name, content in files.items():
        (roots / folder / f"{name}.txt").write_text(content)
    return roots / folder


def test_every_hit_is_a_slice_of_the_text(server: Server) -> None:
    """For every hit of several questions, text[start:end] of its document is the hit's text, in the same version."""
    for question in (FEE, "dividend", "hydrophone drift", "connector stock count", "arbitration in Oslo"):
        hits = server.post("/v1/search", json={"question": question, "k": 20}).json()["hits"]
        assert hits
        for hit in hits:
            text = server.get(f"/v1/documents/{hit['document_id']}/text").json()
            assert text["version"] == hit["version"] and text["text"][hit["start"] : hit["end"]] == hit["text"]


def test_every_citation_is_a_slice_of_the_text(server: Server) -> None:
    """Every quote of an answer is text[start:end] of its document, and lies within a passage that was sent."""
    answer = server.post("/v1/ask", json={"question": FEE}).json()
    assert answer["outcome"] == "answered" and answer["citations"]
    for citation in answer["citations"]:
        text = server.get(f"/v1/documents/{citation['document_id']}/text").json()["text"]
        assert text[citation["start"] : citation["end"]] == citation["quote"]
        assert any(
            hit["document_id"] == citation["document_id"]
            and hit["start"] <= citation["start"] < citation["end"] <= hit["end"]
            for hit in answer["passages"]
        )


def test_ask_streams_passages_tokens_and_the_answer(server: Server) -> None:
    """As events an answer comes as passages, then tokens, then the whole answer, which ends the stream."""
    found = events(server.post("/v1/ask", json={"question": FEE}, headers={"Accept": "text/event-stream"}))
    names = [name for name, _ in found]
    assert names[0] == "passages" and names[-1] == "answer" and set(names[1:-1]) == {"token"}
    assert "9,980" in "".join(data["text"] for name, data in found if name == "token")
    assert found[-1][1]["outcome"] == "answered"


def test_error_before_the_stream_has_its_own_status(server: Server) -> None:
    """A wrong question is a problem with a status, also when events were asked for."""
    response = server.post("/v1/ask", json={"question": " "}, headers={"Accept": "text/event-stream"})
    problem(response, 422, "UsageError", "empty")


def test_page_image_marks_the_quote(server: Server) -> None:
    """A page comes as PNG in the size asked for, and differs where the quote is marked."""
    citation = server.post("/v1/ask", json={"question": FEE}).json()["citations"][0]
    path = f"/v1/documents/{citation['document_id']}/pages/{citation['page']}.png?dpi=72"
    plain, marked = server.get(path), server.get(f"{path}&highlight={citation['start']}-{citation['end']}")
    assert plain.headers["content-type"] == marked.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(plain.content)) as first, Image.open(io.BytesIO(marked.content)) as second:
        assert first.size == second.size == (595, 842) or first.size == second.size == (596, 842)
        box = citation["boxes"][0]
        inside = int(box["x0"]) - 1, int(box["y0"] + box["y1"]) // 2
        above = int(box["x0"]), max(0, int(box["y0"]) - 40)
        assert first.convert("RGB").getpixel(inside) != second.convert("RGB").getpixel(inside)
        assert first.convert("RGB").getpixel(above) == second.convert("RGB").getpixel(above)


def test_pages_that_cannot_be_shown(server: Server) -> None:
    """Pages that don't exist, formats without pages, and wrong highlights are problems of their own."""
    contract, note = of_file(server, SMALL[0])["document_id"], of_file(server, SMALL[2])["document_id"]
    problem(server.get(f"/v1/documents/{contract}/pages/99.png"), 404, "NotFound", "99")
    problem(server.get(f"/v1/documents/{contract}/pages/0.png"), 404, "NotFound", "0")
    problem(server.get(f"/v1/documents/{note}/pages/1.png"), 404, "NotFound", "no page images")
    problem(server.get(f"/v1/documents/{contract}/pages/1.png?highlight=9-3"), 422, "UsageError", "9-3")
    problem(server.get(f"/v1/documents/{contract}/pages/1.png?dpi=9000"), 422, "UsageError", "dpi")


def test_page_of_a_changed_file(server: Server, roots: Path) -> None:
    """When the file on disk is not the one that was read, its pages are refused with 409 until it is read again."""
    folder = place(roots, "changing")
    shutil.copy(SAMPLES / "ferry-supply-agreement.pdf", folder / "page.pdf")
    job = server.post("/v1/ingest", json={"paths": [str(folder)], "collection": "changing"}).json()["job_id"]
    assert server.finish(job)["report"]["added"] == 1
    page = f"/v1/documents/{of_file(server, 'page.pdf')['document_id']}/pages/1.png"
    assert server.get(page).status_code == 200
    with open(folder / "page.pdf", "ab") as file:
        file.write(b"\n% changed\n")
    problem(server.get(page), 409, "DocumentChanged", "page.pdf")
    (folder / "page.pdf").unlink()
    problem(server.get(page), 409, "DocumentChanged", "page.pdf")


def test_ingest_within_the_roots(server: Server, roots: Path) -> None:
    """A folder within the roots is ingested; its job's events end with done and the report."""
    folder = place(roots, "within", note="Puffins nest in the old signal station.")
    accepted = server.post("/v1/ingest", json={"paths": [str(folder)], "collection": "birds"})
    assert accepted.status_code == 202
    found = events(server.get(f"/v1/jobs/{accepted.json()['job_id']}/events"))
    assert {name for name, _ in found[:-1]} <= {"progress"} and found[-1][0] == "done"
    assert found[-1][1]["stage"] == "done" and found[-1][1]["report"]["added"] == 1
    hits = server.post("/v1/search", json={"question": "puffins", "collections": ["birds"]}).json()["hits"]
    assert hits[0]["text"] == "Puffins nest in the old signal station."
    assert {item["name"] for item in server.get("/v1/collections").json()} >= {"birds", "documents"}


def test_ingest_outside_the_roots(server: Server, roots: Path, tmp_path: Path) -> None:
    """Outside the roots nothing is ingested: not directly, not by dots, not through a link."""
    (tmp_path / "secret.txt").write_text("secret")
    (roots / "link").symlink_to(tmp_path)
    for path in (tmp_path, roots / ".." / tmp_path.name, roots / "link", Path("/etc/passwd")):
        problem(server.post("/v1/ingest", json={"paths": [str(path)]}), 403, "Forbidden", "outside")
    problem(server.post("/v1/ingest", json={"paths": [str(roots / "nowhere")]}), 404, "NotFound", "nowhere")


def test_upload_replace_and_delete(server: Server) -> None:
    """An uploaded file is ingested, replaced by one of the same name, and deleted with the copy that was kept."""
    for content in ("The ferry to Bear Island leaves on Tuesdays.", "The ferry to Bear Island leaves on Fridays."):
        files = {"file": ("../../timetable.txt", content.encode())}
        sent = server.post("/v1/documents", files=files, data={"collection": "uploads"})
        assert sent.status_code == 202
        assert server.finish(sent.json()["job_id"])["stage"] == "done"
        name = sent.json()["document_id"]
        assert server.get(f"/v1/documents/{name}/text").json()["text"] == content
    kept = [file for file in (server.home / "uploads").rglob("*") if file.is_file()]
    assert [file.name for file in kept] == ["timetable.txt"]
    assert server.delete(f"/v1/documents/{name}").json()["forgotten"][0]["document_id"] == name
    problem(server.get(f"/v1/documents/{name}"), 404, "NotFound", name)
    problem(server.delete(f"/v1/documents/{name}"), 404, "NotFound", name)
    assert not kept[0].exists()


def test_forget_many_is_all_or_nothing(server: Server) -> None:
    """One unknown name leaves all documents in place."""
    before = server.get("/v1/documents").json()
    problem(
        server.post("/v1/forget", json={"names": [before[0]["document_id"], "unknown"]}), 404, "NotFound", "unknown"
    )
    assert server.get("/v1/documents").json() == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "word"),
    [
        ("POST", "/v1/search", {"question": ""}, 422, "UsageError", "empty"),
        ("POST", "/v1/search", {"question": "x " * 50_000}, 422, "UsageError", "4,000"),
        ("POST", "/v1/search", {"question": "fee", "k": 0}, 422, "UsageError", "k"),
        ("POST", "/v1/search", {"question": "fee", "limit": 3}, 422, "UsageError", "limit"),
        ("POST", "/v1/search", {"question": "fee", "collections": ["nope"]}, 404, "NotFound", "nope"),
        ("POST", "/v1/ask", {}, 422, "UsageError", "question"),
        ("POST", "/v1/ask", {"question": "fee", "collections": ["nope"]}, 404, "NotFound", "nope"),
        ("POST", "/v1/ingest", {"paths": []}, 422, "UsageError", "paths"),
        ("POST", "/v1/rebuild", None, 403, "Forbidden", "owner"),
        ("GET", "/v1/documents?collection=nope", None, 404, "NotFound", "nope"),
        ("GET", "/v1/jobs/nope", None, 404, "NotFound", "nope"),
        ("GET", "/v1/jobs/nope/events", None, 404, "NotFound", "nope"),
        ("GET", "/v1/nothing", None, 404, "http", "Not Found"),
        ("PUT", "/v1/search", None, 405, "http", "Method"),
    ],
)
def test_problem_details(server: Server, method: str, path: str, body: Any, status: int, kind: str, word: str) -> None:
    """Each kind of wrong request gets its status and a problem document that says what and what to do."""
    response = httpx.request(method, server.url + path, json=body, timeout=60, trust_env=False)
    problem(response, status, kind, word)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Host", "evil.example"),
        ("Host", "127.0.0.1.evil.example"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
    ],
)
def test_foreign_pages_are_refused(server: Server, header: str, value: str) -> None:
    """A request that names a foreign host, or comes from a page of another origin, is refused before any route."""
    for path in ("/v1/documents", "/healthz", "/openapi.json"):
        problem(server.get(path, headers={header: value}), 403, "Forbidden", "foreign")
    assert server.get("/healthz", headers={"Origin": "http://localhost:8501"}).status_code == 200


def test_body_too_large(server: Server) -> None:
    """A JSON body of more than a megabyte is refused with 413."""
    problem(server.post("/v1/search", json={"question": "x" * 1_100_000}), 413, "UsageError", "limit")


def test_health_and_status(server: Server) -> None:
    """The server says that it is healthy and ready, and the numbers of its home folder."""
    assert server.get("/healthz").json() == {"status": "ok"}
    assert server.get("/readyz").json() == {"status": "ready", "missing": []}
    assert server.get("/v1/status").json()["chunks"] > 0


def test_openapi_documents_every_route(server: Server) -> None:
    """Every route of the issue is there with a description, its problems, and examples of what to send."""
    schema = server.get("/openapi.json").json()
    routes = {(method.upper(), path) for path, methods in schema["paths"].items() for method in methods}
    assert routes >= {
        ("POST", "/v1/search"), ("POST", "/v1/ask"), ("GET", "/v1/documents"), ("GET", "/v1/documents/{document_id}"),
        ("GET", "/v1/documents/{document_id}/text"), ("GET", "/v1/documents/{document_id}/pages/{page}.png"),
        ("POST", "/v1/documents"), ("DELETE", "/v1/documents/{document_id}"), ("POST", "/v1/ingest"),
        ("GET", "/v1/jobs/{job_id}"), ("GET", "/v1/jobs/{job_id}/events"), ("GET", "/v1/collections"),
        ("GET", "/healthz"), ("GET", "/readyz"),
    }  # fmt: skip
    for methods in schema["paths"].values():
        for route in methods.values():
            assert route["description"] and {"4XX", "5XX"} <= set(route["responses"])
    bodies = [name for name in schema["components"]["schemas"] if name.endswith("Request")]
    for name in bodies:
        assert "example" in json.dumps(schema["components"]["schemas"][name]), f"{name} has no example"
