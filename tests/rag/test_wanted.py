"""What a question asks for in words and a place must have: what is counted, whose amount, an amount per what, a post."""

from __future__ import annotations

import pytest

from rag.evidence import Asked
from rag.passages import Passage
from rag.retrieve import Found
from rag.wanted import Wanted, wanted


@pytest.mark.parametrize(
    ("question", "place", "above", "around", "lacks"),
    [
        ("How many welders did the yard have?", "| Balance, 1 July | 4,188 |", "Equity", "Shares for welders", True),
        ("How many welders did the yard have?", "| Welders | 4,188 |", "", "", False),
        ("How many welders did the yard have?", "| Halden | 18 |", "Staff > Welders by yard", "", False),
        ("How many welders did the yard have?", "In all 18 work here.", "", "Welders are paid monthly.", False),
        ("How many welders did the yard have?", "In all 18 work here.", "", "Painters are paid monthly.", True),
        ("How many people work here?", "| Staff | 18 |", "", "", False),
        ("How many welders work on the quay?", "Painters work there.", "", "", True),
        ("How many boats came in August 2023?", "| August 1, 2022 - August 31, 2022 | 12 |", "Boats", "", True),
        ("How many boats came in August 2023?", "| August 1, 2023 - August 31, 2023 | 12 |", "Boats", "", False),
        ("How many boats came in August 2023?", "| August 1, 2022 | 12 |", "Boats, August 2023", "", False),
        ("How many boats came in August 2023?", "12 boats came from May 2021 to August 2024.", "", "", False),
        (
            "How many boats came in May 2022?",
            "12 and 13 boats came in August 2022 and May 2023.",
            "As of April 2019",
            "",
            True,
        ),
        ("How many boats came in August 2023?", "12 boats came in May 2023.", "", "", False),
        ("How many boats came in 2023?", "12 boats came in August 2022.", "", "", False),
        ("How many kilometres is the road?", "The road is 3 miles long.", "", "", False),
        (
            "What price per share was paid for Lumo?",
            "Lumo was bought for $18 million.",
            "",
            "A share has a vote.",
            True,
        ),
        ("What price per share was paid for Lumo?", "Lumo was bought at $95 a share.", "", "", False),
        ("What is the rent per month?", "The yearly rent is 900.", "", "", False),
        ("Who is Lumo's chief safety officer?", "Ann Brown, Chief Executive Officer", "", "May 2024", True),
        ("Who is Lumo's chief safety officer?", "Ann Brown, Chief Safety Officer", "", "", False),
        ("Who is the chief safety officer of Lumo?", "Ann Brown (CSO) signed.", "", "", False),
        ("Who is the new head of Lumo?", "Ann Brown leads Lumo.", "", "", False),
        ("What is the rent?", "The rent is 900.", "", "", False),
        ("How many employees does Lumo have?", "| Headcount | 412 |", "", "", False),
        ("How many employees does Lumo have?", "| Dinghies | 412 |", "Fleet", "Headcount rose.", True),
        ("How many holidays do I get?", "Staff are entitled to 25 days of paid leave.", "", "", False),
        ("How many women sit on the board?", "One of its eight members is a woman.", "", "", False),
        ("How many units did Halden sell?", "| Halden | 6 |", "", "", False),
        ("What is the mileage allowance per kilometre?", "Cars are reimbursed at €0.30/km.", "", "", False),
        ("What is the rent per square metre?", "The tenant pays 12 €/m² a month.", "", "", False),
        ("What is the allowance per working day?", "The daily allowance is €28.", "", "", False),
        ("What is the fee per person?", "Adults pay €12.", "", "", False),
        ("What is the fine per violation?", "Each breach is fined EUR 5,000.", "", "", False),
        ("What were diluted earnings per share?", "| Diluted EPS | 2.22 |", "", "", False),
        ("What fee must Lumo pay Tveit?", "Lumo will pay Halden a fee of $3 million.", "", "", True),
        ("What fee must Lumo pay Tveit?", "Lumo pays a fee of $3 million.", "", "Tveit", False),
        ("What fee must Lumo pay Tveit?", "It will pay Halden, who acts for Tveit, $3 million.", "", "", False),
        ("What fee must Lumo pay Tveit Boat Yard?", "It will pay TBY $3 million.", "", "", False),
        ("What fee must Lumo pay TBY?", "It will pay Tveit Boat Yard $3 million.", "", "", False),
        ("When did Lumo acquire Tveit?", "On 3 May 2023 we acquired Halden Lines, Inc.", "", "", True),
        ("When did Lumo acquire Tveit?", "On 3 May 2023 we acquired it.", "", "", False),
        ("When did Lumo buy Tveit?", "On 3 May 2023 it acquired Halden Lines, Inc.", "", "", True),
        ("What fee did Lumo pay Tveit?", "Lumo paid Halden a fee of $3 million.", "", "", True),
        ("What fee must Lumo pay Tveit?", "Lumo will pay EUR 3 million on closing.", "", "", False),
        ("What rent must Ann pay Pike Estates?", "Tenant shall pay Landlord EUR 1,850.", "", "", False),
        ("When did they invade Poland?", "In May they invaded Polish territory.", "", "", False),
        ("Did Lumo acquire Tveit?", "On 3 May 2023 we acquired Halden Lines.", "", "", False),
        ("What must Lumo pay Tveit?", "It will pay in May, and pay June in July.", "", "", False),
        ("Who is the landlord's insurer?", "| Landlord | Pike Estates |", "", "", True),
        ("Who is the landlord's insurer?", "Pike Estates insure it.", "", "", False),
        ("Who is the maker of the lift?", "| Lift | House 7 |", "", "", True),
        ("Who is the maker of the lift?", "| Lift maker | Norlift |", "", "", False),
        ("How much does the bracket for the K-90 cost?", "| Filter K-90 | 27.50 |", "", "", True),
        ("How much does the bracket for the K-90 cost?", "| Bracket K-90 | 27.50 |", "", "", False),
        ("How thick is the zinc coating on S2?", "| S2 | 16 mm |", "", "", True),
        ("How thick is the zinc coating on S2?", "| S2 | 16 mm |", "Zinc coatings", "", False),
        ("Who signed it as witness?", "Signed by Ada Holm for the licensor.", "", "", True),
        ("Who signed it as witness?", "Ada Holm was the witness.", "", "", False),
        ("What is the notice period as per the lease?", "The notice period is 3 months.", "", "", False),
        ("What is the deposit per clause 7?", "The deposit is EUR 1,500.", "", "", False),
        ("Per company policy, how much is lunch?", "Lunch is €15.", "", "", False),
        ("Who is the harbour master?", "The harbourmaster is Ann Brown.", "", "", False),
        ("Who is the independent auditor?", "The auditor is KPMG AG.", "", "", False),
        ("Who is the company secretary?", "Secretary: Ann Brown", "", "", False),
        ("What was Lumo's Deck Crane revenue in 2023?", "Revenue was $5 million in 2023.", "", "Deck Crane", True),
        ("What was Lumo's Deck Crane revenue in 2023?", "Deck Crane volume was $5 million.", "", "Revenue", True),
        ("What was Lumo's Deck Crane revenue in 2023?", "Sales of deck cranes were $5 million.", "", "", False),
        ("What was Lumo's Deck Crane revenue in 2023?", "Revenue was $5 million.", "Results > Deck Cranes", "", False),
        ("What was Lumo's Deck Crane revenue in 2023?", "DC revenue was $5 million.", "", "", False),
        ("What was Lumo's Deck Crane revenue in 2023?", "| Deck Crane | 5 |", "", "Net sales by product", False),
        ("What was its revenue from Tveit in 2023?", "A loss of $4 million came from Tveit.", "", "Revenue", True),
        ("What was its revenue from Tveit in 2023?", "Sales to Tveit were $4 million.", "", "", False),
        ("What was the OEM revenue?", "Revenue of makers was $5 million.", "", "", False),  # may be written otherwise
        ("What was Second Quarter revenue?", "Revenue was $5 million.", "", "", False),
        ("What was Lumo's estimated scrap rate in 2023?", "The yield was 63% in 2023.", "", "Deferred revenue", True),
        ("What was Lumo's estimated scrap rate in 2023?", "Of all hulls 2% were scrapped.", "", "", False),
        ("What was Lumo's estimated scrap rate in 2023?", "It was 2%.", "", "Scrap is weighed.", False),
        ("What is the daily rate?", "A day costs EUR 900.", "", "", False),
        ("How many shares were bought?", "| (In millions, except per share amounts) | Bought | 64 |", "", "", True),
    ],
)
def test_what_a_place_lacks(question: str, place: str, above: str, around: str, lacks: bool) -> None:
    """A row or sentence that lacks such words says nothing of what is asked, whatever figure or name it has."""
    assert wanted(question).is_lacking(place, above, around) is lacks


