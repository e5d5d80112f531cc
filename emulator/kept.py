"""What the emulator keeps in memory between calls: so much of each kind, and then the oldest makes room."""

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

MOST_KEPT: Final = 1_000
T = TypeVar("T")


class Kept(Generic[T]):
    """Objects by their ids, the oldest first."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        """Keep at most so many."""
        self._most = most
        self._objects: dict[str, T] = {}

    def put(self, object_id: str, value: T) -> T:
        """Keep an object, and return it; a new one may push the oldest out."""
        if object_id not in self._objects and len(self._objects) >= self._most:
            self._objects.pop(next(iter(self._objects)))
        self._objects[object_id] = value
        return value

    def get(self, object_id: str | None) -> T | None:
        """Return the object, None when there is none."""
        return self._objects.get(object_id) if object_id else None

    def drop(self, object_id: str) -> T | None:
        """Forget an object; return what it was."""
        return self._objects.pop(object_id, None)

    def __iter__(self) -> Iterator[T]:
        """Go through them from the oldest on; what goes in meanwhile is not seen."""
        return iter(list(self._objects.values()))

    def names(self) -> list[str]:
        """Return the ids, the oldest first."""
        return list(self._objects)
