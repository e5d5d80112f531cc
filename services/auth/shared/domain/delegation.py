"""Delegation: which credential may make which other one, so that nothing it makes may do more than itself.

Everything that is made passes `check_delegation`; what is checked for which kind stands in `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from typing import Final

from servicekit.errors import ErrorReason, PermissionDenied
from services.auth.shared.domain.budget import Budget
from services.auth.shared.domain.scope import DEFAULT_KEY_SCOPES, Scope


class Made(Enum):
    """What is made."""

    KEY = auto()
    CLIENT = auto()


@dataclass(frozen=True, slots=True)
class Authority:
    """What a credential may do itself. Empty models and networks do not restrict."""

    scopes: frozenset[str]
    models: tuple[str, ...]
    ip_allow_list: tuple[str, ...]
    budgets: tuple[Budget, ...]
    expires_at: datetime | None

    @property
    def has_own_budget(self) -> bool:
        """Tell whether it may spend less than its account."""
        return any(not budget.is_of_account for budget in self.budgets)


@dataclass(frozen=True, slots=True)
class Delegation:
    """Something that is to be made.

    Args:
        made: what.
        scopes: what it may do, by the names that were asked for, whether or not there are such scopes.
        models: the models it is restricted to; empty: every model.
        maker: the credential that asks; None: the account's holder in person, or an operator.
        owner_is_admin: whether the account it is for may hand out the scope `admin`.
    """

    made: Made
    scopes: frozenset[str]
    models: tuple[str, ...]
    maker: Authority | None
    owner_is_admin: bool = False

    def within_maker(self) -> Delegation:
        """Return it with the maker's own bounds where nothing was asked for."""
        if self.maker is None:
            return self
        scopes = self.scopes or DEFAULT_KEY_SCOPES & self.maker.scopes
        return replace(self, scopes=scopes, models=self.models or tuple(sorted(self.maker.models)))


Rule = Callable[[Delegation, Authority], None]


def check_delegation(wanted: Delegation) -> None:
    """Refuse what would outgrow its maker, or its owner.

    Raises:
        PermissionDenied: INSUFFICIENT_SCOPE: scopes that the maker lacks; PERMISSION_DENIED: models it may not use,
            free of its own budget or addresses, or the scope admin for an owner who is no administrator.
    """
    if wanted.made is Made.CLIENT and Scope.ADMIN in wanted.scopes and not wanted.owner_is_admin:
        raise PermissionDenied(ErrorReason.PERMISSION_DENIED, "Only an administrator may ask for the scope admin.")
    if wanted.maker is not None:
        for rule in RULES[wanted.made]:
            rule(wanted, wanted.maker)


def _scopes_within(wanted: Delegation, maker: Authority) -> None:
    more = wanted.scopes - maker.scopes
    if more:
        raise PermissionDenied(
            ErrorReason.INSUFFICIENT_SCOPE,
            "A credential cannot make a key with scopes it lacks itself.",
            param="scopes",
            details={"required_scope": " ".join(sorted(more))},
        )


def _models_within(wanted: Delegation, maker: Authority) -> None:
    if maker.models and not (wanted.models and set(wanted.models) <= set(maker.models)):
        raise PermissionDenied(
            ErrorReason.PERMISSION_DENIED, "A credential cannot make a key for models it may not use.", param="models"
        )


def _maker_is_unbounded(_: Delegation, maker: Authority) -> None:
    if maker.has_own_budget or maker.ip_allow_list:
        raise PermissionDenied(
            ErrorReason.PERMISSION_DENIED, "A credential with a budget or an address list of its own makes no keys."
        )


# An application is bounded by what its users grant it, not by the credential that registered it.
RULES: Final[dict[Made, tuple[Rule, ...]]] = {
    Made.KEY: (_scopes_within, _models_within, _maker_is_unbounded),
    Made.CLIENT: (),
}
