"""What the operating system says of processes, as the benchmark reads it."""

from __future__ import annotations

import os
import sys

import pytest

from bench.processes import proportional_mib, resident_mib


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell what is shared")
def test_shared_pages_are_counted_in_part() -> None:
    """Several services of one interpreter share its libraries: added up, resident memory counts them each time."""
    own, resident = proportional_mib({"us": os.getpid()})["us"], resident_mib({"us": os.getpid()})["us"]

    assert 0 < own < resident
