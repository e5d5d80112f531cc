"""Which candidate is asked, what failures of each class do, and what administrators order."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from servicekit.errors import ErrorReason, ServiceError, invalid_parameter
from servicekit.testing import FakeClock
from services.router.circuits.admission import Admission
from services.router.circuits.circuits import Circuits
from services.router.circuits.domain.circuit import State
from services.router.circuits.domain.news import Cause, Change, Drain
from services.router.circuits.domain.target import ONLY_CREDENTIAL, SkipReason, Target
from services.router.circuits.settings import CircuitSettings
from services.router.providers import failures
from services.router.slots import refusals


@dataclass(frozen=True)
class Named:
    """As much of a model as circuits look at."""

    provider: str
    id: str


PRO, LITE, GIGA = Named("yandexgpt", "pro"), Named("yandexgpt", "lite"), Named("gigachat", "gigachat")


def circuits_on(clock: FakeClock, **settings: Any) -> Circuits:
    return Circuits(CircuitSettings(**{"jitter": 0.0, **settings}), clock, random.Random(1))


def admitted(circuits: Circuits, model: Named) -> Admission:
    admission = circuits.admit(model)
    assert isinstance(admission, Admission)
    return admission


def fail(circuits: Circuits, model: Named, error: ServiceError | None = None, times: int = 5) -> None:
    for _ in range(times):
        circuits.failed(admitted(circuits, model), error or failures.broken())


def target(model: Named) -> Target:
    return Target(model.provider, ONLY_CREDENTIAL, model.id)


def test_what_alarms_count_is_there_before_it_counts(clock: FakeClock) -> None:
    """Of a counter that begins with 1 Prometheus sees no increase: the first refusal would ring nothing."""
    model = Named("yandexgpt", "never-asked-before")

    admitted(circuits_on(clock), model)

    labels = {"provider": "yandexgpt", "model": "never-asked-before"}
    for cause in ("refused", "spent", "failures", "slow", "probe"):
        name = "razvilka_router_circuit_openings_total"
        assert REGISTRY.get_sample_value(name, {**labels, "cause": cause}) == 0
    assert REGISTRY.get_sample_value("razvilka_router_no_healthy_provider_total", {"model": model.id}) == 0
    # ProviderDown: five failures at once open the circuit, and nothing is counted after them.
    for outcome in (each.value for each in ErrorReason if each.value.startswith("PROVIDER_")):
        name = "razvilka_router_attempts_total"
        assert REGISTRY.get_sample_value(name, {**labels, "outcome": outcome}) == 0


def test_an_open_circuit_is_passed_over_and_named(clock: FakeClock) -> None:
    """The next candidate is asked at once; models beside the sick one are untouched."""
    circuits = circuits_on(clock)
    fail(circuits, PRO)

    choice = circuits.choose([PRO, GIGA], 0, is_first=True)

    assert (choice.at, choice.skipped) == (1, [(PRO, SkipReason.CIRCUIT_OPEN)])
    assert isinstance(circuits.admit(LITE), Admission)


def test_the_only_candidate_is_asked_whatever_its_state(clock: FakeClock) -> None:
    """Nothing would be won by refusing: of a provider that fails every second call, half would be lost."""
    circuits = circuits_on(clock)
    fail(circuits, PRO)

    choices = [circuits.choose([PRO], 0, is_first=True) for _ in range(50)]

    assert all(choice.admission is not None and not choice.skipped for choice in choices)


def test_of_candidates_that_are_all_open_the_least_bad_is_asked_by_a_few(clock: FakeClock) -> None:
    """Three at a time try each, the one that opens soonest first; the others are told when to come back, at once."""
    circuits = circuits_on(clock)
    fail(circuits, GIGA)
    clock.advance(10)
    fail(circuits, PRO)

    choices = [circuits.choose([PRO, GIGA], 0, is_first=True) for _ in range(8)]

    assert [choice.admission is not None for choice in choices] == [True] * 6 + [False] * 2
    assert [choice.at for choice in choices[:6]] == [1] * 3 + [0] * 3
    assert circuits.ready_in_s([PRO, GIGA]) == 20.0
    assert choices[0].admission is not None
    circuits.left(choices[0].admission)
    assert circuits.choose([PRO, GIGA], 0, is_first=True).admission is not None


def test_a_request_that_has_tried_is_not_sent_to_open_circuits(clock: FakeClock) -> None:
    """Its own failure says more than another one would."""
    circuits = circuits_on(clock)
    fail(circuits, GIGA)
    fail(circuits, PRO)

    assert circuits.choose([PRO, GIGA], 0, is_first=False).admission is None


@pytest.mark.parametrize("wish_s", [7.0, 3600.0])
def test_a_retry_after_cools_the_model_alone_and_a_minute_at_most(clock: FakeClock, wish_s: float) -> None:
    """It is no failure: the circuit stays closed, other models of the provider are asked."""
    circuits = circuits_on(clock)
    news: list[Change] = []
    circuits.on_change = news.append
    fail(circuits, GIGA, failures.rate_limited(wish_s), times=1)

    assert circuits.admit(GIGA) is SkipReason.COOLING
    assert circuits.choose([GIGA], 0, is_first=True).admission is not None
    assert [(each.cause, each.state) for each in news] == [(Cause.RETRY_AFTER, State.CLOSED)]
    clock.advance(min(wish_s, 60.0))
    assert isinstance(circuits.admit(GIGA), Admission)


def test_a_quota_without_a_time_cools_nothing(clock: FakeClock) -> None:
    """As of a provider that never says when: who waits for it is the queue's matter."""
    circuits = circuits_on(clock)

    fail(circuits, PRO, failures.rate_limited(None), times=30)

    assert isinstance(circuits.admit(PRO), Admission)


