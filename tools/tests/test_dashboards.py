"""Dashboards ask for metrics that exist, and are what was made of their code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.dashboards.__main__ import BOARDS, FOLDER, files
from tools.dashboards.board import RATE
from tools.stack.home import REPOSITORY
from tools.tests.test_alert_rules import DECLARED, RECORDED, RECORDS, RULES, metrics_of

EXPRS = [query.expr for board in BOARDS for panel in board.panels for query in panel.queries]
OUTER_BY = re.compile(r"^(?:sum|max|min|count) by \(([\w, ]+)\)")
GRAFANA = REPOSITORY / "deploy" / "observability" / "grafana" / "provisioning"


def test_the_files_are_what_the_code_says() -> None:
    """Nobody edits them by hand, and none is left over."""
    assert {path: path.read_text() for path in FOLDER.glob("*.json")} == files()


def test_every_metric_of_a_panel_is_declared() -> None:
    """A panel of a metric that was renamed is empty, and looks as if nothing happened."""
    text = " ".join(EXPRS)

    assert metrics_of(text) <= DECLARED
    assert set(RECORDED.findall(text)) <= RECORDS


def test_every_panel_asks_a_question_and_every_board_has_an_address_of_its_own() -> None:
    """A figure without a question is a decoration."""
    panels = [panel for board in BOARDS for panel in board.panels]

    assert all(re.search(r"\?|The same of", panel.question) for panel in panels)
    assert len({board.uid for board in BOARDS}) == len(BOARDS)


def panels_of_files() -> list[dict[str, Any]]:
    panels = [panel for path in FOLDER.glob("*.json") for panel in json.loads(path.read_text())["panels"]]
    return [panel for panel in panels if panel["type"] != "row"]


def test_every_panel_has_a_unit_and_colours_of_its_own() -> None:
    """Without colours Grafana takes its own: red from 80 of whatever it is."""
    shown = {panel["title"]: panel["fieldConfig"]["defaults"] for panel in panels_of_files()}
    steps = {title: defaults["thresholds"]["steps"] for title, defaults in shown.items()}

    assert [title for title, defaults in shown.items() if not defaults["unit"]] == []
    assert [title for title, each in steps.items() if each[0]["value"] is not None or len(each) > 2] == []
    assert [title for title, each in steps.items() if any(step["value"] == 80 for step in each)] == []


def test_every_line_can_be_told_from_the_others() -> None:
    """Each query has a legend, and the legend has every label that parts its series."""
    targets = [(panel["title"], target) for panel in panels_of_files() for target in panel["targets"]]
    untold = [
        (title, label)
        for title, target in targets
        if (by := OUTER_BY.match(target["expr"])) and "{{" in target["legendFormat"]
        for label in by.group(1).split(", ")
        if f"{{{{{label}}}}}" not in target["legendFormat"]
    ]

    assert [title for title, target in targets if target["legendFormat"] in ("", "__auto")] == []
    assert untold == []


def test_what_is_counted_a_second_is_shown_so() -> None:
    """A rate without its second is read as a number of things."""
    rates = [
        panel for board in BOARDS for panel in board.panels if all(RATE.match(each.expr) for each in panel.queries)
    ]

    assert rates
    assert {panel.unit for panel in rates} <= {"ops", "reqps"}


def test_a_limit_is_that_of_an_alarm_or_an_objective() -> None:
    """A line in a panel that no alarm knows is a second opinion. 0 and 1 are all or nothing."""
    rules_text = "\n".join(file.read_text() for file in RULES)
    limited = [
        (panel.title, metric, f"{panel.limit.value:g}")
        for board in BOARDS
        for panel in board.panels
        if panel.limit and panel.limit.value not in (0, 1)
        for metric in metrics_of(panel.queries[0].expr)
    ]
    strange = [
        title
        for title, metric, value in limited
        if not re.search(rf"{metric}.*\b{re.escape(value)}\b", _lines_of(metric, rules_text))
    ]

    assert limited
    assert strange == []


def _lines_of(metric: str, text: str) -> str:
    """Return the expressions that speak of a metric, each on a line."""
    exprs = re.split(r"^ *(?:- alert|- record|labels|for):", text, flags=re.MULTILINE)
    return "\n".join(" ".join(expr.split()) for expr in exprs if metric in expr)


def test_panels_ask_the_source_that_is_provisioned() -> None:
    """Another uid, and every panel says that its source was not found."""
    sources = yaml.safe_load((GRAFANA / "datasources" / "prometheus.yaml").read_text())["datasources"]
    asked = {
        panel["datasource"]["uid"]
        for path in FOLDER.glob("*.json")
        for panel in json.loads(path.read_text())["panels"]
        if "datasource" in panel
    }

    assert asked == {each["uid"] for each in sources}


def test_a_measurement_leads_to_its_trace() -> None:
    """Exemplars are written with the label that Grafana follows, to a source that is provisioned."""
    folder = GRAFANA / "datasources"
    [prometheus] = yaml.safe_load((folder / "prometheus.yaml").read_text())["datasources"]
    [jaeger] = yaml.safe_load((folder / "jaeger.yaml").read_text())["datasources"]

    [followed] = prometheus["jsonData"]["exemplarTraceIdDestinations"]

    assert followed == {"name": "trace_id", "datasourceUid": jaeger["uid"]}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH: Debian's package prometheus")
def test_prometheus_can_read_every_query(tmp_path: Path) -> None:
    """All of them as recording rules for its own checker; `make observability` asks them of a running one."""
    asked = [
        {"record": f"asked:{number}", "expr": expr.replace("$__rate_interval", "1m")}
        for number, expr in enumerate(EXPRS)
    ]
    file = tmp_path / "asked.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": asked}]}))

    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
