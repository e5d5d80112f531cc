"""The border at which a provider's figures come in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from razvilka.router.v1 import router_pb2 as pb

from services.router.domain.completion import StreamPart, Usage
from services.router.providers.figures import MAX_TOKENS, token_count, usage_of
from services.router.rpc_messages import part_to_proto

values: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.integers(-3, 50)
    | st.floats()
    | st.text(max_size=25)
    | st.lists(st.integers(), max_size=2)
)
CASES: dict[str, tuple[Any, int | None]] = {
    "a number": (7, 7),
    "zero is a value": (0, 0),
    "absent": (None, 0),
    "a text of digits": ("41", 41),
    "a whole float": (7.0, 7),
    "more than can be kept": (2**62, MAX_TOKENS),
    "negative": (-5, None),
    "half a token": (7.5, None),
    "not a number": (float("nan"), None),
    "infinite": (float("inf"), None),
    "a word": ("many", None),
    "a flag": (True, None),
    "a list": ([7], None),
}


@pytest.mark.parametrize(("value", "count"), CASES.values(), ids=CASES)
def test_what_is_a_count_of_tokens(value: Any, count: int | None) -> None:
    """Everything else is not known."""
    assert token_count(value) == count


@given(values, values, values, values)
def test_whatever_is_said_the_wire_carries_it(prompt: Any, completion: Any, cached: Any, reasoning: Any) -> None:
    """Either there is no usage, or it is one that every later place can hold."""
    usage = usage_of(prompt, completion, cached=cached, reasoning=reasoning)

    if usage is not None:
        told = pb.StreamResponse.FromString(part_to_proto(StreamPart(progress=usage)).SerializeToString()).progress
        assert 0 <= told.cached_tokens <= told.prompt_tokens <= MAX_TOKENS
        assert 0 <= told.reasoning_tokens <= told.completion_tokens <= MAX_TOKENS


def test_a_part_that_contradicts_the_whole_is_cut_to_it() -> None:
    """No more is cached than there is, no more is thought than is said."""
    assert usage_of(10, 3, cached=50, reasoning=50) == Usage(10, 3, 10, 3)
    assert usage_of(10, 3, cached=-5, reasoning="?") == Usage(10, 3)
    assert usage_of(-1, 3) is None
