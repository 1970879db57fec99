"""Opens image files: their upright pages, flat on white, with the size of a pixel."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.errors import UnreadableFile, is_ours
from ingest.formats import unopened

if TYPE_CHECKING:
    from PIL.Image import Image

CUT = "cut"
"""The note, in its `info`, on a picture whose file is cut."""

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
_UNKNOWN_DPI = 150.0


def frames(path: Path | io.BytesIO) -> Iterator[tuple[Image, float]]:
    """Yield the upright pages of an image file with their points a pixel; animations have one, their first."""
    from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

    damaged = UnreadableFile("The picture is damaged or in a form that can't be read.", "Save it again as PNG or JPEG.")
    try:
        # Above twice its limit Pillow refuses a picture; below it only warns, and the child's memory limit protects.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as image:
                frames = ImageSequence.Iterator(image) if image.format == "TIFF" else iter([image])
                for frame in frames:
                    _load(frame)
                    upright = ImageOps.exif_transpose(frame)
                    yield _flat(upright), 72 / _dpi(frame)
    except Image.DecompressionBombError as error:
        raise UnreadableFile(
            "The picture unpacks to far more pixels than can be read (a decompression bomb?).",
            "Make it smaller, or cut it into several pictures.",
        ) from error
    except UnidentifiedImageError as error:
        raise damaged from error
    except OSError as error:
        raise (unopened(error) if error.errno is not None else damaged) from error
    except (ValueError, SyntaxError, EOFError, TypeError, IndexError) as error:  # Pillow's plugins on damaged files
        if is_ours(error):
            raise
        raise damaged from error


def _load(image: Image) -> None:
    """Load a picture; of one whose file is cut what is there, and note it in its `info`."""
    from PIL import ImageFile

    try:
        image.load()
    except OSError as error:
        if "truncated" not in str(error):
            raise
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            image.load()
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        image.info[CUT] = True


def _flat(image: Image) -> Image:
    """Return an image as RGB on white: what is transparent would else turn black."""
    from PIL import Image

    if "A" in image.getbands() or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        ground = Image.new("RGB", image.size, "white")
        ground.paste(with_alpha, mask=with_alpha.getchannel("A"))
        return ground
    return image.convert("RGB")


def _dpi(image: Image) -> float:
    """Return an image's dots an inch, when it says something sensible."""
    said = image.info.get("dpi", (0, 0))
    value = float(said[0]) if isinstance(said, tuple) and said else 0.0
    return value if 60 <= value <= 1200 else _UNKNOWN_DPI
