"""Rewrites a follow-up as a question that stands alone: by rules first, by the language model where they don't reach."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rag.errors import ModelError
from rag.followup_slots import IN_PERIOD, PERIOD, is_period, replaced
from rag.llm import Completion, LanguageModel, Message
from rag.question import ASKING
from rag.words import STOP_WORDS, numbers, tokens

_LEAD = r"(?:(?:and|or|but|so|ok|okay|then|now|also|well|yes|no|thanks|thank you)\b[\s,.!]*)*"
_ABOUT = re.compile(
    rf"^\s*{_LEAD}(?:what|how)\s+(?:about|is\s+it|was\s+it|are\s+they|were\s+they)\s+"
    r"(?:(?P<prep>for|in|of|at|with|from|on|by|during)\s+)?(?P<rest>[^?]{1,80}?)\s*[?.!]*\s*$",
    re.I,
)
_AND = re.compile(
    r"^\s*(?:(?:and|or|but|also|same)\b[\s,]*)+(?:(?P<prep>for|in|of|at|with|from|on|by|during)\s+)?"
    r"(?P<rest>[^?]{1,60}?)\s*[?.!]*\s*$",
    re.I,
)
_VERBS = frozenset(
    "is are was were be been do does did has have had can could will would shall should may might must need needs get gets "
    "make makes made work works happen happens happened mean means apply applies use uses know tell give show find".split()
)
_AUX = re.compile(r"\b(?:does|do|did|will|can|could|would|should|must|may)\b", re.I)
_WHY = re.compile(
    r"^\s*(?:and\s+|but\s+)?(?P<word>why|how|when|where|who|how much|how many|how long|since when)"
    r"(?:\s+(?:so|not|is that|come))?\s*[?!.]*\s*$",
    re.I,
)
PRONOUN = re.compile(
    r"\b(?P<own>its|their|his|her)\b|\b(?P<alone>it|they|them|he|she|him|these|this|(?:those|that)(?!\s+(?:of|in|for|from|at)\b))\b"
    r"(?!\s+(?:is\s+)?(?:fine|ok|okay))",
    re.I,
)
_SPEAKS = re.compile(
    r"\b(?:it|this|that)\s+(?:is|was|be)?\s*(?:possible|true|necessary|important|likely|that|said)\b", re.I
)
_BEYOND = re.compile(
    r"\b(?:former|latter|the others?|another|other ones?|(?:first|second|third|last) one|previous|above|same|else|"
    r"instead|more)\b",
    re.I,
)
_ONE, _MANY = frozenset("it its this that".split()), frozenset("they their them these those".split())
_WHO = frozenset("i you we they he she it".split())
_JOINS = frozenset("of and & the for in".split())
_ARTICLES = frozenset("the a an our my this that".split())
_EMPTY = frozenset(
    "thing things way ways kind kinds type types example examples people person someone something anything everything reason "
    "please thanks thank hello hi yes no ok okay idea difference different list name names number average good best top "
    "know think want like need provide explain describe consider mean sure really actually maybe possible right main most "
    "apply qualify work works happen happened happens exist exists involve include includes included cost costs use used uses "
    "find found get got make made does did go goes going take takes took see start started come called call said say".split()
) | ASKING  # fmt: skip
"""Words that are nobody's topic."""
_DOES = frozenset(
    "accept add agree announce appoint approve ask borrow build buy cancel carry choose decide deliver describe earn elect "
    "employ expect have hold invest keep lend lose owe own pay produce propose publish raise receive recommend remove renew "
    "replace require say sell send sign spend terminate write".split()
)
"""Verbs that stand between who does something and what it is done to."""
_DOES_OR_IS = frozenset(
    "award charge cover gain guarantee hire issue lease measure offer open order permit plan purchase record rent repair report "
    "reserve return save serve show state store supply support test transfer vote".split()
)
"""The same, but they are nouns, too: verbs only where no noun follows."""
MAX_TOPIC_WORDS = 7
SHORT = 2
"""A question with no more words of its own than this is about what was asked before."""

