"""Files that are called something else, are cut, or hold text where few programs look, are read, or refused by name."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image
from pptx import Presentation
from reportlab.pdfgen.canvas import Canvas

from ingest.alt_text import described
from ingest.container import read
from ingest.csv_rows import read_csv
from ingest.errors import UnreadableFile
from tests.ingest.test_beside import W
from tests.ingest.test_variants import _book, _changed, _read, _saved, _slides, _word

# What python-docx, pandas and dateparser warn of at import is not what this suite checks.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

WP = "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"
ODF = " ".join(
    f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{u}:1.0"'
    for n, u in (
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("style", "style"),
        ("svg", "svg-compatible"),
    )
)


def _pdf(*pages: str) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for page in pages:
        canvas.drawString(72, 700, page)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _zip(parts: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _body(added: str) -> bytes:
    """Return a Word file with blocks in front of its last settings."""
    with zipfile.ZipFile(io.BytesIO(_word())) as archive:
        main = archive.read("word/document.xml").replace(b"<w:sectPr", added.encode() + b"<w:sectPr", 1)
    return _changed(_word(), parts={"word/document.xml": main})


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.xlsx", "Name,Amount\nBolt,7\n", "| Bolt | 7 |"),
        ("a.xls", "Item\tPrice, net\nBolt, steel\t1,50\n", "| Bolt, steel | 1,50 |"),
        ("b.xls", "Artikel\tMenge\nMutter größe\t9\n".encode("utf-16"), "| Mutter größe | 9 |"),
        ("a.ods", "Name;Menge\nBolt;1,5\n", "| Bolt | 1,5 |"),
        ("c.xls", "<table border=1><tr><th>Kunde</th><th>Umsatz</th></tr><tr><td>M</td><td>1,5</td></tr></table>", "| M | 1,5 |"),
        ("a.doc", "<h1>Angebot</h1><p>Lieferung frei Haus bis Mai.</p>", "Lieferung frei Haus"),
        ("a.csv", "1,5;2,5\n3,5;4,5\n", "| 1,5 | 2,5 |"),
        ("b.csv", 'id,tags,n\n1,"a;b;c",3\n2,"d;e;f",4\n', "| 1 | a;b;c | 3 |"),
        ("c.csv", "Report\n\nRegion;Sum;Note\nNorth;1,5;a, b\nSouth;2,5;c, d, e\n", "| North | 1,5 | a, b |"),
        ("d.csv", 'id,size,what\n1,"5 inch,pipe\n2,6 inch,hose\n3,7 inch,bolt\n', "| 2 | 6 inch | hose |"),
        ("e.csv", "x,y\0\0\nBolt\0\0\0,7\n", "Bolt"),
        ("a.tsv", "code\tnote\n1,2\ta, b\n3,4\tc\n", "| 1,2 | a, b |"),
    ],
)  # fmt: skip
def test_rows_and_pages_under_other_names(tmp_path: Path, name: str, content: str | bytes, expected: str) -> None:
    """Rows and pages that are called workbooks are read as such; cells are parted by what gives even rows."""
    assert expected in _read(tmp_path / name, content).text


def test_a_single_column_is_not_parted(tmp_path: Path) -> None:
    """Commas in prose part no cells."""
    (tmp_path / "a.csv").write_text("Note\nfirst one\nsecond, longer one\nthird one\n")
    assert "| second, longer one |" in read_csv(tmp_path / "a.csv").text


SHEET = (
    '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
    'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"><Styles><Style ss:ID="d"><NumberFormat ss:Format="dd.mm.yyyy"/>'
    '</Style><Style ss:ID="p"><NumberFormat ss:Format="Percent"/></Style></Styles><Worksheet ss:Name="Umsatz"><Table><Row><Cell>'
    '<Data ss:Type="String">R&D & Sons</Data></Cell></Row><Row ss:Index="3"><Cell ss:StyleID="d"><Data ss:Type="DateTime">'
    '2024-03-09T00:00:00.000</Data></Cell><Cell ss:Index="3" ss:StyleID="p"><Data ss:Type="Number">0.0525</Data><Comment>'
    "<ss:Data>seen by Kim</ss:Data></Comment></Cell></Row></Table></Worksheet></Workbook>"
)


@pytest.mark.parametrize("name", ["a.xls", "a.xml"])
def test_a_workbook_that_is_one_xml_text(tmp_path: Path, name: str) -> None:
    """What Excel 2003 and many programs write as XML is a workbook, also with a sign that XML does not allow."""
    reading = _read(tmp_path / name, SHEET)
    for words in ("Umsatz", "R&D & Sons", "09.03.2024", "5.25%", "Comment on C3: seen by Kim"):
        assert words in reading.text
    assert reading.metadata["format"] == "xls"


def test_word_documents_that_are_one_xml_text(tmp_path: Path) -> None:
    """Word 2003's XML and a flat package are Word documents: words are whole, notes and tables are read."""
    old = (
        '<?xml version="1.0"?><w:wordDocument xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml" '
        'xmlns:aml="http://schemas.microsoft.com/aml/2001/core"><w:body><w:p><w:r><w:t>Spl</w:t></w:r><w:r><w:t>itted</w:t></w:r>'
        '<aml:annotation w:type="Word.Deletion"><aml:content><w:r><w:delText>gone</w:delText></w:r></aml:content>'
        "</aml:annotation><w:r><w:footnote><w:p><w:r><w:t>A note</w:t></w:r></w:p></w:footnote></w:r></w:p></w:body>"
        "</w:wordDocument>"
    )
    text = _read(tmp_path / "a.doc", old).text
    assert "Splitted" in text and "Footnote 1: A note" in text and "gone" not in text
    with zipfile.ZipFile(io.BytesIO(_word("Words of a flat package"))) as archive:
        parts = "".join(
            f'<pkg:part pkg:name="/{name}" pkg:contentType="application/xml"><pkg:xmlData>'
            + re.sub(r"^<\?xml[^>]*\?>", "", archive.read(name).decode().lstrip())
            + "</pkg:xmlData></pkg:part>"
            for name in ("_rels/.rels", "word/document.xml", "word/styles.xml")
        )
    flat = f'<?xml version="1.0"?><pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage">{parts}</pkg:package>'
    reading = _read(tmp_path / "b.xml", flat)
    assert reading.text == "Words of a flat package" and reading.metadata["format"] == "docx"


