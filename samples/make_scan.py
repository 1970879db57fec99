"""Makes the scanned letter: a PDF with an image of text and no text."""

from __future__ import annotations

import io
import random
from pathlib import Path

import reportlab
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

SCAN_DPI = 200

LETTER = [
    "Halden Harbour Authority",
    "Langbrygga 2, 1767 Halden",
    "",
    "",
    "Halden Marine Instruments AS",
    "Tista Brygge 12",
    "1767 Halden",
    "",
    "                                                                            22 August 2025",
    "",
    "Our reference: 2025/1184",
    "",
    "",
    "Repair of the quay at Tista Brygge",
    "",
    "Dear Ms Solberg,",
    "",
    "We write to tell you that the quay in front of your works will be",
    "repaired this autumn. Divers have found that 31 of the wooden piles",
    "are damaged by shipworm and must be replaced by steel.",
    "",
    "The work begins on 3 November 2025 and is expected to last for",
    "seven weeks. In this period the quay crane cannot be used, and no",
    "vehicle heavier than 3.5 tonnes may drive on the quay. Deliveries",
    "can be made through the gate in Sagveien.",
    "",
    "As compensation for the inconvenience, the harbour dues of your",
    "company for the fourth quarter are reduced by NOK 64,000. You do",
    "not need to apply for the reduction.",
    "",
    "Noise is to be expected between 07:00 and 18:00 on weekdays. We",
    "have asked the contractor not to drive piles before 08:30. If the",
    "vibration disturbs your measurements, please call the site manager,",
    "Geir Lunde, so that the hours can be adjusted.",
    "",
    "",
    "Yours sincerely,",
    "",
    "",
    "Anne Kristin Berg",
    "Harbour Master",
]


def write_scanned_letter(path: Path) -> None:
    """Write a letter as one grey image without a text layer, slightly turned and noisy, as a scanner leaves it."""
    size = (round(8.27 * SCAN_DPI), round(11.69 * SCAN_DPI))
    page = Image.new("L", size, 250)
    draw = ImageDraw.Draw(page)
    fonts = Path(reportlab.__file__).parent / "fonts"
    plain = ImageFont.truetype(str(fonts / "Vera.ttf"), 29)
    bold = ImageFont.truetype(str(fonts / "VeraBd.ttf"), 32)
    for number, line in enumerate(LETTER):
        heading = number == 0 or line.startswith("Repair of the quay")
        draw.text((190, 190 + number * 46), line, fill=35, font=bold if heading else plain)
    noise = Image.frombytes("L", size, random.Random(1184).randbytes(size[0] * size[1]))
    turned = page.rotate(0.6, resample=Image.Resampling.BICUBIC, fillcolor=246)
    soft = turned.filter(ImageFilter.GaussianBlur(0.8))
    scan = ImageChops.blend(soft, noise.filter(ImageFilter.GaussianBlur(1.0)), 0.10)
    jpeg = io.BytesIO()
    scan.save(jpeg, "JPEG", quality=45)
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    canvas.setTitle("Scan")
    canvas.drawImage(ImageReader(jpeg), 0, 0, *A4)
    canvas.save()
