"""WorkInHand: how many calls a server has taken over all its RPCs, and when that is enough."""

from __future__ import annotations

from servicekit.call import SECONDS
from servicekit.errors import ServiceError
from servicekit.multiplex.settings import MultiplexServerSettings
from servicekit.rpc_errors import unavailable


class WorkInHand:
    """Counts the calls that are being served and the bytes of their requests."""

    def __init__(self, settings: MultiplexServerSettings) -> None:
        self.calls = 0
        self._settings = settings
        self._request_bytes = 0

    def admit(self, method: str, size: int) -> ServiceError | None:
        """Take a call of `size` bytes in hand; return why not, when there is too much already."""
        full = self.calls >= self._settings.calls_max
        # One alone is always taken, however large: gRPC's own limit has let it through.
        heavy = self.calls > 0 and self._request_bytes + size > self._settings.request_mb_max * 1024 * 1024
        if full or heavy:
            error = unavailable()
            SECONDS.labels(method, error.reason.value).observe(0.0)
            return error
        self.calls += 1
        self._request_bytes += size
        return None

    def release(self, size: int) -> None:
        """A call that was admitted has ended."""
        self.calls -= 1
        self._request_bytes -= size
