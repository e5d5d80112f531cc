"""Random dirty databases: every row has one fate, and what moved is what an oracle says."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings

from tests.migration.dirt.databases import OldDatabase, old_databases
from tests.migration.installation import Installation
from tests.migration.random_move import move_and_judge


@settings(
    max_examples=25,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
)
@given(old=old_databases())
def test_every_row_of_a_random_database_is_accounted_for(only_installation: Installation, old: OldDatabase) -> None:
    """`make migrate-fuzz` does the same thousands of times."""
    assert move_and_judge(old, only_installation) == []