SYSTEM = (
    "You rewrite the last question of a conversation so that it can be understood alone. Replace words such as it, they, that "
    "one by what they stand for in the earlier questions. Add nothing else. If it can be understood alone, repeat it unchanged."
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"question": {"type": "string"}},
    "required": ["question"],
    "additionalProperties": False,
}
_EXAMPLES = (
    ("What is the notice period of the lease?\nWho signed it?", "Who signed the lease?"),
    ("What were the sales of Norvik in 2022?\nAnd its costs?", "What were the costs of Norvik in 2022?"),
    ("How are the pumps tested?\nWho is the chair of the board?", "Who is the chair of the board?"),
)
MAX_TOKENS = 80
KEPT_WORDS = 0.7
"""Share of a follow-up's own words that a model's rewrite must have."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A question that stands alone, and who made it so."""

    question: str
    by: Literal["nobody", "rules", "model"]


@dataclass(frozen=True, slots=True)
class FollowUps:
    """Rewrites follow-ups. `names` says whether some words name a document of the home; `choose` gives the model, or None."""

    names: Callable[[str], bool]
    choose: Callable[[], LanguageModel | None]

    def rewrite(self, question: str, before: Sequence[str]) -> Rewrite:
        """Return a question as it stands alone after the standalone questions `before` it, the oldest first."""
        if not before:
            return Rewrite(question, "nobody")
        ruled = by_rules(question, before, self.names)
        if ruled is not None:
            return Rewrite(ruled, "rules")
        if not leans(question):
            return Rewrite(question, "nobody")
        asked = self._by_model(question, before)
        return Rewrite(question, "nobody") if asked is None else Rewrite(asked, "model")

    def _by_model(self, question: str, before: Sequence[str]) -> str | None:
        """Let the model rewrite; None without a model, when it can't, or when it brings in what nobody said."""
        try:
            model = self.choose()
            if model is None:
                return None
            prompt = [Message("system", SYSTEM)]
            for asked, rewritten in _EXAMPLES:
                prompt += [Message("user", asked), Message("assistant", json.dumps({"question": rewritten}))]
            prompt.append(Message("user", "\n".join([*before[-3:], question])))
            for piece in model.stream(prompt, max_tokens=MAX_TOKENS, schema=SCHEMA):
                if isinstance(piece, Completion):
                    return _checked(piece.text, question, before)
        except ModelError:  # the answer itself will say that the model can't be asked
            return None
        return None


def by_rules(question: str, before: Sequence[str], names: Callable[[str], bool]) -> str | None:
    """Return a follow-up as a question of its own, or None where no rule applies."""
    last = before[-1].strip()
    if match := _WHY.match(question):
        return f"{last.rstrip('?.! ')}, and {match.group('word').lower()}?"
    if (match := _ABOUT.match(question)) or (match := _AND.match(question)):
        rest, prep = match.group("rest").strip(), match.group("prep")
        both = IN_PERIOD.fullmatch(rest)  # and Intel's in 2022
        if both and _no_clause(both["what"]):
            last = replaced(last, both["period"], both["prep"], names)
            rest = both["what"]
        if _no_clause(rest) or is_period(rest) or _ABOUT.match(question):
            return replaced(last, rest, prep, names)
    pronouns = [] if _SPEAKS.search(question) else list(PRONOUN.finditer(question))
    one = bool(pronouns) and pronouns[0].group().lower() in _ONE
    topic = next((found for asked in reversed(before) if (found := topic_of(asked, one))), "")
    if not topic or _BEYOND.search(question):
        return None
    if pronouns and len(own_words(question[: pronouns[0].start()])) < 2:  # else it stands for something before it
        agreeing = [one for one in pronouns if one.group().lower() in (_MANY if topic.endswith("s") else _ONE)]
        return _resolve(question, (agreeing or pronouns)[0], topic)
    own = own_words(question)
    if len(own) <= SHORT and not any(word[0].isupper() and names(word) for word in own):
        return f"{question.strip().rstrip('?.! ')} ({topic})?"
    return None


def leans(question: str) -> bool:
    """Say whether a question can hardly be understood without what was asked before it."""
    return bool(PRONOUN.search(question) or _BEYOND.search(question)) or len(own_words(question)) <= SHORT


def own_words(question: str) -> list[str]:
    """Return the words of a question that say what it is about."""
    return [word for word in tokens(question) if word.lower() not in STOP_WORDS | _EMPTY | _VERBS and len(word) > 1]


