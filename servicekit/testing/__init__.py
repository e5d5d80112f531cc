"""What stands in for the kit's own parts in tests: a clock that is set by hand. Servers are in `tools.testing`."""

from servicekit.testing.fake_clock import FakeClock

__all__ = ["FakeClock"]
