"""Answers that come in many pieces."""

from __future__ import annotations

from services.gateway.inference.streaming.growing_text import GrowingText


class _Piece(str):
    """Counts the letters that are copied when it is put behind a text."""

    copied = 0

    def __radd__(self, before: str) -> _Piece:
        """Put it behind."""
        _Piece.copied += len(before)
        return _Piece(str(before) + str(self))


def test_a_text_is_not_copied_with_each_piece_of_it() -> None:
    """A hundred thousand pieces of an answer of some megabytes: half a minute of copying."""
    growing = GrowingText()

    for _ in range(1000):
        growing.add(_Piece("слово "))

    assert growing.text == "слово " * 1000
    assert _Piece.copied == 0


def test_a_text_grows_on_after_it_was_asked_for() -> None:
    """An error tells what there is; what comes behind it is not lost."""
    growing = GrowingText()
    assert growing.text == ""

    for piece in "абв":
        growing.add(piece)
        assert growing.text.endswith(piece)

    assert growing.text == "абв"
