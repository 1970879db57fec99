"""Makes the sample PDFs: the contract, the trial report, the encrypted and the corrupt file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outline import Block, read_outline
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, ByteStringObject
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)
from reportlab.platypus.tableofcontents import TableOfContents

BODY = ParagraphStyle("body", fontName="Times-Roman", fontSize=11.5, leading=16.5, spaceAfter=8, alignment=4)
HEADING = ParagraphStyle(
    "heading", fontName="Times-Bold", fontSize=13, leading=17, spaceBefore=12, spaceAfter=7, keepWithNext=1
)
BULLET = ParagraphStyle("bullet", parent=BODY, leftIndent=18, bulletIndent=6, spaceAfter=4, alignment=0)
CELL = ParagraphStyle("cell", fontName="Times-Roman", fontSize=9.5, leading=12)
HEAD_CELL = ParagraphStyle("head_cell", parent=CELL, fontName="Times-Bold")
COVER = ParagraphStyle("cover", parent=BODY, fontSize=14, leading=21, alignment=1)
COVER_TITLE = ParagraphStyle("cover_title", parent=COVER, fontName="Times-Bold", fontSize=26, leading=34)
CONTENTS = ParagraphStyle("contents", parent=BODY, alignment=0, spaceAfter=1)

COMPANY = "Halden Marine Instruments AS"
WIDTH = A4[0] - 50 * mm


class _Encrypted(PdfWriter):
    """A writer with a fixed file id, from which the keys are made; pypdf draws a random one."""

    def generate_file_identifiers(self) -> None:
        self._ID = ArrayObject([ByteStringObject(b"halden-salary-26")] * 2)


class _Contract(BaseDocTemplate):
    """A document that reports its headings to the table of contents."""

    def afterFlowable(self, flowable: Flowable) -> None:
        if isinstance(flowable, Paragraph) and flowable.style is HEADING:
            self.notify("TOCEntry", (0, flowable.getPlainText(), self.page))


def write_contract(path: Path) -> None:
    """Write the contract with a cover, contents, running header and footer, and ruled tables."""
    document = _Contract(
        str(path), pagesize=A4, title="Supply and Maintenance Agreement", author=COMPANY, invariant=1, lang="en"
    )
    frame = Frame(25 * mm, 24 * mm, WIDTH, A4[1] - 54 * mm, 0, 0, 0, 0)
    document.addPageTemplates(
        [PageTemplate("cover", [frame]), PageTemplate("running", [frame], onPage=_header_and_footer)]
    )
    contents = TableOfContents(levelStyles=[CONTENTS], dotsMinLevel=0)
    story = [
        *_cover(),
        NextPageTemplate("running"),
        PageBreak(),
        Paragraph("Contents", HEADING.clone("plain")),
        contents,
    ]
    story.append(PageBreak())
    for block in read_outline("contract.md"):
        story.extend(_flowables(block))
    document.multiBuild(story)


def _cover() -> list[Flowable]:
    lines = [COMPANY, "and", "Skarnes Coastal Lines ASA"]
    return [
        Spacer(1, 60 * mm),
        Paragraph("Supply and Maintenance Agreement", COVER_TITLE),
        Paragraph("Echo sounders and speed logs for the ferry fleet", COVER),
        Spacer(1, 25 * mm),
        *[Paragraph(line, COVER) for line in lines],
        Spacer(1, 25 * mm),
        Paragraph("Agreement No. HMI-2025-0417", COVER),
        Paragraph("14 March 2025", COVER),
    ]


def _header_and_footer(canvas: Canvas, document: Any) -> None:
    canvas.setFont("Times-Italic", 9)
    canvas.drawString(25 * mm, A4[1] - 17 * mm, "Supply and Maintenance Agreement")
    canvas.drawRightString(A4[0] - 25 * mm, A4[1] - 17 * mm, "Agreement No. HMI-2025-0417")
    canvas.line(25 * mm, A4[1] - 19 * mm, A4[0] - 25 * mm, A4[1] - 19 * mm)
    canvas.line(25 * mm, 18 * mm, A4[0] - 25 * mm, 18 * mm)
    canvas.drawString(25 * mm, 13.5 * mm, "Confidential between the parties")
    canvas.drawRightString(A4[0] - 25 * mm, 13.5 * mm, f"Page {document.page}")


def _flowables(block: Block) -> list[Flowable]:
    match block.kind:
        case "heading":
            return [Paragraph(block.text, HEADING)]
        case "bullets":
            return [Paragraph(line, BULLET, bulletText="\u2022") for line in block.lines]
        case "table":
            return [_ruled(block.rows), Spacer(1, 11)]
        case "break":
            return [PageBreak()]
        case _:
            return [Paragraph(block.text, BODY)]


def _ruled(rows: Sequence[Sequence[str]]) -> Table:
    longest = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    shares = [min(max(length, 13), 38) for length in longest]
    cells = [[Paragraph(cell, CELL if at else HEAD_CELL) for cell in row] for at, row in enumerate(rows)]
    table = Table(cells, colWidths=[WIDTH * share / sum(shares) for share in shares], repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.6, colors.black),
                ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e4e8ec")),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ]
        )
    )
    return table


def write_encrypted(path: Path, password: str) -> None:
    """Write a PDF that opens only with `password`.

    RC4, as AES would draw random bytes and no two runs would be alike.
    """
    lines = ["Salary review 2026 (strictly personal)", "", "Adjustments take effect on 1 May 2026."]
    writer = _Encrypted(clone_from=PdfReader(io.BytesIO(_plain_page(lines))))
    writer.encrypt(user_password=password, owner_password=password + "-owner", algorithm="RC4-128")
    writer.write(path)


def write_corrupt(path: Path) -> None:
    """Write the start of a PDF whose bytes were lost: the header is right, all the rest is garbled and cut off."""
    whole = _plain_page(["Offer for pressure chamber", "This text was lost when the disk failed."] * 12)
    garbled = bytes(byte ^ 0xA5 for byte in whole[9 : len(whole) // 2])
    path.write_bytes(b"%PDF-1.4\n" + garbled)


def trial_report() -> bytes:
    """Return the sea trial report that is attached to the e-mail, as a one-page PDF."""
    return _plain_page(
        [
            "Sea trial report, form HMI-F-118",
            "",
            "Vessel: M/S Rolla. Date: 9 May 2025. Area: Vestfjorden, west of Skrova.",
            "Sea state: 2. Wind: 6 m/s from the south-west. Test leader: Amira Haddad.",
            "",
            "S1 Accuracy: passed. Largest error in 20 soundings: 0.07 m at 18 m depth.",
            "S2 Speed: passed. Valid readings in 99.1 % of pings.",
            "S3 Range: passed at the second attempt. Bottom was lost for 9 seconds at 310 m",
            "in the first run; the gain table was corrected and the run repeated.",
            "S4 Log: passed. Difference from satellite speed: 0.1 knots.",
            "",
            "Remark: the cover of the port display has a scratch and will be exchanged.",
        ]
    )


def _plain_page(lines: Sequence[str]) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    canvas.setTitle(lines[0])
    canvas.setFont("Helvetica", 11)
    for number, line in enumerate(lines):
        canvas.drawString(25 * mm, A4[1] - 30 * mm - number * 17, line)
    canvas.save()
    return buffer.getvalue()
