"""What the tests of every service need: real servers, throwaway databases, a clock that is set by hand.

`servicekit.testing.plugin` is a pytest plugin; the root `conftest.py` registers it.
"""

from servicekit.testing.fake_clock import FakeClock

__all__ = ["FakeClock"]
