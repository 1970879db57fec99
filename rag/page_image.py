"""Renders pages of a document with the cited characters marked."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Sequence

from ingest.errors import UnreadableFile
from ingest.ports import FileReader
from rag.catalog import Catalog, Source
from rag.errors import DocumentChanged, NotFound
from rag.passages import Passage
from rag.places import boxes
from rag.shapes import Box

SHOWN = ("pdf", "image")
"""Formats whose pages can be shown."""
MARK = (255, 214, 10, 90)
"""Colour of a marked line: yellow, about a third opaque."""


class PageImages:
    """Renders in the isolated reader; nothing is written to disk."""

    def __init__(self, catalog: Catalog, reader: FileReader) -> None:
        self._catalog = catalog
        self._reader = reader
        self._turn = threading.Lock()

    def render(self, document_id: str, page: int, spans: Sequence[tuple[int, int]], dpi: float) -> bytes:
        """Return one page as PNG, at `dpi` dots an inch, with the characters of `spans` marked.

        Raises NotFound for formats without pages and pages that don't exist, DocumentChanged when the file on disk is
        not the one the text was extracted from.
        """
        source = self._catalog.source(document_id)
        document = self._catalog.documents(document_id=document_id)[0]
        if source.format not in SHOWN:
            raise NotFound(
                f"A document of the format {source.format} has no page images.", "Read its text instead (…/text)."
            )
        if not 1 <= page <= document.pages:
            raise NotFound(f"There is no page {page}; the document has {document.pages}.", "Pages count from 1.")
        if not source.inside:  # the reader checks members when it takes them out
            _check_same(source)
        try:
            with self._turn:
                image = self._reader.render(source.path, page, dpi, source.inside)
        except UnreadableFile as error:
            raise NotFound(f"The page can't be shown: {error.reason}", error.remedy) from error
        version = source.version
        marks = [box for start, end in spans for box in self._boxes(document_id, version, page, start, end)]
        return _mark(image, marks, dpi) if marks else image

    def close(self) -> None:
        """End the reader's process."""
        self._reader.close()

    def _boxes(self, document_id: str, version: str, page: int, start: int, end: int) -> list[Box]:
        place = Passage("", "", document_id, version, "", page, "", "", "", start, end)
        return boxes(self._catalog, place, start, end)


def _check_same(source: Source) -> None:
    """Raise DocumentChanged when the file on disk is not the one that the text was extracted from."""
    try:
        with open(source.path, "rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == source.sha256
    except OSError as error:
        raise DocumentChanged(
            f"The file {source.path} can't be opened: {error.strerror}.", "Ingest its folder again."
        ) from error
    if not same:
        raise DocumentChanged(f"The file {source.path} changed since it was ingested.", "Ingest it again.")


def _mark(image: bytes, marks: Sequence[Box], dpi: float) -> bytes:
    from PIL import Image, ImageDraw  # only pages with a quote need it

    page = Image.open(io.BytesIO(image)).convert("RGBA")
    layer = Image.new("RGBA", page.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    scale = dpi / 72
    for box in marks:
        draw.rectangle(
            (box.x0 * scale - 2, box.y0 * scale - 2, box.x1 * scale + 2, box.y1 * scale + 2),
            fill=MARK,
            outline=(214, 158, 0, 255),
        )
    out = io.BytesIO()
    Image.alpha_composite(page, layer).convert("RGB").save(out, "PNG")
    return out.getvalue()
