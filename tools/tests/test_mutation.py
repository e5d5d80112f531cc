"""What mutmut found is counted right, and what is to be mutated exists."""

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tools.mutation import end_group, kill_rate, progress, report, untried, verdicts

REPOSITORY = Path(__file__).parents[2]
CONFIGURATION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["mutmut"]
RESULTS = """
    services.usage.spending.x_sum__mutmut_1: killed
    services.usage.spending.x_sum__mutmut_2: timeout
    services.usage.ingest.x_book__mutmut_1: caught by type check
    services.usage.ingest.x_book__mutmut_2: survived
    services.usage.ingest.x_book__mutmut_3: no tests
    services.usage.ingest.x_book__mutmut_4: not checked
"""


def test_what_was_not_noticed_lowers_the_rate_and_is_named():
    """A mutant that no test reaches has survived too."""
    found = verdicts(RESULTS, [])

    assert kill_rate(found) == pytest.approx(3 / 5)
    assert report(found).splitlines()[:2] == [
        "services.usage.ingest.x_book__mutmut_2: survived",
        "services.usage.ingest.x_book__mutmut_3: no tests",
    ]


def test_a_part_is_counted_alone():
    """Verdicts of an earlier run do not mix in."""
    assert set(verdicts(RESULTS, ["services.usage.spending.*"]).values()) == {"killed", "timeout"}


def test_what_was_not_tried_yet_is_named():
    """A run that ended before its time must not look complete."""
    assert untried(RESULTS, []) == ["services.usage.ingest.x_book__mutmut_4"]
    assert untried(RESULTS, ["services.usage.spending.*"]) == []


def test_the_progress_is_the_last_thing_said():
    """mutmut writes over its line with carriage returns."""
    assert progress("Running stats\n    done\n\r1/9  killed 1\r2/9  killed 2\r") == "2/9  killed 2"
    assert progress("") == "starting"


def test_a_run_ends_with_what_it_started():
    """Mutants run in processes of their own; none may go on behind the command's back."""
    script = "import subprocess, sys; subprocess.Popen(['sleep', '600']); print('up', flush=True); sys.stdin.read()"
    running = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert running.stdin is not None
    assert running.stdout is not None
    with running.stdin, running.stdout:
        assert running.stdout.readline() == b"up\n"

        end_group(running)

        # Both have the pipe: it ends with the second of them.
        assert running.stdout.read() == b""
    assert running.returncode == -signal.SIGKILL


def test_nothing_proves_nothing():
    """A pattern that fits no mutant must not look like success."""
    assert kill_rate(verdicts(RESULTS, ["services.other.*"])) == 0


@pytest.mark.parametrize("key", ["only_mutate", "pytest_add_cli_args_test_selection", "source_paths", "also_copy"])
def test_every_path_of_the_configuration_exists(key):
    """A module that was moved must not silently leave the list."""
    missing = [pattern for pattern in CONFIGURATION[key] if not list(REPOSITORY.glob(pattern))]

    assert CONFIGURATION[key]
    assert missing == []
