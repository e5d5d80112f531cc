"""The protocol that judges forecasts, on series made here: the public ones need a package index."""

from __future__ import annotations

import random

import pytest

from tools.forecast_eval.adaptive import coverage_by_day
from tools.forecast_eval.gates import gates
from tools.forecast_eval.protocol import TUNING, judged, naive, ours
from tools.forecast_eval.series import NoSeriesError, Series, load

WEEKLY = [100.0, 110.0, 120.0, 110.0, 90.0, 20.0, 10.0]


@pytest.fixture
def noisy() -> list[Series]:
    rng = random.Random(3)
    return [Series("made", [day * rng.uniform(0.8, 1.2) for day in WEEKLY * 52]) for _ in range(2)]


def test_averaging_beats_the_week_before_where_there_is_only_noise(noisy):
    mine, theirs = judged(noisy, 84, TUNING, ours), judged(noisy, 84, TUNING, naive)

    assert mine.mase < theirs.mase
    assert mine.smape < theirs.smape
    assert mine.msis < theirs.msis
    assert mine.held_daily == pytest.approx(0.8, abs=0.12)
    assert (mine.refused, mine.width < 0.3) == (0, True)


def test_what_is_as_it_was_a_week_ago_is_foretold_without_a_miss():
    days = [*[5.0 * day for day in WEEKLY], *WEEKLY * 51]

    found = judged([Series("made", days)], 56, TUNING[:2], ours)

    assert found.mase == pytest.approx(0, abs=1e-9)
    assert (found.total < 1e-9, found.held_total) == (True, 1.0)


def test_each_gate_says_what_was_measured(noisy):
    found = list(gates(noisy))

    assert [gate.holds for gate in found[:3]] == [True, True, True]
    assert len(found) == 7
    assert "MASE: 0." in found[0].text


def test_a_learning_quantile_narrows_bands_that_held_too_often():
    fixed, adapted = coverage_by_day([Series("made", WEEKLY * 30)])

    assert 0.8 <= adapted <= fixed


def test_without_an_index_it_is_said_why_there_are_no_series(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)

    with pytest.raises(NoSeriesError, match="cannot be fetched"):
        load()
