"""What seldom stands in files is read like the rest: pages in pages, points of charts, files behind a blank cover."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from pathlib import Path

import pytest
from backports import zstd
from docx import Document
from docx.oxml import parse_xml
from pptx import Presentation
from pptx.chart.data import XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, BooleanObject, DictionaryObject, NameObject, NumberObject, TextStringObject
from reportlab.pdfgen.canvas import Canvas

from ingest.container import read
from ingest.errors import UnreadableFile
from tests.ingest.test_beside import W

# What python-docx, pandas and dateparser warn of at import is not what this suite checks.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def test_amounts_with_their_currency_behind(tmp_path: Path) -> None:
    """A sign behind an amount stays there, whatever the next cell holds."""
    page = tmp_path / "page.html"
    page.write_text(
        "<table><tr><th>Posten<th>Betrag<th>Stück<tr><td>Kran<td>1.250,50 €<td>12<tr><td>Tau $<td>7<td>3</table>"
    )
    assert "| Kran | 1.250,50 € | 12 |" in read(page).text
    assert "| Tau | $7 | 3 |" in read(page).text


def test_rows_taken_out_by_a_tracked_change(tmp_path: Path) -> None:
    """A row that a tracked change deletes is gone from the final text."""
    document = Document()
    table = document.add_table(3, 2)
    for row, texts in zip(table.rows, (("Port", "Toll"), ("Arendal", "117"), ("Gone", "118")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    table.rows[2]._tr.get_or_add_trPr().append(parse_xml(f'<w:del {W} w:id="9" w:author="x"/>'))
    document.save(str(tmp_path / "a.docx"))
    assert read(tmp_path / "a.docx").text == "| Port | Toll |\n| --- | --- |\n| Arendal | 117 |"


def test_points_of_a_scatter_chart(tmp_path: Path) -> None:
    """A chart whose series have places of their own gives a row a point, with the name of the series."""
    deck, data = Presentation(), XyChartData()
    for name, points in (("Ebb", ((0.7, 2.7), (1.8, 3.2))), ("Flood", ((2.5, 9.1),))):
        series = data.add_series(name)
        for point in points:
            series.add_data_point(*point)
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    slide.shapes.add_chart(XL_CHART_TYPE.XY_SCATTER, 0, 0, 3000000, 2000000, data)
    deck.save(str(tmp_path / "a.pptx"))
    rows = read(tmp_path / "a.pptx").text.splitlines()
    assert rows[0] == "|  | x | y |"
    assert rows[2:] == ["| Ebb | 0.7 | 2.7 |", "| Ebb | 1.8 | 3.2 |", "| Flood | 2.5 | 9.1 |"]


def test_what_lies_behind_a_blank_cover(tmp_path: Path) -> None:
    """A portfolio whose cover is blank gives the files in it, and says so; a blank PDF without any is refused."""
    writer = PdfWriter()
    writer.add_blank_page(300, 300)
    writer.write(tmp_path / "blank.pdf")
    with pytest.raises(UnreadableFile, match="its pages are empty"):
        read(tmp_path / "blank.pdf")
    writer.add_attachment("dues.csv", b"item,price\nbuoy,12\n")
    writer.write(tmp_path / "portfolio.pdf")
    found = read(tmp_path / "portfolio.pdf")
    assert [member.name for member in found.members] == ["dues.csv"]
    assert found.text == "" and found.problems[0].startswith("Only the files inside were read. The PDF has no text")
    assert "buoy" in read(tmp_path / "portfolio.pdf", ("dues.csv",)).text
    locked = tmp_path / "locked.eml"
    locked.write_text(
        "From: a@example.org\nSubject: x\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n"
        "Content-Disposition: attachment; filename=smime.p7m\nContent-Transfer-Encoding: base64\n\nMIIBIjANBgkqhkiG9w0BAQ=="
    )
    with pytest.raises(
        UnreadableFile, match="encrypted"
    ):  # a file is not opened for what lies in it when it is refused
        read(locked)


def test_choices_of_a_form(tmp_path: Path) -> None:
    """Of radio buttons the chosen one is told."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(72, 750, "Mooring permit")
    for number, (value, chosen) in enumerate((("Monthly", True), ("Yearly", False))):
        canvas.acroForm.radio(name="pay", tooltip="Payment", value=value, selected=chosen, x=100 + 30 * number, y=600)
    canvas.save()
    (tmp_path / "form.pdf").write_bytes(buffer.getvalue())
    text = read(tmp_path / "form.pdf").text
    assert "Payment: checked (Monthly)" in text and "Yearly" not in text


