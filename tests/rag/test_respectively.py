"""Sentences that give several values to several years or names: which one is meant, and which claims mix them up."""

from __future__ import annotations

import pytest

from rag.respectively import confuses, meant, shares_out

TAX = (
    "Our effective tax rate was 19% and 17% for the three months ended March 31, 2023 and 2022, respectively, and 19% and 11% "
    "for the nine months ended March 31, 2023 and 2022, respectively."
)
SALES = "Sales of pumps were $1.5 million, $2.25 million and $900 thousand in 2023, 2022 and 2021, respectively."

YARD = "In 2022 a yard (Lumo Yard) was founded of which we and Brage own 51% and 49%, respectively."
PAID = (
    "Cash paid was $3.1 billion and $3.7 billion in Q2 2022 and Q2 2023, and $3.6 billion and $4.4 billion for the six months "
    "ended June 30, 2022 and 2023."
)
HULLS = "Steel, timber and glass hulls were $5, $6 and $7, respectively."


@pytest.mark.parametrize(
    ("question", "sentence", "value"),
    [
        ("What was the effective tax rate for the nine months ended March 31, 2023?", TAX, "19%"),
        ("What was the effective tax rate for the nine months ended March 31, 2022?", TAX, "11%"),
        ("What was the effective tax rate for the three months ended March 31, 2022?", TAX, "17%"),
        ("What was the effective tax rate in March 2022?", TAX, None),  # of three months or of nine
        ("How did the tax rate of 2023 compare with 2022?", TAX, None),
        ("What were the sales of pumps in 2022?", SALES, "$2.25 million"),
        ("What were the sales of pumps in 2021?", SALES, "$900 thousand"),
        ("What were the sales of pumps in 2019?", SALES, None),
        ("What were the sales of pumps in 2022?", "Sales were $2 in 2022 and $3 in 2021.", None),
        ("What share of Lumo Yard does Brage own?", YARD, "49%"),
        ("What share of Lumo Yard does Tveit own?", YARD, None),
        ("What did timber hulls cost?", HULLS, "$6"),
        ("What did timber and steel cost?", HULLS, None),
        ("What was lent to the north?", "5 and 6 was lent for the south and the north, respectively.", "6"),
        ("How many weeks has 2022?", "The fiscal years 2023 and 2022 span 53 and 52 weeks, respectively.", "52"),
        (
            "What did it have on April 1, 2023?",
            "As of April 1, 2023 and May 4, 2022, it had $2.0 billion and $10.0 billion of paper, respectively.",
            "$2.0 billion",
        ),
        (
            "What was it in May 2022?",
            "It was $2.6 billion and $2.3 billion as of May 31, 2022 and July 3, 2023.",
            "$2.6 billion",
        ),
        (
            "What was it in July 2022?",
            "It was $2.6 billion and $2.3 billion as of May 31, 2022 and July 3, 2023.",
            None,
        ),
        (
            "What was it in 2022?",
            "It was $2.6 billion and $2.3 billion as of May 31, 2022 and July 3, 2023.",
            "$2.6 billion",
        ),
        (
            "What was the rate on July 3, 2023?",
            "The rate as of May 31, 2022 and July 3, 2023 was 26.5% and 26.3%.",
            "26.3%",
        ),
        (
            "What was the rate on May 31, 2022?",
            "The rate at May 31, 2022 and July 3, 2023 was 26.5% and 26.3%.",
            "26.5%",
        ),
        ("What was due in July 2023?", "As of May 31, 2022 and July 3, 2023, tax was about $4.0 and $4.2.", "$4.2"),
        ("What was paid in Q2 2023?", PAID, "$3.7 billion"),
        ("What was paid in the six months ended June 30, 2023?", PAID, "$4.4 billion"),
        ("What was it on July 3, 2022?", "It was $2 and $3 in fiscal 2022 and 2023, respectively.", "$2"),
        ("What were sales in 2022?", "Costs of 3 and 4 and sales of 5 and 6 in 2023 and 2022, respectively.", None),
    ],
)
def test_the_value_of_the_year_that_is_asked_for(question: str, sentence: str, value: str | None) -> None:
    """It stands in the list of values where its year stands in the list of years; where that can't be told, none is meant."""
    place = meant(question, sentence)
    assert (None if place is None else sentence[slice(*place)]) == value


def test_claims_with_the_value_of_another_year() -> None:
    """The year may be named by the claim or by its question; a claim with several years is not judged."""
    assert shares_out(TAX) and not shares_out("Sales were $2 in 2022 and $3 in 2021.")
    nine = "What was the effective tax rate for the nine months ended March 31, 2023?"
    assert confuses("11%", nine, TAX) and not confuses("19%", nine, TAX)
    assert confuses("The sales of pumps were $1.5 million in 2022.", "What were the sales?", SALES)
    assert not confuses("The sales of pumps were $2.25 million in 2022.", "What were the sales?", SALES)
    assert not confuses("Sales fell from $1.5 million in 2023 to $2.25 million in 2022.", "Did sales fall?", SALES)
    assert not confuses("Pumps were sold.", "What was sold in 2022?", SALES)
    assert confuses("Brage.", "Who owns 51% of Lumo Yard?", YARD) and not confuses("Brage.", "Who owns 49%?", YARD)
    assert confuses("In 2021.", "When were sales of pumps $2.25 million?", SALES)
    assert not confuses("In 2022.", "When were sales of pumps $2.25 million?", SALES)
    assert confuses("51%.", "What share does Brage own?", YARD) and not confuses(
        "49%.", "What share does Brage own?", YARD
    )
