"""The toy tokenizer."""

import pytest

from emulator.toy_model import tokenizer


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("река", 1), ("стоянка у реки!", 5), ("a b  c\n", 3), ("x" * 13, 3), ("👍🏽", 2), ('{"a":1}', 7)],
)
def test_counts_pieces_of_six_and_single_signs(text: str, expected: int) -> None:
    """The documented rule holds for letters, signs, blanks and emoji."""
    assert tokenizer.count(text) == expected == len(tokenizer.pieces(text))


def test_a_text_cut_behind_its_nth_token_has_n_tokens() -> None:
    """Streams can be checked chunk by chunk."""
    text = "Северная стоянка — ближе всех к реке: 400 м."

    counts = [tokenizer.count(text[:end]) for end in tokenizer.token_ends(text)]

    assert counts == list(range(1, tokenizer.count(text) + 1))


def test_clips_to_the_tokens_allowed() -> None:
    """A clipped text keeps exactly the allowed tokens, a short one all of its own."""
    assert tokenizer.clip("раз два три", 2) == "раз два"
    assert tokenizer.clip("раз", 5) == "раз"
    assert tokenizer.clip("раз", 0) == ""
