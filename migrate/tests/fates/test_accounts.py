"""Users and keys as wholes: nobody is merged, nobody pays for another, no account vanishes for a date or an address."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from migrate.fates.accounts import People, read_people
from migrate.fates.fate import Moved, Quarantined, Repair
from migrate.fates.merging import Collision
from migrate.fates.records import Account, Key
from migrate.rules.emails import placeholder
from migrate.rules.times import Reading
from migrate.rules.verdict import Text

NOW = datetime(2026, 11, 29, tzinfo=UTC)
READING = Reading(None, NOW)
NOON = datetime(2025, 3, 4, 12, tzinfo=UTC)
WHEN = Text(b"2025-03-04 12:00:00")


def text(value: str | None) -> Text | None:
    """Return a TEXT cell."""
    return None if value is None else Text(value.encode())


def user(id: str | None, email: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return a row of users."""
    return {"id": text(id), "email": text(email), "created_at": WHEN, "updated_at": WHEN, **changes}


def key(id: str, user_id: str | None, secret: str, **changes: Any) -> dict[str, Any]:
    """Return a row of api_keys."""
    hash_ = text(hashlib.sha256(secret.encode()).hexdigest())
    row = {"id": text(id), "user_id": text(user_id), "key_hash": hash_, "name": text("n"), "created_at": WHEN}
    return {**row, "expires_at": None, "last_used_at": None, **changes}


def people(users: Sequence[dict[str, Any]], keys: Sequence[dict[str, Any]] = ()) -> People:
    """Return the fates."""
    return read_people(users, keys, READING)


def test_honest_rows_move_as_they_are() -> None:
    found = people([user("u", "a@b.ru", tier=text("pro"))], [key("k", "u", "secret")])

    assert found.accounts == [Moved(Account("u", "a@b.ru", NOON, NOON, {"tier": b"pro"}))]
    assert found.keys == [Moved(Key("k", "u", hashlib.sha256(b"secret").hexdigest(), "n", NOON, None, None, {}))]


def test_addresses_that_are_one_for_people_are_listed_and_the_second_account_lives_on() -> None:
    found = people([user("a", "Same@Mail.ru"), user("b", " same@mail.ru"), user("c", "other@mail.ru")])

    first, second, third = found.accounts
    assert isinstance(first, Moved)
    assert first.record.email == "Same@Mail.ru"
    assert isinstance(second, Moved)
    assert second.record.email == placeholder("b")
    assert [repair.rule for repair in second.repairs] == ["blanks_trimmed", "address_of_another_account"]
    assert isinstance(third, Moved)
    assert not third.repairs
    assert found.collisions == [Collision("same@mail.ru", ("a", "b"))]


def test_an_account_without_a_readable_date_begins_when_its_keys_did() -> None:
    found = people(
        [user("u", "a@b.ru", created_at=text("?"), updated_at=None), user("v", "b@b.ru", created_at=None)],
        [key("k", "u", "s", created_at=text("2024-01-02 00:00:00"))],
    )

    account, other = found.accounts
    assert isinstance(account, Moved)
    assert isinstance(other, Moved)
    first = datetime(2024, 1, 2, tzinfo=UTC)
    assert account.repairs == (
        Repair("created_at", b"?", first, "created_when_first_seen"),
        Repair("updated_at", None, first, "changed_when_created"),
    )
    assert other.record.created_at == NOW


def test_keys_of_nobody_wait_for_a_person() -> None:
    found = people([user(None, "a@b.ru")], [key("k", "gone", "1"), key("l", None, "2")])

    assert found.accounts == [Quarantined("id_missing", "id")]
    assert found.keys == [Quarantined("orphan", "user_id"), Quarantined("owner_quarantined", "user_id")]


def test_a_hash_that_is_there_twice_is_one_key_or_none() -> None:
    """Of one user the first; of two users none: it decides who pays."""
    users = [user("a", "a@b.ru"), user("b", "b@b.ru")]

    of_one = people(users, [key("k", "a", "s"), key("l", "a", "s")]).keys
    of_two = people(users, [key("k", "a", "s"), key("l", "b", "s")]).keys

    assert isinstance(of_one[0], Moved)
    assert of_one[1] == Quarantined("hash_twice", "key_hash")
    assert set(of_two) == {Quarantined("hash_of_two_users", "key_hash")}


def test_a_second_row_with_an_id_is_nobody_else_s() -> None:
    found = people([user("a", "a@b.ru"), user("a", "c@b.ru")], [key("k", "a", "1"), key("k", "a", "2")])

    assert found.accounts[1] == Quarantined("id_taken", "id")
    assert isinstance(found.keys[0], Moved)
    assert found.keys[0].record.user_id == "a"
    assert found.keys[1] == Quarantined("id_taken", "id")


def test_a_mapped_user_takes_its_keys_along() -> None:
    """An id that no caller could send becomes another, and all that refer to it follow."""
    found = people([user("a\0", "a@b.ru")], [key("k", "a\0", "1")])

    (account,), (moved,) = found.accounts, found.keys
    assert isinstance(account, Moved)
    assert isinstance(moved, Moved)
    assert moved.record.user_id == account.record.id != "a\0"


def test_an_unreadable_expiry_quarantines_the_key_and_an_unreadable_use_does_not() -> None:
    found = people(
        [user("a", "a@b.ru")],
        [key("k", "a", "1", expires_at=text("soon")), key("l", "a", "2", last_used_at=text("lately"))],
    )

    assert found.keys[0] == Quarantined("time_unreadable", "expires_at")
    assert isinstance(found.keys[1], Moved)
    assert [repair.rule for repair in found.keys[1].repairs] == ["last_use_unknown"]


def test_a_number_and_its_digits_are_two_users_and_nobody_pays_for_the_other() -> None:
    """In a column without a type 5 and "5" are two ids of 1.0, and one of 1.1."""
    users = [user("5", "a@b.ru"), {**user("", "b@b.ru"), "id": 5}, user("6", "c@b.ru"), user("6", "d@b.ru")]

    found = people(users, [key("k", "5", "secret"), {**key("l", None, "other"), "user_id": 5}, key("m", "6", "third")])

    assert found.accounts[:2] == [Quarantined("id_of_two_users", "id")] * 2
    assert isinstance(found.accounts[2], Moved)
    assert found.accounts[3] == Quarantined("id_taken", "id")
    assert found.contested == {"5"}
    assert found.keys[:2] == [Quarantined("owner_quarantined", "user_id")] * 2
    assert isinstance(found.keys[2], Moved)


def test_a_key_follows_its_owner_through_another_storage_class_and_that_is_told() -> None:
    """`users.id INTEGER` and `api_keys.user_id TEXT` are one id for SQLite; a BLOB is no text."""
    rows = [key("k", "5", "s"), {**key("l", None, "t"), "user_id": 5}, {**key("m", None, "u"), "user_id": b"u"}]

    found = people([{**user("", "a@b.ru"), "id": 5}, user("u", "b@b.ru")], rows)

    first, second, third = found.keys
    assert isinstance(first, Moved)
    assert (first.record.user_id, first.repairs) == ("5", ())
    assert isinstance(second, Moved)
    assert second.repairs == (Repair("user_id", 5, "5", "number_as_text"),)
    assert third == Quarantined("orphan", "user_id")
