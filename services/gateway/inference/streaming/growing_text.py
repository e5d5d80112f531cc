"""A text that comes in pieces: a hundred thousand of them are copied once, not each time that one comes."""

from __future__ import annotations


class GrowingText:
    """Grows; whoever asks gets what there is."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def add(self, piece: str) -> None:
        """Add a piece at the end."""
        self._pieces.append(piece)

    @property
    def text(self) -> str:
        """All pieces so far."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""
