"""The official `gigachat` package."""

import pytest

from tests.compat.sdk import scenarios


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", scenarios.names(scenarios.GIGACHAT))
def test_the_gigachat_sdk_works_unchanged(addresses: str, scenario: str) -> None:
    """Each scenario is a part of the SDK's public surface."""
    assert scenarios.run(scenarios.GIGACHAT, addresses).scenarios[scenario] is None
