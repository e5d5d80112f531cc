"""Deterministic answers: sentences chosen by a seed, and JSON made from a schema."""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec

from emulator.toy_model.language import ENGLISH, RUSSIAN, Grammar, sentences
from emulator.toy_model.tokenizer import token_ends

_TALL: Final = 6
MOST_DEPTH: Final = 16
MOST_VALUES: Final = 10_000
MOST_LETTERS: Final = 100_000
Part = TypeVar("Part")
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
    return dump(instance_of(schema, seed))


def dump(value: object) -> str:
    """Return compact JSON."""
    return msgspec.json.encode(value).decode()


def instance_of(schema: dict[str, Any], seed: int) -> Any:
    """Return one value that the JSON Schema accepts (the subset that structured output uses).

    Of a schema that asks for more than `MOST_VALUES` values, or for longer strings than `MOST_LETTERS`, the rest is
    left out: a few references within each other ask for millions.
    """
    return _Instance(schema).of(schema, seed)


class _Instance:
    """A value that is being made: what references mean, and how many values may still be made."""

    __slots__ = ("_left", "_root")

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._left = MOST_VALUES

    def of(self, schema: dict[str, Any], seed: int, depth: int = 0) -> Any:
        self._left -= 1
        if "$ref" in schema:
            schema = _resolve(schema["$ref"], self._root)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][seed % len(schema["enum"])]
        for union in ("anyOf", "oneOf", "allOf"):
            if schema.get(union) and depth < MOST_DEPTH:
                return self.of(_choice(schema[union], depth), seed, depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((name for name in kind if name != "null"), "null")
        return self._of_kind(str(kind), schema, seed, depth)

    def _of_kind(self, kind: str, schema: dict[str, Any], seed: int, depth: int) -> Any:
        if kind == "object":
            names = self._within(schema.get("properties", {}), depth)
            parts = self._each([schema["properties"][name] for name in names], seed + 1, depth)
            return dict(zip(names, parts, strict=False))
        if kind == "array" and schema.get("prefixItems"):
            return self._each(self._within(schema["prefixItems"], depth), seed, depth)
        if kind == "array":
            size = range(max(1, int(schema.get("minItems", 1))))
            return self._each([schema.get("items", {}) for _ in self._within(size, depth)], seed, depth)
        if kind in ("integer", "number"):
            return _number(kind, schema, seed)
        if kind == "boolean":
            return seed % 2 == 0
        return None if kind == "null" else _string(schema, seed)

    def _within(self, parts: Iterable[Part], depth: int) -> list[Part]:
        return list(islice(parts, max(0, self._left) if depth < MOST_DEPTH else 0))

    def _each(self, schemas: list[dict[str, Any]], seed: int, depth: int) -> list[Any]:
        made: list[Any] = []
        for number, schema in enumerate(schemas):
            if self._left <= 0:
                break
            made.append(self.of(schema, seed + number, depth + 1))
        return made


def _number(kind: str, schema: dict[str, Any], seed: int) -> float:
    low = schema.get("minimum", 1)
    high = schema.get("maximum", low + 99)
    number = low + seed % max(1, int(high - low) + 1)
    return int(number) if kind == "integer" else float(number) + (0.5 if number + 0.5 <= high else 0.0)


def _string(schema: dict[str, Any], seed: int) -> str:
    text = _OF_FORMAT.get(str(schema.get("format"))) or phrase(seed)
    least = min(int(schema.get("minLength", 0)), MOST_LETTERS)
    return text.ljust(least, "о")[: int(schema.get("maxLength", 10_000))]


def _choice(parts: list[dict[str, Any]], depth: int) -> dict[str, Any]:
    """Return the first of a union; the null in it where a tree grew tall, for it may have no other end."""
    return next((part for part in parts if depth > _TALL and part.get("type") == "null"), parts[0])


def _resolve(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}
