"""Measures the claim check on replies whose truth is known: how many true ones it keeps, how many false ones it believes.

    python -m tests.benchmarks.claims DATA CACHE [QUESTIONS] [OUT.json]

Questions of squad2half are searched among the set's own texts, as the product does; replies are made of what is found, as a model
would give them. True: the known answer, and the sentence that has it. False: other words of the kind asked for, each with the
sentence it stands in, and the true sentence with one figure, or one name, changed for another of the same passage. The true
sentence is quoted each time. No text of the set is written to OUT.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag.answer import WEIGHED
from rag.answer_type import candidates, kind_asked
from rag.evaluate import read_lines
from rag.evidence import Asked
from rag.excerpts import shown, sources, support
from rag.marking import wilson
from rag.prompt import Reply
from rag.shapes import Hit
from rag.statements import Checker
from rag.words import sentences
from tests.benchmarks.gate import home_of, squad
from tests.benchmarks.run import machine
from tests.benchmarks.spans import f1

_NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w,])")
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-ZÀ-Þ][^\W\d_]{2,}(?: [A-ZÀ-Þ][^\W\d_]{2,})*")
TRUE = ("short answer", "its sentence")


def main() -> int:
    """Ask, check, print, write."""
    data, cache = Path(sys.argv[1]), Path(sys.argv[2])
    most = int(sys.argv[3]) if len(sys.argv) > 3 else 400
    rows = read_lines(data / "beir" / "squad2half" / "queries.jsonl", ("_id", "answers"))
    answers = {row["_id"]: row["answers"] for row in rows}
    believed, made = Counter[str](), Counter[str]()
    cases = [case for case in squad(data) if case.answerable][:most]
    with home_of(data, "squad2half", cache) as library:
        limits = library.settings.answer
        for case in cases:
            found = sources(library.found(case.question, [], WEIGHED), library.catalog)[0]
            asked = Asked.of(case.question, library.catalog, found)
            reader = library.live.answerer.reader
            supports, _ = support(case.question, asked, found, library.catalog, library.embedder, reader)
            sent = shown(supports, library.catalog, library.embedder, limits.passages, limits.passage_tokens)
            if not supports:
                continue
            best = max(item.score for item in supports)
            checker = Checker(case.question, asked, sent, best, library.embedder, True)
            for kind, reply in _replies(case.question, answers[case.key], [item for _, item in sent]):
                made[kind] += 1
                believed[kind] += checker.check(reply) is not None
    result: dict[str, Any] = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "questions": len(cases)}
    for kind in made:
        interval = [round(edge, 3) for edge in wilson(believed[kind], made[kind])]
        share = round(believed[kind] / made[kind], 4)
        result[kind] = {"true": kind in TRUE, "replies": made[kind], "believed": share, "95 %": interval}
    print(json.dumps(result, indent=1))
    if len(sys.argv) > 4:
        Path(sys.argv[4]).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _replies(question: str, answers: list[str], sent: list[Hit]) -> Iterator[tuple[str, Reply]]:
    """Yield replies of each kind; none where the answer stands in no passage that was sent."""
    at = next(((hit, place) for hit in sent for place in sentences(hit.text) if _has(hit.text, place, answers)), None)
    if at is None:
        return
    hit, (start, end) = at
    sentence = hit.text[start:end]
    answer = next(item for item in answers if item in sentence)
    yield "short answer", Reply(sentence, hit.rank, answer)
    yield "its sentence", Reply(sentence, hit.rank, sentence)
    for other in sent:
        for first, last in sentences(other.text):
            text = other.text[first:last]
            spans = (text[c.start : c.end] for c in candidates(kind_asked(question), text, question))
            wrong = next((span for span in spans if f1(span, answers) == 0), None)
            if wrong is not None and not any(item in text for item in answers):
                yield "another sentence's words", Reply(text, other.rank, wrong)
                break
        else:
            continue
        break
    if changed := _changed(_NUMBER, sentence, hit.text, answer):
        yield "a figure changed", Reply(sentence, hit.rank, changed)
    if changed := _changed(_NAME, sentence, hit.text, answer):
        yield "a name changed", Reply(sentence, hit.rank, changed)


def _has(text: str, place: tuple[int, int], answers: list[str]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text[slice(*place)]) for answer in answers)


def _changed(form: re.Pattern[str], sentence: str, passage: str, answer: str) -> str | None:
    """Return a sentence with the first words of a form, those of the answer first, changed for others of the passage."""
    mine = sorted(form.finditer(sentence), key=lambda match: match.group() not in answer)
    known = sentence.lower()
    other = next((match.group() for match in form.finditer(passage) if match.group().lower() not in known), None)
    if not mine or other is None:
        return None
    return sentence[: mine[0].start()] + other + sentence[mine[0].end() :]


if __name__ == "__main__":
    sys.exit(main())
