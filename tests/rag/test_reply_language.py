"""Replies in another language: noticed where they are, and not where a right answer names what is foreign."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rag.reply_language import other_language

CODES = ("en", "de", "zh", "ar")
SAMPLE = 150


@pytest.mark.parametrize(
    ("question", "quote", "answer", "expected"),
    [
        (
            "What notice must the tenant give?",
            "The tenant may end the lease with notice of three months.",
            "三个月",
            "zh",
        ),
        ("What notice must the tenant give?", "The tenant may end the lease with three months.", "Three months.", None),
        ("What notice must the tenant give?", "Die Kündigungsfrist beträgt drei Monate.", "Drei Monate.", None),
        ("What is the wave length?", "The wave length is 5 µm.", "5 µm", None),
        ("What is the chairman called?", "Председатель Иван Петров.", "Иван Петров", None),
        ("What is the rent?", "The rent is EUR 1,850.", "EUR 1,850.", None),
        ("Wie hoch ist die Miete im ersten Jahr?", "Die Miete beträgt 1.850 Euro.", "", None),
    ],
)
def test_short_answers(question: str, quote: str, answer: str, expected: str | None) -> None:
    """Another script is another language; the quote's language, units, names and figures are none."""
    assert other_language(question, quote, answer) == expected


def _sentence(text: str, answer: str) -> str:
    return next((one for one in re.split(r"(?<=[.。؟!?])\s*", text) if answer in one), text)


def _cases(data: Path, code: str) -> dict[str, tuple[str, str, str]]:
    """Return question, the sentence that answers, and the short answer of a sample of one language, by key."""
    folder = data / "beir" / f"xquad-{code}"
    texts = {row["_id"]: row["text"] for row in map(json.loads, (folder / "corpus.jsonl").read_text().splitlines())}
    judged = dict(line.split("\t")[:2] for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:])
    found = {}
    for line in (folder / "queries.jsonl").read_text().splitlines():
        row = json.loads(line)
        answer = row["answers"][0] if isinstance(row["answers"], list) else row["answers"]
        found[row["_id"]] = row["text"], _sentence(texts[judged[row["_id"]]], answer), answer
    return {key: found[key] for key in sorted(found)[:SAMPLE]}


def test_measured_on_translated_questions(data: Path) -> None:
    """Of right answers, as short spans and as whole sentences, hardly any is taken for foreign; of sentences in another language
    than question and quote nine in ten are."""
    cases = {code: _cases(data, code) for code in CODES}
    for code in CODES:
        assert not any(other_language(question, said, short) for question, said, short in cases[code].values())
        taken = sum(bool(other_language(question, short, said)) for question, said, short in cases[code].values())
        assert taken <= 0.02 * SAMPLE
        for other in CODES:
            if other != code:
                both = cases[code].keys() & cases[other].keys()
                asked = ((*cases[code][key][:2], cases[other][key][1]) for key in both)
                assert sum(bool(other_language(*one)) for one in asked) >= 0.9 * len(both) > 0
