"""Numbers, money, ids, addresses, hashes and texts of 1.0, value by value."""

from __future__ import annotations

import base64
import hashlib
import uuid

import pytest

from migrate.rules.emails import compared, placeholder, read_email
from migrate.rules.identifiers import mapped, read_id, read_usage_id
from migrate.rules.key_hashes import read_key_hash
from migrate.rules.money import read_cost
from migrate.rules.texts import read_model, read_name, read_provider
from migrate.rules.verdict import Kept, Refused, Repaired, Stored, Text
from migrate.rules.whole_numbers import read_tokens

HASH = hashlib.sha256(b"rz_live_key").hexdigest()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, Kept(0)),
        (2**31 - 1, Kept(2**31 - 1)),
        (12.0, Repaired(12, "whole_number_as_real")),
        (Text(b" 12 "), Repaired(12, "digits_in_text")),
        (2**31, Refused("tokens_too_many")),
        (-1, Refused("tokens_negative")),
        (12.5, Refused("tokens_not_a_whole_number")),
        (float("nan"), Refused("tokens_not_a_whole_number")),
        (None, Refused("tokens_missing")),
        (b"12", Refused("tokens_not_a_whole_number")),
        *((Text(text.encode()), Refused("tokens_not_a_whole_number"))
          for text in ("1,234", "12 tokens", "1_000", "0x1F", "１２", "", "-1", "12.0")),
    ],
)  # fmt: skip
def test_tokens(value: Stored, expected: object) -> None:
    assert read_tokens(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.001234, Kept(1234)),
        (3, Kept(3_000_000)),
        (0.1 + 0.2, Repaired(300_000, "binary_noise")),
        (1e30, Refused("cost_too_large")),
        (Text(b"1234.000000500000000000000000000001"), Repaired(1_234_000_001, "rounded_half_even")),
        (0.1234565, Repaired(123_456, "rounded_half_even")),
        (0.1234575, Repaired(123_458, "rounded_half_even")),
        (Text(b"1.5"), Repaired(1_500_000, "number_in_text")),
        (-0.0, Kept(0)),
        (9999.999999, Kept(9_999_999_999)),
        (9999.9999999, Refused("cost_too_large")),
        (10_000, Refused("cost_too_large")),
        (-0.5, Refused("cost_negative")),
        (float("inf"), Refused("cost_not_finite")),
        (None, Refused("cost_missing")),
        (Text(b"1,5"), Refused("cost_not_a_number")),
        (Text(b"nan"), Refused("cost_not_a_number")),
        (b"1.5", Refused("cost_not_a_number")),
    ],
)
def test_cost(value: Stored, expected: object) -> None:
    assert read_cost(value) == expected


@pytest.mark.parametrize("text", ["user-1", "a@b.c", "{user}:1", "Пользователь", "x" * 128])
def test_an_id_that_a_caller_could_send_stays_as_it_is(text: str) -> None:
    assert read_id(Text(text.encode()), "user") == Kept(text)


@pytest.mark.parametrize("value", [Text(b""), Text(b"a\0b"), Text(b"\xff"), Text(b"x" * 129), Text(b"a\nb"), b"user-1"])
def test_an_id_that_no_caller_could_send_is_mapped_and_stably(value: Stored) -> None:
    first = read_id(value, "user")

    assert isinstance(first, Repaired)
    assert first == read_id(value, "user")
    assert first != read_id(value, "key")
    assert uuid.UUID(first.value).version == 5


@pytest.mark.parametrize("text", ["team/laptop", ".", ".."])
def test_a_key_that_no_address_can_name_is_mapped_and_a_user_is_not(text: str) -> None:
    """`DELETE /v1/keys/{id}` is the only way to end one; users are named by tokens of 1.0, too."""
    found = read_id(Text(text.encode()), "key")

    assert isinstance(found, Repaired)
    assert found.rule == "id_mapped"
    assert read_id(Text(text.encode()), "user") == Kept(text)


