"""Says in which language a text is written, offline: by its script, and among languages of one script by its letters."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

SAMPLE, SLICES = 6000, 6
"""Characters that are looked at, and in how many slices spread over a longer text."""
FEWEST_LETTERS = 20
"""A guess among languages of one script needs this many letters, repeated words left out; fewer say too little."""

_SCRIPTS = {
    name: re.compile(f"[{letters}]")
    for name, letters in {
        "Latin": "A-Za-zªºÀ-ÖØ-öø-ɏḀ-ỿ", "Cyrillic": "Ѐ-ԯ", "Greek": "Ͱ-Ͽἀ-῿", "Han": "々〇㐀-䶿一-鿿豈-﫿\U00020000-\U000323af",
        "Kana": "ぁ-ゖァ-ヺｦ-ﾝ", "Hangul": "가-힣ᄀ-ᇿㄱ-ㆎ", "Thai": "ก-ฮ", "Lao": "ກ-ຮ", "Khmer": "ក-ឳ", "Burmese": "က-ဪ",
        "Arabic": "\u0620-\u064a\u066e-\u06d3\u06fa-\u06ff\ufb50-\ufdff\ufe70-\ufefc", "Hebrew": "\u05d0-\u05ea\ufb1d-\ufb4f",
        "Devanagari": "ऄ-ह", "Bengali": "অ-হ", "Gurmukhi": "ਅ-ਹ", "Gujarati": "અ-હ", "Oriya": "ଅ-ହ", "Tamil": "அ-ஹ",
        "Telugu": "అ-హ", "Kannada": "ಅ-ಹ", "Malayalam": "അ-ഹ", "Sinhala": "අ-ෆ", "Armenian": "Ա-և", "Georgian": "Ⴀ-ჿ",
        "Ethiopic": "ሀ-ፚ", "Tibetan": "ཀ-ཬ",
    }.items()
}  # fmt: skip
_LANGUAGES = {
    name: tuple(codes.split())
    for name, codes in {
        "Latin": "af az ca cs cy da de en eo es et eu fi fr ga gl ha hr hu id ig is it la lb lt lv mg ms mt nl nn no pl pt ro rw "
        "sk sl so sq st sv sw tl tr uz vi xh yo zu",
        "Cyrillic": "be bg kk ky mk mn ru sr tg tt uk", "Arabic": "ar fa ps ug ur", "Devanagari": "hi mr ne", "Bengali": "as bn",
        "Greek": "el", "Han": "zh", "Kana": "ja", "Hangul": "ko", "Thai": "th", "Lao": "lo", "Khmer": "km", "Burmese": "my",
        "Hebrew": "he", "Gurmukhi": "pa", "Gujarati": "gu", "Oriya": "or", "Tamil": "ta", "Telugu": "te", "Kannada": "kn",
        "Malayalam": "ml", "Sinhala": "si", "Armenian": "hy", "Georgian": "ka", "Ethiopic": "am", "Tibetan": "bo",
    }.items()
}  # fmt: skip
"""Script → ISO 639-1 codes of the languages that are told apart in it."""

LANGUAGES = frozenset(code for codes in _LANGUAGES.values() for code in codes)
"""The codes that `language` can return."""

_OWN_SHARE = 0.05
"""Chinese has neither Kana nor Hangul; Japanese and Korean with Han signs have more of their own than this in every sentence."""
_SIGN_WEIGHT = 2.5
"""A sign of Han or Hangul says about as much as this many letters of an alphabet."""


def scripts(text: str) -> dict[str, int]:
    """Return how many letters of each script a text has."""
    return {name: len(letters.findall(text)) for name, letters in _SCRIPTS.items()}


def language(text: str) -> str | None:
    """Return the ISO 639-1 code of the language that most of a text is written in, or None where it has too few letters."""
    sample = _sample(text)
    counts = scripts(sample)
    own = max("Kana", "Hangul", key=lambda name: counts[name])
    if counts[own] > _OWN_SHARE * (counts["Han"] + counts[own]):
        counts[own] += counts.pop("Han")
    weights = {name: n * (_SIGN_WEIGHT if name in ("Han", "Kana", "Hangul") else 1) for name, n in counts.items()}
    script = max(weights, key=lambda name: weights[name])
    candidates = _LANGUAGES[script]
    if len(candidates) == 1:
        return candidates[0] if counts[script] > 1 else None
    said = " ".join(dict.fromkeys(sample.split()))  # a cell that is repeated in each row says no more than once
    return _likeliest(said, candidates) if len(_SCRIPTS[script].findall(said)) >= FEWEST_LETTERS else None


def _sample(text: str) -> str:
    if len(text) <= SAMPLE:
        return text
    size, step = SAMPLE // SLICES, (len(text) - SAMPLE // SLICES) // (SLICES - 1)
    return "\n".join(text[number * step : number * step + size] for number in range(SLICES))


def _likeliest(text: str, candidates: tuple[str, ...]) -> str:
    ranking: list[tuple[str, float]] = _identifier().rank(text)
    return next(code for code, _ in ranking if code in candidates)


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # unpacking its model takes a second and 100 MB

    return LanguageIdentifier.from_model_file(MODEL_FILE)
