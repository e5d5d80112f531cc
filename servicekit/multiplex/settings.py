"""Settings of the two sides, to be nested in a service's own class."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import Part


class MultiplexClientSettings(Part):
    """How calls share RPCs."""

    connections: int = Field(2, ge=1)
    """Long-lived RPCs that are kept open: at least one a server. Those that lead to the same one stand by."""
    window_kb: int = Field(256, ge=1)
    """Kilobytes of one stream that may wait here for its reader; then the server pauses that stream alone."""
    renew_s: float = Field(30.0, gt=0)
    """Seconds after which an RPC takes no new calls and is replaced, so that a new server gets its share."""
    reopen_first_s: float = Field(0.1, gt=0)
    """Seconds until an RPC that broke at once is opened again; doubled each time."""
    reopen_at_most_s: float = Field(1.0, gt=0)
    """Seconds between two tries at most."""
    open_timeout_s: float = Field(5.0, gt=0)
    """Seconds a server may take to accept an RPC."""
    message_kb: int = Field(1024, ge=1)
    """Kilobytes of frames that share one message; a larger frame travels alone."""
    payload_mb: int = Field(23, ge=1)
    """Megabytes of one request or response; with the frame around it below gRPC's own limit."""
    hold_ms: float = Field(10.0, ge=0)
    """Milliseconds that later parts of a stream may wait for each other, while the process is behind; 0: never."""
    lag_ms: float = Field(1.0, ge=0)
    """Milliseconds by which the event loop is late when the process counts as behind; 0: it always does."""


class MultiplexServerSettings(Part):
    """What is taken in hand, and how much of it shares a message."""

    calls_max: int = Field(2000, ge=1)
    """Calls served at once; above that a call is refused and told when to try again."""
    request_mb_max: int = Field(256, ge=1)
    """Megabytes of requests served at once."""
    message_kb: int = Field(1024, ge=1)
    """Kilobytes of frames that share one message; a larger frame travels alone."""
    payload_mb: int = Field(23, ge=1)
    """Megabytes of one response; with the frame around it below gRPC's own limit."""
