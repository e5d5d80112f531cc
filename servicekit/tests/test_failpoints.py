"""A process dies where the environment says, and only when it may."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from servicekit.failpoints import PERMISSION, VARIABLE, armed

PROGRAM = """
from servicekit.failpoints import failpoint
for passed in range(3):
    print(passed, flush=True)
    failpoint("there")
    failpoint("elsewhere")
"""


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program above with nothing but these variables."""
    return subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)


def test_dies_at_the_pass_that_is_named() -> None:
    """The third pass of the place kills; other places do not count."""
    ended = run(**{VARIABLE: "there:3", PERMISSION: "1"})

    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout.split() == ["0", "1", "2"]


def test_dies_at_the_first_pass_without_a_count() -> None:
    """No count means 1."""
    ended = run(**{VARIABLE: "there", PERMISSION: "1"})

    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout.split() == ["0"]


def test_lives_without_permission() -> None:
    """A stray variable must not hurt a production process; the log says that it was refused."""
    ended = run(**{VARIABLE: "there"})

    assert ended.returncode == 0
    assert "failpoint.refused" in ended.stdout


def test_nothing_is_armed_without_the_variable() -> None:
    """Permission alone does nothing."""
    assert armed({PERMISSION: "1"}) is None


@pytest.mark.parametrize("wish", ["there:0", "there:soon", "there:-1"])
def test_a_count_that_is_none_stops_the_start(wish: str) -> None:
    """A test that would never fire must not pass by mistake."""
    with pytest.raises(SystemExit):
        armed({VARIABLE: wish, PERMISSION: "1"})