def test_a_line_of_ours_that_is_too_long_cools_nothing(clock: FakeClock) -> None:
    """One caller has no time to wait in it; the next one may."""
    circuits = circuits_on(clock)

    fail(circuits, PRO, refusals.too_long(30.0, 5.0), times=30)

    assert isinstance(circuits.admit(PRO), Admission)


def test_a_refused_credential_opens_its_model_at_once_and_itself_after_three(clock: FakeClock) -> None:
    """One model that the key may not use says nothing of the others; three refusals in a row say that it is the key."""
    circuits = circuits_on(clock)
    third = Named("yandexgpt", "32k")
    fail(circuits, PRO, failures.refused_us(), times=1)
    assert circuits.admit(PRO) is SkipReason.CIRCUIT_OPEN
    fail(circuits, LITE, failures.refused_us(), times=1)
    assert isinstance(circuits.admit(third), Admission)

    fail(circuits, third, failures.refused_us(), times=1)

    assert circuits.admit(Named("yandexgpt", "rc")) is SkipReason.CREDENTIAL
    assert isinstance(circuits.admit(GIGA), Admission)


def test_a_spent_package_is_spent_for_its_model_alone(clock: FakeClock) -> None:
    """GigaChat sells packages by the model."""
    circuits = circuits_on(clock)
    for name in ("gigachat", "gigachat-pro", "gigachat-max"):
        fail(circuits, Named("gigachat", name), failures.out_of_money(), times=1)

    assert circuits.admit(GIGA) is SkipReason.CIRCUIT_OPEN
    assert isinstance(circuits.admit(Named("gigachat", "GigaChat-2")), Admission)


@pytest.mark.parametrize("error", [failures.bad_request("no"), failures.too_long(), invalid_parameter("n", "no")])
def test_what_the_caller_did_wrong_opens_nothing(clock: FakeClock, error: ServiceError) -> None:
    """However often."""
    circuits = circuits_on(clock)

    fail(circuits, PRO, error, times=50)

    assert isinstance(circuits.admit(PRO), Admission)


def test_a_model_that_its_provider_does_not_know_is_left_out(clock: FakeClock) -> None:
    """It was asked by every request for ever, each of which then had to ask another one."""
    circuits = circuits_on(clock)

    fail(circuits, PRO, failures.no_such_model(), times=5)

    assert circuits.admit(PRO) is SkipReason.CIRCUIT_OPEN


def test_impatient_callers_open_nothing(clock: FakeClock) -> None:
    """Whose deadline is one second gets time-outs of every model; others must still be served."""
    circuits = circuits_on(clock)

    for _ in range(50):
        circuits.cut_short(admitted(circuits, PRO), after_s=1.0)
    assert isinstance(circuits.admit(PRO), Admission)

    for _ in range(5):
        circuits.cut_short(admitted(circuits, PRO), after_s=31.0)
    assert circuits.admit(PRO) is SkipReason.CIRCUIT_OPEN


