"""Makes the sample documents that are not plain text; running it twice gives the same bytes.

    pip install reportlab python-docx openpyxl python-pptx pypdf Pillow
    python samples/make_samples.py [FOLDER]

The Markdown, text, CSV and HTML samples are written by hand in `samples/documents/` and left alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from make_mail_and_book import write_handbook, write_mail
from make_office import write_budget, write_policy, write_slides
from make_pdfs import write_contract, write_corrupt, write_encrypted
from make_scan import write_scanned_letter

DOCUMENTS = Path(__file__).parent / "documents"
PASSWORD = "tista-1961"


def main(folder: Path) -> None:
    """Write every made document into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_contract(folder / "ferry-supply-agreement.pdf")
    write_scanned_letter(folder / "harbour-letter-scan.pdf")
    write_encrypted(folder / "salary-review-encrypted.pdf", PASSWORD)
    write_corrupt(folder / "pressure-chamber-offer-corrupt.pdf")
    write_policy(folder / "staff-policy.docx")
    write_budget(folder / "budget-2026.xlsx")
    write_slides(folder / "product-plan-autumn-2025.pptx")
    write_mail(folder / "senja-nord-installation.eml")
    write_handbook(folder / "company-handbook.epub")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS)
