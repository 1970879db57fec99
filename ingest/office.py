"""Reads DOCX, PPTX and sheets through unstructured (the only file that imports it)."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ingest.elements import Page, Reading, Writer
from ingest.errors import NoText, UnreadableFile, is_ours
from ingest.formats import unopened
from ingest.hidden_slides import conceal_slides
from ingest.tables import Cell, add_table, clean

if TYPE_CHECKING:
    from ingest.sheets import Sheet

_QUIET = {
    # Read by unstructured/utils.py (_telemetry_opt_out): the ping at import, which also runs nvidia-smi, and the
    # report of every partition call.
    "SCARF_NO_ANALYTICS": "true",
    "DO_NOT_TRACK": "true",
    # Read by unstructured/_usage_notice.py: an advertisement on stdout or in the log.
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
}
_DAMAGED = "Open it in the program it comes from, save it again, and ingest that."
_BIG_SHEET = 20_000


@cache
def _unstructured() -> SimpleNamespace:
    """Import unstructured with telemetry and downloads off; return its three partition functions.

    The import takes seconds (pandas), so it happens at the first Office file and once a process.
    """
    os.environ.update(_QUIET)
    from unstructured.nlp import tokenize
    from unstructured.partition import docx, pptx, xlsx

    # unstructured tags parts of speech with spaCy to tell prose from titles: four fifths of the time of a long document,
    # for a difference that is made here by styles and places alone. With it goes the download of spaCy's model.
    tokenize._load_spacy_model = tokenize._install_spacy_model = _refuse_download
    for module in (docx, pptx, xlsx):
        module.is_possible_narrative_text = _never
    xlsx.is_possible_title = _never
    pptx.is_possible_title = _is_title
    return SimpleNamespace(docx=docx.partition_docx, pptx=pptx.partition_pptx, xlsx=xlsx.partition_xlsx)


def _never(text: str, **_: object) -> bool:
    """Stand in for unstructured's guesses from parts of speech."""
    return False


def _is_title(text: str, **_: object) -> bool:
    """Say whether a text on a slide without a title may be one: short, and no sentence."""
    return len(text.split()) <= 12 and not text.rstrip().endswith((".", ",", ";", ":")) and any(map(str.isalpha, text))


def _refuse_download() -> Any:
    """Stand in for unstructured's loader and installer of a language model."""
    raise RuntimeError("no language model is used for reading; downloads are off")


def _partition(call: Callable[[], list[Any]]) -> list[Any]:
    """Return a partition's elements; what the vendors raise for a damaged file becomes UnreadableFile."""
    try:
        return call()
    except (UnreadableFile, MemoryError, RecursionError):
        raise
    except OSError as error:
        if error.errno is not None:
            raise unopened(error) from error
        raise UnreadableFile("The file is damaged: its parts can't be read.", _DAMAGED) from error
    except Exception as error:  # python-docx, python-pptx, openpyxl, pandas and lxml share no base class for this
        from ingest.ooxml import BOMB

        what = type(error).__name__
        if "amplification" in str(error) or "EntitiesForbidden" in what:
            raise BOMB from error
        if is_ours(error):
            raise
        raise UnreadableFile(f"The file is damaged or uses an unknown variant ({what}).", _DAMAGED) from error


def read_docx(path: Path) -> Reading:
    """Read a Word document: headings, paragraphs, lists, tables; then footnotes, endnotes, comments, hidden text."""
    from ingest.slides import beside_text
    from ingest.word import load_docx, notes

    hidden: list[tuple[str, str]] = []
    data = _partition_bytes(path, partial(load_docx, hidden=hidden))
    found = _partition(lambda: _unstructured().docx(file=io.BytesIO(data), languages=[""]))
    writer = Writer()
    seen: set[str] = set()
    for element in found:
        if element.category in ("Header", "Footer"):
            # Each section repeats its header and footer: each distinct one is kept once.
            if element.text.strip() in seen:
                continue
            seen.add(element.text.strip())
        _add(writer, element)
    for part in _partition(lambda: beside_text(data)):
        if isinstance(part, str):
            writer.add("paragraph", part)
        else:
            add_table(writer, [[Cell(clean(cell)) for cell in row] for row in part], header=True)
    for label, text in _partition(lambda: list(notes(data))):
        writer.add("paragraph", f"{label}: {text}", hidden="in a comment" if label.startswith("Comment") else "")
    for how, text in hidden:
        writer.add("paragraph", text, hidden=how)
    return _finish(writer, data)


