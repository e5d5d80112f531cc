"""The request for a new key, validated before anything is stored."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from servicekit.errors import invalid_parameter
from services.auth.shared.domain.budget import KeyBudget
from services.auth.shared.domain.delegation import Authority, Delegation, Made, Powers, delegate, makers_of
from services.auth.shared.domain.model_list import check_models
from services.auth.shared.domain.scope import DEFAULT_KEY_SCOPES, Scope, parse_scopes

MAX_NAME_LENGTH: Final = 100
MAX_NETWORKS: Final = 100
# A month: what is older is asked anew.
MAX_CACHE_TTL_S: Final = 31 * 86_400


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """A request for a new key."""

    user_id: str
    name: str
    scopes: frozenset[str]
    models: tuple[str, ...]
    ip_allow_list: tuple[str, ...]
    budget: KeyBudget | None
    expires_at: datetime | None
    maker: Authority | None = None
    cache_ttl_s: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedOrder:
    """A validated request for a new key."""

    user_id: str
    name: str
    scopes: frozenset[Scope]
    models: tuple[str, ...]
    ip_allow_list: tuple[str, ...]
    budget: KeyBudget | None
    expires_at: datetime | None
    makers: tuple[str, ...] = ()
    cache_ttl_s: int | None = None


def check_order(order: KeyOrder, now: datetime, *, owner_is_admin: bool = False) -> CheckedOrder:
    """Return the order as it will be stored: within the maker's bounds, trimmed, networks in canonical form.

    Without scopes it gets those of a plain key, as far as the maker has them.

    Raises:
        PermissionDenied: the maker may not make such a key.
        InvalidRequest: a field is wrong; the error names it.
    """
    wanted = Powers(order.scopes, order.models, _networks(order.ip_allow_list), order.expires_at)
    powers = delegate(Delegation(Made.KEY, wanted, order.maker, owner_is_admin))
    if order.maker is not None and not powers.scopes:
        raise invalid_parameter("scopes", "Name the scopes of the key.")
    if order.expires_at is not None and order.expires_at <= now:
        raise invalid_parameter("expires_at", "The expiry must be in the future.")
    return CheckedOrder(
        user_id=order.user_id,
        name=_name(order.name),
        scopes=parse_scopes(powers.scopes) or DEFAULT_KEY_SCOPES,
        models=check_models(powers.models),
        ip_allow_list=powers.ip_allow_list,
        budget=order.budget,
        expires_at=powers.expires_at,
        makers=makers_of(order.maker),
        cache_ttl_s=_cache_ttl_s(order.cache_ttl_s),
    )


def _name(given: str) -> str:
    name = given.strip()
    if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise invalid_parameter("name", f"The name must have 1 to {MAX_NAME_LENGTH} printable characters.")
    return name


def _cache_ttl_s(given: int | None) -> int | None:
    if given is not None and not 0 <= given <= MAX_CACHE_TTL_S:
        raise invalid_parameter("cache.ttl_s", f"An answer serves for at most {MAX_CACHE_TTL_S} seconds.")
    return given


def _networks(given: Sequence[str]) -> tuple[str, ...]:
    if len(given) > MAX_NETWORKS:
        raise invalid_parameter("ip_allow_list", f"At most {MAX_NETWORKS} entries are possible.")
    try:
        # An address with host bits, 10.0.0.7/8, is taken as the network it lies in.
        networks = [str(ipaddress.ip_network(network.strip(), strict=False)) for network in given]
    except ValueError as exc:
        raise invalid_parameter("ip_allow_list", "Each entry must be an IP address or a CIDR block.") from exc
    return tuple(dict.fromkeys(networks))
