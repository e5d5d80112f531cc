"""Delegation: which credential may make which other one, so that nothing it makes may do more than itself.

Everything that is made passes `delegate`: keys, applications, and grants of every kind. What is checked for which kind
stands in `RULES`. What was made also ends with its makers; that is store/descendants.py.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from servicekit.errors import ErrorReason, PermissionDenied
from services.auth.shared.domain.budget import Budget, CapMode
from services.auth.shared.domain.scope import DEFAULT_KEY_SCOPES, IDENTITY_SCOPES, Scope


class Made(StrEnum):
    """What can be made; the values are the names in error messages."""

    KEY = "a key"
    CLIENT = "an application"
    GRANT = "a grant"


@dataclass(frozen=True, slots=True)
class Powers:
    """The permissions of a credential, and their end. Empty models and networks do not restrict; no end: for ever."""

    scopes: frozenset[str]
    models: tuple[str, ...] = ()
    ip_allow_list: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Authority:
    """The credential that makes something: its own permissions, and its name.

    Args:
        powers: what it may do itself.
        budgets: all that cap it, its account's too.
        subject: `key:<id>` or `grant:<id>`; what it makes ends with it.
        has_own_quota: whether requests or tokens of its own are capped.
    """

    powers: Powers
    budgets: tuple[Budget, ...] = ()
    subject: str = ""
    has_own_quota: bool = False

    @property
    def has_own_budget(self) -> bool:
        """Tell whether it may spend or use less than its account."""
        capped = any(not budget.is_of_account and budget.mode is CapMode.HARD for budget in self.budgets)
        return capped or self.has_own_quota


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks to make something.

    Args:
        maker: the credential that asks; None: a person or an operator.
        session_secret: the person's login session.
        is_operator: an operator's tool asks; gateways never say so.
    """

    maker: Authority | None = None
    session_secret: str = field(default="", repr=False)
    is_operator: bool = False


@dataclass(frozen=True, slots=True)
class Delegation:
    """What is to be made.

    Args:
        made: what.
        wanted: what it may do; scopes by the names that were asked for, whether or not there are such scopes.
        maker: the credential that asks; None: the account's holder in person, or an operator.
        owner_is_admin: whether the account it is for may hand out the scope `admin`.
    """

    made: Made
    wanted: Powers
    maker: Authority | None
    owner_is_admin: bool = False

    @property
    def bounded(self) -> Powers:
        """Return what is wanted with the maker's own bounds where nothing was asked for."""
        if self.maker is None:
            return self.wanted
        own = self.maker.powers
        return replace(
            self.wanted,
            scopes=self.wanted.scopes or DEFAULT_KEY_SCOPES & own.scopes,
            models=self.wanted.models or tuple(sorted(own.models)),
            ip_allow_list=self.wanted.ip_allow_list or own.ip_allow_list,
            expires_at=self.wanted.expires_at or own.expires_at,
        )


Rule = Callable[[Made, Powers, Authority], None]


def delegate(delegation: Delegation) -> Powers:
    """Return what the new credential may do; refuse what would outgrow its maker, or its owner.

    Raises:
        PermissionDenied: INSUFFICIENT_SCOPE: scopes that the maker lacks; PERMISSION_DENIED: models or addresses it may
            not use, a life longer than its own, free of its own budget, or `admin` for no administrator.
    """
    made, powers, maker = delegation.made, delegation.bounded, delegation.maker
    if maker is not None:
        for rule in RULES[made]:
            rule(made, powers, maker)
    if Scope.ADMIN in powers.scopes and not delegation.owner_is_admin:
        raise _denied("Only an administrator may ask for the scope admin.", "scopes")
    return powers


def is_within(powers: Powers, bounds: Powers) -> bool:
    """Tell whether these powers go nowhere beyond others: in scopes, models, addresses and time."""
    try:
        for rule in _BOUNDS:
            rule(Made.KEY, powers, Authority(bounds))
    except PermissionDenied:
        return False
    return True


