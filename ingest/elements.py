"""What a reader returns: a document's extracted text with its structure, pages and boxes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from ingest.invisible import WAY, report, seen
from ingest.runs import pack_runs, unpack_runs

Kind = Literal["title", "heading", "paragraph", "list_item", "table", "caption", "code"]

SEPARATOR = "\n\n"
"""What stands between two elements in the extracted text."""


class Box(NamedTuple):
    """A rectangle on a page, in points (1/72 inch) from the page's top left corner.

    There is one for every word; a named tuple is made in a quarter of the time of a frozen dataclass.
    """

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Run:
    """Where the characters [start, end) of the extracted text stand on a page: a word, a line or a table cell."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True, slots=True)
class Element:
    """One block of the document: the characters [start, end) of the extracted text.

    `page` counts from 1; formats without pages use 1. `level` is the depth of a heading (1 is the highest), else 0.
    The first row of a table's text is its header row when `header_rows` is 1 (a Markdown rule row follows it and
    counts as part of the header). `continues` is the start of the table on an earlier page that this table goes on,
    whose header row is the header of its rows too; -1 for every other element. `hidden` says how its text is hidden from
    who looks at the document ("white on white"), "" for text that is shown: no element has text of both kinds. For the
    description of a picture it says which model made it (`DESCRIBED`).
    """

    kind: Kind
    start: int
    end: int
    page: int
    level: int = 0
    header_rows: int = 0
    continues: int = -1
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its number from 1, its printed label where the file has one, its size in points (0 when unknown).

    `ocr` says that its text was read from an image; `confidence`, from 0 to 1, is then the mean over its words.
    `runs` are the places of its characters, as `ingest.runs` packs them: nobody opens them before a place is asked for.
    """

    number: int
    label: str | None = None
    width: float = 0.0
    height: float = 0.0
    ocr: bool = False
    confidence: float | None = None
    runs: bytes = b""


DESCRIBED = "description made by "
"""How the `hidden` of an element begins whose text a model made of a picture: it is no text of the document."""

INSIDE = " » "
"""What stands between a container's path and a member's name in the path of a document: `mail.eml » report.pdf`."""

MAX_DEPTH = 5
"""How many containers may lie around a file: what is deeper is left out, and counted in `problems`."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a container (an e-mail, an archive, a PDF portfolio, an Office file with embedded files).

    `name` is unique in its container and can be asked for by `FileReader.read(path, inside=(name,))`; it has no control
    characters. `sha256` is that of the member's bytes, empty when they can't be had (encrypted): reading it says why.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a reader found in one file.

    Invariants, checked by `verify`: elements are in order and don't overlap; between two of them there is only white
    space. That runs lie within the text is checked where they are packed (`Writer`). `problems` are sentences for a
    person: what is missing from the text and why, and what to do. `members` are files inside this one; each becomes a
    document of its own.
    """

    text: str
    elements: tuple[Element, ...]
    pages: tuple[Page, ...]
    title: str | None = None
    problems: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    members: tuple[Member, ...] = ()

    def verify(self) -> None:
        """Raise ValueError when an invariant does not hold: a reader with a bug must not reach the catalog."""
        at = 0
        for element in self.elements:
            if not at <= element.start <= element.end <= len(self.text):
                raise ValueError(f"element {element.kind} at {element.start}-{element.end} is out of order")
            if element.continues >= element.start:
                raise ValueError(f"the table at {element.start} continues one that comes later")
            if self.text[at : element.start].strip():
                raise ValueError(f"text at {at}-{element.start} belongs to no element")
            at = element.end
        if self.text[at:].strip():
            raise ValueError(f"text after {at} belongs to no element")

    @property
    def shown(self) -> str:
        """The text without what is hidden."""
        if not any(element.hidden for element in self.elements):
            return self.text
        return SEPARATOR.join(self.text[e.start : e.end] for e in self.elements if not e.hidden)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The places of all characters, page by page, unpacked."""
        return tuple(
            Run(start, end, Box(page.number, *place))
            for page in self.pages
            for start, end, *place in unpack_runs(page.runs)
        )


@dataclass(slots=True)
class Writer:
    """Builds a Reading: appends elements one after the other and keeps the offsets right.

    While `hiding` says how, all that is added is hidden. The places of a page are packed when the next page begins, so that
    a long document costs little more than its text.
    """

    parts: list[str] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)
    length: int = 0
    dumb: int = 0
    hiding: str = ""
    _packed: dict[int, bytes] = field(default_factory=dict)
    _open: dict[int, list[tuple[int, int, Box]]] = field(default_factory=dict)

    def add(
        self,
        kind: Kind,
        text: str,
        page: int = 1,
        level: int = 0,
        header_rows: int = 0,
        runs: Iterable[tuple[int, int, Box]] = (),
        continues: int = -1,
        hidden: str = "",
    ) -> None:
        """Append one element; `runs` are (start, end, box) relative to `text`. Blank text is left out.

        Characters that nobody sees are taken out; what they spell follows as a hidden paragraph.
        """
        hidden = hidden or self.hiding
        if hidden:
            kind, level, header_rows, continues = "paragraph", 0, 0, -1
        found = seen(text)
        if found.cuts:
            self.dumb += found.dumb
            text, runs = found.text, [(found.shifted(a), found.shifted(b), box) for a, b, box in runs]
        self._append(text, Element(kind, 0, 0, page, level, header_rows, continues, hidden), runs)
        for words in found.spelt:
            self._append(words, Element("paragraph", 0, 0, page, hidden=WAY), ())

    def _append(self, text: str, element: Element, runs: Iterable[tuple[int, int, Box]]) -> None:
        if not text.strip():
            return
        page = element.page
        if self.parts:
            self.parts.append(SEPARATOR)
            self.length += len(SEPARATOR)
        start = self.length
        self.parts.append(text)
        self.length += len(text)
        self.elements.append(replace(element, start=start, end=self.length))
        if page not in self._open:
            self._pack()
            self._open[page] = []
        self._open[page] += [(start + a, start + b, box) for a, b, box in runs]

    def _pack(self) -> None:
        """Pack the places of the page that was written last; ValueError when one lies outside the text."""
        for page, runs in self._open.items():
            before = [(a, b, Box(page, *place)) for a, b, *place in unpack_runs(self._packed.get(page, b""))]
            if runs:
                self._packed[page] = pack_runs(before + runs, self.length)
        self._open.clear()

    def reading(
        self,
        pages: Sequence[Page] = (Page(1),),
        title: str | None = None,
        problems: Sequence[str] = (),
        metadata: dict[str, str] | None = None,
        members: Sequence[Member] = (),
    ) -> Reading:
        """Return what was written, verified."""
        self._pack()
        text = "".join(self.parts)
        self.parts = [text]  # the pieces are dropped: a long text is held once
        hidden = report([(e.page, e.hidden) for e in self.elements if e.hidden], self.dumb)
        reading = Reading(
            text,
            tuple(self.elements),
            tuple(replace(page, runs=self._packed.get(page.number, b"")) for page in pages),
            seen(title).text if title else title,
            (*problems, *hidden),
            metadata or {},
            tuple(members),
        )
        reading.verify()
        return reading


def table_markdown(rows: Sequence[Sequence[str]]) -> str:
    """Write rows as a Markdown table, the first row as its header; pipes and line ends in cells are made harmless."""
    cleaned = [[" ".join(cell.replace("|", "/").split()) for cell in row] for row in rows]
    width = max(len(row) for row in cleaned)
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in cleaned]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])
