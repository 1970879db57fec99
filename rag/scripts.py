"""Breaks text of scripts without spaces between words, or with words grown together, into pieces that can be searched."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

_HAN = "々〇㐀-䶿一-鿿豈-﫿\U00020000-\U000323af"
_KANA = "ぁ-ゖ゙゚ゝ-ゟァ-ヺー-ヿㇰ-ㇿ"
_HANGUL = "가-힣"
_SOUTHEAST = "\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0ecf\u0edc-\u0edf\u1000-\u103f\u1050-\u109f\u1780-\u17d3\u17d7"
SPACELESS = f"{_HAN}{_KANA}{_HANGUL}{_SOUTHEAST}ㄅ-ㄯ"
"""Characters, for a regular expression, of scripts that are searched by pairs of signs: Han, Kana, Hangul (its words carry
their particles), Bopomofo, Thai, Lao, Burmese, Khmer."""
MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06ed\u0900-\u0963\u0971-\u0df3\u0f71-\u0fbc"
)
"""Signs, for a regular expression, that belong to the word they stand in though Python's \\w leaves them out."""

_ARABIC = "\u0620-\u065f\u066e-\u06d3\u06d5-\u06dc\u06df-\u06e8\u06ea-\u06ef\u06fa-\u06ff\u0750-\u077f\u08a0-\u08ff"
_HEBREW = "\u0591-\u05bd\u05bf-\u05c7\u05d0-\u05ea\u05ef-\u05f2"
_JOINED = re.compile(f"[{_ARABIC}{_HEBREW}]")
_RUN = re.compile(f"([{SPACELESS}]+)")
_OWN = re.compile(f"[{SPACELESS}{_ARABIC}{_HEBREW}]")

_VARIANTS = re.compile(
    "[\u1100-\u11ff\u2e80-\u2fdf\u3131-\u318e\u3200-\u33ff\uf900-\ufaff\ufb1d-\ufdff\ufe70-\ufefe\uff01-\uffdc]+"
    "|[\u3041-\u30ff][\u3099\u309a]"
)
"""Other forms of signs: full and half width, radicals, presentation forms out of PDFs, decomposed Hangul and Kana."""
_DIGITS = re.compile(r"(?![0-9])\d")
_VOWELS = re.compile(
    "[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed]"
)
_AND = re.compile("^[وف](?=ال|لل|بال|كال)")  # the stemmer takes off one of "and" and the article, not both
_FINALS = str.maketrans("ךםןףץ", "כמנפצ")

FUNCTION_WORDS = re.compile(
    # Chinese
    "什么|什麼|甚麼|多少|哪[些里裡个個年一位]?|谁|誰|如何|怎[么麼样樣]|为什么|為什麼|为何|為何|是否|多[长長高大久远遠]|请问|請問|告诉我|告訴我|"
    "[的了吗嗎呢吧是在和与與及或由被把将將对對于於这這那几幾]|"
    # Japanese: question words and endings; particles only between signs that are not Hiragana
    "何[年月日人時分個]?|誰|どこ|どの|どれ|どう|いつ|いくら|いくつ|なぜ|でしょうか|です[か]?|ました?か?|ますか?|ください|について|という|された|した|する|"
    "(?<![ぁ-ゖ])(?:から|まで|より|には|では|とは|[はがをにのでともへや])(?![ぁ-ゖ])|"
    # Korean: question words, and what hangs at the end of a word
    "무엇|누구|언제|어디|어떤|어느|얼마나?|몇|왜|(?<=[가-힣])(?:입니까|습니까|인가요?|나요|까요|에서는?|에게|으로|부터|까지|[은는이가을를에의로와과도])"
    "(?![가-힣])|"
    # Thai
    "อะไร|ที่ไหน|ไหน|เมื่อไร|เมื่อไหร่|เมื่อใด|ใคร|เท่าไร|เท่าไหร่|เท่าใด|กี่|อย่างไร|ยังไง|ทำไม|หรือไม่|ไหม|ครับ|ค่ะ|คือ|ของ|และ"
)
"""What a question in these languages asks with; a sentence that answers it says other words."""
STOP_WORDS = frozenset(
    "ما ماذا من متى أين اين كيف كم لماذا هل أي في على إلى الى عن مع هو هي كان كانت التي الذي هذا هذه أن ان قد تم "
    "מה מי מתי איפה היכן כמה איך למה מדוע האם איזה איזו של את על הוא היא זה זאת עם או גם כי לא היה הייתה".split()
)
"""Arabic and Hebrew words that say nothing of what a question is about."""


def fold(text: str) -> str:
    """Return a text with one form for each sign: full width, presentation forms and the like made plain, digits 0 to 9."""
    if text.isascii():
        return text
    text = _VARIANTS.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    return _DIGITS.sub(lambda match: str(unicodedata.decimal(match.group())), text)


def is_single(word: str) -> bool:
    """Return whether a word is one sign of a script that is searched by pairs."""
    return len(signs(word)) == 1 and bool(_RUN.match(word))


def signs(run: str) -> list[str]:
    """Return the signs of a run, each with the marks that stand on it."""
    found: list[str] = []
    for letter in run:
        if found and unicodedata.category(letter)[0] == "M":
            found[-1] += letter
        else:
            found.append(letter)
    return found


def pieces(word: str) -> Iterator[str]:
    """Yield a word's pieces: pairs of neighbouring signs of a script without spaces, other parts whole.

    A run of one sign yields that sign. Overlapping pairs need no dictionary: docs/decisions/0010-languages.md.
    """
    for number, part in enumerate(_RUN.split(word)):
        if number % 2 == 0:
            if part:
                yield part
            continue
        run = signs(part)
        yield from (one + two for one, two in pairwise(run)) if len(run) > 1 else run


def is_foreign(word: str) -> bool:
    """Return whether a word has letters that the keyword index can't match without help."""
    return bool(_OWN.search(word))


def is_joined(word: str) -> bool:
    """Return whether a word is Arabic or Hebrew: its article, prepositions and conjunctions are written onto it."""
    return bool(_JOINED.search(word))


_STEMMING = threading.Lock()  # see rag/words.py


@lru_cache(maxsize=1)
def _arabic() -> Any:
    import snowballstemmer  # only Arabic text needs it

    return snowballstemmer.stemmer("arabic")


@lru_cache(maxsize=65536)
def root(word: str) -> str:
    """Return an Arabic or Hebrew word without vowel signs, tatweel, what is written onto its front, and common endings."""
    plain = _VOWELS.sub("", word)
    if not re.search(f"[{_HEBREW}]", plain):
        with _STEMMING:
            return str(_arabic().stemWord(_AND.sub("", plain))) or plain
    while len(plain) > 3 and plain[0] in "והבכלמש":
        plain = plain[1:]
    if len(plain) > 4 and plain.endswith(("ים", "ות")):
        plain = plain[:-2]
    return plain.translate(_FINALS)


def last_signs(text: str) -> list[str]:
    """Return the last sign of each run of a script without spaces: with the pairs, every sign begins some piece."""
    return [signs(match.group())[-1] for match in _RUN.finditer(text)]


def single_signs(text: str) -> set[str]:
    """Return the signs of scripts without spaces, each alone."""
    return {sign for match in _RUN.finditer(text) for sign in signs(match.group())}
