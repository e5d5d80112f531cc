"""Finds operations and codes of errors: every word must be somewhere in what is said of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from services.gateway.reference.shown.operations import Room, ShownOperation

MOST_FOUND: Final = 40
LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """An operation with what is searched: `title` counts before the rest; all in small letters."""

    operation: ShownOperation
    title: str
    rest: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, the best first; `count` operations in all, of which `operations` are shown."""

    operations: tuple[ShownOperation, ...]
    count: int
    codes: tuple[str, ...]


class Search:
    """Searches titles in all languages, and everything else that the description says."""

    def __init__(self, rooms: Iterable[Room], titles: Iterable[Mapping[str, str]], codes: Mapping[str, str]) -> None:
        texts = list(titles)
        self._codes = {code: f"{code} {said}".lower() for code, said in codes.items()}
        self._entries = [
            Entry(operation, _title(operation, texts), _rest(operation))
            for room in rooms
            for operation in room.operations
        ]

    def find(self, phrase: str) -> Found:
        """Return what has every word of the phrase."""
        words = phrase[:LONGEST].lower().split()
        scored = [(_score(words, entry), entry.operation) for entry in self._entries]
        # Sorting keeps the order of the description among equals.
        best = [operation for score, operation in sorted(scored, key=lambda each: -each[0]) if score]
        codes = [code for code, said in self._codes.items() if words and all(word in said for word in words)]
        return Found(tuple(best[:MOST_FOUND]), len(best), tuple(codes))


def _score(words: list[str], entry: Entry) -> int:
    scores = [2 if word in entry.title else 1 if word in entry.rest else 0 for word in words]
    return sum(scores) if all(scores) else 0


def _title(operation: ShownOperation, titles: Iterable[Mapping[str, str]]) -> str:
    said = [operation.method, operation.path, operation.id, operation.summary]
    return " ".join([*said, *(title.get(operation.id, "") for title in titles)]).lower()


def _rest(operation: ShownOperation) -> str:
    # Codes of errors are the same nearly everywhere: they are found by themselves.
    said = {name: value for name, value in asdict(operation).items() if name not in ("errors", "samples")}
    return json.dumps(said, ensure_ascii=False).lower()
