"""Splitting: chunks partition the text, fit the embedder, and keep to the document's structure."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.elements import Reading, Writer, table_markdown
from ingest.sentences import sentences
from ingest.split import CHUNK_TOKENS, CONTEXT_TOKENS, UNIT_CHARACTERS, split


def words(texts: Sequence[str]) -> list[int]:
    """A tokenizer for these tests: one token a word."""
    return [len(text.split()) for text in texts]


SENTENCE = st.text(alphabet="abcdefghij ÄéΩ漢.,;|\n", min_size=1, max_size=400)
ELEMENT = st.tuples(
    st.sampled_from(["heading", "paragraph", "list_item", "table"]), SENTENCE, st.integers(1, 40), st.integers(0, 1)
)


def reading_of(elements: Sequence[tuple[str, str, int, int]]) -> Reading:
    """Write elements; a table repeats its text in many rows, a paragraph many times over."""
    writer, page = Writer(), 1
    for kind, text, times, turn in elements:
        page += turn
        if kind == "table":
            rows = [["Name", "Value"], *[[text, str(number)] for number in range(times)]]
            writer.add("table", table_markdown(rows), page, header_rows=1)
        elif kind == "heading":
            writer.add("heading", text, page, level=1 + times % 3)
        elif kind == "paragraph":
            writer.add("paragraph", " ".join([text] * times), page)
        else:
            writer.add("list_item", text, page)
    return writer.reading()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ELEMENT, max_size=12))
def test_chunks_partition_the_text_and_fit(elements: list[tuple[str, str, int, int]]) -> None:
    """Whatever the document, the chunks put together are its text, and none is longer than the embedder reads."""
    reading = reading_of(elements)
    chunks = split(reading, words)
    assert "".join(reading.text[chunk.start : chunk.end] for chunk in chunks) == reading.text
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        body = reading.text[chunk.start : chunk.end]
        assert words([body])[0] <= CHUNK_TOKENS and len(body.strip()) <= UNIT_CHARACTERS + CHUNK_TOKENS * 410
        assert words([chunk.context])[0] <= CONTEXT_TOKENS


def test_a_table_row_repeats_its_header_for_embedding() -> None:
    """A chunk that starts inside a table has the caption and the header row in its context, and no row is cut."""
    writer = Writer()
    writer.add("heading", "Fees", level=1)
    writer.add("paragraph", "In thousands of euro.")
    writer.add(
        "table",
        table_markdown([["Item", "Price"], *[[f"item {n} with a long name", str(n)] for n in range(90)]]),
        header_rows=1,
    )
    reading = writer.reading()
    chunks = split(reading, words)
    assert len(chunks) > 2
    assert reading.text[chunks[0].start :].startswith("Fees")
    for chunk in chunks[1:]:
        assert chunk.context == "Fees\nIn thousands of euro.\n| Item | Price |"
        assert reading.text[chunk.start : chunk.end].startswith("| item ")


def test_a_table_that_goes_on_keeps_its_header() -> None:
    """Rows on the next page have the caption and the header of the table in their context."""
    writer = Writer()
    writer.add("heading", "Fees", level=1)
    writer.add("paragraph", "In thousands of euro.")
    writer.add("table", table_markdown([["Item", "Price"], ["quay", "1"], ["crane", "2"]]), 1, header_rows=1)
    writer.add("table", table_markdown([["tug", "3"], ["pilot", "4"]]), 2, continues=writer.elements[-1].start)
    chunks = split(writer.reading(), words)
    assert [chunk.context for chunk in chunks] == ["", "Fees\nIn thousands of euro.\n| Item | Price |"]


def test_a_table_of_contents_is_no_section() -> None:
    """What follows a table of contents on later pages does not stand below its heading."""
    writer = Writer()
    writer.add("heading", "TABLE OF CONTENTS", 1, 1)
    writer.add("paragraph", "Part I 2", 1)
    writer.add("paragraph", "The company was founded in May.", 2)
    assert [chunk.heading for chunk in split(writer.reading(), words)] == ["TABLE OF CONTENTS", ""]


def test_chunks_keep_to_pages_and_sections() -> None:
    """A chunk never crosses a page, and a section of some length starts a new chunk with its heading path."""
    writer = Writer()
    writer.add("heading", "Contract", 1, 1)
    writer.add("heading", "Term", 1, 2)
    writer.add("paragraph", "It runs for five years. " * 15, 1)
    writer.add("heading", "Price", 1, 2)
    writer.add("paragraph", "It costs a lot. " * 15, 1)
    writer.add("paragraph", "And more on the next page.", 2)
    chunks = split(writer.reading(), words)
    assert [(chunk.page, chunk.heading, chunk.context) for chunk in chunks] == [
        (1, "Contract", ""),
        (1, "Contract > Price", "Contract"),
        (2, "Contract > Price", "Contract > Price"),
    ]


def test_text_without_spaces_is_cut() -> None:
    """A run of a hundred thousand letters without a space becomes chunks of bounded length."""
    writer = Writer()
    writer.add("paragraph", "x" * 100_000)
    reading = writer.reading()
    chunks = split(reading, words)
    assert "".join(reading.text[chunk.start : chunk.end] for chunk in chunks) == reading.text
    assert max(chunk.end - chunk.start for chunk in chunks) <= UNIT_CHARACTERS * CHUNK_TOKENS
    assert len(chunks) >= 1


_PIECES = [*'.?!,;:-()" \n\t\u201d\u2019\u00e9\u65e5*#', *"a Bc J. 3. 1,000.5 .. ... -- e.g. Mr.".split(), "  ", "\n\n"]


@given(st.lists(st.sampled_from(_PIECES), max_size=40).map("".join))
@settings(deadline=None, max_examples=500)
def test_sentences_are_those_of_nltk_without_a_model(text: str) -> None:
    """Our rules cut any text where NLTK's untrained Punkt does, as llama-index asks it to."""
    from llama_index.core.node_parser.text.utils import split_by_sentence_tokenizer_internal
    from nltk.tokenize.punkt import PunktSentenceTokenizer

    assert sentences(text) == split_by_sentence_tokenizer_internal(text, PunktSentenceTokenizer())


def test_sentences_of_prose() -> None:
    """Initials and ordinals before a small letter end no sentence; closing quotes and brackets go with theirs."""
    text = 'J. Bach paid 3. of May. "Really?" he asked. (Yes.) Then e.g. this!!! The end'
    assert sentences(text) == [
        "J. Bach paid 3. of May. ",
        '"Really?" ',
        "he asked. ",
        "(Yes.) ",
        "Then e.g. ",
        "this!!! ",
        "The end",
    ]
