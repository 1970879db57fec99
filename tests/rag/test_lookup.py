"""Cells that a question names by their row and the title of their column."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.evidence import Asked
from rag.extract import cell
from rag.lookup import lookup
from rag.marks import marks
from rag.passages import Passage
from rag.question import GLOSSARY, load_labels
from rag.retrieve import Found
from rag.wanted import wanted
from rag.words import content_words, numbers, stem, tokens
from tests.rag.test_figures import Alike

FAULTS = "| Code | Meaning | Remedy |\n|:-----|---------|:------:|\n| E4 | Pump blocked | Clean it |\n| E5 | No power | Plug in |"
MODELS = "| Property | K-40 | K-65 |\n| --- | --- | --- |\n| Noise level at 1 m | 44 dB | 49 dB |\n| Weight | 21 kg | 29 kg |"
FLEET = (
    "| Fleet no. | Registration | Vehicle | First registered | Mileage |\n| --- | --- | --- | --- | --- |\n"
    "| V-101 | BD19 | Ford Transit 350 | 2019-03-12 | 61240 |\n| V-105 | BD18 | Sweeper | 2018-04-16 | 40275 |"
)
REPAIRS = (
    "| Date | Fleet no. | Work | Cost (GBP) | Days off road |\n| --- | --- | --- | --- | --- |\n"
    "| 2023-03-22 | V-105 | Brush | 1440 | 4 |\n| 2023-06-02 | V-105 | Brush | 900 | 2 |"
)
LATE = "| Site | Orders | Late approvals | Share late (%) |\n| --- | --- | --- | --- |\n| Gdynia | 41 | 6 | 14.6 |"
HALLS = "| Building | Area | Security service |\n| --- | --- | --- |\n| Hall B | 4,850 | nights only |"
FINDINGS = "| No. | Finding | Owner | Due date |\n| --- | --- | --- | --- |\n| F2 | No tender | L. Vik | 15 May 2025 |"
DRIVERS = "| Name | Licence | Assigned vehicle |\n| --- | --- | --- |\n| Esther Voss | C1 | V-105 |"
LEASE = "| Item | Detail |\n| --- | --- |\n| Landlord | Harlow & Pike, 3 Corn Street |\n| Initial rent | GBP 86,500 |"
SHARES = (
    "Cash flows (in millions, except number of shares)\n\n| (In millions) | 2022 | 2021 |\n| --- | --- | --- |\n"
    "| Common stock repurchased | (64,974) | (65,501) |"
)


def looked_up(question: str, *tables: str, heading: str = "") -> str | None:
    """Return the cell that a question finds in tables, each a document of its own."""
    found = [
        Found(Passage(f"d{at}.v.0", "c", f"d{at}", "v", "a.md", 1, heading, "", text, 0, len(text)), 1.0, ())
        for at, text in enumerate(tables)
    ]
    words = content_words(question)
    asked = Asked(
        {stem(word): 1.0 for word in words},
        frozenset(stem(word) for word in words if word[0].isupper() and word != tokens(question)[0]),
        frozenset(numbers(question) | {stem(word) for word in words if word[0].isupper() and word[-1].isdigit()}),
        False,
        False,
        None,
        marks=marks(question),
        wanted=wanted(question),
    )
    row = lookup(question, asked, found, load_labels(GLOSSARY), Alike())  # type: ignore[arg-type]
    return None if row is None else cell(question, asked, replace(row))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What does error E4 mean?", "E4, Meaning: Pump blocked"),
        ("What is the meaning of E5?", "E5, Meaning: No power"),
        ("What does E9 mean?", None),
        ("How loud is the K-65?", "Noise level at 1 m, K-65: 49 dB"),
        ("What does the K-40 weigh?", "Weight, K-40: 21 kg"),
        ("What does the K-90 weigh?", None),
        ("What is the registration of the V-105?", "V-105, Registration: BD18"),
        ("How many miles had the Ford Transit done?", "V-101, Mileage: 61240"),
        ("How many days was V-105 off the road in March 2023?", "2023-03-22, Days off road: 4"),
        ("How many days was V-105 off the road?", None),  # twice, differently
        ("Who drives V-105?", "Name: Esther Voss"),
        ("What is the initial rent?", "Initial rent: GBP 86,500"),
        ("Who is the landlord's insurer?", None),
        ("What is the weekly rent of the garage?", None),
        ("What is the rent?", None),  # "Initial rent" says more
        ("What percentage of orders was late in Gdynia?", "Gdynia, Share late (%): 14.6"),
        ("What does the security service in Hall B cost?", None),  # the cell is no price
        ("By when must F2 be mended?", "F2, Due date: 15 May 2025"),
        ("What is Ms Voss's licence?", "Esther Voss, Licence: C1"),
        ("Who is V-105 assigned to?", "Name: Esther Voss"),
        ("How many shares of common stock were repurchased in 2022?", None),  # dollars
    ],
)
def test_the_cell_that_is_named(question: str, said: str | None) -> None:
    """The row is named by what stands in one of its cells, whichever, the column by its title; nothing asked for is missing."""
    heading = "Drivers" if question.startswith("Who drives") else ""
    assert (
        looked_up(
            question, FAULTS, MODELS, FLEET, REPAIRS, DRIVERS, LEASE, SHARES, LATE, HALLS, FINDINGS, heading=heading
        )
        == said
    )


def test_cells_that_differ_are_not_chosen_among() -> None:
    """Two tables that say the same are one answer, two that don't are none."""
    other = FAULTS.replace("Pump blocked", "Door open")
    assert looked_up("What does E4 mean?", FAULTS, FAULTS) == "E4, Meaning: Pump blocked"
    assert looked_up("What does E4 mean?", FAULTS, other) is None
