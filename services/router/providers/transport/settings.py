"""Settings of the calls to providers."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import Part


class HttpSettings(Part):
    """How providers are called."""

    connect_s: float = Field(2.0, gt=0)
    """Seconds to open a connection, TLS included."""
    first_token_s: float = Field(30.0, gt=0)
    """Seconds until the first content of a stream."""
    first_byte_s: float = Field(90.0, gt=0)
    """Seconds until an answer that is no stream begins: then the next model is asked, if there is one."""
    idle_s: float = Field(30.0, gt=0)
    """Seconds between two events of a stream."""
    answer_s: float = Field(120.0, gt=0)
    """Seconds for all attempts of a request: until a whole answer, or the first content of a stream."""
    connections: int = Field(512, ge=1)
    """Connections to all providers at most."""
    keepalive_s: float = Field(45.0, ge=0)
    """Seconds an unused connection is kept."""
    body_mb: int = Field(32, ge=1)
    """Megabytes of an answer at most."""
    line_kb: int = Field(2048, ge=1)
    """Kilobytes of one line of a stream at most."""
