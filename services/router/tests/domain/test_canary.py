"""Who is answered by a canary: the same callers every time, as many as the rule says, and none against their will."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.router.domain.canary import Arm, Draw, drawn
from services.router.domain.catalog import Canary, Catalog, Model, Price
from services.router.domain.overrides import BadPatch, patched

NOW = datetime(2026, 11, 29, tzinfo=UTC)
PRICE = Price("1", 100, 200, 100, datetime(2020, 1, 1, tzinfo=UTC))
CHEAPER, DEARER = replace(PRICE, input_micro_rub_per_1k=90), replace(PRICE, output_micro_rub_per_1k=201)
LATEST = Model(id="y:latest", provider="p", resolved_model="five", prices=(PRICE,), aliases=("y",))
RC = Model(id="y:rc", provider="p", resolved_model="six", prices=(CHEAPER,))


def arms(rule: Canary, draws: list[Draw], rc: Model = RC, allowed: frozenset[str] = frozenset()) -> list[Arm | None]:
    """Return the side of each request."""
    asked = replace(LATEST, canary=rule)
    found = [drawn(Catalog([asked, rc], "1"), asked, NOW, allowed, draw) for draw in draws]
    return [None if each is None else each.arm for each in found]


def test_a_user_stays_on_its_side_and_the_share_holds() -> None:
    """A tenth of two thousand users, whatever they ask."""
    users = [Draw(user=str(number), request=f"r{number}") for number in range(2000)]
    again = [replace(draw, request="another", session="s") for draw in users]

    sides = arms(Canary("y:rc", 10), users)

    assert sides == arms(Canary("y:rc", 10), again)
    assert 150 < sides.count(Arm.CANARY) < 250
    # Whoever was drawn for a tenth stays when it becomes a half.
    wider = arms(Canary("y:rc", 50), users)
    assert all(wide is Arm.CANARY for side, wide in zip(sides, wider, strict=True) if side is Arm.CANARY)


@pytest.mark.parametrize(
    ("by", "draws"),
    [
        ("request", [Draw("u", "s", str(number)) for number in range(200)]),
        ("session", [Draw("u", str(number), "r") for number in range(200)]),
    ],
)
def test_sessions_and_requests_are_drawn_by_themselves(by: str, draws: list[Draw]) -> None:
    """Where one user has many."""
    assert set(arms(Canary("y:rc", 50, by), draws)) == {Arm.CANARY, Arm.STABLE}


def test_a_request_without_a_session_is_drawn_by_its_user() -> None:
    """Not all of them alike."""
    users = [Draw(user=str(number)) for number in range(50)]

    assert arms(Canary("y:rc", 50, "session"), users) == arms(Canary("y:rc", 50, "user"), users)


@pytest.mark.parametrize(
    "rc",
    [
        replace(RC, prices=(DEARER,)),
        replace(RC, prices=()),
        replace(RC, resolved_model="five"),
        replace(RC, enabled=False),
        replace(RC, kind="embedding"),
        replace(RC, id="elsewhere"),
    ],
    ids=["dearer", "no price", "the same model", "off", "of another kind", "unknown"],
)
def test_no_rule_holds_for_a_version_that_cannot_stand_in(rc: Model) -> None:
    """A caller pays no more than for what it asked for."""
    assert arms(Canary("y:rc", 100), [Draw("u")], rc) == [None]


def test_no_rule_holds_for_a_credential_that_may_not_use_the_version() -> None:
    """A list of models is a promise."""
    whole = Canary("y:rc", 100)

    assert arms(whole, [Draw("u")], allowed=frozenset({"y"})) == [None]
    assert arms(whole, [Draw("u")], allowed=frozenset({"y", "y:rc"})) == [Arm.CANARY]


def test_an_administrator_begins_and_ends_a_canary() -> None:
    """By a patch, checked like the file."""
    begun = patched(LATEST, {"canary": {"model": "y:rc", "percent": 5}})

    assert begun.canary == Canary("y:rc", 5.0, "user")
    assert patched(begun, {"canary": None}).canary is None


@pytest.mark.parametrize(
    "rule",
    [
        "y:rc",
        {"model": "y:rc"},
        {"model": "y:rc", "percent": 0},
        {"model": "y:rc", "percent": 101},
        {"model": "y:rc", "percent": True},
        {"model": 7, "percent": 1},
        {"model": "y:rc", "percent": 1, "by": "moon"},
        {"model": "y:rc", "percent": 1, "share": 1},
    ],
    ids=str,
)
def test_a_wrong_rule_is_refused(rule: Any) -> None:
    """A typing error must not move anybody."""
    with pytest.raises(BadPatch, match="canary"):
        patched(LATEST, {"canary": rule})
