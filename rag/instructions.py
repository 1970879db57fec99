"""Recognises sentences of documents that speak to the assistant instead of saying something to the reader."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rag.words import sentences

_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]"
)
"""Signs that nobody sees: a word is recognised whatever stands between its letters."""

_BEFORE = r"(?:previous|prior|preceding|earlier|above|foregoing|existing|original|initial|other|system|safety|these|those|your)"
_ORDERS = r"(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|commands?|constraints?|programming)"
_MACHINE = r"(?:AIs?|A\.I\.|assistants?|AI assistants?|chatbots?|(?:large )?language models?|LLMs?|chatgpt|gpt|copilot)"
_REPLY = r"(?:response|reply|answer|output|message|completion|summary|replies|answers|responses)"
_CHANGE = (
    r"(?:add|append|include|integrate|insert|incorporate|modify|augment|enhance|replace|substitute|convert|render|"
    r"translate|encode|"
    r"encrypt|rewrite|rephrase|reverse|scramble|jumble|misspell|anagram|rearrange|group|combine|remove|introduce|use|"
    r"begin|start|"
    r"end|finish|prefix|preface|conclude|limit|change|alter|mention|weave|embed|spell|shuffle|swap|capitalise|capitalize)"
)

_LEADS = (
    # sets aside what the assistant was told
    rf"\b(?:ignore|disregard|forget|override|overrule|bypass|neglect|discard|do not (?:follow|obey)|don't (?:follow|"
    rf"obey)|stop following)"
    rf"\b(?:\W+\w+){{0,4}}?\W+(?:{_BEFORE}(?:\W+\w+){{0,2}}?\W+{_ORDERS}|{_ORDERS}\W+(?:above|before|so far|you)|"
    r"(?:everything|anything|all|what(?:ever)?)\W+(?:\w+\W+){0,3}?(?:above|before|earlier|told|said|so far))\b",
    # gives it a new part to play
    r"\byou are now\b(?!\W+(?:in|at|on|ready|able|leaving|entitled|connected|logged)\b)|\bfrom now on\b\W+you (?:are|"
    r"will|must|shall|answer|only|speak)\b|"
    rf"(?:^\W*(?:please |now )?|\byou (?:must|should|will|shall) )pretend (?:to be|that you|you are|you)\b|"
    rf"\bact as (?:an? |the )?(?:unrestricted|unfiltered|{_MACHINE}|pirate|hacker)\b|"
    rf"\byou are (?:an? |the )?(?:\w+ ){{0,2}}{_MACHINE}\b|\b(?:developer|debug|god|dan) mode (?:is )?(?:now )?(?:on|"
    rf"enabled|activated)\b",
    # addresses it
    rf"^\W*(?:dear |hey |hello |hi |attention )?{_MACHINE}\b\s*[,:]|^\W*(?:system|assistant)(?: (?:note|message|"
    rf"prompt|override))?\s*:|"
    rf"\b(?:instructions?|note|message|attention|request|task|commands?) (?:to|for) (?:the |an? |any |all |"
    rf"every )?(?:\w+ )?{_MACHINE}\b|"
    rf"^\W*(?:if|when|as|since) you are (?:an? |the )?(?:\w+ ){{0,2}}{_MACHINE}\b|"
    r"^\W*(?:new|updated|important|real|actual|hidden|secret|urgent|additional) (?:system )?(?:instructions?|prompt|"
    r"task|directive)s?\s*[:.]",
    # asks for its own orders
    rf"\b(?:reveal|print|repeat|show|output|leak|display|disclose)\b(?:\W+\w+){{0,2}}?\W+"
    rf"(?:system prompt|your (?:\w+ )?{_ORDERS}|(?:initial|hidden|secret) (?:prompt|instructions?))\b",
    # forges the marks of a conversation or of a reply
    r"<\|?\s*(?:im_start|im_end|system|assistant|user|eot_id|endoftext)\s*\|?>|\[/?inst\]|"
    r"^\W*#{2,}\s*(?:instructions?|system|response)\b|"
    r"</?(?:passages?|documents?|context|sources?|untrusted|data)>|\"quote\"\s*:.*\"answer\"\s*:|"
    r"\bend of (?:the )?(?:passages?|context)\b",
    # other languages
    r"\b(?:ignorier\w*|missachte\w*|vergiss|vergessen sie)\b(?:\W+\w+){0,4}?\W+(?:anweisung|instruktion|vorgabe|regel)\w*|"
    r"\b(?:ignore[zr]?|oublie[zr]?)\b(?:\W+\w+){0,4}?\W+(?:consignes|instructions|directives)\b|"
    r"\b(?:ignor[ae]|ignorad|olvid[ae]|dimentica|ignorate|esqueça)\b(?:\W+\w+){0,4}?\W+(?:instrucciones|istruzioni|"
    r"instruções|órdenes)\b|"
    r"(?:忽略|无视|忘记|忽視)[^。]{0,12}(?:指令|指示|说明|規則|规则|提示)|(?:これまで|以前|上記)の?(?:すべての)?(?:指示|命令)を無視",
)
"""What begins an instruction: the rest of its paragraph belongs to it."""

_SINGLE = (
    # changes what the assistant writes
    rf"^\W*(?:please |also |always |then |and |you must |you should |you will )*(?:{_CHANGE})\b.{{0,200}}\b(?:your|"
    rf"every|each) (?:\w+ ){{0,2}}{_REPLY}\b",
    rf"^\W*(?:please )?(?:provide|give|write|make|craft|present|deliver|format|phrase|keep) (?:all )?(?:your|the|"
    rf"every|each) (?:\w+ )?{_REPLY}\b"
    r"\W+(?:using|with|without|in|as|like|sound|entirely|only)\b(?! writing| person| full)",
    rf"^\W*(?:in|at the (?:end|beginning|start|top) of|throughout|within) (?:your|every|each) (?:\w+ )?{_REPLY}\b\W+(?:\w+ )?"
    rf"(?:suggest|tease|add|mention|include|recommend|say|write|tell|state|hint|encourage|promote|advise|ask|use|"
    rf"link|{_CHANGE})\b",
    rf"^\W*in (?:your|every|each) {_REPLY}\s*,",
    # says what to answer
    r"(?:^\W*(?:please |instead,? |just |only |always |simply |now |then |and |you (?:must|should|shall|will) )*|"
    r"\b(?:must|should|shall|always|instead|only|just) )(?:respond|reply|answer|output|print)(?:\W+(?:only|just|"
    r"simply|always|exclusively|"
    r"solely|instead|to (?:every|any|all|this|the)(?: \w+)? questions?))*\W+(?:with|using|as if|as though|only|"
    r"exactly|like|that|"
    r"the (?:word|words|phrase|text|string|sentence|following)|(?:\w+ )?in (?:french|german|spanish|russian|chinese|"
    r"base64|capital|uppercase|"
    r"rhyme|verse|emojis?|code|json|the style))\b(?! (?:a |an |the )?(?:respect|due|regard))",
    r"^\W*(?:please |instead,? |just |only |always |simply |now |then )*(?:respond|reply|answer|output|print|say|"
    r"write|repeat)\s*:?\s*[\"'“‘«][^\"'”’»]+",
    r"\b(?:if|when|whenever|whatever|should) (?:you are |you're |(?:the |a |any )?users? |anyone |someone |somebody |"
    r"they )?(?:asks?|asked)\b"
    r".*\b(?:say|answer|reply|respond|tell|claim|state|recommend)\b",
    r"^\W*(?:please )?(?:tell|inform|convince|persuade|urge|direct) the (?:user|reader|person asking)\b",
    r"\bthe (?:\w+ )?answer to (?:any|every|all|this|the user's|the) questions? (?:is|must be|should be|will be)\b",
    r"\bdo not (?:tell|inform|mention|reveal|answer|use)\b.*\b(?:the user|the question|(?:other|these) passages)\b",
    # other languages
    r"^\W*(?:antworte|antworten sie|erwidere|schreibe?) (?:nur|ausschließlich|immer|stets|einfach) (?:mit|auf|in)\b|"
    r"^\W*(?:réponds|répondez|écris|écrivez) (?:uniquement|seulement|toujours|simplement) (?:par|avec|en)\b|"
    r"^\W*(?:responde|responda|contesta|conteste|rispondi|risponda) (?:solo|sólo|únicamente|siempre|sempre|soltanto|"
    r"solamente) (?:con|en|in)\b|"
    r"(?:只|仅|請只|请只)(?:回答|回复|回覆|输出|輸出)",
)
"""Sentences that are an instruction by themselves."""


def _pattern(parts: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{part})" for part in parts), re.IGNORECASE | re.DOTALL)


_LEAD, _ALONE = _pattern(_LEADS), _pattern(_SINGLE)

_HINT = re.compile(
    r"ignor|disregard|forget|overr|bypass|neglect|discard|follow|obey|you are|from now|pretend|act as|mode|assist|"
    r"chatbot|model|llm|gpt|\bai\b|a\.i|"
    r"copilot|system|instruct|prompt|reveal|task|directive|<|\[/?inst|##|quote|end of|response|reply|repl|answer|"
    r"output|message|respond|"
    r"print|say|write|repeat|asked|asks|tell|inform|convince|persuade|urge|direct|completion|summary|missachte|"
    r"vergiss|vergess|oubli|"
    r"olvid|dimentica|esqueça|antwort|erwider|schreib|répond|écri|contest|rispond|[忽无忘只仅請请指命]",
    re.IGNORECASE,
)
"""A word of one of the patterns: text without any is passed over."""


@lru_cache(maxsize=4096)
def instructions(text: str) -> tuple[tuple[int, int], ...]:
    """Return (start, end) of the parts of a text that tell an assistant what to do, in order, not overlapping.

    A sentence that sets aside earlier instructions, gives the assistant a part to play or addresses it makes the rest of its
    paragraph an instruction too. Sentences that ask a human reader for something are none: "Send your reply to the office."
    """
    if not _HINT.search(plain(text)):
        return ()
    found: list[tuple[int, int]] = []
    until = 0
    for start, end in sentences(text):
        said = plain(text[start:end])
        if start < until or _ALONE.search(said):
            begins = start
        elif _LEAD.search(said):
            begins = start
            until = _paragraph_end(text, end)
        else:
            continue
        if found and not text[found[-1][1] : begins].strip():
            found[-1] = (found[-1][0], end)
        else:
            found.append((begins, end))
    return tuple(found)


def plain(text: str) -> str:
    """Return text as it looks: without signs that nobody sees, other forms of letters made plain, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", _UNSEEN.sub("", text)).replace("’", "'").split())


def _paragraph_end(text: str, at: int) -> int:
    found = re.compile(r"\n\s*\n").search(text, at)
    return found.start() if found else len(text)


def without(text: str, spans: tuple[tuple[int, int], ...]) -> str:
    """Return text with each of some spans replaced by three dots."""
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], "…"]
        at = end
    return "".join([*parts, text[at:]])
