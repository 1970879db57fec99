"""Puts the cosines of any embedder on one scale, by pairs of questions and passages that are fixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ingest.ports import Vectors

PAIRS = (
    (
        "How much notice must the tenant give before moving out?",
        "The tenant may end the lease at any time with written notice of three months, sent to the landlord "
        "by registered letter.",
    ),
    (
        "What was the company's revenue in the second quarter?",
        "Net sales for the three months ended June 30 were $412 million, an increase of 6 % over the same "
        "quarter of the year before.",
    ),
    (
        "Who is allowed to sign contracts above 50,000 euros?",
        "Agreements with a value of more than EUR 50,000 need the signatures of two managing directors.",
    ),
    (
        "What is the maximum operating temperature of the pump?",
        "The pump may be run at ambient temperatures from -10 to 45 degrees Celsius. Above that the motor switches itself off.",
    ),
    (
        "How many days of holiday do employees have each year?",
        "Full-time staff are entitled to 28 days of paid annual leave; up to five of them may be carried "
        "over into the next year.",
    ),
    (
        "Which side effects were reported in the trial?",
        "The most frequent adverse events were headache (12 %), nausea (8 %) and dizziness (5 %); all were "
        "mild and passed within a week.",
    ),
    (
        "When was the bridge opened to traffic?",
        "After four years of construction the new crossing was inaugurated in May 1937, and the first cars "
        "drove over it the same day.",
    ),
    (
        "What does the insurance not cover?",
        "Losses caused by war, nuclear energy, intent or gross negligence of the insured person are excluded.",
    ),
    (
        "How do I reset the administrator password?",
        "If the administrator's password is lost, start the server in recovery mode and run the command that sets a new one.",
    ),
    (
        "Why did the glaciers retreat in the twentieth century?",
        "Rising summer temperatures melted more ice each year than the winter snow replaced, so that the "
        "tongues of the glaciers became shorter.",
    ),
    (
        "What is the interest rate of the loan?",
        "The borrower pays 4.25 percent per annum on the outstanding principal, due on the last day of every month.",
    ),
    (
        "Where are the spare parts kept?",
        "Replacement filters and seals are stored in cabinet 7 on the ground floor of the north hall.",
    ),
    (
        "How does the immune system recognise viruses?",
        "Receptors on white blood cells bind to fragments of foreign proteins that infected cells show on their surface.",
    ),
    (
        "Who wrote the report on data protection?",
        "This assessment of how personal data is handled was prepared by the legal department together with an external auditor.",
    ),
    (
        "What is the penalty for late delivery?",
        "For each week of delay the supplier owes liquidated damages of 0.5 % of the order value, up to 5 % in total.",
    ),
    (
        "How is the dough prepared?",
        "Mix flour, water, salt and yeast, knead for ten minutes and let it rise for two hours in a warm place.",
    ),
)
"""Questions with passages that answer them, made up; a passage has nothing to do with the other questions."""
UNRELATED, RELATED = 0.044, 0.544
"""The mean cosines of the default embedder, of a question with other passages and with its own: all weights were chosen with
these (docs/decisions/0003-fusion.md)."""
LEAST = 0.05
"""An embedder whose means lie nearer together than this can't tell the pairs apart: its cosines stay as they are."""


class Scale:
    """How high an embedder's cosines are, measured at first use: the questions and passages are embedded once.

    Some models give 0.7 to texts that have nothing in common. As they are, such cosines would count in a sum with another score,
    but hardly say anything there.
    """

    def __init__(self, question: Callable[[str], Vectors], passages: Callable[[Sequence[str]], Vectors]) -> None:
        self._question, self._passages = question, passages
        self._line: tuple[float, float] | None = None

    def likeness(self, cosine: float) -> float:
        """Return a cosine as the default embedder would have it."""
        if self._line is None:
            self._line = self._measured()
        slope, height = self._line
        return cosine * slope + height

    def _measured(self) -> tuple[float, float]:
        passages = self._passages([passage for _, passage in PAIRS])
        rows = [(passages @ self._question(question)).tolist() for question, _ in PAIRS]
        related = sum(row[number] for number, row in enumerate(rows)) / len(rows)
        unrelated = (sum(map(sum, rows)) / len(rows) - related) / (len(rows) - 1)
        if related - unrelated < LEAST:
            return 1.0, 0.0
        slope = (RELATED - UNRELATED) / (related - unrelated)
        return slope, UNRELATED - slope * unrelated
