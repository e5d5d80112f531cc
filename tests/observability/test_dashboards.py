"""Dashboards against a real Prometheus that scraped the suite while it worked a little."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.observability.load import do_a_little_of_everything
from tests.observability.servers import RULES, SERVICES, Prometheus, running_prometheus
from tools.dashboards.__main__ import BOARDS
from tools.dashboards.board import Panel
from tools.stack.running_stack import RunningStack

PANELS = [pytest.param(panel, id=f"{board.uid}: {panel.title}") for board in BOARDS for panel in board.panels]


@pytest.fixture(scope="module")
def prometheus(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Return a Prometheus that has seen the suite before and after each of two rounds of work."""
    targets = {service: stack.metrics_url(service).split("/")[2] for service in SERVICES}
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(folder, targets, rules=sorted(RULES.glob("*.yaml"))) as running:
        running.wait_for_scrapes(2)
        for _ in range(2):
            do_a_little_of_everything(stack)
            running.wait_for_scrapes(3)
        yield running


def has_figure(series: list[dict[str, Any]]) -> bool:
    return any(not math.isnan(float(each["value"][1])) for each in series)


@pytest.mark.parametrize("panel", PANELS)
def test_no_panel_is_refused_or_empty(prometheus: Prometheus, panel: Panel) -> None:
    """Every query is one that Prometheus takes, and shows a figure; exceptions say what must have happened first."""
    found = [
        prometheus.query(query.expr.replace("$__rate_interval", "1m").replace("$__range", "1h"))
        for query in panel.queries
    ]

    assert panel.only_after or all(has_figure(series) for series in found)
