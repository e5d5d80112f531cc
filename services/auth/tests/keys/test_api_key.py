"""The layout of keys: what is well-formed, what is mistyped, what may be an old one."""

from __future__ import annotations

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.keys.domain import api_key
from services.auth.keys.domain.api_key import BASE62, SecretForm


def test_keys_have_the_published_layout() -> None:
    """A scanner's fixed expression finds every key, and no two are the same."""
    keys = {api_key.generate() for _ in range(200)}

    assert len(keys) == 200
    assert all(re.fullmatch(r"rz_live_[0-9A-Za-z]{43}[0-9A-Za-z]{6}", key) for key in keys)


def test_checksum_is_crc32_in_base62() -> None:
    """The last six characters decode to the CRC32 of the 43 before them."""
    key = api_key.generate()
    body, end = key[8:51], key[51:]

    decoded = 0
    for digit in end:
        decoded = decoded * 62 + BASE62.index(digit)

    assert decoded == zlib.crc32(body.encode())


@given(st.integers(8, 56), st.sampled_from(BASE62))
def test_one_wrong_character_is_noticed(position: int, replacement: str) -> None:
    """CRC32 finds every error within 32 bits."""
    key = "rz_live_" + "k" * 43 + api_key.checksum("k" * 43)
    typed = key[:position] + replacement + key[position + 1 :]

    expected = SecretForm.KEY if typed == key else SecretForm.MISTYPED

    assert api_key.form_of(typed) is expected


@pytest.mark.parametrize(
    ("secret", "form"),
    [
        pytest.param("", SecretForm.MISTYPED, id="empty"),
        pytest.param("sk-old-key-of-release-1-0", SecretForm.MAYBE_LEGACY, id="another layout"),
        pytest.param("rz_live_short", SecretForm.MAYBE_LEGACY, id="our prefix, another length"),
        pytest.param("ключ-первого-выпуска", SecretForm.MAYBE_LEGACY, id="not ASCII"),
        pytest.param("key\x00", SecretForm.MISTYPED, id="NUL"),
        pytest.param("key\r\n", SecretForm.MISTYPED, id="line break"),
        pytest.param("k" * 512, SecretForm.MAYBE_LEGACY, id="longest"),
        pytest.param("k" * 513, SecretForm.MISTYPED, id="too long"),
        pytest.param("rz_live_" + "а" * 49, SecretForm.MAYBE_LEGACY, id="Cyrillic letters that look like Latin"),
        pytest.param("rz_live_" + "٣" * 49, SecretForm.MAYBE_LEGACY, id="digits that are not ASCII"),
    ],
)
def test_form_of(secret: str, form: SecretForm) -> None:
    """What can't be a key is told apart without a lookup."""
    assert api_key.form_of(secret) is form


def test_a_trailing_line_break_is_not_ignored() -> None:
    """`$` would let one through."""
    assert api_key.form_of(api_key.generate() + "\n") is SecretForm.MISTYPED


@given(st.text(max_size=80))
def test_lists_show_at_most_a_third_of_a_secret(secret: str) -> None:
    """What is shown never gives a short secret away."""
    shown = "".join(api_key.shown_parts(secret))

    assert len(shown) * 3 <= len(secret)
