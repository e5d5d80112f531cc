"""Sentences that read like language, Russian and English: a small grammar and a dice that always falls alike."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SENTENCES: Final = 512
_MARKER: Final = re.compile(r"\[\[.*?\]\]", re.DOTALL)
_CYRILLIC: Final = re.compile(r"[Ѐ-ӿ]")
_LATIN_WORD: Final = re.compile(r"[A-Za-z]{3,}")


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a sentence is made of: when, who, does what, and what else; every part goes with every other."""

    openings: tuple[str, ...]
    subjects: tuple[str, ...]
    actions: tuple[str, ...]
    endings: tuple[str, ...]


RUSSIAN: Final = Grammar(
    openings=(
        "Утром", "К вечеру", "После дождя", "Зимой", "В ясный день", "Иногда", "Обычно", "Весной", "На рассвете",
        "Говорят, что", "Известно, что", "Поэтому", "В это время",
    ),
    subjects=(
        "старый проводник", "молодой олень", "северный ветер", "тихая река", "рыбак из посёлка", "большой караван",
        "утренний туман", "белая сова", "хозяйка чума", "наш отряд", "опытный охотник", "первый снег",
    ),
    actions=(
        "движется вдоль берега", "останавливается у озера", "возвращается к стоянке", "уходит за дальние сопки",
        "огибает старый лес", "приходит раньше срока", "держится ближе к воде", "спешит на север",
        "не торопится в путь", "ищет короткую дорогу", "появляется над тундрой", "ночует у подножия горы",
    ),
    endings=(
        "", ", и снег скрипит под ногами", ", потому что лёд уже тонок", ", пока не стемнело",
        ", а над лесом встаёт луна", ", хотя до весны ещё далеко", ", и у костра становится теплее",
        ", где летом много рыбы",
    ),
)  # fmt: skip
ENGLISH: Final = Grammar(
    openings=(
        "In the morning", "By evening", "After the rain", "In winter", "On a clear day", "Sometimes", "As a rule",
        "In spring", "At dawn", "People say that", "It is known that", "For this reason", "Meanwhile",
    ),
    subjects=(
        "the old guide", "a young reindeer", "the north wind", "the quiet river", "a fisherman", "the long caravan",
        "the morning fog", "a white owl", "the hostess of the camp", "our party", "a skilled hunter", "the first snow",
    ),
    actions=(
        "moves along the shore", "stops at the lake", "returns to the camp", "goes beyond the far hills",
        "passes the old forest", "comes before its time", "keeps close to the water", "hurries to the north",
        "is in no hurry to set out", "looks for a short way", "appears over the tundra", "rests below the mountain",
    ),
    endings=(
        "", ", and the snow creaks underfoot", ", because the ice is already thin", ", until it gets dark",
        ", while the moon rises over the trees", ", though spring is still far away",
        ", and it grows warmer by the fire", ", where there is much fish in summer",
    ),
)  # fmt: skip


def is_english(prompt: str) -> bool:
    """Tell whether a question is put in English; Russian is the rule. Directions to the emulator do not count."""
    text = _MARKER.sub("", prompt)
    return _CYRILLIC.search(text) is None and _LATIN_WORD.search(text) is not None


def sentences(grammar: Grammar) -> Iterator[str]:
    """Yield the fixed row of sentences of a language."""
    dice = _dice()
    for _ in range(SENTENCES):
        parts = grammar.openings, grammar.subjects, grammar.actions, grammar.endings
        opening, subject, action, ending = (part[next(dice) % len(part)] for part in parts)
        yield f"{opening} {subject} {action}{ending}."


def _dice() -> Iterator[int]:
    """Yield the same numbers on every machine and version: a linear congruential generator."""
    state = 20261005
    while True:
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield state >> 16
