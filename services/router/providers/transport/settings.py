"""Settings of the calls to providers."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from pydantic import Field

from servicekit.outbound.networks import Networks, networks_of
from servicekit.settings import Part


class HttpSettings(Part):
    """How providers are called."""

    connect_s: float = Field(2.0, gt=0)
    """Seconds to open a connection, TLS included, and before it to look its host up."""
    first_token_s: float = Field(30.0, gt=0)
    """Seconds until the first content of a stream."""
    first_byte_s: float = Field(90.0, gt=0)
    """Seconds until an answer that is no stream begins: then the next model is asked, if there is one."""
    idle_s: float = Field(30.0, gt=0)
    """Seconds between two events of a stream."""
    answer_s: float = Field(120.0, gt=0)
    """Seconds for all attempts of a request: until a whole answer, or the first content of a stream."""
    connections: int = Field(512, ge=1)
    """Connections to one host and port at most, so that a provider that hangs leaves the others theirs."""
    keepalive_s: float = Field(45.0, ge=0)
    """Seconds an unused connection is kept."""
    body_mb: int = Field(32, ge=1)
    """Megabytes of an answer at most."""
    line_kb: int = Field(2048, ge=1)
    """Kilobytes of one line of a stream at most, and of one event."""
    hold_ms: float = Field(10.0, ge=0)
    """Milliseconds that later events of a stream may wait for the next ones, while the process is behind; 0: never."""
    lag_ms: float = Field(1.0, gt=0)
    """Milliseconds by which the event loop is late when the process counts as behind."""
    plaintext_networks: Networks = ""
    """Public networks, commas between, at which an upstream of http:// may answer; private ones always may."""

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The public networks at which plaintext counts."""
        return networks_of(self.plaintext_networks)


class WebImageSettings(Part):
    """How images that callers give as https addresses are fetched, for models that take files only."""

    fetch: bool = True
    """Whether they are fetched at all; data: URLs are taken in any case."""
    timeout_s: float = Field(10.0, gt=0)
    """Seconds for one image, redirects and waiting included."""
    size_mb: int = Field(15, ge=1, le=15)
    """Megabytes of one image at most."""
    redirects: int = Field(3, ge=0, le=10)
    """Redirects that are followed; each must be https and public like the first address."""
    at_once: int = Field(8, ge=1)
    """Images that one router fetches at the same time, for one caller half as many."""
    trusted_networks: Networks = ""
    """Networks of your own that may be fetched from, commas between: 10.1.2.0/24. All others must be public."""
    ca_bundle: Path | None = None
    """PEM file of further authorities for the images' hosts."""

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The trusted networks."""
        return networks_of(self.trusted_networks)
