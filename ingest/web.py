"""Reads web pages: headings, paragraphs, lists and tables, without navigation and what is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.alt_text import described
from ingest.article import Block, article_of
from ingest.elements import Kind, Reading, Writer
from ingest.encodings import decode
from ingest.errors import UnreadableFile
from ingest.formats import unopened
from ingest.hidden_html import take_hidden
from ingest.merged import Span, filled
from ingest.tables import Cell, add_table
from ingest.web_frames import put_frames, show_fallback
from ingest.web_text import BLOCKS, has_block, linked_in, squeeze, tag_of, texts_in

_CHARSET = re.compile(rb"""<(?:meta|\?xml)[^>]*?(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""", re.I)
_FURNITURE = (
    "//script|//noscript|//template|//nav|//*[@role='navigation']|//iframe|//select|//button|//svg"
    "|//*[local-name()='header' and namespace-uri()='http://www.xbrl.org/2013/inlineXBRL']|//*[name()='ix:header']"
)
_HEADING = re.compile(r"h[1-6]")
_WRAPPERS = re.compile(
    r"</?(?:a|abbr|article|aside|b|blockquote|center|div|em|figure|font|i|li|main|ol|p|section|small|span|strong|u|ul)\b[^<>]*>",
    re.I,
)
_MAX_DEPTH = 250


def read_html(path: Path) -> Reading:
    """Read an HTML file; its encoding is the declared one where that fits the bytes."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unopened(error) from error
    return read_page(data)


def read_page(data: bytes, declared: str | None = None) -> Reading:
    """Return the reading of a page. UnreadableFile: it has no text."""
    writer = Writer()
    title = add_html(writer, data, declared=declared)
    if not writer.elements:
        raise UnreadableFile(
            "The page has no text.", "If it shows text in a browser, print it to PDF there and ingest that."
        )
    return writer.reading(title=title)


def add_html(
    writer: Writer, data: bytes, page: int = 1, declared: str | None = None, article: bool = True
) -> str | None:
    """Append the blocks of an HTML page, or only those of its `article`; return its title. Nothing is fetched.

    Hidden text of a page that is taken whole follows as hidden paragraphs; that of a page with furniture is furniture too.
    """
    found = _CHARSET.search(data[:4096])
    text, _ = decode(data, declared or (found[1].decode("ascii") if found else None))
    # A declaration inside the text would make the parser refuse or re-decode what is already text.
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    if not text.strip():
        return None
    hidden: list[tuple[str, str]] = []
    text, root = _parse(text, hidden)
    if root is None:
        return None
    title = " ".join(str(root.findtext(".//title") or "").split()) or None
    blocks = list(_blocks(root))
    chosen = article_of(text, blocks) if article else blocks
    told: set[str] = set()  # a picture that stands often is told once
    for block in chosen:
        if block.picture and block.text in told:
            continue
        told.add(block.text if block.picture else "")
        if block.kind == "table":
            rows = filled(block.rows)
            if rows and max(len(row) for row in rows) == 1:
                for row in rows:
                    writer.add("paragraph", row[0].text, page=page)
            else:
                add_table(writer, rows, page=page)
        else:
            writer.add(block.kind, block.text, page=page, level=block.level)
    for how, words in hidden if chosen is blocks else ():
        writer.add("paragraph", words, page=page, hidden=how)
    return title


def _parse(text: str, hidden: list[tuple[str, str]]) -> tuple[str, Any]:
    """Return the page's markup with its inner frames in place, and its tree without scripts, navigation and what is hidden,
    which is appended to `hidden`; None for no tree."""
    from lxml import html

    root, cut = _tree(text)
    if cut:  # libxml2 leaves out what is nested more than 2,048 deep and all that follows
        root, cut = _tree(_WRAPPERS.sub("\n", text))
    if root is None:
        return text, None
    if cut:
        raise UnreadableFile(
            "The page is nested too deeply to be read.", "Print it to PDF in a browser and ingest that."
        )
    markup = text
    if put_frames(root, lambda inner: _tree(inner)[0]):
        text = html.tostring(root, encoding="unicode")
    show_fallback(root)
    for drawing in root.xpath("//svg[@aria-label or title]"):
        label = drawing.get("aria-label") or drawing.findtext("title") or ""
        drawing.addprevious(html.Element("img", alt=label))
    for node in root.xpath(_FURNITURE):
        if node.getparent() is not None and isinstance(node.tag, str):
            node.drop_tree()
    hidden += take_hidden(root, markup)
    for sheet in root.xpath("//style"):
        sheet.drop_tree()
    return text, root


def _tree(markup: str) -> tuple[Any, bool]:
    """Return a page's tree, None for none, and whether it was cut for being too deep."""
    from lxml import etree, html

    parser = html.HTMLParser(no_network=True, huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        found = html.document_fromstring(markup, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None, False
    return found, any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log)


def _blocks(root: Any) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    body = root.find("body")
    yield from _walk(body if body is not None else root, "paragraph", 0)


def _walk(node: Any, kind: Kind, depth: int) -> Iterator[Block]:
    """Yield the blocks of an element: its own runs of text between the blocks in it."""
    run: list[str] = []
    shown: list[Block] = []
    linked = 0

    def flush() -> Iterator[Block]:
        nonlocal linked
        text = squeeze("".join(run))
        run.clear()
        if text:
            yield Block(kind, text, linked=linked)
        yield from shown
        shown.clear()
        linked = 0

    run.append(node.text or "")
    for child in node:
        tag = tag_of(child)
        if tag == "br":
            run.append("\n")
        elif tag and depth < _MAX_DEPTH and (tag in BLOCKS or has_block(child)):
            yield from flush()
            yield from _block(child, tag, kind, depth + 1)
        elif tag:
            text = "".join(texts_in(child))
            run.append(text)
            shown += _pictures(child)
            linked += len(text) if tag == "a" else sum(len("".join(texts_in(a))) for a in child.iter("a"))
        run.append(child.tail or "")
    yield from flush()


def _block(node: Any, tag: str, kind: Kind, depth: int) -> Iterator[Block]:
    """Yield the blocks of one block element."""
    yield from _picture(node)
    if _HEADING.fullmatch(tag):
        text = squeeze("".join(texts_in(node))).replace("\n", " ")
        if text:
            yield Block("heading", text, int(tag[1]), linked=linked_in(node))
        yield from _pictures(node)
    elif tag == "pre":
        text = "".join(texts_in(node)).strip("\n")
        if text.strip():
            yield Block("code", text)
    elif tag == "table":
        yield from _table(node, depth)
    elif tag in ("li", "dt", "dd"):
        yield from _walk(node, "list_item", depth)
    elif tag in ("figcaption", "caption"):
        yield from _walk(node, "caption", depth)
    else:
        yield from _walk(node, kind, depth)


def _table(node: Any, depth: int) -> Iterator[Block]:
    """Yield a table; one that only lays out the page, with blocks or tables in its cells, as what stands in it."""
    rows = [row for row in node.iter("tr") if _owner(row) is node]
    cells = [cell for row in rows for cell in row.iterchildren("td", "th")]
    if any(
        cell.find(".//table") is not None or sum(1 for _ in cell.iter("p", "h1", "h2", "h3", "li")) > 3
        for cell in cells
    ):
        for caption in node.iterchildren("caption"):
            yield from _walk(caption, "caption", depth)
        for cell in cells:
            yield from _walk(cell, "paragraph", depth)
        return
    for caption in node.iterchildren("caption"):
        yield from _walk(caption, "caption", depth)
    table = tuple(
        tuple(
            Span(" ".join(texts_in(cell)), _number(cell.get("colspan")), _number(cell.get("rowspan")))
            for cell in row.iterchildren("td", "th")
        )
        for row in rows
    )
    text = "\n".join(" ".join(span.text for span in row) for row in table)
    if text.strip():
        yield Block("table", text, rows=table, linked=linked_in(node))
    yield from _pictures(node)


def _pictures(node: Any) -> list[Block]:
    """Return the alternative texts of the pictures in an element that describe what they show."""
    return [block for image in node.iter() for block in _picture(image)]


def _picture(image: Any) -> list[Block]:
    """Return the alternative text of an element that is a picture and describes what it shows."""
    label = image.get("alt") if tag_of(image) in ("img", "area", "amp-img") else None
    if label is None and image.get("role") == "img":
        label = image.get("aria-label")
    seen = image.get("aria-hidden") != "true" and image.get("role") not in ("presentation", "none")
    if not label or not seen or {image.get("width"), image.get("height")} & {"0", "1", "2"}:
        return []
    linked = next(image.iterancestors("a"), None) is not None
    text = described(label, linked)
    return [Block("caption", text, linked=len(text) * linked, picture=True)] if text else []


def table_rows(markup: str) -> list[list[Cell]]:
    """Return the rows of a table's markup; a merged cell's value stands in every cell that it covers."""
    from lxml import html

    table = html.fragment_fromstring(markup, parser=html.HTMLParser(no_network=True))
    return filled(
        [
            [
                Span(" ".join(cell.itertext()), _number(cell.get("colspan")), _number(cell.get("rowspan")))
                for cell in row.iterchildren("td", "th")
            ]
            for row in table.iter("tr")
        ]
    )


def _owner(row: Any) -> Any:
    """Return the table that a row belongs to."""
    node = row.getparent()
    while node is not None and tag_of(node) != "table":
        node = node.getparent()
    return node


def _number(value: str | None) -> int:
    """Return how many columns or rows a cell covers."""
    return min(100, max(1, int(value))) if value and value.isascii() and value.isdigit() else 1
