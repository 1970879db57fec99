"""Reads JSON, XML and SVG files: every value with the names that lead to it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.elements import Reading, Writer
from ingest.encodings import decode
from ingest.errors import UnreadableFile
from ingest.formats import unopened
from ingest.plain import add_markdown, load
from ingest.tables import Cell, add_table, clean

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element as Node

_BROKEN = "Open it in an editor and correct it, or rename it to .txt to read it as text."
_DEEP = "The JSON is nested very deeply; it was read as plain text."
_MAX_DEPTH = 60
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding=["']([\w.:-]+)["']""")
_DECLARATION = re.compile(r"^\ufeff?\s*<\?xml[^>]*?\?>")
_ILLEGAL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])|x0*(?:[0-8bcef]|1[0-9a-f]));", re.I
)
"""Signs that XML does not allow and that careless programs write."""
_BLOCK = 40
_LONG_WORD = 400
_PACKED = re.compile(r"(?:data:[\w/+.;=-]+,)?(?:[A-Za-z0-9+/_-]{60,}\s+)*[A-Za-z0-9+/_-]+={0,2}\s*")


def read_json(path: Path) -> Reading:
    """Read a JSON file: lists of records as tables, everything else as lines "name.name: value"; notebooks as text."""
    text, problems = load(path)
    try:
        value = json.loads(text, object_pairs_hook=_all_pairs)
    except (ValueError, RecursionError):
        # Configuration files with comments and cut exports are still worth finding.
        return _verbatim(text, [*problems, "The JSON is malformed; it was read as plain text."])
    writer = Writer()
    try:
        if isinstance(value, dict) and isinstance(value.get("cells"), list) and "nbformat" in value:
            _notebook(writer, value["cells"])
        else:
            _value(writer, value, "")
    except RecursionError:
        return _verbatim(text, [*problems, _DEEP])
    if not writer.elements:
        raise UnreadableFile("The file has no text: its JSON is empty.", "Check where it came from.")
    title = value.get("title") if isinstance(value, dict) else None
    return writer.reading(title=title if isinstance(title, str) and title.strip() else None, problems=problems)


def read_jsonl(path: Path) -> Reading:
    """Read a file with one JSON value a line as a table of records."""
    text, problems = load(path)
    values, wrong = [], dict[int, str]()
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            values += [json.loads(line, object_pairs_hook=_all_pairs)] if line.strip() else []
        except (ValueError, RecursionError):
            wrong[number] = line
    if wrong and len(wrong) >= len(values):
        return _verbatim(text, [*problems, "Most lines are no JSON; the file was read as plain text."])
    writer = Writer()
    try:
        _value(writer, values, "")
    except RecursionError:
        return _verbatim(text, [*problems, _DEEP])
    for line in wrong.values():
        writer.add("code", line)
    if wrong:
        shown = ", ".join(map(str, list(wrong)[:10])) + (", ..." if len(wrong) > 10 else "")
        problems.append(f"Some lines are no JSON and were read as plain text (line {shown}).")
    return writer.reading(problems=problems)


def _all_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object in which a name that is given twice keeps both values."""
    found: dict[str, Any] = dict(pairs)
    if len(found) == len(pairs):
        return found
    found.clear()
    counts = Counter[str]()
    for name, value in pairs:
        counts[name] += 1
        found[name if counts[name] == 1 else f"{name} ({counts[name]})"] = value
    return found


def _verbatim(text: str, problems: list[str]) -> Reading:
    writer = Writer()
    for part in re.split(r"\n[ \t]*\n", text):
        writer.add("code", part.strip("\n"))
    return writer.reading(problems=problems)


def _notebook(writer: Writer, cells: list[Any]) -> None:
    """Append a Jupyter notebook: prose as Markdown, code as code, printed results as paragraphs."""
    for cell in cells:
        source = _joined(cell.get("source")) if isinstance(cell, dict) else ""
        if isinstance(cell, dict) and cell.get("cell_type") == "markdown":
            add_markdown(writer, source)
        elif isinstance(cell, dict):
            writer.add("code", source.strip("\n"))
            for output in cell.get("outputs") or []:
                data = output.get("data") or {} if isinstance(output, dict) else {}
                writer.add("paragraph", _joined(output.get("text") or data.get("text/plain")).strip("\n"))
                if isinstance(output, dict) and output.get("ename"):
                    writer.add("paragraph", f"{output['ename']}: {output.get('evalue', '')}")


def _joined(value: object) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _value(writer: Writer, value: object, name: str) -> None:
    """Append a JSON value: tables for lists of flat records, lines for the rest."""
    if isinstance(value, list) and len(value) > 1 and all(isinstance(item, dict) and _flat(item) for item in value):
        columns = list(dict.fromkeys(key for item in value for key in item))
        if len(columns) <= 60:
            if name:
                writer.add("heading", name, level=min(6, name.count(".") + 1))
            rows = [[Cell(clean(column)) for column in columns]]
            rows += [[Cell(clean(_shown(item.get(column)))) for column in columns] for item in value]
            add_table(writer, rows, header=True)
            return
    if isinstance(value, dict) and not name and any(isinstance(item, (list, dict)) for item in value.values()):
        flat = {key: item for key, item in value.items() if not isinstance(item, (list, dict))}
        _lines(writer, flat, "")
        for key, item in value.items():
            if isinstance(item, (list, dict)):
                _value(writer, item, str(key))
        return
    _lines(writer, value, name)


def _flat(item: dict[str, Any]) -> bool:
    return all(not isinstance(value, dict) and not (isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value))
               for value in item.values())  # fmt: skip


def _lines(writer: Writer, value: object, name: str) -> None:
    """Append a value as paragraphs of lines, some forty lines each."""
    block: list[str] = []
    for line in _leaves(value, name, 0):
        block.append(line)
        if len(block) == _BLOCK:
            writer.add("paragraph", "\n".join(block))
            block = []
    writer.add("paragraph", "\n".join(block))


def _leaves(value: object, name: str, depth: int) -> Iterator[str]:
    """Yield "name.name: value" for each leaf."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for number, item in enumerate(value, start=1):
            yield from _leaves(item, f"{name}[{number}]", depth + 1)
    elif value not in (None, "", []):
        yield f"{name}: {_shown(value)}" if name else _shown(value)


