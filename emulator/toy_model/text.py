"""Deterministic answers: sentences chosen by a seed, and JSON made from a schema."""

import bisect
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec

from emulator.toy_model.language import ENGLISH, RUSSIAN, Grammar, sentences
from emulator.toy_model.tokenizer import token_ends

_TALL: Final = 6
# A string of a schema with one of these formats gets a fixed value.
_OF_FORMAT: Final = {
    "date": "2026-10-05", "date-time": "2026-10-05T09:30:00Z", "time": "09:30:00Z", "email": "camp@example.org",
    "uri": "https://example.org/camp", "uuid": "5b6f8f3e-2f57-4f0a-9c39-2f4f1f0c7a11",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Book:
    """All sentences of a language twice over, so that a passage may begin at any of the first half."""

    text: str
    ends: list[int]  # the character offset behind each token
    starts: list[int]  # the number of the token that begins each sentence


@cache
def _book(grammar: Grammar) -> _Book:
    starts, tokens, row = list[int](), 0, list(sentences(grammar))
    for sentence in [*row, *row]:
        starts.append(tokens)
        tokens += len(token_ends(sentence))
    text = " ".join([*row, *row])
    return _Book(text, token_ends(text), starts)


class Passage:
    """A text and where its tokens end."""

    __slots__ = ("_ends", "_first", "_offset", "text", "tokens")

    def __init__(self, text: str, tokens: int, ends: list[int], first: int = 0, offset: int = 0) -> None:
        """Keep the text; its tokens end where `ends` says from `first` on, less `offset` characters."""
        self.text, self.tokens, self._ends, self._first, self._offset = text, tokens, ends, first, offset

    def end_of(self, tokens: int) -> int:
        """Return the character offset behind the given number of tokens."""
        return 0 if tokens == 0 else self._ends[self._first + tokens - 1] - self._offset


def passage(seed: int, tokens: int, *, english: bool = False, whole: bool = False) -> Passage:
    """Return the text that belongs to the seed: so many tokens, or more up to the end of a sentence when `whole`."""
    book = _book(ENGLISH if english else RUSSIAN)
    half = len(book.starts) // 2
    first = book.starts[seed % half]
    if whole:
        tokens = book.starts[bisect.bisect_left(book.starts, first + tokens, hi=len(book.starts) - 1)] - first
    offset = 0 if first == 0 else book.ends[first - 1] + 1
    if first + tokens <= len(book.ends):
        end = book.ends[first + tokens - 1] if tokens else offset
        return Passage(book.text[offset:end], tokens, book.ends, first, offset)
    return _long(book, book.starts[half], offset, tokens)


def _long(book: _Book, ring_tokens: int, offset: int, tokens: int) -> Passage:
    """Return a passage longer than the book, which begins again and again."""
    ring = book.text[: book.ends[ring_tokens - 1]]
    text = " ".join([ring] * (tokens // ring_tokens + 2))[offset:]
    ends = token_ends(text)[:tokens]
    return Passage(text[: ends[-1]], tokens, ends)


def phrase(seed: int) -> str:
    """Return two or three words without a sentence around them."""
    return RUSSIAN.subjects[seed % len(RUSSIAN.subjects)]


def measured(text: str) -> Passage:
    """Return any text as a passage."""
    ends = token_ends(text)
    return Passage(text, len(ends), ends)


def json_text(schema: dict[str, Any] | None, seed: int) -> str:
    """Return JSON that fits the schema, or a small object when there is none."""
    if schema is None:
        return dump({"answer": passage(seed, 6, whole=True).text})
    return dump(instance_of(schema, seed, schema))


def dump(value: object) -> str:
    """Return compact JSON."""
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
            return instance_of(_choice(schema[union], depth), seed, root, depth + 1)
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
    if kind == "array" and schema.get("prefixItems"):
        parts = enumerate(schema["prefixItems"])
        return [instance_of(part, seed + number, root, depth + 1) for number, part in parts]
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
    text = _OF_FORMAT.get(str(schema.get("format"))) or phrase(seed)
    return text.ljust(int(schema.get("minLength", 0)), "о")[: int(schema.get("maxLength", 10_000))]


def _choice(parts: list[dict[str, Any]], depth: int) -> dict[str, Any]:
    """Return the first of a union; the null in it where a tree grew tall, for it may have no other end."""
    return next((part for part in parts if depth > _TALL and part.get("type") == "null"), parts[0])


def _resolve(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}