def test_harmless_entities(tmp_path: Path) -> None:
    """Names that an XML file declares for words are replaced; those of HTML and signs that must be escaped too."""
    xml = (
        '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY co "ACME &#71;mbH"><!ENTITY full "&co; of Berlin">]>'
        '<d by="&co;"><p>Report of &full; &eacute;t&eacute;</p><q>R & D</q></d>'
    )
    text = _read(tmp_path / "a.xml", xml).text
    assert "p: Report of ACME GmbH of Berlin été" in text and 'by="ACME GmbH"' in text and "R & D" in text


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ('<!ENTITY x SYSTEM "file:///etc/hostname">', "declares XML entities"),
        ('<!ENTITY % x SYSTEM "http://example.org/a.dtd"> %x;', "declares XML entities"),
        ('<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;"><!ENTITY x "&b;&b;&b;&b;&b;">', "XML bomb"),
        ('<!ENTITY x "&y;"><!ENTITY y "&x;">', "XML bomb"),
    ],
)
def test_entities_that_are_not_harmless(tmp_path: Path, declared: str, reason: str) -> None:
    """Entities from outside the file are never fetched, and those that grow or go in circles are refused."""
    with pytest.raises(UnreadableFile, match=reason):
        _read(tmp_path / "a.xml", f'<?xml version="1.0"?><!DOCTYPE d [{declared}]><d>&x;</d>')


