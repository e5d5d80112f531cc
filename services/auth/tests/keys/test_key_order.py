"""What may be asked of a new key."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from servicekit.errors import ErrorReason, InvalidRequest, NotFound
from services.auth.accounts.domain.email_address import check_email
from services.auth.keys.domain import page
from services.auth.keys.domain.key_order import KeyOrder, check_order
from services.auth.shared.domain.budget import BudgetPeriod, key_budget
from services.auth.shared.domain.delegation import Authority, Powers
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.scope import DEFAULT_KEY_SCOPES, Scope, known_scopes, parse_scopes

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ORDER = KeyOrder("user", "laptop", frozenset(), (), (), None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("name", "", id="no name"),
        pytest.param("name", "   ", id="blank name"),
        pytest.param("name", "n" * 101, id="long name"),
        pytest.param("name", "a\x00b", id="NUL in the name"),
        pytest.param("models", ("",), id="empty model"),
        pytest.param("models", ("m" * 129,), id="long model"),
        pytest.param("models", tuple(map(str, range(101))), id="too many models"),
        pytest.param("ip_allow_list", ("300.1.1.1",), id="no address"),
        pytest.param("ip_allow_list", ("10.0.0.0/33",), id="no network"),
        pytest.param("ip_allow_list", ("example.ru",), id="a name"),
        pytest.param("expires_at", NOON, id="already expired"),
        pytest.param("cache_ttl_s", -1, id="cached for less than nothing"),
        pytest.param("cache_ttl_s", 31 * 86_400 + 1, id="cached too long"),
    ],
)
def test_order_is_refused_and_the_field_named(field: str, value: Any) -> None:
    """The error says which field is wrong."""
    with pytest.raises(InvalidRequest) as caught:
        check_order(dataclasses.replace(ORDER, **{field: value}), NOON)

    assert caught.value.param == {"cache_ttl_s": "cache.ttl_s"}.get(field, field)
    assert caught.value.reason is ErrorReason.INVALID_PARAMETERS


def test_order_is_stored_in_canonical_form() -> None:
    """Blanks go, networks lose their host bits, doubles go, no scopes means the default ones."""
    order = dataclasses.replace(
        ORDER,
        name="  ключ для CI ",
        models=("gigachat", "gigachat"),
        ip_allow_list=("10.1.2.3/8", "10.0.0.0/8", "2001:DB8::1"),
        expires_at=NOON + timedelta(seconds=1),
    )

    checked = check_order(order, NOON)

    assert checked.name == "ключ для CI"
    assert checked.models == ("gigachat",)
    assert checked.ip_allow_list == ("10.0.0.0/8", "2001:db8::1/128")
    assert checked.scopes == DEFAULT_KEY_SCOPES


def test_unknown_scopes_are_refused_when_asked_and_ignored_when_stored() -> None:
    """A typo in a request is an error; a scope of a later release in a row gives no right."""
    with pytest.raises(InvalidRequest) as caught:
        parse_scopes(["models:read", "models:write"])

    assert caught.value.param == "scopes"
    assert known_scopes(["admin", "dreams:read"]) == {Scope.ADMIN}


@pytest.mark.parametrize(
    ("limit", "period", "param"),
    [
        (-1, BudgetPeriod.DAY, "budget_micro_rub"),
        (1, None, "budget_period"),
        (0, BudgetPeriod.MONTH, "budget_micro_rub"),
    ],
)
def test_half_a_budget_is_refused(limit: int, period: BudgetPeriod | None, param: str) -> None:
    """A budget has a limit above 0 and a period."""
    with pytest.raises(InvalidRequest) as caught:
        key_budget(limit, period)

    assert caught.value.param == param


@pytest.mark.parametrize(
    "email", ["", "anna", "@x.ru", "anna@", "a b@x.ru", "a@b@c.ru", "a\x00@x.ru", "a@" + "x" * 254]
)
def test_what_is_no_address_is_refused(email: str) -> None:
    """The address must at least look like one."""
    with pytest.raises(InvalidRequest) as caught:
        check_email(email)

    assert caught.value.param == "email"


@pytest.mark.parametrize("email", ["anna@example.ru", "demo@localhost", "анна@пример.рф", "a+b.c@x-y.co"])
def test_addresses_are_kept_as_they_are(email: str) -> None:
    """Only blanks around it go."""
    assert check_email(f" {email} ") == email


@pytest.mark.parametrize("token", ["!", "AAAA", "e" * 600, "бб", "MjAyNi0xMS0yM1QxMjowMDowMHx4", "AA=="])
def test_foreign_page_tokens_are_refused(token: str) -> None:
    """A token that we did not make names itself as the fault."""
    with pytest.raises(InvalidRequest) as caught:
        page.from_token(token)

    assert caught.value.param == "page_token"


def test_page_token_round_trip() -> None:
    """A cursor comes back to the microsecond."""
    cursor = page.Cursor(NOON + timedelta(microseconds=7), "id")

    assert page.from_token(page.to_token(cursor)) == cursor
    assert page.from_token("") is None


@pytest.mark.parametrize("given", ["", "i" * 129, "a\x00b", "a\nb"])
def test_ids_that_cannot_be_ours_do_not_exist(given: str) -> None:
    """They are absent, not a fault of the database."""
    with pytest.raises(NotFound):
        check_id(given, param="key_id", noun="key")


def test_a_maker_without_a_default_scope_must_name_the_scopes() -> None:
    """Nothing named is never more than the maker has."""
    maker = Authority(Powers(frozenset({"keys:write"})))

    with pytest.raises(InvalidRequest) as caught:
        check_order(dataclasses.replace(ORDER, maker=maker), NOON)

    assert caught.value.param == "scopes"


def test_an_order_is_bounded_by_its_maker() -> None:
    """Scopes and models that were left out are the maker's."""
    maker = Authority(Powers(frozenset({"keys:write", "models:read"}), ("lite",)))

    checked = check_order(dataclasses.replace(ORDER, maker=maker), NOON)

    assert checked.scopes == {Scope.MODELS_READ}
    assert checked.models == ("lite",)
