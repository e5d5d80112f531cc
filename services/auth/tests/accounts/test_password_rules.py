"""What looking at a password may cost."""

from __future__ import annotations

import sys
import unicodedata
from types import FrameType
from typing import Any

import pytest

from servicekit.errors import InvalidRequest
from services.auth.accounts.domain.password import PasswordRules

RULES = PasswordRules(frozenset())


def test_no_normal_form_is_made_of_what_is_too_long_anyway() -> None:
    """Whoever registers is a stranger: 28,000 accents in a row took two seconds of everybody's logins."""
    made: list[object] = []

    def note(frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_call" and arg is unicodedata.normalize:
            made.append(frame)

    sys.setprofile(note)
    try:
        with pytest.raises(InvalidRequest, match="8 to 256 characters"):
            RULES.check("a" + "\u0315\u0300" * 14_000)
    finally:
        sys.setprofile(None)

    assert made == []


def test_a_refusal_tells_the_lengths_of_the_settings() -> None:
    """Pages say them, in their language."""
    with pytest.raises(InvalidRequest) as caught:
        PasswordRules(frozenset(), 14, 200).check("thirteen long")

    assert caught.value.details == {"problem": "password_length", "min_length": "14", "max_length": "200"}


def test_the_longest_password_may_be_typed_with_four_characters_for_each() -> None:
    """Its length is that of the normal form."""
    assert len(RULES.check("\u03b1\u0313\u0300\u0345" * 250 + "bcdefg")) == 256
