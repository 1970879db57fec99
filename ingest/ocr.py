"""Reads text out of images with rapidocr (the only file that imports it), offline and page by page; reads image files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.elements import Box, Page, Reading, Writer
from ingest.errors import NO_TEXT_IN_PICTURE, UnreadableFile
from ingest.image_file import CUT, frames
from ingest.layout import Word
from ingest.ocr_page import Line, write_lines

if TYPE_CHECKING:
    from PIL.Image import Image
    from rapidocr import RapidOCR

DPI = 200
"""Dots an inch at which pages are rendered to be read (docs/decisions/0007-ocr.md)."""

MOST_PAGES = 500
"""Pages of one file that are read by OCR; later ones are named in `problems`."""

WEAK = 0.95
"""A page whose mean confidence is lower is reported as hard to read (docs/decisions/0007-ocr.md)."""

_LONGEST = 2600  # pixels of a page's longer side
_PAPER = 200  # grey above which a pixel is paper
_LOWEST = 8  # rows of pixels; letters of four points have eleven
_DOUBTFUL = 0.8  # mean confidence below which a page may be upside down
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

page_done: Callable[[], None] = lambda: None  # noqa: E731
"""Called after each page that was read by OCR: the parser child tells its parent that it is alive."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What OCR saw on a page: its lines, with boxes in points, and the mean confidence over their words (0 to 1)."""

    lines: tuple[Line, ...]
    confidence: float

    @property
    def words(self) -> int:
        """Return how many words were seen."""
        return sum(len(line.words) for line in self.lines)


