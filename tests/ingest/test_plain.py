"""Plain text, Markdown and CSV files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.csv_rows import read_csv
from ingest.elements import Reading, Writer
from ingest.errors import UnreadableFile
from ingest.facets import facets
from ingest.plain import read_markdown, read_text
from ingest.tables import Cell, add_table


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _parts(reading: Reading) -> list[tuple[str, str]]:
    return [(e.kind, reading.text[e.start : e.end]) for e in reading.elements]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_text_is_the_same_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    """Encodings with and without a mark give the same characters, and line ends are unified."""
    path = _write(tmp_path / "a.txt", "Über die Brücke.\r\n\r\nZweiter Absatz für alle.".encode(encoding))
    assert read_text(path).text == "Über die Brücke.\n\nZweiter Absatz für alle."


def test_guessed_encoding_is_said(tmp_path: Path) -> None:
    """A file in a legacy encoding says that its encoding was guessed; a UTF-8 file says nothing."""
    guessed = read_text(_write(tmp_path / "a.txt", "Gr\xfc\xdfe aus K\xf6ln".encode("latin-1")))
    assert guessed.text == "Grüße aus Köln" and "cp1252" in guessed.problems[0]
    assert read_text(_write(tmp_path / "b.txt", b"words")).problems == ()


def test_statistics_tell_other_encodings(tmp_path: Path) -> None:
    """Enough text in a Cyrillic encoding is recognised by its statistics."""
    text = "Все люди рождаются свободными и равными в своем достоинстве и правах. " * 4
    assert read_text(_write(tmp_path / "a.txt", text.encode("cp1251"))).text.strip() == text.strip()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("big5", "漁民每天清晨出海，傍晚帶著魚回來。"),
        ("euc_jp", "漁師は毎朝早く港を出て、夕方には魚を持ち帰る。"),
        ("euc_jp", "契約書番号第十七号。東京港湾局は係船料の値上げを決定した。"),
        ("cp949", "어부들은 매일 아침 일찍 바다로 나간다."),
        ("gb18030", "渔民每天清晨出海，傍晚带着鱼回来。"),
        ("cp932", "漁師は毎朝早く港を出る。"),
        ("koi8_r", "Капитан порта сообщил."),
        ("iso8859_2", "Příliš žluťoučký kůň úpěl ďábelské ódy."),
        ("iso8859_2", "Zażółć gęślą jaźń w porcie w Gdańsku."),
        ("cp866", "Капитан порта сообщил о закрытии гавани."),
        ("cp1255", "ועדת הנמל החליטה להעלות את דמי העגינה באביב."),
        ("cp1256", "قرر مجلس الميناء زيادة رسوم الرسو في الربيع القادم."),
        ("cp874", "คณะกรรมการท่าเรือตัดสินใจขึ้นค่าจอดเรือในฤดูใบไม้ผลิ"),
    ],
)
def test_one_sentence_in_a_common_encoding(tmp_path: Path, encoding: str, text: str) -> None:
    """A single sentence is enough to tell encodings that are in use from rare ones that fit it, too."""
    assert read_text(_write(tmp_path / "a.txt", text.encode(encoding))).text == text


def test_white_space_is_no_text(tmp_path: Path) -> None:
    """A file of blank lines is unreadable and says so."""
    with pytest.raises(UnreadableFile, match="only white space"):
        read_text(_write(tmp_path / "a.txt", b"\n \n\n"))


MARKDOWN = """# Leave ##

Intro with *marks*
over two lines.

Second
------

- one
  goes on
- two
1. three

| Days | Who |
| --- | ---: |
| 30 | all |

