"""The operators' alarms on /console/break: judged by circuits as the rules that Prometheus has."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from servicekit.testing.fake_clock import FakeClock
from services.gateway.clients.router.administration import CircuitState, ProviderScope
from services.gateway.console.breaking.alarms import ACCOUNT_SPENT, CIRCUIT_OPEN, AlarmWatch, Rule
from services.gateway.console.breaking.faults import ALARMS, PROVIDER

ROOT = Path(__file__).parents[4]


def circuit(since: datetime | None, *, model: str = "gigachat-pro", **changes: Any) -> CircuitState:
    """Return a circuit of GigaChat that failures have opened."""
    known = {"state": "open", "cause": "failures", "provider": PROVIDER, **changes}
    target = ProviderScope(known["provider"], "default", model)
    return CircuitState(target, known["state"], known["cause"], since, None, 1, None, drained=False)


def states(watch: AlarmWatch, *circuits: CircuitState) -> list[tuple[str, str]]:
    """Return the alarms that are shown, and their states."""
    return [(alarm.rule.name, alarm.state) for alarm in watch.look(circuits)]


@pytest.mark.parametrize("rule", [CIRCUIT_OPEN, ACCOUNT_SPENT], ids=lambda rule: rule.name)
def test_each_rule_is_the_one_that_prometheus_judges(rule: Rule) -> None:
    """The same time until it rings, the same window and severity; its runbook is there."""
    groups = yaml.safe_load((ROOT / "deploy/observability/rules/providers.yaml").read_text())["groups"]
    [known] = [each for group in groups for each in group["rules"] if each["alert"] == rule.name]
    hold = timedelta(minutes=int(known.get("for", "0m").removesuffix("m")))

    assert (hold, known["labels"]["severity"]) == (rule.hold, rule.severity)
    assert (f"[{rule.window // timedelta(minutes=1)}m]" in known["expr"]) is bool(rule.window)
    assert known["annotations"]["runbook"] == rule.runbook
    assert (ROOT / rule.runbook).is_file()


def test_the_page_names_no_alarm_that_it_does_not_judge() -> None:
    """What a button may wake up is shown when it does."""
    assert set(ALARMS.values()) == {CIRCUIT_OPEN.name, ACCOUNT_SPENT.name}


def test_an_open_circuit_waits_then_rings_then_is_resolved() -> None:
    """From the moment it opened, not from the first look; what is over goes away after ten minutes."""
    clock = FakeClock()
    watch, opened = AlarmWatch(PROVIDER, clock), clock.now() - timedelta(minutes=4, seconds=30)
    [waiting] = watch.look([circuit(opened)])
    clock.advance(30)
    [ringing] = watch.look([circuit(opened)])
    clock.advance(5)
    [over] = watch.look([circuit(opened, state="closed")])
    for _ in range(20):
        clock.advance(30)
        last = watch.look([])

    assert (waiting.state, waiting.since, waiting.until) == ("pending", opened, opened + timedelta(minutes=5))
    assert (ringing.state, ringing.since, ringing.until) == ("firing", opened + timedelta(minutes=5), None)
    assert (over.state, over.since) == ("resolved", opened + timedelta(minutes=5, seconds=5))
    assert last == []


def test_what_ends_before_it_rings_never_rang() -> None:
    """A fault of a minute wakes nobody; a probe that failed, or is under way, does not begin it anew."""
    clock = FakeClock()
    watch = AlarmWatch(PROVIDER, clock)

    assert states(watch, circuit(clock.now())) == [("CircuitOpen", "pending")]
    opened = clock.now()
    clock.advance(40)
    [probed] = watch.look([circuit(opened, state="half_open")])
    [again] = watch.look([circuit(clock.now(), cause="probe")])
    clock.advance(19)
    assert (probed, again) == (probed, probed)
    assert (probed.state, probed.since) == ("pending", opened)
    assert states(watch, circuit(clock.now(), state="closed", cause="reset")) == [("CircuitOpen", "passed")]
    assert states(watch, circuit(clock.now())) == [("CircuitOpen", "pending")]


def test_an_empty_account_rings_at_once_and_for_ten_minutes() -> None:
    """Also after it has been filled: the rule looks ten minutes back."""
    clock = FakeClock()
    watch, began = AlarmWatch(PROVIDER, clock), clock.now()
    [_, ringing] = watch.look([circuit(began, cause="spent")])
    seen = []
    for _ in range(20):
        clock.advance(30)
        seen.append(dict(states(watch, circuit(clock.now(), state="closed", cause="reset"))).get("AccountSpent"))

    assert (ringing.state, ringing.since, ringing.until) == ("firing", began, began + timedelta(minutes=10))
    assert seen == ["firing"] * 19 + ["resolved"]


def test_only_models_of_the_provider_count() -> None:
    """Neither another provider, nor a credential, nor a circuit of which nothing is known."""
    clock = FakeClock()
    watch, now = AlarmWatch(PROVIDER, clock), clock.now()

    others = [circuit(now, provider="yandexgpt"), circuit(now, model=""), circuit(None)]

    assert states(watch, *others) == []


def test_what_nobody_looked_at_for_a_minute_is_not_remembered() -> None:
    """An alarm that may have rung and ended meanwhile is not said to have done neither."""
    clock = FakeClock()
    watch = AlarmWatch(PROVIDER, clock)
    assert states(watch, circuit(clock.now())) == [("CircuitOpen", "pending")]
    clock.advance(61)

    assert states(watch) == []
