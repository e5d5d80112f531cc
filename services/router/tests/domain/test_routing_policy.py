"""Which models may answer, in which order: priorities, weights, and what the caller says."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.catalog import Candidate, Catalog, Model
from services.router.domain.completion import Held
from services.router.domain.routing_policy import candidates, chance, steered

NOW = datetime(2026, 11, 29, tzinfo=UTC)
OVER = datetime(2026, 11, 1, tzinfo=UTC)


def model(id: str, *fallbacks: Candidate, **changes: object) -> Model:
    given = {"provider": "p", "resolved_model": id, "prices": ()}
    return Model(id=id, fallbacks=fallbacks, **{**given, **changes})  # type: ignore[arg-type]


STAND_INS = [model("a", priority=1), model("b"), model("c"), model("d", aliases=("dee",))]


def order(*fallbacks: Candidate, draw: str = "") -> str:
    """Return the ids of those that stand in, in their order."""
    asked = model("asked", *fallbacks)
    return "".join(one.id for one in candidates(Catalog([asked, *STAND_INS], "1"), asked, NOW, draw=draw)[1:])


def test_priorities_come_first_and_the_written_order_counts_among_equals() -> None:
    """A candidate's own priority counts before that of the model it names."""
    assert order(Candidate("b"), Candidate("a"), Candidate("c")) == "abc"
    assert order(Candidate("b", priority=2), Candidate("a"), Candidate("c", priority=9)) == "cba"


def test_weights_share_out_the_first_place_and_only_among_equals() -> None:
    """Three to one, over many requests; who has no weight beside them comes last."""
    weighted = (Candidate("b", weight=3), Candidate("c", weight=1), Candidate("d", priority=5), Candidate("a", 0))
    orders = Counter(order(*weighted, draw=str(number)) for number in range(4000))

    assert {each[0] for each in orders} == {"d"}
    assert {each[-1] for each in orders} == {"a"}
    assert 0.72 < sum(count for each, count in orders.items() if each[1] == "b") / 4000 < 0.78
    assert order(*weighted, draw="x") == order(*weighted, draw="x")


@given(st.lists(st.text(), max_size=4))
def test_a_draw_is_the_same_everywhere_and_within_its_bounds(parts: list[str]) -> None:
    """Replicas must agree, and lone surrogates of a hostile id must not stop a request."""
    assert chance(*parts) == chance(*parts)
    assert 0 <= chance(*parts) < 1


def test_the_caller_s_models_are_asked_in_its_order() -> None:
    """Unknown ones, those of another kind, shut down or not of the credential are left out, and so are twins."""
    known = [
        *STAND_INS,
        model("twin", resolved_model="a"),
        model("over", shutdown_at=OVER),
        model("off", enabled=False),
        model("vectors", kind="embedding"),
    ]
    catalog = Catalog(known, "1")
    names = ["dee", "nobody", "twin", "a", "over", "off", "vectors", "b", "c"]

    assert [one.id for one in steered(catalog, names, "chat", NOW)] == ["d", "twin", "b", "c"]
    assert [one.id for one in steered(catalog, names, "chat", NOW, {"c", "dee"})] == ["d", "c"]
    assert steered(catalog, ["over"], "chat", NOW) == []


@pytest.mark.parametrize("count", [1, 20])
def test_no_request_has_more_than_eight_candidates(count: int) -> None:
    """More than that nobody waits for."""
    known = [model(f"m{number}") for number in range(count)]

    assert len(steered(Catalog(known, "1"), [one.id for one in known], "chat", NOW)) == min(count, 8)


def test_a_model_that_the_hold_does_not_cover_never_stands_in() -> None:
    """By another version of the catalogue: its price is unknown to who holds the money. By the same one all are."""
    asked = model("asked", Candidate("a"), Candidate("b"), Candidate("c"))
    catalog = Catalog([asked, *STAND_INS], "2")

    def ids(held: Held) -> list[str]:
        return [one.id for one in candidates(catalog, asked, NOW, covered=held.covered(catalog.version))]

    assert ids(Held("1", frozenset({"asked", "b", "gone"}))) == ["asked", "b"]
    assert set(ids(Held("2", frozenset({"asked", "b"})))) == set(ids(Held())) == {"asked", "a", "b", "c"}
