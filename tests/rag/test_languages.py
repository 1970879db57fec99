"""Documents in scripts without spaces, and in Arabic and Hebrew: found by keyword, and gone when forgotten."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rag.library import Library
from rag.retrieve import Weights
from rag.settings import load_settings
from rag.shapes import Hit
from rag.words import content_words, numbers, search_words, segments, sentences, stems
from tests.processes import environment

TEXTS = {
    "zh": "灯塔看守人每天早晨六点关灯。渡轮从北码头出发，2023年运送了１２３名乘客。使用 iPhone手机购票。",
    "ja": "東京タワーの高さは三百三十三メートルです。猫は魚を食べました。売上高は五億円でした。",
    "th": "หอประภาคารสูงสี่สิบเมตร บริษัทตั้งอยู่ที่กรุงเทพมหานคร น้ำขึ้นเต็มที่ตอนเที่ยง",
    "ko": "서울에서 만난 선장은 등대의 역사를 설명했다. 계약은 삼월에 끝난다.",
    "ar": "وَقَّعَت الشركةُ العقدَ في المدينة القديمة، والمدرســة تقع قرب الميناء سنة ٢٠٢٣.",
    "he": "הַחוֹזֶה נחתם בירושלים, והספרים נשמרים בארכיון העירוני.",
    "en": "The lighthouse keeper turns the lamp off at six every morning.",
}
ASKED = [
    ("zh", "灯塔看守人几点关灯？"),
    ("zh", "码头"),
    ("zh", "iPhone"),
    ("zh", "2023年"),
    ("zh", "乘客123名"),
    ("ja", "東京タワーの高さは何メートルですか"),
    ("ja", "猫"),
    ("ja", "ﾒｰﾄﾙ"),
    ("th", "บริษัทอยู่ที่ไหน"),
    ("th", "ประภาคาร"),
    ("ko", "서울은"),
    ("ko", "등대"),
    ("ko", unicodedata.normalize("NFD", "계약")),
    ("ar", "مدرسة"),
    ("ar", "متى وقعت شركة عقدا"),
    ("ar", "2023 الميناء"),
    ("he", "ספר"),
    ("he", "חוזה"),
    ("he", "ירושלים"),
    ("en", "lighthouse"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A library with one document for each language."""
    place = tmp_path_factory.mktemp("languages")
    (place / "docs").mkdir()
    for name, text in TEXTS.items():
        (place / "docs" / f"{name}.txt").write_text(text, encoding="utf-8")
    with Library(load_settings(environment(place / "home")), "tests") as opened:
        assert opened.ingest([place / "docs"], "documents").added == len(TEXTS)
        yield opened


def by_keyword(library: Library, question: str) -> list[str]:
    hits: list[Hit] = library.search(question, ["documents"], 10).hits
    return [Path(hit.path).stem for hit in hits if "keyword" in hit.found_by]


@pytest.mark.parametrize(("name", "question"), ASKED)
def test_found_by_keyword(library: Library, name: str, question: str) -> None:
    """A word of a document finds it, however it is inflected, joined to others or encoded."""
    assert by_keyword(library, question)[:1] == [name]


def test_other_words_find_nothing(library: Library) -> None:
    """Words of no document find none by keyword."""
    assert by_keyword(library, "恐竜") == by_keyword(library, "ديناصور") == by_keyword(library, "ช้าง") == []


def test_each_document_names_its_language(library: Library) -> None:
    """The list of documents says which language each is in."""
    assert {Path(item.path).stem: item.language for item in library.documents()} == {name: name for name in TEXTS}


def test_nothing_stays_behind(tmp_path: Path) -> None:
    """After forgetting, no pair of signs and no root of a word is in the files of the home folder."""
    home, file = tmp_path / "home", tmp_path / "secret.txt"
    file.write_text("鯨鯢鮟鱇 والقسطنطينية", encoding="utf-8")
    with Library(load_settings(environment(home)), "tests") as library:
        library.ingest([file], "documents")
        assert by_keyword(library, "鯨鯢") == by_keyword(library, "قسطنطينية") == ["secret"]
        library.forget([str(file)])
    markers = [text.encode() for text in ("鯨鯢", "鯢鮟", "鮟鱇", "鱇", "قسطنطين")]
    for kept in home.rglob("*"):
        assert not kept.is_file() or not any(marker in kept.read_bytes() for marker in markers)
    with sqlite3.connect(home / "catalog.sqlite") as database:
        database.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, chunk_words, row)")
        assert database.execute("SELECT term FROM temp.vocabulary").fetchall() == []
    database.close()


def test_european_text_adds_nothing_to_the_index() -> None:
    """English, German, Russian and Greek text has no segments: its index stays as it was."""
    assert not any(map(segments, ["The ¥5 “café” – 10-K", "Die Straße wäre größer", "Ёлка и мир", "Η Ελλάδα"]))


def test_words_that_say_what_a_question_is_about() -> None:
    """Question words and particles are left out, and what is left stands in a sentence that answers."""
    for question, answer in [
        ("黑豹队的防守丢了多少分？", "黑豹队的防守丢了308分"),
        ("東京タワーの高さは何メートルですか", "東京タワーの高さは333メートルです"),
        ("서울은 어디입니까", "서울에서 만난"),
    ]:
        assert set(content_words(question)) <= stems(answer)
    assert content_words("是什么") and search_words("是什么")
    assert numbers("丢了308分，１２億") == {"308", "12"}


def test_sentences_of_other_scripts() -> None:
    """Full stops of Chinese, Arabic and Cyrillic text end sentences."""
    for text in ("灯灭了。船走了！真的？是。", "ذهب الرجل. ثم عاد؟ نعم. لا.", "Он ушёл. Она пришла. Да! Нет."):
        assert len(list(sentences(text))) == 4


def test_vectors_count_less_where_the_embedder_knows_no_language(tmp_path: Path) -> None:
    """Where words stand in German documents the weight for other languages holds, in English ones or in none the usual one."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in {
        "deich": "Der Deich an der Elbe wurde nach der großen Flut um zwei Meter erhöht.",
        "leuchtturm": "Der Leuchtturm auf der Insel wird seit dem Jahr 1980 ohne Wärter betrieben.",
        "harbour": "The harbour master counts the ships that arrive before noon every day.",
    }.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    with Library(load_settings(environment(tmp_path / "home")), "tests") as library:
        library.ingest([folder], "documents")
        keywords_alone = replace(library.retriever, weights=Weights(foreign=1.0, sentence=0.0, named=0.0))

        def by_vector_alone(question: str) -> set[bool]:
            """Whether passages that only the vectors found have a score."""
            found, _ = keywords_alone.find(question, (), 10)
            return {item.score > 0 for item in found if item.found_by == ("vector",)}

        assert by_vector_alone("Wie hoch ist der erhöhte Deich?") == {False}
        assert True in by_vector_alone("Who counts ships at the harbour?")
        assert True in by_vector_alone("Lighthouse?")