@pytest.mark.parametrize("declared", ['x SYSTEM "file:///etc/hostname"', '% x SYSTEM "http://example.org/a.dtd"'])
def test_a_word_file_that_asks_for_something_outside_is_refused(tmp_path: Path, declared: str) -> None:
    """A Word file that declares an entity outside the file is refused by that name, not as one without text."""
    with zipfile.ZipFile(io.BytesIO(_word())) as archive:
        main = archive.read("word/document.xml").replace(
            b"<w:document", f"<!DOCTYPE d [<!ENTITY {declared}>]><w:document".encode(), 1
        )
    with pytest.raises(UnreadableFile, match="declares XML entities"):
        _read(tmp_path / "a.docx", _changed(_word(), parts={"word/document.xml": main}))


def test_attributes_and_data_in_letters(tmp_path: Path) -> None:
    """Long texts and addresses in attributes are read; of data in letters only the size is told."""
    body, data = "Words of a post that stands in an attribute. " * 9, "QUJD" * 300
    xml = f'<?xml version="1.0"?><p><row Body="{body}"/><a href="https://example.org/x">l</a><pic>{data}</pic></p>'
    text = _read(tmp_path / "a.xml", xml).text
    assert "post that stands" in text and "example.org/x" in text and "pic: (1,200 characters of data)" in text
    assert "QUJDQUJD" not in _read(tmp_path / "b.json", f'{{"name": "words", "pic": "{data}1"}}').text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bar chart of sales by region", "Picture: Bar chart of sales by region"),
        ("売上高の推移を示す棒グラフ", "Picture: 売上高の推移を示す棒グラフ"),
        (
            "A map of the harbour Description automatically generated with low confidence",
            "Picture: A map of the harbour",
        ),
        ("IMG_2041.JPG", ""),
        ("Company logo", ""),
        ("picture 3", ""),
        ("https://example.org/a.png", ""),
        ("", ""),
    ],
)
def test_which_alternative_texts_are_content(text: str, expected: str) -> None:
    """A text that describes what a picture shows is content; a file's name and a word for "picture" are not."""
    assert described(text) == expected
    assert not described("Follow us here", linked=True)


def test_alternative_texts_of_pages_and_office_files(tmp_path: Path) -> None:
    """What a picture shows is read from web pages, Word files, slides, sheets and OpenDocument files; decoration is not."""
    page = (
        '<p>Text <img alt="Bar chart of sales by region" src=a.png> goes on.</p><img alt="Golden wave for looks" role=none>'
        '<svg aria-label="Line of growth since 2010"><text>x</text></svg><div role="img" aria-label="Pie of market shares"></div>'
    )
    text = _read(tmp_path / "a.html", f"<html><body>{page}</body></html>").text
    assert text.split("\n\n") == [
        "Text goes on.",
        "Picture: Bar chart of sales by region",
        "Picture: Line of growth since 2010",
        "Picture: Pie of market shares",
    ]
    mark = (
        '<a:extLst xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:ext uri="{C1}"><adec:decorative val="1" '
        'xmlns:adec="http://schemas.microsoft.com/office/drawing/2017/decorative"/></a:ext></a:extLst>'
    )
    drawn = "".join(
        f'<w:p {W}><w:r><w:drawing><wp:inline xmlns:wp="{WP}"><wp:docPr id="1" name="P" descr="{words}">{inner}</wp:docPr>'
        "</wp:inline></w:drawing></w:r></w:p>"
        for words, inner in (("Map of the northern harbour", ""), ("Golden wave for looks", mark))
    )
    text = _read(tmp_path / "a.docx", _body(drawn)).text
    assert "Picture: Map of the northern harbour" in text and "Golden" not in text
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    slides = Presentation()
    slide = slides.slides.add_slide(slides.slide_layouts[6])
    picture = slide.shapes.add_picture(buffer, 0, 0)
    picture._element.nvPicPr.cNvPr.set("descr", "Plan of the second floor")
    assert "Picture: Plan of the second floor" in _read(tmp_path / "a.pptx", _saved(slides)).text
    frame = "<text:p>a<draw:frame><draw:image/><svg:desc>Photo of both founders</svg:desc></draw:frame></text:p>"
    text = _read(tmp_path / "a.fodt", _flat_odf(f"<office:text>{frame}</office:text>")).text
    assert text == "a\n\nPicture: Photo of both founders"


