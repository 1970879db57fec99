"""Words and stems, asked for by several threads at once as questions do."""

from __future__ import annotations

import sys
import threading

from rag.words import sentences, stem, stems

WORDS = [f"{front}{middle}{end}" for front in ("re", "un", "inter") for middle in ("nation", "lat", "form", "gener", "vis")
         for end in ("alization", "ing", "ies", "fulness", "ational", "ement", "ization", "ed", "ously", "ability")]  # fmt: skip


def test_threads_stem_as_one_does() -> None:
    """Four threads that stem the same words, from different ones on, get the stems that one thread gets."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(5):
            stem.cache_clear()
            found: list[list[str]] = [[], [], [], []]

            def run(at: int, found: list[list[str]] = found) -> None:
                found[at] = [stem(word) for word in WORDS[at * 30 :] + WORDS[: at * 30]]

            threads = [threading.Thread(target=run, args=(at,)) for at in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            stem.cache_clear()
            for at in range(4):
                assert found[at] == [stem(word) for word in WORDS[at * 30 :] + WORDS[: at * 30]]
    finally:
        sys.setswitchinterval(before)


def test_forms_of_a_word_have_one_stem() -> None:
    """Singular and plural are the same word."""
    assert stems("agreements end") == stems("The agreement ends") - stems("the")


def test_abbreviations_end_no_sentence() -> None:
    """A dot after "U.S.", "Inc." and their like ends a sentence only before a word that begins one."""
    text = "Epic sued in the U.S. District Court. Sales in the U.S. The firm grew. Foo Inc. Holdings met Mr. Bean. Plan B. Next."
    assert [text[start:end] for start, end in sentences(text)] == [
        "Epic sued in the U.S. District Court.",
        "Sales in the U.S.",
        "The firm grew.",
        "Foo Inc. Holdings met Mr. Bean.",
        "Plan B.",
        "Next.",
    ]


def test_a_number_goes_on_behind_its_abbreviation() -> None:
    """ "no." and its like end a sentence unless a number follows."""
    text = "See variation no. 3 and p. 12 of it. He said no. Two left, no. Next."
    assert [text[start:end] for start, end in sentences(text)] == [
        "See variation no. 3 and p. 12 of it.",
        "He said no.",
        "Two left, no.",
        "Next.",
    ]


def test_bullets_and_cells_of_many_sentences() -> None:
    """A bullet begins a sentence, and a cell with several sentences is read as text; rows of short cells stay whole."""
    text = "| ▪ Pumps cost $5. Valves fell. ▪ Hulls rose. |\n| Pumps | 5 |\n| Pump 1 | S. Okafor | 5 |\n• One. • Two"
    assert [text[start:end] for start, end in sentences(text)] == [
        "Pumps cost $5.",
        "Valves fell.",
        "▪ Hulls rose. |",
        "| Pumps | 5 |",
        "| Pump 1 | S. Okafor | 5 |",
        "• One.",
        "• Two",
    ]
