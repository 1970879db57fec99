"""Rewrites a zipped Office file so that strict libraries open it: its variant, the names of its parts, its relations."""

from __future__ import annotations

import codecs
import io
import posixpath
import re
import zipfile

from ingest.archive import BROKEN
from ingest.ooxml import keep_prefixes, main_part, packed, parse, written

_MAIN = {
    "docx": ("word/document.xml", "wordprocessingml.document"),
    "pptx": ("ppt/presentation.xml", "presentationml.presentation"),
    "xlsx": ("xl/workbook.xml", "spreadsheetml.sheet"),
}
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(officeDocument|\w+ml)")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*?(?:/>|>\s*</(?:\w+:)?Relationship>)")
_TARGET = re.compile(rb"""(\sTarget=)["']([^"']*)["']""")
_ID = re.compile(rb"""\sId=["']([^"']+)["']""")
_TYPES = "[Content_Types].xml"
_PART_NAME = re.compile(rb"""(PartName=["']/?)([^"']+)(["'])""")
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_DRAWN = ("}spTree", "}grpSp")
_LOOSE = re.compile(
    rb"<(?:\w+:)?(definedNames|externalReferences|pivotCaches|extLst)\b[^>]*?(?:/>|>.*?</(?:\w+:)?\1>)", re.S
)
_RULES = re.compile(
    rb"<(?:\w+:)?(dataValidations|conditionalFormatting|page\w+|printOptions|headerFooter|extLst)\b[^>]*?(?:/>|>.*?</(?:\w+:)?\1>)",
    re.S,
)
_DECLARATION = re.compile(r"^\ufeff?\s*<\?xml[^>]*\?>")
_ILLEGAL = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])|[xX]0*(?:[0-8bcefBCEF]|1[0-9a-fA-F]));|&(?!#?\w+;)"
)
_OPC = b"http://schemas.openxmlformats.org/package/2006"
_SLIDE = re.compile(r"ppt/slides/slide\d+[.]xml")
_LAYOUT = "ppt/slideLayouts/slideLayoutEmpty.xml"
_LAYOUT_TYPE = b"application/vnd.openxmlformats-officedocument.presentationml.slideLayout+xml"
_EMPTY_LAYOUT = (
    b'<p:sldLayout xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"><p:cSld><p:spTree><p:nvGrpSpPr>'
    b'<p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/></p:spTree></p:cSld></p:sldLayout>'
)
_TYPES_END = re.compile(rb"</(\w+:)?Types\s*>")
_XF = re.compile(rb"<(?:\w+:)?xf\b[^>]*>")
_FORMATS = re.compile(rb"<numFmts\b.*?</numFmts>", re.S)
_FORMAT_ID = re.compile(rb"""\snumFmtId=["'](\d+)["']""")


LOST = "#LOST!"
"""Stands in a cell whose text the workbook does not have."""

_SHARED = re.compile(
    rb"""(<(?:\w+:)?c\b[^<>]*\s)t=["']s["']([^<>]*>\s*(?:<(?:\w+:)?f\b[^<>]*(?:/>|>[^<]*</(?:\w+:)?f>)\s*)?<(?:\w+:)?v>\s*)(\d{1,9})"""
)


def mended(data: bytes, form: str) -> bytes:
    """Return an Office file's bytes, changed where its library would not open it or would lose text.

    Macro files, templates and shows get the type of a document, ISO Strict files the usual namespaces; parts are found
    whatever the case of their letters and the sign between folders; relations that lead nowhere are dropped. Shapes that
    stand in alternatives are taken out of them. `form` is docx, pptx or xlsx.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        named = {m.filename.replace("\\", "/").lstrip("/"): m for m in archive.infolist() if not m.is_dir()}
        tidy = all(name == member.filename for name, member in named.items())
        # Most files need nothing: that shows in few parts, and the others need not be unpacked.
        telling = {name: archive.read(m) if _tells(name, form) else b"" for name, m in named.items()}
        if tidy and _mended(telling, form) == telling:
            return data
        return packed(_mended({name: _content(archive, member) for name, member in named.items()}, form))


def _tells(name: str, form: str) -> bool:
    """Say whether a part may show that a file needs changes."""
    if form == "pptx" and name.startswith("ppt/slides/slide"):
        return True
    return name.endswith(".rels") or name.lower() in (_TYPES.lower(), _MAIN[form][0])


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a part's content; nothing for a damaged picture or file inside, which costs only itself."""
    try:
        return archive.read(member)
    except BROKEN:
        if "/embeddings/" in member.filename or "/media/" in member.filename:
            return b""
        raise