def test_usage_ids_become_uuids() -> None:
    """UUIDs stay, in one notation; others, and those whose own time is not the row's, are mapped."""
    plain = "0e9f3c3e-2c2f-4c5e-9a7e-9b1d2f3a4b5c"
    seventh = "01938f5e-7b00-7000-8000-000000000001"
    its_ms = uuid.UUID(seventh).int >> 80

    assert read_usage_id(Text(plain.encode()), 0) == Kept(uuid.UUID(plain))
    assert read_usage_id(Text(plain.upper().encode()), 0) == Repaired(uuid.UUID(plain), "uuid_rewritten")
    assert read_usage_id(Text(plain.replace("-", "").encode()), 0) == Repaired(uuid.UUID(plain), "uuid_rewritten")
    assert read_usage_id(Text(seventh.encode()), its_ms) == Kept(uuid.UUID(seventh))
    assert read_usage_id(Text(seventh.encode()), its_ms + 1) == Repaired(mapped("usage", seventh.encode()), "id_mapped")
    assert read_usage_id(Text(b"gen-1"), 0) == Repaired(mapped("usage", b"gen-1"), "id_mapped")
    assert read_usage_id(7, 0) == Repaired(mapped("usage", b"7"), "id_mapped")
    assert read_usage_id(None, 0) == Refused("id_missing")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text(b"a@b.ru"), Kept("a@b.ru")),
        (Text(b" A@b.ru\n"), Repaired("A@b.ru", "blanks_trimmed")),
        (None, Repaired(placeholder("u"), "no_address")),
        (Text(b""), Repaired(placeholder("u"), "no_address")),
        (Text(b"nobody"), Repaired(placeholder("u"), "no_address")),
        (Text(b"a" * 250 + b"@b.ru"), Repaired(placeholder("u"), "no_address")),
        (Text(b"\xff@b.ru"), Repaired(placeholder("u"), "no_address")),
        (Text("почта@рф".encode()), Kept("почта@рф")),
        (Text("Иван<ivan@b.ru>".encode()), Repaired(placeholder("u"), "no_address")),
        (Text(b"mailto:a@b.ru"), Repaired(placeholder("u"), "no_address")),
        (Text(b"a@b.ru;"), Repaired(placeholder("u"), "no_address")),
        (Text("a\u200b@b.ru".encode()), Repaired(placeholder("u"), "no_address")),
    ],
)
def test_addresses(value: Stored, expected: object) -> None:
    assert read_email(value, "u") == expected


def test_addresses_are_compared_without_case_blanks_and_unicode_form() -> None:
    assert compared(" Jose\u0301@Mail.ru") == compared("josé@mail.RU ")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text(HASH.encode()), Kept(HASH)),
        (Text(HASH.upper().encode()), Repaired(HASH, "hash_rewritten")),
        (Text(b" " + HASH.encode()), Repaired(HASH, "hash_rewritten")),
        (Text(b"sha256:" + HASH.encode()), Repaired(HASH, "hash_prefix_removed")),
        (bytes.fromhex(HASH), Repaired(HASH, "hash_as_bytes")),
        (Text(b"rz_live_key_12345"), Repaired(hashlib.sha256(b"rz_live_key_12345").hexdigest(), "open_key_hashed")),
        (Text(b"sk-" + b"a" * 40), Refused("key_hash_of_two_kinds")),
        (Text(b"rz_live_" + b"a" * 35), Refused("key_hash_of_two_kinds")),
        (Text(b"sk-" + b"a" * 42), Repaired(hashlib.sha256(b"sk-" + b"a" * 42).hexdigest(), "open_key_hashed")),
        (Text(b"$2b$12$abcdefghijklmnopqrstuv"), Refused("key_hash_of_another_kind")),
        (Text(b"a" * 32), Refused("key_hash_of_another_kind")),
        (Text(b"a" * 128), Refused("key_hash_of_another_kind")),
        (Text(HASH[:-1].encode()), Refused("key_hash_of_another_kind")),
        (None, Refused("key_hash_missing")),
        (7, Refused("key_hash_not_text")),
    ],
)
def test_key_hashes(value: Stored, expected: object) -> None:
    assert read_key_hash(value) == expected


@pytest.mark.parametrize("encoded", ["base64", "url-safe"])
def test_a_hash_in_base64_is_certain(encoded: str) -> None:
    encode = base64.b64encode if encoded == "base64" else base64.urlsafe_b64encode
    whole = encode(bytes.fromhex(HASH))

    for text in (whole, whole.rstrip(b"=")):
        assert read_key_hash(Text(text)) == Repaired(HASH, "hash_from_base64")


def test_names_are_exact_or_visibly_repaired() -> None:
    strange = "🔑 \u202eключ\t" + "x" * 300

    assert read_name(Text(strange.encode())) == Kept(strange)
    assert read_name(None) == Repaired("", "no_name")
    assert read_name(Text(b"a" * 1_000)) == Kept("a" * 1_000)
    assert read_name(Text("я".encode() * 30_000_000)) == Repaired("я" * 1_000, "name_cut")
    assert read_name(Text(b"a\0b")) == Repaired("a\ufffdb", "unreadable_characters_replaced")
    assert read_name(Text(b"a\xffb")) == Repaired("a\ufffdb", "unreadable_characters_replaced")


def test_models_and_providers_get_their_names_of_1_1_and_unknown_ones_stay() -> None:
    models = {"yandexgpt/latest": "yandexgpt:latest"}

    assert read_model(Text(b"YandexGPT/latest"), models) == Kept("yandexgpt:latest")
    assert read_model(Text(b"of-the-operator"), models) == Kept("of-the-operator")
    assert read_model(None, models) == Refused("model_missing")
    assert read_model(Text(b"a\0"), models) == Refused("model_unreadable")
    assert read_provider(Text(b"GigaChat"), {"gigachat": "gigachat"}) == Repaired("gigachat", "provider_name_of_1_1")
    assert read_provider(None, {}) == Repaired("gigachat", "provider_was_always_gigachat")