def _flat_odf(body: str, styles: str = "") -> str:
    kind = 'office:mimetype="application/vnd.oasis.opendocument.text"'
    return f'<?xml version="1.0"?><office:document {ODF} {kind}>{styles}<office:body>{body}</office:body></office:document>'


def test_headers_objects_and_tables_in_tables_of_open_documents(tmp_path: Path) -> None:
    """Headers stand once before the text, charts' data in their place; sheets inside are documents, tables in cells are whole."""
    styles = "<office:master-styles><style:master-page><style:header><text:p>Contract of sale</text:p></style:header>"
    styles += "<style:footer><text:p>Page 7</text:p></style:footer></style:master-page></office:master-styles>"
    one = "<table:table-cell>{}</table:table-cell>"
    cell = f"<table:table-row>{one.format('<text:p>{}</text:p>')}{one}</table:table-row>"
    inner = f"<table:table>{cell.format('IB', '<text:p>IC</text:p>')}</table:table>"
    nested = f"<table:table>{cell.format('OA', inner)}</table:table>"
    text = _read(tmp_path / "a.fodt", _flat_odf(f"<office:text>{nested}</office:text>", styles)).text
    assert text.startswith("Contract of sale\n\nOA\n\n| IB | IC |") and text.endswith("Page 7")
    objects = "".join(
        f'<draw:frame><draw:object xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="./Object {n}"/></draw:frame>'
        for n in (1, 2)
    )
    part = "<office:document-content {}><office:body>{}</office:body></office:document-content>"
    table = "<table:table>{}</table:table>"
    parts: dict[str, str | bytes] = {
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": part.format(ODF, f"<office:text><text:p>Host{objects}</text:p></office:text>"),
        "Object 1/content.xml": part.format(
            ODF, f"<office:spreadsheet>{table.format(cell.format('Sheet', '<text:p>x</text:p>'))}</office:spreadsheet>"
        ),
        "Object 2/content.xml": part.format(
            ODF, f"<office:chart>{table.format(cell.format('Spring', '<text:p>4711</text:p>'))}</office:chart>"
        ),
    }
    reading = _read(tmp_path / "b.odt", _zip(parts))
    assert "| Spring | 4711 |" in reading.text and "Sheet" not in reading.text
    assert [member.name for member in reading.members] == ["Object 1.ods"]
    assert "Sheet" in read(tmp_path / "b.odt", ("Object 1.ods",)).text


def test_slides_without_layouts(tmp_path: Path) -> None:
    """Slides whose layouts are missing are read."""
    with zipfile.ZipFile(io.BytesIO(_slides())) as archive:
        gone: dict[str, bytes | None] = {name: None for name in archive.namelist() if "slideLayout" in name}
    text = _read(tmp_path / "a.pptx", _changed(_slides(), parts=gone)).text
    assert "First slide" in text and "Second slide" in text


def test_tables_in_tables_and_odd_signs_of_word(tmp_path: Path) -> None:
    """A table that lays out a page is what stands in it, however deep; signs that XML forbids and UTF-16 cost no text."""
    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p>{}</w:tc>"
    inner = f"<w:tbl><w:tr>{cell.format('Depth', '')}{cell.format('42 m', '')}</w:tr></w:tbl>"
    outer = f"<w:tbl {W}><w:tr>{cell.format('Outer', '')}{cell.format('', inner)}</w:tr></w:tbl>"
    text = _read(tmp_path / "a.docx", _body(outer)).text
    assert "Outer\n\n| Depth | 42 m |" in text
    deep = f"<w:tbl {W}><w:tr><w:tc>" + "<w:tbl><w:tr><w:tc>" * 150 + "<w:p><w:r><w:t>Deep words</w:t></w:r></w:p>"
    assert "Deep words" in _read(tmp_path / "b.docx", _body(deep + "</w:tc></w:tr></w:tbl>" * 151)).text
    odd = _body(f"<w:p {W}><w:r><w:t>R&D &#x1F; words</w:t></w:r></w:p>")
    assert "R&D words" in " ".join(_read(tmp_path / "c.docx", odd).text.split())
    with zipfile.ZipFile(
        io.BytesIO(_body(f"<w:p {W}><w:ins><w:r><w:t>Wide words</w:t></w:r></w:ins></w:p>"))
    ) as archive:
        wide = re.sub(r"encoding=.UTF-8.", 'encoding="UTF-16"', archive.read("word/document.xml").decode()).encode(
            "utf-16"
        )
    assert "Wide words" in _read(tmp_path / "d.docx", _changed(_word(), parts={"word/document.xml": wide})).text


