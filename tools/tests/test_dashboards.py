"""Dashboards ask for metrics that exist, and are what was made of their code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tools.dashboards.__main__ import BOARDS, FOLDER, files
from tools.stack.home import REPOSITORY
from tools.tests.test_alert_rules import DECLARED, RECORDED, RECORDS, metrics_of

EXPRS = [query.expr for board in BOARDS for panel in board.panels for query in panel.queries]
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
