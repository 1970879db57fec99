"""Quotes: what is shown as a quote stands in the text, whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.quote import locate

TEXT = """The fee is EUR 1,250.50 (“net”), payable in 30 days.
| Total net sales | 82,959 | 81,434 |
It rises by 2.5 % – each year."""


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("payable in 30 days", "payable in 30 days"),
        ('The fee is EUR 1,250.50 ("net")', "The fee is EUR 1,250.50 (“net”)"),
        ("…payable in 30 days.", "payable in 30 days"),
        ("Total net sales 82,959", "Total net sales | 82,959"),
        ("THE FEE IS", "The fee is"),
        ("2.5 % - each year", "2.5 % – each year"),
    ],
)
def test_finds_what_stands_there(quote: str, found: str) -> None:
    """Case, white space, table bars, typographic signs and stops at the ends may differ; the text's own characters come back."""
    place = locate(quote, TEXT)
    assert place is not None
    assert TEXT[place[0] : place[1]] == found


@pytest.mark.parametrize(
    "quote", ["EUR 1,250.5", "250.50", "fee is 1,250.50", "2,959", "0 days", "net sales 81,434", "5 %", "", "."]
)
def test_refuses_what_does_not(quote: str) -> None:
    """A cut word or number, a gap, a changed digit and nothing at all are no quotes."""
    assert locate(quote, TEXT) is None


@given(st.text(max_size=200), st.data())
def test_every_span_of_whole_words_is_found(text: str, data: st.DataObject) -> None:
    """Any run of words of a text is found, and what is found folds to the same letters."""
    words = text.split(" ")
    low = data.draw(st.integers(0, len(words)))
    high = data.draw(st.integers(low, len(words)))
    quote = " ".join(words[low:high])
    place = locate(quote, text)
    if place is not None:
        again = locate(text[place[0] : place[1]], text)
        assert again is not None
        assert text[again[0] : again[1]].strip() != ""
