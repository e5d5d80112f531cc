"""The official `gigachat` package."""

import pytest

from tests.compat.sdk import scenarios

PROGRAM = "gigachat_program.py"


@pytest.fixture(scope="module")
def outcome(addresses: dict[str, str]) -> dict[str, str | None]:
    """Run every scenario once."""
    return scenarios.run(scenarios.environment("gigachat"), PROGRAM, addresses)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", scenarios.names(PROGRAM))
def test_the_gigachat_sdk_works_unchanged(outcome: dict[str, str | None], scenario: str) -> None:
    """Each scenario is a part of the SDK's public surface."""
    assert outcome[scenario] is None
