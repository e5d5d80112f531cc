"""One installation for all moves of a test process, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.migration.installation import Installation, installation
from tools.testing.databases import Databases


@pytest.fixture(scope="session")
def only_installation(databases: Databases) -> Iterator[Installation]:
    """Return databases with every migration applied."""
    dsns = {service: databases.create(service) for service in ("auth", "usage")}
    with installation(dsns, {service: databases.admin_dsn_of(dsn) for service, dsn in dsns.items()}) as made:
        yield made
    for dsn in dsns.values():
        databases.drop(dsn)


@pytest.fixture
def target(only_installation: Installation) -> Installation:
    """Return an installation that nothing has moved into."""
    only_installation.empty()
    return only_installation
