"""Several credentials of one provider: what befalls one of them is not held against the others."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import ServiceError
from servicekit.testing import FakeClock
from services.router.circuits.admission import Admission
from services.router.circuits.circuits import Circuits
from services.router.circuits.domain.circuit import State
from services.router.circuits.domain.news import Drain
from services.router.circuits.domain.target import SkipReason, Target
from services.router.circuits.settings import CircuitSettings
from services.router.domain.failure import QUOTA_WAIT_S
from services.router.providers import failures
from services.router.tests.circuits.test_circuits import GIGA, LITE, PRO, Named

NAMES = ("one", "two", "three")


def pooled(clock: FakeClock, *names: str) -> Circuits:
    circuits = Circuits(CircuitSettings(jitter=0.0), clock, random.Random(1))
    circuits.pools.set("yandexgpt", names or NAMES)
    return circuits


def under(circuits: Circuits, credential: str, model: Named = PRO) -> Admission:
    """Return the admission of a call that was given a slot of this credential."""
    admission = circuits.admit(model)
    assert isinstance(admission, Admission)
    assert circuits.move(admission, model, credential)
    return admission


def fail(circuits: Circuits, credential: str, error: ServiceError, model: Named = PRO) -> None:
    circuits.failed(under(circuits, credential, model), error)


def avoided(circuits: Circuits, clock: FakeClock, model: Named = PRO) -> set[str]:
    return set(circuits.pools.avoided(model, clock.monotonic()))


_REFUSALS = {"401": failures.refused_us, "402": failures.out_of_money, "429": lambda: failures.rate_limited(20.0)}


@pytest.mark.parametrize("error", _REFUSALS.values(), ids=_REFUSALS)
def test_one_credential_is_avoided_for_the_model_that_it_was_refused_for(
    clock: FakeClock, error: Callable[[], ServiceError]
) -> None:
    """The model stays available by the others, and the credential serves other models."""
    circuits = pooled(clock)
    fail(circuits, "one", error())

    assert avoided(circuits, clock) == {"one"}
    assert avoided(circuits, clock, LITE) == set()
    assert circuits.is_available(PRO)
    assert circuits.has_other(PRO, "one")
    assert not circuits.has_other(PRO, "two")


def test_a_credential_that_is_full_without_saying_until_when_is_left_to_itself_for_a_moment(clock: FakeClock) -> None:
    """Yandex and GigaChat do not say it: callers waited, or another model answered, while other keys were free."""
    circuits = pooled(clock)

    fail(circuits, "one", failures.rate_limited(None))

    assert avoided(circuits, clock) == {"one"}
    assert circuits.has_other(PRO, "one")
    clock.advance(QUOTA_WAIT_S)
    assert avoided(circuits, clock) == set()


def test_a_credential_refused_for_three_models_is_avoided_for_all(clock: FakeClock) -> None:
    """Three in a row, as of a provider with one."""
    circuits = pooled(clock)
    for name in ("a", "b", "c"):
        fail(circuits, "one", failures.refused_us(), Named("yandexgpt", name))

    assert avoided(circuits, clock, LITE) == {"one"}


def test_a_model_is_skipped_when_no_credential_reaches_it(clock: FakeClock) -> None:
    """By the reason of the least bad one; paused ones are then waited for, refused ones are not asked."""
    circuits = pooled(clock)
    fail(circuits, "one", failures.refused_us())
    fail(circuits, "two", failures.rate_limited(20.0))
    assert circuits.is_available(PRO)
    fail(circuits, "three", failures.refused_us())

    assert circuits.admit(PRO) is SkipReason.COOLING
    assert avoided(circuits, clock) == {"one", "three"}
    choice = circuits.choose([PRO, GIGA], 0, is_first=True)
    assert (choice.at, choice.skipped) == (1, [(PRO, SkipReason.COOLING)])
    assert circuits.ready_in_s([PRO]) == 20.0


def test_the_last_target_is_asked_under_whatever_credential_has_a_slot(clock: FakeClock) -> None:
    """All are refused: three requests at a time, whose end makes room for others."""
    circuits = pooled(clock, "one", "two")
    for name in ("one", "two"):
        fail(circuits, name, failures.refused_us())
    assert avoided(circuits, clock) == set()

    choice = circuits.choose([PRO], 0, is_first=True)
    assert choice.admission is not None
    assert circuits.move(choice.admission, PRO, "two")
    assert choice.admission.entry.target.credential == "two"
    circuits.left(choice.admission)
    assert [view.target for view in circuits.views() if view.state is State.CLOSED and view.target.model] == []


def test_a_slot_of_a_credential_that_was_refused_meanwhile_is_not_used(clock: FakeClock) -> None:
    """The call takes another one; what it was admitted to before has lost nothing by it."""
    circuits = pooled(clock)
    waiting = circuits.admit(PRO)
    assert isinstance(waiting, Admission)
    fail(circuits, "two", failures.refused_us())

    assert not circuits.move(waiting, PRO, "two")
    assert circuits.move(waiting, PRO, "three")
    circuits.answered(waiting, 0.1)
    assert avoided(circuits, clock) == {"two"}


def test_probes_of_a_credential_are_those_calls_only_that_go_out_under_it(clock: FakeClock) -> None:
    """Admitted by it and sent under another one, a call gives its place back."""
    circuits = pooled(clock, "one", "two")
    fail(circuits, "one", failures.refused_us())
    clock.advance(30)

    for _ in range(10):
        circuits.answered(under(circuits, "two"), 0.1)
    for _ in range(3):
        circuits.answered(under(circuits, "one"), 0.1)
    assert {view.state for view in circuits.views()} == {State.CLOSED}


def test_a_drained_credential_is_avoided_until_it_is_not_drained(clock: FakeClock) -> None:
    """All of them drained is the provider drained: not even the last target is asked."""
    circuits = pooled(clock, "one", "two")
    drains = [Drain(Target("yandexgpt", name), "", "user:1", clock.now()) for name in ("one", "two")]

    circuits.set_drains(drains[:1])
    assert avoided(circuits, clock) == {"one"}
    fail(circuits, "two", failures.refused_us())
    choice = circuits.choose([PRO], 0, is_first=True)
    assert choice.admission is not None
    assert not circuits.move(choice.admission, PRO, "one")
    circuits.set_drains(drains)
    assert circuits.choose([PRO], 0, is_first=True).admission is None
    circuits.set_drains([])
    assert avoided(circuits, clock) == {"two"}


def test_a_reset_of_one_credential_leaves_the_others(clock: FakeClock) -> None:
    """Also when its models are many."""
    circuits = pooled(clock)
    for name in ("one", "two"):
        fail(circuits, name, failures.refused_us())

    assert circuits.reset(Target("yandexgpt", "one")) == [Target("yandexgpt", "one", "pro")]
    assert avoided(circuits, clock) == {"two"}


def test_turns_go_round_the_credentials_that_may_be_asked(clock: FakeClock) -> None:
    """For what waits in no line; with one credential there are none."""
    circuits = pooled(clock)
    fail(circuits, "two", failures.refused_us())

    turns = [circuits.pools.turn(PRO, clock.monotonic()) for _ in range(4)]
    assert sorted(turns) == ["one", "one", "three", "three"]
    assert circuits.pools.turn(GIGA, clock.monotonic()) == ""


def test_a_provider_left_with_one_credential_is_asked_as_one(clock: FakeClock) -> None:
    """And administrators see those that a pool has before they are used."""
    circuits = pooled(clock)
    assert [view.target.credential for view in circuits.views()] == sorted(NAMES)

    fail(circuits, "one", failures.refused_us())
    circuits.pools.set("yandexgpt", ())
    assert avoided(circuits, clock) == set()
    assert circuits.pools.of("yandexgpt") == ("default",)


_ERRORS = [failures.refused_us, failures.out_of_money, failures.broken, lambda: failures.rate_limited(20.0)]
_STEPS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from([None, *_ERRORS]), st.sampled_from([0, 1, 31])), max_size=40
)


@given(_STEPS)
def test_never_are_all_avoided_nor_is_it_the_turn_of_one_that_is(
    steps: list[tuple[str, Callable[[], ServiceError] | None, int]],
) -> None:
    """Whatever befalls them, in any order."""
    clock = FakeClock()
    circuits = pooled(clock)
    for name, error, seconds in steps:
        clock.advance(seconds)
        choice = circuits.choose([PRO], 0, is_first=True)
        if choice.admission is not None and circuits.move(choice.admission, PRO, name):
            if error is None:
                circuits.answered(choice.admission, 0.1)
            else:
                circuits.failed(choice.admission, error())
        passed_over = avoided(circuits, clock)
        assert passed_over < set(NAMES)
        assert circuits.pools.turn(PRO, clock.monotonic()) not in passed_over
