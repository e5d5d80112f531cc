"""The providers' quotas: how many calls at once, how many in a period; as they really are, set otherwise, or lifted."""

from collections import deque
from typing import Final

from emulator.settings import CoreSettings

# Fields of the settings that the control API may set: a number at once, or in a period.
QUOTAS: Final = (
    "yandex_max_sessions",
    "yandex_generations_per_hour",
    "yandex_async_per_s",
    "yandex_async_per_hour",
    "yandex_operation_reads_per_s",
    "yandex_embeddings_per_s",
    "yandex_tokenizer_per_s",
    "yandex_classifications_per_s",
    "gigachat_max_parallel",
    "gigachat_token_calls_per_s",
)


class Gauge:
    """Counts calls in flight; clears when they end."""

    __slots__ = ("in_flight",)

    def __init__(self) -> None:
        """Start empty."""
        self.in_flight = 0

    def enter(self, limit: int | None) -> bool:
        """Take a place; False when all are taken. None is no limit."""
        if limit is not None and self.in_flight >= limit:
            return False
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """Give the place back."""
        self.in_flight -= 1


class Window:
    """Counts calls in a sliding period."""

    __slots__ = ("_seconds", "_times")

    def __init__(self, seconds: float) -> None:
        """Count over any `seconds`."""
        self._seconds, self._times = seconds, deque[float]()

    def enter(self, now: float, limit: int | None) -> bool:
        """Count a call; False when it is over the limit. None and 0 allow all."""
        if not limit:
            return True
        while self._times and self._times[0] <= now - self._seconds:
            self._times.popleft()
        if len(self._times) >= limit:
            return False
        self._times.append(now)
        return True


class Quotas:
    """The quotas in force, and who uses them."""

    def __init__(self, settings: CoreSettings) -> None:
        """Begin as the settings say."""
        self._settings = settings
        self.lifted = settings.lift_quotas
        self._set: dict[str, int] = {}
        self._gauges: dict[str, Gauge] = {}
        self._windows: dict[str, Window] = {}

    def reset(self) -> None:
        """Forget what was set since the start; calls in flight stay counted."""
        self.lifted = self._settings.lift_quotas
        self._set.clear()
        self._windows.clear()

    def set(self, name: str, value: int) -> None:
        """Set one quota; it holds even when the others are lifted.

        Raises:
            ValueError: no such quota.
        """
        if name not in QUOTAS:
            raise ValueError(f"unknown limit {name!r}")
        self._set[name] = value

    def limit(self, name: str, provider_default: int | None = None) -> int | None:
        """Return the number in force, None for no limit; the default is for a setting that leaves it open."""
        if name in self._set or self.lifted:
            return self._set.get(name)
        configured: int | None = getattr(self._settings, name)
        return provider_default if configured is None else configured

    def shown(self) -> dict[str, int | None]:
        """Return every quota by its name."""
        return {name: self.limit(name) for name in QUOTAS}

    def gauge(self, holder: str) -> Gauge:
        """Return the gauge of a key or a folder."""
        return self._gauges.setdefault(holder, Gauge())

    def window(self, holder: str, seconds: float) -> Window:
        """Return the rate window of a key or a folder."""
        return self._windows.setdefault(holder, Window(seconds))