def test_whose_amount_may_be_the_document_s() -> None:
    """What names the document need not stand in its sentences."""
    of_lumo = wanted("What was the Lumo revenue?")
    assert of_lumo.is_lacking("Revenue was $5 million.", "", "")
    assert not of_lumo.is_lacking("Revenue was $5 million.", "", "", frozenset({"lumo"}))


def test_most_questions_want_no_such_words() -> None:
    """Lengths of time, people and other questions are left to the other signs."""
    for question in (
        "How many days is the notice period?",
        "How many people sing?",
        "Who paints boats?",
        "What is per cent?",
    ):
        assert wanted(question) == Wanted()


def test_a_row_that_lacks_it_is_about_another() -> None:
    """What lacks such words counts as a place about something else: it states nothing, no claim rests on it, it is not quoted."""
    text = "| Balance, 1 July | 4,188 |\n| Welders | 212 |"
    passage = Passage("d.v.0", "c", "d", "v", "a.pdf", 1, "", "", text, 0, len(text))
    question = "How many welders did the yard have?"
    asked = Asked({"welder": 1.0}, frozenset(), frozenset(), True, True, None, wanted=wanted(question))
    end = text.index("\n")
    assert asked.is_another(Found(passage, 1.0, ()), 0, end)
    assert not asked.is_another(Found(passage, 1.0, ()), end + 1, len(text))