def _shown(value: object) -> str:
    """Return a JSON value as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return _told(str(value))


def _told(text: str) -> str:
    """Return a text; of data that are written in letters (base64) only how many there are."""
    return f"({len(text):,} characters of data)" if len(text) > _LONG_WORD and _PACKED.fullmatch(text) else text


class _Malformed(UnreadableFile):
    """An XML file that can't be parsed; it may still be read as text."""


def read_xml(path: Path) -> Reading:
    """Read an XML file: each element's own text, with its name and attributes where they are short."""
    try:
        root = tree(path)
    except _Malformed:
        text, problems = load(path)  # a cut or careless export is still worth finding
        return _verbatim(text, [*problems, "The XML is malformed; it was read as plain text."])
    writer = Writer()
    block: list[str] = []
    for line in _xml_lines(root, 0):
        if not line or len(block) >= _BLOCK:
            writer.add("paragraph", "\n".join(block))
            block = []
        if line:
            block.append(line)
    writer.add("paragraph", "\n".join(block))
    if not writer.elements:
        raise UnreadableFile("The XML file has no text.", "Check where it came from.")
    return writer.reading()


def tree(path: Path) -> Node:
    """Parse an XML file, its own harmless entities replaced; bombs and what asks for other files are refused."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException

    from ingest.ooxml import BOMB, ENTITIES, parse
    from ingest.xml_entities import Bomb, with_entities

    try:
        data = path.read_bytes()
        try:
            return parse(data)
        except (ParseError, ValueError, LookupError):
            # The parser knows few encodings, trusts a declaration that is wrong, and knows no entities.
            declared = _DECLARED.search(data[:200])
            text, _ = decode(data, declared[1].decode("ascii", "replace") if declared else None)
            whole = with_entities(_DECLARATION.sub("", text))
            if whole is None:
                raise ENTITIES from None
            return parse(_ILLEGAL.sub(" ", whole).encode("utf-8", "replace"))
    except OSError as error:
        raise unopened(error) from error
    except Bomb as error:
        raise BOMB from error
    except DefusedXmlException as error:
        raise ENTITIES from error
    except (ParseError, ValueError, LookupError) as error:
        raise _Malformed("The XML file is malformed.", _BROKEN) from error


def _xml_lines(node: Node, depth: int) -> Iterator[str]:
    """Yield one line for each element with text of its own, an empty line after each group."""
    if depth > _MAX_DEPTH:  # what is nested deeper is one text
        texts = [part for inner in node.iter() for part in (inner.text, inner.tail) if part and part.strip()]
        yield f"{_local(node.tag)}: {' '.join(' '.join(texts).split())}" if texts else ""
        return
    name = _local(node.tag)
    given = [f'{_local(key)}="{value}"' for key, value in node.attrib.items() if _says(_local(key), value)]
    mixed = len(node) > 0 and bool((node.text or "").strip() or any((child.tail or "").strip() for child in node))
    text = (
        " ".join(" ".join(node.itertext()).split()) if mixed or not len(node) else " ".join((node.text or "").split())
    )
    if text:
        yield f"{' '.join([name, *given])}: {_told(text)}"
    elif given:
        yield " ".join([name, *given])
    if not mixed and len(node):
        for child in node:
            if isinstance(child.tag, str):
                yield from _xml_lines(child, depth + 1)
        yield ""


def _says(name: str, value: str) -> bool:
    """Say whether an attribute holds something to find: no place of a schema, and no data in letters."""
    packed = len(value) > _LONG_WORD and max(map(len, value.split()), default=0) > _LONG_WORD
    return bool(value.strip()) and name.lower() not in ("schemalocation", "nonamespaceschemalocation") and not packed


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def read_svg(path: Path) -> Reading:
    """Read the texts of an SVG drawing: title, description and labels."""
    root = tree(path)
    writer = Writer()
    title = None
    for node in root.iter():
        if _local(node.tag) in ("title", "desc", "text"):
            text = " ".join(" ".join(node.itertext()).split())
            title = title or (text if _local(node.tag) == "title" else None)
            writer.add("paragraph", text)
    if not writer.elements:
        raise UnreadableFile("The drawing has no text.", "If it shows text as outlines, save it as PNG or PDF.")
    return writer.reading(title=title)