```python
# no heading

x = 1
```
***
Last.
"""


def test_markdown_becomes_elements_with_verbatim_text(tmp_path: Path) -> None:
    """Headings lose their marks, everything else keeps its characters."""
    reading = read_markdown(_write(tmp_path / "a.md", MARKDOWN.encode()))
    assert _parts(reading) == [
        ("heading", "Leave"),
        ("paragraph", "Intro with *marks*\nover two lines."),
        ("heading", "Second"),
        ("list_item", "- one\n  goes on"),
        ("list_item", "- two"),
        ("list_item", "1. three"),
        ("table", "| Days | Who |\n| --- | ---: |\n| 30 | all |"),
        ("code", "```python\n# no heading\n\nx = 1\n```"),
        ("paragraph", "***\nLast."),
    ]
    assert reading.title == "Leave"
    assert [e.level for e in reading.elements[:3]] == [1, 0, 2]
    assert [e.header_rows for e in reading.elements if e.kind == "table"] == [1]


def test_unclosed_fence_keeps_the_rest(tmp_path: Path) -> None:
    """A code block that nobody closed reaches to the end and loses nothing."""
    reading = read_markdown(_write(tmp_path / "a.md", b"```\nx\n\ny"))
    assert _parts(reading) == [("code", "```\nx\n\ny")]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_is_one_table(tmp_path: Path, separator: str) -> None:
    """Quoted cells, ragged rows and every usual separator give one table with a header row."""
    rows = [["Team", "Wins", "Note"], ["Blues", "1", '"two\nlines"'], ["Reds", "2"]]
    path = _write(tmp_path / "a.csv", "\n".join(separator.join(row) for row in rows).encode())
    reading = read_csv(path)
    assert reading.text == "| Team | Wins | Note |\n| --- | --- | --- |\n| Blues | 1 | two lines |\n| Reds | 2 |  |"
    assert reading.elements[0].header_rows == 1


def test_lone_cells_above_a_csv_table_are_captions(tmp_path: Path) -> None:
    """A title line above the header row doesn't become the header."""
    reading = read_csv(_write(tmp_path / "a.csv", b"Stanley Cups,,\nTeam,City,Cups\nBlues,STL,1\n"))
    assert _parts(reading)[0] == ("caption", "Stanley Cups")
    assert reading.text[reading.elements[1].start :].startswith("| Team | City | Cups |")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Securities and Exchange Commission\nWashington, D.C. 20549 FORM 10-K\n\n(Mark One)\n", "10-K"),
        ("Acme Inc.\n\n**Form 8-K**\n\nCurrent report.\n", "8-K"),
        ("Acme reports first quarter results\n\nPlease refer to our report on Form 10-Q.\n", "earnings release"),
        ("Which forms we file\n\nThe form 10-K is due in March (see the 2023 Form 10-Q).\n", None),
    ],
)
def test_a_cover_says_its_form(tmp_path: Path, text: str, kind: str | None) -> None:
    """A form named on a cover is what a document is; one that its sentences speak of is another document."""
    assert facets(read_text(_write(tmp_path / "a.txt", text.encode())), "a.txt").get("kind") == kind


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("# Policy\n\n**Date:** 2022-02-01\n", "2022-02-01"),
        ("Effective from March 1, 2024\n\nThe rate is 5.\n", "2024-03-01"),
        ("# Minutes of the board, 18 September 2025\n\nPresent: all.\n", "2025-09-18"),
        ("Stand: 01.02.2023\n", "2023-02-01"),
        ("The lease ends on 30 June 2028.\n", None),
        ("Date of birth: 1 May 1990\n", None),
        ("Minutes\n\nThe minutes of 12 June 2025 were approved.\n", None),
    ],
)
def test_a_document_says_its_own_date(tmp_path: Path, text: str, date: str | None) -> None:
    """A date behind a label, or at the end of the first line, is the document's; others in its text are not."""
    reading = read_text(_write(tmp_path / "a.txt", text.encode()))
    assert facets(reading, "a.txt").get("date") == date
    named = facets(reading, "2020-05-01 a.txt")
    assert named["date"] == "2020-05-01"


def test_title_rows_of_a_table_are_captions() -> None:
    """A title that fills one cell above a row that names every column is no header, in whatever file; a label above figures, and
    a table of two columns, are left alone."""
    titled, plain, two = Writer(), Writer(), Writer()
    head, figures = ["Delay", "2023", "2024"], ["one day", "4.5", "5.0"]
    add_table(titled, _cells(["Penalties (EUR thousand)", "", ""], head, figures), header=False)
    add_table(plain, _cells(["Revenue", "", ""], figures, figures))
    add_table(two, _cells(["Terms", ""], ["Deposit", "two rents"], ["Notice", "a month"]))
    reading = titled.reading()
    assert _parts(reading)[0] == ("caption", "Penalties (EUR thousand)")
    assert reading.text[reading.elements[1].start :].startswith("| Delay | 2023 | 2024 |\n| --- |")
    assert reading.elements[1].header_rows == 1
    assert [one.kind for one in (*plain.reading().elements, *two.reading().elements)] == ["table", "table"]


def _cells(*rows: list[str]) -> list[list[Cell]]:
    return [[Cell(text) for text in row] for row in rows]