@cache
def _engine() -> RapidOCR:
    """Return the OCR engine with the models of its own wheel, loaded at the first page that needs it.

    Without paths it would look its models up by configuration and download what it has not got. Its classifier of
    lines that stand upside down stays off: it turned long lines of dense pages, which lost 8 % of their words.
    """
    import rapidocr  # 0.5 s and OpenCV

    models = Path(rapidocr.__file__).parent / "models"
    return rapidocr.RapidOCR(
        params={
            "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
            "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
            "Cls.model_path": str(models / "ch_ppocr_mobile_v2.0_cls_mobile.onnx"),
            "Global.use_cls": False,
            "Global.max_side_len": _LONGEST,
            "Det.limit_type": "max",
            "Det.limit_side_len": 1280,
            "Det.unclip_ratio": 2.0,
            "Global.text_score": 0.5,
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,  # two readers run side by side
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def see(image: Image, page: int, scale: float) -> Seen:
    """Read one page's image, whichever way up it is; boxes are in points from its top left, `scale` points a pixel.

    Pages on their side or upside down are turned for reading and their boxes turned back, so that they fit the image.
    """
    if not _may_hold_text(image):
        page_done()
        return Seen((), 0.0)
    best, turn = _pass(image, 0), 0
    tall = [line for line in best if line.upright]
    if best and 2 * len(tall) > len(best) and not _is_cjk(best):
        for angle in (90, 270):  # text that runs up or down the page
            other = _pass(image, angle)
            if not turn or _score(other) > _score(best):
                best, turn = other, angle
    if best and _score(best) < _DOUBTFUL:
        other = _pass(image, (turn + 180) % 360)
        if _score(other) > _score(best) + 0.02:
            best, turn = other, (turn + 180) % 360
    page_done()
    lines = tuple(_line(found, page, scale, turn, image.size) for found in best)
    return Seen(lines, _score(best))


def _may_hold_text(image: Image) -> bool:
    """Return whether anything on a page is as tall as letters: a blank page or one with rulers is not worth the models, which
    take a quarter of a gigabyte."""
    ink = image.convert("L").point(lambda value: 255 if value < _PAPER else 0)
    rows = ink.reduce((image.width, 1)).tobytes()  # the mean of each row of pixels
    return any(len(run) >= _LOWEST for run in re.findall(rb"[^\x00]+", rows))


@dataclass(frozen=True, slots=True)
class _Found:
    """A line as the engine gives it: words with boxes in pixels of the turned image."""

    words: tuple[tuple[str, tuple[float, float, float, float]], ...]
    box: tuple[float, float, float, float]
    slope: float
    upright: bool
    confidence: float


def _pass(image: Image, angle: int) -> list[_Found]:
    """Return the lines of an image that is first turned counter-clockwise by `angle` degrees."""
    turned = image.rotate(angle, expand=True) if angle else image
    said = _asked(turned.convert("RGB"))
    texts = getattr(said, "txts", None)
    if not texts:
        return []
    letters = said.word_results if len(said.word_results or ()) == len(texts) else [()] * len(texts)
    lines = zip(texts, said.boxes, said.scores, letters, strict=True)
    return [_found(*line) for line in lines if any(c.isalnum() for c in line[0])]  # a filled square is read as "■"


def _asked(image: Image) -> Any:
    """Return what the engine says of an image. MemoryError, which ONNX Runtime tells as an error of its own."""
    try:
        return _engine()(image, return_word_box=True, return_single_char_box=True)
    except Exception as error:
        if "std::bad_alloc" in str(error):
            raise MemoryError from error
        raise


def _found(text: str, quad: Any, score: float, letters: Sequence[Any]) -> _Found:
    """Return a line with a box for each of its words, out of the boxes of its letters."""
    points = [(float(x), float(y)) for x, y in quad]
    box = _around(points)
    width, height = box[2] - box[0], box[3] - box[1]
    upright = height >= 1.5 * width
    slope = 0.0 if upright else (points[1][1] - points[0][1]) / max(1.0, points[1][0] - points[0][0])
    boxes = [_around([(float(x), float(y)) for x, y in area]) for _, _, area in letters]
    known = "".join(letter for letter, _, _ in letters) == "".join(text.split())
    words, at = [], 0
    for match in re.finditer(r"\S+", text):
        if known:
            inside = boxes[at : at + len(match[0])]
            at += len(match[0])
        else:  # each word gets its share of the line
            a, b = match.start() / len(text), match.end() / len(text)
            x = (box[0], box[2]) if upright else (box[0] + a * width, box[0] + b * width)
            y = (box[1] + a * height, box[1] + b * height) if upright else (box[1], box[3])
            inside = [(x[0], y[0], x[1], y[1])]
        words.append((match[0], _around([p for b in inside for p in ((b[0], b[1]), (b[2], b[3]))])))
    return _Found(tuple(words), box, slope, upright, float(score))


def _around(points: Sequence[tuple[float, float]]) -> tuple[float, float, float, float]:
    """Return the rectangle around some points."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _is_cjk(lines: Sequence[_Found]) -> bool:
    """Say whether most letters are Chinese, Japanese or Korean, which may be written from top to bottom."""
    text = "".join(word for line in lines for word, _ in line.words)
    return 2 * len(_CJK.findall(text)) > len(text)


def _score(lines: Sequence[_Found]) -> float:
    """Return the mean confidence over the words of some lines."""
    counted = [line.confidence for line in lines for _ in line.words]
    return sum(counted) / len(counted) if counted else 0.0


def _line(found: _Found, page: int, scale: float, turn: int, size: tuple[int, int]) -> Line:
    """Return a line in points: where it stands on the image as given, and on the page as it is read."""

    def given(box: tuple[float, float, float, float]) -> Box:
        x0, y0, x1, y1 = box
        w, h = size
        if turn == 90:
            x0, y0, x1, y1 = w - y1, x0, w - y0, x1
        elif turn == 180:
            x0, y0, x1, y1 = w - x1, h - y1, w - x0, h - y0
        elif turn == 270:
            x0, y0, x1, y1 = y0, h - x1, y1, h - x0
        return Box(page, *(round(value * scale, 2) for value in (x0, y0, x1, y1)))

    def read(box: tuple[float, float, float, float]) -> Box:
        return Box(page, *(value * scale for value in box))

    words = tuple(Word(text, given(box)) for text, box in found.words)
    places = tuple(read(box) for _, box in found.words)
    return Line(words, places, found.upright, found.slope)


def weak_pages(pages: Sequence[Page]) -> str | None:
    """Return the sentence that names pages which OCR read with low confidence, None when there are none."""
    weak = [str(page.number) for page in pages if page.ocr and page.confidence is not None and page.confidence < WEAK]
    if not weak:
        return None
    which = f"Page {weak[0]} was" if len(weak) == 1 else f"Pages {', '.join(weak)} were"
    return (
        f"{which} hard to read (handwriting or a poor scan): the text may hold errors. "
        "Check it against the page, or scan it again at 300 dpi."
    )


def read_image(path: Path) -> Reading:
    """Read the text in an image file (each page of a TIFF); UnreadableFile when there is none, or the file is damaged."""
    writer, pages, problems = Writer(), list[Page](), list[str]()
    for number, (frame, scale) in enumerate(frames(path), start=1):
        if number > MOST_PAGES:
            problems.append(f"Pages after {MOST_PAGES} were not read. Split the file into smaller ones.")
            break
        if frame.info.get(CUT):
            problems.append("The picture's file is cut: what is missing of the picture was not read. Get a good copy.")
        seen = see(frame, number, scale)
        write_lines(writer, seen.lines, number)
        size = (round(frame.width * scale, 2), round(frame.height * scale, 2))
        pages.append(Page(number, None, *size, ocr=True, confidence=round(seen.confidence, 3)))
    if not writer.elements and any("is cut" in problem for problem in problems):
        raise UnreadableFile(
            "The picture is damaged: its file is cut, and what is there has no text.", "Get a good copy."
        )
    if not writer.elements:
        raise UnreadableFile(
            NO_TEXT_IN_PICTURE,
            "If it has text, scan it again at 300 dpi, upright and sharp.",
        )
    weak = weak_pages(pages)
    return writer.reading(pages, None, [*problems, *([weak] if weak else [])])


def render_image(path: Path, page: int, dpi: float) -> bytes:
    """Return one page (from 1) of an image file as PNG at `dpi` pixels an inch of the reading's page size."""
    for number, (frame, scale) in enumerate(frames(path), start=1):
        if number == page:
            wanted = min(dpi * scale / 72, 4000 / max(frame.size))
            size = (max(1, round(frame.width * wanted)), max(1, round(frame.height * wanted)))
            buffer = io.BytesIO()
            frame.resize(size).save(buffer, "PNG")
            return buffer.getvalue()
    raise UnreadableFile(f"The picture has no page {page}.", "Give a page number that it has.")
