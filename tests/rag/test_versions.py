"""Former versions: kept as many as the settings say, searched as of a date, moved and forgotten with their document."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from ingest.ports import Embedder
from rag.answers import Answers
from rag.errors import NotFound
from rag.filters import Filter
from rag.library import Library
from rag.reindex import embed_missing
from rag.settings import Settings
from tests.conftest import Run
from tests.processes import rows

WINDING = "On which day is the tower clock wound?"
DAY = 86400.0
LONG_AGO, BEFORE = date.today() - timedelta(days=20), date.today() - timedelta(days=5)


@pytest.fixture
def tower(tmp_path: Path) -> Path:
    """A document in a folder of its own, beside one that never changes."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "harbour.md").write_text("# Harbour\n\nThe pilot boat is called Teal and has two engines.\n")
    path = tmp_path / "docs" / "tower.txt"
    path.write_text("The tower clock is wound every Monday by the verger Quillfeather.\n")
    return path


@pytest.fixture
def room(settings: Settings, tower: Path) -> Iterator[Library]:
    """A library that has known both documents for ten days."""
    with Library(settings, "tests") as opened:
        opened.ingest([tower.parent], "documents")
        age(opened, 10)
        yield opened


def age(room: Library, days: float) -> None:
    """Let everything that the catalog knows have happened some days earlier."""
    with room.store.write() as connection:
        for change in (
            "UPDATE versions SET created = created - ?",
            "UPDATE documents SET known_since = known_since - ?",
            "UPDATE former_versions SET live_from = live_from - ?1, live_until = live_until - ?1",
        ):
            connection.exec_driver_sql(change, (days * DAY,))


def rewrite(room: Library, tower: Path, day: str) -> None:
    tower.write_text(f"The tower clock is wound every {day} by the sexton.\n")
    room.ingest([tower.parent], "documents")


def test_an_answer_as_of_a_date_rests_on_the_version_then_live(room: Library, tower: Path) -> None:
    """The former version answers for a day before the change, the live one for today; quotes are slices of their text."""
    rewrite(room, tower, "Friday")
    then, now = room.ask(WINDING, as_of=BEFORE), room.ask(WINDING, as_of=date.today())
    assert "Monday" in then.answer and "Friday" not in then.answer and then.as_of == BEFORE
    assert "Friday" in now.answer and room.ask(WINDING).answer == now.answer
    (place,) = then.citations
    assert place.stale and not now.citations[0].stale
    text = room.text(place.document_id, place.version).text
    assert text[place.start : place.end] == place.quote and "verger" in text
    assert all("Monday" not in hit.text for hit in room.search(WINDING).hits)
    assert "Teal" in room.ask("What is the pilot boat called?", as_of=BEFORE).answer
    assert room.replay(then.id).same


def test_a_former_version_that_said_otherwise_is_shown(room: Library, tower: Path) -> None:
    """An answer from the live version shows what it said before in the same place; what did not change is not shown."""
    tower.write_text("The tower clock weighs 310 kg. The bell rings 12 times at noon.\n")
    room.ingest([tower.parent], "documents")
    tower.write_text("The tower clock weighs 340 kg. The bell rings 12 times at noon. Its small clock weighs 40 kg.\n")
    room.ingest([tower.parent], "documents")
    answer = room.ask("What does the tower clock weigh?")
    (found,) = answer.disagreements
    assert "340 kg" in answer.answer and [side.until for side in found.sides] == [None, date.today().isoformat()]
    assert [side.quote for side in found.sides] == ["The tower clock weighs 340 kg.", "The tower clock weighs 310 kg."]
    former = found.sides[1]
    assert room.catalog.text(former.document_id, former.version).text[former.start : former.end] == former.quote
    assert room.ask("How often does the bell ring at noon?").disagreements == []
    assert room.ask("What does the tower clock weigh?", as_of=date.today()).disagreements == []


def test_filters_hold_for_former_versions(room: Library, tower: Path) -> None:
    """A filter leaves out former versions too."""
    rewrite(room, tower, "Friday")
    only = Filter(paths=("*/harbour.md",))
    assert all(hit.path.endswith("harbour.md") for hit in room.ask(WINDING, (), only, BEFORE).passages)
    assert "Monday" in room.ask(WINDING, (), Filter(types=("txt",)), BEFORE).answer


