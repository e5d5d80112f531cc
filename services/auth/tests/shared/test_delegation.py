"""Nothing that a credential makes may do more than itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from servicekit.errors import ErrorReason, PermissionDenied
from services.auth.shared.domain.budget import Budget, BudgetPeriod
from services.auth.shared.domain.delegation import RULES, Authority, Delegation, Made, check_delegation

MAKER = Authority(frozenset({"keys:write", "models:read", "usage:read"}), (), (), (), None)
WANTED = Delegation(Made.KEY, frozenset({"models:read"}), (), MAKER)
ACCOUNT_BUDGET = Budget("user:1", BudgetPeriod.MONTH, 5)
KEY_BUDGET = Budget("key:1", BudgetPeriod.MONTH, 5)


def delegation(maker: dict[str, Any] | None = None, **wanted: Any) -> Delegation:
    """Return a delegation with these changes of maker and wish."""
    return dataclasses.replace(WANTED, maker=dataclasses.replace(MAKER, **(maker or {})), **wanted)


@pytest.mark.parametrize(
    ("wanted", "reason", "param"),
    [
        (delegation(scopes=frozenset({"embeddings:write"})), ErrorReason.INSUFFICIENT_SCOPE, "scopes"),
        (delegation(scopes=frozenset({"no such scope"})), ErrorReason.INSUFFICIENT_SCOPE, "scopes"),
        (delegation(scopes=frozenset({"admin"})), ErrorReason.INSUFFICIENT_SCOPE, "scopes"),
        (delegation({"models": ("lite",)}), ErrorReason.PERMISSION_DENIED, "models"),
        (delegation({"models": ("lite",)}, models=("lite", "pro")), ErrorReason.PERMISSION_DENIED, "models"),
        (delegation({"budgets": (ACCOUNT_BUDGET, KEY_BUDGET)}), ErrorReason.PERMISSION_DENIED, None),
        (delegation({"ip_allow_list": ("10.0.0.0/8",)}), ErrorReason.PERMISSION_DENIED, None),
    ],
)
def test_a_key_that_would_outgrow_its_maker_is_refused(
    wanted: Delegation, reason: ErrorReason, param: str | None
) -> None:
    """More scopes or models than the maker has, or free of the maker's own budget or addresses."""
    with pytest.raises(PermissionDenied) as refused:
        check_delegation(wanted)

    assert (refused.value.reason, refused.value.param) == (reason, param)


@pytest.mark.parametrize(
    "wanted",
    [
        WANTED,
        delegation(scopes=MAKER.scopes),
        delegation({"models": ("lite", "pro")}, models=("pro",)),
        delegation({"budgets": (ACCOUNT_BUDGET,)}),
        dataclasses.replace(WANTED, scopes=frozenset({"admin"}), maker=None),
    ],
)
def test_what_stays_within_its_maker_is_made(wanted: Delegation) -> None:
    """As much as the maker, or less; the account's budget caps both; the holder in person is not bounded."""
    check_delegation(wanted)


def test_the_missing_scopes_are_named() -> None:
    """All of them, in one order."""
    with pytest.raises(PermissionDenied) as refused:
        check_delegation(delegation(scopes=frozenset({"profile:read", "keys:read", "models:read"})))

    assert refused.value.details == {"required_scope": "keys:read profile:read"}


def test_what_is_left_out_is_as_narrow_as_the_maker() -> None:
    """The scopes of a plain key as far as the maker has them, and its models; not what was asked for."""
    narrow = delegation({"models": ("pro", "lite")}, scopes=frozenset()).within_maker()
    asked = delegation({"models": ("pro", "lite")}, models=("pro",)).within_maker()
    in_person = dataclasses.replace(WANTED, scopes=frozenset(), maker=None).within_maker()

    assert narrow.scopes == {"models:read", "usage:read"}
    assert narrow.models == ("lite", "pro")
    assert asked.scopes == {"models:read"}
    assert asked.models == ("pro",)
    assert not in_person.scopes
    assert not in_person.models


@pytest.mark.parametrize("maker", [None, dataclasses.replace(MAKER, scopes=frozenset({"admin", "clients:write"}))])
def test_only_an_administrators_application_asks_for_administration(maker: Authority | None) -> None:
    """Whoever registers it, and whatever that credential may."""
    wanted = Delegation(Made.CLIENT, frozenset({"admin"}), (), maker)

    with pytest.raises(PermissionDenied) as refused:
        check_delegation(wanted)

    assert refused.value.reason is ErrorReason.PERMISSION_DENIED
    check_delegation(dataclasses.replace(wanted, owner_is_admin=True))


def test_every_kind_has_its_rules() -> None:
    """A kind without a row would stop everything that makes it."""
    assert set(RULES) == set(Made)