def _partition_bytes(path: Path, load: Callable[[Path], bytes]) -> bytes:
    """Return a file's bytes through a loader, errors translated."""
    box: list[Any] = _partition(lambda: [load(path)])
    data = box[0]
    assert isinstance(data, bytes)
    return data


def read_pptx(path: Path) -> Reading:
    """Read slides as pages: title, text, tables of each; then its diagrams, charts, notes, comments, hidden text."""
    from ingest.ooxml import properties
    from ingest.package import mended
    from ingest.slides import COMMENT, beside_slides

    slides = _partition(lambda: [conceal_slides(mended(path.read_bytes(), "pptx"))])[0]
    data = slides.data
    found = _partition(
        lambda: _unstructured().pptx(
            file=io.BytesIO(data), include_slide_notes=False, include_page_breaks=False, languages=[""]
        )
    )
    beside = dict(_partition(lambda: list(beside_slides(data).items())))
    writer = Writer()
    last = max([element.metadata.page_number or 1 for element in found] + list(beside) + [1])
    for number in range(1, last + 1):
        titled = False
        writer.hiding = "on a hidden slide" if number in slides.skipped else ""
        for element in found:
            if (element.metadata.page_number or 1) != number:
                continue
            first = not titled and element.category == "Title" and not element.metadata.category_depth
            titled = titled or first
            _add(writer, element, page=number, heading=first)
        for part in beside.get(number, []):
            if isinstance(part, str):
                writer.add("paragraph", part, page=number, hidden="in a comment" if part.startswith(COMMENT) else "")
            else:
                add_table(writer, [[Cell(clean(cell)) for cell in row] for row in part], page=number, header=True)
        for how, text in slides.taken.get(number, []):
            writer.add("paragraph", text, page=number, hidden=how)
    pages = [Page(number) for number in range(1, last + 1)]
    return _reading(writer, pages, _partition(lambda: [properties(data)])[0])


def read_xlsx(path: Path) -> Reading:
    """Read every sheet, hidden ones too, as a page: its name is a heading, each region of filled cells a table."""
    from ingest.ooxml import properties
    from ingest.sheets import as_shown

    return read_sheets(_partition(lambda: as_shown(path)), _partition(lambda: [properties(path.read_bytes())])[0])


