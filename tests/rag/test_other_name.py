"""Claims that repeat a sentence with another name in it."""

from __future__ import annotations

import pytest

from rag.other_name import puts_other_name


@pytest.mark.parametrize(
    ("claim", "quoted"),
    [
        (
            "Cameron congratulated the Parliament on their victory but vowed to campaign for the Union.",
            "Cameron congratulated the SNP on their victory but vowed to campaign for the Union.",
        ),
        (
            "Committees can also meet at other places in Ireland.",
            "Committees can also meet at other places in Scotland.",
        ),
        ("The lease was signed by Norway Bulk Holding.", "The lease was signed by Teal Shipping Ltd."),
        ("Anna Berg signed the lease for the ferry in Oslo.", "Tom Holm signed the lease for the ferry in Oslo."),
    ],
)
def test_another_name_at_the_same_place(claim: str, quoted: str) -> None:
    """A sentence with one of its names changed for another says something else."""
    assert puts_other_name(claim, quoted)


@pytest.mark.parametrize(
    ("claim", "quoted"),
    [
        (
            "Northwind Ltd shall deliver the pumps within ten days.",
            "The Supplier shall deliver the pumps within ten days.",
        ),
        (
            "The NHS pays for the vaccines of children.",
            "The National Health Service pays for the vaccines of children.",
        ),
        (
            "The Scottish parliament meets in Edinburgh each week.",
            "The Scotland parliament meets in Edinburgh each week.",
        ),
        ("Revenue rose by ten percent in the second half.", "Sales rose by ten percent in the second half."),
        ("It was Tom Holm who sold the ferry to Anna Berg.", "Tom Holm sold the ferry to Anna Berg last year."),
        ("The ferry was bought by Anna Berg from Tom Holm.", "Anna Berg bought the ferry from Tom Holm."),
        ("Microsoft acquired it on March 4, 2022 for cash.", "It was acquired on March 4, 2022 for cash."),
        ("Teal Shipping", "The lease was signed by Teal Shipping Ltd."),
        ("The lease was signed by Norway Bulk.", "| Signed by Teal Shipping | the lease was signed |"),
    ],
)
def test_the_same_name_in_other_words(claim: str, quoted: str) -> None:
    """Short forms, defined terms, other orders of words and rows of tables are no other names."""
    assert not puts_other_name(claim, quoted)