def topic_of(question: str, one: bool = False) -> str:
    """Return the words of a question that name what it is about: names before other nouns, the longest, the first; `one` is
    whether "it" or its like stands for them."""
    runs: list[list[str]] = [[]]
    words = re.findall(r"[^\W_][\w.&'’/-]*|[^\s\w]", question)
    does = _verb_at(words)
    for at, word in enumerate(words):
        joins = word.lower() in _JOINS and bool(runs[-1]) and words[at + 1 : at + 2] != []
        joins = joins and (words[at + 1].lower() not in STOP_WORDS or words[at + 1].lower() == "the")
        joins = joins and (word.lower() != "the" or words[at - 1].lower() in _JOINS)
        plain = word[0].isalnum() and word.lower() not in STOP_WORDS | _EMPTY | _VERBS and not PERIOD.fullmatch(word)
        plain = plain and at != does and not (at and word.islower() and words[at - 1].lower() in ("how", "per"))
        if joins or plain:
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    if not (runs := [run for run in runs if run]):
        return ""
    ends = runs[-1][-1] == next(word for word in reversed(words) if word[0].isalnum())
    if ends and does is None and _AUX.search(question) and len(runs[-1]) > 1 and not _capitals(runs[-1][-1:], words):
        runs[-1] = runs[-1][:-1]  # "when does the agreement end": the verb
    nouns = [run for run in map(_trimmed, runs) if len(run) > 1 or not run[0].endswith("ed")]
    if does is not None and one:  # "it" is what something is done to rather than who does it
        nouns = [run for run in nouns if run[0] in words[does:] and not run[-1].endswith("s")] or nouns
    best = max(nouns, key=lambda run: (_capitals(run, words), min(len(run), 4)), default=[])[-MAX_TOPIC_WORDS:]
    if not best:
        return ""
    before = words[words.index(best[0]) - 1].lower() if words.index(best[0]) else ""
    return " ".join(["the", *best] if before in _ARTICLES else best)


def _verb_at(words: Sequence[str]) -> int | None:
    """Return where the verb of "what does the tenant pay for the boat" stands, or None where it is not known."""
    asks = next((at for at, word in enumerate(words) if _AUX.fullmatch(word)), len(words))
    for at in range(asks + 2, len(words) - 1):
        verb, follows = words[at].lower(), words[at + 1].lower()
        known = verb in _DOES or (verb in _DOES_OR_IS and follows in STOP_WORDS and follows != "of")
        if known and words[at - 1].lower() not in STOP_WORDS - _WHO:
            return at
    return None


def _trimmed(run: list[str]) -> list[str]:
    while len(run) > 1 and run[-1].lower() in _JOINS:
        run = run[:-1]
    return run


def _capitals(run: Sequence[str], words: Sequence[str]) -> int:
    named = [word for word in run if word[0].isupper() and len(word) > 1 and (word != words[0] or word.isupper())]
    return min(2, len(named))


def _no_clause(rest: str) -> bool:
    """Say whether words are a mere name or noun, not a sentence of their own."""
    words = [word.lower() for word in tokens(rest)]
    return 0 < len(words) <= 6 and not set(words) & (
        _VERBS | {"what", "how", "why", "who", "when", "where", "which", "i"}
    )


def _resolve(question: str, match: re.Match[str], topic: str) -> str:
    """Put the topic in a pronoun's place; beside it where a noun follows."""
    before, after = question[: match.start()], question[match.end() :]
    if match.group("own"):
        return f"{before}{topic}{'’' if topic.endswith('s') else '’s'}{after}"
    follows = re.match(r"\s+([A-Za-z-]+)", after)
    points = match.group().lower() in ("this", "that", "these", "those")
    if points and follows and follows.group(1).lower() not in STOP_WORDS | _VERBS:
        return f"{question.strip().rstrip('?.! ')} ({topic})?"
    return f"{before}{topic}{after}"


def _checked(text: str, question: str, before: Sequence[str]) -> str | None:
    """Return a model's rewrite when it is one question made of words that were said; else None."""
    try:
        found = str(json.loads(text)["question"]).strip()
    except (ValueError, KeyError, TypeError):
        return None
    said = " ".join([*before, question])
    plain = _BEYOND.sub(" ", PRONOUN.sub(" ", question))
    words, asked = ({word.lower() for word in own_words(text)} for text in (found, plain))
    strange = words - {word.lower() for word in own_words(said)}
    if len(asked & words) < KEPT_WORDS * len(asked):  # another question, such as the one before
        return None
    if not found or len(found) > 400 or strange or not numbers(found) <= numbers(said):
        return None
    return found
