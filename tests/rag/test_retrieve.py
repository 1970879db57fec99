"""Fusion and words: what retrieval rests on."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.one_sentence import best_sentences
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


@given(st.text(alphabet='ab. \nA1!?"。东א؟-', max_size=60))
def test_sentences_end_where_they_used_to(text: str) -> None:
    """The pattern that begins with the sign in front of an end finds what the plain one finds, outside of tables."""
    plain = re.compile(
        r"(?<=[.!?;])[\"'”’)]*\s+(?=[\"'“‘(]?[A-Z0-9À-ÞΑ-ΫЀ-Я])|\n+"
        r"|(?<=[。！？｡])[」』”’）]*|(?<=[.!?؟۔।])\s+(?=[\u0590-\u08ff\u0900-\u0dff])"
    )
    at, expected = 0, []
    for match in [*plain.finditer(text), None]:
        end = match.start() if match else len(text)
        if re.search(r"\w", text[at:end]):
            expected.append(text[at:end].strip())
        at = match.end() if match else end
    assert [text[start:end] for start, end in sentences(text)] == expected


WORDS = [
    "pumps",
    "Pump",
    "10-K",
    "1,250.5",
    "(valves),",
    "dogs'",
    "it's",
    "东京塔。",
    "الكتاب",
    "a.b",
    "valve.",
    "\n",
    "Rents!",
]


@given(st.lists(st.sampled_from(WORDS), max_size=15), st.sets(st.sampled_from(WORDS), min_size=1))
def test_the_best_sentence_is_found_piece_by_piece(words: list[str], asked: set[str]) -> None:
    """Looking at what stands between spaces gives the same share as the stems of each whole sentence."""
    text = " ".join(words)
    rarity = {word: 1.0 + number for number, word in enumerate(sorted(stems(" ".join(asked))))}
    shares = [
        sum(value for word, value in rarity.items() if word in stems(text[start:end])) for start, end in sentences(text)
    ]
    expected = max(shares, default=0.0) / (sum(rarity.values()) or 1.0)
    assert best_sentences([text, text], rarity) == pytest.approx([expected] * 2)
