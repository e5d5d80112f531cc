"""Tool call ids that carry state, and fit where OpenAI's do."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Collection
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.tool_call_id import LONGEST, MOST_MARKS, CallState, OfferedNames, ToolCallIds, shortened

IDS = ToolCallIds(b"one key")
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=64)
STATES = st.just("") | st.uuids().map(str)


@given(NAMES, STATES)
def test_any_replica_reads_the_state_back(name: str, state: str) -> None:
    """Nothing is stored: the key is all that replicas share."""
    made = IDS.encode(CallState(name, state))

    assert ToolCallIds(b"one key").decode(made) == CallState("", state)


@given(NAMES, STATES)
def test_an_id_is_short_whatever_the_function_is_called(name: str, state: str) -> None:
    """OpenAI refuses a conversation with an id of more than 40 characters: it could not move there."""
    assert len(IDS.encode(CallState(name, state))) <= LONGEST


@given(st.lists(NAMES, min_size=1, max_size=20, unique=True), st.data())
def test_the_function_is_found_among_those_on_offer(names: list[str], data: st.DataObject) -> None:
    """A caller may send a result without its call; a name is never guessed."""
    name = data.draw(st.sampled_from(names))

    assert IDS.name_in(IDS.encode(CallState(name)), names) in (name, "")
    assert IDS.name_in(IDS.encode(CallState("absent" * 20)), []) == ""


@given(NAMES, NAMES.filter(bool))
def test_a_state_that_is_no_uuid_travels_as_text(name: str, state: str) -> None:
    """Longer, and nothing is lost."""
    assert IDS.decode(IDS.encode(CallState(name, state))) in (CallState(name, state), CallState("", state))


def test_ids_of_the_release_before_are_read() -> None:
    """A conversation that began before the upgrade goes on: its ids were text, of no tenant."""
    nonce, text = b"123456", b"weather\0some-state"
    raw = nonce + hmac.digest(b"one key", nonce + text, "sha256")[:10] + text
    old = "call_" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    assert IDS.of("anybody").decode(old) == CallState("weather", "some-state")
    assert IDS.of("anybody").name_in(old, []) == "weather"


def test_a_state_serves_its_own_tenant_only() -> None:
    """An id that leaked opens nobody else's state."""
    made = IDS.of("alice").encode(CallState("f", str(UUID(int=7))))

    assert IDS.of("alice").decode(made) == CallState("", str(UUID(int=7)))
    assert IDS.of("bob").decode(made) is None
    assert IDS.decode(made) is None


def test_two_calls_of_one_function_differ() -> None:
    """Ids tell calls apart, not functions."""
    assert IDS.encode(CallState("f")) != IDS.encode(CallState("f"))


@pytest.mark.parametrize(
    "call_id", ["", "call_", "call_abc", "call_!!!", "weather", "call_é", "call_AAAAAAAAAAAAAAAAAAAAAAAAAA"]
)
def test_foreign_ids_have_no_state(call_id: str) -> None:
    """A caller may bring ids of another gateway, or nonsense."""
    assert IDS.decode(call_id) is None
    assert IDS.name_in(call_id, ["weather"]) == ""


@pytest.mark.parametrize("state", ["", str(UUID(int=1)), "no uuid"])
def test_a_changed_id_has_no_state(state: str) -> None:
    """A caller cannot make up a state."""
    made = IDS.encode(CallState("f", state))
    middle = len(made) // 2
    changed = made[:middle] + ("A" if made[middle] != "A" else "B") + made[middle + 1 :]

    assert IDS.decode(changed) is None
    assert ToolCallIds(b"another key").decode(made) is None


def test_a_long_foreign_id_becomes_the_same_short_one_each_time() -> None:
    """Call and result must still name each other."""
    long = "chatcmpl-tool-" + "0123456789abcdef" * 2

    assert len(shortened(long)) == LONGEST
    assert shortened(long) == shortened(long) != shortened(long + "x")
    assert shortened("call_short") == "call_short"


class _Counting(ToolCallIds):
    """Counts the functions that were looked at."""

    looked_at = 0

    def name_in(self, call_id: str, names: Collection[str]) -> str:
        """Count them."""
        _Counting.looked_at += len(names)
        return super().name_in(call_id, names)


def test_results_of_one_call_are_looked_up_once() -> None:
    """An id may stand in a thousand messages beside a thousand functions: a million marks held up all requests."""
    _Counting.looked_at = 0
    names = [f"tool_{number}" for number in range(1000)]
    ids = _Counting(b"one key")
    asked, offered = ids.encode(CallState("tool_7")), OfferedNames(ids, names)

    assert {offered.of(asked) for _ in range(1000)} == {"tool_7"}
    assert _Counting.looked_at == len(names)


def test_there_is_an_end_to_looking_up_results_of_missing_calls() -> None:
    """Whoever has gathered many ids of their own asks for no more than the bound either."""
    _Counting.looked_at = 0
    names = [f"tool_{number}" for number in range(1000)]
    ids = _Counting(b"one key")
    offered = OfferedNames(ids, names)

    found = [offered.of(ids.encode(CallState("tool_7"))) for _ in range(100)]

    assert _Counting.looked_at <= MOST_MARKS
    assert found[0] == "tool_7"
    assert found[-1] == ""
