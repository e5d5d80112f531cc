"""The state machine of one circuit, by examples and by properties."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.circuits.domain.circuit import Circuit, Outcome, Pass, Rules, State

RULES: Final = Rules()
BAD: Final = (Outcome.FAILED, Outcome.TIMED_OUT)


def call(circuit: Circuit, outcome: Outcome, now: float, chance: float = 0.0) -> bool:
    """Make one call that must be let through; tell whether the circuit changed."""
    taken = circuit.take(now)
    assert taken is not None
    return circuit.record(taken, outcome, now, chance)


def opened(now: float = 0.0) -> Circuit:
    """Return a circuit that has just opened."""
    circuit = Circuit(RULES)
    for _ in range(RULES.consecutive):
        call(circuit, Outcome.FAILED, now)
    assert circuit.state is State.OPEN
    return circuit


@pytest.mark.parametrize("bad", BAD)
def test_five_failures_in_a_row_open_it_and_four_do_not(bad: Outcome) -> None:
    """However few calls there are; a time-out is a failure in a row as any other."""
    circuit = Circuit(RULES)

    changes = [call(circuit, bad, 0.0) for _ in range(RULES.consecutive)]

    assert changes == [False] * (RULES.consecutive - 1) + [True]


@pytest.mark.parametrize("bad", BAD)
def test_half_of_the_calls_failing_opens_it_at_the_twentieth(bad: Outcome) -> None:
    """A share means nothing of fewer; whoever waited in vain for a time-out is no better off than after an error."""
    circuit = Circuit(RULES)
    outcomes = [bad, Outcome.ANSWERED] * 15

    changes = [call(circuit, outcome, 0.0) for outcome in outcomes[:21]]

    assert changes.index(True) == 20, "the 20th call was answered: the next failure opens"


def test_slow_answers_open_it_when_most_are_slow() -> None:
    """Four of five; the provider answers, but nobody can use it."""
    circuit = Circuit(RULES)
    outcomes = [Outcome.ANSWERED] * 4 + [Outcome.SLOW] * 16

    changes = [call(circuit, outcome, 0.0) for outcome in outcomes]

    assert changes == [False] * 19 + [True]


def test_failures_older_than_the_window_are_forgotten() -> None:
    """Nineteen calls, ten of them failed, half a minute ago, do not open it with the next."""
    circuit = Circuit(RULES)
    for at in range(19):
        call(circuit, Outcome.FAILED if at % 2 else Outcome.ANSWERED, 0.0)

    assert not call(circuit, Outcome.FAILED, RULES.window_s + RULES.window_s / 10)


def test_three_probes_at_a_time_and_all_must_be_answered() -> None:
    """A fourth caller waits for none of them: it is refused."""
    circuit = opened()
    probes = [circuit.take(30.0) for _ in range(4)]

    assert [probe is not None for probe in probes] == [True, True, True, False]
    changes = [circuit.record(probe, Outcome.ANSWERED, 31.0, 0.0) for probe in probes if probe is not None]
    assert changes == [False, False, True]
    assert circuit.state is State.CLOSED


def test_one_failed_probe_opens_it_again_for_as_long_as_before() -> None:
    """A long outage is noticed to be over as soon as a short one; the other probes under way say nothing any more."""
    circuit = opened()
    first, second = circuit.take(30.0), circuit.take(30.0)
    assert first is not None
    assert second is not None

    assert circuit.record(first, Outcome.FAILED, 30.0, 0.0)

    assert (circuit.state, circuit.until, circuit.openings) == (State.OPEN, 60.0, 1)
    assert not circuit.record(second, Outcome.ANSWERED, 31.0, 0.0)
    assert circuit.state is State.OPEN


def test_a_probe_that_says_nothing_makes_room_for_another() -> None:
    """A caller who leaves must not block the way back."""
    circuit = opened()
    probes = [circuit.take(30.0) for _ in range(3)]
    assert probes[0] is not None

    circuit.record(probes[0], Outcome.SAYS_NOTHING, 30.0, 0.0)

    assert circuit.take(30.0) is not None
    assert circuit.take(30.0) is None


def test_a_stream_that_breaks_after_its_first_content_fails_its_probe() -> None:
    """Its beginning counted for it; its end counts against it."""
    circuit = opened()
    probe = circuit.take(30.0)
    assert probe is not None
    circuit.record(probe, Outcome.ANSWERED, 30.0, 0.0)

    assert circuit.record(probe, Outcome.FAILED, 31.0, 0.0)
    assert circuit.state is State.OPEN


def test_answers_that_break_off_one_after_another_open_it() -> None:
    """Each had begun to answer, which was the end of every row of failures: such a model was never left out."""
    circuit = Circuit(RULES)
    for at in range(RULES.consecutive):
        taken = circuit.take(at)
        assert taken is not None
        circuit.record(taken, Outcome.ANSWERED, at, 0.0)
        changed = circuit.record(taken, Outcome.FAILED, at, 0.0)

    assert changed
    assert circuit.state is State.OPEN


def test_an_answer_that_comes_to_its_end_ends_a_row_of_breaks() -> None:
    """Four in a row, one that ends well, and four again."""
    circuit = Circuit(RULES)
    for at in range(9):
        taken = circuit.take(at)
        assert taken is not None
        circuit.record(taken, Outcome.ANSWERED, at, 0.0)
        if at == 4:
            circuit.ended(taken)
        else:
            assert not circuit.record(taken, Outcome.FAILED, at, 0.0)


def test_an_answer_that_breaks_off_is_one_call_of_which_one_has_failed() -> None:
    """It was two, of which half had failed at most: with any other answer beside them no share was ever reached."""
    circuit, changes = Circuit(RULES), []
    for at in range(20):
        taken = circuit.take(at)
        assert taken is not None
        changed = circuit.record(taken, Outcome.ANSWERED, at, 0.0)
        if at % 3:
            changed = circuit.record(taken, Outcome.FAILED, at, 0.0)
        else:
            circuit.ended(taken)
        changes.append(changed)

    assert changes == [False] * 19 + [True]


def test_opening_again_soon_after_closing_lasts_longer_and_is_forgiven_later() -> None:
    """30 s, 60 s, 90 s …, 300 s at most; after five good minutes 30 s again."""
    circuit, now, lengths = Circuit(RULES), 0.0, []
    for _ in range(12):
        while circuit.state is State.CLOSED:
            call(circuit, Outcome.FAILED, now)
        lengths.append(circuit.until - now)
        now = circuit.until
        for _ in range(RULES.probes):
            call(circuit, Outcome.ANSWERED, now)
    assert lengths == [30.0 * n for n in range(1, 11)] + [300.0, 300.0]

    now += RULES.longest_open_s
    while circuit.state is State.CLOSED:
        call(circuit, Outcome.FAILED, now)
    assert circuit.until - now == 30.0


def test_a_last_resort_closes_an_open_circuit_by_answering() -> None:
    """It tells what a probe would; its failure does not move the time of the probes."""
    circuit = opened()
    assert not circuit.record(circuit.take_last_resort(), Outcome.FAILED, 10.0, 0.0)
    assert circuit.until == 30.0

    changes = [circuit.record(circuit.take_last_resort(), Outcome.ANSWERED, 11.0, 0.0) for _ in range(RULES.probes)]

    assert changes == [False, False, True]


def test_answers_to_last_resorts_that_began_before_one_failed_close_nothing() -> None:
    """They came late and hid the failure: three that were begun after it must be answered."""
    circuit = opened()
    failing, *late = [circuit.take_last_resort() for _ in range(1 + RULES.probes)]
    circuit.record(failing, Outcome.FAILED, 10.0, 0.0)

    changes = [circuit.record(each, Outcome.ANSWERED, 11.0, 0.0) for each in late]

    assert (changes, circuit.state) == ([False] * RULES.probes, State.OPEN)
    assert [call(circuit, Outcome.ANSWERED, 30.0) for _ in range(RULES.probes)] == [False, False, True]


def test_a_circuit_is_taken_over_from_a_peer() -> None:
    """Open until the same moment; what had begun before says nothing."""
    circuit = Circuit(RULES)
    before = circuit.take(0.0)
    assert before is not None

    circuit.adopt(State.OPEN, 40.0, 2, 0.0)

    assert not circuit.admits(39.0)
    assert circuit.admits(40.0)
    assert not circuit.record(before, Outcome.FAILED, 1.0, 0.0)


STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(["take", "last", "record", "record", "record"]),
        st.sampled_from(list(Outcome)),
        st.floats(0, 40),
        st.floats(0, 1, exclude_max=True),
    ),
    max_size=120,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_happens_the_rules_hold(steps: list[tuple[str, Outcome, float, float]]) -> None:
    """Nothing passes before its time, no more probes than allowed, no opening shorter or longer than promised."""
    circuit, now, out = Circuit(RULES), 0.0, list[Pass]()
    for what, outcome, wait_s, chance in steps:
        now += wait_s
        was = (circuit.state, circuit.until)
        if what == "take":
            taken = circuit.take(now)
            assert (taken is None) == (was[0] is State.OPEN and now < was[1]) or circuit.state is State.HALF_OPEN
            out += [taken] if taken else []
        elif what == "last":
            out.append(circuit.take_last_resort())
        elif out:
            changed = circuit.record(out.pop(0), outcome, now, chance)
            assert changed == ((circuit.state, circuit.until) != was)
            if changed and circuit.state is State.OPEN:
                length_s = circuit.until - now
                assert RULES.open_s - 1e-6 <= length_s <= RULES.longest_open_s * (1 + RULES.jitter) + 1e-6
                assert outcome is not Outcome.ANSWERED
                assert outcome is not Outcome.SAYS_NOTHING
        fresh = [each for each in out if each.is_probe and not each.is_recorded]
        assert len([each for each in fresh if each.epoch == max(e.epoch for e in fresh)]) <= RULES.probes


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_it_always_finds_its_way_back(steps: list[tuple[str, Outcome, float, float]]) -> None:
    """After any history, answers alone close it: within one opening and as many calls as probes."""
    circuit, now, out = Circuit(RULES), 0.0, list[Pass]()
    for what, outcome, wait_s, chance in steps:
        now += wait_s
        if what == "take" and (taken := circuit.take(now)) is not None:
            out.append(taken)
        elif what == "record" and out:
            circuit.record(out.pop(0), outcome, now, chance)
    for each in out:
        circuit.record(each, Outcome.SAYS_NOTHING, now, 0.0)

    now = max(now, circuit.until)
    for _ in range(RULES.probes):
        if circuit.state is not State.CLOSED:
            call(circuit, Outcome.ANSWERED, now)

    assert circuit.state is State.CLOSED


@given(st.lists(st.tuples(st.sampled_from([Outcome.ANSWERED, Outcome.SAYS_NOTHING]), st.floats(0, 10)), max_size=200))
def test_good_calls_never_open_it(calls: list[tuple[Outcome, float]]) -> None:
    """Nor do those that say nothing about the provider."""
    circuit, now = Circuit(RULES), 0.0
    for outcome, wait_s in calls:
        now += wait_s
        assert not call(circuit, outcome, now)
