"""In which order the tests of a parallel run begin."""

from __future__ import annotations

import pytest

from tools.testing.plugin import long_first


def some() -> None:
    """Stand for a test."""


@pytest.mark.timeout(600)
def some_long() -> None:
    """Stand for one that may take long."""


@pytest.mark.xdist_group("together")
@pytest.mark.timeout(600)
def some_grouped() -> None:
    """Stand for one of a group, which has a process to itself anyway."""


def test_what_may_take_longest_begins_first(request: pytest.FixtureRequest) -> None:
    """And the rest stays in its order."""
    module = request.node.parent
    tests = [("a", some), ("b", some_grouped), ("c", some_long), ("d", some), ("e", some_long)]
    items = [pytest.Function.from_parent(module, name=name, callobj=each) for name, each in tests]

    assert [item.name for item in long_first(items)] == ["c", "e", "a", "b", "d"]
