"""Nothing that a credential makes may do more than itself."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from servicekit.errors import ErrorReason, PermissionDenied
from services.auth.shared.domain.budget import Budget, BudgetPeriod
from services.auth.shared.domain.delegation import (
    RULES,
    Authority,
    Delegation,
    Made,
    Powers,
    cut_to,
    delegate,
    makers_of,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
POWERS = Powers(frozenset({"keys:write", "clients:write", "models:read", "usage:read"}))
ACCOUNT_BUDGET = Budget("user:1", BudgetPeriod.MONTH, 5)
KEY_BUDGET = Budget("key:1", BudgetPeriod.MONTH, 5)
SCOPES = frozenset({"models:read"})


def delegation(maker: dict[str, Any], made: Made = Made.KEY, *, budgets: Any = (), **wanted: Any) -> Delegation:
    """Return a delegation by a maker of these powers."""
    authority = Authority(dataclasses.replace(POWERS, **maker), budgets, "key:1")
    return Delegation(made, Powers(**{"scopes": SCOPES, **wanted}), authority)


@pytest.mark.parametrize("made", Made)
@pytest.mark.parametrize(
    ("maker", "wanted", "reason", "param"),
    [
        ({}, {"scopes": frozenset({"embeddings:write"})}, ErrorReason.INSUFFICIENT_SCOPE, "scopes"),
        ({}, {"scopes": frozenset({"no such scope"})}, ErrorReason.INSUFFICIENT_SCOPE, "scopes"),
        ({}, {"scopes": frozenset({"admin"})}, ErrorReason.INSUFFICIENT_SCOPE, "scopes"),
        ({"models": ("lite",)}, {"models": ("lite", "pro")}, ErrorReason.PERMISSION_DENIED, "models"),
        (
            {"ip_allow_list": ("10.0.0.0/8",)},
            {"ip_allow_list": ("10.0.0.0/7",)},
            ErrorReason.PERMISSION_DENIED,
            "ip_allow_list",
        ),
        (
            {"ip_allow_list": ("10.0.0.0/8",)},
            {"ip_allow_list": ("::/0",)},
            ErrorReason.PERMISSION_DENIED,
            "ip_allow_list",
        ),
        (
            {"expires_at": NOON},
            {"expires_at": NOON + timedelta(seconds=1)},
            ErrorReason.PERMISSION_DENIED,
            "expires_at",
        ),
    ],
)
def test_what_would_outgrow_its_maker_is_refused(
    made: Made, maker: dict[str, Any], wanted: dict[str, Any], reason: ErrorReason, param: str
) -> None:
    """More scopes, models or addresses, or a longer life than the maker has; whatever is made."""
    with pytest.raises(PermissionDenied) as refused:
        delegate(delegation(maker, made, **wanted))

    assert (refused.value.reason, refused.value.param) == (reason, param)


@pytest.mark.parametrize("made", [Made.KEY, Made.CLIENT])
def test_a_credential_with_a_budget_of_its_own_makes_no_others(made: Made) -> None:
    """They would spend on an account of their own. The account's budget caps both and stops nobody."""
    delegate(delegation({}, made, budgets=(ACCOUNT_BUDGET,)))

    with pytest.raises(PermissionDenied):
        delegate(delegation({}, made, budgets=(ACCOUNT_BUDGET, KEY_BUDGET)))


@pytest.mark.parametrize(
    ("maker", "wanted"),
    [
        ({}, {}),
        ({}, {"scopes": POWERS.scopes}),
        ({"models": ("lite", "pro")}, {"models": ("pro",)}),
        ({"ip_allow_list": ("10.0.0.0/8", "::/0")}, {"ip_allow_list": ("10.1.0.0/16", "2001:db8::1/128")}),
        ({"expires_at": NOON}, {"expires_at": NOON}),
    ],
)
def test_what_stays_within_its_maker_is_made(maker: dict[str, Any], wanted: dict[str, Any]) -> None:
    """As much as the maker, or less."""
    assert delegate(delegation(maker, **wanted)).scopes == wanted.get("scopes", SCOPES)


def test_the_missing_scopes_are_named() -> None:
    """All of them, in one order."""
    with pytest.raises(PermissionDenied) as refused:
        delegate(delegation({}, scopes=frozenset({"profile:read", "keys:read", "models:read"})))

    assert refused.value.details == {"required_scope": "keys:read profile:read"}


