"""Tool call ids that carry state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.tool_call_id import CallState, ToolCallIds

IDS = ToolCallIds(b"one key")
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=64)


@given(NAMES, NAMES)
def test_any_replica_reads_the_state_back(name: str, state: str) -> None:
    """Nothing is stored: the key is all that replicas share."""
    assert ToolCallIds(b"one key").decode(IDS.encode(CallState(name, state))) == CallState(name, state)


def test_two_calls_of_one_function_differ() -> None:
    """Ids tell calls apart, not functions."""
    assert IDS.encode(CallState("f")) != IDS.encode(CallState("f"))


@pytest.mark.parametrize(
    "call_id", ["", "call_", "call_abc", "call_!!!", "weather", "call_é", "call_AAAAAAAAAAAAAAAAAAAAAAAAAA"]
)
def test_foreign_ids_have_no_state(call_id: str) -> None:
    """A caller may bring ids of another gateway, or nonsense."""
    assert IDS.decode(call_id) is None


def test_a_changed_id_has_no_state() -> None:
    """A caller cannot make up a state."""
    made = IDS.encode(CallState("f", "state"))

    assert IDS.decode(made[:-1] + ("A" if made[-1] != "A" else "B")) is None
    assert ToolCallIds(b"another key").decode(made) is None
