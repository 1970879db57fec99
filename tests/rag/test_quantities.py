"""Quantities: a claim holds where number, unit, scale, sign and date are those of the place, and nowhere else."""

from __future__ import annotations

import pytest

from rag.quantities import Date, Place, dates, exact, quantities, with_units

FEE = Place(
    "The yearly fee is CHF 1.2 million.", "Fees", "The deposit is EUR 5 thousand. The yearly fee is CHF 1.2 million."
)
TERM = Place("The contract begins on 1 July 2023 and ends on 30 June 2028.", "", "")
REPLY = Place("Response time is four hours on working days; 20 to 30 km away.", "", "It was five days and 7 % before.")
VAN = Place(
    "| Delivery van | 31 | 240 | 62 |",
    "| Vehicle | Use (kWh per 100 km) | Range (km) | Price (CHF thousand) |",
    "Prices in CHF thousand, weights in t, 400 km",
    [
        ("Delivery van", "Vehicle"),
        ("31", "Use (kWh per 100 km)"),
        ("240", "Range (km)"),
        ("62", "Price (CHF thousand)"),
    ],
)
LOSS = Place("The result was -48 and the margin (3) %.", "", "")
SALES = Place("| Total net sales | $117,154 | $123,945 | (5)% |", "| | 2022 | 2021 | Change |", "")
NOTICE = Place("Interest of five (5) % is due.", "", "")


@pytest.mark.parametrize(
    ("place", "claim"),
    [
        (FEE, "CHF 1.2 million."),
        (FEE, "1.2 million francs a year."),
        (TERM, "On 30 June 2028."),
        (TERM, "In June 2028."),
        (TERM, "From 2023-07-01 to June 30, 2028."),
        (REPLY, "Within 4 hours."),
        (REPLY, "Four hours; 20 km."),
        (VAN, "62 thousand CHF."),
        (VAN, "240 km."),
        (VAN, "31 kWh per 100 km."),
        (LOSS, "-48, with a margin of -3 %."),
        (SALES, "They fell by 5 %."),
        (SALES, "-5%."),
        (NOTICE, "5 %."),
    ],
)
def test_what_a_place_states(place: Place, claim: str) -> None:
    """The same figures in other forms are the same."""
    assert exact(claim, "What is it?", place)


@pytest.mark.parametrize(
    ("place", "claim"),
    [
        (SALES, "5%."),  # the place says that they fell
        (SALES, "They rose by 5%."),
        (FEE, "CHF 1.2 thousand."),  # a scale that stands beside another number
        (FEE, "CHF 1.2."),
        (FEE, "EUR 1.2 million."),
        (FEE, "CHF 5 million."),
        (TERM, "On 30 July 2028."),
        (TERM, "On 1 June 2028."),
        (TERM, "In 2024."),
        (REPLY, "Five hours."),
        (REPLY, "Four days."),
        (REPLY, "30 miles."),
        (VAN, "CHF 62."),
        (VAN, "CHF 62 million."),
        (VAN, "62 km."),
        (VAN, "240 miles."),
        (LOSS, "-3 and 49."),
        (REPLY, "-4 hours."),
    ],
)
def test_what_it_does_not(place: Place, claim: str) -> None:
    """Another number, unit, scale, sign or date is wrong, even where it stands nearby."""
    assert not exact(claim, "What is it?", place)


@pytest.mark.parametrize(
    ("question", "claim", "held"),
    [
        ("Is the fee CHF 2 million?", "Yes, the fee is CHF 2 million.", False),
        ("Are there 50 fees?", "There are 50 fees.", False),
        ("What is the fee in 2022?", "In 2022 the fee is CHF 1.2 million.", True),
        ("What is the fee of depot 7?", "The fee of depot 7 is CHF 1.2 million.", True),
        ("What is the fee on 3 May 2022?", "On 3 May 2022 it is CHF 1.2 million.", True),
        ("What is the fee on 3 May 2022?", "On 4 May 2022 it is CHF 1.2 million.", False),
    ],
)
def test_what_a_question_says_is_no_proof(question: str, claim: str, held: bool) -> None:
    """A figure of the question is only repeated beside one of the answer's own."""
    assert exact(claim, question, FEE) is held


def test_a_question_can_not_move_a_date() -> None:
    """A question's wrong date is not confirmed where the place has another."""
    assert not exact("It ends on 30 June 2030.", "Does it end on 30 June 2030?", TERM)


def test_forms() -> None:
    """Numbers in words, of series, with hyphens; dates in several orders."""
    assert [(item.number, dict(item.units)) for item in quantities("a twenty-five-day, 48-month term")] == [
        ("25", {"time": "day"}), ("48", {"time": "month"}),
    ]  # fmt: skip
    assert quantities("$1.2 and $1.5 billion")[0].lent["scale"] == "billion"
    assert dates("1/7/2023") == [Date(1, 7, 2023), Date(7, 1, 2023)] and dates("May 5, 2017; E300") == [
        Date(5, 5, 2017)
    ]


@pytest.mark.parametrize(
    ("text", "number", "whole"),
    [
        ("possible for at most 15 working days in a calendar year", "15", "15 working days"),
        ("costs EUR 45 per pallet", "45", "EUR 45"),
        ("rose to $5.2 billion in", "5.2", "$5.2 billion"),
        ("a notice of 45 (forty-five) days", "45", "45 (forty-five) days"),
        ("in 1999 the", "1999", "1999"),
        ("Team 5 may go", "5", "5"),
        ("signed by Thomas Egeland", "Thomas", "Thomas"),
        ("The programme cost $1.2 billion so far.", "1.2 billion", "$1.2 billion"),
        ("The boats sold for $1.2 billion.", "1.2 billion.", "1.2 billion."),
        ("The programme cost $18 million in all.", "$18", "$18 million"),
        ("The programme cost EUR 18 thousand in all.", "EUR 18", "EUR 18 thousand"),
        ("It was paid in euros by Thomas.", "euros", "euros"),
        ("Revenue increased 5% year over year.", "5", "5%"),
        ("Revenue was $353 million second to none.", "353 million", "$353 million"),
        ("It ran for 2 million hours.", "2", "2 million hours"),
    ],
)
def test_a_number_is_told_with_its_units(text: str, number: str, whole: str) -> None:
    """Currency and units that stand at a number belong to it; what is no unit doesn't."""
    start, end = with_units(text, text.index(number), text.index(number) + len(number))
    assert text[start:end] == whole