def test_an_application_may_tell_who_its_users_are() -> None:
    """That is the users' to give, and no right at the API."""
    identity = frozenset({"openid", "email"})

    assert delegate(delegation({}, Made.CLIENT, scopes=identity)).scopes == identity
    with pytest.raises(PermissionDenied):
        delegate(delegation({}, Made.KEY, scopes=identity))


def test_what_is_left_out_is_as_narrow_as_the_maker() -> None:
    """The scopes of a plain key as far as the maker has them; its models, addresses and end."""
    bounds: dict[str, Any] = {"models": ("lite", "pro"), "ip_allow_list": ("10.0.0.0/8",), "expires_at": NOON}

    narrow = delegate(delegation(bounds, scopes=frozenset()))

    assert narrow == Powers(frozenset({"models:read", "usage:read"}), **bounds)


def test_the_holder_in_person_is_not_bounded() -> None:
    """Nothing is added either."""
    wanted = Powers(frozenset({"embeddings:write"}))

    assert delegate(Delegation(Made.KEY, wanted, None)) == wanted


@pytest.mark.parametrize("made", Made)
@pytest.mark.parametrize("maker", [None, Authority(Powers(frozenset({"admin", "clients:write"})))])
def test_only_an_administrator_hands_out_administration(made: Made, maker: Authority | None) -> None:
    """Whoever asks, for whatever, and whatever that credential may."""
    wanted = Delegation(made, Powers(frozenset({"admin"})), maker)

    with pytest.raises(PermissionDenied) as refused:
        delegate(wanted)

    assert refused.value.reason is ErrorReason.PERMISSION_DENIED
    assert delegate(dataclasses.replace(wanted, owner_is_admin=True)).scopes == {"admin"}


@pytest.mark.parametrize(
    ("had", "bounds", "kept"),
    [
        ({}, {}, {}),
        ({}, {"models": ("a",)}, {"models": ("a",)}),
        ({"models": ("a", "b")}, {}, {"models": ("a", "b")}),
        ({"models": ("b", "a")}, {"models": ("a", "c")}, {"models": ("a",)}),
        ({"models": ("a",)}, {"models": ("b",)}, None),
        ({"ip_allow_list": ("10.0.0.0/8",)}, {"ip_allow_list": ("10.1.0.0/16",)}, {"ip_allow_list": ("10.1.0.0/16",)}),
        ({"ip_allow_list": ("10.1.0.0/16",)}, {"ip_allow_list": ("10.0.0.0/8",)}, {"ip_allow_list": ("10.1.0.0/16",)}),
        ({"ip_allow_list": ("10.0.0.0/8",)}, {"ip_allow_list": ("fd00::/8",)}, None),
        ({"expires_at": NOON}, {}, {"expires_at": NOON}),
        ({}, {"expires_at": NOON}, {"expires_at": NOON}),
        ({"scopes": frozenset({"models:read", "usage:read"})}, {"scopes": frozenset({"usage:read"})}, {}),
        ({"scopes": frozenset({"models:read"})}, {"scopes": frozenset({"usage:read"})}, None),
    ],
)
def test_powers_are_cut_to_what_is_within_others(
    had: dict[str, Any], bounds: dict[str, Any], kept: dict[str, Any] | None
) -> None:
    """What restricted nothing becomes restricted; an empty list is never what is left of one."""
    scopes = {"scopes": frozenset({"usage:read"})}

    cut = cut_to(Made.KEY, Powers(**scopes | had), Powers(**scopes | bounds))

    assert cut == (None if kept is None else Powers(**scopes | kept))


def test_an_application_goes_on_telling_who_its_users_are() -> None:
    """No credential has that scope; it gives no right at the API."""
    had, bounds = Powers(frozenset({"openid", "usage:read"})), Powers(frozenset({"models:read"}))

    assert cut_to(Made.CLIENT, had, bounds) == Powers(frozenset({"openid"}))
    assert cut_to(Made.KEY, had, bounds) is None


def test_every_kind_has_its_rules() -> None:
    """A kind without a row would stop everything that makes it."""
    assert set(RULES) == set(Made)


def test_makers_are_named_once() -> None:
    """Its maker, and whoever made what it takes the place of."""
    assert makers_of(Authority(POWERS, subject="key:2"), "key:1", "key:2") == ("key:1", "key:2")
    assert makers_of(None) == ()
