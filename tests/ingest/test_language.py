"""The language of a text."""

from __future__ import annotations

import pytest

from ingest.language import language

ARTICLE = {
    "en": "All human beings are born free and equal in dignity and rights.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
    "ru": "Все люди рождаются свободными и равными в своём достоинстве и правах.",
    "uk": "Всі люди народжуються вільними і рівними у своїй гідності та правах.",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια.",
    "zh": "人人生而自由，在尊严和权利上一律平等。",
    "ja": "すべての人間は、生まれながらにして自由である。",
    "ko": "모든 人間은 태어날 때부터 自由로우며 평등하다.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน",
    "ar": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
    "fa": "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند.",
    "he": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।",
}


@pytest.mark.parametrize(("code", "text"), ARTICLE.items())
def test_a_sentence_tells_its_language(code: str, text: str) -> None:
    """One sentence is enough, alone and repeated for pages."""
    assert language(text) == language(f"{text}\n" * 2000) == code


def test_the_larger_part_decides() -> None:
    """A quotation in another script does not change a document's language."""
    assert language(f"{ARTICLE['en']} " * 5 + ARTICLE["ja"]) == "en"
    assert language(ARTICLE["ar"] * 3 + ARTICLE["en"]) == "ar"


@pytest.mark.parametrize("text", ["", "12.5 | 13.7\n", "Total", "| a | b |\n" * 50])
def test_too_little_text_has_no_language(text: str) -> None:
    """Figures and a word or two are no language."""
    assert language(text) is None
