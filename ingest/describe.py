"""Adds descriptions of a file's pictures, made by a local vision model, to what was read of it, marked as made by that model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.describer import Describer, Description, NotDescribed
from ingest.elements import DESCRIBED, SEPARATOR, Element, Page, Reading
from ingest.errors import UnreadableFile
from ingest.pictures import Picture, Pictures
from ingest.runs import pack_runs, unpack_runs

MOST_CHARACTERS = 2000
"""A longer description is cut at the end of a word."""
FAILURES = 2
"""After so many failures one after the other the file's other pictures are left for the next time."""


@dataclass(frozen=True, slots=True)
class Described:
    """A reading with descriptions of `pictures`, named by their hashes. `lacking` is the hash of those that are to be tried
    again when the file is ingested next, "" when there are none."""

    reading: Reading
    pictures: tuple[str, ...] = ()
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class Describing:
    """Describes the pictures of one file. What was described before is known by the picture (`known`), each new
    description is kept at once (`keep`): a worker that is killed does not ask for it again."""

    describer: Describer
    pictures: Callable[[Path, int, Sequence[str]], Pictures]
    most: int
    known: Callable[[], dict[str, Description]]
    keep: Callable[[str, Description], None]
    stopped: Callable[[], bool]

    def add_to(self, reading: Reading, path: Path, inside: Sequence[str]) -> Described:
        """Return the reading with a description for each picture; what is missing is told in its problems."""
        try:
            found = self.pictures(path, self.most, inside)
        except UnreadableFile as error:
            told = f"The pictures in the file could not be described: {error.reason} {error.remedy}"
            return Described(replace(reading, problems=(*reading.problems, told)))
        known = self.known() if found.items else {}
        made: list[tuple[Picture, Description]] = []
        missing: list[Picture] = []
        problem: NotDescribed | None = None
        in_a_row = 0
        for picture in found.items:
            if (description := known.get(picture.sha256)) is None:
                if in_a_row >= FAILURES or self.stopped():
                    missing.append(picture)
                    continue
                try:
                    description = self.describer.describe(picture.png)
                    in_a_row = 0
                except NotDescribed as error:
                    problem, in_a_row = error, in_a_row + 1
                    if error.again:
                        missing.append(picture)
                        continue
                    description = Description("", self.describer.name, "", str(error))
                self.keep(picture.sha256, description)
            made.append((picture, description))
        problems = _problems(found, made, missing, problem)
        lacking = hashlib.sha256("".join(picture.sha256 for picture in missing).encode()).hexdigest() if missing else ""
        written = replace(_written(reading, found, made), problems=(*reading.problems, *problems))
        return Described(written, tuple(picture.sha256 for picture in found.items), lacking)


def _problems(
    found: Pictures,
    made: Sequence[tuple[Picture, Description]],
    missing: Sequence[Picture],
    problem: NotDescribed | None,
) -> list[str]:
    problems = []
    if missing:
        why = str(problem) if problem else "The worker was stopped."
        problems.append(f"{_which(missing)} not described yet: {why} Ingest the file again to have this done.")
    for reason in dict.fromkeys(description.problem for _, description in made if description.problem):
        failed = [picture for picture, description in made if description.problem == reason]
        problems.append(f"{_which(failed)} not described: {reason}")
    if found.left_out:
        problems.append(
            f"Only the first {len(found.items)} pictures were described, at least {found.left_out} were not. "
            "Raise `ingest.vision_pictures` to have more described."
        )
    return problems


def _which(items: Sequence[Picture]) -> str:
    pages = ", ".join(str(page) for page in dict.fromkeys(picture.page for picture in items))
    return f"1 picture (page {pages}) was" if len(items) == 1 else f"{len(items)} pictures (pages {pages}) were"


def _written(reading: Reading, found: Pictures, made: Sequence[tuple[Picture, Description]]) -> Reading:
    """Return the reading with the descriptions behind its text, each with the place of its picture."""
    text, elements = reading.text, list(reading.elements)
    pages = {page.number: page for page in reading.pages or _pages(found)}
    for picture, description in made:
        if not description.text:
            continue
        said = f"Description made by {description.model}: {_bounded(description.text)}"
        text += (SEPARATOR if text else "") + said
        start, end = len(text) - len(said), len(text)
        way = f"{DESCRIBED}{description.model} {description.digest}".strip()
        elements.append(Element("paragraph", start, end, picture.page, hidden=way))
        page = pages.get(picture.page)
        if page is not None and picture.box.x1 > picture.box.x0:
            runs = [(a, b, (page.number, *place)) for a, b, *place in unpack_runs(page.runs)]
            packed = pack_runs([*runs, (start, end, picture.box)], len(text))  # type: ignore[list-item]
            pages[page.number] = replace(page, runs=packed)
    metadata = {**reading.metadata, "format": reading.metadata.get("format", found.form)}
    described = replace(reading, text=text, elements=tuple(elements), pages=tuple(pages.values()), metadata=metadata)
    described.verify()
    return described


def _pages(found: Pictures) -> list[Page]:
    """Return the pages of a file that has nothing but pictures."""
    sizes = {picture.page: picture.size for picture in found.items}
    return [Page(number, None, *sizes.get(number, (0.0, 0.0))) for number in range(1, max(sizes, default=0) + 1)]


def _bounded(text: str) -> str:
    """Return a description as one paragraph that is not too long."""
    words = " ".join(text.split())
    return words if len(words) <= MOST_CHARACTERS else words[:MOST_CHARACTERS].rpartition(" ")[0] + " …"
