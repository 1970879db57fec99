"""Follow-ups: rewritten by rules, by a model only where rules don't reach, never with words that nobody said."""

from __future__ import annotations

import json

import pytest

from rag.errors import ModelError
from rag.followup import FollowUps, topic_of
from tests.rag.test_answer import Scripted

SALES = "What were the net sales of Norvik in 2021?"
SERVICES = "What were Intel's net sales of Services in the three months ended June 25, 2022?"
FEE = "What is the price of annual maintenance for a vessel of type B?"
END = "When does the ferry supply agreement end?"


def known(words: str) -> bool:
    return any(name in words for name in ("Norvik", "Intel", "AMD"))


@pytest.mark.parametrize(
    ("before", "asked", "alone"),
    [
        (SALES, "and for 2022?", "What were the net sales of Norvik in 2022?"),
        (SALES, "And in Q3 2022?", "What were the net sales of Norvik in Q3 2022?"),
        (SALES, "What about Intel?", "What were the net sales of Intel in 2021?"),
        (SALES, "what about the gross margin", "What were the gross margin of Norvik in 2021?"),
        ("What was Intel's revenue?", "and AMD?", "What was AMD's revenue?"),
        ("What was Intel's Notebook revenue in 2023?", "And Desktop?", "What was Intel's Desktop revenue in 2023?"),
        ("What was Intel's Notebook revenue in 2023?", "And AMD?", "What was AMD's Notebook revenue in 2023?"),
        ("What was Intel's revenue from Data Center in 2023?", "And Gaming?", "What was Intel's revenue from Gaming in 2023?"),
        (
            "How much LinkedIn revenue did Intel report for the three months ended September 30, 2022?",
            "And Gaming?",
            "How much Gaming revenue did Intel report for the three months ended September 30, 2022?",
        ),
        ("What did AMD pay for Xilinx?", "And Pensando?", "What did AMD pay for Pensando?"),
        ("What did AMD pay for Xilinx?", "And Intel?", "What did Intel pay for Xilinx?"),
        ("What was Intel's revenue in 2022?", "What about its net income?", "What was Intel's net income in 2022?"),
        ("What was the net income of Intel?", "and for 2022?", "What was the net income of Intel for 2022?"),
        (SERVICES, "and of Products?", "What were Intel's net sales of Products in the three months ended June 25, 2022?"),
        (SERVICES, "and in the three months ended June 26, 2021?",
         "What were Intel's net sales of Services in the three months ended June 26, 2021?"),
        (SERVICES, "And AMD's in the first quarter of 2023?",
         "What were AMD's net sales of Services in the first quarter of 2023?"),
        (SERVICES, "What about its net income?", "What were Intel's net income in the three months ended June 25, 2022?"),
        (FEE, "And for type A?", "What is the price of annual maintenance for a vessel of type A?"),
        (FEE, "And for a vessel of type A?", "What is the price of annual maintenance for a vessel of type A?"),
        (
            "How fast must one be there for a fault of severity 2?",
            "And for a fault of severity 1?",
            "How fast must one be there for a fault of severity 1?",
        ),
        (
            "What is the fee per night in Oslo?",
            "And the fee in Bergen?",
            "What is the fee per night in Bergen?",
        ),
        (
            "What is the range of the rigid truck?",
            "And of the tractor unit?",
            "What is the range of the tractor unit?",
        ),
        ("What is the toll for cars in winter?", "and for vans?", "What is the toll for vans in winter?"),
        ("How much does the rigid truck cost?", "What is its range?", "What is the rigid truck’s range?"),
        (END, "How long does it last?", "How long does the ferry supply agreement last?"),
        (END, "Why?", "When does the ferry supply agreement end, and why?"),
        ("Who signed the lease?", "When did they sign it?", "When did they sign the lease?"),
        (
            "What do external customers pay per hour for the calibration tank?",
            "What weight can its crane lift?",
            "What weight can the calibration tank’s crane lift?",
        ),
        ("What do members pay per year for the pool?", "When do they pay it?", "When do members pay it?"),
        ("How much did the town spend on the roof?", "Who repaired it?", "Who repaired the roof?"),
        ("When did the harbour board approve the budget?", "How large is it?", "How large is the budget?"),
        ("What does the supplier charge for spare parts?", "Who delivers them?", "Who delivers spare parts?"),
        ("How long does the guarantee on the pump last?", "What does it cover?", "What does the guarantee cover?"),
        ("What is the Medicaid Buy-In Program?", "How can I apply?", "How can I apply (the Medicaid Buy-In Program)?"),
        ("Who are the members of the board?", "What is their salary?", "What is the members of the board’s salary?"),
    ],
)  # fmt: skip
def test_rules(before: str, asked: str, alone: str) -> None:
    """Period for period, name for name, noun for noun, a pronoun for its topic."""
    found = FollowUps(known, lambda: None).rewrite(asked, [before])
    assert (found.question, found.by) == (alone, "rules")


@pytest.mark.parametrize(
    "asked",
    [
        "Who is the chair of the supervisory board of Intel?",
        "What types of stocks are traded on the exchange in Oslo?",
        "Is it possible to end the lease early by written notice?",
        "How much higher is the annual maintenance fee of type B than that of type A?",
    ],
)
def test_questions_that_stand_alone_are_left_alone(asked: str) -> None:
    """A question with words of its own is not touched, and neither is the first of a conversation."""
    assert FollowUps(known, lambda: None).rewrite(asked, [SALES]).question == asked
    assert FollowUps(known, lambda: None).rewrite("and for 2022?", []).by == "nobody"


def test_the_topic_may_be_further_back() -> None:
    """When the last question names nothing, the one before it does."""
    before = ["What is the Blue Harbour ferry?", "Why?"]
    assert (
        FollowUps(known, lambda: None).rewrite("How old is it?", before).question
        == "How old is the Blue Harbour ferry?"
    )
    assert topic_of("Why?") == ""


def test_the_model_is_asked_where_rules_do_not_reach() -> None:
    """Its rewrite is taken when it is made of words that were said; with numbers or names of its own it is not."""
    asked = "Is the latter larger?"
    before = ["Compare the north pier with the south pier."]
    said = {"question": "Is the south pier larger?"}
    model = Scripted(json.dumps(said))
    found = FollowUps(known, lambda: model).rewrite(asked, before)
    assert (found.question, found.by) == (said["question"], "model")
    assert model.prompts[0][-1].content == f"{before[0]}\n{asked}"
    for wrong in ("Is the Eiffel tower larger?", "Is the south pier larger than 40?", "", before[0]):
        kept = FollowUps(known, lambda wrong=wrong: Scripted(json.dumps({"question": wrong}))).rewrite(asked, before)  # type: ignore[misc]
        assert (kept.question, kept.by) == (asked, "nobody")
    for none in (Scripted("no JSON"), Scripted(ModelError("It is on fire.")), None):
        assert FollowUps(known, lambda none=none: none).rewrite(asked, before).by == "nobody"  # type: ignore[misc]
    FollowUps(known, lambda: model).rewrite("and for 2022?", [SALES])
    assert len(model.prompts) == 1