def test_pages_inside_a_page(tmp_path: Path) -> None:
    """A frame's own page stands where the frame is, in articles too, and hidden when the frame is; scripts in it are nothing."""
    frame = "&lt;p&gt;The customs house opens at seven in the morning.&lt;/p&gt;&lt;script&gt;bad&lt;/script&gt;"
    page = tmp_path / "page.html"
    page.write_text(f'<p>Before</p><iframe srcdoc="{frame}"></iframe>After<iframe hidden srcdoc="A secret"></iframe>')
    found = read(page)
    assert found.text.split("\n\n") == [
        "Before",
        "The customs house opens at seven in the morning.",
        "After",
        "A secret",
    ]
    assert "hidden text" in found.problems[0]
    prose = "".join(
        f"<p>The harbour was dredged in {year} by crews who stayed for the winter.</p>" for year in range(1900, 1912)
    )
    menu = "".join(f'<a href="/{n}">Chapter {n} of the book</a> ' for n in range(40))
    page.write_text(
        f'<div>{menu}</div><article><h1>Dredging</h1>{prose}<iframe srcdoc="{frame}"></iframe>{prose}</article>'
    )
    text = read(page).text
    assert "customs house" in text and "Chapter 3" not in text


def test_what_a_page_says_without_scripts(tmp_path: Path) -> None:
    """A page that scripts would draw gives what it says without them, unless that is only that it needs JavaScript."""
    page = tmp_path / "page.html"
    page.write_text("<div id=root></div><noscript><h1>Statute</h1><p>It binds vessels above 40 tons.</p></noscript>")
    assert read(page).text == "Statute\n\nIt binds vessels above 40 tons."
    page.write_text(
        "<div id=root><script>x()</script></div><noscript>You need to enable JavaScript to run this.</noscript>"
    )
    with pytest.raises(UnreadableFile, match="no text"):
        read(page)
    page.write_text("<p>The page.</p><noscript>The picture of it.</noscript>")
    assert read(page).text == "The page."


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst"])
def test_a_packed_file_that_is_cut(tmp_path: Path, suffix: str) -> None:
    """What can be unpacked is read, and said to be a part, by the packed file and by the one in it; a cut head is refused."""
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd.compress}[suffix]
    lines = [f"Vessel {at * 7919 % 100003} passed the lock with {at * at % 977} barrels." for at in range(40_000)]
    whole = pack("\n".join(lines).encode())
    file = tmp_path / f"lock.txt.{suffix}"
    file.write_bytes(whole)
    assert read(file, ("lock.txt",)).problems == ()
    file.write_bytes(whole[: len(whole) * 9 // 10])
    packed, inner = read(file), read(file, ("lock.txt",))
    assert lines[0] in inner.text and lines[5_000] in inner.text and lines[-1] not in inner.text
    for reading in (packed, inner):
        assert "cut or damaged: only what could be unpacked" in reading.problems[0]
    file.write_bytes(whole[:30])
    with pytest.raises(UnreadableFile, match="damaged"):
        read(file, ("lock.txt",))


def test_what_tags_say_of_figures(tmp_path: Path) -> None:
    """The alternative text of a figure in a tagged PDF is read on its page, once; of a link or without tags it is not."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for number in range(2):
        canvas.drawString(72, 700, f"Sheet {number} of the statement.")
        canvas.showPage()
    canvas.save()
    writer = PdfWriter(clone_from=buffer)
    told = [("/Figure", "Tolls rise to 93 million crowns in 2021"), ("/Link", "The board's own pages of rules")]
    root = DictionaryObject({NameObject("/Type"): NameObject("/StructTreeRoot")})
    parent, kids = writer._add_object(root), ArrayObject()
    for page in writer.pages:
        page[NameObject("/StructParents")] = NumberObject(0)
        for at, (kind, text) in enumerate(told):
            element = {"/S": NameObject(kind), "/P": parent, "/Pg": page.indirect_reference, "/K": NumberObject(at)}
            element |= {"/Type": NameObject("/StructElem"), "/Alt": TextStringObject(text)}
            kids.append(
                writer._add_object(DictionaryObject({NameObject(name): value for name, value in element.items()}))
            )
    root[NameObject("/K")] = kids
    tree = DictionaryObject({NameObject("/Nums"): ArrayObject([NumberObject(0), kids])})
    root[NameObject("/ParentTree")] = tree
    writer.root_object[NameObject("/StructTreeRoot")] = parent
    writer.write(tmp_path / "untagged.pdf")
    writer.root_object[NameObject("/MarkInfo")] = DictionaryObject({NameObject("/Marked"): BooleanObject(True)})
    writer.write(tmp_path / "tagged.pdf")
    found = read(tmp_path / "tagged.pdf")
    assert found.text.split("\n\n") == [
        "Sheet 0 of the statement.",
        "Picture: Tolls rise to 93 million crowns in 2021",
        "Sheet 1 of the statement.",
    ]
    assert found.elements[1].page == 1
    assert "Picture" not in read(tmp_path / "untagged.pdf").text