def test_cells_of_texts_that_are_missing_and_iso_dates(tmp_path: Path) -> None:
    """A cell whose text the workbook has not says so, the others are read; a date in ISO form is shown as its format says."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cells = '<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>9</v></c>'
    sheet = f'<worksheet xmlns="{main}"><sheetData><row r="1">{cells}</row></sheetData></worksheet>'
    texts = f'<sst xmlns="{main}"><si><t>Good cell</t></si></sst>'
    parts: dict[str, bytes | None] = {
        "xl/worksheets/sheet1.xml": sheet.encode(),
        "xl/sharedStrings.xml": texts.encode(),
    }
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    typed = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'.encode()
    lost = _changed(_book(), ((b"</Types>", typed),), parts=parts)
    reading = _read(tmp_path / "a.xlsx", lost)
    assert "Good cell | #LOST!" in reading.text and "1 cells refer to texts" in reading.problems[0]
    dated = _changed(_book(), ((b"<v>7</v>", b"<v>2024-03-09T15:45:00Z</v>"), (b't="n"', b't="d"')))
    assert "Bolt | 2024-03-09 15:45" in _read(tmp_path / "b.xlsx", dated).text


def _packed_objects(data: bytes) -> bytes:
    """Return a PDF whose objects are packed in a stream, and that ends without any list of them."""
    objects = {int(m[1]): m[2].strip() for m in re.finditer(rb"(\d+) 0 obj\s(.*?)endobj", data, re.DOTALL)}
    head = body = b""
    out = b"%PDF-1.5\n"
    for number, content in objects.items():
        if b"stream" in content:
            out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
        else:
            head, body = head + b"%d %d " % (number, len(body)), body + content + b" "
    packed = zlib.compress(head + body)
    counts = (head.count(b" ") // 2, len(head), len(packed))
    out += b"99 0 obj\n<< /Type /ObjStm /N %d /First %d /Filter /FlateDecode /Length %d >>\nstream\n" % counts
    return out + packed + b"\nendstream\nendobj\n"


@pytest.mark.parametrize("how", ["no list", "cut", "packed", "no root", "no beginning", "behind headers"])
def test_pdfs_without_their_ends(tmp_path: Path, how: str) -> None:
    """What can be found in a PDF that readers can't open is read, and that it is damaged is said."""
    whole = _pdf("Words of page one", "Words of page two")
    data = {
        "no list": whole[: whole.rfind(b"xref\n0")],
        "cut": whole[: whole.rfind(b"endstream") - 1],
        "packed": _packed_objects(whole),
        "no root": whole.replace(b"/Root", b"/Rxxt"),
        "no beginning": whole[20:],
        "behind headers": b"HTTP/1.1 200 OK\r\nX-Pad: " + b"a" * 3000 + b"\r\n\r\n" + whole,
    }[how]
    reading = _read(tmp_path / "a.pdf", data)
    assert "Words of page one" in reading.text
    assert ("Words of page two" in reading.text) or how == "cut"
    assert any(problem.startswith("The PDF is cut or damaged") for problem in reading.problems) == (
        how != "behind headers"
    )


