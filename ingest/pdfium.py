"""Looks at PDF pages with pypdfium2 (the only file that runs it): what a reader of the page sees, images, plain words."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.elements import Box
from ingest.errors import UnreadableFile
from ingest.layout import Word
from ingest.ocr_page import Line

if TYPE_CHECKING:
    from PIL.Image import Image
    from pypdfium2 import PdfDocument, PdfPage

_INVISIBLE = 3
_DEEPEST = 4
_DEEPEST_TAG = 60
_NO_PICTURES = frozenset({"Link", "Annot", "Form", "Span", "Formula", "Table", "TR", "TH", "TD"})
"""Kinds of tags whose alternative text is for reading aloud, or names a button."""
_MOST_OBJECTS = 20_000
_LONGEST = 2600
_LOOK_DPI = 72
_INK = 48  # difference of grey values within a word's box that counts as ink


_NOWHERE = Box(0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Look:
    """What is drawn on a page: text objects shown and hidden (invisible ink), the share of its area under images.

    `hidden` are the boxes of invisible text in points from the top left; `drawn` says that there is anything but text.
    """

    shown: int
    hidden: tuple[Box, ...]
    images: float
    drawn: bool


@contextlib.contextmanager
def opened(path: Path | bytes, password: str | None = None) -> Iterator[PdfDocument]:
    """Open a PDF; UnreadableFile when PDFium can't."""
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        document = PdfDocument(path, password=password)
    except (PdfiumError, FileNotFoundError) as error:
        raise UnreadableFile(
            "The PDF is damaged: it can't be opened.",
            "Open it in a PDF viewer, print or save it as a new PDF, and ingest that.",
        ) from error
    try:
        yield document
    finally:
        document.close()


@contextlib.contextmanager
def _page(document: PdfDocument, number: int) -> Iterator[PdfPage | None]:
    """Load a page (from 1); None when PDFium can't."""
    from pypdfium2 import PdfiumError

    page = None
    try:
        page = document[number - 1]
    except (PdfiumError, IndexError):
        yield None
        return
    try:
        yield page
    finally:
        page.close()


def look(document: PdfDocument, number: int) -> Look | None:
    """Return what is drawn on a page, without decoding any image; None when the page can't be loaded."""
    from pypdfium2 import raw

    with _page(document, number) as page:
        if page is None:
            return None
        width, height = page.get_size()
        shown, area, drawn = 0, 0.0, False
        hidden: list[Box] = []
        # looked up once: a page has thousands of objects, and an attribute of this module costs a function call
        text, image, mode_of = raw.FPDF_PAGEOBJ_TEXT, raw.FPDF_PAGEOBJ_IMAGE, raw.FPDFTextObj_GetTextRenderMode
        for kind, item in _objects(raw, page.raw):
            if kind == text:
                if mode_of(item) == _INVISIBLE:
                    hidden.append(_shown_box(raw, page, item, number))
                else:
                    shown += 1
                continue
            drawn = True
            if kind == image:
                box = _shown_box(raw, page, item, number)
                across = min(width, box.x1) - max(0.0, box.x0)
                down = min(height, box.y1) - max(0.0, box.y0)
                area += max(0.0, across) * max(0.0, down)
        return Look(shown, tuple(hidden), min(1.0, area / max(1.0, width * height)), drawn)


def figures(document: PdfDocument, number: int) -> list[Box]:
    """Return where images stand on a page, cut at its edges; nothing for a page that can't be loaded."""
    from pypdfium2 import raw

    with _page(document, number) as page:
        if page is None:
            return []
        width, height = page.get_size()
        images = (item for kind, item in _objects(raw, page.raw) if kind == raw.FPDF_PAGEOBJ_IMAGE)
        boxes = [_shown_box(raw, page, item, number) for item in images]
        return [Box(number, max(0.0, b.x0), max(0.0, b.y0), min(width, b.x1), min(height, b.y1)) for b in boxes]


def alternatives(page: PdfPage) -> list[str]:
    """Return the alternative texts that the tags of a page give to its figures, in order."""
    from pypdfium2 import raw

    tree = raw.FPDF_StructTree_GetForPage(page.raw)
    if not tree:
        return []
    found: list[str] = []
    # looked up once: a page has hundreds of tags, and an attribute of this module costs a function call
    said, kind_of = raw.FPDF_StructElement_GetAltText, raw.FPDF_StructElement_GetType
    count_of, get = raw.FPDF_StructElement_CountChildren, raw.FPDF_StructElement_GetChildAtIndex
    count = raw.FPDF_StructTree_CountChildren(tree)
    waiting = [(raw.FPDF_StructTree_GetChildAtIndex(tree, at), 0) for at in reversed(range(count))]
    left = _MOST_OBJECTS
    while waiting and left:
        (node, depth), left = waiting.pop(), left - 1
        if not node:
            continue
        text = _said(said, node)
        if text and _said(kind_of, node) not in _NO_PICTURES:
            found.append(text)
        elif depth < _DEEPEST_TAG:
            inside = reversed(range(max(0, count_of(node))))
            waiting += [(get(node, at), depth + 1) for at in inside]
    raw.FPDF_StructTree_Close(tree)
    return found


