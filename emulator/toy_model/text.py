"""Deterministic answers: Russian words chosen by a seed, and JSON made from a schema."""

from typing import Any, Final

import msgspec

from emulator.toy_model.tokenizer import token_ends

# Every word is at most six letters, hence exactly one toy token: N words are N tokens.
WORDS: Final = [
    "снег",
    "река",
    "берег",
    "олень",
    "тундра",
    "лодка",
    "ветер",
    "север",
    "утро",
    "вечер",
    "дорога",
    "костёр",
    "мороз",
    "рыба",
    "чум",
    "нарта",
    "лес",
    "гора",
    "озеро",
    "мох",
    "звезда",
    "туман",
    "лёд",
    "пурга",
    "сопка",
    "ягода",
    "остров",
    "мост",
    "город",
    "дом",
    "окно",
    "печь",
    "чай",
    "хлеб",
    "соль",
    "нож",
    "сеть",
    "весло",
    "парус",
    "якорь",
    "карта",
    "компас",
    "след",
    "тропа",
    "холм",
    "овраг",
    "поле",
    "трава",
    "камень",
    "песок",
    "глина",
    "волна",
    "дождь",
    "гроза",
    "луна",
    "солнце",
    "день",
    "ночь",
    "час",
    "год",
]
RING: Final = 4096


def _build_ring() -> list[str]:
    state, ring = 20261005, list[str]()
    for _ in range(RING):
        # A fixed linear congruential generator: the words must be the same on every machine and version.
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        ring.append(WORDS[(state >> 16) % len(WORDS)])
    return ring


_RING: Final = _build_ring()
_TWICE: Final = " ".join(_RING + _RING)
_STARTS: Final = [0]
for _word in _RING + _RING:
    _STARTS.append(_STARTS[-1] + len(_word) + 1)


class Passage:
    """A text and where its tokens end."""

    __slots__ = ("_ends", "_start", "text", "tokens")

    def __init__(self, text: str, tokens: int, start: int, ends: list[int] | None) -> None:
        """Keep the text; `start` is its first word in the ring when `ends` is not known yet."""
        self.text, self.tokens, self._start, self._ends = text, tokens, start, ends

    def end_of(self, tokens: int) -> int:
        """Return the character offset behind the given number of tokens."""
        if tokens == 0:
            return 0
        if self._ends is None:
            return _STARTS[self._start + tokens] - _STARTS[self._start] - 1
        return self._ends[tokens - 1]


def passage(seed: int, tokens: int) -> Passage:
    """Return the words that belong to the seed; as many as tokens are wanted."""
    start = seed % RING
    if start + tokens < len(_STARTS):
        text = _TWICE[_STARTS[start] : max(_STARTS[start], _STARTS[start + tokens] - 1)]
        return Passage(text, tokens, start, None)
    ring = _RING * (tokens // RING + 2)
    return measured(" ".join(ring[start : start + tokens]))


def measured(text: str) -> Passage:
    """Return any text as a passage."""
    ends = token_ends(text)
    return Passage(text, len(ends), 0, ends)


def json_text(schema: dict[str, Any] | None, seed: int) -> str:
    """Return JSON that fits the schema, or a small object when there is none."""
    if schema is None:
        return _dump({"answer": passage(seed, 6).text})
    return _dump(instance_of(schema, seed, schema))


def _dump(value: object) -> str:
    return msgspec.json.encode(value).decode()


def instance_of(schema: dict[str, Any], seed: int, root: dict[str, Any] | None = None, depth: int = 0) -> Any:
    """Return one value that the JSON Schema accepts (the subset that structured output uses)."""
    root = schema if root is None else root
    if "$ref" in schema:
        schema = _resolve(schema["$ref"], root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][seed % len(schema["enum"])]
    for union in ("anyOf", "oneOf", "allOf"):
        if schema.get(union):
            return instance_of(schema[union][0], seed, root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    return _value_of(str(kind), schema, seed, root, depth)


def _value_of(kind: str, schema: dict[str, Any], seed: int, root: dict[str, Any], depth: int) -> Any:
    if kind == "object":
        properties: dict[str, Any] = schema.get("properties", {}) if depth < 16 else {}
        return {
            name: instance_of(part, seed + number, root, depth + 1)
            for number, (name, part) in enumerate(properties.items(), start=1)
        }
    if kind == "array":
        size = max(1, int(schema.get("minItems", 1))) if depth < 16 else 0
        return [instance_of(schema.get("items", {}), seed + number, root, depth + 1) for number in range(size)]
    if kind in ("integer", "number"):
        low = schema.get("minimum", 1)
        high = schema.get("maximum", low + 99)
        number = low + seed % max(1, int(high - low) + 1)
        return int(number) if kind == "integer" else float(number) + (0.5 if number + 0.5 <= high else 0.0)
    if kind == "boolean":
        return seed % 2 == 0
    if kind == "null":
        return None
    text = passage(seed, 2).text
    return text.ljust(int(schema.get("minLength", 0)), "о")[: int(schema.get("maxLength", 10_000))]


def _resolve(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}
