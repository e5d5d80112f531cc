"""What mutmut found is counted right, and what is to be mutated exists."""

import tomllib
from pathlib import Path

import pytest

from tools.mutation import kill_rate, report, verdicts

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


def test_nothing_proves_nothing():
    """A pattern that fits no mutant must not look like success."""
    assert kill_rate(verdicts(RESULTS, ["services.other.*"])) == 0


@pytest.mark.parametrize("key", ["only_mutate", "pytest_add_cli_args_test_selection", "source_paths", "also_copy"])
def test_every_path_of_the_configuration_exists(key):
    """A module that was moved must not silently leave the list."""
    missing = [pattern for pattern in CONFIGURATION[key] if not list(REPOSITORY.glob(pattern))]

    assert CONFIGURATION[key]
    assert missing == []