def _said(get: Callable[[Any, Any, int], int], node: Any) -> str:
    """Return a text that PDFium writes into a buffer of the size that it asks for."""
    size = get(node, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    get(node, buffer, size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")


def _objects(raw: Any, page: Any) -> Iterator[tuple[int, Any]]:
    """Yield the kinds and objects of a page and of the forms in it, up to a limit, without pypdfium2's costly wrappers."""
    kind_of, form = raw.FPDFPageObj_GetType, raw.FPDF_PAGEOBJ_FORM
    left = _MOST_OBJECTS
    waiting = [(page, 0)]
    while waiting:
        holder, depth = waiting.pop()
        count, get = (
            (raw.FPDFFormObj_CountObjects, raw.FPDFFormObj_GetObject)
            if depth
            else (raw.FPDFPage_CountObjects, raw.FPDFPage_GetObject)
        )
        for index in range(min(left, max(0, count(holder)))):
            left -= 1
            item = get(holder, index)
            kind = kind_of(item)
            if kind != form:
                yield kind, item
            elif depth < _DEEPEST:
                waiting.append((item, depth + 1))


def _shown_box(raw: Any, page: PdfPage, item: Any, number: int) -> Box:
    """Return an object's rectangle on the page as it is shown; an empty one when PDFium can't say."""
    edges = [ctypes.c_float() for _ in range(4)]
    if not raw.FPDFPageObj_GetBounds(item, *edges):
        return Box(number, 0.0, 0.0, 0.0, 0.0)
    left, bottom, right, top = (edge.value for edge in edges)
    return box_on_page(page, (left, bottom, right, top), number)


def box_on_page(page: PdfPage, bounds: tuple[float, float, float, float], number: int) -> Box:
    """Return a rectangle of the PDF's own space (left, bottom, right, top) as it is shown, from the top left."""
    left, bottom, right, top = bounds
    x0, y0, x1, y1 = page.get_bbox()
    turn = page.get_rotation()
    if turn == 90:
        return Box(number, bottom - y0, left - x0, top - y0, right - x0)
    if turn == 180:
        return Box(number, x1 - right, bottom - y0, x1 - left, top - y0)
    if turn == 270:
        return Box(number, y1 - top, x1 - right, y1 - bottom, x1 - left)
    return Box(number, left - x0, y1 - top, right - x0, y1 - bottom)


def image_of(document: PdfDocument, number: int, dpi: float) -> tuple[Image, float] | None:
    """Return a page as it is shown, as an image, and how many points a pixel has; None when it can't be rendered."""
    from pypdfium2 import PdfiumError

    with _page(document, number) as page:
        if page is None:
            return None
        scale = min(dpi / 72, _LONGEST / max(1.0, *page.get_size()))
        try:
            return page.render(scale=scale).to_pil().convert("RGB"), 1 / scale
        except (PdfiumError, ValueError):
            return None


def without_ink(document: PdfDocument, number: int, boxes: tuple[Box, ...]) -> float | None:
    """Return the share of some boxes under which the page is blank: what stands there was not read off the page.

    None when the page can't be drawn.
    """
    found = image_of(document, number, _LOOK_DPI)
    if found is None:
        return None
    image, scale = found[0].convert("L"), found[1]
    blank = 0
    for box in boxes:
        area = (int(box.x0 / scale), int(box.y0 / scale), int(box.x1 / scale) + 1, int(box.y1 / scale) + 1)
        grey = image.crop(area).tobytes() if area[2] > area[0] and area[3] > area[1] else b"\x00"
        blank += max(grey) - min(grey) < _INK
    return blank / max(1, len(boxes))


def sizes(document: PdfDocument) -> list[tuple[float, float]]:
    """Return the size of each page as it is shown, in points; (0, 0) for a page that can't be loaded."""
    found = []
    for number in range(1, len(document) + 1):
        with _page(document, number) as page:
            found.append((0.0, 0.0) if page is None else tuple(page.get_size()))
    return [(float(w), float(h)) for w, h in found]


def lines_of(document: PdfDocument, number: int) -> list[Line] | None:
    """Return a page's words, line by line in the order of the file; None when the page can't be loaded."""
    from pypdfium2 import raw

    with _page(document, number) as page:
        if page is None:
            return None
        with contextlib.closing(page.get_textpage()) as text:
            found: list[list[tuple[str, Box]]] = [[]]
            for index in range(text.count_chars()):
                letter = chr(raw.FPDFText_GetUnicode(text, index))
                if letter in "\r\n":
                    found.append([])
                elif letter.isspace() or letter == "\x00":
                    found[-1].append((" ", _NOWHERE))
                else:
                    found[-1].append((letter, box_on_page(page, text.get_charbox(index, loose=True), number)))
    return [line for letters in found if (line := _line(letters)) is not None]


def _whole(text: str) -> str:
    """Join the halves of signs that PDFium gives."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def plain_text(document: PdfDocument, number: int) -> str:
    """Return a page's text in the order of the file, hidden text included; "" when the page can't be loaded."""
    with _page(document, number) as page:
        if page is None:
            return ""
        with contextlib.closing(page.get_textpage()) as text:
            return _whole(text.get_text_range())


def _line(letters: list[tuple[str, Box]]) -> Line | None:
    """Return letters with their boxes as a line of words; None when there is no word."""
    words: list[Word] = []
    text, boxes = "", list[Box]()
    for letter, box in [*letters, (" ", _NOWHERE)]:
        if letter != " ":
            text += letter
            boxes.append(box)
        elif boxes:
            xs = [x for b in boxes for x in (b.x0, b.x1)]
            ys = [y for b in boxes for y in (b.y0, b.y1)]
            words.append(Word(_whole(text), Box(boxes[0].page, min(xs), min(ys), max(xs), max(ys))))
            text, boxes = "", []
    if not words:
        return None
    places = tuple(word.box for word in words)
    height = max(b.y1 for b in places) - min(b.y0 for b in places)
    width = max(b.x1 for b in places) - min(b.x0 for b in places)
    upright = height > 1.5 * width and sum(len(word.text) for word in words) > 2
    return Line(tuple(words), places, upright)
