"""Moving averages of what the router sees."""

from __future__ import annotations

from servicekit.testing import FakeClock
from services.router.domain.health import HealthTracker


def see(board: HealthTracker, clock: FakeClock, *, failed: bool, latency_ms: float = 100.0) -> None:
    board.record(
        "gigachat", "gigachat", failed=failed, latency_ms=latency_ms, now=clock.now(), monotonic=clock.monotonic()
    )


def status(board: HealthTracker) -> str:
    found = board.find("gigachat", "gigachat")
    assert found is not None
    return found.status


def test_a_model_that_was_never_asked_is_not_known(clock: FakeClock) -> None:
    """No news is no news."""
    assert HealthTracker().find("gigachat", "gigachat") is None


def test_degrades_goes_down_and_recovers(clock: FakeClock) -> None:
    """Failures count at once and fade within minutes."""
    board = HealthTracker()
    for _ in range(8):
        see(board, clock, failed=False)
    assert status(board) == "operational"

    see(board, clock, failed=True)
    assert status(board) == "degraded"

    for _ in range(10):
        see(board, clock, failed=True)
    assert status(board) == "down"

    clock.advance(600)
    see(board, clock, failed=False)
    assert status(board) == "operational"


def test_one_failure_is_not_an_outage(clock: FakeClock) -> None:
    """The first call of the day may fail without the model being called down."""
    board = HealthTracker()

    see(board, clock, failed=True)

    assert status(board) == "degraded"


def test_latency_follows_answers_only(clock: FakeClock) -> None:
    """A failure's time says nothing about how fast the model answers."""
    board = HealthTracker()
    see(board, clock, failed=False, latency_ms=100)
    see(board, clock, failed=True, latency_ms=30_000)
    see(board, clock, failed=False, latency_ms=200)

    found = board.find("gigachat", "gigachat")

    assert found is not None
    assert 100 < found.latency_ms <= 200
    assert 0.3 < found.error_rate < 0.4
