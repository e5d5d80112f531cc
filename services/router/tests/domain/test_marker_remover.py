"""A model's control text is taken out of a stream, and nothing else."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.marker_remover import MarkerRemover

MARKER = "[TOOL_CALL_END]"
PIECES = st.lists(st.sampled_from(["[", "[TOOL", "_CALL_END]", MARKER, "а", "END]", "[[", "]"]), max_size=12)


@given(PIECES)
def test_only_the_marker_is_taken_out_wherever_the_text_is_cut(pieces: list[str]) -> None:
    """As if the text had come in one piece."""
    remover = MarkerRemover(MARKER)

    shown = "".join(remover.feed(piece) for piece in pieces) + remover.flush()

    assert shown == "".join(pieces).replace(MARKER, "")


@given(st.text(max_size=50), st.lists(st.integers(0, 50), max_size=5))
def test_text_without_a_marker_comes_whole(text: str, cuts: list[int]) -> None:
    """Nothing that only looks like its beginning is kept back."""
    remover = MarkerRemover(MARKER)
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]

    pieces = [text[start:end] for start, end in pairwise(places)]

    assert "".join(remover.feed(piece) for piece in pieces) + remover.flush() == text.replace(MARKER, "")