def _mended(parts: dict[str, bytes], form: str) -> dict[str, bytes]:
    """Return the parts of a file, changed where they need it."""
    changed = {
        name: tidied(content) if name.endswith((".xml", ".rels")) else content for name, content in parts.items()
    }
    for name, content in changed.items():
        if name.endswith((".xml", ".rels")) and _STRICT.search(content[:20_000]):
            changed[name] = _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006", content)
    lower = {name.lower(): name for name in changed}
    if _TYPES not in changed and _TYPES.lower() in lower:
        changed[_TYPES] = changed.pop(lower[_TYPES.lower()])
    for name in [name for name in changed if name.endswith(".rels")]:
        changed[name], lost = _led(name, changed[name], lower)
        if lost and form == "pptx" and "/presentation" in name:
            main = name.replace("_rels/", "").removesuffix(".rels")
            changed[main] = _without_slides(changed.get(main, b""), lost)
    if form == "pptx":
        for name in [name for name in changed if name.startswith("ppt/slides/slide") and name.endswith(".xml")]:
            changed[name] = _chosen(changed[name])
        _lay_out(changed)
    if _TYPES in changed:
        few = {name: content for name, content in changed.items() if name in ("_rels/.rels", _MAIN[form][0])}
        with zipfile.ZipFile(io.BytesIO(packed(few))) as copy:
            main = main_part(copy, _MAIN[form][0])
        changed[_TYPES] = _typed(changed[_TYPES], main, _MAIN[form][1], changed)
    return changed


def tidied(part: bytes) -> bytes:
    """Return an XML part in UTF-8, without signs that XML does not allow and careless programs write."""
    if part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        part = _DECLARATION.sub("", part.decode("utf-16", "replace"), count=1).encode()
    return _ILLEGAL.sub(lambda m: b"&amp;" if m[0] == b"&" else b" ", part) if _ILLEGAL.search(part) else part


def plainer_workbook(data: bytes) -> bytes:
    """Return a workbook without what openpyxl checks and nobody reads: names, links to other files, all of a style but its
    number format."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
        parts = {name: tidied(content) if name.endswith(".xml") else content for name, content in parts.items()}
        main = main_part(archive, "xl/workbook.xml")
    parts[main] = _LOOSE.sub(b"", parts[main])
    for name in [name for name in parts if "/worksheets/" in name and name.endswith(".xml")]:
        parts[name] = _RULES.sub(b"", parts[name])
    _name_lost(parts)
    styles = parts.get("xl/styles.xml", b"")
    part = styles.partition(b"<cellXfs")[2].partition(b"</cellXfs>")[0]
    numbers = [match[1] if (match := _FORMAT_ID.search(xf)) else b"0" for xf in _XF.findall(part)] or [b"0"]
    formats = found[0] if (found := _FORMATS.search(styles)) else b""
    parts["xl/styles.xml"] = b"".join(
        [
            b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">',
            formats,
            b'<fonts count="1"><font/></fonts><fills count="1"><fill><patternFill/></fill></fills>',
            b'<borders count="1"><border/></borders>',
            b'<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs>',
            *(b'<xf numFmtId="%s" fontId="0" fillId="0" borderId="0" applyNumberFormat="1"/>' % n for n in numbers),
            b"</cellXfs></styleSheet>",
        ]
    )
    return packed(parts)


def _name_lost(parts: dict[str, bytes]) -> None:
    """Let cells that refer to texts which the workbook does not have say so."""
    name = next((name for name in parts if name.lower().endswith("sharedstrings.xml")), "")
    typed = name.encode() in parts.get(_TYPES, b"")  # openpyxl looks for it there
    count = len(re.findall(rb"<(?:\w+:)?si[ />]", parts.get(name, b""))) if typed else 0

    def told(match: re.Match[bytes]) -> bytes:
        if int(match[3]) < count:
            return match[0]
        return match[1] + b't="str"' + match[2] + LOST.encode()

    for sheet in [name for name in parts if "/worksheets/" in name and name.endswith(".xml")]:
        parts[sheet] = _SHARED.sub(told, parts[sheet])


def _led(name: str, rels: bytes, lower: dict[str, str]) -> tuple[bytes, set[bytes]]:
    """Return relations that lead to parts of the file, and the identifiers of those that were dropped."""
    folder = posixpath.dirname(posixpath.dirname(name))
    lost: set[bytes] = set()

    def corrected(match: re.Match[bytes]) -> bytes:
        target = _TARGET.search(match[0])
        if target is None or b'TargetMode="External"' in match[0] or b"TargetMode='External'" in match[0]:
            return match[0]
        given = target[2].decode("utf-8", "replace").replace("\\", "/").partition("#")[0]
        part = posixpath.normpath(posixpath.join("/", folder, given)).lstrip("/")
        found = lower.get(part.lower())
        if found is None:
            identity = _ID.search(match[0])
            lost.add(identity[1] if identity else b"")
            return b""
        if found == part and b"\\" not in target[2]:
            return match[0]
        return _TARGET.sub(lambda m: m[1] + b'"/' + found.encode() + b'"', match[0])

    return _RELATION.sub(corrected, rels), lost


def _without_slides(part: bytes, lost: set[bytes]) -> bytes:
    """Return a presentation's main part without the slides that are not in the file."""
    slide = re.compile(rb"""<(?:\w+:)?sldId\b[^>]*?\w+:id=["']([^"']+)["'][^>]*?/>""")
    return slide.sub(lambda match: b"" if match[1] in lost else match[0], part)