def test_what_is_not_kept_is_said(room: Library, tower: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first document, and where nothing is kept, an error says so; where some is missing, the answer."""
    with pytest.raises(NotFound, match="No document was here on"):
        room.ask(WINDING, as_of=LONG_AGO)
    monkeypatch.setenv("READINGROOM_INGEST__KEEP_VERSIONS", "0")  # for the worker
    rewrite(room, tower, "Friday")
    only = Filter(paths=("*/tower.txt",))
    with pytest.raises(NotFound, match="not kept: 1 document") as caught:
        room.ask(WINDING, (), only, BEFORE)
    assert "ingest.keep_versions" in caught.value.remedy
    assert "keep_versions" in room.ask(WINDING, as_of=BEFORE).note


def test_the_newest_versions_are_kept(room: Library, tower: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the settings say; a version that comes back is live again and former once more."""
    monkeypatch.setenv("READINGROOM_INGEST__KEEP_VERSIONS", "2")
    for day in ("Tuesday", "Wednesday", "Thursday", "Tuesday"):
        rewrite(room, tower, day)
        age(room, 1)
    with room.store.read() as connection:
        kept = connection.exec_driver_sql("SELECT text FROM former_versions ORDER BY live_until").scalars().all()
        assert ["Wednesday" in kept[0], "Thursday" in kept[1], len(kept)] == [True, True, 2]
        words = "SELECT count(*) FROM former_words WHERE former_words MATCH ?"
        found = [connection.exec_driver_sql(words, (word,)).scalar() for word in ("wednesday", "tuesday", "verger")]
        assert found == [1, 0, 0]


def test_a_moved_file_takes_its_past_along(room: Library, tower: Path) -> None:
    """After a rename the former version answers under the new name; a copy was not there then."""
    rewrite(room, tower, "Friday")
    tower.rename(tower.with_name("clock.txt"))
    room.ingest([tower.parent], "documents")
    (place,) = room.ask(WINDING, as_of=BEFORE).citations
    assert place.path.endswith("clock.txt") and "Monday" in place.quote
    tower.with_name("copy.txt").write_text(tower.with_name("clock.txt").read_text())
    room.ingest([tower.parent], "documents")
    assert {Path(hit.path).name for hit in room.ask(WINDING, as_of=BEFORE).passages} <= {"clock.txt", "harbour.md"}


class Renamed:
    """The embedder under another name, as another one would be."""

    def __init__(self, inner: Embedder) -> None:
        self.fingerprint, self.max_tokens = "other/1", inner.max_tokens
        self.embed, self.count = inner.embed, inner.count


def test_another_embedder_embeds_former_versions_too(room: Library, tower: Path) -> None:
    """What `reindex` embeds holds the texts of former versions, so that `--as-of` compares by vectors after a switch."""
    rewrite(room, tower, "Friday")
    other = Renamed(room.embedder)
    assert room.generations.missing(other.fingerprint) == 3
    assert embed_missing(room.generations, other) == 3
    assert room.generations.missing(other.fingerprint) == 0
    theirs = "SELECT count(*) FROM former_chunks JOIN embeddings USING (text_hash) WHERE embedder = 'other/1'"
    assert rows(room.home.folder, theirs) == [(1,)]


@pytest.mark.parametrize("how", ["forget", "delete"])
def test_forgetting_takes_all_versions(room: Library, settings: Settings, tower: Path, how: str) -> None:
    """Nothing of a former version is left: no text, words, vectors, answers, not a byte in the home folder."""
    room.ask(WINDING)
    rewrite(room, tower, "Friday")
    room.ask(WINDING, as_of=BEFORE)
    conversation = room.answers.begin()
    assert conversation.turns == []
    if how == "forget":
        receipt = room.forget([str(tower)])
        assert receipt.forgotten[0].former_versions == 1 and receipt.traces == [] and receipt.answers == 2
        assert receipt.samples and receipt.vectors == 2
    else:
        tower.unlink()
        room.ingest([tower.parent], "documents")
    for table in ("former_versions", "former_chunks", "former_pages", "answers", "answer_documents"):
        assert rows(settings.home, f"SELECT count(*) FROM {table}") == [(0,)], table
    assert rows(settings.home, "SELECT count(*) FROM embeddings") == [(1,)]
    files = [file for file in settings.home.rglob("*") if file.is_file()]
    assert [file.name for file in files if b"uillfeather" in file.read_bytes().lower()] == []
    assert Answers(room.store).list(5) == []


def test_the_command_line_answers_as_of_a_date(run: Run, filled_home: Path) -> None:
    """`ask --as-of` takes a date; one before the home began is refused with the day on which it did."""
    assert (
        run("ask", "When does the agreement end?", "--as-of", date.today().isoformat(), "--json").json["as_of"]
        == date.today().isoformat()
    )
    early = run("ask", "When does the agreement end?", "--as-of", "2001-02-03")
    assert early.code == 1 and "2001-02-03" in early.stderr and time.strftime("%Y-") in early.stderr
    assert run("ask", "When?", "--as-of", "yesterday").code == 2
