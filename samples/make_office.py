"""Makes the sample office files: the policy (DOCX), the budget (XLSX) and the slides (PPTX)."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date, datetime
from pathlib import Path

import docx
import openpyxl
import pptx
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet
from outline import Block, read_outline
from pptx.util import Inches

STAMP = datetime(2025, 1, 20, 9, 0)
COMPANY = "Halden Marine Instruments AS"

Cell = str | int | float | date
Rows = list[list[Cell]]

INCOME: Rows = [
    ["Line (NOK thousand)", "Forecast 2025", "Budget 2026", "Change (%)"],
    ["Sales of ferry instruments", 128400, 141200, 10.0],
    ["Sales of survey instruments", 47900, 52600, 9.8],
    ["Maintenance and support", 38300, 45750, 19.5],
    ["Total operating income", 214600, 239550, 11.6],
    ["Materials", 87200, 96100, 10.2],
    ["Wages and social costs", 78650, 84300, 7.2],
    ["Premises and energy", 9480, 9920, 4.6],
    ["Marketing and travel", 6150, 7380, 20.0],
    ["Depreciation", 8700, 9650, 10.9],
    ["Other costs", 7240, 7600, 5.0],
    ["Total operating costs", 197420, 214950, 8.9],
    ["Operating profit", 17180, 24600, 43.2],
]
STAFF: Rows = [
    ["Department", "Positions 2025", "Positions 2026", "Wage cost 2026 (NOK thousand)"],
    ["Production", 34, 36, 26900],
    ["Development", 19, 22, 21450],
    ["Calibration laboratory", 7, 7, 6100],
    ["Support desk", 9, 12, 9750],
    ["Sales and projects", 11, 12, 11900],
    ["Administration", 8, 8, 8200],
    ["Total", 88, 97, 84300],
]
INVESTMENTS: Rows = [
    ["Investment", "Amount (NOK thousand)", "Planned start", "In use from", "Owner"],
    ["Foundation and crane for pressure chamber", 620, date(2026, 1, 12), date(2026, 3, 20), "Production"],
    ["Robot cell for potting of transducers", 2850, date(2026, 4, 7), date(2026, 9, 1), "Production"],
    ["Test software for E300", 1400, date(2026, 2, 2), date(2026, 10, 15), "Development"],
    ["Heat pump for calibration tank", 780, date(2026, 5, 18), date(2026, 6, 26), "Calibration laboratory"],
    ["Electric service vans, two", 1190, date(2026, 8, 3), date(2026, 8, 28), "Support desk"],
]
ASSUMPTIONS: Rows = [
    ["Assumption", "Value", "Unit", "Source"],
    ["Exchange rate", 11.6, "NOK per EUR", "Average of the third quarter of 2025"],
    ["Wage growth", 4.2, "% a year", "Settlement of the metal workers' union"],
    ["Electricity", 0.94, "NOK per kWh", "Contract until December 2026"],
    ["Interest on the credit line", 6.15, "% a year", "Quarterly rate plus 1.6 points"],
    ["Ceramic discs, price increase", 7.5, "%", "Letter from the supplier, October 2025"],
]

PRODUCTS = [
    ["Product", "Stage", "Release", "List price (EUR)"],
    ["E200 software 4.2", "Field test", "17 November 2025", "Included"],
    ["S45 speed log", "Prototype", "9 March 2026", "6,300"],
    ["T10 tide gauge", "Certification", "26 January 2026", "11,900"],
    ["E300 echo sounder", "Development", "21 September 2026", "29,500"],
]
SLIDES: list[tuple[str, list[str], str]] = [
    (
        "Why a new echo sounder",
        [
            "Customers ask for depth under the bow, not only under the keel",
            "The processor of the E200 is no longer made; we have stock until mid 2027",
            "Two competitors showed forward-looking models in Hamburg",
        ],
        "Stock of the E200 processor is 1,900 pieces. We use about 90 a month.",
    ),
    (
        "Products and release dates",
        [],
        "The S45 slipped from December because the new connector must pass 1,000 matings.",
    ),
    (
        "E300 at a glance",
        ["Looks 120 metres ahead", "Two frequencies: 50 and 200 kHz", "Same hole in the hull as the E200"],
        "Pilot ships are M/S Senja Nord and the survey vessel Geofjord. Do not mention Geofjord to customers yet.",
    ),
    (
        "Risks",
        [
            "Type approval takes longer than the 14 weeks planned",
            "One supplier of ceramic discs",
            "Three of five firmware engineers are new",
        ],
        "If approval is late, we sell the E300 to workboats under 15 metres first; they need no approval.",
    ),
    (
        "Decisions we need",
        ["Order tooling for the housing before 1 December 2025", "Hire a test engineer", "Name the pilot customers"],
        "Tooling costs EUR 86,000 and takes 16 weeks.",
    ),
]


def write_policy(path: Path) -> None:
    """Write the staff policy with real heading, list and table styles."""
    document = docx.Document()
    document.core_properties.author = COMPANY
    document.core_properties.title = "Staff policy 2025"
    document.core_properties.created = document.core_properties.modified = STAMP
    document.add_heading("Staff policy 2025", 0)
    for block in read_outline("policy.md"):
        _add_block(document, block)
    _save_zip(path, _bytes_of(document))


def _add_block(document: docx.document.Document, block: Block) -> None:
    if block.kind == "heading":
        document.add_heading(block.text, 1)
    elif block.kind in ("bullets", "numbers"):
        for line in block.lines:
            document.add_paragraph(line, style="List Bullet" if block.kind == "bullets" else "List Number")
    elif block.kind == "table":
        table = document.add_table(rows=0, cols=len(block.rows[0]), style="Table Grid")
        for row in block.rows:
            for cell, text in zip(table.add_row().cells, row, strict=True):
                cell.text = text
    else:
        document.add_paragraph(block.text)


def write_budget(path: Path) -> None:
    """Write the budget workbook with number and date cells; totals are stored as numbers, not formulas."""
    book = openpyxl.Workbook()
    book.properties.creator = COMPANY
    book.properties.created = STAMP
    book.remove(book.worksheets[0])
    sheets = {"Income and costs": INCOME, "Staff": STAFF, "Investments": INVESTMENTS, "Assumptions": ASSUMPTIONS}
    for title, rows in sheets.items():
        _fill(book.create_sheet(title), rows)
    _save_zip(path, _bytes_of(book))


def _fill(sheet: Worksheet, rows: Rows) -> None:
    for row in rows:
        sheet.append(row)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for cells in sheet.iter_rows(min_row=2):
        for cell in cells:
            if isinstance(cell.value, int):
                cell.number_format = "#,##0"
            elif isinstance(cell.value, date):
                cell.number_format = "yyyy-mm-dd"
    for column in "ABCDE":
        sheet.column_dimensions[column].width = 30
    sheet.freeze_panes = "A2"


def write_slides(path: Path) -> None:
    """Write the slides with bullets, one table, and speaker notes on every slide but the first."""
    show = pptx.Presentation()
    show.core_properties.author = COMPANY
    show.core_properties.title = "Product plan, autumn 2025"
    show.core_properties.created = show.core_properties.modified = STAMP
    first = show.slides.add_slide(show.slide_layouts[0])
    first.shapes.title.text = "Product plan, autumn 2025"
    first.placeholders[1].text = "Amira Haddad, development\nManagement meeting, 14 October 2025"
    for title, bullets, notes in SLIDES:
        slide = show.slides.add_slide(show.slide_layouts[1 if bullets else 5])
        slide.shapes.title.text = title
        if bullets:
            slide.placeholders[1].text = "\n".join(bullets)
        else:
            _add_products(slide)
        slide.notes_slide.notes_text_frame.text = notes
    _save_zip(path, _bytes_of(show))


def _add_products(slide: pptx.slide.Slide) -> None:
    shape = slide.shapes.add_table(len(PRODUCTS), len(PRODUCTS[0]), Inches(0.5), Inches(1.8), Inches(9), Inches(3))
    for row, cells in enumerate(PRODUCTS):
        for column, text in enumerate(cells):
            shape.table.cell(row, column).text = text


def _bytes_of(document: docx.document.Document | openpyxl.Workbook | pptx.presentation.Presentation) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _save_zip(path: Path, archive: bytes) -> None:
    """Write the archive again with fixed times, the file's own date of modification included."""
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                when = STAMP.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
                data = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + when, data)
            target.writestr(zip_entry(name), data)


def zip_entry(name: str, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    """Return an archive entry whose time and rights are the same on every machine."""
    entry = zipfile.ZipInfo(name, (2025, 1, 20, 9, 0, 0))
    entry.compress_type = method
    entry.external_attr = 0o644 << 16
    entry.create_system = 3
    return entry