def _lay_out(parts: dict[str, bytes]) -> None:
    """Give slides that have no layout an empty one: python-pptx asks it where placeholders stand."""
    for slide in [name for name in parts if _SLIDE.fullmatch(name)]:
        rels = f"ppt/slides/_rels/{slide.rpartition('/')[2]}.rels"
        held = parts.get(rels) or b'<Relationships xmlns="%s/relationships"></Relationships>' % _OPC
        if b'/slideLayout"' in held or b"/slideLayout'" in held:
            continue
        end = re.search(rb"</(\w+:)?Relationships\s*>|/>\s*$", held)
        if end is None:
            continue
        kind = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/slideLayout"
        entry = _prefixed(b'<Relationship Id="rIdLayout" Type="%s" Target="/%s"/>' % (kind, _LAYOUT.encode()), end[1])
        closing = end[0] if end[0].startswith(b"</") else b"></Relationships>"
        parts[rels] = held[: end.start()] + (b"" if end[0].startswith(b"</") else b">") + entry + closing.lstrip(b">")
        parts[_LAYOUT] = _EMPTY_LAYOUT
        named = _LAYOUT.encode()
        if _TYPES in parts and named not in parts[_TYPES] and (last := _TYPES_END.search(parts[_TYPES])):
            override = b'<Override PartName="/%s" ContentType="%s"/>' % (named, _LAYOUT_TYPE)
            types = parts[_TYPES]
            parts[_TYPES] = types[: last.start()] + _prefixed(override, last[1]) + types[last.start() :]


def _typed(types: bytes, main: str, kind: str, parts: dict[str, bytes]) -> bytes:
    """Return the list of types in which the main part is a plain document, and every suffix has some type."""
    wanted = f"application/vnd.openxmlformats-officedocument.{kind}.main+xml".encode()
    entry = b'<Override PartName="/%s" ContentType="%s"/>' % (main.encode(), wanted)
    pattern = re.compile(rb"""<(\w+:)?Override\b[^>]*?PartName=["']/?%s["'][^>]*?/>""" % re.escape(main.encode()), re.I)
    found = pattern.search(types)
    if found is None or wanted not in found[0]:
        types = pattern.sub(b"", types)
        end = re.search(rb"</(\w+:)?Types\s*>", types)
        if end:
            types = types[: end.start()] + _prefixed(entry, end[1]) + types[end.start() :]
    lower = {name.lower(): name for name in parts}
    types = _PART_NAME.sub(lambda m: m[1] + lower.get(m[2].decode().lower(), m[2].decode()).encode() + m[3], types)
    known = {match.lower() for match in re.findall(rb"""Extension=["']([^"']+)["']""", types)}
    named = {match.lower() for match in re.findall(rb"""PartName=["']/?([^"']+)["']""", types)}
    untyped = {
        name.rpartition(".")[2].lower().encode()
        for name in parts
        if name != _TYPES and name.lower().encode() not in named and "." in posixpath.basename(name)
    } - known
    end = re.search(rb"</(\w+:)?Types\s*>", types)
    for suffix in sorted(untyped) if end else ():
        default = b'<Default Extension="%s" ContentType="application/octet-stream"/>' % suffix
        assert end is not None
        types = types[: end.start()] + _prefixed(default, end[1]) + types[end.start() :]
    return types


def _prefixed(element: bytes, prefix: bytes | None) -> bytes:
    return element.replace(b"<", b"<" + (prefix or b""), 1)


def _chosen(part: bytes) -> bytes:
    """Return a slide whose shapes stand where python-pptx looks: those with several forms in the first that has text."""
    if b"AlternateContent" not in part:
        return part
    keep_prefixes(part)
    root, found = parse(part), False
    for parent in [node for node in root.iter() if str(node.tag).endswith(_DRAWN)]:
        for child in [child for child in parent if child.tag == f"{_MC}AlternateContent"]:
            forms = list(child)
            best = next((form for form in forms if any(str(n.tag).endswith("}t") for n in form.iter())), None)
            at = list(parent).index(child)
            parent[at : at + 1] = list(best if best is not None else forms[-1]) if forms else []
            found = True
    return written(root) if found else part
