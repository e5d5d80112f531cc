"""What a caller may ask of a new key, checked before anything is stored."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from servicekit.errors import ErrorReason, InvalidRequest
from services.auth.shared.domain.budget import KeyBudget
from services.auth.shared.domain.scope import DEFAULT_KEY_SCOPES, Scope

MAX_NAME_LENGTH: Final = 100
MAX_LIST_LENGTH: Final = 100
MAX_MODEL_LENGTH: Final = 128


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """A key that somebody asks for."""

    user_id: str
    name: str
    scopes: frozenset[Scope]
    models: tuple[str, ...]
    ip_allow_list: tuple[str, ...]
    budget: KeyBudget | None
    expires_at: datetime | None


def check_order(order: KeyOrder, now: datetime) -> KeyOrder:
    """Return the order as it will be stored: blanks trimmed, networks in canonical form, default scopes filled in.

    Raises:
        InvalidRequest: a field is wrong; the error names it.
    """
    if order.expires_at is not None and order.expires_at <= now:
        raise _invalid("expires_at", "The expiry must be in the future.")
    return KeyOrder(
        user_id=order.user_id,
        name=_name(order.name),
        scopes=order.scopes or DEFAULT_KEY_SCOPES,
        models=check_models(order.models),
        ip_allow_list=_networks(order.ip_allow_list),
        budget=order.budget,
        expires_at=order.expires_at,
    )


def check_models(given: Sequence[str]) -> tuple[str, ...]:
    """Return the list of models without repetitions.

    Raises:
        InvalidRequest: too many, or one that cannot be a model's id.
    """
    _check_count("models", given)
    for model in given:
        if not 1 <= len(model) <= MAX_MODEL_LENGTH or not model.isprintable():
            raise _invalid("models", f"A model id has 1 to {MAX_MODEL_LENGTH} printable characters.")
    return tuple(dict.fromkeys(given))


def _name(given: str) -> str:
    name = given.strip()
    if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise _invalid("name", f"The name must have 1 to {MAX_NAME_LENGTH} printable characters.")
    return name


def _networks(given: Sequence[str]) -> tuple[str, ...]:
    _check_count("ip_allow_list", given)
    try:
        # An address with host bits, 10.0.0.7/8, is taken as the network it lies in.
        networks = [str(ipaddress.ip_network(network.strip(), strict=False)) for network in given]
    except ValueError as exc:
        raise _invalid("ip_allow_list", "Each entry must be an IP address or a CIDR block.") from exc
    return tuple(dict.fromkeys(networks))


def _check_count(param: str, given: Sequence[str]) -> None:
    if len(given) > MAX_LIST_LENGTH:
        raise _invalid(param, f"At most {MAX_LIST_LENGTH} entries are possible.")


def _invalid(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(ErrorReason.INVALID_PARAMETERS, message, param=param)