def test_containers_that_are_cut(tmp_path: Path) -> None:
    """Whole files of a ZIP archive without its end are read; a cut Word file is refused: nobody knows what it lacks."""
    whole = _zip({"a.txt": "First words " * 40, "b.txt": "Second words " * 40})
    reading = _read(tmp_path / "a.zip", whole[: whole.find(b"b.txt") + 10])
    assert [member.name for member in reading.members] == ["a.txt"] and "cut" in reading.problems[0]
    assert "First words" in read(tmp_path / "a.zip", ("a.txt",)).text
    word = _zip(_parts(_word("Words of a cut file")))
    for length in (500, len(word) - 40):
        with pytest.raises(UnreadableFile, match="damaged"):
            _read(tmp_path / "a.docx", word[:length])


def test_documents_in_a_folder_and_without_their_type(tmp_path: Path) -> None:
    """A document that was packed with the folder around it is that document, and so is an OpenDocument file without its type."""
    packed = _zip({f"report/{name}": content for name, content in _parts(_word("Words in a folder")).items()})
    reading = _read(tmp_path / "a.docx", packed)
    assert reading.text == "Words in a folder" and reading.metadata["format"] == "docx" and not reading.members
    content = (
        f"<office:document-content {ODF}><office:body><office:text><text:p>No type</text:p></office:text></office:body>"
    )
    reading = _read(tmp_path / "b.odt", _zip({"content.xml": f"{content}</office:document-content>"}))
    assert reading.text == "No type" and reading.metadata["format"] == "odt"


def test_mails_without_a_line_between_them(tmp_path: Path) -> None:
    """A mailbox whose mails follow each other without an empty line is divided."""
    mail = "From {0}@x.org Mon Feb  5 10:00:00 2024\nFrom: {0}@x.org\nTo: b@x.org\nSubject: {0}\n\nWords of {0}\n"
    reading = _read(tmp_path / "a.mbox", mail.format("kim") + mail.format("lee"))
    assert [member.name for member in reading.members] == ["0001 kim.eml", "0002 lee.eml"]


def _parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_pictures_that_are_cut(tmp_path: Path) -> None:
    """What is there of a picture whose file is cut is looked at, and that it is cut is said."""
    from ingest.image_file import CUT, frames

    buffer = io.BytesIO()
    Image.effect_noise((400, 300), 90).convert("RGB").save(buffer, "JPEG")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue()[:-2000])
    found = [frame for frame, _ in frames(tmp_path / "a.jpg")]
    assert found[0].info[CUT] and found[0].size == (400, 300)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("Größe und Länge. ".encode() * 20 + "Größe und Länge. ".encode("cp1252") * 20, "Größe und Länge. " * 40),
        (
            "╔══╗ Übersicht ║ Zeile ╚══╝\r\nKunde Müller zahlt schön früh.\r\n".encode("cp437"),
            "Kunde Müller zahlt schön früh.",
        ),
        (("THE ANNUAL REPORT SAYS THAT SALES GREW.\n" * 9).encode("cp037"), "ANNUAL REPORT SAYS THAT"),
    ],
)
def test_encodings_of_other_machines(tmp_path: Path, data: bytes, expected: str) -> None:
    """Two encodings in one text, boxes drawn under DOS and a mainframe's text are read."""
    assert expected.strip() in _read(tmp_path / "a.txt", data).text


def test_zstandard(tmp_path: Path) -> None:
    """A file that is packed with Zstandard is unpacked, an archive in it walked, a damaged one refused."""
    import tarfile

    from backports import zstd

    reading = _read(tmp_path / "a.txt.zst", zstd.compress(b"Words of the packed file"))
    assert [member.name for member in reading.members] == ["a.txt"]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("b.txt")
        member.size = 12
        archive.addfile(member, io.BytesIO(b"Inner words."))
    _read(tmp_path / "b.tar.zst", zstd.compress(buffer.getvalue()))
    assert read(tmp_path / "b.tar.zst", ("b.txt",)).text == "Inner words."
    (tmp_path / "c.txt.zst").write_bytes(zstd.compress(bytes(range(256)) * 400)[:-20])
    with pytest.raises(UnreadableFile, match="damaged"):
        read(tmp_path / "c.txt.zst", ("c.txt",))
