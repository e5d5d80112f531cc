"""Alert rules speak of metrics that exist, and send whoever is woken to a page that exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tools import metrics_page
from tools.stack.home import REPOSITORY

RULES: Final = sorted((REPOSITORY / "deploy" / "observability" / "rules").glob("*.yaml"))
PLAYED: Final = sorted((REPOSITORY / "deploy" / "observability" / "rules" / "tests").glob("*.yaml"))
METRIC: Final = re.compile(r"razvilka_\w+")
# A histogram is declared by its name alone.
PART: Final = re.compile(r"_(bucket|sum|count)$")
# The page is generated from the declared metrics, and `make lint` checks that it is whole.
DECLARED: Final = frozenset(re.findall(r"^\| `(razvilka_\w+)` \|", metrics_page.FILE.read_text(), re.MULTILINE))
OWNERS: Final = {"billing", "operations"}


def alerts(file: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as its host makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", RULES, ids=lambda file: str(file.name))
def test_every_metric_of_a_rule_is_declared(file: Path) -> None:
    """A rule on a metric that was renamed never fires, and nobody sees that."""
    used = {PART.sub("", name) for rule in alerts(file) for name in METRIC.findall(rule["expr"])}

    assert used
    assert used <= DECLARED


@pytest.mark.parametrize("file", RULES, ids=lambda file: str(file.name))
def test_every_alarm_says_how_urgent_it_is_whose_and_what_to_read(file: Path) -> None:
    """Who is woken at night has a page, with a heading for this alarm."""
    for rule in alerts(file):
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["labels"]["owner"] in OWNERS, rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]
        assert not anchor or anchor in anchors(REPOSITORY / page), rule["alert"]
        assert (REPOSITORY / page).is_file(), rule["alert"]


def test_each_alarm_has_a_name_of_its_own() -> None:
    """Two rules of one name are one alarm to whoever silences it."""
    names = [rule["alert"] for file in RULES for rule in alerts(file)]

    assert names
    assert len(names) == len(set(names))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH")
@pytest.mark.parametrize("file", RULES, ids=lambda file: str(file.name))
def test_prometheus_takes_the_rules(file: Path) -> None:
    """Its own checker reads expressions and templates."""
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH")
@pytest.mark.parametrize("file", PLAYED, ids=lambda file: str(file.name))
def test_alarms_ring_when_they_should_and_not_before(file: Path) -> None:
    """Prometheus's own player of series: which alarm rings at which minute, and what it says."""
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
