"""Lists of networks in settings: 10.1.2.0/24,fd00::/8."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator


def networks_of(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks of a comma-separated list.

    Raises:
        ValueError: an entry is not a network.
    """
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def _checked(text: str) -> str:
    networks_of(text)
    return text


Networks = Annotated[str, AfterValidator(_checked)]
