"""Sentences that give several values to several years: which one is meant, and which claims mix them up."""

from __future__ import annotations

import pytest

from rag.respectively import confuses, meant, shares_out

TAX = (
    "Our effective tax rate was 19% and 17% for the three months ended March 31, 2023 and 2022, respectively, and 19% and 11% "
    "for the nine months ended March 31, 2023 and 2022, respectively."
)
SALES = "Sales of pumps were $1.5 million, $2.25 million and $900 thousand in 2023, 2022 and 2021, respectively."


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
