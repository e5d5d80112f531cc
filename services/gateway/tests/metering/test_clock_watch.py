"""A clock that differs from those of Redis and the usage service makes the gateway not ready."""

from __future__ import annotations

from datetime import timedelta

import pytest

from servicekit.errors import Unavailable
from servicekit.testing import FakeClock
from services.gateway.metering.chores.leader_election import LeaderElection
from services.gateway.metering.metering import open_metering
from services.gateway.metering.readiness.clock_watch import ClockWatch
from services.gateway.tests.metering_kit import NoHolds, Settlements, Sink, facts, ticket


class Other:
    """Another clock, so many seconds behind the one given."""

    def __init__(self, clock: FakeClock, behind_s: float = 0.0) -> None:
        self.clock = clock
        self.behind_s = behind_s
        self.is_away = False
        self.takes_s = 0.0

    async def now(self) -> float | None:
        """Tell the time, or fail."""
        if self.is_away:
            raise ConnectionError
        self.clock.advance(self.takes_s)
        return (self.clock.now() - timedelta(seconds=self.behind_s)).timestamp()


@pytest.mark.parametrize(
    ("behind_s", "said"),
    [
        (3 * 86400.0, ["the clock is 259200 s ahead of that of usage"]),
        (-35 * 86400.0, ["the clock is 3024000 s behind that of usage"]),
        (9.0, []),
    ],
    ids=["3 days ahead", "35 days back", "within the bound"],
)
async def test_a_clock_beyond_the_bound_is_a_problem(behind_s, said):
    """15 answers were served and none had a row."""
    clock = FakeClock()
    watch = ClockWatch({"usage": Other(clock, behind_s).now}, clock)

    await watch.look()

    assert watch.problems() == said


async def test_a_clock_that_is_told_only_stops_nothing():
    """Tokens of an auth that is ten minutes ahead were refused, and nothing said why; keys need no clock of its."""
    clock = FakeClock()
    watch = ClockWatch({}, clock, told={"auth": Other(clock, -600.0).now})

    await watch.look()

    assert (watch.problems(), watch.offsets_s()) == ([], {"auth": -600.0})


class Jumping(FakeClock):
    """A wall clock that jumps; its monotonic time does not."""

    jump_s = 0.0

    def now(self):
        """Return the wall clock."""
        return super().now() + timedelta(seconds=self.jump_s)


async def test_a_jump_between_two_readings_is_seen_at_once():
    """Also while nobody can be asked."""
    clock = Jumping()
    other = Other(clock)
    watch = ClockWatch({"Redis": other.now}, clock)
    await watch.look()
    other.is_away = True
    clock.jump_s = 100
    await watch.look()

    assert watch.problems() == ["the clock is 100 s ahead of that of Redis"]


async def test_who_cannot_be_asked_or_answers_late_says_nothing():
    """Redis and the usage service being away does not stop requests."""
    clock = FakeClock()
    away, late = Other(clock, 100), Other(clock, 100)
    away.is_away, late.takes_s = True, 11.0
    watch = ClockWatch({"Redis": away.now, "usage": late.now}, clock)

    await watch.look()

    assert (watch.problems(), watch.offsets_s()) == ([], {})


async def test_nothing_is_begun_while_the_clock_is_wrong(tmp_path, redis_client):
    """What goes out would have no row: it is refused, and the gateway is not ready until the clock is right."""
    clock = Jumping()
    watch = ClockWatch({"Redis": Other(clock, 300.0).now}, clock)
    async with open_metering(
        tmp_path,
        LeaderElection(redis_client),
        Sink().record,
        Settlements(),
        NoHolds(),
        boot_id="boot",
        clock=clock,
        clock_watch=watch,
    ) as metering:
        await watch.look()
        was_ready = metering.is_ready
        with pytest.raises(Unavailable):
            metering.dispatched(ticket("r"), facts())
        clock.jump_s = -300.0
        is_ready = metering.is_ready

    assert (was_ready, is_ready) == (False, True)
