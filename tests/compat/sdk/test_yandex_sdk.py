"""The official `yandex-ai-studio-sdk` package."""

import pytest

from tests.compat.sdk import scenarios


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", scenarios.names(scenarios.YANDEX))
def test_the_yandex_sdk_works_unchanged(addresses: str, scenario: str) -> None:
    """Each scenario is a part of the SDK's public surface."""
    assert scenarios.run(scenarios.YANDEX, addresses).scenarios[scenario] is None
