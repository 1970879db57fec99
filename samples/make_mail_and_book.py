"""Makes the sample e-mail with its attachment and the sample EPUB."""

from __future__ import annotations

import zipfile
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from pathlib import Path

from make_office import zip_entry
from make_pdfs import trial_report
from outline import Block, read_outline

TITLE = "The Listening House: a short handbook of Halden Marine Instruments"

MAIL = """\
Dear Jonas,

The yard in Harstad has told us that M/S Senja Nord will leave the dock two weeks later than planned, because a
stabiliser has to be replaced. Could we therefore move the installation from 18 August to 1 September 2025? The ship
would lie at the quay in Harstad from Monday to Saturday that week, and the chief engineer, Sissel Bakken, will be on
board all the time.

Three other things:

- The bridge of Senja Nord has been rebuilt. The display for the bridge wing needs a bracket that is 40 mm deeper than
  the standard one. There is no drawing; your technician measured it in April.
- Please send one more printed manual in Norwegian. The one for M/S Rolla fell into the sea.
- We enclose the signed trial report for Rolla so that you can issue the last invoice.

As the delay is ours, we will of course not ask for liquidated damages for Senja Nord.

Kind regards
Marte Lillevik
Project manager, Skarnes Coastal Lines ASA
"""

CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""

PACKAGE = """<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="en">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:halden-marine:handbook:2025</dc:identifier>
<dc:title>{title}</dc:title>
<dc:language>en</dc:language>
<dc:creator>Halden Marine Instruments AS</dc:creator>
<meta property="dcterms:modified">2025-01-20T09:00:00Z</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
{items}
</manifest>
<spine>
{spine}
</spine>
</package>
"""

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">
<head><title>{title}</title></head>
<body>
{body}
</body>
</html>
"""


def write_mail(path: Path) -> None:
    """Write the e-mail from the customer's project manager, with the sea trial report attached."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "Marte Lillevik <marte.lillevik@skarnes.example>"
    mail["To"] = "Jonas Wiik <jonas.wiik@haldenmarine.example>"
    mail["Cc"] = "Petter Aune <petter.aune@skarnes.example>"
    mail["Subject"] = "M/S Senja Nord: new date for installation"
    mail["Date"] = "Tue, 24 Jun 2025 10:17:00 +0200"
    mail["Message-ID"] = "<20250624.1017.senja-nord@skarnes.example>"
    mail.set_content(MAIL, cte="quoted-printable")
    mail.add_attachment(trial_report(), maintype="application", subtype="pdf", filename="sea-trial-report-rolla.pdf")
    mail.set_boundary("=_halden-marine-sample")
    path.write_bytes(mail.as_bytes())


def write_handbook(path: Path) -> None:
    """Write the handbook as an EPUB 3: one XHTML file a chapter, and a navigation page."""
    chapters: list[list[Block]] = []
    for block in read_outline("handbook.md"):
        if block.kind == "heading":
            chapters.append([])
        chapters[-1].append(block)
    names = [f"chapter{number}.xhtml" for number in range(1, len(chapters) + 1)]
    links = [
        f'<li><a href="{name}">{escape(blocks[0].text)}</a></li>' for name, blocks in zip(names, chapters, strict=True)
    ]
    navigation = f'<nav epub:type="toc"><h1>Contents</h1><ol>{"".join(links)}</ol></nav>'
    items = [f'<item id="c{at}" href="{name}" media-type="application/xhtml+xml"/>' for at, name in enumerate(names)]
    spine = [f'<itemref idref="c{at}"/>' for at in range(len(names))]
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(zip_entry("mimetype", zipfile.ZIP_STORED), "application/epub+zip")
        book.writestr(zip_entry("META-INF/container.xml"), CONTAINER)
        package = PACKAGE.format(title=TITLE, items="\n".join(items), spine="\n".join(spine))
        book.writestr(zip_entry("OEBPS/content.opf"), package)
        book.writestr(zip_entry("OEBPS/nav.xhtml"), PAGE.format(title="Contents", body=navigation))
        for name, blocks in zip(names, chapters, strict=True):
            page = PAGE.format(title=escape(blocks[0].text), body=_xhtml(blocks))
            book.writestr(zip_entry(f"OEBPS/{name}"), page)


def _xhtml(blocks: list[Block]) -> str:
    tags = ["h1" if block.kind == "heading" else "p" for block in blocks]
    return "\n".join(f"<{tag}>{escape(block.text)}</{tag}>" for tag, block in zip(tags, blocks, strict=True))