def cut_to(made: Made, powers: Powers, bounds: Powers) -> Powers | None:
    """Return what of these powers is within others; None: nothing of use."""
    identity = IDENTITY_SCOPES if made is Made.CLIENT else frozenset[str]()
    scopes = powers.scopes & (bounds.scopes | identity)
    models = tuple(name for name in powers.models or bounds.models if not bounds.models or name in bounds.models)
    networks = _common(powers.ip_allow_list, bounds.ip_allow_list)
    lost = not scopes or (bounds.models and not models) or (bounds.ip_allow_list and not networks)
    return None if lost else Powers(scopes, models, networks, earliest(powers.expires_at, bounds.expires_at))


def _common(networks: tuple[str, ...], bounds: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses of both lists, each of which restricts nothing when it is empty."""
    if not networks or not bounds:
        return networks or bounds
    inner = [each for each in networks if _is_within(each, bounds)]
    outer = [each for each in bounds if not _is_within(each, inner) and _is_within(each, networks)]
    return (*inner, *outer)


def earliest(*ends: datetime | None) -> datetime | None:
    """Return the first of several ends; None stands for never."""
    return min((end for end in ends if end is not None), default=None)


def makers_of(maker: Authority | None, *others: str) -> tuple[str, ...]:
    """Return whose end is the end of something new: its maker's, and these."""
    return tuple(sorted({*others, *((maker.subject,) if maker else ())}))


def _scopes_within(made: Made, powers: Powers, maker: Authority) -> None:
    # Who somebody is gives no right at the API; it is the person who tells it to an application.
    more = powers.scopes - maker.powers.scopes - (IDENTITY_SCOPES if made is Made.CLIENT else frozenset())
    if more:
        raise PermissionDenied(
            ErrorReason.INSUFFICIENT_SCOPE,
            f"A credential cannot make {made} with scopes it lacks itself.",
            param="scopes",
            details={"required_scope": " ".join(sorted(more))},
        )


def _models_within(made: Made, powers: Powers, maker: Authority) -> None:
    allowed = maker.powers.models
    if allowed and not (powers.models and set(powers.models) <= set(allowed)):
        raise _denied(f"A credential cannot make {made} for models it may not use.", "models")


def _networks_within(made: Made, powers: Powers, maker: Authority) -> None:
    allowed = maker.powers.ip_allow_list
    if allowed and not (powers.ip_allow_list and all(_is_within(each, allowed) for each in powers.ip_allow_list)):
        raise _denied(f"A credential cannot make {made} for addresses from which it may not be used.", "ip_allow_list")


def _ends_within(made: Made, powers: Powers, maker: Authority) -> None:
    last = maker.powers.expires_at
    if last is not None and (powers.expires_at is None or powers.expires_at > last):
        raise _denied(f"A credential cannot make {made} that outlives it.", "expires_at")


def _maker_has_no_budget(_: Made, __: Powers, maker: Authority) -> None:
    # What a credential spends and uses is counted by credential: what it made would do so on an account of its own.
    if maker.has_own_budget:
        raise _denied("A credential with a budget or quota of its own makes no others.", None)


def _is_within(network: str, allowed: Iterable[str]) -> bool:
    inner = ipaddress.ip_network(network)
    return any(_covers(ipaddress.ip_network(outer), inner) for outer in allowed)


def _covers(
    outer: ipaddress.IPv4Network | ipaddress.IPv6Network, inner: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> bool:
    if outer.version != inner.version:
        return False
    first, last = int(inner.network_address), int(inner.broadcast_address)
    return int(outer.network_address) <= first and last <= int(outer.broadcast_address)


def _denied(message: str, param: str | None) -> PermissionDenied:
    return PermissionDenied(ErrorReason.PERMISSION_DENIED, message, param=param)


_BOUNDS: Final[tuple[Rule, ...]] = (_scopes_within, _models_within, _networks_within, _ends_within)
RULES: Final[dict[Made, tuple[Rule, ...]]] = {
    Made.KEY: (*_BOUNDS, _maker_has_no_budget),
    Made.CLIENT: (*_BOUNDS, _maker_has_no_budget),
    # Its budget is its user's own, and lies on the grant.
    Made.GRANT: _BOUNDS,
}
