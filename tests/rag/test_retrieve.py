"""Fusion and words: what retrieval rests on."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rag.words import content_words, numbers, sentences, stems


def test_words_of_a_question() -> None:
    """Function words go, codes and numbers stay whole, possessives lose their s."""
    assert content_words("What was Apple's E200 price of 1,250.50 in the 10-K?") == [
        "Apple",
        "E200",
        "price",
        "1,250.50",
        "10-K",
        "10",
        "K",
    ]
    assert content_words("What is it?") == ["What", "is", "it"]
    assert stems("Notices were given") >= {"notic", "given"}
    assert numbers("EUR 1,250.50 in 30 days") == {"1250.50", "30"}


@given(st.text(alphabet="ab. \n|A1!?", max_size=120))
def test_sentences_are_in_order_and_lose_no_word(text: str) -> None:
    """Sentences don't overlap, are in order, start and end with a visible sign, and hold every letter."""
    spans = list(sentences(text))
    assert all(a < b for a, b in spans)
    assert all(one[1] <= two[0] for one, two in pairwise(spans))
    assert all(text[a].strip() and text[b - 1].strip() for a, b in spans)
    held = "".join(text[a:b] for a, b in spans)
    assert [letter for letter in text if letter.isalnum()] == [letter for letter in held if letter.isalnum()]