def test_a_drain_beats_everything(clock: FakeClock) -> None:
    """Also the rule of the last target; and it counts for targets that nobody has asked yet."""
    circuits = circuits_on(clock)
    circuits.admit(PRO)
    circuits.set_drains([Drain(Target("yandexgpt", ""), "maintenance", "user:1", clock.now())])

    assert circuits.admit(PRO) is SkipReason.DRAINED
    assert circuits.admit(LITE) is SkipReason.DRAINED
    assert circuits.choose([PRO], 0, is_first=True).admission is None
    assert circuits.choose([PRO, GIGA], 0, is_first=True).at == 1

    circuits.set_drains([])
    assert isinstance(circuits.admit(PRO), Admission)


def test_the_one_that_is_not_drained_is_the_last_target(clock: FakeClock) -> None:
    """Its circuit may be open: there is nobody else."""
    circuits = circuits_on(clock)
    fail(circuits, GIGA)
    circuits.set_drains([Drain(Target("yandexgpt", "", "pro"), "", "user:1", clock.now())])

    choices = [circuits.choose([PRO, GIGA], 0, is_first=True) for _ in range(10)]

    assert {(choice.at, choice.admission is not None) for choice in choices} == {(1, True)}


def test_news_of_a_peer_count_unless_they_are_older(clock: FakeClock) -> None:
    """What this router found later than the peer stays."""
    circuits, peer = circuits_on(clock), circuits_on(clock)
    news: list[Change] = []
    peer.on_change = news.append
    fail(peer, PRO)
    opened = news[-1]
    circuits.adopt(opened)
    assert circuits.admit(PRO) is SkipReason.CIRCUIT_OPEN

    clock.advance(1)
    circuits.reset(Target("yandexgpt", ""))
    circuits.adopt(opened)

    assert isinstance(circuits.admit(PRO), Admission)


def test_news_of_a_clock_that_is_ahead_are_not_believed(clock: FakeClock) -> None:
    """They would leave the model out for two hours, and undo what is found, or ordered, until then."""
    circuits, peer = circuits_on(clock), circuits_on(FakeClock(clock.now() + timedelta(hours=2)))
    news: list[Change] = []
    peer.on_change = news.append
    fail(peer, PRO)

    circuits.adopt(news[-1])

    assert isinstance(circuits.admit(PRO), Admission)


def test_what_was_found_while_the_clock_was_ahead_gives_way_to_news_of_peers(clock: FakeClock) -> None:
    """Once it is put right: otherwise a reset would not be heard for two hours."""
    circuits = circuits_on(clock)
    clock.jump(7200)
    fail(circuits, PRO)
    clock.jump(-7200)
    assert circuits.admit(PRO) is SkipReason.CIRCUIT_OPEN

    target = Target(PRO.provider, ONLY_CREDENTIAL, PRO.id)
    circuits.adopt(Change(target, State.CLOSED, Cause.RESET, clock.now(), clock.now()))

    assert isinstance(circuits.admit(PRO), Admission)


def test_a_reset_closes_what_is_within_its_scope_and_tells_the_peers(clock: FakeClock) -> None:
    """With the openings forgotten: the next one lasts 30 s again."""
    circuits = circuits_on(clock)
    for model in (PRO, LITE, GIGA):
        fail(circuits, model)
    news: list[Change] = []
    circuits.on_change = news.append

    reset = circuits.reset(Target("yandexgpt", "", "pro"))

    assert reset == [target(PRO)]
    assert [(each.target, each.state, each.cause) for each in news] == [(target(PRO), State.CLOSED, Cause.RESET)]
    assert isinstance(circuits.admit(PRO), Admission)
    assert circuits.admit(LITE) is SkipReason.CIRCUIT_OPEN


def test_administrators_see_state_cause_and_times(clock: FakeClock) -> None:
    """An open circuit whose time has come is half-open, though nobody has probed it yet."""
    circuits = circuits_on(clock)
    fail(circuits, PRO)

    view = circuits.view(PRO)
    assert (view.state, view.cause, view.since) == (State.OPEN, "failures", clock.now())
    assert view.until == clock.now() + timedelta(seconds=30)

    clock.advance(30)
    assert (circuits.view(PRO).state, circuits.view(PRO).until) == (State.HALF_OPEN, None)