def read_sheets(sheets: Sequence[Sheet], metadata: dict[str, str]) -> Reading:
    """Return the reading of a workbook's sheets; hidden ones say so in their heading."""
    from ingest.package import LOST
    from ingest.sheet_notes import NOTE
    from ingest.sheets import grid

    writer, problems, filled = Writer(), list[str](), False
    for number, sheet in enumerate(sheets, start=1):
        writer.hiding = "on a hidden sheet" if sheet.hidden else ""
        rows = grid(sheet)
        cells = sum(value is not None for row in rows for value in row)
        writer.add("heading", f"{sheet.name} (hidden sheet)" if sheet.hidden else sheet.name, page=number, level=1)
        if cells > _BIG_SHEET:  # one table: no need to look for several
            add_table(writer, [[Cell(clean(value or "")) for value in row] for row in rows if any(row)], page=number)
            filled = True
        for element in _partition(partial(_xlsx, rows)) if 0 < cells <= _BIG_SHEET else []:
            filled = True
            _add(writer, element, page=number, heading=False)
        for note in sheet.notes:
            filled = True
            writer.add("paragraph", note, page=number, hidden="in a comment" if note.startswith(NOTE) else "")
        for how, text in sheet.hiding:
            writer.add("paragraph", text, page=number, hidden=how)
        if sheet.cut:
            problems.append(f'The sheet "{sheet.name}" was read in part: the workbook has too many cells.')
    if unknown := sum(sheet.unknown for sheet in sheets):
        problems.append(
            f"{unknown} formulas have no saved value and were left out. Open the workbook in a spreadsheet program, save it, "
            "and ingest it again."
        )
    if lost := sum(value == LOST for sheet in sheets for row in sheet.rows for value in row):
        problems.append(f"{lost} cells refer to texts that the workbook does not have, and read {LOST}. {_DAMAGED}")
    if not filled:
        problems.append("The workbook has no filled cells.")
    hidden = [sheet.name for sheet in sheets if sheet.hidden]
    if hidden:
        problems.append(f"Hidden sheets were read too: {', '.join(hidden)[:300]}.")
    pages = [Page(number, sheet.name) for number, sheet in enumerate(sheets, start=1)]
    return _reading(writer, pages or [Page(1)], metadata, problems, sheets=True)


def _xlsx(rows: list[list[str | None]]) -> list[Any]:
    """Return unstructured's elements for the rows of a sheet, which may hold several tables."""
    from ingest.sheets import AS_TEXT, workbook

    elements = _unstructured().xlsx(file=io.BytesIO(workbook(rows)), find_subtable=True, languages=[""])
    assert isinstance(elements, list)
    for element in elements:
        element.text = element.text.replace(AS_TEXT, "")
        element.metadata.text_as_html = (element.metadata.text_as_html or "").replace(AS_TEXT, "")
    return elements


def _add(writer: Writer, element: Any, page: int = 1, heading: bool | None = None) -> None:
    """Append one of unstructured's elements; `heading` overrides its guess whether a title is one."""
    category, depth = element.category, element.metadata.category_depth or 0
    if category == "Table" and element.metadata.text_as_html:
        add_table(writer, _rows(element.metadata.text_as_html), page=page)
    elif category == "Title" and heading is not False:
        writer.add("heading", element.text.strip(), page=page, level=min(6, depth + 1))
    elif category == "ListItem":
        writer.add("list_item", element.text.strip(), page=page, level=0)
    elif category == "CodeSnippet":
        writer.add("code", element.text.strip("\n"), page=page)
    elif category == "FigureCaption":
        writer.add("caption", element.text.strip(), page=page)
    elif category not in ("PageBreak", "Image"):
        writer.add("paragraph", element.text.strip(), page=page)


def _rows(markup: str) -> list[list[Cell]]:
    """Return the rows of an HTML table; a merged cell's value stands in every cell that it covers."""
    from ingest.web import table_rows

    return table_rows(markup)


def _finish(writer: Writer, data: bytes) -> Reading:
    """Return the reading of a file in one of the zipped Office formats."""
    from ingest.ooxml import properties

    return _reading(writer, [Page(1)], _partition(lambda: [properties(data)])[0])


def _reading(
    writer: Writer,
    pages: Iterable[Page],
    properties: dict[str, str],
    problems: Iterable[str] = (),
    sheets: bool = False,
) -> Reading:
    """Return what was written; a file without any text is unreadable."""
    if not writer.elements:
        raise NoText("The file has no text.", "If it shows text as pictures, export it as a searchable PDF.")
    title = properties.pop("title", None) or (None if sheets else _first_heading(writer))
    return writer.reading(list(pages), title, list(problems), properties)


def _first_heading(writer: Writer) -> str | None:
    """Return the text of the first heading of the first level."""
    starts: Iterator[int] = (i for i, e in enumerate(writer.elements) if e.kind == "heading" and e.level == 1)
    index = next(starts, None)
    return [part for part in writer.parts if part != "\n\n"][index] if index is not None else None
